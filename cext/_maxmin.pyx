"""Max-min fair rates of flows on links: water-filling with a heap of lazily refreshed links."""

import numpy as np

from cext import _checks

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY, fmax, fmin

from cext._types cimport flag_t, index_t, offset_t, value_t


cdef extern from * nogil:
    void prefetch "__builtin_prefetch"(const void *where)

cdef enum:
    AHEAD = 16          # flows that are asked of memory before their turn
    CHUNK = 1 << 24     # entries between two looks at the keyboard

cdef value_t WORN = 1e-4    # share of a link's first weight below which the rest is summed anew

cdef inline void _sink(value_t *key, index_t *heap, index_t size, index_t link, value_t its_key) noexcept nogil:
    """Put a link in place of the top of the 4-ary heap and let it sink; equal keys keep no order."""
    cdef index_t at = 0, child, least, last
    while True:
        child = 4 * at + 1
        if child >= size:
            break
        last = min(child + 4, size)
        least = child
        child += 1
        while child < last:
            if key[child] < key[least]:
                least = child
            child += 1
        if key[least] >= its_key:
            break
        key[at] = key[least]
        heap[at] = heap[least]
        at = least
    key[at] = its_key
    heap[at] = link


cdef inline void _freeze(const Problem *p, offset_t f, value_t rate) noexcept nogil:
    """Give a flow its rate, and take its use off its links."""
    cdef offset_t j
    p.frozen[f] = 1
    p.rates[f] = rate
    for j in range(p.ptr[f], p.ptr[f + 1]):
        if p.each == NULL:
            p.state[p.link[j]].rem -= rate
            p.state[p.link[j]].weight -= 1
        else:
            p.state[p.link[j]].rem -= rate * p.each[j]
            p.state[p.link[j]].weight -= p.each[j]


cdef void _sum_anew(const Problem *p, index_t l) noexcept nogil:
    """Sum a link's state anew, free of the rounding of many subtractions; exactly no weight if all are frozen."""
    cdef offset_t j
    cdef value_t used = 0, weight = 0
    for j in range(p.start[l], p.start[l + 1]):
        if p.frozen[p.flow[j]]:
            used += p.rates[p.flow[j]] * p.carried[j]
        else:
            weight += p.carried[j]
    p.state[l].rem = p.capacity[l] - used
    p.state[l].weight = weight


cdef offset_t _freeze_all(const Problem *p, index_t l, value_t rate) noexcept nogil:
    """Freeze what is left on a link; return how many entries that touched."""
    cdef offset_t j, f, touched = p.start[l + 1] - p.start[l], last = p.start[l + 1]
    for j in range(p.start[l], last):
        if j + 2 * AHEAD < last:
            prefetch(&p.frozen[p.flow[j + 2 * AHEAD]])
            prefetch(&p.ptr[p.flow[j + 2 * AHEAD]])
        if j + AHEAD < last and not p.frozen[p.flow[j + AHEAD]]:
            prefetch(&p.link[p.ptr[p.flow[j + AHEAD]]])
        f = p.flow[j]
        if not p.frozen[f]:
            _freeze(p, f, rate)
            if p.by != NULL:
                p.by[f] = l
            touched += p.ptr[f + 1] - p.ptr[f]
    return touched


cdef inline value_t _level(const Link *state) noexcept nogil:
    return fmax(state.rem, 0) / state.weight


cdef void fill(Problem *p) noexcept nogil:
    """Raise the water for a second at most; nothing is left to do when p.size is 0."""
    cdef offset_t work = 0, f
    cdef index_t l
    cdef value_t level
    while p.size and work < CHUNK:
        while p.capped < p.caps and p.cap[p.by_cap[p.capped]] <= p.key[0]:
            f = p.by_cap[p.capped]
            p.capped += 1
            if not p.frozen[f]:
                _freeze(p, f, p.cap[f])
                work += p.ptr[f + 1] - p.ptr[f]

        l = p.heap[0]
        if p.each != NULL and p.state[l].weight < WORN * p.first_weight[l]:
            _sum_anew(p, l)
            work += p.start[l + 1] - p.start[l]
        if p.state[l].weight > 0:
            level = _level(&p.state[l])
            if level > p.key[0]:                    # flows were frozen here since the link was keyed
                _sink(p.key, p.heap, <index_t> p.size, l, level)
                work += 1
                continue
            if p.each != NULL:
                _sum_anew(p, l)
                level = _level(&p.state[l])
            work += _freeze_all(p, l, level)
        p.size -= 1
        _sink(p.key, p.heap, <index_t> p.size, p.heap[p.size], p.key[p.size])


cdef void index_links(Problem *p, offset_t links, offset_t *start, index_t *flow, value_t *carried) noexcept nogil:
    """List the flows of every link in their order; start is zero at first and has links + 2 places."""
    cdef offset_t f, j, place
    for j in range(p.ptr[p.flows]):
        start[p.link[j] + 2] += 1
    for j in range(2, links + 2):
        start[j] += start[j - 1]
    for f in range(p.flows):
        for j in range(p.ptr[f], p.ptr[f + 1]):
            place = start[p.link[j] + 1]
            start[p.link[j] + 1] += 1
            flow[place] = <index_t> f
            if p.each != NULL:
                carried[place] = p.each[j]
    p.start = start
    p.flow = flow
    p.carried = carried


cdef void order_links(Problem *p, offset_t links, value_t *first_weight, value_t *key, index_t *heap):
    """Lay the links that carry something into the heap, before any flow is frozen."""
    cdef offset_t l, j
    with nogil:
        for l in range(links):
            first_weight[l] = p.start[l + 1] - p.start[l]
            if p.each != NULL:
                first_weight[l] = 0
                for j in range(p.start[l], p.start[l + 1]):
                    first_weight[l] += p.carried[j]
            p.state[l].rem = p.capacity[l]
            p.state[l].weight = first_weight[l]
    weights = np.asarray(<value_t[:links]> first_weight)
    held = np.flatnonzero(weights)
    levels = np.asarray(<value_t[:links]> <value_t *> p.capacity)[held] / weights[held]
    order = np.argsort(levels, kind="stable")           # a sorted array is a heap
    p.size = held.size
    np.asarray(<value_t[:links]> key)[:held.size] = levels[order]
    np.asarray(<index_t[:links]> heap)[:held.size] = held[order]
    p.first_weight = first_weight
    p.key = key
    p.heap = heap


def _entries(ptr, link, share, capacity, multiplicity, cap):
    """Check the arrays; return share x multiplicity of every entry, or None if all are 1."""
    ptr, link, capacity = map(np.asarray, (ptr, link, capacity))
    share, multiplicity, cap = (None if array is None else np.asarray(array) for array in (share, multiplicity, cap))
    flows = ptr.size - 1
    if flows > np.iinfo(np.int32).max:
        raise ValueError(f"ptr must name fewer than 2^31 flows, got {flows}")
    _checks.check_offsets("ptr", ptr, link.size)
    _checks.check_range("link", link, capacity.size)
    _checks.check_amounts(capacity=capacity)
    for name, array, length in (("share", share, link.size), ("multiplicity", multiplicity, flows)):
        if array is not None:
            _checks.check_length(length, **{name: array})
            _checks.check_positive(**{name: array})
    if cap is not None:
        _checks.check_length(flows, cap=cap)
        if not (cap >= 0).all():
            raise ValueError("cap must not be negative or nan")
    if multiplicity is None:
        return share
    times = np.repeat(multiplicity, np.diff(ptr))
    return times if share is None else share * times


def maxmin(
    const offset_t[::1] ptr,
    const index_t[::1] link,
    const value_t[::1] share,
    const value_t[::1] capacity,
    const value_t[::1] multiplicity=None,
    const value_t[::1] cap=None,
):
    """Max-min fair rate of every flow, float64[F].

    See ``_maxmin.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # two flows share link 0, one of them link 1 with a third
    >>> ptr, link = np.array([0, 1, 3, 4]), np.array([0, 0, 1, 1], np.int32)
    >>> maxmin(ptr, link, None, np.array([1.0, 3.0]))
    array([0.5, 0.5, 2.5])
    """
    entries = _entries(ptr, link, share, capacity, multiplicity, cap)
    cdef offset_t F = ptr.shape[0] - 1, E = capacity.shape[0], N = link.shape[0]
    cdef bint plain = entries is None
    cdef const value_t[::1] each = np.ones(1) if plain else np.ascontiguousarray(entries)
    cdef value_t[::1] carried = np.empty(1 if plain else N + 1)
    cdef offset_t[::1] start = np.zeros(E + 2, np.int64)
    cdef index_t[::1] flow = np.empty(N + 1, np.int32)
    cdef value_t[::1] rates = np.full(F + 1, np.inf)
    cdef flag_t[::1] frozen = np.zeros(F + 1, np.uint8)
    cdef value_t[:, ::1] state = np.empty((E + 1, 2))
    cdef value_t[:, ::1] keys = np.empty((2, E + 1))
    cdef index_t[::1] heap = np.empty(E + 1, np.int32)
    cdef const offset_t[::1] by_cap = np.empty(0, np.int64)
    cdef Problem p
    p.by_cap = NULL
    p.cap = NULL
    p.caps = p.capped = 0
    if cap is not None and F:
        np.asarray(rates)[:F] = cap                     # what no link holds back
        by_cap = np.argsort(cap, kind="stable")
        p.cap = &cap[0]
        p.by_cap = &by_cap[0]
        p.caps = F
    p.flows = F
    p.ptr = &ptr[0]
    p.link = &link[0] if N else NULL
    p.each = NULL if plain else &each[0]
    p.capacity = &capacity[0] if E else NULL
    p.rates = &rates[0]
    p.by = NULL
    p.frozen = &frozen[0]
    p.state = <Link *> &state[0, 0]
    with nogil:
        index_links(&p, E, &start[0], &flow[0], &carried[0])
    p.size = 0
    if E:
        order_links(&p, E, &keys[0, 0], &keys[1, 0], &heap[0])
    while p.size:
        with nogil:
            fill(&p)
        PyErr_CheckSignals()
    return np.asarray(rates)[:F]


def maxmin_slack(
    const offset_t[::1] ptr,
    const index_t[::1] link,
    const value_t[::1] share,
    const value_t[::1] capacity,
    const value_t[::1] multiplicity,
    const value_t[::1] cap,
    const value_t[::1] rates,
):
    """The worst relative violation of the max-min conditions by rates; 0 is a certificate.

    See ``_maxmin.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a link of 1: equal shares are fair, others are not
    >>> ptr, link, one = np.array([0, 1, 2]), np.array([0, 0], np.int32), np.ones(1)
    >>> [maxmin_slack(ptr, link, None, one, None, None, np.array(r)) for r in ([0.5, 0.5], [0.25, 1.0])]
    [0.0, 0.75]
    """
    entries = _entries(ptr, link, share, capacity, multiplicity, cap)
    _checks.check_length(ptr.shape[0] - 1, rates=rates)
    if not (np.asarray(rates) >= 0).all():
        raise ValueError("rates must not be negative or nan")
    cdef offset_t F = ptr.shape[0] - 1, E = capacity.shape[0], f, j
    cdef bint plain = entries is None, capped = cap is not None
    cdef const value_t[::1] each = np.ones(1) if plain else np.ascontiguousarray(entries)
    cdef value_t[::1] load = np.zeros(E)
    cdef value_t[::1] fastest = np.zeros(E)
    cdef index_t l
    cdef value_t worst = 0, least
    with nogil:
        for f in range(F):
            for j in range(ptr[f], ptr[f + 1]):
                load[link[j]] += rates[f] * (1 if plain else each[j])
                fastest[link[j]] = fmax(fastest[link[j]], rates[f])
        for l in range(E):
            if load[l] > capacity[l]:
                worst = fmax(worst, (load[l] - capacity[l]) / load[l])
        for f in range(F):
            least = INFINITY                            # of the excuses that the flow has not to be faster
            if capped:
                if rates[f] > cap[f]:
                    worst = fmax(worst, (rates[f] - cap[f]) / rates[f])
                least = 0 if rates[f] >= cap[f] else (1 - rates[f] / cap[f])
            for j in range(ptr[f], ptr[f + 1]):
                l = link[j]
                if least == 0:
                    break
                least = fmin(least, fmax(
                    (capacity[l] - load[l]) / capacity[l] if load[l] < capacity[l] else 0,
                    1 - rates[f] / fastest[l] if rates[f] < fastest[l] else 0,
                ))
            if least < INFINITY or rates[f] < INFINITY:
                worst = fmax(worst, least)
    return worst
