"""Hop distances and components: searches that never cross a node that does not forward."""

from time import monotonic

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks

from cext._types cimport BLOCKS, block_start, flag_t, index_t, offset_t, thread_count, value_t, word_t


cdef extern from * nogil:
    int popcount "__builtin_popcountll"(word_t word)
    int lowest_bit "__builtin_ctzll"(word_t word)

cdef enum:
    VISITS_AT_ONCE = 1 << 28    # of arcs, at worst, between two looks for Ctrl-C
    LANES = 64  # searches that share a word


cdef index_t _flood(
    index_t source,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    index_t[::1] dist,
    index_t[::1] queue,
) noexcept nogil:
    """Write hops from the source into dist, which is -1 where nothing was met; return how many were met."""
    cdef index_t head = 0, tail = 1, u, v
    cdef offset_t a
    queue[0] = source
    dist[source] = 0
    while head < tail:
        u = queue[head]
        head += 1
        if u != source and not forwards[u]:
            continue
        for a in range(indptr[u], indptr[u + 1]):
            v = indices[a]
            if dist[v] < 0:
                dist[v] = dist[u] + 1
                queue[tail] = v
                tail += 1
    return tail


def hop_distances(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    index_t source,
):
    """Hops from one node to every node, int32[V], -1 where no path leads.

    See ``_paths.pyi``. Raises ValueError for a malformed array or a source that is no node.

    >>> import numpy as np                              # a path of three nodes
    >>> graph = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1], np.int32)
    >>> hop_distances(*graph, np.ones(3, np.uint8), 0), hop_distances(*graph, np.zeros(3, np.uint8), 0)
    (array([0, 1, 2], dtype=int32), array([ 0,  1, -1], dtype=int32))
    """
    cdef offset_t V = indptr.shape[0] - 1
    _checks.check_graph(np.asarray(indptr), np.asarray(indices))
    _checks.check_length(V, forwards=forwards)
    _checks.check_range("source", np.array([source], np.int32), V)
    cdef index_t[::1] dist = np.full(V, -1, np.int32)
    cdef index_t[::1] queue = np.empty(V, np.int32)
    with nogil:
        _flood(source, indptr, indices, forwards, dist, queue)
    return np.asarray(dist)


def components(const offset_t[::1] indptr, const index_t[::1] indices):
    """Component label of every node of a symmetric graph, int32[V]: 0, 1, ... in order of the lowest node.

    See ``_paths.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # nodes 0 and 2 are joined, 1 stands alone
    >>> components(np.array([0, 1, 1, 2]), np.array([2, 0], np.int32))
    array([0, 1, 0], dtype=int32)
    """
    cdef offset_t V = indptr.shape[0] - 1
    _checks.check_graph(np.asarray(indptr), np.asarray(indices))
    cdef index_t[::1] label = np.empty(V, np.int32)
    cdef index_t[::1] dist = np.full(V, -1, np.int32)
    cdef index_t[::1] queue = np.empty(V, np.int32)
    cdef flag_t[::1] forwards = np.ones(V, np.uint8)
    cdef index_t v, j, met, labels = 0
    with nogil:
        for v in range(V):
            if dist[v] >= 0:
                continue
            met = _flood(v, indptr, indices, forwards, dist, queue)
            for j in range(met):
                label[queue[j]] = labels
            labels += 1
    return np.asarray(label)


cdef void _score(
    word_t fresh,
    index_t first,
    index_t target,
    index_t hops,
    bint alike,
    const value_t[::1] multiplicity,
    const index_t[::1] extra_hops,
    value_t[::1] total,
    offset_t[::1] diameter,
) noexcept nogil:
    """Add the pairs (first + each bit of fresh, target), all so many hops apart; alike terminals at once."""
    cdef index_t s
    cdef offset_t length
    cdef value_t pairs
    while fresh:
        s = first + lowest_bit(fresh)
        pairs = multiplicity[s] * multiplicity[target] * (popcount(fresh) if alike else 1)
        length = <offset_t> hops + extra_hops[s] + extra_hops[target]
        total[0] += pairs * length
        total[1] += pairs
        diameter[0] = max(diameter[0], length)
        fresh = 0 if alike else fresh & (fresh - 1)


cdef offset_t _search_word(
    index_t first,
    index_t lanes,
    bint alike,
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const flag_t[::1] forwards,
    const index_t[::1] terminals,
    const index_t[::1] rank,
    const value_t[::1] multiplicity,
    const index_t[::1] extra_hops,
    word_t[::1] seen,
    word_t[::1] front,
    word_t[::1] found,
    index_t[::1] now,
    index_t[::1] then,
    value_t[::1] total,
    offset_t[::1] diameter,
) noexcept nogil:
    """Search from up to 64 terminals at once; return how many of their pairs have no path.

    Bit i of seen[v] says that terminal first + i has met v, of front[v] that it did so in the last step.
    """
    cdef offset_t a, missing = <offset_t> lanes * (terminals.shape[0] - 1)
    cdef index_t hops = 0, active = lanes, met, j, u, v
    cdef word_t fresh
    seen[:] = 0
    for j in range(lanes):
        now[j] = terminals[first + j]
        seen[now[j]] = front[now[j]] = <word_t> 1 << j

    while active and missing:
        hops += 1
        met = 0
        for j in range(active):
            u = now[j]
            for a in range(indptr[u], indptr[u + 1]):
                v = indices[a]
                fresh = front[u] & ~seen[v]
                if fresh:
                    if not found[v]:
                        then[met] = v
                        met += 1
                    found[v] |= fresh

        active = 0
        for j in range(met):
            v = then[j]
            fresh = found[v]
            found[v] = 0
            seen[v] |= fresh
            front[v] = fresh
            if forwards[v]:
                now[active] = v
                active += 1
            if rank[v] >= 0:
                missing -= popcount(fresh)
                _score(fresh, first, rank[v], hops, alike, multiplicity, extra_hops, total, diameter)
    return missing


cdef void _name_missing(
    index_t first,
    index_t lanes,
    const index_t[::1] terminals,
    const word_t[::1] seen,
    index_t[::1] unreachable,
) noexcept nogil:
    """Note the first source of a word, and the first target, that have no path."""
    cdef index_t i, j
    for i in range(lanes):
        for j in range(terminals.shape[0]):
            if not seen[terminals[j]] >> i & 1:
                unreachable[0] = terminals[first + i]
                unreachable[1] = terminals[j]
                return


def distance_profile(
    const offset_t[::1] indptr,
    const index_t[::1] indices,
    const index_t[::1] twin,
    const flag_t[::1] forwards,
    const index_t[::1] terminals,
    const value_t[::1] multiplicity,
    const index_t[::1] extra_hops,
    int threads=0,
):
    """Sum of hops, weight of pairs and largest hops over all ordered pairs of distinct terminals.

    See ``_paths.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a switch with 2 leaves that stand for 3 hosts each
    >>> graph = np.array([0, 2, 3, 4]), np.array([1, 2, 0, 0], np.int32), np.array([2, 3, 0, 1], np.int32)
    >>> leaves, ones = np.array([1, 2], np.int32), np.ones(2, np.int32)
    >>> distance_profile(*graph, np.ones(3, np.uint8), leaves, np.full(2, 3.0), ones)
    (72.0, 18.0, 4, array([-1, -1], dtype=int32))
    """
    cdef offset_t V = indptr.shape[0] - 1
    _checks.check_graph(np.asarray(indptr), np.asarray(indices))
    _checks.check_twin(np.asarray(indptr), np.asarray(indices), np.asarray(twin))
    _checks.check_length(V, forwards=forwards)
    _checks.check_terminals(np.asarray(terminals), np.asarray(multiplicity), np.asarray(extra_hops), nodes=V)
    _checks.check_threads(threads)
    counted = np.flatnonzero(multiplicity)
    terminals = np.asarray(terminals)[counted]
    multiplicity = np.asarray(multiplicity)[counted]
    extra_hops = np.asarray(extra_hops)[counted]
    positions = np.full(V, -1, np.int32)
    positions[np.asarray(terminals)] = np.arange(counted.size, dtype=np.int32)

    cdef index_t T = terminals.shape[0], first, lanes
    cdef offset_t words = (T + LANES - 1) // LANES, blocks = min(<offset_t> BLOCKS, words), b, w
    cdef bint alike = np.unique(multiplicity).size <= 1 and np.unique(extra_hops).size <= 1
    cdef const index_t[::1] rank = positions
    cdef word_t[:, ::1] seen = np.zeros((blocks, V), np.uint64)
    cdef word_t[:, ::1] front = np.zeros((blocks, V), np.uint64)
    cdef word_t[:, ::1] found = np.zeros((blocks, V), np.uint64)
    cdef index_t[:, ::1] now = np.empty((blocks, V), np.int32)
    cdef index_t[:, ::1] then = np.empty((blocks, V), np.int32)
    cdef value_t[:, ::1] total = np.zeros((blocks, 2))
    cdef offset_t[:, ::1] diameter = np.zeros((blocks, 1), np.int64)
    cdef index_t[:, ::1] unreachable = np.full((blocks, 2), -1, np.int32)
    cdef offset_t missing, done = 0, at_once = 1, start, stop
    cdef int team = thread_count(threads)

    while done * blocks < words + blocks:
        PyErr_CheckSignals()
        began = monotonic()
        for b in prange(blocks, nogil=True, schedule="dynamic", chunksize=1, num_threads=team):
            start = block_start(b, blocks, words) + done
            stop = min(start + at_once, block_start(b + 1, blocks, words))
            for w in range(start, stop):
                first = <index_t> (w * LANES)
                lanes = min(<index_t> LANES, T - first)
                missing = _search_word(first, lanes, alike, indptr, indices, forwards, terminals, rank,
                                       multiplicity, extra_hops, seen[b], front[b], found[b],
                                       now[b], then[b], total[b], diameter[b])
                if missing and unreachable[b, 0] < 0:
                    _name_missing(first, lanes, terminals, seen[b], unreachable[b])
        done += at_once
        if monotonic() - began < 0.25:
            at_once = min(2 * at_once, max(VISITS_AT_ONCE // (blocks * (V + indices.shape[0])), 1))

    hop_sum, pair_weight = np.asarray(total).sum(axis=0).tolist()
    first_missing = next((pair for pair in np.asarray(unreachable) if pair[0] >= 0), [-1, -1])
    return hop_sum, pair_weight, int(np.max(diameter, initial=0)), np.array(first_missing, np.int32)
