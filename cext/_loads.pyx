"""Link loads of a demand under a routing, by aggregation: one search a destination, never pair by pair."""

from time import monotonic

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks
from cext._lanes import lane_loads

from cext._demands cimport Demand, Network, Search, forget, gather, look, read_demand, read_network
from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t

cdef enum:
    VISITS_AT_ONCE = 1 << 28    # of arcs, at worst, between two looks for Ctrl-C
    MANY = 8    # destinations, and
    DENSE = 16  # sources of each, from which it pays to search from several at once


cdef struct Sums:
    value_t amount
    value_t amount_hops
    index_t hops                # the most
    value_t seconds             # the most


cdef struct Split:              # how nodes split what they send
    const value_t *weight
    const flag_t *even          # all arcs of a node weigh the same
    bint timed
    index_t *hops               # the arcs of one node, those that shorten the way first, and their heads
    index_t *heads
    value_t *far                # longest time since any source, -1 before any
    value_t *loads
    Sums sums


cdef void _account(const Search *s, Sums *sums) noexcept nogil:
    """Add the demand and its hops, note the most hops."""
    cdef index_t j, v
    for j in range(s.count):
        v = s.sources[j]
        sums.amount += s.amount[v]
        sums.amount_hops += s.amount[v] * s.dist[v]
        sums.hops = max(sums.hops, s.dist[v])


cdef void _push(const Network *n, Search *s, Split *x) noexcept nogil:
    """Carry the amounts to the root, farthest node first."""
    cdef index_t position, v, u, nearer, count, j
    cdef offset_t a
    cdef value_t width, share, since, arrival
    for position in range(s.reached - 1, 0, -1):
        v = s.queue[position]
        if s.amount[v] == 0:
            continue

        nearer = s.dist[v] - 1
        count = 0
        for a in range(n.indptr[v], n.indptr[v + 1]):
            x.hops[count] = <index_t> a
            x.heads[count] = u = n.heads[a]
            count += s.via[u] == nearer

        if x.even[v]:
            share = s.amount[v] / count
            for j in range(count):
                x.loads[x.hops[j]] += share
                s.amount[x.heads[j]] += share
        else:
            width = 0
            for j in range(count):
                width += x.weight[x.hops[j]]
            share = s.amount[v] / width
            for j in range(count):
                x.loads[x.hops[j]] += share * x.weight[x.hops[j]]
                s.amount[x.heads[j]] += share * x.weight[x.hops[j]]
        s.amount[v] = 0

        if x.timed:
            since = x.far[v] + n.node_latency[v] if x.far[v] >= 0 else 0
            for j in range(count):
                u = x.heads[j]
                arrival = since + n.latency[x.hops[j]]
                if x.far[u] < arrival:
                    x.far[u] = arrival
            x.far[v] = -1
    x.sums.seconds = max(x.sums.seconds, x.far[s.root])
    x.far[s.root] = -1
    s.amount[s.root] = 0


cdef void _route(
    const Network *n, const Demand *x, Search *s, Split *how, offset_t first, offset_t last
) noexcept nogil:
    """Route some items of the demand, one search each."""
    cdef offset_t i
    for i in range(first, last):
        if x.entry_ptr[i] == x.entry_ptr[i + 1]:
            continue
        look(n, x, s, i, i + 1)
        gather(x, s, i)
        _account(s, &how.sums)
        _push(n, s, how)
        forget(s)


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
    cdef Network network
    cdef Demand demand
    read_network(&network, indptr, indices, forwards, latency, node_latency)
    read_demand(&demand, destinations, entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_amount)
    cdef offset_t V = network.nodes, D = demand.items
    cdef offset_t blocks = min(<offset_t> BLOCKS, D), b, done = 0, at_once = 1
    cdef int team = thread_count(threads)
    degree = int(np.diff(indptr).max(initial=0))
    cdef index_t[:, :, ::1] marks = np.full((blocks, 3, V), -1, np.int32)
    cdef index_t[:, :, ::1] lists = np.empty((blocks, 2, V), np.int32)
    cdef index_t[:, :, ::1] hops = np.empty((blocks, 2, degree + 1), np.int32)
    cdef value_t[:, ::1] amount = np.zeros((blocks, V))
    cdef value_t[:, ::1] far = np.full((blocks, V), -1.0)
    cdef value_t[:, ::1] loads = np.zeros((blocks, network.arcs))
    cdef Search search[BLOCKS]
    cdef Split split[BLOCKS]
    for b in range(blocks):
        search[b] = Search(0, 0, &marks[b, 0, 0], &marks[b, 1, 0], &lists[b, 0, 0], &marks[b, 2, 0], &lists[b, 1, 0],
                           0, &amount[b, 0], -1, -1)
        split[b] = Split(&weight[0], &even[0], timed, &hops[b, 0, 0], &hops[b, 1, 0], &far[b, 0], &loads[b, 0],
                         Sums(0, 0, 0, 0))

    while done * blocks < D + blocks:
        PyErr_CheckSignals()
        began = monotonic()
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            _route(&network, &demand, &search[b], &split[b], block_start(b, blocks, D) + done,
                   min(block_start(b, blocks, D) + done + at_once, block_start(b + 1, blocks, D)))
        done += at_once
        if monotonic() - began < 0.25:
            at_once = min(2 * at_once, max(VISITS_AT_ONCE // (blocks * (V + network.arcs)), 1))
    sums = [{**split[b].sums, "source": search[b].lost, "target": search[b].lost_root} for b in range(blocks)]
    return np.asarray(loads).sum(axis=0), sums


def _even(indptr, weight):
    """Say of every node whether all its arcs weigh the same, uint8[V]."""
    degrees = np.diff(indptr)
    first = np.repeat(indptr[:degrees.size], degrees)
    uneven = np.repeat(np.arange(degrees.size), degrees)[weight != weight[first]]
    even = np.ones(degrees.size, np.uint8)
    even[uneven] = 0
    return even
