"""Water-filling for kernels that hold their own arrays: fill in a Problem, index, then fill until nothing is left."""

from cext._types cimport flag_t, index_t, offset_t, value_t


cdef struct Link:
    value_t rem         # capacity that no frozen flow uses
    value_t weight      # of the flows that are not frozen


cdef struct Problem:
    offset_t flows
    const offset_t *ptr
    const index_t *link
    const value_t *each         # of every entry, share x multiplicity; NULL: 1
    const offset_t *start       # flows of link l: flow[start[l]:start[l + 1]]
    const index_t *flow
    const value_t *carried      # each in the order of flow; NULL: 1
    const value_t *capacity
    value_t *rates
    index_t *by                 # the link that froze each flow, -1 for its cap or none; NULL: not asked
    flag_t *frozen
    Link *state
    const offset_t *by_cap      # flows by rising cap
    offset_t caps
    offset_t capped             # how many of them have had their turn
    const value_t *cap
    const value_t *first_weight
    value_t *key
    index_t *heap
    offset_t size               # links in the heap


cdef void index_links(Problem *p, offset_t links, offset_t *start, index_t *flow, value_t *carried) noexcept nogil
cdef void order_links(Problem *p, offset_t links, value_t *first_weight, value_t *key, index_t *heap)
cdef void fill(Problem *p) noexcept nogil
