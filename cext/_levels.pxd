"""Max-min fair levels of links, kept fair as groups of equal flows come, go and grow."""

from cext._heaps cimport Pairing, Queue
from cext._maxmin cimport Problem
from cext._types cimport flag_t, index_t, offset_t, value_t


cdef struct Level:              # a link; own groups are those that it holds back: all of them run at its level
    value_t capacity
    value_t foreign             # rate of its groups that other links hold back, and the rounding of that sum
    value_t foreign_low
    value_t weight              # of its own groups
    value_t level               # infinite if it has none
    value_t fastest             # no foreign group is faster
    value_t clock               # bytes that an own group would have sent by `since`
    value_t since
    offset_t start              # its seats: own groups, then foreign ones, then those that do not send
    index_t own
    index_t active
    index_t top                 # own group whose first flow ends first
    flag_t fresh                # an own group has not been compared with its other links
    flag_t touched


cdef struct Seat:               # of a group on a link
    index_t group
    index_t slot                # which of the group's links that is


cdef struct Fair:
    offset_t groups
    offset_t links
    const offset_t *ptr
    const index_t *link
    const value_t *share        # NULL: 1
    Level *at                   # of each link
    Seat *seat
    index_t *place              # of each entry of link, in seat
    index_t *by                 # the link that holds a group back, -1 if it does not send
    value_t *count              # flows of a group that send
    value_t *base               # what the clock of that link showed when the group had sent nothing
    Pairing due                 # groups of a link; key: what its clock shows when the group's first flow ends
    value_t *need               # of that flow, in bytes since the group began
    Queue unsettled             # links, by level
    Queue ends                  # links, by the time when the first flow of an own group ends
    index_t *touched            # links whose time of ending may have changed
    index_t touches
    index_t *moving             # scratch: groups, and where they go
    index_t *whither
    index_t *sending            # all groups that send, and where each stands there
    index_t *sends_at
    index_t senders
    value_t now
    offset_t work               # entries looked at


cdef void advance(Fair *w, index_t l) noexcept nogil
cdef void attach(Fair *w, index_t g) noexcept nogil
cdef void enter(Fair *w, index_t g) noexcept nogil
cdef bint detach(Fair *w, index_t g) noexcept nogil
cdef void resize(Fair *w, index_t g, value_t more) noexcept nogil
cdef void reschedule(Fair *w, index_t g) noexcept nogil
cdef bint settle(Fair *w, offset_t patience) noexcept nogil
cdef void time_ends(Fair *w) noexcept nogil
cdef void install(Fair *w, const index_t *by, const value_t *rates) noexcept nogil
