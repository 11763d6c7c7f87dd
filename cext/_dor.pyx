"""Link loads of a grid under dimension-order routing: dimension 0 first, the short way round."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange

from cext import _checks

from cext._types cimport flag_t, index_t, offset_t, thread_count, value_t, word_t

cdef enum:
    ENTRIES_AT_ONCE = 1 << 28   # of a matrix, summed between two looks for Ctrl-C
    PAIRS_AT_ONCE = 1 << 22


cdef inline value_t _upward(offset_t p, offset_t q, offset_t size, bint wrapped, bint tie_split) noexcept nogil:
    """Share of what goes from p to q of a line that goes up: all or nothing, but half way round a ring."""
    cdef offset_t up = q - p if q >= p else q - p + size
    if not wrapped:
        return 1 if q >= p else 0
    if 2 * up == size:
        return 0.5 if tie_split else 1
    return 1 if 2 * up < size else 0


cdef inline void _walk(
    value_t[:, ::1] loads,
    offset_t line,
    offset_t stride,
    offset_t size,
    offset_t position,
    offset_t steps,
    int column,
    value_t amount,
) noexcept nogil:
    """Add an amount to so many arcs along a line from a position; odd columns lead down."""
    cdef offset_t _
    for _ in range(steps):
        loads[line + stride * position, column] += amount
        if column & 1:
            position = position - 1 if position > 0 else size - 1
        else:
            position = position + 1 if position + 1 < size else 0


def dor_loads(
    const index_t[::1] dims,
    const flag_t[::1] wrapped,
    const index_t[::1] source,
    const index_t[::1] target,
    const value_t[::1] amount,
    bint tie_split=True,
):
    """Loads of a grid's arcs, shape (nodes, 2 x dimensions), when pairs go the short way, dimension 0 first.

    See ``_dor.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a ring of 4, two steps away: half each way round
    >>> ring, s, t = (np.array([x], np.int32) for x in (4, 0, 2))
    >>> dor_loads(ring, np.ones(1, np.uint8), s, t, np.ones(1)).tolist()
    [[0.5, 0.5], [0.5, 0.0], [0.0, 0.0], [0.0, 0.5]]
    """
    nodes = _checks.check_grid(np.asarray(dims), np.asarray(wrapped))
    _checks.check_length(len(source), target=target, amount=amount)
    _checks.check_range("source", np.asarray(source), nodes)
    _checks.check_range("target", np.asarray(target), nodes)
    _checks.check_amounts(amount=np.asarray(amount))

    cdef int k = dims.shape[0], i
    cdef value_t[:, ::1] loads = np.zeros((nodes, 2 * k))
    cdef offset_t pairs = source.shape[0], at_once, first, j, stride, size, p, q, here, line, up
    cdef value_t upward
    at_once = max(PAIRS_AT_ONCE // (1 + <offset_t> np.sum(dims) // 4), 1)
    for first in range(0, pairs, at_once):
        PyErr_CheckSignals()
        with nogil:
            for j in range(first, min(first + at_once, pairs)):
                here = source[j]
                stride = 1
                for i in range(k):
                    size = dims[i]
                    p = here // stride % size
                    q = target[j] // stride % size
                    line = here - stride * p
                    up = q - p if q >= p else q - p + size
                    upward = _upward(p, q, size, wrapped[i], tie_split)
                    if upward > 0:
                        _walk(loads, line, stride, size, p, up, 2 * i, upward * amount[j])
                    if upward < 1:
                        _walk(loads, line, stride, size, p, size - up, 2 * i + 1, (1 - upward) * amount[j])
                    here = line + stride * q
                    stride *= size
    return np.asarray(loads)


cdef inline bint _add_rows(
    const value_t[:, ::1] matrix,
    offset_t first,
    offset_t last,
    int k,
    const offset_t[::1] strides,
    const offset_t[::1] starts,
    value_t[::1] turns,
    value_t[::1] row,
) noexcept nogil:
    """Add the demand of sources first to last - 1 to the turns of every dimension, the last dimension first.

    row is what the source sends, summed over the coordinates of the target that are yet to come. Returns whether any
    entry has the sign of a negative number.
    """
    cdef offset_t s, j, plane, below, above
    cdef int i
    cdef value_t* turn
    cdef const value_t* sent
    cdef word_t signs = 0
    for s in range(first, last):
        sent = &matrix[s, 0]
        for j in range(strides[k]):
            signs |= (<const word_t*> sent)[j]
        for i in range(k - 1, -1, -1):
            below, above = strides[i], strides[i + 1]
            turn = &turns[starts[i] + s // below * above]
            for j in range(below):
                turn[j] += sent[j]
            if i == 0:
                for j in range(below, above):
                    turn[j] += sent[j]
                continue
            for j in range(below):
                row[j] = sent[j]
            for plane in range(1, above // below):
                for j in range(below):
                    turn[plane * below + j] += sent[plane * below + j]
                    row[j] += sent[plane * below + j]
            sent = &row[0]
    return signs >> 63


cdef void _along_lines(
    const value_t[::1] turns,
    int i,
    offset_t stride,
    offset_t size,
    offset_t nodes,
    bint wrapped,
    bint tie_split,
    value_t[:, ::1] loads,
) noexcept nogil:
    """Carry the turns of dimension i along its lines.

    turns[(s_i, s_i+1, ...), (t_0, ..., t_i)] is what turns into dimension i at (t_0 .. t_i-1, s_i, ...) and leaves it
    at t_i. What goes m hops or more from p passes the m-th arc: a sum from the far end, without a difference.
    """
    cdef offset_t above, below, p, m, q, line, far
    cdef value_t up, down, share, amount
    cdef const value_t* row
    for above in range(nodes // (stride * size)):
        for p in range(size):
            row = &turns[(above * size + p) * stride * size]
            for below in range(stride):
                line = above * stride * size + below
                far = size - 1 - p if not wrapped else size // 2
                up = 0
                for m in range(far, 0, -1):
                    q = p + m if p + m < size else p + m - size
                    share = _upward(p, q, size, wrapped, tie_split)
                    amount = row[q * stride + below]
                    up += share * amount
                    q = q - 1 if q > 0 else size - 1
                    loads[line + stride * q, 2 * i] += up
                far = p if not wrapped else size // 2
                down = 0
                for m in range(far, 0, -1):
                    q = p - m if p >= m else p - m + size
                    share = 1 - _upward(p, q, size, wrapped, tie_split)
                    amount = row[q * stride + below]
                    down += share * amount
                    q = q + 1 if q + 1 < size else 0
                    loads[line + stride * q, 2 * i + 1] += down


def dor_dense_loads(
    const index_t[::1] dims,
    const flag_t[::1] wrapped,
    const value_t[:, ::1] matrix,
    bint tie_split=True,
    int threads=0,
):
    """Loads of dor_loads for a whole matrix of demand, row = source, by one sum a dimension.

    See ``_dor.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a line of 3: 0 sends 5 to the far end
    >>> line, demand = np.array([3], np.int32), np.zeros((3, 3))
    >>> demand[0, 2] = 5
    >>> dor_dense_loads(line, np.zeros(1, np.uint8), demand).tolist()
    [[5.0, 0.0], [5.0, 0.0], [0.0, 0.0]]
    """
    cdef offset_t nodes = _checks.check_grid(np.asarray(dims), np.asarray(wrapped)), slabs, slab, first, at_once
    _checks.check_length(nodes, matrix=matrix)
    _checks.check_length(nodes, **{"a row of matrix": matrix[0]})
    _checks.check_threads(threads)
    cdef offset_t last
    cdef int k = dims.shape[0], team = thread_count(threads)
    cdef const offset_t[::1] strides = np.concatenate([[1], np.cumprod(dims, dtype=np.int64)])
    cdef const offset_t[::1] starts = np.concatenate([[0], np.cumsum(dims, dtype=np.int64)]) * nodes
    cdef value_t[::1] turns = np.zeros(starts[k])
    slabs = dims[k - 1]                                 # sources of a slab add to turns of their own
    cdef value_t[:, ::1] row = np.empty((slabs, strides[k - 1]))
    cdef flag_t[::1] signs = np.zeros(slabs, np.uint8)
    at_once = max(ENTRIES_AT_ONCE // (nodes * strides[k - 1]), 1)
    for first in range(0, slabs, at_once):
        PyErr_CheckSignals()
        last = min(first + at_once, slabs)
        for slab in prange(first, last, nogil=True, schedule="dynamic", num_threads=team):
            signs[slab] = _add_rows(matrix, slab * strides[k - 1], (slab + 1) * strides[k - 1], k, strides, starts,
                                    turns, row[slab])
    if not np.isfinite(turns).all() or (np.any(signs) and np.min(matrix) < 0):
        raise ValueError("matrix must be finite and not negative")
    sums = np.asarray(turns)
    return dor_turn_loads(dims, wrapped, [sums[starts[i]:starts[i + 1]] for i in range(k)], tie_split)


def dor_turn_loads(const index_t[::1] dims, const flag_t[::1] wrapped, turns, bint tie_split=True):
    """Loads of dor_loads for what turns into each dimension, summed over all that makes no difference to it.

    See ``_dor.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a line of 3: 0 sends 5 to the far end
    >>> demand = np.array([0.0, 0, 5, 0, 0, 0, 0, 0, 0])
    >>> dor_turn_loads(np.array([3], np.int32), np.zeros(1, np.uint8), [demand]).tolist()
    [[5.0, 0.0], [5.0, 0.0], [0.0, 0.0]]
    """
    cdef offset_t nodes = _checks.check_grid(np.asarray(dims), np.asarray(wrapped)), stride = 1
    cdef int i
    cdef value_t[:, ::1] loads = np.zeros((nodes, 2 * len(dims)))
    cdef const value_t[::1] turn
    _checks.check_length(len(dims), turns=turns)
    for i in range(dims.shape[0]):
        turn = turns[i]
        _checks.check_length(nodes * dims[i], **{f"turns[{i}]": turn})
        _checks.check_amounts(**{f"turns[{i}]": np.asarray(turn)})
        PyErr_CheckSignals()
        with nogil:
            _along_lines(turn, i, stride, dims[i], nodes, wrapped[i], tie_split, loads)
        stride *= dims[i]
    return np.asarray(loads)


def dor_uniform_loads(const index_t[::1] dims, const flag_t[::1] wrapped, bint tie_split=True):
    """Loads of dor_loads for one unit between every ordered pair of nodes, in closed form.

    See ``_dor.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a line of 3: 2 pairs cross each arc
    >>> dor_uniform_loads(np.array([3], np.int32), np.zeros(1, np.uint8)).tolist()
    [[2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]
    """
    cdef offset_t n = _checks.check_grid(np.asarray(dims), np.asarray(wrapped))
    cdef int k = dims.shape[0], i
    cdef value_t[:, ::1] loads = np.empty((n, 2 * k))
    cdef offset_t node, stride = 1, x
    cdef value_t size, lines, half, tie
    with nogil:
        for i in range(k):
            size = dims[i]
            lines = n // dims[i]                        # pairs (s, t) that ask a line for the same (p, q)
            half = (dims[i] - 1) // 2
            tie = size / 2 if dims[i] % 2 == 0 else 0   # hops of the pair half way round
            for node in range(n):
                x = node // stride % dims[i]
                if wrapped[i]:
                    loads[node, 2 * i] = lines * (half * (half + 1) / 2 + (tie / 2 if tie_split else tie))
                    loads[node, 2 * i + 1] = lines * (half * (half + 1) / 2 + (tie / 2 if tie_split else 0))
                else:
                    loads[node, 2 * i] = lines * (x + 1) * (size - 1 - x)
                    loads[node, 2 * i + 1] = lines * x * (size - x)
            stride *= dims[i]
    return np.asarray(loads)
