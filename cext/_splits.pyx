"""Groups of circuit switches share out their links anew, by exact flows of one switch against the rest."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange, threadid
from libc.stdint cimport int16_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cext import _checks

from cext._draws cimport _word, mixed
from cext._types cimport flag_t, index_t, offset_t, thread_count, word_t

cdef enum:
    SCALE = 256          # of a kept circuit in costs; ties are broken below it
    NOISE = 4           # random part of a cost, 0 .. NOISE - 1
    DEAR = 1 << 18      # of a link without a place
    FAR = 1 << 28


cdef struct Split:
    # One switch against the rest: a transportation problem with convex costs, rows and columns are blocks.
    index_t n           # blocks
    index_t pairs       # (row, column) with links, sorted by row
    index_t *row_ptr    # [n + 1] into pairs
    index_t *col        # of a pair
    index_t *row        # of a pair
    index_t *col_ptr    # [n + 1] into by_col
    index_t *by_col     # pairs by column
    index_t *links      # to share out, of a pair
    index_t *own        # circuits of the pair that stand on this switch today
    index_t *others     # and on the switches still to come
    index_t *low        # y below is worth a kept circuit
    index_t *high       # y from here on costs one
    index_t *noise
    index_t *y          # what this switch takes
    index_t *row_room   # units of a row
    index_t *row_idle   # of them that may stay idle for nothing
    index_t *col_room   # units that a column takes
    index_t *col_need   # of them that it must
    index_t *price      # [2 n + 1] potentials: rows, columns, the sink
    index_t *away       # [2 n] distances of a search
    index_t *via        # [2 n] pair by which it was reached
    flag_t *done        # [2 n]
    index_t *touched    # [2 n]
    int64_t *heap       # [4 * pairs + 2 n]
    index_t heap_size
    index_t *place      # [n * n] pair of a (row, column), -1 where none


cdef inline void _push(Split *s, index_t key, index_t node) noexcept nogil:
    cdef int64_t item = (<int64_t> key << 20) | node
    cdef index_t at = s.heap_size, up
    s.heap_size += 1
    while at:
        up = (at - 1) >> 1
        if s.heap[up] <= item:
            break
        s.heap[at] = s.heap[up]
        at = up
    s.heap[at] = item


cdef inline int64_t _pop(Split *s) noexcept nogil:
    cdef int64_t least = s.heap[0], item
    cdef index_t at = 0, child
    s.heap_size -= 1
    item = s.heap[s.heap_size]
    while True:
        child = 2 * at + 1
        if child >= s.heap_size:
            break
        if child + 1 < s.heap_size and s.heap[child + 1] < s.heap[child]:
            child += 1
        if item <= s.heap[child]:
            break
        s.heap[at] = s.heap[child]
        at = child
    s.heap[at] = item
    return least


cdef inline index_t _forward(Split *s, index_t e, index_t tie) noexcept nogil:
    """Cost of one more unit of a pair, FAR where there is none."""
    cdef index_t y = s.y[e]
    if y >= s.links[e]:
        return FAR
    if y < s.low[e]:
        return s.noise[e] - SCALE
    if y < s.high[e]:
        return s.noise[e] + tie
    return s.noise[e] + SCALE


cdef inline index_t _backward(Split *s, index_t e, index_t tie) noexcept nogil:
    """Cost of one unit less."""
    cdef index_t y = s.y[e] - 1
    if y < 0:
        return FAR
    if y < s.low[e]:
        return SCALE - s.noise[e]
    if y < s.high[e]:
        return -tie - s.noise[e]
    return -SCALE - s.noise[e]


cdef inline void _relax(Split *s, index_t node, index_t distance, index_t via, index_t *reached) noexcept nogil:
    if distance < s.away[node]:
        if s.away[node] == FAR:
            s.touched[reached[0]] = node
            reached[0] += 1
        s.away[node] = distance
        s.via[node] = via
        _push(s, distance, node)


cdef void _place(Split *s, index_t start, index_t tie) noexcept nogil:
    """One more unit of a row finds the cheapest place: shortest path to the sink (Dijkstra on reduced costs)."""
    cdef index_t n = s.n, sink = 2 * n, reached = 0, node, e, i, cost, at, best = FAR, last = -1, there
    cdef int64_t item
    s.heap_size = 0
    s.away[start] = 0
    s.via[start] = -1
    s.touched[0] = start
    reached = 1
    _push(s, 0, start)
    while s.heap_size:
        item = _pop(s)
        at = <index_t> (item >> 20)
        node = <index_t> (item & 0xFFFFF)
        if at >= best:
            break
        if s.done[node] or at > s.away[node]:
            continue
        s.done[node] = 1
        if node < n:                                         # a row: leave a unit idle, or send it down a pair
            cost = at + (0 if s.row_idle[node] > 0 else DEAR) + s.price[node] - s.price[sink]
            if cost < best:
                best, last = cost, node
            for e in range(s.row_ptr[node], s.row_ptr[node + 1]):
                cost = _forward(s, e, tie)
                if cost < FAR:
                    there = n + s.col[e]
                    if not s.done[there]:
                        _relax(s, there, at + cost + s.price[node] - s.price[there], e, &reached)
        else:                                                # a column: take it, or give a unit of another row back
            i = node - n
            if s.col_room[i] > 0:
                cost = at + (-DEAR if s.col_need[i] > 0 else 0) + s.price[node] - s.price[sink]
                if cost < best:
                    best, last = cost, node
            for i in range(s.col_ptr[node - n], s.col_ptr[node - n + 1]):
                e = s.by_col[i]
                if s.y[e] > 0 and not s.done[s.row[e]]:
                    cost = _backward(s, e, tie)
                    _relax(s, s.row[e], at + cost + s.price[node] - s.price[s.row[e]], e, &reached)
    for i in range(reached):
        node = s.touched[i]
        if s.away[node] < best:
            s.price[node] += s.away[node] - best
        s.away[node] = FAR
        s.done[node] = 0
    if last < n:
        s.row_idle[last] -= 1
    else:
        s.col_room[last - n] -= 1
        s.col_need[last - n] -= 1
    node = last
    while s.via[node] >= 0:
        e = s.via[node]
        if node >= n:
            s.y[e] += 1
            node = s.row[e]
        else:
            s.y[e] -= 1
            node = n + s.col[e]


cdef void _solve(Split *s, index_t tie) noexcept nogil:
    """Fill y: all rows' units placed, at least cost."""
    cdef index_t n = s.n, i, e, unit, _unit
    for e in range(s.pairs):
        s.y[e] = 0
        i = s.links[e] - s.others[e]
        if i < 0:
            i = 0
        unit = s.own[e] if s.own[e] < s.links[e] else s.links[e]
        s.low[e] = i if i < unit else unit
        s.high[e] = unit if i < unit else i
    for i in range(n):
        s.price[i] = 0
        s.price[n + i] = -SCALE - 1
    s.price[2 * n] = -DEAR - SCALE - 1
    for i in range(n):
        for _unit in range(s.row_room[i]):
            _place(s, i, tie)


cdef index_t *_ints(offset_t count) noexcept nogil:
    return <index_t *> calloc(count if count > 0 else 1, sizeof(index_t))


cdef bint _open(Split *s, index_t n) noexcept nogil:
    """Room for any split of n blocks."""
    cdef offset_t square = <offset_t> n * n
    cdef index_t i
    s.n = n
    s.row_ptr, s.col_ptr = _ints(n + 1), _ints(n + 1)
    s.col, s.row, s.by_col, s.links, s.own = _ints(square), _ints(square), _ints(square), _ints(square), _ints(square)
    s.others, s.low, s.high, s.noise, s.y = _ints(square), _ints(square), _ints(square), _ints(square), _ints(square)
    s.row_room, s.row_idle, s.col_room, s.col_need = _ints(n), _ints(n), _ints(n), _ints(n)
    s.price, s.away, s.via, s.touched = _ints(2 * n + 1), _ints(2 * n), _ints(2 * n), _ints(2 * n)
    s.place = _ints(square)
    s.done = <flag_t *> calloc(2 * n, 1)
    s.heap = <int64_t *> calloc(4 * square + 4 * n, sizeof(int64_t))
    for i in range(2 * n):
        s.away[i] = FAR
    return s.heap != NULL and s.place != NULL


cdef void _close(Split *s) noexcept nogil:
    cdef index_t **held = [
        s.row_ptr, s.col_ptr, s.col, s.row, s.by_col, s.links, s.own, s.others, s.low, s.high, s.noise, s.y,
        s.row_room, s.row_idle, s.col_room, s.col_need, s.price, s.away, s.via, s.touched, s.place,
    ]
    cdef index_t i
    for i in range(21):
        free(held[i])
    free(s.done)
    free(s.heap)


cdef struct Fabric:
    const int16_t *before   # [switches, n, n] circuits that stand
    int16_t *now            # [switches, n, n] circuits of the plan
    const index_t *north    # [n, switches] ports
    const index_t *south
    const flag_t *flipped   # [switches] sides exchanged
    index_t n
    index_t switches


cdef inline offset_t _at(const Fabric *f, index_t k, index_t i, index_t j) noexcept nogil:
    """Where circuits from i to j are, sides exchanged where they are."""
    cdef offset_t base = <offset_t> k * f.n * f.n
    return base + (<offset_t> j * f.n + i if f.flipped[k] else <offset_t> i * f.n + j)


cdef inline index_t _ports(const Fabric *f, index_t k, index_t i, bint south) noexcept nogil:
    cdef offset_t at = <offset_t> i * f.switches + k
    return f.south[at] if south != f.flipped[k] else f.north[at]


cdef void _gather(Split *s, const Fabric *f, const index_t *members, index_t size,
                  index_t *loose, index_t count, word_t *draws) noexcept nogil:
    """The links of a group of switches, and those without a place, as pairs of rows and columns."""
    cdef index_t n = f.n, i, j, t, e = 0, total
    cdef index_t *sums = s.place
    memset(sums, 0, <offset_t> n * n * sizeof(index_t))
    for t in range(size):
        for i in range(n):
            for j in range(n):
                sums[i * n + j] += f.now[_at(f, members[t], i, j)]
    for t in range(count):
        i, j = loose[2 * t], loose[2 * t + 1]
        if _word(draws) >> 63:
            i, j = j, i
        sums[i * n + j] += 1
    memset(s.col_ptr, 0, (n + 1) * sizeof(index_t))
    for i in range(n):
        s.row_ptr[i] = e
        for j in range(n):
            total = sums[i * n + j]
            if total == 0:
                continue
            s.row[e], s.col[e], s.links[e] = i, j, total
            s.noise[e] = <index_t> (_word(draws) >> 62) % NOISE
            s.others[e] = 0
            for t in range(size):
                s.others[e] += f.before[_at(f, members[t], i, j)]
            s.col_ptr[j + 1] += 1
            e += 1
    s.row_ptr[n], s.pairs = e, e
    for j in range(n):
        s.col_ptr[j + 1] += s.col_ptr[j]
    for e in range(s.pairs):
        s.by_col[s.col_ptr[s.col[e]]] = e
        s.col_ptr[s.col[e]] += 1
    for j in range(n, 0, -1):
        s.col_ptr[j] = s.col_ptr[j - 1]
    s.col_ptr[0] = 0


cdef void _limits(Split *s, const Fabric *f, const index_t *members, index_t size, index_t t) noexcept nogil:
    """Ports of member t, and how many the later ones leave it to fill."""
    cdef index_t i, e, later, links, rest, ports
    for i in range(s.n):
        links = 0
        for e in range(s.row_ptr[i], s.row_ptr[i + 1]):
            links += s.links[e]
        rest = 0
        for later in range(t + 1, size):
            rest += _ports(f, members[later], i, False)
        ports = min(_ports(f, members[t], i, False), links)
        s.row_room[i] = ports
        s.row_idle[i] = max(0, ports - max(0, links - rest))
        links = 0
        for e in range(s.col_ptr[i], s.col_ptr[i + 1]):
            links += s.links[s.by_col[e]]
        rest = 0
        for later in range(t + 1, size):
            rest += _ports(f, members[later], i, True)
        s.col_room[i] = _ports(f, members[t], i, True)
        s.col_need[i] = max(0, links - rest)


cdef bint _share_out(Split *s, const Fabric *f, const index_t *members, index_t size,
                     index_t *loose, index_t count, index_t tie, index_t worth, word_t seed,
                     int16_t *draft) noexcept nogil:
    """A group of switches shares its links out anew, switch by switch; kept if nothing gets worse."""
    cdef index_t n = f.n, t, _t, e, i, k, kept = 0, had = 0, left = 0
    cdef offset_t square = <offset_t> n * n
    cdef word_t draws = seed
    _gather(s, f, members, size, loose, count, &draws)
    memset(draft, 0, size * square * sizeof(int16_t))
    for t in range(size):
        k = members[t]
        for e in range(s.pairs):
            s.own[e] = f.before[_at(f, k, s.row[e], s.col[e])]
            s.others[e] -= s.own[e]
            had += min(s.own[e], f.now[_at(f, k, s.row[e], s.col[e])])
        _limits(s, f, members, size, t)
        _solve(s, tie)
        for e in range(s.pairs):
            draft[t * square + s.row[e] * n + s.col[e]] = <int16_t> s.y[e]
            kept += min(s.own[e], s.y[e])
            s.links[e] -= s.y[e]
    for e in range(s.pairs):
        left += s.links[e]
    if left > count or worth * (count - left) < had - kept:
        return False
    for t in range(size):
        k = members[t]
        for i in range(n):
            for e in range(n):
                f.now[_at(f, k, i, e)] = draft[t * square + i * n + e]
    i = 0
    for e in range(s.pairs):
        for _t in range(s.links[e]):
            loose[2 * i], loose[2 * i + 1] = s.row[e], s.col[e]
            i += 1
    for t in range(i, count):
        loose[2 * t] = -1
    return True


def share_out(
    const int16_t[:, :, ::1] before,
    int16_t[:, :, ::1] now,
    const index_t[:, ::1] north,
    const index_t[:, ::1] south,
    const flag_t[::1] flipped,
    const offset_t[::1] group_ptr,
    const index_t[::1] members,
    const offset_t[::1] loose_ptr,
    index_t[:, ::1] loose,
    const index_t[::1] tie,
    index_t worth,
    unsigned long long seed,
    int threads=0,
):
    """See ``_splits.pyi``."""
    _checks.check_circuits(*map(np.asarray, (before, now, north, south)))
    _checks.check_groups(now.shape[0], *map(np.asarray, (group_ptr, members, flipped, tie)))
    _checks.check_offsets("loose_ptr", np.asarray(loose_ptr), loose.shape[0])
    _checks.check_length(group_ptr.shape[0], loose_ptr=np.asarray(loose_ptr))
    _checks.check_range("loose", np.asarray(loose).ravel(), now.shape[1])
    _checks.check_threads(threads)
    cdef offset_t groups = group_ptr.shape[0] - 1, g
    cdef index_t n = <index_t> now.shape[1], size = 0, workers = thread_count(threads), w, nothing = 0
    cdef Fabric fabric
    cdef Split *splits
    cdef int16_t **drafts
    cdef bint ready = True
    if n == 0 or groups == 0:
        return
    fabric.before, fabric.now = &before[0, 0, 0], &now[0, 0, 0]
    fabric.north, fabric.south, fabric.flipped = &north[0, 0], &south[0, 0], &flipped[0]
    fabric.n, fabric.switches = n, <index_t> now.shape[0]
    for g in range(groups):
        size = max(size, <index_t> (group_ptr[g + 1] - group_ptr[g]))
    workers = <index_t> min(workers, groups)
    splits = <Split *> calloc(workers, sizeof(Split))
    drafts = <int16_t **> calloc(workers, sizeof(int16_t *))
    for w in range(workers):
        ready = _open(&splits[w], n) and ready
        drafts[w] = <int16_t *> calloc(<offset_t> size * n * n, sizeof(int16_t))
        ready = ready and drafts[w] != NULL
    cdef index_t *every = &loose[0, 0] if loose.shape[0] else &nothing
    try:
        if not ready:
            raise MemoryError
        for g in prange(groups, nogil=True, num_threads=workers, schedule="dynamic"):
            w = threadid()
            _share_out(
                &splits[w], &fabric, &members[group_ptr[g]], <index_t> (group_ptr[g + 1] - group_ptr[g]),
                every + 2 * loose_ptr[g], <index_t> (loose_ptr[g + 1] - loose_ptr[g]), tie[g], worth,
                mixed(seed, g), drafts[w],
            )
    finally:
        for w in range(workers):
            _close(&splits[w])
            free(drafts[w])
        free(splits)
        free(drafts)
    PyErr_CheckSignals()
