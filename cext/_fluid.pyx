"""Completion times of a DAG of flows that share links max-min fairly."""

import numpy as np

from cext import _checks

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY

from cext._csr cimport invert
from cext._heaps cimport Pairing, Queue, cut, push, queue_drop, queue_set
from cext._levels cimport (
    Fair, Level, Seat, advance, attach, detach, enter, install, reschedule, resize, settle, time_ends,
)
from cext._maxmin cimport Link, Problem, fill, index_links, order_links
from cext._types cimport flag_t, index_t, offset_t, value_t

cdef value_t ROUNDING = 1e-12   # of the time: completions so near each other differ by rounding alone

cdef enum:
    CHUNK = 1 << 24     # entries between two looks at the keyboard
    FEW = 64            # changes that are always settled link by link
    DONE = 0
    PAUSED = 1
    CROWDED = 2         # so much has changed that all rates are worth filling anew

cdef struct Run:
    offset_t flows
    const index_t *path_of
    const value_t *size
    const value_t *delay            # from the end of the predecessors to the begin
    const value_t *latency          # of a group's path
    const value_t *duration
    const index_t *processor        # of a computation, -1 for none; NULL: none has one
    index_t *behind                 # the computation that a processor takes after one
    index_t *last                   # of the line at each processor, -1 if it is idle
    const offset_t *next_ptr        # successors
    const index_t *next
    index_t *missing                # predecessors that have not ended
    value_t *earliest               # the last end of those that have
    flag_t *running                 # a computation has begun
    value_t *start
    value_t *finish
    Queue timers                    # flows, by the time when they begin to send, or a computation ends
    Pairing goal                    # flows of a group; key: what the group will have sent when the flow ends
    index_t *first                  # flow of a group that ends first
    index_t *joining                # flows that begin to send now
    index_t joins
    offset_t leaves                 # flows that ended now and shared a link
    offset_t solves
    offset_t ended
    value_t slack                   # of time, relative: what ends within it ends together


cdef inline void _ready(Run *r, index_t f) noexcept nogil:
    cdef value_t wait = r.delay[f] + (r.latency[r.path_of[f]] if r.path_of[f] >= 0 else 0)
    queue_set(&r.timers, f, r.earliest[f] + wait)


cdef void _end(Run *r, index_t f, value_t time) noexcept nogil:
    """Note that a flow has ended, and make ready what waited for it."""
    cdef offset_t j
    cdef index_t s
    r.finish[f] = time
    r.ended += 1
    for j in range(r.next_ptr[f], r.next_ptr[f + 1]):
        s = r.next[j]
        r.earliest[s] = max(r.earliest[s], time)
        r.missing[s] -= 1
        if r.missing[s] == 0:
            _ready(r, s)


cdef void _end_on(Run *r, Fair *w, index_t l, value_t until) noexcept nogil:
    """End the flows of a link's own groups that are due."""
    cdef Level *x = &w.at[l]
    cdef index_t g, f
    cdef value_t time
    advance(w, l)
    while x.own:
        g = x.top
        time = w.now + max(w.due.key[g] - x.clock, 0.0) / x.level
        if time > until:
            queue_set(&w.ends, l, time)
            return
        f = r.first[g]
        _end(r, f, time)
        r.first[g] = cut(&r.goal, f, f)
        w.work += w.ptr[g + 1] - w.ptr[g]
        if r.first[g] < 0:
            r.leaves += detach(w, g)
            w.count[g] = 0
            continue
        r.leaves += 1
        resize(w, g, -1)
        w.need[g] = r.goal.key[r.first[g]]
        reschedule(w, g)
    queue_drop(&w.ends, l)


cdef inline void _compute(Run *r, index_t f, value_t time) noexcept nogil:
    r.running[f] = 1
    r.start[f] = time
    queue_set(&r.timers, f, time + r.duration[f])


cdef inline bint _lines_up(Run *r, index_t f) noexcept nogil:
    """Put a computation that is ready into the line at its processor; is it held up there?"""
    cdef index_t ahead
    if r.processor == NULL or r.processor[f] < 0:
        return False
    ahead = r.last[r.processor[f]]
    r.last[r.processor[f]] = f
    if ahead >= 0:
        r.behind[ahead] = f
    return ahead >= 0


cdef inline void _hand_over(Run *r, index_t f, value_t time) noexcept nogil:
    """Let the next in the line compute, as a computation ends."""
    if r.processor == NULL or r.processor[f] < 0:
        return
    if r.behind[f] >= 0:
        _compute(r, r.behind[f], time)
    else:
        r.last[r.processor[f]] = -1


cdef void _begin(Run *r, index_t f, value_t time) noexcept nogil:
    """A timer has run out: let a flow begin, or a computation begin or end."""
    if r.path_of[f] < 0 and r.running[f]:
        _hand_over(r, f, time)
        _end(r, f, time)
        return
    if r.path_of[f] < 0 and r.duration[f] > 0:
        if not _lines_up(r, f):
            _compute(r, f, time)
        return
    if r.path_of[f] < 0:
        r.start[f] = time
        _end(r, f, time)
        return
    r.start[f] = time
    if r.size[f] > 0:
        r.joining[r.joins] = f
        r.joins += 1
    else:
        _end(r, f, time)


cdef bint _idle(const Fair *w, index_t g) noexcept nogil:
    """Does no group send on any link of this one?"""
    cdef offset_t j
    for j in range(w.ptr[g], w.ptr[g + 1]):
        if w.at[w.link[j]].active:
            return False
    return True


cdef void _join(Run *r, Fair *w, index_t f, bint crowded) noexcept nogil:
    """Let a flow send, in the group of its path; no rate is known yet if it is crowded."""
    cdef index_t g = r.path_of[f]
    cdef value_t sent = 0
    if w.count[g] > 0 and w.by[g] >= 0:
        advance(w, w.by[g])
        sent = w.at[w.by[g]].clock - w.base[g]
    r.goal.key[f] = sent + r.size[f]
    r.first[g] = push(&r.goal, r.first[g], f)
    w.need[g] = r.goal.key[r.first[g]]
    w.work += w.ptr[g + 1] - w.ptr[g]
    if w.count[g] == 0:
        w.count[g] = 1
        if crowded:
            enter(w, g)
        else:
            attach(w, g)
    elif w.by[g] < 0:
        w.count[g] += 1
    else:
        resize(w, g, 1)
        if r.first[g] == f:
            reschedule(w, g)


cdef void _collect(Run *r, Fair *w) noexcept nogil:
    """Gather what ends and begins at the next event; flows that begin to send are left in joining."""
    cdef index_t f
    cdef value_t time, until
    w.now = INFINITY
    if w.ends.size:
        w.now = w.ends.key[0]
    if r.timers.size and r.timers.key[0] < w.now:
        w.now = r.timers.key[0]
    until = w.now + r.slack * w.now
    r.joins = 0
    r.leaves = 0
    while True:
        if w.ends.size and w.ends.key[0] <= until:
            _end_on(r, w, w.ends.item[0], until)
        elif r.timers.size and r.timers.key[0] <= until:
            f = r.timers.item[0]
            time = r.timers.key[0]
            queue_drop(&r.timers, f)
            _begin(r, f, time)
            w.work += 1
        else:
            return


cdef int _run(Run *r, Fair *w) noexcept nogil:
    """Go from event to event: DONE, PAUSED for the keyboard, or CROWDED."""
    cdef index_t k, joins
    cdef offset_t changes, pause = w.work + CHUNK
    cdef bint crowded
    while w.ends.size or r.timers.size:
        if w.work > pause:
            return PAUSED
        _collect(r, w)
        joins = 0
        for k in range(r.joins):                    # what has its links to itself changes nobody's rate
            if _idle(w, r.path_of[r.joining[k]]):
                _join(r, w, r.joining[k], False)
            else:
                r.joining[joins] = r.joining[k]
                joins += 1
        changes = joins + r.leaves
        crowded = changes > FEW and changes > w.senders // 8
        for k in range(joins):
            _join(r, w, r.joining[k], crowded)
        r.solves += crowded or w.unsettled.size > 0
        if crowded or not settle(w, w.work + 8 * w.ptr[w.groups]):
            return CROWDED
        time_ends(w)
    return DONE


def _check(ptr, link, share, capacity, latency, path_of, size, delay, duration, pred_ptr, pred, epsilon, processor):
    paths, flows = len(ptr) - 1, len(path_of)
    for name, items in (("flows", flows), ("links of paths", len(link)), ("predecessors", len(pred))):
        if items >= np.iinfo(np.int32).max:
            raise ValueError(f"{name} must be fewer than 2^31, got {items}")
    _checks.check_offsets("ptr", np.asarray(ptr), len(link))
    _checks.check_range("link", np.asarray(link), len(capacity))
    _checks.check_positive(capacity=np.asarray(capacity))
    if share is not None:
        _checks.check_length(len(link), share=share)
        _checks.check_positive(share=np.asarray(share))
    _checks.check_length(paths, latency=latency)
    _checks.check_range("path_of + 1", np.asarray(path_of) + 1, paths + 1)
    _checks.check_length(flows, size=size, delay=delay, duration=duration)
    _checks.check_amounts(**{"latency": np.asarray(latency), "size": np.asarray(size), "delay": np.asarray(delay),
                             "duration": np.asarray(duration), "epsilon": np.array([epsilon])})
    _checks.check_length(flows + 1, pred_ptr=pred_ptr)
    _checks.check_offsets("pred_ptr", np.asarray(pred_ptr), len(pred))
    _checks.check_range("pred", np.asarray(pred), flows)
    if processor is not None:
        _checks.check_length(flows, processor=processor)
        _checks.check_range("processor + 1", np.asarray(processor) + 1, flows + 1)
    sending = np.asarray(path_of)[np.asarray(size) > 0]
    if sending.size and (sending.min() < 0 or not np.diff(ptr)[sending].all()):
        raise ValueError("path_of must name a path with links for every flow that has a size")


cdef void _twice(const offset_t[::1] ptr, const index_t[::1] link, index_t[::1] seen) noexcept nogil:
    """Leave in seen[0] a path that crosses a link twice, or -1."""
    cdef offset_t g, j
    seen[:] = -1
    for g in range(ptr.shape[0] - 1):
        for j in range(ptr[g], ptr[g + 1]):
            if seen[1 + link[j]] == g:
                seen[0] = <index_t> g
                return
            seen[1 + link[j]] = <index_t> g


cdef class _Filling:
    """The rates of all that sends, by water-filling; holds the arrays that this takes."""

    cdef offset_t[::1] ptr, start
    cdef index_t[::1] link, flow, by, heap
    cdef value_t[::1] each, carried, rates, first_weight, key
    cdef value_t[:, ::1] state
    cdef const value_t[::1] capacity
    cdef flag_t[::1] frozen

    def __init__(self, offset_t groups, offset_t entries, const value_t[::1] capacity):
        cdef offset_t links = capacity.shape[0]
        self.ptr, self.start = np.empty(groups + 1, np.int64), np.empty(links + 2, np.int64)
        self.link, self.flow = np.empty(entries + 1, np.int32), np.empty(entries + 1, np.int32)
        self.each, self.carried = np.empty(entries + 1), np.empty(entries + 1)
        self.by, self.frozen, self.rates = np.empty(groups, np.int32), np.empty(groups, np.uint8), np.empty(groups)
        self.state, self.first_weight, self.key = np.empty((links, 2)), np.empty(links), np.empty(links)
        self.heap, self.capacity = np.empty(links, np.int32), capacity

    cdef void rates_of(self, Fair *w):
        """Give every group that sends its rate."""
        cdef Problem p
        cdef offset_t k, j, n = 0
        cdef index_t g
        cdef bint plain = w.share == NULL
        with nogil:
            self.ptr[0] = 0
            for k in range(w.senders):
                g = w.sending[k]
                plain = plain and w.count[g] == 1
                for j in range(w.ptr[g], w.ptr[g + 1]):
                    self.link[n] = w.link[j]
                    self.each[n] = w.count[g] * (1 if w.share == NULL else w.share[j])
                    n += 1
                self.ptr[k + 1] = n
            self.start[:] = 0
            self.frozen[:w.senders] = 0
        p.flows = w.senders
        p.ptr = &self.ptr[0]
        p.link = &self.link[0]
        p.each = NULL if plain else &self.each[0]
        p.capacity = &self.capacity[0]
        p.rates = &self.rates[0]
        p.by = &self.by[0]
        p.frozen = &self.frozen[0]
        p.state = <Link *> &self.state[0, 0]
        p.caps = p.capped = 0
        with nogil:
            index_links(&p, w.links, &self.start[0], &self.flow[0], &self.carried[0])
        order_links(&p, w.links, &self.first_weight[0], &self.key[0], &self.heap[0])
        while p.size:
            with nogil:
                fill(&p)
            PyErr_CheckSignals()
        with nogil:
            install(w, p.by, p.rates)
            time_ends(w)


def fluid(
    const offset_t[::1] ptr,
    const index_t[::1] link,
    const value_t[::1] share,
    const value_t[::1] capacity,
    const value_t[::1] latency,
    const index_t[::1] path_of,
    const value_t[::1] size,
    const value_t[::1] delay,
    const value_t[::1] duration,
    const offset_t[::1] pred_ptr,
    const index_t[::1] pred,
    value_t epsilon=0.0,
    const index_t[::1] processor=None,
):
    """When every flow of a DAG begins to send and ends, sharing links max-min fairly, and how often rates were solved.

    See ``_fluid.pyi``. Raises ValueError for a malformed array or a DAG that has a cycle.

    >>> import numpy as np                              # 1 and 3 bytes share a link of 1 byte/s
    >>> none, zeros = np.empty(0, np.int32), np.zeros(2)
    >>> one_link = np.array([0, 1]), np.array([0], np.int32), None, np.ones(1), np.zeros(1)
    >>> flows = np.zeros(2, np.int32), np.array([1.0, 3.0]), zeros, zeros, np.zeros(3, np.int64), none
    >>> fluid(*one_link, *flows)
    (array([0., 0.]), array([2., 4.]), 2)
    """
    _check(ptr, link, share, capacity, latency, path_of, size, delay, duration, pred_ptr, pred, epsilon, processor)
    cdef offset_t F = path_of.shape[0], G = ptr.shape[0] - 1, N = link.shape[0], E = capacity.shape[0], j, f, g
    cdef index_t[::1] seen = np.empty(E + 1, np.int32)
    _twice(ptr, link, seen)
    if seen[0] >= 0:
        raise ValueError(f"link must name each link of a path once; path {seen[0]} has one twice")

    cdef Run r
    cdef Fair w
    cdef index_t[:, ::1] of_flow = np.full((8, F + 1), -1, np.int32)
    cdef index_t[:, ::1] of_group = np.full((9, G + 1), -1, np.int32)
    cdef index_t[:, ::1] of_link = np.full((5, E + 1), -1, np.int32)
    cdef value_t[:, ::1] flow_value = np.zeros((5, F + 1))
    cdef value_t[:, ::1] group_value = np.zeros((4, G + 1))
    cdef value_t[:, ::1] link_value = np.zeros((2, E + 1))
    cdef flag_t[::1] running = np.zeros(F + 1, np.uint8)
    cdef offset_t[::1] next_ptr = np.zeros(F + 2, np.int64)
    cdef index_t[::1] following = np.empty(pred.shape[0] + 1, np.int32)
    cdef offset_t[::1] start = np.zeros(E + 2, np.int64)
    cdef index_t[::1] place = np.empty(N + 1, np.int32)
    cdef index_t[:, ::1] seats = np.empty((N + 1, 2), np.int32)
    cdef index_t[::1] last = np.full(F + 1, -1, np.int32)
    cdef char[::1] at = np.zeros((E + 2) * sizeof(Level), np.int8)
    r.flows = F
    r.path_of = &path_of[0] if F else NULL
    r.size = &size[0] if F else NULL
    r.delay = &delay[0] if F else NULL
    r.duration = &duration[0] if F else NULL
    r.processor = NULL if processor is None or F == 0 else &processor[0]
    r.behind, r.last = &of_flow[7, 0], &last[0]
    r.latency = &latency[0] if G else NULL
    r.next_ptr = &next_ptr[0]
    r.next = &following[0]
    r.missing = &of_flow[0, 0]
    r.earliest = &flow_value[0, 0]
    r.running = &running[0]
    r.start = &flow_value[1, 0]
    r.finish = &flow_value[2, 0]
    r.timers = Queue(&flow_value[3, 0], &of_flow[1, 0], &of_flow[2, 0], 0)
    r.goal = Pairing(&flow_value[4, 0], &of_flow[3, 0], &of_flow[4, 0], &of_flow[5, 0])
    r.first = &of_group[0, 0]
    r.joining = &of_flow[6, 0]
    r.joins = 0
    r.leaves = r.solves = r.ended = 0
    r.slack = max(epsilon, ROUNDING)

    w.groups, w.links = G, E
    w.ptr = &ptr[0]
    w.link = &link[0] if N else NULL
    w.share = NULL if share is None or N == 0 else &share[0]
    w.at = <Level *> ((<size_t> &at[0] + 63) // 64 * 64)
    w.seat = <Seat *> &seats[0, 0]
    w.place = &place[0]
    w.by = &of_group[1, 0]
    w.due = Pairing(&group_value[0, 0], &of_group[2, 0], &of_group[3, 0], &of_group[4, 0])
    w.count = &group_value[1, 0]
    w.base = &group_value[2, 0]
    w.need = &group_value[3, 0]
    w.moving, w.whither = &of_group[5, 0], &of_group[6, 0]
    w.sending, w.sends_at = &of_group[7, 0], &of_group[8, 0]
    w.senders = w.touches = 0
    w.unsettled = Queue(&link_value[0, 0], &of_link[0, 0], &of_link[1, 0], 0)
    w.ends = Queue(&link_value[1, 0], &of_link[2, 0], &of_link[3, 0], 0)
    w.touched = &of_link[4, 0]
    w.now = 0
    w.work = 0

    cdef int state
    with nogil:
        invert(pred_ptr, pred, next_ptr, following)
        for j in range(N):
            start[link[j] + 1] += 1
        for j in range(E):
            start[j + 1] += start[j]
        for j in range(E):
            w.at[j].capacity = capacity[j]
            w.at[j].level = INFINITY
            w.at[j].start = start[j]
            w.at[j].top = -1
        for g in range(G):                              # start[l] climbs through the seats of l once more
            for j in range(ptr[g], ptr[g + 1]):
                place[j] = <index_t> start[link[j]]
                w.seat[start[link[j]]].group = <index_t> g
                w.seat[start[link[j]]].slot = <index_t> (j - ptr[g])
                start[link[j]] += 1
        for f in range(F):
            r.missing[f] = <index_t> (pred_ptr[f + 1] - pred_ptr[f])
            if r.missing[f] == 0:
                _ready(&r, <index_t> f)
    filling = None
    while True:
        with nogil:
            state = _run(&r, &w)
        if state == DONE:
            break
        if state == CROWDED:
            if filling is None:
                filling = _Filling(G, N, capacity)
            (<_Filling> filling).rates_of(&w)
        PyErr_CheckSignals()
    if r.ended < F:
        raise ValueError(f"pred must have no cycle; {F - r.ended} of {F} flows wait for each other")
    return np.asarray(flow_value[1])[:F].copy(), np.asarray(flow_value[2])[:F].copy(), int(r.solves)
