"""What several kernels do with the pattern of a CSR array."""

from cext._types cimport index_t, offset_t


cdef inline void invert(
    const offset_t[::1] ptr, const index_t[::1] item, offset_t[::1] start, index_t[::1] row
) noexcept nogil:
    """The transpose of a CSR pattern; start is zero at first, and one longer than it needs to be."""
    cdef offset_t i, j
    for j in range(item.shape[0]):
        start[item[j] + 2] += 1
    for i in range(2, start.shape[0]):
        start[i] += start[i - 1]
    for i in range(ptr.shape[0] - 1):
        for j in range(ptr[i], ptr[i + 1]):
            row[start[item[j] + 1]] = <index_t> i
            start[item[j] + 1] += 1
