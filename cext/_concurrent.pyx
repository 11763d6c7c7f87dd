# distutils: depends = cext/_oracle.h
"""Maximum concurrent flow of dense demand: Frank-Wolfe over shortest-path trees, 16 sources a block."""

from time import monotonic

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange
from libc.math cimport INFINITY, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t

from cext import _checks

from cext._types cimport flag_t, index_t, offset_t, thread_count, value_t

cdef extern from "_oracle.h" nogil:
    ctypedef struct lanes_t:
        pass
    int LANES
    int FAR
    int relax(int64_t nodes, const int64_t *indptr, const int32_t *heads, const int32_t *length,
              const uint8_t *forwards, lanes_t *dist, uint8_t *dirty)
    void settle(int64_t nodes, const int64_t *indptr, const int32_t *heads, const int32_t *length,
                const lanes_t *dist, lanes_t *reach, lanes_t *into)
    void weigh(int64_t arcs, const double *use, const double *change, double step, double sharpness, double top,
               double *price, double *sums)

cdef enum:
    GROUP = 8           # blocks under the same prices: constant, so that threads do not matter
    SMALL = 1 << 13     # arcs below which a block is too little work for a thread

cdef double AIM = 2.0 ** 27     # what the longest path should measure in whole numbers: an eighth of FAR


cdef class _Flow:
    """The flow of each block of sources, the prices, and what a group of blocks needs to search.

    All arrays over arcs are in slot order: slot a of node v is the arc heads[a] -> v.
    """

    cdef const offset_t[::1] indptr
    cdef const index_t[::1] heads, terminals, sources
    cdef const flag_t[::1] forwards
    cdef const value_t[::1] capacity, sent, received
    cdef const value_t[:, ::1] demand
    cdef bint dense, dag
    cdef offset_t V, A, S, blocks
    cdef int team
    cdef value_t[:, ::1] own, tree, amount, sums
    cdef value_t[::1] load, use, change, price, inverse
    cdef index_t[::1] length
    cdef index_t[:, :, ::1] dist, reach, into
    cdef index_t[:, ::1] left, order, near
    cdef flag_t[:, ::1] dirty
    cdef index_t hop        # what a hop adds to every length, so that only paths of fewest hops are shortest; else 0
    cdef index_t hops       # of the longest shortest path
    cdef value_t volume     # sum of capacity x length
    cdef value_t furthest   # length of the longest path over volume
    cdef value_t served     # sum of demand x distance over volume, of the blocks searched since it was cleared

    def __init__(self, indptr, heads, capacity, forwards, terminals, sent, received, demand, dag, threads):
        self.indptr, self.heads, self.capacity, self.forwards = indptr, heads, capacity, forwards
        self.terminals, self.sent, self.received, self.dag = terminals, sent, received, dag
        self.dense = demand is not None
        self.demand = demand if demand is not None else np.zeros((0, 0))
        self.V, self.A = indptr.size - 1, heads.size
        busy = demand.any(axis=1) if demand is not None else (sent > 0)
        self.sources = np.flatnonzero(busy).astype(np.int32)
        self.S = self.sources.shape[0]
        self.blocks = (self.S + LANES - 1) // LANES
        self.team = thread_count(threads) if self.A >= SMALL else 1
        self.own = np.zeros((self.blocks, self.A))
        self.load, self.use, self.change, self.price = (np.zeros(self.A) for _ in range(4))
        self.inverse = 1 / capacity
        self.length = np.ones(self.A, np.int32)
        self.dist, self.reach, self.into = (np.empty((GROUP, self.V, LANES), np.int32) for _ in range(3))
        self.left, self.near = np.zeros((GROUP, self.V), np.int32), np.zeros((GROUP, self.V), np.int32)
        self.order = np.zeros((GROUP, self.V + 1), np.int32)
        self.dirty = np.zeros((GROUP, self.V), np.uint8)
        self.tree, self.amount = np.zeros((GROUP, self.A)), np.zeros((GROUP, self.V))
        self.sums = np.zeros((GROUP, 3))
        self.hop = 0

    cdef void search(self, offset_t place, offset_t block) noexcept nogil:
        """Distances and trees of the sources of a block."""
        cdef index_t[:, ::1] dist = self.dist[place]
        cdef offset_t v, a, i
        for v in range(self.V):
            for i in range(LANES):
                dist[v, i] = FAR
        for i in range(min(<offset_t> LANES, self.S - block * LANES)):
            v = self.terminals[self.sources[block * LANES + i]]
            dist[v, i] = 0
            for a in range(self.indptr[v], self.indptr[v + 1]):
                self.dirty[place, self.heads[a]] = 1
        relax(self.V, &self.indptr[0], &self.heads[0], &self.length[0], &self.forwards[0], <lanes_t *> &dist[0, 0],
              &self.dirty[place, 0])
        settle(self.V, &self.indptr[0], &self.heads[0], &self.length[0], <lanes_t *> &dist[0, 0],
               <lanes_t *> &self.reach[place, 0, 0], <lanes_t *> &self.into[place, 0, 0])

    cdef value_t carry(self, offset_t place, index_t lane, index_t source) noexcept nogil:
        """Gather the amounts along the tree, leaves first, loading its arcs; return what the source is left with."""
        cdef value_t[::1] amount = self.amount[place], load = self.tree[place]
        cdef index_t[:, ::1] into = self.into[place]
        cdef index_t[::1] left = self.left[place]
        cdef index_t v, w, p, a
        left[:] = 0
        for v in range(<index_t> self.V):
            a = into[v, lane]
            if a >= 0 and v != source:
                left[self.heads[a]] += 1
        for v in range(<index_t> self.V):
            w = v
            while left[w] == 0 and w != source:
                left[w] = -1
                a = into[w, lane]
                if a < 0:
                    break
                p = self.heads[a]
                load[a] += amount[w]
                amount[p] += amount[w]
                amount[w] = 0
                left[p] -= 1
                if p > v:
                    break       # the scan comes by
                w = p
        cdef value_t arrived = amount[source]
        amount[source] = 0
        return arrived

    cdef value_t spread(self, offset_t place, index_t lane, index_t source) noexcept nogil:
        """The same over all paths of fewest hops, split at every node by capacity; lengths are all 1."""
        cdef value_t[::1] amount = self.amount[place], load = self.tree[place]
        cdef index_t[::1] near = self.near[place], begin = self.left[place], order = self.order[place]
        cdef offset_t a, first, last
        cdef index_t v, h, position, most = 0
        cdef value_t width, share
        begin[:] = 0
        for v in range(<index_t> self.V):
            near[v] = self.reach[place, v, lane] if v != source else 0
            if near[v] < FAR:
                begin[near[v]] += 1
                most = max(most, near[v])
        h = 0
        for v in range(most + 1):
            h += begin[v]
            begin[v] = h - begin[v]
        for v in range(<index_t> self.V):
            if near[v] < FAR:
                order[begin[near[v]]] = v
                begin[near[v]] += 1
        for position in range(h - 1, 0, -1):
            v = order[position]
            if amount[v] == 0:
                continue
            first, last = self.indptr[v], self.indptr[v + 1]
            width = 0
            for a in range(first, last):
                if self.closer(near, source, self.heads[a], near[v]):
                    width += self.capacity[a]
            share = amount[v] / width
            for a in range(first, last):
                if self.closer(near, source, self.heads[a], near[v]):
                    load[a] += share * self.capacity[a]
                    amount[self.heads[a]] += share * self.capacity[a]
            amount[v] = 0
        share = amount[source]
        amount[source] = 0
        return share

    cdef inline bint closer(self, index_t[::1] near, index_t source, index_t u, index_t hops) noexcept nogil:
        return near[u] + 1 == hops and (self.forwards[u] or u == source)

    cdef void serve(self, offset_t place, offset_t block, bint split) noexcept nogil:
        """Lay the demand of a block on its trees; sums: demand x distance, the longest distance, 1 if any was lost."""
        cdef index_t i, t, s, node, hop = self.hop
        cdef index_t[:, ::1] reach = self.reach[place]
        cdef value_t[::1] sums = self.sums[place]
        cdef value_t amount, total, arrived
        self.tree[place, :] = 0
        sums[:] = 0
        for i in range(<index_t> min(<offset_t> LANES, self.S - block * LANES)):
            s = self.sources[block * LANES + i]
            total = 0
            for t in range(<index_t> self.terminals.shape[0]):
                amount = self.demand[s, t] if self.dense else self.sent[s] * self.received[t]
                if t == s or amount == 0:
                    continue
                node = self.terminals[t]
                if reach[node, i] >= FAR:
                    sums[2] = 1
                    continue
                self.amount[place, node] = amount
                total += amount
                sums[0] += amount * (reach[node, i] % hop if hop else reach[node, i])
                sums[1] = max(sums[1], <value_t> reach[node, i])
            if split:
                arrived = self.spread(place, i, self.terminals[s])
            else:
                arrived = self.carry(place, i, self.terminals[s])
            if not total * (1 - 1e-9) <= arrived <= total * (1 + 1e-9):
                sums[2] = 2

    cdef int group(self, offset_t first, bint split) except -1:
        """Search and serve the blocks from first on; return 1 if a distance does not fit, 0 else."""
        cdef offset_t size = min(<offset_t> GROUP, self.blocks - first), p
        cdef value_t worst
        for p in prange(size, nogil=True, schedule="dynamic", chunksize=1, num_threads=self.team):
            self.search(p, first + p)
            self.serve(p, first + p, split)
        PyErr_CheckSignals()
        worst = np.max(self.sums[:size, 2])
        if worst == 2:
            raise RuntimeError("a shortest-path tree lost demand; this is a bug of the kernel")
        if worst == 1:
            return 1
        for p in range(size):
            self.served += self.sums[p, 0] / self.volume
            self.furthest = max(self.furthest, self.sums[p, 1] / self.volume)
        return 0

    cdef void fit(self, const value_t[::1] lengths, value_t volume, value_t furthest) noexcept nogil:
        """Whole-number lengths in proportion to lengths, so that the longest path is near AIM."""
        cdef offset_t a
        cdef value_t scale = AIM / (furthest * volume), most = 0
        if self.dag:
            for a in range(self.A):
                most = max(most, lengths[a])
            scale = (self.hop // (self.hops + 1) - 1) / most
        self.volume = 0
        for a in range(self.A):
            self.length[a] = <index_t> min(1 + lengths[a] * scale, <value_t> FAR - 1)
            self.volume += self.length[a] * self.capacity[a]
            self.length[a] += self.hop

    cdef value_t peak(self) noexcept nogil:
        """Largest load over capacity; use is brought up to date."""
        cdef offset_t a
        cdef value_t top = 0
        for a in range(self.A):
            self.use[a] = self.load[a] * self.inverse[a]
            top = max(top, self.use[a])
        return top

    cdef void turn(self, offset_t first) noexcept nogil:
        """change: what the trees of a group would add to use if they replaced its flow."""
        cdef offset_t a, p
        self.change[:] = 0
        for p in range(min(<offset_t> GROUP, self.blocks - first)):
            for a in range(self.A):
                self.change[a] += self.tree[p, a] - self.own[first + p, a]
        for a in range(self.A):
            self.change[a] *= self.inverse[a]

    cdef void move(self, offset_t first, value_t step) noexcept nogil:
        """Shift a share of the flow of a group to its trees."""
        cdef offset_t a, p
        for p in range(min(<offset_t> GROUP, self.blocks - first)):
            for a in range(self.A):
                self.own[first + p, a] += step * (self.tree[p, a] - self.own[first + p, a])
        for a in range(self.A):
            self.load[a] += step * self.change[a] * self.capacity[a]

    cdef void total(self) noexcept nogil:
        """Add the loads up anew, so that nothing drifts."""
        cdef offset_t a, p
        self.load[:] = 0
        for p in range(self.blocks):
            for a in range(self.A):
                self.load[a] += self.own[p, a]

    cdef value_t best_step(self, value_t sharpness, value_t top) noexcept nogil:
        """The share in 0 .. 1 that makes the soft maximum of use least: Newton's steps, kept inside a bracket."""
        cdef value_t low = 0, high = 1, step = 0, following
        cdef value_t[4] sums
        cdef int i
        for i in range(8):
            weigh(self.A, &self.use[0], &self.change[0], step, sharpness, top, &self.price[0], sums)
            if sums[1] >= 0:
                high = step
            else:
                low = step
            if high == 0 or low == 1:
                break
            following = step - sums[1] / (sharpness * max(sums[2] - sums[1] * sums[1] / sums[0], 1e-300))
            if i > 0 and low < following < high and abs(following - step) < 0.1 * step:
                return following
            if low < following <= high:
                step = following
            elif i == 0:
                step = high
            else:
                step = 0.5 * (low + high)
        return step


def tree_concurrent(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const value_t[::1] capacity,
    const flag_t[::1] forwards,
    const index_t[::1] terminals,
    const value_t[::1] sent,
    const value_t[::1] received,
    demand=None,
    bint dag=False,
    double gap=0.01,
    double upper=INFINITY,
    double time_limit_s=60.0,
    int max_rounds=2000,
    int threads=0,
):
    """The largest multiple of a demand that a network carries, between a flow and lengths that prove it.

    See ``_concurrent.pyi``. Raises ValueError for a malformed array, or demand that no path serves.

    >>> import numpy as np                              # two nodes, 3 units wanted each way over 6
    >>> i = np.int32
    >>> graph = np.array([0, 1, 2]), np.array([1, 0], i), np.array([1, 0], i), np.full(2, 6.0), np.ones(2, np.uint8)
    >>> loads, lower, upper, lengths, rounds = tree_concurrent(*graph, np.array([0, 1], i), np.ones(2), np.full(2, 3.0))
    >>> loads, lower, round(upper, 9)
    (array([3., 3.]), 2.0, 2.0)
    """
    graph = tuple(map(np.asarray, (indptr, indices, twin, capacity, forwards)))
    ends = tuple(map(np.asarray, (terminals, sent, received)))
    _checks.check_concurrent(*graph, *ends, demand)
    _checks.check_threads(threads)
    if not gap > 0 or not upper > 0 or not time_limit_s > 0 or max_rounds < 1:
        raise ValueError("gap, upper, time_limit_s and max_rounds must be positive")
    if demand is not None:
        demand = np.array(demand, np.float64)
        np.fill_diagonal(demand, 0.0)
    until = monotonic() + time_limit_s
    flow = _Flow(graph[0], graph[1], graph[3][graph[2]], graph[4], *ends, demand, dag, threads)
    if flow.S == 0:
        raise ValueError("demand must not be zero")
    best, lower, proven, lengths, rounds = _improve(flow, gap, upper, until, max_rounds)
    if lower > proven * (1 + 1e-9):
        raise RuntimeError(f"lower bound {lower} exceeds upper bound {proven}; this is a bug of the kernel")
    return best[graph[2]], lower, proven, lengths[graph[2]], rounds


cdef _improve(_Flow flow, double gap, double known, double until, int max_rounds):
    """Sweeps over all groups until the bounds meet: price, search, step; now and then the averaged lengths' dual."""
    cdef value_t[::1] mean_load = np.zeros(flow.A), mean_length = np.zeros(flow.A)
    cdef value_t[4] sums
    cdef value_t sharpness = 5, spare = min(1e-3, gap / 8), top, soft, short, volume, share, furthest
    cdef value_t ports = float(np.sum(flow.capacity)), guess = 0
    cdef offset_t first, a, groups = (flow.blocks + GROUP - 1) // GROUP, steps = 0
    cdef int rounds = 1, window = 3, sweeps = 0

    upper = _hops(flow)
    lengths = np.ones(flow.A)
    best, lower = np.array(flow.load), 1 / flow.peak()
    furthest = flow.furthest
    while lower < min(upper, known) * (1 - gap) and rounds < max_rounds and monotonic() < until:
        flow.furthest = flow.served = soft = short = 0
        for first in range(0, flow.blocks, GROUP):
            top = flow.peak()
            weigh(flow.A, &flow.use[0], &flow.change[0], 0, sharpness / top, top, &flow.price[0], sums)
            soft += 1 - sums[3] / sums[0] / top
            volume = sums[0] * (1 + spare)
            share = spare * sums[0] / ports
            for a in range(flow.A):
                flow.price[a] = flow.price[a] * flow.inverse[a] + share
                mean_length[a] += flow.price[a] / volume
            flow.fit(flow.price, volume, furthest)
            while flow.group(first, False):
                furthest *= 16
                flow.fit(flow.price, volume, furthest)
            flow.turn(first)
            weigh(flow.A, &flow.use[0], &flow.change[0], 0, sharpness / top, top, &flow.price[0], sums)
            short -= sums[1] / sums[0] / top
            flow.move(first, flow.best_step(sharpness / top, top))
            for a in range(flow.A):
                mean_load[a] += flow.load[a]
            steps += 1
            if monotonic() > until:
                break
        rounds += 1
        sweeps += 1
        furthest = flow.furthest
        guess += flow.served
        flow.total()
        for loads in (np.asarray(flow.load), np.asarray(mean_load) / steps):
            rate = 1 / np.max(loads * np.asarray(flow.inverse))
            if rate > lower:
                best, lower = np.array(loads), float(rate)
        if short < 0.5 * soft / groups:     # sharper only when prices, not the flow, hold the bounds apart
            sharpness *= min(1.5, max(1.2, sqrt(0.5 * soft / groups / max(short, 1e-9))))
        if monotonic() > until:
            break
        if sweeps >= window or guess / sweeps * min(upper, known) > 1:
            dual = _dual(flow, mean_length, furthest)
            rounds += 1
            if dual < upper:
                upper, lengths = dual, np.asarray(flow.length) - flow.hop
            if sweeps >= window:
                mean_load[:] = 0
                mean_length[:] = 0
                guess = steps = sweeps = 0
                window = max(3, rounds // 2)
    return best, lower, upper, lengths.astype(np.float64), rounds


cdef double _hops(_Flow flow) except -1:
    """Start with all demand split over paths of fewest hops; return the bound that hops give."""
    cdef offset_t first
    flow.volume = float(np.sum(flow.capacity))
    flow.furthest = flow.served = 0
    for first in range(0, flow.blocks, GROUP):
        if flow.group(first, True):
            raise ValueError("demand between two terminals that no path joins")
        flow.turn(first)
        flow.move(first, 1)
    flow.total()
    flow.hops = <index_t> round(flow.furthest * flow.volume)
    if flow.dag:
        flow.hop = FAR // (flow.hops + 1)
    return 1 / flow.served


cdef double _dual(_Flow flow, const value_t[::1] lengths, value_t furthest) except -1:
    """The bound that lengths give; they are left in flow.length as whole numbers."""
    cdef offset_t first
    volume = float(np.dot(lengths, flow.capacity))
    while True:
        flow.fit(lengths, volume, furthest)
        flow.served = 0
        for first in range(0, flow.blocks, GROUP):
            if flow.group(first, False):
                furthest *= 16
                break
        else:
            return 1 / flow.served
