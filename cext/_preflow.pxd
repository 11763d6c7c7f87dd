"""The max-flow that every cut is found by."""

from cext._types cimport flag_t, index_t, offset_t

cdef enum:
    CHUNK = 10_000_000     # arcs looked at between two looks for Ctrl-C
    ENDLESS = 0x4000000000000000  # room that no flow fills


cdef class Preflow:
    cdef const offset_t[::1] indptr
    cdef const index_t[::1] heads, twin
    cdef const offset_t[::1] capacity   # of each arc, in the direction that excess goes
    cdef offset_t[::1] residual, excess, room, current
    cdef index_t[::1] label, count, queue, touched, search, visit
    cdef flag_t[::1] seen, queued, endless, supplied
    cdef offset_t[::1] changed, came
    cdef flag_t[::1] is_changed
    cdef offset_t changes, work, since_global, short, supply
    cdef index_t nodes, dead, head, waiting, touches, visits

    cdef void scale(self, const offset_t[::1] capacity, offset_t supply) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef void touch(self, index_t u) noexcept nogil
    cdef void add(self, index_t u, offset_t amount) noexcept nogil
    cdef void augment(self, index_t s) noexcept nogil
    cdef index_t nearest(self, index_t s) noexcept nogil
    cdef void enqueue(self, index_t u) noexcept nogil
    cdef void change(self, offset_t a, offset_t by) noexcept nogil
    cdef bint run(self) noexcept nogil
    cdef void discharge(self, index_t u) noexcept nogil
    cdef void lift(self, index_t u) noexcept nogil
    cdef void relabel_all(self) noexcept nogil
    cdef void reach(self, flag_t[::1] mark) noexcept nogil
