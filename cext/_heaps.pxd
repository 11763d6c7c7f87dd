"""Two heaps over items that are known by number: one indexed array, many pairing heaps that share their arrays."""

from cext._types cimport index_t, value_t


cdef struct Queue:              # an indexed 4-ary heap: the least key first, the lower item at a tie
    value_t *key                # of the item at each place of the heap
    index_t *item
    index_t *place              # of each item in the heap, -1 if it is not there
    index_t size


cdef inline bint _before(value_t key, index_t item, value_t other_key, index_t other) noexcept nogil:
    return key < other_key or (key == other_key and item < other)


cdef inline void queue_set(Queue *q, index_t item, value_t key) noexcept nogil:
    """Put an item in the queue, or move it to another key."""
    cdef index_t at = q.place[item], up, child, least, last
    if at < 0:
        at = q.size
        q.size += 1
    while at > 0:
        up = (at - 1) >> 2
        if not _before(key, item, q.key[up], q.item[up]):
            break
        q.key[at] = q.key[up]
        q.item[at] = q.item[up]
        q.place[q.item[at]] = at
        at = up
    while True:
        child = 4 * at + 1
        if child >= q.size:
            break
        last = min(child + 4, q.size)
        least = child
        child += 1
        while child < last:
            if _before(q.key[child], q.item[child], q.key[least], q.item[least]):
                least = child
            child += 1
        if not _before(q.key[least], q.item[least], key, item):
            break
        q.key[at] = q.key[least]
        q.item[at] = q.item[least]
        q.place[q.item[at]] = at
        at = least
    q.key[at] = key
    q.item[at] = item
    q.place[item] = at


cdef inline void queue_drop(Queue *q, index_t item) noexcept nogil:
    """Take an item out of the queue, if it is there."""
    cdef index_t at = q.place[item], last
    if at < 0:
        return
    q.place[item] = -1
    q.size -= 1
    if at == q.size:
        return
    last = q.item[q.size]
    q.place[last] = at          # stands in for the one that went; its key follows
    q.item[at] = last
    queue_set(q, last, q.key[q.size])


cdef struct Pairing:            # a forest of heaps; an item is in one of them at most; -1 is no item
    value_t *key
    index_t *child              # first child
    index_t *following          # next sibling
    index_t *previous           # previous sibling, or the parent of a first child


cdef inline index_t meld(Pairing *h, index_t a, index_t b) noexcept nogil:
    """Make one heap of two; its root."""
    cdef index_t c
    if a < 0:
        return b
    if b < 0:
        return a
    if _before(h.key[b], b, h.key[a], a):
        c = a
        a = b
        b = c
    c = h.child[a]
    h.following[b] = c
    if c >= 0:
        h.previous[c] = b
    h.previous[b] = a
    h.child[a] = b
    return a


cdef inline index_t push(Pairing *h, index_t root, index_t item) noexcept nogil:
    """Add an item whose key is set; the root."""
    h.child[item] = h.following[item] = h.previous[item] = -1
    return meld(h, root, item)


cdef inline index_t _gather(Pairing *h, index_t first) noexcept nogil:
    """Make one heap of siblings: in pairs from the left, then the pairs from the right; its root."""
    cdef index_t a = first, b, rest, pairs = -1, root
    while a >= 0:
        b = h.following[a]
        rest = h.following[b] if b >= 0 else -1
        h.following[a] = h.previous[a] = -1
        if b >= 0:
            h.following[b] = h.previous[b] = -1
        a = meld(h, a, b)
        h.following[a] = pairs
        pairs = a
        a = rest
    root = -1
    while pairs >= 0:
        rest = h.following[pairs]
        h.following[pairs] = -1
        root = meld(h, root, pairs)
        pairs = rest
    if root >= 0:
        h.previous[root] = -1
    return root


cdef inline index_t cut(Pairing *h, index_t root, index_t item) noexcept nogil:
    """Take an item out of the heap that it is in; the root."""
    cdef index_t below = _gather(h, h.child[item]), p
    if item == root:
        return below
    p = h.previous[item]
    if h.child[p] == item:
        h.child[p] = h.following[item]
    else:
        h.following[p] = h.following[item]
    if h.following[item] >= 0:
        h.previous[h.following[item]] = p
    return meld(h, root, below)
