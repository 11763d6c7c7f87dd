"""Link loads towards eight destinations at once: in a hierarchical graph neighbours take the same steps."""

from time import monotonic

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange, threadid

from cext._demands cimport Demand, read_demand
from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t

cdef enum:
    LANES = 8       # destinations that share a search, a bit of flag_t each
    VISITS_AT_ONCE = 1 << 27    # of arcs, at worst, between two looks for Ctrl-C
    ENTRIES = 4     # times V: with more entries the lanes have too little in common


cdef struct Graph:
    offset_t nodes
    const offset_t* indptr
    const index_t* heads
    const value_t* back             # weight of the reverse of each arc; NULL if all of a node's arcs weigh the same
    const flag_t* forwards
    const value_t* back_latency     # seconds on the reverse of each arc; NULL if nobody asks
    const value_t* node_latency


cdef struct Lanes:
    flag_t* seen            # V: lanes whose search has met a node
    flag_t* fresh           # V: lanes that meet it in this step; later, for which it is one hop further than another
    flag_t* sources         # V: lanes for which it is a source
    index_t* queue          # node of each entry; a node has one for each distance
    flag_t* mask            # lanes of each entry
    index_t* level          # V + 3: the first entry of each distance
    value_t* amount         # V x 8: what starts at a node
    value_t* width          # V x 8: weight of its next hops
    value_t* share          # V x 8: what it sends over a next hop of weight 1
    value_t* shares         # V: the sum of those over lanes
    value_t* time           # V x 8: seconds to the destination on the slowest path


cdef struct Sums:
    value_t amount
    value_t amount_hops
    index_t hops            # the most
    value_t seconds         # the most
    index_t source          # of the first demand without a path, or -1
    index_t target

cdef extern from * nogil:
    """
    typedef double eight __attribute__((vector_size(64), aligned(8), may_alias));
    static inline void add_eight(double *to, const double *terms) { *(eight *) to += *(const eight *) terms; }
    static inline void add_scaled(double *to, double scale, const double *terms) {
        *(eight *) to += scale * *(const eight *) terms;
    }
    static inline void add_some(double *to, const double *which, double scale, const double *terms) {
        *(eight *) to += *(const eight *) which * (scale * *(const eight *) terms);
    }
    """
    int popcount "__builtin_popcount"(unsigned int word)
    void add_eight(value_t* to, const value_t* terms)
    void add_scaled(value_t* to, value_t scale, const value_t* terms)
    void add_some(value_t* to, const value_t* which, value_t scale, const value_t* terms)

cdef value_t BITS[256 * LANES]      # row m: 1.0 in the lanes of mask m

cdef int m, k
for m in range(256):
    for k in range(LANES):
        BITS[m * LANES + k] = m >> k & 1


cdef inline void _meet(
    Graph graph, Lanes lanes, index_t u, index_t v, offset_t a, flag_t mask, value_t crossing
) noexcept nogil:
    """The lanes of mask reach v over u: count the arc from v to u among v's next hops, and its time."""
    cdef value_t* time = &lanes.time[<offset_t> v * LANES]
    cdef const value_t* beyond = &lanes.time[<offset_t> u * LANES]
    cdef const value_t* bits = &BITS[<offset_t> mask * LANES]
    cdef value_t seconds
    cdef int l
    if graph.back == NULL:
        add_eight(&lanes.width[<offset_t> v * LANES], bits)
    else:
        add_scaled(&lanes.width[<offset_t> v * LANES], graph.back[a], bits)
    if graph.back_latency != NULL:
        for l in range(LANES):
            seconds = bits[l] * (beyond[l] + crossing + graph.back_latency[a])
            time[l] = seconds if seconds > time[l] else time[l]


cdef index_t _search(
    Graph graph, Lanes lanes, const index_t* destinations, int count, offset_t wanted
) noexcept nogil:
    """Search breadth first from some destinations until all sources are met; return the number of distances.

    The negative of that if the searches have so little in common that the queue would overflow.
    """
    cdef flag_t mask, fresh
    cdef index_t levels = 0, head = 0, tail = 0, end, p, u, v
    cdef offset_t a
    cdef value_t crossing
    cdef int l
    for l in range(count):
        v = destinations[l]
        lanes.seen[v] |= 1 << l
        lanes.queue[tail] = v
        lanes.mask[tail] = 1 << l
        tail += 1
    lanes.level[0] = 0
    while head < tail and wanted > 0:
        end = tail
        levels += 1
        lanes.level[levels] = end
        if end > ENTRIES * graph.nodes + LANES:
            return -levels
        for p in range(head, end):
            u = lanes.queue[p]
            mask = lanes.mask[p]
            if levels > 1 and not graph.forwards[u]:
                continue
            crossing = graph.node_latency[u] if levels > 1 else 0
            for a in range(graph.indptr[u], graph.indptr[u + 1]):
                v = graph.heads[a]
                fresh = mask & ~lanes.seen[v]
                if fresh:
                    if not lanes.fresh[v]:
                        lanes.queue[tail] = v
                        tail += 1
                    lanes.fresh[v] |= fresh
                    _meet(graph, lanes, u, v, a, fresh, crossing)
        for p in range(end, tail):
            v = lanes.queue[p]
            fresh = lanes.fresh[v]
            lanes.mask[p] = fresh
            lanes.seen[v] |= fresh
            lanes.fresh[v] = 0
            wanted -= popcount(fresh & lanes.sources[v])
        head = end
    levels += 1
    lanes.level[levels] = tail
    return levels


cdef inline void _collect(
    Graph graph, Lanes lanes, index_t u, flag_t mask, value_t* sent, value_t* loads, bint weighted
) noexcept nogil:
    """Take in what the nodes one hop further send over u."""
    cdef offset_t a
    cdef index_t v
    cdef flag_t here
    cdef value_t weight, load
    cdef const value_t* share
    cdef const value_t* bits
    cdef int l
    for a in range(graph.indptr[u], graph.indptr[u + 1]):
        v = graph.heads[a]
        here = mask & lanes.fresh[v]
        if not here:
            continue
        weight = graph.back[a] if weighted else 1.0
        share = &lanes.share[<offset_t> v * LANES]
        if here == 255:
            if weighted:
                add_scaled(sent, weight, share)
            else:
                add_eight(sent, share)
            loads[a] += weight * lanes.shares[v]
        else:
            load = 0
            bits = &BITS[<offset_t> here * LANES]
            add_some(sent, bits, weight, share)
            for l in range(LANES):
                load += bits[l] * share[l]
            loads[a] += weight * load


cdef void _carry(Graph graph, Lanes lanes, index_t levels, value_t* loads, Sums* sums) noexcept nogil:
    """Carry the amounts to their destinations, furthest nodes first; loads are of the reverses of arcs."""
    cdef index_t hops, p, u
    cdef flag_t mask
    cdef value_t sent[LANES]
    cdef value_t* share
    cdef value_t started, sum_of
    cdef offset_t at
    cdef int l
    for hops in range(levels - 1, -1, -1):
        for p in range(lanes.level[hops], lanes.level[hops + 1]):
            u = lanes.queue[p]
            mask = lanes.mask[p]
            at = <offset_t> u * LANES
            started = 0
            for l in range(LANES):
                sent[l] = BITS[<offset_t> mask * LANES + l] * lanes.amount[at + l]
                started += sent[l]
            if started > 0:
                sums.amount += started
                sums.amount_hops += started * hops
                sums.hops = max(sums.hops, hops)
                for l in range(LANES):
                    if sent[l] > 0:
                        sums.seconds = max(sums.seconds, lanes.time[at + l])
            if hops < levels - 1 and (hops == 0 or graph.forwards[u]):
                if graph.back == NULL:
                    _collect(graph, lanes, u, mask, sent, loads, False)
                else:
                    _collect(graph, lanes, u, mask, sent, loads, True)
            if hops > 0:
                for l in range(LANES):
                    if mask >> l & 1:
                        lanes.share[at + l] = sent[l] / lanes.width[at + l]

        if hops < levels - 1:
            for p in range(lanes.level[hops + 1], lanes.level[hops + 2]):
                lanes.fresh[lanes.queue[p]] = 0
        if hops > 0:
            for p in range(lanes.level[hops], lanes.level[hops + 1]):
                u = lanes.queue[p]
                mask = lanes.fresh[u] = lanes.mask[p]
                share = &lanes.share[<offset_t> u * LANES]
                sum_of = 0
                for l in range(LANES):
                    sum_of += BITS[<offset_t> mask * LANES + l] * share[l]
                lanes.shares[u] = sum_of


cdef void _forget(Lanes* lanes, index_t levels) noexcept nogil:
    """Clear what a search and its loads have marked, and no more."""
    cdef index_t p, v
    cdef offset_t at
    cdef int l
    for p in range(lanes.level[levels]):
        v = lanes.queue[p]
        lanes.seen[v] = 0
        at = <offset_t> v * LANES
        for l in range(LANES):
            lanes.width[at + l] = lanes.share[at + l] = lanes.time[at + l] = 0


cdef offset_t _gather(const Demand* demand, offset_t first, int count, Lanes* lanes) noexcept nogil:
    """Lay the demand towards some destinations on its sources; return how many there are, over all lanes."""
    cdef offset_t wanted = 0, e, j, k
    cdef index_t s
    cdef value_t amount
    cdef int l
    for l in range(count):
        for e in range(demand.entry_ptr[first + l], demand.entry_ptr[first + l + 1]):
            k = demand.entry_list[e]
            for j in range(demand.list_ptr[k], demand.list_ptr[k + 1]):
                s = demand.list_source[j]
                amount = demand.entry_scale[e] * demand.list_amount[j]
                if s == demand.destination[first + l] or amount == 0:
                    continue
                wanted += not lanes.sources[s] >> l & 1
                lanes.sources[s] |= 1 << l
                lanes.amount[<offset_t> s * LANES + l] += amount
    return wanted


cdef void _clear(const Demand* demand, offset_t first, int count, Lanes* lanes, Sums* sums) noexcept nogil:
    """Take the demand from its sources again, and note the first that no search has met."""
    cdef offset_t e, j, k
    cdef index_t s
    cdef int l
    for l in range(count):
        for e in range(demand.entry_ptr[first + l], demand.entry_ptr[first + l + 1]):
            k = demand.entry_list[e]
            for j in range(demand.list_ptr[k], demand.list_ptr[k + 1]):
                s = demand.list_source[j]
                if lanes.sources[s] >> l & 1 and not lanes.seen[s] >> l & 1 and sums.source < 0:
                    sums.source = s
                    sums.target = demand.destination[first + l]
                lanes.sources[s] &= ~(1 << l)
                lanes.amount[<offset_t> s * LANES + l] = 0


cdef void _route(
    const Graph* graph, const Demand* demand, offset_t first, int count, Lanes* lanes, value_t* loads, Sums* sums
) noexcept nogil:
    """Route the demand towards some destinations, together or, if they differ too much, one by one."""
    cdef offset_t wanted = _gather(demand, first, count, lanes)
    cdef index_t levels
    cdef int l
    cdef Sums ignored
    ignored.source = 0
    if wanted:
        levels = _search(graph[0], lanes[0], &demand.destination[first], count, wanted)
        if levels > 0:
            _carry(graph[0], lanes[0], levels, loads, sums)
            _clear(demand, first, count, lanes, sums)
            _forget(lanes, levels)
        else:
            _forget(lanes, -levels)
            _clear(demand, first, count, lanes, &ignored)
            for l in range(count):
                _route(graph, demand, first + l, 1, lanes, loads, sums)


def lane_loads(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    back,
    const flag_t[::1] forwards,
    back_latency,
    const value_t[::1] node_latency,
    const index_t[::1] destinations,
    const offset_t[::1] entry_ptr,
    const index_t[::1] entry_list,
    const value_t[::1] entry_scale,
    const offset_t[::1] list_ptr,
    const index_t[::1] list_source,
    const value_t[::1] list_amount,
    int threads,
):
    """Loads of the reverses of arcs, and their sums, by eight destinations at once; None where those differ too much.

    See ``_lanes.pyi``. For ``ecmp_loads``, which has checked all arrays.
    """
    cdef offset_t V = indptr.shape[0] - 1, D = destinations.shape[0], groups = (D + LANES - 1) // LANES
    cdef offset_t blocks = min(<offset_t> BLOCKS, groups), entries = (ENTRIES + 1) * V + LANES, b, g, at_once = 1
    cdef int team = min(thread_count(threads), <int> blocks), t
    cdef const value_t[::1] back_weight, back_seconds
    cdef Graph graph
    cdef Demand demand
    graph.nodes, graph.indptr, graph.heads = V, &indptr[0], &indices[0]
    graph.forwards, graph.node_latency = &forwards[0], &node_latency[0]
    graph.back = graph.back_latency = NULL
    if back is not None:
        back_weight = back
        graph.back = &back_weight[0]
    if back_latency is not None:
        back_seconds = back_latency
        graph.back_latency = &back_seconds[0]
    read_demand(&demand, destinations, entry_ptr, entry_list, entry_scale, list_ptr, list_source, list_amount)

    cdef flag_t[:, :, ::1] flags = np.zeros((team, 3, V), np.uint8)
    cdef index_t[:, ::1] queue = np.empty((team, entries), np.int32)
    cdef flag_t[:, ::1] mask = np.empty((team, entries), np.uint8)
    cdef index_t[:, ::1] level = np.zeros((team, V + 3), np.int32)
    cdef value_t[:, :, ::1] values = np.zeros((team, 4, V * LANES))
    cdef value_t[:, ::1] shares = np.zeros((team, V))
    cdef value_t[:, ::1] loads = np.zeros((blocks, indices.shape[0]))
    cdef Lanes lanes[256]
    cdef Sums sums[BLOCKS]
    team = min(team, 256)
    for t in range(team):
        lanes[t].seen, lanes[t].fresh, lanes[t].sources = &flags[t, 0, 0], &flags[t, 1, 0], &flags[t, 2, 0]
        lanes[t].queue, lanes[t].mask, lanes[t].level = &queue[t, 0], &mask[t, 0], &level[t, 0]
        lanes[t].amount, lanes[t].width = &values[t, 0, 0], &values[t, 1, 0]
        lanes[t].share, lanes[t].time, lanes[t].shares = &values[t, 2, 0], &values[t, 3, 0], &shares[t, 0]
    for b in range(blocks):
        sums[b].amount = sums[b].amount_hops = sums[b].seconds = 0
        sums[b].hops, sums[b].source, sums[b].target = 0, -1, -1
    if not _alike(&graph, &demand, min(<offset_t> LANES, D), &lanes[0]):
        return None

    cdef offset_t done = 0, most = (groups + blocks - 1) // blocks
    while done < most:
        PyErr_CheckSignals()
        began = monotonic()
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            for g in range(block_start(b, blocks, groups) + done,
                           min(block_start(b, blocks, groups) + done + at_once, block_start(b + 1, blocks, groups))):
                _route(&graph, &demand, g * LANES, <int> min(<offset_t> LANES, D - g * LANES),
                       &lanes[threadid()], &loads[b, 0], &sums[b])
        done += at_once
        if monotonic() - began < 0.25:
            at_once = min(2 * at_once, max(VISITS_AT_ONCE // (blocks * (V + indices.shape[0])), 1))
    return np.asarray(loads).sum(axis=0), [sums[b] for b in range(blocks)]


cdef bint _alike(const Graph* graph, const Demand* demand, int count, Lanes* lanes) noexcept nogil:
    """Do the searches towards the first destinations go together?"""
    cdef offset_t wanted = _gather(demand, 0, count, lanes)
    cdef index_t levels = _search(graph[0], lanes[0], demand.destination, count, wanted)
    cdef Sums ignored
    ignored.source = 0
    _clear(demand, 0, count, lanes, &ignored)
    _forget(lanes, levels if levels > 0 else -levels)
    return levels > 0
