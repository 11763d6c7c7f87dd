"""Link loads where every flow keeps to one shortest path: chosen by its destination, or by a hash of its own."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks

from cext._draws cimport mixed, scattered
from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t, word_t

cdef enum:
    SPARSE = 16  # a demand of fewer flows than 1/16 of the nodes is walked flow by flow
    VISITS = 200_000_000  # arcs that a block may look at before a signal is heard


cdef index_t _mark(
    offset_t first_entry,
    offset_t last_entry,
    index_t stamp,
    const index_t[::1] entry_list,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    index_t[::1] wanted,
) noexcept nogil:
    """Stamp the sources of the entries as wanted; return how many there are."""
    cdef index_t count = 0, s
    cdef offset_t e, j
    for e in range(first_entry, last_entry):
        for j in range(list_ptr[entry_list[e]], list_ptr[entry_list[e] + 1]):
            s = list_source[j]
            if wanted[s] != stamp:
                wanted[s] = stamp
                count += 1
    return count


cdef index_t _search(
    index_t d,
    index_t missing,
    index_t stamp,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    const index_t[::1] wanted,
    index_t[::1] dist,
    index_t[::1] via,
    index_t[::1] queue,
) noexcept nogil:
    """Search breadth first from d until every wanted node is met; return how many nodes the queue holds.

    dist is in hops; via is dist where a path may go on, -1 elsewhere.
    """
    cdef index_t head = 0, tail = 1, u, v
    cdef offset_t a
    queue[0] = d
    dist[d] = via[d] = 0
    missing -= wanted[d] == stamp
    while head < tail and missing > 0:
        u = queue[head]
        head += 1
        if via[u] < 0:
            continue
        for a in range(indptr[u], indptr[u + 1]):
            v = indices[a]
            if dist[v] < 0:
                dist[v] = dist[u] + 1
                via[v] = dist[v] if forwards[v] else -1
                queue[tail] = v
                tail += 1
                missing -= wanted[v] == stamp
    return tail


cdef value_t _gather(
    index_t d,
    offset_t first_entry,
    offset_t last_entry,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    const index_t[::1] dist,
    value_t[::1] amount,
    index_t[::1] sources,
    index_t[::1] count,
    index_t[::1] unreachable,
) noexcept nogil:
    """Lay the demand towards d on its sources; return its sum. Note the first, and drop, what no path serves."""
    cdef index_t s
    cdef offset_t e, j
    cdef value_t demand, total = 0
    count[0] = 0
    for e in range(first_entry, last_entry):
        for j in range(list_ptr[entry_list[e]], list_ptr[entry_list[e] + 1]):
            s = list_source[j]
            demand = entry_scale[e] * list_amount[j]
            if s == d or demand == 0:
                continue
            if dist[s] < 0:
                if unreachable[0] < 0:
                    unreachable[0] = s
                    unreachable[1] = d
                continue
            if amount[s] == 0:
                sources[count[0]] = s
                count[0] += 1
            amount[s] += demand
            total += demand
    return total


cdef inline void _list_hops(
    index_t v,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] dist,
    const index_t[::1] via,
    index_t[::1] start,
    index_t[::1] hops,
    index_t[::1] filled,
) noexcept nogil:
    """List the links from v that shorten the way, once a search; they stand at hops[start[v]:start[v] + hops count],
    the count before them."""
    cdef index_t nearer = dist[v] - 1, place
    cdef offset_t a
    if start[v] >= 0:
        return
    place = filled[0] + 1
    start[v] = place
    for a in range(indptr[v], indptr[v + 1]):
        hops[place] = <index_t> a
        place += via[indices[a]] == nearer
    hops[start[v] - 1] = place - start[v]
    filled[0] = place


cdef value_t _walk(
    index_t s,
    index_t d,
    index_t key,
    word_t state,
    bint hashed,
    value_t bytes,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] divisor,
    const index_t[::1] dist,
    const index_t[::1] via,
    index_t[::1] start,
    index_t[::1] hops,
    index_t[::1] filled,
    offset_t[::1] counts,
    value_t[::1] loads,
) noexcept nogil:
    """Carry one flow from s to d; return the seconds on its way."""
    cdef index_t v = s, link, number, j
    cdef value_t seconds = 0
    while v != d:
        _list_hops(v, indptr, indices, dist, via, start, hops, filled)
        number = hops[start[v] - 1]
        j = key // divisor[hops[start[v]]] % number
        if hashed:
            state = mixed(state, <word_t> v)
            scattered(state, 1, number, &counts[0])
            j = 0
            while counts[j] == 0:
                j += 1
            counts[j] = 0
        link = hops[start[v] + j]
        loads[link] += bytes
        seconds += latency[link] + (node_latency[v] if v != s else 0)
        v = indices[link]
    return seconds


cdef value_t _push(
    index_t d,
    index_t key,
    word_t state,
    bint hashed,
    value_t size,
    index_t reached,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] divisor,
    const index_t[::1] dist,
    const index_t[::1] via,
    const index_t[::1] queue,
    index_t[::1] start,
    index_t[::1] hops,
    index_t[::1] filled,
    offset_t[::1] counts,
    value_t[::1] amount,
    value_t[::1] far,
    value_t[::1] loads,
) noexcept nogil:
    """Carry the amounts to d, farthest node first; return the seconds of the slowest.

    far is the longest time since any source, -1 before any.
    """
    cdef index_t position, v, u, link, number, j, first, last
    cdef value_t moved, since, slowest
    for position in range(reached - 1, 0, -1):
        v = queue[position]
        if amount[v] == 0:
            continue
        _list_hops(v, indptr, indices, dist, via, start, hops, filled)
        number = hops[start[v] - 1]
        since = far[v] + node_latency[v] if far[v] >= 0 else 0
        first = key // divisor[hops[start[v]]] % number
        last = first + 1
        if hashed:
            scattered(mixed(state, <word_t> v), <offset_t> amount[v], number, &counts[0])
            first, last = 0, number
        for j in range(first, last):
            moved = amount[v]
            if hashed:
                moved = <value_t> counts[j]
                counts[j] = 0
                if moved == 0:
                    continue
            link = hops[start[v] + j]
            u = indices[link]
            loads[link] += moved * size
            amount[u] += moved
            far[u] = max(far[u], since + latency[link])
        amount[v] = 0
        far[v] = -1
    slowest = far[d]
    amount[d] = 0
    far[d] = -1
    return slowest


cdef object _loads(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] divisor,
    const index_t[::1] destinations,
    const index_t[::1] keys,
    const value_t[::1] sizes,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    word_t seed,
    bint hashed,
    int threads,
):
    """One search for every run of equal destinations, one push (or some walks) for each of its demands."""
    cdef offset_t V = indptr.shape[0] - 1, A = indices.shape[0], D = destinations.shape[0]
    cdef offset_t blocks = min(<offset_t> BLOCKS, D), per_round = max(1, VISITS // (V + A + 1)), most, begin, b
    degree = int(np.diff(indptr).max(initial=0))
    cdef index_t[:, ::1] wanted = np.full((blocks, V), -1, np.int32)
    cdef index_t[:, ::1] dist = np.full((blocks, V), -1, np.int32)
    cdef index_t[:, ::1] via = np.full((blocks, V), -1, np.int32)
    cdef index_t[:, ::1] queue = np.empty((blocks, V), np.int32)
    cdef index_t[:, ::1] sources = np.empty((blocks, V), np.int32)
    cdef index_t[:, ::1] start = np.full((blocks, V), -1, np.int32)
    cdef index_t[:, ::1] hops = np.empty((blocks, A + V + 1), np.int32)
    cdef offset_t[:, ::1] counts = np.zeros((blocks, degree + 1), np.int64)
    cdef value_t[:, ::1] amount = np.zeros((blocks, V))
    cdef value_t[:, ::1] far = np.full((blocks, V), -1.0)
    cdef value_t[:, ::1] loads = np.zeros((blocks, A))
    cdef value_t[::1] slowest = np.zeros(blocks)
    cdef index_t[:, ::1] unreachable = np.full((blocks, 2), -1, np.int32)
    cdef index_t[:, ::1] state = np.zeros((blocks, 2), np.int32)  # how many sources; how much of hops is filled
    cdef int team = thread_count(threads)

    most = max((block_start(b + 1, blocks, D) - block_start(b, blocks, D) for b in range(blocks)), default=0)
    for begin in range(0, most, per_round):
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            _run(
                min(block_start(b, blocks, D) + begin, block_start(b + 1, blocks, D)),
                min(block_start(b, blocks, D) + begin + per_round, block_start(b + 1, blocks, D)),
                indptr, indices, forwards, latency, node_latency, divisor, destinations, keys, sizes,
                entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_amount, seed, hashed,
                wanted[b], dist[b], via[b], queue[b], sources[b], start[b], hops[b], counts[b], amount[b], far[b],
                loads[b], slowest[b:b + 1], unreachable[b], state[b, :1], state[b, 1:],
            )
        PyErr_CheckSignals()
    missing = next((pair for pair in np.asarray(unreachable) if pair[0] >= 0), [-1, -1])
    return np.asarray(loads).sum(axis=0), float(np.max(slowest, initial=0.0)), np.array(missing, np.int32)


cdef void _run(
    offset_t first,
    offset_t last,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] divisor,
    const index_t[::1] destinations,
    const index_t[::1] keys,
    const value_t[::1] sizes,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    word_t seed,
    bint hashed,
    index_t[::1] wanted,
    index_t[::1] dist,
    index_t[::1] via,
    index_t[::1] queue,
    index_t[::1] sources,
    index_t[::1] start,
    index_t[::1] hops,
    offset_t[::1] counts,
    value_t[::1] amount,
    value_t[::1] far,
    value_t[::1] loads,
    value_t[::1] slowest,
    index_t[::1] unreachable,
    index_t[::1] count,
    index_t[::1] filled,
) noexcept nogil:
    """Route the demands first to last - 1."""
    cdef offset_t i = first, end, flow
    cdef index_t d, reached, j, s
    cdef value_t total, seconds
    cdef word_t stream
    while i < last:
        d = destinations[i]
        end = i + 1
        while end < last and destinations[end] == d:
            end += 1
        reached = _mark(entry_ptr[i], entry_ptr[end], <index_t> i, entry_list, list_ptr, list_source, wanted)
        reached = _search(d, reached, <index_t> i, indptr, indices, forwards, wanted, dist, via, queue)
        filled[0] = 0
        while i < end:
            total = _gather(d, entry_ptr[i], entry_ptr[i + 1], entry_list, entry_scale, list_ptr, list_source,
                            list_amount, dist, amount, sources, count, unreachable)
            stream = mixed(seed, <word_t> i)
            if SPARSE * (total if hashed else count[0]) < reached:
                for j in range(count[0]):
                    s = sources[j]
                    for flow in range(<offset_t> amount[s] if hashed else 1):
                        seconds = _walk(s, d, keys[i], mixed(mixed(stream, <word_t> s), <word_t> flow), hashed,
                                        sizes[i] if hashed else amount[s], indptr, indices, latency, node_latency, divisor,
                                        dist, via, start, hops, filled, counts, loads)
                        slowest[0] = max(slowest[0], seconds)
                    amount[s] = 0
            elif count[0]:
                seconds = _push(d, keys[i], stream, hashed, sizes[i], reached, indptr, indices, latency, node_latency,
                                divisor, dist, via, queue, start, hops, filled, counts, amount, far, loads)
                slowest[0] = max(slowest[0], seconds)
            i += 1
        for j in range(reached):
            dist[queue[j]] = via[queue[j]] = start[queue[j]] = -1


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
    return _loads(indptr, indices, forwards, latency, node_latency, divisor, destinations, keys,
                  np.ones(destinations.shape[0]), entry_ptr, entry_list, entry_scale, list_ptr, list_source,
                  list_amount, 0, False, threads)


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
    return _loads(indptr, indices, forwards, latency, node_latency, np.ones(indices.shape[0], np.int32), destinations,
                  np.zeros(destinations.shape[0], np.int32), sizes, entry_ptr, entry_list, entry_scale, list_ptr,
                  list_source, list_flows, <word_t> (int(seed) % 2**64), True, threads)


def _check(network, demand, threads):
    """Raise ValueError unless the arrays form a symmetric graph and a demand on it."""
    indptr, indices, twin, forwards, latency, node_latency = network
    _checks.check_network(indptr, indices, np.ones(indices.size), twin, forwards, latency, node_latency)
    _checks.check_demand(*demand, nodes=indptr.size - 1)
    _checks.check_threads(threads)
