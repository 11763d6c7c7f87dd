"""Link loads of a grid under dimension-order routing: dimension 0 first, the short way round."""

import numpy as np

from cext import _checks

from cext._types cimport flag_t, index_t, offset_t, value_t


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
    cdef offset_t j, stride, size, p, q, here, line, up
    cdef value_t upward
    with nogil:
        for j in range(source.shape[0]):
            here = source[j]
            stride = 1
            for i in range(k):
                size = dims[i]
                p = here // stride % size
                q = target[j] // stride % size
                line = here - stride * p
                up = q - p if q >= p else q - p + size
                if not wrapped[i]:
                    upward = 1 if q >= p else 0
                elif 2 * up == size:
                    upward = 0.5 if tie_split else 1
                else:
                    upward = 1 if 2 * up < size else 0
                if upward > 0:
                    _walk(loads, line, stride, size, p, up, 2 * i, upward * amount[j])
                if upward < 1:
                    _walk(loads, line, stride, size, p, size - up, 2 * i + 1, (1 - upward) * amount[j])
                here = line + stride * q
                stride *= size
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
