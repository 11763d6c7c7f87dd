"""Maximum concurrent flow of few pairs: flow shifted between paths on an exponential potential, paths when needed."""

import time

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange
from libc.math cimport exp

from cext import _checks
from cext._columns import PathFlow, PathSet

from cext._searches cimport LANES, search_lanes
from cext._types cimport block_start, flag_t, index_t, offset_t, thread_count, value_t


FIRST_SHARPNESS = 4.0   # of the potential, in utilisations of the most loaded arc; gentle while paths are few
LAST_SHARPNESS = 10.0
SWEEPS = 20             # between two searches
SETTLING = 5            # rounds before weights follow prices
LEAST_WEIGHT = 0.02     # of an arc, or the gap if that is less, so that its price may return; the mean is 1
EVEN = 0.2              # times the gap is the share of lengths that is the same on all arcs


cdef value_t _cost(offset_t p, const offset_t[::1] path_ptr, const index_t[::1] arcs,
                   const value_t[::1] price) noexcept nogil:
    """Sum of the prices along a path."""
    cdef offset_t j
    cdef value_t cost = 0
    for j in range(path_ptr[p], path_ptr[p + 1]):
        cost += price[arcs[j]]
    return cost


cdef void _move(offset_t p, value_t by, value_t sharpness, const offset_t[::1] path_ptr, const index_t[::1] arcs,
                const value_t[::1] slowness, const flag_t[::1] shared, value_t[::1] load,
                value_t[::1] price) noexcept nogil:
    """Add to the flow of a path, but not where it runs with the other one."""
    cdef offset_t j
    cdef index_t e
    cdef value_t last = -1, factor = 1
    for j in range(path_ptr[p], path_ptr[p + 1]):
        e = arcs[j]
        if shared[e]:
            continue
        if slowness[e] != last:
            last = slowness[e]
            factor = exp(sharpness * by * last)
        load[e] += by
        price[e] *= factor


cdef void _shift(offset_t p, offset_t q, value_t sharpness, const offset_t[::1] path_ptr, const index_t[::1] arcs,
                 const value_t[::1] slowness, const value_t[::1] limit, value_t[::1] flow, value_t[::1] load,
                 value_t[::1] price, flag_t[::1] mark) noexcept nogil:
    """One Newton step on the potential from a dearer path to a cheaper one; arcs of both do not change."""
    cdef offset_t j
    cdef index_t e
    cdef value_t slope = 0, bend = 0, widest = 0, by
    for j in range(path_ptr[q], path_ptr[q + 1]):
        mark[arcs[j]] = 1
    for j in range(path_ptr[p], path_ptr[p + 1]):
        e = arcs[j]
        if mark[e]:
            mark[e] = 2
        else:
            slope += price[e]
            bend += price[e] * slowness[e]
    for j in range(path_ptr[q], path_ptr[q + 1]):
        e = arcs[j]
        mark[e] -= 1                                    # 1 where both paths run, 0 elsewhere
        if not mark[e]:
            slope -= price[e]
            bend += price[e] * slowness[e]
            widest = max(widest, slowness[e])
    if slope > 0 and bend > 0:
        by = min(slope / (sharpness * bend), min(flow[p], limit[q] - flow[q]))
        if widest > 0:
            by = min(by, 2 / (sharpness * widest))
        _move(p, -by, sharpness, path_ptr, arcs, slowness, mark, load, price)
        _move(q, by, sharpness, path_ptr, arcs, slowness, mark, load, price)
        flow[q] += by
        flow[p] = flow[p] - by if by < flow[p] else 0
    for j in range(path_ptr[q], path_ptr[q + 1]):
        mark[arcs[j]] = 0


cdef void _sweep(offset_t first, offset_t last, value_t sharpness, const offset_t[::1] pair_ptr,
                 const offset_t[::1] path_ptr, const index_t[::1] arcs, const value_t[::1] slowness,
                 const value_t[::1] limit, value_t[::1] flow, value_t[::1] load, value_t[::1] price,
                 value_t[::1] cost, flag_t[::1] mark) noexcept nogil:
    """For each pair in turn, shift flow from every dearer path to the cheapest one with room."""
    cdef offset_t i, p, q
    for i in range(first, last):
        q = -1
        for p in range(pair_ptr[i], pair_ptr[i + 1]):
            cost[p] = _cost(p, path_ptr, arcs, price)
            if flow[p] < limit[p] and (q < 0 or cost[p] < cost[q]):
                q = p
        if q < 0:
            continue
        for p in range(pair_ptr[i], pair_ptr[i + 1]):
            if p != q and flow[p] > 0 and cost[p] > cost[q]:
                _shift(p, q, sharpness, path_ptr, arcs, slowness, limit, flow, load, price, mark)


cdef value_t _cheapest(const offset_t[::1] pair_ptr, const offset_t[::1] path_ptr, const index_t[::1] arcs,
                       const value_t[::1] amount, const value_t[::1] limit, const value_t[::1] length,
                       value_t[::1] cost, value_t[::1] nearest, value_t[::1] fill) noexcept nogil:
    """Fill the cheapest paths of every pair up to their limits; nearest is what an amount of one costs there."""
    cdef offset_t i, p, q
    cdef value_t left
    for i in range(amount.shape[0]):
        for p in range(pair_ptr[i], pair_ptr[i + 1]):
            cost[p] = _cost(p, path_ptr, arcs, length)
            fill[p] = 0
        left = amount[i]
        nearest[i] = 0
        while left > 0:
            q = -1
            for p in range(pair_ptr[i], pair_ptr[i + 1]):
                if fill[p] == 0 and limit[p] > 0 and (q < 0 or cost[p] < cost[q]):
                    q = p
            if q < 0:
                break
            fill[q] = min(left, limit[q])
            nearest[i] += fill[q] / amount[i] * cost[q]
            left -= fill[q]


cdef class _Solver:
    """The arrays of one problem, and the three things that are done with them."""

    cdef const offset_t[::1] indptr
    cdef const index_t[::1] heads, twin
    cdef const flag_t[::1] forwards
    cdef const value_t[::1] slowness, amount
    cdef const index_t[::1] target, sources
    cdef const offset_t[::1] source_ptr, members
    cdef value_t[:, :, ::1] dist
    cdef flag_t[:, ::1] dirty
    cdef flag_t[::1] mark
    cdef int team
    cdef public object nearest, found, found_hops

    def __init__(self, indptr, heads, twin, slowness, forwards, source, target, amount, int threads):
        self.indptr, self.heads, self.twin, self.forwards = indptr, heads, twin, forwards
        self.slowness, self.target, self.amount = slowness, target, amount
        members = np.argsort(source, kind="stable")
        sources, start = np.unique(source[members], return_index=True)
        self.members, self.sources = members, sources
        self.source_ptr = np.append(start, len(source)).astype(np.int64)
        group = max(8, min(256, 2**22 // (len(heads) + 1)))  # that share a parallel region
        group = min(group, (len(sources) + LANES - 1) // LANES)
        self.dist = np.empty((group, len(indptr) - 1, LANES))
        self.dirty = np.zeros((group, len(indptr) - 1), np.uint8)
        self.mark = np.zeros(len(heads), np.uint8)
        alone = len(sources) * len(heads) < 2**21       # a parallel region would cost more than the work
        self.team = 1 if alone else thread_count(threads)
        self.nearest = np.zeros(len(source))
        self.found = np.zeros((len(source), 16), np.int32)
        self.found_hops = np.zeros(len(source), np.int32)

    def search(self, const value_t[::1] length, const value_t[::1] beat):
        """Shortest distances of all pairs, and the paths of those that are shorter than beat."""
        cdef value_t[::1] nearest = self.nearest
        cdef index_t[:, ::1] found = self.found
        cdef index_t[::1] found_hops = self.found_hops
        cdef offset_t sources = self.sources.shape[0], group = self.dist.shape[0], start, searches, b
        cdef int team = self.team
        for start in range(0, sources, group * LANES):
            searches = min(group, (sources - start + LANES - 1) // LANES)
            for b in prange(searches, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
                search_lanes(start + b * LANES, min(start + (b + 1) * LANES, sources), self.sources, self.source_ptr,
                             self.members, self.target, self.indptr, self.heads, self.twin, self.forwards, length,
                             beat, self.dist[b], self.dirty[b], nearest, found, found_hops)
            PyErr_CheckSignals()
        if (self.found_hops < 0).any():                 # longer than any before: make room and search again
            if self.found.shape[1] > self.dist.shape[1]:
                raise ArithmeticError("lengths lie too far apart: a shortest path loops")
            self.found = np.zeros((len(self.found), 2 * self.found.shape[1]), np.int32)
            self.search(length, beat)

    def fill(self, paths, const value_t[::1] limit, const value_t[::1] length):
        """The cheapest flow on given paths; sets nearest, as search does."""
        cdef const offset_t[::1] pair_ptr = paths.pair_ptr, path_ptr = paths.path_ptr
        cdef const index_t[::1] arcs = paths.arcs
        cdef value_t[::1] nearest = self.nearest
        cdef value_t[::1] cost = np.empty(limit.shape[0])
        cdef value_t[::1] flow = np.empty(limit.shape[0])
        with nogil:
            _cheapest(pair_ptr, path_ptr, arcs, self.amount, limit, length, cost, nearest, flow)
        return np.asarray(flow)

    def sweep(self, paths, const value_t[::1] limit, value_t[::1] flow, value_t[::1] load, value_t[::1] price,
              value_t sharpness, int sweeps):
        """Shift the flow of all pairs, so many times."""
        cdef const offset_t[::1] pair_ptr = paths.pair_ptr, path_ptr = paths.path_ptr
        cdef const index_t[::1] arcs = paths.arcs
        cdef value_t[::1] cost = np.empty(limit.shape[0])
        cdef offset_t pairs = pair_ptr.shape[0] - 1, pieces = arcs.shape[0] // 2**22 + 1, piece
        cdef int _
        for _ in range(sweeps):
            for piece in range(pieces):
                with nogil:
                    _sweep(block_start(piece, pieces, pairs), block_start(piece + 1, pieces, pairs), sharpness,
                           pair_ptr, path_ptr, arcs, self.slowness, limit, flow, load, price, cost, self.mark)
                PyErr_CheckSignals()


def path_concurrent(
    const offset_t[::1] indptr,
    const index_t[::1] heads,
    const index_t[::1] twin,
    const value_t[::1] capacity,
    const flag_t[::1] forwards,
    const index_t[::1] source,
    const index_t[::1] target,
    const value_t[::1] amount,
    *,
    double gap=0.01,
    int max_rounds=1000,
    double time_limit_s=60.0,
    paths=None,
    limit=None,
    int k=16,
    int threads=0,
):
    """Largest multiple of the demand that fits into the capacities, and the flow on paths that shows it.

    See ``_pathflow.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a triangle: one unit directly, one by the third node
    >>> i = np.int32
    >>> graph = np.array([0, 2, 4, 6]), np.array([1, 2, 0, 2, 0, 1], i), np.array([2, 4, 0, 5, 1, 3], i)
    >>> pair = np.array([0], i), np.array([1], i), np.ones(1)
    >>> found = path_concurrent(*graph, np.ones(6), np.ones(3, np.uint8), *pair, gap=1e-6)
    >>> round(found.lb, 5), round(found.ub, 5), found.path_ptr.tolist()
    (2.0, 2.0, [0, 1, 3])
    """
    V, A, P = indptr.shape[0] - 1, heads.shape[0], source.shape[0]
    _checks.check_capacities(*map(np.asarray, (indptr, heads, twin, capacity, forwards)))
    _checks.check_pairs(*map(np.asarray, (source, target, amount)), nodes=V)
    _checks.check_threads(threads)
    if not 0 < gap < 1 or max_rounds < 1 or k < 1:
        raise ValueError(f"gap must lie in 0 to 1, max_rounds and k be at least 1; got {gap}, {max_rounds}, {k}")
    wide, from_, to, sent = map(np.asarray, (capacity, source, target, amount))
    slow = 1 / wide
    solver = _Solver(indptr, heads, twin, slow, forwards, from_, to, sent, threads)
    fixed = paths is not None
    length = slow / A
    if fixed:
        paths = PathSet.of(*paths)
        room = np.full(paths.size, np.inf) if limit is None else np.asarray(limit, np.float64)
        paths.check(np.asarray(indptr), np.asarray(heads), from_, to, sent, room)
        flow = solver.fill(paths, room, length)
    else:
        if limit is not None:
            raise ValueError("limit needs paths: without them there is nothing that it could limit")
        solver.search(length, np.full(P, np.inf))
        if np.isinf(solver.nearest).any():
            lost = int(np.argmax(np.isinf(solver.nearest)))
            return PathFlow.none(P, A, int(from_[lost]), int(to[lost]))
        nothing = np.zeros(0)
        paths, flow = PathSet.empty(P).extended(nothing, nothing, solver.found, solver.found_hops, sent, k)
        room = np.full(paths.size, np.inf)

    best = PathFlow.none(P, A, -1, -1)._replace(ub=np.inf)
    weight, sharpness = np.full(A, 1 / A), FIRST_SHARPNESS
    end = time.monotonic() + time_limit_s
    for rounds in range(max_rounds + 1):
        ub = 1 / float(sent @ solver.nearest)           # lengths times capacities sum to 1
        if ub < best.ub:
            best = best._replace(ub=ub, length=length)
        load = paths.load(flow, A)
        use = load * slow
        top = float(use.max())
        if 1 / top > best.lb:
            best = best._replace(lb=1 / top, load=load.copy(), pair_ptr=paths.pair_ptr, path_ptr=paths.path_ptr,
                                 path_arc=paths.arcs, flow=flow.copy())
        if best.gap <= gap or rounds == max_rounds or time.monotonic() > end:
            break
        price = weight * np.exp(sharpness * (use / top - 1))
        solver.sweep(paths, room, flow, load, price * slow, sharpness / top, SWEEPS)
        flow = paths.scaled(flow, sent)
        use = paths.load(flow, A) * slow
        top = float(use.max())
        price = weight * np.exp(sharpness * (use / top - 1))
        price /= price.sum()
        if rounds >= SETTLING:
            weight = np.maximum(price, min(LEAST_WEIGHT, best.gap) / A)
        sharpness = min(LAST_SHARPNESS, sharpness * 1.2)
        even = EVEN * best.gap                          # shortest paths would wander over links that are almost free
        length = (1 - even) * price * slow + even / wide.sum()
        if fixed:
            solver.fill(paths, room, length)
            continue
        cost = paths.cost(length)
        cheapest = np.minimum.reduceat(cost, np.asarray(paths.pair_ptr)[:P])
        solver.search(length, cheapest * (1 - min(1e-3, gap / 10)))
        paths, flow = paths.extended(flow, cost, solver.found, solver.found_hops, sent, k)
        flow = paths.scaled(flow, sent)
        room = np.full(paths.size, np.inf)
    if best.lb > best.ub * (1 + 1e-9):
        raise AssertionError(f"flow {best.lb} exceeds its bound {best.ub}")
    return best._replace(ub=max(best.lb, best.ub), rounds=rounds)
