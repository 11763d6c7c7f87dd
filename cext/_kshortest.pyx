"""The K shortest loopless paths of many pairs, by hops."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks

from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count

cdef enum:
    BUDGET = 50_000_000  # arcs looked at between two looks at the keyboard: a fraction of a second


cdef void _hops_to(index_t target, const offset_t[::1] indptr, const index_t[::1] heads, const flag_t[::1] forwards,
                   index_t[::1] hops, index_t[::1] queue) noexcept nogil:
    """Hops from every node to the target, -1 where no path leads; arcs come in pairs, so arcs out serve as arcs in."""
    cdef index_t head = 0, tail = 1, u, v
    cdef offset_t a
    hops[:] = -1
    hops[target] = 0
    queue[0] = target
    while head < tail:
        u = queue[head]
        head += 1
        if u != target and not forwards[u]:
            continue
        for a in range(indptr[u], indptr[u + 1]):
            v = heads[a]
            if hops[v] < 0:
                hops[v] = hops[u] + 1
                queue[tail] = v
                tail += 1


cdef index_t _spur(index_t start, index_t target, index_t search, const offset_t[::1] indptr,
                   const index_t[::1] heads, const flag_t[::1] forwards, const index_t[::1] hops,
                   const flag_t[::1] banned, const flag_t[::1] passed, index_t[::1] seen, index_t[::1] since,
                   index_t[::1] into, index_t[::1] came, index_t[::1] bucket, index_t[::1] entry, index_t[::1] depth,
                   index_t[::1] following, offset_t[::1] work) noexcept nogil:
    """A shortest path from start to target by A*, or -1: by no passed node, and not by a banned arc first.

    Hops without those limits estimate what remains: they never fall by more than one a step, so a node is settled
    when first taken. Buckets hold entries by hops so far plus estimate, last in first out. into and came tell the way.
    """
    cdef index_t total = hops[start], last = total, entries = 1, place, u, v, by
    cdef offset_t a
    bucket[total] = 0
    entry[0], depth[0], following[0] = start, 0, -1
    seen[start], since[start] = search, 0
    while total <= last:
        place = bucket[total]
        if place < 0:
            total += 1
            continue
        bucket[total] = following[place]
        u = entry[place]
        if depth[place] != since[u]:
            continue
        since[u] = -since[u] - 1                        # settled
        if u == target:
            for by in range(total, last + 1):
                bucket[by] = -1
            return depth[place]
        work[0] += indptr[u + 1] - indptr[u]
        for a in range(indptr[u + 1] - 1, indptr[u] - 1, -1):
            v = heads[a]
            if passed[v] or hops[v] < 0 or (u == start and banned[a]) or not (forwards[v] or v == target):
                continue
            if seen[v] == search and since[v] <= depth[place] + 1:
                continue
            seen[v], since[v], into[v], came[v] = search, depth[place] + 1, <index_t> a, u
            by = depth[place] + 1 + hops[v]
            while last < by:
                last += 1
                bucket[last] = -1
            entry[entries], depth[entries], following[entries] = v, since[v], bucket[by]
            bucket[by] = entries
            entries += 1
    return -1


cdef inline bint _before(index_t c, index_t d, const index_t[::1] length) noexcept nogil:
    """Is a candidate shorter, or as long and older?"""
    return length[c] < length[d] or (length[c] == length[d] and c < d)


cdef void _push(index_t c, index_t size, index_t[::1] heap, const index_t[::1] length) noexcept nogil:
    """Add a candidate to a heap of so many."""
    cdef index_t place = size, parent
    while place:
        parent = (place - 1) // 2
        if not _before(c, heap[parent], length):
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = c


cdef index_t _pop(index_t size, index_t[::1] heap, const index_t[::1] length) noexcept nogil:
    """Take the first candidate from a heap of so many."""
    cdef index_t first = heap[0], c = heap[size - 1], place = 0, child
    while 2 * place + 1 < size - 1:
        child = 2 * place + 1
        if child + 1 < size - 1 and _before(heap[child + 1], heap[child], length):
            child += 1
        if not _before(heap[child], c, length):
            break
        heap[place] = heap[child]
        place = child
    heap[place] = c
    return first


cdef index_t _pair(index_t source, index_t target, index_t k, const offset_t[::1] indptr, const index_t[::1] heads,
                   const flag_t[::1] forwards, const index_t[::1] hops, flag_t[::1] banned, flag_t[::1] passed,
                   index_t[::1] seen, index_t[::1] since, index_t[::1] into, index_t[::1] came, index_t[::1] bucket,
                   index_t[::1] entry, index_t[::1] depth, index_t[::1] following, index_t[::1] search,
                   index_t[::1] store, offset_t[::1] begin, index_t[::1] length, index_t[::1] turn,
                   index_t[::1] heap, index_t[::1] taken, offset_t[::1] work) noexcept nogil:
    """Find up to k paths: taken holds them, by place in begin and length; return how many, -1 if room is short.

    turn is the hop where a candidate leaves the path that it was found from: hops before are not varied again.
    """
    cdef index_t waiting = 0, candidates = 0, count = 0, p, i, j, q, v, found
    cdef offset_t used = 0, a
    cdef bint same
    if hops[source] < 0:
        return 0
    p = -1                                              # the first search varies nothing
    while count < k:
        if p >= 0:
            if not waiting:
                break
            p = _pop(waiting, heap, length)
            waiting -= 1
            taken[count] = p
            count += 1
            if count == k:
                break
        v = source
        if p >= 0:
            for i in range(turn[p]):
                passed[v] = 1
                v = heads[store[begin[p] + i]]
        for i in range(turn[p] if p >= 0 else 0, length[p] if p >= 0 else 1):
            for j in range(count):
                q = taken[j]
                if length[q] <= i:
                    continue
                same = True
                for a in range(i):
                    if store[begin[q] + a] != store[begin[p] + a]:
                        same = False
                        break
                if same:
                    banned[store[begin[q] + i]] = 1
            search[0] += 1
            found = _spur(v, target, search[0], indptr, heads, forwards, hops, banned, passed, seen, since, into, came,
                          bucket, entry, depth, following, work)
            for a in range(indptr[v], indptr[v + 1]):
                banned[a] = 0
            if found >= 0:
                if candidates == length.shape[0] or used + i + found > store.shape[0]:
                    passed[:] = 0
                    return -1
                begin[candidates], length[candidates], turn[candidates] = used, i + found, i
                for j in range(i):
                    store[used + j] = store[begin[p] + j]
                q = target
                for j in range(i + found - 1, i - 1, -1):
                    store[used + j] = into[q]
                    q = came[q]
                used += i + found
                _push(candidates, waiting, heap, length)
                candidates += 1
                waiting += 1
            passed[v] = 1
            if p >= 0:
                v = heads[store[begin[p] + i]]
        passed[source] = 0
        if p >= 0:
            for i in range(length[p]):
                passed[heads[store[begin[p] + i]]] = 0
        p = 0
    return count


cdef void _block(offset_t[::1] at, offset_t stop, const offset_t[::1] order, const index_t[::1] source,
                 const index_t[::1] target, index_t k, const offset_t[::1] indptr, const index_t[::1] heads,
                 const flag_t[::1] forwards, flag_t[::1] banned, flag_t[::1] passed, index_t[:, ::1] node,
                 index_t[:, ::1] queue, index_t[::1] store, offset_t[::1] begin, index_t[:, ::1] candidate,
                 index_t[::1] taken, index_t[::1] search, index_t[::1] counts, index_t[::1] lengths,
                 index_t[::1] arcs, offset_t[::1] size) noexcept nogil:
    """Serve the pairs of a block from at[0] on, until work, or room for the answer, runs out.

    at[1] is the target that node[0] holds the hops to, at[2] the work done; size is the paths and arcs written.
    """
    cdef index_t count, j
    cdef offset_t i, a
    at[2] = 0
    while at[0] < stop and at[2] < BUDGET:
        i = order[at[0]]
        if at[1] != target[i]:
            at[1] = target[i]
            at[2] += heads.shape[0]
            _hops_to(target[i], indptr, heads, forwards, node[0], queue[1])
        count = _pair(source[i], target[i], k, indptr, heads, forwards, node[0], banned, passed, node[1], node[2],
                      node[3], node[4], queue[0], queue[1], queue[2], queue[3], search, store, begin, candidate[0],
                      candidate[1], candidate[2], taken, at[2:])
        if count < 0:
            return
        a = 0
        for j in range(count):
            a += candidate[0, taken[j]]
        if size[0] + count > lengths.shape[0] or size[1] + a > arcs.shape[0]:
            return
        counts[at[0]] = count
        for j in range(count):
            lengths[size[0]] = candidate[0, taken[j]]
            size[0] += 1
            for a in range(candidate[0, taken[j]]):
                arcs[size[1]] = store[begin[taken[j]] + a]
                size[1] += 1
        at[0] += 1


def k_shortest_paths(
    const offset_t[::1] indptr,
    const index_t[::1] heads,
    const index_t[::1] twin,
    const flag_t[::1] forwards,
    const index_t[::1] source,
    const index_t[::1] target,
    index_t k,
    int threads=0,
):
    """The k shortest loopless paths of each pair, by hops: pair_ptr, path_ptr, path_arc.

    See ``_kshortest.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a triangle: one path of one hop, one of two
    >>> i = np.int32
    >>> graph = np.array([0, 2, 4, 6]), np.array([1, 2, 0, 2, 0, 1], i), np.array([2, 4, 0, 5, 1, 3], i)
    >>> k_shortest_paths(*graph, np.ones(3, np.uint8), np.array([0], i), np.array([1], i), 3)
    (array([0, 2]), array([0, 1, 3]), array([0, 1, 5], dtype=int32))
    """
    cdef offset_t V = indptr.shape[0] - 1, A = heads.shape[0], P = source.shape[0], b
    _checks.check_graph(np.asarray(indptr), np.asarray(heads))
    _checks.check_twin(np.asarray(indptr), np.asarray(heads), np.asarray(twin))
    _checks.check_length(V, forwards=forwards)
    _checks.check_pairs(np.asarray(source), np.asarray(target), np.ones(P), nodes=V)
    _checks.check_threads(threads)
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")

    cdef offset_t blocks = min(<offset_t> BLOCKS, P)
    cdef const offset_t[::1] order = np.argsort(target, kind="stable")
    cdef offset_t[:, ::1] at = np.zeros((blocks, 3), np.int64)
    cdef offset_t[::1] stop = np.array([block_start(b + 1, blocks, P) for b in range(blocks)])
    cdef flag_t[:, ::1] banned = np.zeros((blocks, A), np.uint8)
    cdef flag_t[:, ::1] passed = np.zeros((blocks, V), np.uint8)
    cdef index_t[:, :, ::1] node = np.zeros((blocks, 5, V), np.int32)
    cdef index_t[:, :, ::1] queue = np.empty((blocks, 4, max(A, 2 * V) + 2), np.int32)
    cdef index_t[:, ::1] taken = np.empty((blocks, k), np.int32)
    cdef index_t[:, ::1] search = np.zeros((blocks, 1), np.int32)
    cdef index_t[::1] counts = np.zeros(P, np.int32)
    cdef index_t[:, :, ::1] candidate
    cdef index_t[:, ::1] store, lengths, arcs
    cdef offset_t[:, ::1] begin, size
    cdef int team = 1 if P * k < 1000 else thread_count(threads)
    room = 1024
    for b in range(blocks):
        at[b, 0], at[b, 1] = block_start(b, blocks, P), -1
    written = [([], []) for _ in range(blocks)]
    while any(at[b, 0] < stop[b] for b in range(blocks)):
        candidate, begin = np.empty((blocks, 3, room), np.int32), np.empty((blocks, room), np.int64)
        store, arcs = np.empty((blocks, 16 * room), np.int32), np.empty((blocks, 64 * room), np.int32)
        lengths, size = np.empty((blocks, 4 * room), np.int32), np.zeros((blocks, 2), np.int64)
        before = np.array(at[:, 0])
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            _block(at[b], stop[b], order, source, target, k, indptr, heads, forwards, banned[b], passed[b], node[b],
                   queue[b], store[b], begin[b], candidate[b], taken[b], search[b], counts, lengths[b], arcs[b],
                   size[b])
        PyErr_CheckSignals()
        for b in range(blocks):
            written[b][0].append(np.array(lengths[b, :size[b, 0]]))
            written[b][1].append(np.array(arcs[b, :size[b, 1]]))
        if ((np.asarray(at)[:, 0] == before) & (before < np.asarray(stop))).any():
            room *= 2                                   # the next pair of some block did not fit
    return _in_order(np.asarray(order), np.asarray(counts), written)


def _in_order(order, counts, written):
    """Paths as written, in the order of the targets, put into the order of the pairs."""
    lengths = np.concatenate([piece for block in written for piece in block[0]])
    arcs = np.concatenate([piece for block in written for piece in block[1]])
    pair = np.repeat(order, counts)
    sequence = np.argsort(pair, kind="stable")
    start = (np.cumsum(lengths) - lengths)[sequence]
    lengths = lengths[sequence]
    path_ptr = np.append(0, np.cumsum(lengths))
    place = np.repeat(start - path_ptr[:len(lengths)], lengths) + np.arange(len(arcs))
    pair_ptr = np.append(0, np.cumsum(np.bincount(pair, minlength=len(order))))
    return pair_ptr.astype(np.int64), path_ptr.astype(np.int64), arcs[place]
