"""Orders: items that wait for others, and whether any waits for itself."""

import numpy as np

from cext import _checks

from cext._csr cimport invert
from cext._types cimport index_t, offset_t


def first_cycle(const offset_t[::1] pred_ptr, const index_t[::1] pred):
    """The first item that waits for itself through its predecessors, or -1.

    See ``_order.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # 1 waits for 2 and 2 for 1
    >>> first_cycle(np.array([0, 0, 1, 2]), np.array([2, 1], np.int32))
    1
    """
    cdef offset_t F = pred_ptr.shape[0] - 1, j, head = 0, tail = 0
    cdef index_t f, s
    _checks.check_offsets("pred_ptr", np.asarray(pred_ptr), len(pred))
    _checks.check_range("pred", np.asarray(pred), F)
    if not (np.asarray(pred) >= np.repeat(np.arange(F), np.diff(pred_ptr))).any():
        return -1                                       # all wait for earlier ones alone
    cdef offset_t[::1] next_ptr = np.zeros(F + 2, np.int64)
    cdef index_t[::1] following = np.empty(pred.shape[0] + 1, np.int32)
    cdef index_t[::1] missing = np.diff(pred_ptr).astype(np.int32)
    cdef index_t[::1] queue = np.empty(F, np.int32)
    with nogil:
        invert(pred_ptr, pred, next_ptr, following)
        for f in range(F):
            if missing[f] == 0:
                queue[tail] = f
                tail += 1
        while head < tail:
            f = queue[head]
            head += 1
            for j in range(next_ptr[f], next_ptr[f + 1]):
                s = following[j]
                missing[s] -= 1
                if missing[s] == 0:
                    queue[tail] = s
                    tail += 1
    # what is left waits for a cycle; going back from any of it leads into one
    left = np.flatnonzero(missing)
    if left.size == 0:
        return -1
    waits = np.asarray(missing) > 0
    at, seen = int(left[0]), set()
    while at not in seen:
        seen.add(at)
        before = np.asarray(pred)[pred_ptr[at]:pred_ptr[at + 1]]
        at = int(before[waits[before]][0])
    cycle, one = [at], at
    while True:
        before = np.asarray(pred)[pred_ptr[one]:pred_ptr[one + 1]]
        one = int(before[waits[before]][0])
        if one == at:
            return min(cycle)
        cycle.append(one)
