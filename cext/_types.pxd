"""Types that every kernel shares, and how work is cut into blocks."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from openmp cimport omp_get_max_threads

ctypedef int32_t index_t    # a node, an arc, a hop count
ctypedef int64_t offset_t   # where a row of a CSR array begins
ctypedef double value_t     # an amount, a weight, seconds
ctypedef uint8_t flag_t     # yes or no
ctypedef uint64_t word_t    # 64 searches at once, a bit each

cdef enum:
    BLOCKS = 8  # constant, so that a sum does not depend on the number of threads


cdef inline offset_t block_start(offset_t block, offset_t blocks, offset_t items) noexcept nogil:
    """First item of a block; block ``blocks`` starts at ``items``."""
    return block * items // blocks


cdef inline int thread_count(int threads) noexcept nogil:
    """``threads``, or as many as OpenMP would take if it is 0."""
    return threads if threads > 0 else omp_get_max_threads()
