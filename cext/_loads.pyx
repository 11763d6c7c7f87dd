"""Link loads of a demand under a routing, by aggregation: one search a destination, never pair by pair."""

from time import monotonic

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks
from cext._lanes import lane_loads

from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t

cdef enum:
    VISITS_AT_ONCE = 1 << 28    # of arcs, at worst, between two looks for Ctrl-C
    MANY = 8    # destinations, and
    DENSE = 16  # sources of each, from which it pays to search from several at once


cdef index_t _gather(
    index_t d,
    offset_t first_entry,
    offset_t last_entry,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    value_t[::1] amount,
    index_t[::1] sources,
) noexcept nogil:
    """Lay the demand towards d on its sources; return how many there are."""
    cdef index_t count = 0, s
    cdef offset_t e, j
    cdef value_t demand
    for e in range(first_entry, last_entry):
        for j in range(list_ptr[entry_list[e]], list_ptr[entry_list[e] + 1]):
            s = list_source[j]
            demand = entry_scale[e] * list_amount[j]
            if s == d or demand == 0:
                continue
            if amount[s] == 0:
                sources[count] = s
                count += 1
            amount[s] += demand
    return count


cdef index_t _search(
    index_t d,
    index_t wanted,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    const value_t[::1] amount,
    index_t[::1] dist,
    index_t[::1] via,
    index_t[::1] queue,
) noexcept nogil:
    """Search breadth first from d until every source is met; return how many nodes the queue holds.

    dist is in hops; via is dist where a path may go on, -1 elsewhere.
    """
    cdef index_t head = 0, tail = 1, u, v
    cdef offset_t a
    queue[0] = d
    dist[d] = via[d] = 0
    while head < tail:
        u = queue[head]
        head += 1
        if via[u] < 0:
            continue
        for a in range(indptr[u], indptr[u + 1]):
            v = indices[a]
            if dist[v] >= 0:
                continue
            dist[v] = dist[u] + 1
            via[v] = dist[v] if forwards[v] else -1
            queue[tail] = v
            tail += 1
            if amount[v] != 0:
                wanted -= 1
                if wanted == 0:
                    return tail
    return tail


cdef void _account(
    index_t d,
    index_t count,
    const index_t[::1] sources,
    const index_t[::1] dist,
    value_t[::1] amount,
    value_t[::1] total,
    index_t[::1] unreachable,
) noexcept nogil:
    """Add the demand and its hops to total, note the most hops; drop, and note the first, what no path serves."""
    cdef index_t j, s
    for j in range(count):
        s = sources[j]
        if dist[s] >= 0:
            total[0] += amount[s]
            total[1] += amount[s] * dist[s]
            total[2] = max(total[2], <value_t> dist[s])
            continue
        amount[s] = 0
        if unreachable[0] < 0:
            unreachable[0] = s
            unreachable[1] = d


cdef void _push(
    index_t d,
    index_t reached,
    bint timed,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const value_t[::1] weight,
    const flag_t[::1] even,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] dist,
    const index_t[::1] via,
    const index_t[::1] queue,
    index_t[::1] hops,
    index_t[::1] heads,
    value_t[::1] amount,
    value_t[::1] far,
    value_t[::1] loads,
) noexcept nogil:
    """Carry the amounts to d, farthest node first.

    even says that all arcs of a node weigh the same; far is the longest time since any source, -1 before any.
    """
    cdef index_t position, v, u, nearer, n, j
    cdef offset_t a
    cdef value_t width, share, since, arrival
    for position in range(reached - 1, 0, -1):
        v = queue[position]
        if amount[v] == 0:
            continue

        nearer = dist[v] - 1
        n = 0
        for a in range(indptr[v], indptr[v + 1]):
            hops[n] = <index_t> a
            heads[n] = u = indices[a]
            n += via[u] == nearer

        if even[v]:
            share = amount[v] / n
            for j in range(n):
                loads[hops[j]] += share
                amount[heads[j]] += share
        else:
            width = 0
            for j in range(n):
                width += weight[hops[j]]
            share = amount[v] / width
            for j in range(n):
                loads[hops[j]] += share * weight[hops[j]]
                amount[heads[j]] += share * weight[hops[j]]
        amount[v] = 0

        if timed:
            since = far[v] + node_latency[v] if far[v] >= 0 else 0
            for j in range(n):
                u = heads[j]
                arrival = since + latency[hops[j]]
                if far[u] < arrival:
                    far[u] = arrival


cdef void _forget(
    index_t reached,
    const index_t[::1] queue,
    index_t[::1] dist,
    index_t[::1] via,
    value_t[::1] far,
) noexcept nogil:
    """Clear what a search and its push have marked, and no more."""
    cdef index_t j
    for j in range(reached):
        dist[queue[j]] = via[queue[j]] = -1
        far[queue[j]] = -1


def ecmp_loads(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const value_t[::1] weight,
    const index_t[::1] twin,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    const index_t[::1] destinations,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    int threads=0,
):
    """Loads of all arcs when every node splits over its next hops on shortest paths, by weight.

    See ``_loads.pyi`` for the shapes and the meaning of each array. Raises ValueError for a malformed one.

    >>> import numpy as np
    >>> i = np.int32                                    # two nodes, an arc each way, 3 units from 0 to 1
    >>> twin = np.array([1, 0], i)
    >>> graph = np.array([0, 1, 2]), np.array([1, 0], i), np.ones(2), twin, np.ones(2, np.uint8)
    >>> sources = np.array([0, 1]), np.array([0], i), np.array([3.0])
    >>> demand = np.array([0, 1]), np.array([0], i), np.ones(1), *sources
    >>> ecmp_loads(*graph, np.full(2, 5e-7), np.zeros(2), np.array([1], i), *demand)
    (array([3., 0.]), 5e-07, 1.0, array([-1, -1], dtype=int32))
    """
    cdef offset_t V = indptr.shape[0] - 1, A = indices.shape[0], D = destinations.shape[0]
    _checks.check_network(*map(np.asarray, (indptr, indices, weight, twin, forwards, latency, node_latency)))
    demand = list(map(np.asarray, (destinations, entry_ptr, entry_list, entry_scale,
                                   list_ptr, list_source, list_amount)))
    _checks.check_demand(*demand, nodes=V)
    _checks.check_threads(threads)

    crossed = np.asarray(node_latency)[np.asarray(forwards) != 0]
    alike = A == 0 or (np.ptp(latency) == 0 and (crossed.size == 0 or np.ptp(crossed) == 0))
    even = _even(np.asarray(indptr), np.asarray(weight))
    found = None
    if D >= MANY and A and np.diff(list_ptr)[np.asarray(entry_list)].sum() >= DENSE * D:
        back = None if even.all() else np.where(even[np.asarray(indices)], 1.0, np.asarray(weight)[np.asarray(twin)])
        back_latency = None if alike else np.asarray(latency)[np.asarray(twin)]
        found = lane_loads(indptr, indices, back, forwards, back_latency, node_latency, *demand, threads)
    if found is None:
        loads, sums = _by_destination(indptr, indices, weight, even, forwards, latency, node_latency, not alike,
                                      *demand, threads)
    else:
        loads, sums = found[0][np.asarray(twin)], found[1]

    hops = max((s["hops"] for s in sums), default=0)
    slowest = max((s["seconds"] for s in sums), default=0.0)
    if alike and hops:
        slowest = float(hops * latency[0] + (hops - 1) * (crossed[0] if crossed.size else 0.0))
    amount = sum(s["amount"] for s in sums)
    missing = next(((s["source"], s["target"]) for s in sums if s["source"] >= 0), (-1, -1))
    mean_hops = sum(s["amount_hops"] for s in sums) / amount if amount else 0.0
    return loads, slowest, mean_hops, np.array(missing, np.int32)


def _by_destination(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const value_t[::1] weight,
    const flag_t[::1] even,
    const flag_t[::1] forwards,
    const value_t[::1] latency,
    const value_t[::1] node_latency,
    bint timed,
    const index_t[::1] destinations,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    int threads,
):
    """Loads of arcs and their sums by block, one search a destination."""
    cdef offset_t V = indptr.shape[0] - 1, D = destinations.shape[0]
    cdef offset_t blocks = min(<offset_t> BLOCKS, D), b, i, done = 0, at_once = 1, first, last
    cdef int team = thread_count(threads)
    degree = int(np.diff(indptr).max(initial=0))
    cdef index_t[:, ::1] dist = np.full((blocks, V), -1, np.int32)
    cdef index_t[:, ::1] via = np.full((blocks, V), -1, np.int32)
    cdef index_t[:, ::1] queue = np.empty((blocks, V), np.int32)
    cdef index_t[:, ::1] sources = np.empty((blocks, V), np.int32)
    cdef index_t[:, ::1] hops = np.empty((blocks, degree + 1), np.int32)
    cdef index_t[:, ::1] heads = np.empty((blocks, degree + 1), np.int32)
    cdef value_t[:, ::1] amount = np.zeros((blocks, V))
    cdef value_t[:, ::1] far = np.full((blocks, V), -1.0)
    cdef value_t[:, ::1] loads = np.zeros((blocks, indices.shape[0]))
    cdef value_t[:, ::1] total = np.zeros((blocks, 3))
    cdef value_t[::1] slowest = np.zeros(blocks)
    cdef index_t[:, ::1] unreachable = np.full((blocks, 2), -1, np.int32)
    cdef index_t d, count, reached

    while done * blocks < D + blocks:
        PyErr_CheckSignals()
        began = monotonic()
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            first = block_start(b, blocks, D) + done
            last = min(first + at_once, block_start(b + 1, blocks, D))
            for i in range(first, last):
                d = destinations[i]
                count = _gather(d, entry_ptr[i], entry_ptr[i + 1], entry_list, entry_scale,
                                list_ptr, list_source, list_amount, amount[b], sources[b])
                if count == 0:
                    continue
                reached = _search(d, count, indptr, indices, forwards, amount[b], dist[b], via[b], queue[b])
                _account(d, count, sources[b], dist[b], amount[b], total[b], unreachable[b])
                _push(d, reached, timed, indptr, indices, weight, even, latency, node_latency,
                      dist[b], via[b], queue[b], hops[b], heads[b], amount[b], far[b], loads[b])
                slowest[b] = max(slowest[b], far[b, d])
                amount[b, d] = 0
                _forget(reached, queue[b], dist[b], via[b], far[b])
        done += at_once
        if monotonic() - began < 0.25:
            at_once = min(2 * at_once, max(VISITS_AT_ONCE // (blocks * (V + indices.shape[0])), 1))
    sums = [
        {
            "amount": total[b, 0], "amount_hops": total[b, 1], "hops": int(total[b, 2]), "seconds": slowest[b],
            "source": unreachable[b, 0], "target": unreachable[b, 1],
        }
        for b in range(blocks)
    ]
    return np.asarray(loads).sum(axis=0), sums


def _even(indptr, weight):
    """Say of every node whether all its arcs weigh the same, uint8[V]."""
    degrees = np.diff(indptr)
    first = np.repeat(indptr[:degrees.size], degrees)
    uneven = np.repeat(np.arange(degrees.size), degrees)[weight != weight[first]]
    even = np.ones(degrees.size, np.uint8)
    even[uneven] = 0
    return even
