"""Max-flow and the cuts that bound collectives: integers only, so that an answer is an exact fraction."""

from fractions import Fraction

import numpy as np

from cpython.exc cimport PyErr_CheckSignals

from cext import _checks

from cext._preflow cimport CHUNK, ENDLESS, Preflow
from cext._types cimport flag_t, index_t, offset_t


cdef offset_t _screen(
    Preflow flow, const index_t[::1] order, offset_t start, offset_t need,
) except -1:
    """Of the sinks in order from start on, the first that cannot get ``need``; its run is left to be read.

    A sink that can joins the nodes of endless room: a cut that fails a later sink has them all on its other side.
    """
    cdef offset_t i, pause = flow.work + CHUNK
    cdef bint still
    for i in range(start, order.shape[0]):
        with nogil:
            flow.forget()
            flow.add(order[i], need)
            flow.augment(order[i])
            still = flow.run()
        while not still or flow.work > pause:
            PyErr_CheckSignals()
            pause = flow.work + CHUNK
            with nogil:
                still = flow.run()
        if flow.short:
            return i
        flow.endless[order[i]] = 1
        flow.room[order[i]] = ENDLESS
    return order.shape[0]


def max_flow(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const offset_t[::1] capacity,
    const index_t[::1] sources,
    const index_t[::1] sinks,
    bint trusted=False,
):
    """Value of a maximum flow from all sources to all sinks, and the source side of a minimum cut, uint8[V].

    See ``_cuts.pyi``. Raises ValueError for a malformed array, or a node that is both source and sink.

    >>> import numpy as np                              # a path of three nodes, 5 then 3
    >>> i = np.int32
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], i), np.array([1, 0, 3, 2], i)
    >>> max_flow(*graph, np.array([5, 5, 3, 3]), np.array([0], i), np.array([2], i))
    (3, array([1, 1, 0], dtype=uint8))
    """
    if not trusted:
        _check(indptr, indices, twin, capacity, sources, sinks)
        if np.intersect1d(sources, sinks).size:
            raise ValueError("sources and sinks must be distinct nodes")
    cdef Preflow flow = Preflow(*map(np.asarray, (indptr, indices, twin, capacity)))
    cdef offset_t i, given = 0, amount
    side = np.zeros(flow.nodes, np.uint8)
    for i in range(sinks.shape[0]):
        flow.room[sinks[i]] = ENDLESS
    flow.relabel_all()
    for i in range(sources.shape[0]):
        amount = _sum(capacity[indptr[sources[i]]:indptr[sources[i] + 1]])
        given += amount
        flow.add(sources[i], amount)
        side[sources[i]] = 1
    while not flow.run():
        PyErr_CheckSignals()
    side[np.asarray(flow.excess) > 0] = 1
    flow.reach(side)
    return given - flow.short, side


def cut_ratio(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const offset_t[::1] capacity,
    const index_t[::1] compute,
    const index_t[::1] sinks,
):
    """Least capacity out of a set over the compute nodes in it, of all sets that leave out a sink: an exact fraction.

    Returns (numerator, denominator, cut): uint8[V], 1 in the set. See ``_cuts.pyi``. Raises ValueError for a
    malformed array, fewer than two compute nodes, or capacities too large to stay exact.

    >>> import numpy as np                              # a path of three nodes, 5 then 3
    >>> i = np.int32
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], i), np.array([1, 0, 3, 2], i)
    >>> cut_ratio(*graph, np.array([5, 5, 3, 3]), np.arange(3, dtype=i), np.arange(3, dtype=i))
    (3, 2, array([1, 1, 0], dtype=uint8))
    """
    _check(indptr, indices, twin, capacity, compute, sinks)
    n = len(compute)
    if n < 2 or len(sinks) == 0 or not np.isin(sinks, compute).all():
        raise ValueError("compute must be 2 or more nodes, and sinks 1 or more of them")
    graph = tuple(map(np.asarray, (indptr, indices, twin)))
    whole = np.asarray(capacity)[graph[2]]              # room lies at the sources: excess goes against the arcs
    tails = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    into = np.zeros(len(indptr) - 1, np.int64)
    np.add.at(into, tails, whole)
    narrow = int(sinks[int(np.argmin(into[sinks]))])
    best = Fraction(int(into[narrow]), n - 1)
    if max(int(whole.max(initial=0)) * n, int(into[narrow]) * n) >= 1 << 61:
        raise ValueError(f"capacities must stay below 2^61 times {n} compute nodes; divide out a common unit")
    cdef Preflow flow = Preflow(*graph, whole)
    for u in compute:
        flow.supplied[u] = 1
    cdef const index_t[::1] order = _nearby(*graph, np.asarray(sinks))
    cdef offset_t place = 0, need
    while True:
        flow.scale(whole * best.denominator, best.numerator)
        need = n * best.numerator
        place = _screen(flow, order, place, need)
        if place == len(order):
            break
        narrow = order[place]
        inside = _starved(flow, narrow)
        best = _ratio(graph, whole, tails, inside, np.asarray(compute))
    np.asarray(flow.endless)[:] = 0
    flow.scale(whole * best.denominator, best.numerator)
    _screen(flow, np.array([narrow], np.int32), 0, need)
    inside = _starved(flow, narrow)                     # the smallest of the tightest sets around the sink
    assert _ratio(graph, whole, tails, inside, np.asarray(compute)) == best
    return best.numerator, best.denominator, 1 - inside


def min_connectivity(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const offset_t[::1] capacity,
    index_t root,
    const index_t[::1] sinks,
):
    """Least max-flow from the root to any sink, and the root's side of the minimum cut, uint8[V].

    See ``_cuts.pyi``. Raises ValueError for a malformed array, no sinks, or a root among them.

    >>> import numpy as np                              # a path of three nodes, 5 then 3
    >>> i = np.int32
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], i), np.array([1, 0, 3, 2], i)
    >>> min_connectivity(*graph, np.array([5, 5, 3, 3]), 0, np.array([1, 2], i))
    (3, array([1, 1, 0], dtype=uint8))
    """
    _check(indptr, indices, twin, capacity, np.array([root], np.int32), sinks)
    if len(sinks) == 0 or root in np.asarray(sinks):
        raise ValueError("sinks must be 1 or more nodes other than the root")
    graph = tuple(map(np.asarray, (indptr, indices, twin)))
    whole = np.asarray(capacity)[graph[2]]
    tails = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    into = np.zeros(len(indptr) - 1, np.int64)
    np.add.at(into, tails, whole)
    narrow = int(sinks[int(np.argmin(into[sinks]))])
    best = int(into[narrow])
    inside = np.zeros(len(indptr) - 1, np.uint8)
    inside[narrow] = 1
    cdef Preflow flow = Preflow(*graph, whole)
    flow.endless[root] = 1
    flow.room[root] = ENDLESS
    cdef const index_t[::1] order = _nearby(*graph, np.append(root, np.asarray(sinks)).astype(np.int32))[1:]
    cdef offset_t place = 0
    while True:
        place = _screen(flow, order, place, best)
        if place == len(order):
            return best, 1 - inside
        inside = _starved(flow, order[place])
        best = int(whole[(inside[tails] == 1) & (inside[graph[1]] == 0)].sum())


def _ratio(graph, whole, tails, inside, compute):
    """Capacity into a set over the compute nodes outside it; ``whole`` goes against the arcs."""
    entering = whole[(inside[tails] == 1) & (inside[graph[1]] == 0)].sum()
    return Fraction(int(entering), len(compute) - int(inside[compute].sum()))


def _starved(Preflow flow, index_t sink):
    """What a sink, and excess that is left, can still reach: nothing enters it but in full arcs."""
    inside = (np.asarray(flow.excess) > 0).astype(np.uint8)
    inside[sink] = 1
    flow.reach(inside)
    return inside


def _sum(amounts):
    return int(np.asarray(amounts).sum())


def _nearby(indptr, heads, twin, sinks):
    """The sinks as a search from the first of them meets them, int32: each close to those before it."""
    cdef const offset_t[::1] rows = indptr
    cdef const index_t[::1] ends = heads
    cdef index_t[::1] met = np.empty(indptr.size - 1, np.int32)
    cdef flag_t[::1] seen = np.zeros(indptr.size - 1, np.uint8)
    cdef index_t head = 0, tail = 1, v
    cdef offset_t a
    met[0] = sinks[0]
    seen[met[0]] = 1
    while head < tail:
        for a in range(rows[met[head]], rows[met[head] + 1]):
            v = ends[a]
            if not seen[v]:
                seen[v] = 1
                met[tail] = v
                tail += 1
        head += 1
    order = np.asarray(met)[:tail]
    near = order[np.isin(order, sinks)]
    return np.concatenate([near, np.setdiff1d(sinks, near)]).astype(np.int32)


def _check(indptr, indices, twin, capacity, *nodes):
    indptr, indices, twin, capacity = map(np.asarray, (indptr, indices, twin, capacity))
    _checks.check_graph(indptr, indices)
    _checks.check_twin(indptr, indices, twin)
    _checks.check_capacity(indices.size, capacity)
    for named in map(np.asarray, nodes):
        _checks.check_range("compute, sources and sinks", named, indptr.size - 1)
        if np.unique(named).size < named.size:
            raise ValueError("compute, sources and sinks must each be distinct nodes")
