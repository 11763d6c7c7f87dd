"""The arcs that pairs of nodes use: all of their shortest paths, or one."""

import numpy as np

from cython.parallel cimport prange

from cext import _checks

from cpython.exc cimport PyErr_CheckSignals
from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t, word_t

cdef enum:
    SPLIT = 0           # over all next hops, by weight
    MODULO = 1          # next hop number (key mod next hops), a hop for every unit of weight
    RANDOM = 2          # a random next hop, by weight
    CHUNK = 1 << 27     # nodes and arcs searched between two looks at the keyboard

cdef value_t UNIT = 2.0 ** -53

PICKS = {"split": SPLIT, "modulo": MODULO, "random": RANDOM}

cdef struct Graph:
    const offset_t *indptr
    const index_t *heads
    const value_t *weight
    const index_t *twin
    const flag_t *forwards
    const value_t *latency
    const value_t *node_latency

cdef struct Search:             # from one root; what a thread needs
    index_t root
    index_t *dist
    index_t *queue
    index_t *line               # nodes of one pair's paths, nearest the source first
    value_t *amount
    value_t *far                # longest time since the source

cdef struct Out:                # where a pair's arcs go; NULL: only count them
    index_t *arc
    value_t *share
    value_t *seconds


cdef inline word_t _mix(word_t x) noexcept nogil:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): neighbours come out unlike."""
    x += <word_t> 0x9E3779B97F4A7C15
    x = (x ^ (x >> 30)) * <word_t> 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <word_t> 0x94D049BB133111EB
    return x ^ (x >> 31)


cdef void _search(const Graph *g, Search *s, offset_t nodes) noexcept nogil:
    """Hops to the root from everywhere, -1 where no path leads."""
    cdef index_t head = 0, tail = 1, u, v
    cdef offset_t a
    for a in range(nodes):
        s.dist[a] = -1
    s.queue[0] = s.root
    s.dist[s.root] = 0
    while head < tail:
        u = s.queue[head]
        head += 1
        if u != s.root and not g.forwards[u]:
            continue
        for a in range(g.indptr[u], g.indptr[u + 1]):
            v = g.heads[a]
            if s.dist[v] < 0:
                s.dist[v] = s.dist[u] + 1
                s.queue[tail] = v
                tail += 1


cdef inline bint _leads(const Graph *g, const Search *s, index_t u, offset_t a) noexcept nogil:
    """Is this arc of u the first of a shortest path to the root?"""
    cdef index_t v = g.heads[a]
    return s.dist[v] == s.dist[u] - 1 and s.dist[v] >= 0 and (g.forwards[v] or v == s.root)


cdef inline value_t _width(const Graph *g, const Search *s, index_t u) noexcept nogil:
    cdef offset_t a
    cdef value_t width = 0
    for a in range(g.indptr[u], g.indptr[u + 1]):
        if _leads(g, s, u, a):
            width += g.weight[a]
    return width


cdef offset_t _split(const Graph *g, Search *s, index_t source, Out *out) noexcept nogil:
    """All shortest paths from a source, split by weight; how many arcs they have. amount is zero before and after."""
    cdef index_t head = 0, tail = 1, u, v
    cdef offset_t a, n = 0
    cdef value_t each, since
    s.line[0] = source
    s.amount[source] = 1
    s.far[source] = 0
    while head < tail:
        u = s.line[head]
        head += 1
        if u == s.root:
            break
        each = s.amount[u] / _width(g, s, u)
        since = s.far[u] + (g.node_latency[u] if u != source else 0)
        for a in range(g.indptr[u], g.indptr[u + 1]):
            if not _leads(g, s, u, a):
                continue
            v = g.heads[a]
            if s.amount[v] == 0:
                s.line[tail] = v
                tail += 1
                s.far[v] = 0
            s.amount[v] += each * g.weight[a]
            s.far[v] = max(s.far[v], since + g.latency[a])
            if out.arc != NULL:
                out.arc[n] = <index_t> a
                out.share[n] = each * g.weight[a]
            n += 1
    if out.arc != NULL:
        out.seconds[0] = s.far[s.root]
    for head in range(tail):
        s.amount[s.line[head]] = 0
    return n


cdef offset_t _single(const Graph *g, Search *s, index_t source, int pick, word_t key, Out *out) noexcept nogil:
    """One shortest path from a source; how many arcs it has."""
    cdef index_t u = source
    cdef offset_t a, n = s.dist[source], step
    cdef value_t where, seconds = 0
    if out.arc == NULL:
        return n
    for step in range(n):
        if pick == MODULO:
            where = <value_t> (key % <word_t> _width(g, s, u))
        else:                                           # 53 bits, so that it stays below the width
            where = <value_t> (_mix(key + _mix(<word_t> step)) >> 11) * UNIT * _width(g, s, u)
        for a in range(g.indptr[u], g.indptr[u + 1]):
            if _leads(g, s, u, a):
                out.arc[step] = <index_t> a             # the last that leads, should rounding pass it by
                if where < g.weight[a]:
                    break
                where -= g.weight[a]
        a = out.arc[step]
        seconds += g.latency[a] + (g.node_latency[u] if u != source else 0)
        u = g.heads[a]
    out.seconds[0] = seconds
    return n


cdef offset_t _pair(
    const Graph *g, Search *s, index_t source, index_t target, int pick, word_t key, Out *out
) noexcept nogil:
    """The arcs from a source to a target that is the root, or hangs on it; -1 if no path leads there."""
    cdef offset_t n, last
    if source == target:
        if out.arc != NULL:
            out.seconds[0] = 0
        return 0
    if s.dist[source] < 0:
        return -1
    n = _split(g, s, source, out) if pick == SPLIT else _single(g, s, source, pick, key, out)
    if target == s.root:
        return n
    if out.arc != NULL:
        last = g.twin[g.indptr[target]]
        out.arc[n] = <index_t> last
        if pick == SPLIT:
            out.share[n] = 1
        out.seconds[0] += g.latency[last] + (g.node_latency[s.root] if source != s.root else 0)
    return n + 1


def shortest_routes(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const value_t[::1] weight,
    const index_t[::1] twin,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] source,
    const index_t[::1] target,
    const word_t[::1] key=None,
    str pick="split",
    int threads=0,
):
    """Arcs of the shortest paths of pairs, with shares if they split: ptr, arc, share, seconds, missing.

    See ``_routes.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a ring of 4: both ways round from 0 to 2
    >>> i, f = np.int32, np.zeros(8)
    >>> ring = np.array([0, 2, 4, 6, 8]), np.array([1, 3, 0, 2, 1, 3, 0, 2], i)
    >>> twin = np.array([2, 6, 0, 4, 3, 7, 1, 5], i)
    >>> args = np.ones(8), twin, np.ones(4, np.uint8), f, f[:4], np.array([0], i), np.array([2], i)
    >>> shortest_routes(*ring, *args)[1:3]
    (array([0, 1, 3, 7], dtype=int32), array([0.5, 0.5, 0.5, 0.5]))
    """
    cdef offset_t V = indptr.shape[0] - 1, P = source.shape[0]
    _checks.check_network(*map(np.asarray, (indptr, indices, weight, twin, forwards, latency, node_latency)))
    _checks.check_range("source", np.asarray(source), V)
    _checks.check_length(P, target=target)
    _checks.check_range("target", np.asarray(target), V)
    _checks.check_threads(threads)
    if pick not in PICKS:
        raise ValueError(f"pick must be one of {', '.join(PICKS)}, got {pick!r}")
    if pick != "split":
        if key is None:
            raise ValueError(f"key must be given for pick {pick!r}")
        _checks.check_length(P, key=key)

    goal = np.asarray(target)
    first = np.asarray(indptr)[:V][goal]
    home = np.asarray(indices)[np.minimum(first, len(indices) - 1)] if len(indices) else goal
    hangs = (np.diff(indptr)[goal] == 1) & (np.asarray(forwards)[home] != 0)
    at = np.where(hangs, home, goal).astype(np.int32)   # targets that hang on one node share its search
    by_root = np.argsort(at, kind="stable")
    _, begins = np.unique(at[by_root], return_index=True)
    cdef const offset_t[::1] order = by_root
    cdef const offset_t[::1] root_ptr = np.append(begins, P)
    cdef const index_t[::1] root = at
    cdef offset_t roots = root_ptr.shape[0] - 1, blocks = min(<offset_t> BLOCKS, roots), b, lo, hi
    cdef int team = thread_count(threads), how = PICKS[pick]

    cdef Graph g
    g.indptr, g.heads, g.weight = &indptr[0], &indices[0] if len(indices) else NULL, &weight[0] if len(weight) else NULL
    g.twin, g.forwards = &twin[0] if len(twin) else NULL, &forwards[0] if V else NULL
    g.latency, g.node_latency = &latency[0] if len(latency) else NULL, &node_latency[0] if V else NULL
    cdef index_t[:, :, ::1] ints = np.empty((blocks, 3, V), np.int32)
    cdef value_t[:, :, ::1] values = np.zeros((blocks, 2, V))
    cdef offset_t[::1] ptr = np.zeros(P + 1, np.int64)
    cdef index_t[::1] arc = np.empty(1, np.int32)
    cdef value_t[::1] share = np.empty(1)
    cdef value_t[::1] seconds = np.empty(P + 1)
    cdef offset_t chunk = max(BLOCKS, CHUNK // max(V + len(indices), 1))
    cdef bint counting
    for counting in (True, False):
        if not counting:
            missing = np.flatnonzero(np.asarray(ptr) < 0)
            if missing.size:
                return np.zeros(1, np.int64), np.empty(0, np.int32), None, np.empty(0), int(missing[0]) - 1
            np.cumsum(ptr, out=np.asarray(ptr))
            arc = np.empty(ptr[P] + 1, np.int32)
            share = np.empty(ptr[P] + 1 if how == SPLIT else 1)
        for lo in range(0, roots, chunk):
            hi = min(lo + chunk, roots)
            for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
                _block(&g, V, lo + block_start(b, blocks, hi - lo), lo + block_start(b + 1, blocks, hi - lo),
                       counting, how, order, root_ptr, root, source, target, key, ints[b], values[b],
                       ptr, arc, share, seconds)
            PyErr_CheckSignals()
    return (
        np.asarray(ptr),
        np.asarray(arc)[:ptr[P]],
        np.asarray(share)[:ptr[P]] if how == SPLIT else None,
        np.asarray(seconds)[:P],
        -1,
    )


cdef void _block(
    const Graph *g,
    offset_t nodes,
    offset_t first,
    offset_t last,
    bint counting,
    int pick,
    const offset_t[::1] order,
    const offset_t[::1] root_ptr,
    const index_t[::1] root,
    const index_t[::1] source,
    const index_t[::1] target,
    const word_t[::1] key,
    index_t[:, ::1] ints,
    value_t[:, ::1] values,
    offset_t[::1] ptr,
    index_t[::1] arc,
    value_t[::1] share,
    value_t[::1] seconds,
) noexcept nogil:
    """Count, or write, the arcs of the pairs of some roots."""
    cdef Search s
    cdef Out out
    cdef offset_t i, j, q
    s.dist, s.queue, s.line = &ints[0, 0], &ints[1, 0], &ints[2, 0]
    s.amount, s.far = &values[0, 0], &values[1, 0]
    for i in range(first, last):
        s.root = root[order[root_ptr[i]]]
        _search(g, &s, nodes)
        for j in range(root_ptr[i], root_ptr[i + 1]):
            q = order[j]
            out.arc = NULL if counting else &arc[ptr[q]]
            out.share = NULL if counting or pick != SPLIT else &share[ptr[q]]
            out.seconds = &seconds[q]
            if counting:
                ptr[q + 1] = _pair(g, &s, source[q], target[q], pick, 0, &out)
            else:
                _pair(g, &s, source[q], target[q], pick, 0 if pick == SPLIT else key[q], &out)
