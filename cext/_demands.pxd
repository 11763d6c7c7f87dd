"""A network and a demand on it as kernels read them: who sends to a destination, and the search back from there."""

from cext._types cimport flag_t, index_t, offset_t, value_t


cdef struct Network:
    offset_t nodes
    offset_t arcs
    const offset_t *indptr
    const index_t *heads
    const flag_t *forwards
    const value_t *latency
    const value_t *node_latency


cdef struct Demand:
    offset_t items              # destinations, one of which may stand there twice
    const index_t *destination
    const offset_t *entry_ptr
    const index_t *entry_list
    const value_t *entry_scale
    const offset_t *list_ptr
    const index_t *list_source
    const value_t *list_amount


cdef struct Search:             # back from one destination; dist, via and wanted are -1, amount is 0 where none was
    index_t root
    index_t reached             # nodes in the queue
    index_t *dist               # hops to the root
    index_t *via                # dist where a path may go on, -1 elsewhere
    index_t *queue
    index_t *wanted             # nodes: the last search that looks for each
    index_t *sources
    index_t count               # of sources
    value_t *amount             # what each node sends
    index_t lost                # the first source that no path serves, or -1
    index_t lost_root


cdef inline void read_network(
    Network *n, const offset_t[::1] indptr, const index_t[::1] heads, const flag_t[::1] forwards,
    const value_t[::1] latency, const value_t[::1] node_latency,
) noexcept:
    n.nodes, n.arcs = indptr.shape[0] - 1, heads.shape[0]
    n.indptr, n.heads, n.forwards = &indptr[0], &heads[0], &forwards[0]
    n.latency, n.node_latency = &latency[0], &node_latency[0]


cdef inline void read_demand(
    Demand *x, const index_t[::1] destinations, const offset_t[::1] entry_ptr, const index_t[::1] entry_list,
    const value_t[::1] entry_scale, const offset_t[::1] list_ptr, const index_t[::1] list_source,
    const value_t[::1] list_amount,
) noexcept:
    x.items, x.destination = destinations.shape[0], &destinations[0]
    x.entry_ptr, x.entry_list, x.entry_scale = &entry_ptr[0], &entry_list[0], &entry_scale[0]
    x.list_ptr, x.list_source, x.list_amount = &list_ptr[0], &list_source[0], &list_amount[0]


cdef inline void look(const Network *n, const Demand *x, Search *s, offset_t first, offset_t last) noexcept nogil:
    """Search breadth first from the destination that some items share until every one of their sources is met."""
    cdef index_t missing = 0, stamp = <index_t> first, root = x.destination[first], head = 0, tail = 1, u, v
    cdef offset_t e, j, a
    cdef index_t *dist = s.dist
    cdef index_t *via = s.via
    cdef index_t *queue = s.queue
    cdef index_t *wanted = s.wanted
    for e in range(x.entry_ptr[first], x.entry_ptr[last]):
        for j in range(x.list_ptr[x.entry_list[e]], x.list_ptr[x.entry_list[e] + 1]):
            v = x.list_source[j]
            if wanted[v] != stamp:
                wanted[v] = stamp
                missing += 1
    queue[0] = root
    dist[root] = via[root] = 0
    missing -= wanted[root] == stamp
    while head < tail and missing > 0:
        u = queue[head]
        head += 1
        if via[u] < 0:
            continue
        for a in range(n.indptr[u], n.indptr[u + 1]):
            v = n.heads[a]
            if dist[v] < 0:
                dist[v] = dist[u] + 1
                via[v] = dist[v] if n.forwards[v] else -1
                queue[tail] = v
                tail += 1
                missing -= wanted[v] == stamp
    s.root, s.reached = root, tail


cdef inline value_t gather(const Demand *x, Search *s, offset_t item) noexcept nogil:
    """Lay an item's demand on its sources; its sum. What no path serves is dropped, the first of it noted."""
    cdef index_t v, root = s.root, count = 0
    cdef const index_t *dist = s.dist
    cdef value_t *amount = s.amount
    cdef offset_t e, j
    cdef value_t demand, total = 0
    for e in range(x.entry_ptr[item], x.entry_ptr[item + 1]):
        for j in range(x.list_ptr[x.entry_list[e]], x.list_ptr[x.entry_list[e] + 1]):
            v = x.list_source[j]
            demand = x.entry_scale[e] * x.list_amount[j]
            if v == root or demand == 0:
                continue
            if dist[v] < 0:
                if s.lost < 0:
                    s.lost, s.lost_root = v, root
                continue
            if amount[v] == 0:
                s.sources[count] = v
                count += 1
            amount[v] += demand
            total += demand
    s.count = count
    return total


cdef inline void forget(Search *s) noexcept nogil:
    """Clear what the search has marked, and no more."""
    cdef index_t j
    for j in range(s.reached):
        s.dist[s.queue[j]] = s.via[s.queue[j]] = -1
