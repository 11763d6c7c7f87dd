"""The arcs that pairs of nodes on a grid use, in dimension order."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals

from cext import _checks

from cext._types cimport flag_t, index_t, offset_t, value_t


cdef offset_t _along(
    const index_t *arcs,
    const value_t *hop,
    int columns,
    offset_t line,
    offset_t stride,
    offset_t size,
    offset_t position,
    offset_t steps,
    int column,
    value_t amount,
    index_t *arc,
    value_t *share,
    value_t *seconds,
) noexcept nogil:
    """Write so many arcs along a line from a position; odd columns lead down. Adds their seconds."""
    cdef offset_t k
    for k in range(steps):
        arc[k] = arcs[(line + stride * position) * columns + column]
        share[k] = amount
        if arc[k] >= 0:
            seconds[0] += hop[arc[k]]
        if column & 1:
            position = position - 1 if position > 0 else size - 1
        else:
            position = position + 1 if position + 1 < size else 0
    return steps


def grid_routes(
    const index_t[::1] dims,
    const flag_t[::1] wrapped,
    const index_t[:, ::1] arcs,
    const value_t[::1] hop,
    const index_t[::1] source,
    const index_t[::1] target,
    bint tie_split=True,
):
    """Arcs of pairs on a grid that go the short way round, dimension 0 first: ptr, arc, share, seconds.

    See ``_grid_routes.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a ring of 4, two steps away: half each way round
    >>> i = np.int32
    >>> arcs = np.arange(8, dtype=i).reshape(4, 2)
    >>> ring, ends = (np.array([4], i), np.ones(1, np.uint8)), (np.array([0], i), np.array([2], i))
    >>> grid_routes(*ring, arcs, np.zeros(8), *ends)[1:3]
    (array([0, 2, 1, 7], dtype=int32), array([0.5, 0.5, 0.5, 0.5]))
    """
    nodes = _checks.check_grid(np.asarray(dims), np.asarray(wrapped))
    cdef int k = dims.shape[0], i
    if arcs.shape[0] != nodes or arcs.shape[1] != 2 * k:
        raise ValueError(f"arcs must have shape ({nodes}, {2 * k})")
    if arcs.size and (np.min(arcs) < -1 or np.max(arcs) >= len(hop)):
        raise ValueError(f"arcs must lie in -1 to {len(hop) - 1}")
    _checks.check_amounts(hop=np.asarray(hop))
    _checks.check_range("source", np.asarray(source), nodes)
    _checks.check_length(len(source), target=target)
    _checks.check_range("target", np.asarray(target), nodes)
    cdef offset_t P = source.shape[0], f, n, total, stride, size, p, q, here, line, up, half
    cdef offset_t[::1] ptr = np.zeros(P + 1, np.int64)
    cdef value_t[::1] seconds = np.zeros(P + 1)
    cdef bint split = False, counting
    cdef value_t upward, downward
    cdef index_t[::1] arc = np.empty(1, np.int32)
    cdef value_t[::1] share = np.empty(1)
    for counting in (True, False):
        if not counting:
            np.cumsum(ptr, out=np.asarray(ptr))
            arc = np.empty(ptr[P] + 1, np.int32)
            share = np.empty(ptr[P] + 1)
        with nogil:
            for f in range(P):
                n = ptr[f]
                total = 0
                here = source[f]
                stride = 1
                for i in range(k):
                    size = dims[i]
                    p = here // stride % size
                    q = target[f] // stride % size
                    line = here - stride * p
                    here = line + stride * q
                    up = q - p if q >= p else q - p + size
                    half = 0
                    if not wrapped[i]:
                        half = 1 if q >= p else -1
                    elif 2 * up < size or (2 * up == size and (size == 2 or not tie_split)):
                        half = 1                        # both links of a dimension of 2 are one arc
                    elif 2 * up > size:
                        half = -1
                    if counting:
                        total += (up if half > 0 else size - up if half < 0 else size) if p != q else 0
                        split = split or (half == 0 and p != q)
                    elif p != q:
                        upward = downward = 0
                        if half >= 0:
                            n += _along(&arcs[0, 0], &hop[0], 2 * k, line, stride, size, p, up, 2 * i,
                                        1 if half else 0.5, &arc[n], &share[n], &upward)
                        if half <= 0:
                            n += _along(&arcs[0, 0], &hop[0], 2 * k, line, stride, size, p, size - up, 2 * i + 1,
                                        1 if half else 0.5, &arc[n], &share[n], &downward)
                        seconds[f] += max(upward, downward)
                    stride *= size
                if counting:
                    ptr[f + 1] = total
        PyErr_CheckSignals()
    return (
        np.asarray(ptr),
        np.asarray(arc)[:ptr[P]],
        np.asarray(share)[:ptr[P]] if split else None,
        np.asarray(seconds)[:P],
    )
