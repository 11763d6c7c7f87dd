"""Max-min fair levels of links, kept fair as groups of equal flows come, go and grow.

Every sending group is held back by one link, and runs at its level: (capacity - what foreign groups use) / weight of
its own. Levels are fair when no foreign group is faster than the level of a link with own groups, and no link without
own groups is overloaded. A change unsettles links; they are settled from the lowest level up, so that a link is
rarely settled twice, until none is left.
"""

from libc.math cimport INFINITY, fabs, fmax, fmin

from cext._heaps cimport Queue, cut, push, queue_drop, queue_set
from cext._types cimport index_t, offset_t, value_t

cdef value_t ROUNDING = 1e-12   # levels that differ by less are equal: two links that tie would pass a group for ever
cdef value_t STILL = 1e-15      # a level that moves by less stays: an ulp or so of its own computation


cdef inline value_t _weight(const Fair *w, index_t g, offset_t j) noexcept nogil:
    return w.count[g] if w.share == NULL else w.count[g] * w.share[j]


cdef inline void _load(Level *x, value_t more) noexcept nogil:
    """Add to the foreign rate; the rounding of the sum is kept beside it (Knuth's two-sum)."""
    cdef value_t total = x.foreign + more, part = total - x.foreign
    x.foreign_low += (x.foreign - (total - part)) + (more - part)
    x.foreign = total


cdef inline value_t _room(const Level *x) noexcept nogil:
    return fmax((x.capacity - x.foreign) - x.foreign_low, 0)


cdef inline void _swap(Fair *w, offset_t a, offset_t b) noexcept nogil:
    cdef Seat moved = w.seat[a]
    w.seat[a] = w.seat[b]
    w.seat[b] = moved
    w.place[w.ptr[w.seat[a].group] + w.seat[a].slot] = <index_t> a
    w.place[w.ptr[moved.group] + moved.slot] = <index_t> b


cdef inline void _unsettle(Fair *w, index_t l) noexcept nogil:
    cdef Level *x = &w.at[l]
    if w.unsettled.place[l] >= 0:
        return
    if x.own:
        queue_set(&w.unsettled, l, fmin(x.level, _room(x) / x.weight))
    elif x.foreign > x.capacity * (1 + ROUNDING):
        queue_set(&w.unsettled, l, x.fastest * x.capacity / x.foreign)


cdef inline void _touch(Fair *w, index_t l) noexcept nogil:
    if not w.at[l].touched:
        w.at[l].touched = 1
        w.touched[w.touches] = l
        w.touches += 1


cdef void advance(Fair *w, index_t l) noexcept nogil:
    """Bring a link's clock to the present."""
    cdef Level *x = &w.at[l]
    if x.own and x.since < w.now:
        x.clock += x.level * (w.now - x.since)
    x.since = w.now


cdef inline void _own(Fair *w, index_t g, offset_t j) noexcept nogil:
    """Make a foreign group a link's own; its time is kept by that link's clock from now on."""
    cdef index_t l = w.link[j]
    cdef Level *x = &w.at[l]
    _swap(w, w.place[j], x.start + x.own)
    x.own += 1
    x.weight += _weight(w, g, j)
    w.by[g] = l
    w.base[g] += x.clock
    w.due.key[g] = w.base[g] + w.need[g]
    x.top = push(&w.due, x.top, g)
    _touch(w, l)


cdef inline void _disown(Fair *w, index_t g, offset_t j) noexcept nogil:
    """The reverse of _own; base says what the group has sent, negated."""
    cdef index_t l = w.link[j]
    cdef Level *x = &w.at[l]
    w.base[g] -= x.clock
    x.top = cut(&w.due, x.top, g)
    x.own -= 1
    _swap(w, w.place[j], x.start + x.own)
    x.weight -= _weight(w, g, j)
    w.by[g] = -1
    if x.own == 0:
        x.weight = x.clock = 0
        x.level = INFINITY
    _touch(w, l)


cdef inline offset_t _entry(const Fair *w, index_t g, index_t l) noexcept nogil:
    cdef offset_t j = w.ptr[g]
    while w.link[j] != l:
        j += 1
    return j


cdef void _move(Fair *w, index_t g, index_t m) noexcept nogil:
    """Let another link of its path hold a group back, at that link's level."""
    cdef offset_t j
    cdef index_t b = w.by[g], l
    cdef value_t before = w.at[b].level, after = w.at[m].level
    advance(w, b)
    advance(w, m)
    _disown(w, g, _entry(w, g, b))
    for j in range(w.ptr[g], w.ptr[g + 1]):
        l = w.link[j]
        if l == m:
            _load(&w.at[l], -_weight(w, g, j) * before)
            _own(w, g, j)
            continue
        _load(&w.at[l], _weight(w, g, j) * (after if l == b else after - before))
        w.at[l].fastest = fmax(w.at[l].fastest, after)
        _unsettle(w, l)
    _unsettle(w, m)
    w.work += w.ptr[g + 1] - w.ptr[g]


cdef void enter(Fair *w, index_t g) noexcept nogil:
    """Seat a group on its links, held back by none as yet."""
    cdef offset_t j
    cdef Level *x
    w.sends_at[g] = w.senders
    w.sending[w.senders] = g
    w.senders += 1
    w.base[g] = 0
    for j in range(w.ptr[g], w.ptr[g + 1]):
        x = &w.at[w.link[j]]
        _swap(w, w.place[j], x.start + x.active)
        x.active += 1


cdef void attach(Fair *w, index_t g) noexcept nogil:
    """Let a group begin to send, held back by the link where it seems to find least."""
    cdef offset_t j, best = -1
    cdef value_t found, least = INFINITY, each
    cdef Level *x
    cdef bint alone = True
    enter(w, g)
    for j in range(w.ptr[g], w.ptr[g + 1]):
        x = &w.at[w.link[j]]
        each = _weight(w, g, j)
        found = _room(x) / (x.weight + each)
        if x.own == 0:
            found = fmax(found, x.capacity / (each * x.active))
        alone = alone and x.active == 1
        if found < least or best < 0:
            best, least = j, found
    x = &w.at[w.link[best]]
    advance(w, w.link[best])
    if x.own == 0:
        x.level = least if alone else 0
    least = x.level
    _own(w, g, best)
    x.fresh = 1
    for j in range(w.ptr[g], w.ptr[g + 1]):
        if j != best:
            _load(&w.at[w.link[j]], _weight(w, g, j) * least)
            w.at[w.link[j]].fastest = fmax(w.at[w.link[j]].fastest, least)
        if not alone:
            _unsettle(w, w.link[j])
    if alone:
        x.fresh = 0


cdef void resize(Fair *w, index_t g, value_t more) noexcept nogil:
    """Add flows to a group that sends, or take some away."""
    cdef offset_t j
    cdef index_t b = w.by[g]
    cdef value_t level = w.at[b].level
    for j in range(w.ptr[g], w.ptr[g + 1]):
        if w.link[j] == b:
            w.at[b].weight += more if w.share == NULL else more * w.share[j]
        else:
            _load(&w.at[w.link[j]], level * (more if w.share == NULL else more * w.share[j]))
        _unsettle(w, w.link[j])
    w.count[g] += more
    _touch(w, b)


cdef bint detach(Fair *w, index_t g) noexcept nogil:
    """Let a group cease to send; did it share a link?"""
    cdef bint shared = False
    cdef offset_t j
    cdef index_t b = w.by[g], last
    cdef value_t level = w.at[b].level
    cdef Level *x
    _disown(w, g, _entry(w, g, b))
    for j in range(w.ptr[g], w.ptr[g + 1]):
        x = &w.at[w.link[j]]
        x.active -= 1
        _swap(w, w.place[j], x.start + x.active)
        if x.active == 0:
            x.foreign = x.foreign_low = x.fastest = 0
            continue
        shared = True
        if w.link[j] != b:
            _load(x, -_weight(w, g, j) * level)
        _unsettle(w, w.link[j])
    w.senders -= 1
    last = w.sending[w.senders]
    w.sending[w.sends_at[g]] = last
    w.sends_at[last] = w.sends_at[g]
    return shared


cdef void reschedule(Fair *w, index_t g) noexcept nogil:
    """Another flow of a sending group is now its first to end."""
    cdef Level *x = &w.at[w.by[g]]
    x.top = cut(&w.due, x.top, g)
    w.due.key[g] = w.base[g] + w.need[g]
    x.top = push(&w.due, x.top, g)
    _touch(w, w.by[g])


cdef value_t _reach(Fair *w, index_t l, value_t level, index_t *pulled) noexcept nogil:
    """A link's level, at least the given one, once it holds back the foreign groups that are faster.

    They are listed in moving. The set only shrinks as the level rises to what it leaves.
    """
    cdef Level *x = &w.at[l]
    cdef offset_t i, j
    cdef index_t g, n, before = -1
    cdef value_t rate, room, weight, fastest
    while True:
        n = 0
        room, weight, fastest = (x.capacity - x.foreign) - x.foreign_low, x.weight, 0
        for i in range(x.start + x.own, x.start + x.active):
            g = w.seat[i].group
            rate = w.at[w.by[g]].level
            if rate > level * (1 + ROUNDING):
                j = w.ptr[g] + w.seat[i].slot
                room += rate * _weight(w, g, j)
                weight += _weight(w, g, j)
                w.moving[n] = g
                n += 1
            else:
                fastest = fmax(fastest, rate)
        w.work += x.active - x.own
        if n == before or n == 0:
            break
        level = fmax(level, room / weight)
        before = n
    x.fastest = fastest
    pulled[0] = n
    return level


cdef index_t _spread(Fair *w, index_t l, index_t own, value_t change) noexcept nogil:
    """Tell the other links of a link's first own groups that its level has changed.

    Returns how many groups, listed in moving and whither, are now held back elsewhere.
    """
    cdef Level *x = &w.at[l]
    cdef Level *y
    cdef offset_t i, j
    cdef index_t g, m, movers = 0, best
    cdef value_t level = x.level, over = x.level / (1 + ROUNDING), least
    for i in range(x.start, x.start + own):
        g = w.seat[i].group
        best, least = -1, over
        for j in range(w.ptr[g], w.ptr[g + 1]):
            m = w.link[j]
            if m == l:
                continue
            y = &w.at[m]
            _load(y, _weight(w, g, j) * change)
            if y.fastest < level:
                y.fastest = level
            if y.level < least:
                best, least = m, y.level
            if w.unsettled.place[m] < 0:
                _unsettle(w, m)
        w.work += w.ptr[g + 1] - w.ptr[g]
        if best >= 0:
            w.moving[movers] = g
            w.whither[movers] = best
            movers += 1
    return movers


cdef void _sum_own(Fair *w, index_t l) noexcept nogil:
    """Sum the weight of a link's own groups anew: shares of a flow leave rounding behind."""
    cdef offset_t i
    cdef Level *x = &w.at[l]
    x.weight = 0
    for i in range(x.start, x.start + x.own):
        x.weight += _weight(w, w.seat[i].group, w.ptr[w.seat[i].group] + w.seat[i].slot)


cdef void _settle_link(Fair *w, index_t l) noexcept nogil:
    cdef Level *x = &w.at[l]
    cdef offset_t i
    cdef index_t pulled = 0, own = x.own, movers, k
    cdef value_t level, old = x.level, weight = 0
    if x.own == 0:
        if x.foreign <= x.capacity * (1 + ROUNDING):
            return
        for i in range(x.start, x.start + x.active):
            weight += _weight(w, w.seat[i].group, w.ptr[w.seat[i].group] + w.seat[i].slot)
        level = _reach(w, l, x.capacity / weight, &pulled)
        if pulled == 0:
            return
        x.level = level
    else:
        if w.share != NULL:
            _sum_own(w, l)
        level = _room(x) / x.weight
        if x.fastest > level * (1 + ROUNDING):
            level = _reach(w, l, level, &pulled)
        if fabs(level - old) <= STILL * old and pulled == 0 and not x.fresh:
            return
        advance(w, l)
        x.level = level
        _touch(w, l)
    for k in range(pulled):
        _move(w, w.moving[k], l)
    if own:
        x.fresh = 0
        movers = _spread(w, l, own, level - old)
        for k in range(movers):
            _move(w, w.moving[k], w.whither[k])


cdef bint settle(Fair *w, offset_t patience) noexcept nogil:
    """Settle links until all are fair; say no, and leave some unsettled, if that takes too many looks at entries."""
    cdef Queue *q = &w.unsettled
    cdef Level *x
    cdef index_t l
    cdef value_t level
    while q.size:
        if w.work > patience:
            return False
        l = q.item[0]
        x = &w.at[l]
        if x.own:                                   # it may have risen while it waited
            level = fmin(x.level, _room(x) / x.weight)
            if level > q.key[0]:
                queue_set(q, l, level)
                if q.item[0] != l:
                    w.work += 1
                    continue
        queue_drop(q, l)
        w.work += 1
        _settle_link(w, l)
    return True


cdef void time_ends(Fair *w) noexcept nogil:
    """Queue every touched link by the time when the first flow of its own groups ends."""
    cdef index_t k, l
    cdef Level *x
    for k in range(w.touches):
        l = w.touched[k]
        x = &w.at[l]
        x.touched = 0
        if x.own == 0:
            queue_drop(&w.ends, l)
            continue
        advance(w, l)
        queue_set(&w.ends, l, w.now + fmax(w.due.key[x.top] - x.clock, 0) / x.level)
    w.touches = 0


cdef void install(Fair *w, const index_t *by, const value_t *rates) noexcept nogil:
    """Take over the links that hold back the sending groups, in their order, and their rates."""
    cdef index_t k, g, l
    cdef offset_t j
    cdef Level *x
    while w.unsettled.size:
        queue_drop(&w.unsettled, w.unsettled.item[w.unsettled.size - 1])
    for k in range(w.senders):
        g = w.sending[k]
        if w.by[g] >= 0:                            # base: what it has sent, negated
            advance(w, w.by[g])
            w.base[g] -= w.at[w.by[g]].clock
    for l in range(w.links):
        x = &w.at[l]
        x.foreign = x.foreign_low = x.fastest = x.weight = x.clock = 0
        x.level = INFINITY
        x.own = 0
        x.top = -1
        x.since = w.now
        x.fresh = 0
        _touch(w, l)
    for k in range(w.senders):
        g = w.sending[k]
        for j in range(w.ptr[g], w.ptr[g + 1]):
            x = &w.at[w.link[j]]
            if w.link[j] == by[k]:
                x.level = rates[k]
                _own(w, g, j)
            else:
                _load(x, rates[k] * _weight(w, g, j))
                x.fastest = fmax(x.fastest, rates[k])
