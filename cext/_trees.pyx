"""Link loads where every flow keeps to one shortest path: chosen by its destination, or by a hash of its own."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks

from cext._demands cimport Demand, Network, Search, forget, gather, look, read_demand, read_network
from cext._draws cimport mixed, scattered
from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t, word_t

cdef enum:
    SPARSE = 16  # a demand of fewer flows than 1/16 of the nodes is walked flow by flow
    VISITS = 40_000_000  # arcs that a block may look at before a signal is heard, 1/8 where each is drawn for


cdef struct Choice:             # which of its next hops a node takes
    bint hashed
    const index_t *divisor      # without hashing: hop number key / divisor mod next hops
    const index_t *keys
    const value_t *sizes        # bytes of a flow
    word_t seed


cdef struct Work:
    index_t *start              # where the next hops of a node stand in hops, -1 where they are not listed
    index_t *hops
    index_t filled
    offset_t *counts
    value_t *far                # longest time since any source, -1 before any
    value_t *loads
    value_t slowest


cdef inline index_t _list_hops(const Network *n, const Search *s, Work *w, index_t v) noexcept nogil:
    """List the links from v that shorten the way, once a search, from hops[start[v]] on; return how many, which stands
    before them."""
    cdef index_t nearer = s.dist[v] - 1, place
    cdef index_t *hops = w.hops
    cdef const index_t *via = s.via
    cdef offset_t a
    if w.start[v] < 0:
        place = w.filled + 1
        w.start[v] = place
        for a in range(n.indptr[v], n.indptr[v + 1]):
            hops[place] = <index_t> a
            place += via[n.heads[a]] == nearer
        hops[w.start[v] - 1] = place - w.start[v]
        w.filled = place
    return w.hops[w.start[v] - 1]


cdef void _walk(
    const Network *n, const Search *s, const Choice *c, Work *w, index_t source, index_t key, word_t state,
    value_t bytes,
) noexcept nogil:
    """Carry one flow from a source to the root."""
    cdef index_t v = source, link, number, j
    cdef value_t seconds = 0
    while v != s.root:
        number = _list_hops(n, s, w, v)
        j = key // c.divisor[w.hops[w.start[v]]] % number
        if c.hashed:
            state = mixed(state, <word_t> v)
            scattered(state, 1, number, w.counts)
            j = 0
            while w.counts[j] == 0:
                j += 1
            w.counts[j] = 0
        link = w.hops[w.start[v] + j]
        w.loads[link] += bytes
        seconds += n.latency[link] + (n.node_latency[v] if v != source else 0)
        v = n.heads[link]
    w.slowest = max(w.slowest, seconds)


cdef void _push(
    const Network *n, Search *s, const Choice *c, Work *w, index_t key, word_t state, value_t size
) noexcept nogil:
    """Carry the amounts to the root, farthest node first."""
    cdef index_t position, v, u, link, number, j, first, last
    cdef value_t moved, since
    cdef bint hashed = c.hashed
    cdef const index_t *hops
    cdef value_t *amount = s.amount
    cdef value_t *far = w.far
    cdef value_t *loads = w.loads
    for position in range(s.reached - 1, 0, -1):
        v = s.queue[position]
        if amount[v] == 0:
            continue
        number = _list_hops(n, s, w, v)
        hops = &w.hops[w.start[v]]
        since = far[v] + n.node_latency[v] if far[v] >= 0 else 0
        first = key // c.divisor[hops[0]] % number
        last = first + 1
        if hashed:
            scattered(mixed(state, <word_t> v), <offset_t> amount[v], number, w.counts)
            first, last = 0, number
        for j in range(first, last):
            moved = amount[v]
            if hashed:
                moved = <value_t> w.counts[j]
                w.counts[j] = 0
                if moved == 0:
                    continue
            link = hops[j]
            u = n.heads[link]
            loads[link] += moved * size
            amount[u] += moved
            far[u] = max(far[u], since + n.latency[link])
        amount[v] = 0
        far[v] = -1
    w.slowest = max(w.slowest, far[s.root])
    amount[s.root] = 0
    far[s.root] = -1


cdef void _route(
    const Network *n, const Demand *x, Search *s, const Choice *c, Work *w, offset_t item
) noexcept nogil:
    """Route one item of the demand: flow by flow where they are few, else all at once."""
    cdef value_t total = gather(x, s, item)
    cdef word_t stream = mixed(c.seed, <word_t> item)
    cdef index_t j, v
    cdef offset_t flow
    if SPARSE * (total if c.hashed else s.count) >= s.reached:
        if s.count:
            _push(n, s, c, w, c.keys[item], stream, c.sizes[item])
        return
    for j in range(s.count):
        v = s.sources[j]
        for flow in range(<offset_t> s.amount[v] if c.hashed else 1):
            _walk(n, s, c, w, v, c.keys[item], mixed(mixed(stream, <word_t> v), <word_t> flow),
                  c.sizes[item] if c.hashed else s.amount[v])
        s.amount[v] = 0


cdef void _run(
    const Network *n, const Demand *x, Search *s, const Choice *c, Work *w, offset_t first, offset_t last
) noexcept nogil:
    """Route the items first to last - 1, with one search for every run of equal destinations."""
    cdef offset_t i = first, end
    cdef index_t j
    while i < last:
        end = i + 1
        while end < last and x.destination[end] == x.destination[i]:
            end += 1
        look(n, x, s, i, end)
        w.filled = 0
        while i < end:
            _route(n, x, s, c, w, i)
            i += 1
        for j in range(s.reached):
            w.start[s.queue[j]] = -1
        forget(s)


cdef object _loads(const Network *n, const Demand *x, const Choice *c, int threads):
    """Loads of the links, the seconds of the slowest flow, and the first pair that no path serves."""
    cdef offset_t V = n.nodes, A = n.arcs, D = x.items
    cdef offset_t blocks = min(<offset_t> BLOCKS, D), most, degree = 0, begin, b, v
    cdef offset_t per_round = max(1, VISITS // (8 if c.hashed else 1) // (V + A + 1))
    for v in range(V):
        degree = max(degree, n.indptr[v + 1] - n.indptr[v])
    cdef index_t[:, :, ::1] marks = np.full((blocks, 4, V), -1, np.int32)
    cdef index_t[:, :, ::1] lists = np.empty((blocks, 2, V), np.int32)
    cdef index_t[:, ::1] hops = np.empty((blocks, A + V + 1), np.int32)
    cdef offset_t[:, ::1] counts = np.zeros((blocks, degree + 1), np.int64)
    cdef value_t[:, ::1] amount = np.zeros((blocks, V))
    cdef value_t[:, ::1] far = np.full((blocks, V), -1.0)
    cdef value_t[:, ::1] loads = np.zeros((blocks, A))
    cdef Search search[BLOCKS]
    cdef Work work[BLOCKS]
    cdef int team = thread_count(threads)
    for b in range(blocks):
        search[b] = Search(0, 0, &marks[b, 0, 0], &marks[b, 1, 0], &lists[b, 0, 0], &marks[b, 2, 0], &lists[b, 1, 0],
                           0, &amount[b, 0], -1, -1)
        work[b] = Work(&marks[b, 3, 0], &hops[b, 0], 0, &counts[b, 0], &far[b, 0], &loads[b, 0], 0)

    most = max((block_start(b + 1, blocks, D) - block_start(b, blocks, D) for b in range(blocks)), default=0)
    for begin in range(0, most, per_round):
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            _run(n, x, &search[b], c, &work[b],
                 min(block_start(b, blocks, D) + begin, block_start(b + 1, blocks, D)),
                 min(block_start(b, blocks, D) + begin + per_round, block_start(b + 1, blocks, D)))
        PyErr_CheckSignals()
    missing = next(((search[b].lost, search[b].lost_root) for b in range(blocks) if search[b].lost >= 0), (-1, -1))
    slowest = max((work[b].slowest for b in range(blocks)), default=0.0)
    return np.asarray(loads).sum(axis=0), float(slowest), np.array(missing, np.int32)


def single_path_loads(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] divisor,
    const index_t[::1] destinations,
    const index_t[::1] keys,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    int threads=0,
):
    """Loads of all links when each node takes next hop number key / divisor mod next hops: D-mod-K.

    See ``_trees.pyi`` for the shapes and the meaning of each array. Raises ValueError for a malformed one.

    >>> import numpy as np
    >>> i = np.int32                                # a square 0 1 3 2: from 0 to 3 by link 0 (over 1) or 1 (over 2)
    >>> heads, twin = np.array([1, 2, 0, 3, 0, 3, 1, 2], i), np.array([2, 4, 0, 6, 1, 7, 3, 5], i)
    >>> graph = np.array([0, 2, 4, 6, 8]), heads, twin, np.ones(4, np.uint8), np.zeros(8), np.zeros(4)
    >>> sources = np.array([0, 1]), np.array([0], i), np.array([3.0])
    >>> demand = np.array([0, 1]), np.array([0], i), np.ones(1), *sources
    >>> single_path_loads(*graph, np.ones(8, i), np.array([3], i), np.array([5], i), *demand)[0]
    array([0., 3., 0., 0., 0., 3., 0., 0.])
    """
    _check(
        map(np.asarray, (indptr, indices, twin, forwards, latency, node_latency)),
        map(np.asarray, (destinations, entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_amount)),
        threads,
    )
    _checks.check_length(destinations.shape[0], keys=np.asarray(keys))
    _checks.check_length(indices.shape[0], divisor=np.asarray(divisor))
    if (np.asarray(divisor) < 1).any():
        raise ValueError("divisor must be 1 or more")
    _checks.check_range("keys", np.asarray(keys), np.iinfo(np.int32).max)
    cdef Network network
    cdef Demand demand
    cdef const value_t[::1] sizes = np.ones(destinations.shape[0])
    cdef Choice choice = Choice(False, &divisor[0], &keys[0], &sizes[0], 0)
    read_network(&network, indptr, indices, forwards, latency, node_latency)
    read_demand(&demand, destinations, entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_amount)
    return _loads(&network, &demand, &choice, threads)


def hashed_loads(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] destinations,
    const value_t[::1] sizes,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_flows,
    object seed=0,
    int threads=0,
):
    """Loads of all links when every flow takes a random next hop at every node: what hashing its header comes to.

    See ``_trees.pyi`` for the shapes and the meaning of each array. Raises ValueError for a malformed one.

    >>> import numpy as np
    >>> i = np.int32                                # a square 0 1 3 2: from 0 to 3 by link 0 (over 1) or 1 (over 2)
    >>> heads, twin = np.array([1, 2, 0, 3, 0, 3, 1, 2], i), np.array([2, 4, 0, 6, 1, 7, 3, 5], i)
    >>> graph = np.array([0, 2, 4, 6, 8]), heads, twin, np.ones(4, np.uint8), np.zeros(8), np.zeros(4)
    >>> flows = np.array([0, 1]), np.array([0], i), np.array([1000.0])
    >>> demand = np.array([0, 1]), np.array([0], i), np.ones(1), *flows
    >>> loads = hashed_loads(*graph, np.array([3], i), np.ones(1), *demand)[0]
    >>> loads[0] + loads[1], bool(abs(loads[0] - 500) < 80)
    (np.float64(1000.0), True)
    """
    _check(
        map(np.asarray, (indptr, indices, twin, forwards, latency, node_latency)),
        map(np.asarray, (destinations, entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_flows)),
        threads,
    )
    _checks.check_length(destinations.shape[0], sizes=np.asarray(sizes))
    _checks.check_amounts(sizes=np.asarray(sizes))
    for name, flows in (("entry_scale", np.asarray(entry_scale)), ("list_flows", np.asarray(list_flows))):
        if (flows != np.rint(flows)).any():
            raise ValueError(f"{name} must be whole numbers: flows are not split")
    if np.sum(list_flows) * np.sum(entry_scale) >= 2.0**53:
        raise ValueError("list_flows and entry_scale must make fewer than 2^53 flows")
    cdef Network network
    cdef Demand demand
    cdef const index_t[::1] ones = np.ones(indices.shape[0], np.int32)
    cdef const index_t[::1] keys = np.zeros(destinations.shape[0], np.int32)
    cdef Choice choice = Choice(True, &ones[0], &keys[0], &sizes[0], <word_t> (int(seed) % 2**64))
    read_network(&network, indptr, indices, forwards, latency, node_latency)
    read_demand(&demand, destinations, entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_flows)
    return _loads(&network, &demand, &choice, threads)


def _check(network, demand, threads):
    """Raise ValueError unless the arrays form a symmetric graph and a demand on it."""
    indptr, indices, twin, forwards, latency, node_latency = network
    _checks.check_network(indptr, indices, np.ones(indices.size), twin, forwards, latency, node_latency)
    _checks.check_demand(*demand, nodes=indptr.size - 1)
    _checks.check_threads(threads)
