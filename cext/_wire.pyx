"""Protocol buffers on the wire: where the messages and fields of many stretches of bytes are."""

import numpy as np

from cext import _checks

from cext._types cimport flag_t, index_t, offset_t, word_t

cdef enum:
    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5
    GOOD = 0
    CUT_NUMBER = 1      # it ends within a number
    LONG_NUMBER = 2     # a number of more than 64 bits
    CUT_FIELD = 3       # a field, or a message behind its length, is longer than what is left
    NO_FIELD = 4        # a field number that there is not
    NO_TYPE = 5         # a wire type that there is not

cdef struct Reader:
    const flag_t *data
    offset_t at
    offset_t end
    word_t value        # what was read last, or what is wrong
    int wrong


cdef inline void _varint(Reader *r) noexcept nogil:
    """Read an unsigned number of at most 64 bits."""
    cdef int shift = 0
    cdef word_t byte
    r.value = 0
    while True:
        if r.at >= r.end:
            r.wrong = CUT_NUMBER
            return
        byte = r.data[r.at]
        r.at += 1
        if shift > 63 or (shift == 63 and byte > 1):
            r.wrong = LONG_NUMBER
            return
        r.value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return
        shift += 7


cdef inline void _skip(Reader *r, word_t size) noexcept nogil:
    if size > <word_t> (r.end - r.at):
        r.wrong = CUT_FIELD
        r.value = size
    else:
        r.at += <offset_t> size


cdef inline void _field(Reader *r, word_t *key, word_t *value, offset_t *size) noexcept nogil:
    """Read a field: its key, its number or where its bytes begin, and how many those are."""
    cdef offset_t j
    _varint(r)
    key[0] = r.value
    value[0] = 0
    size[0] = 0
    if r.wrong:
        return
    if not 1 <= key[0] >> 3 < 1 << 29:
        r.wrong = NO_FIELD
        r.value = key[0] >> 3
    elif key[0] & 7 == VARINT:
        _varint(r)
        value[0] = r.value
    elif key[0] & 7 == BYTES:
        _varint(r)
        if r.wrong:
            return
        value[0] = <word_t> r.at
        size[0] = <offset_t> r.value
        _skip(r, r.value)
    elif key[0] & 7 == FIXED64 or key[0] & 7 == FIXED32:
        size[0] = 8 if key[0] & 7 == FIXED64 else 4
        _skip(r, <word_t> size[0])
        if r.wrong:
            return
        for j in range(1, size[0] + 1):
            value[0] = value[0] << 8 | r.data[r.at - j]
    else:
        r.wrong = NO_TYPE
        r.value = key[0] & 7


cdef offset_t _read(
    const flag_t *data, const offset_t[::1] start, const offset_t[::1] end, int what, offset_t stop, index_t *owner,
    word_t *key, word_t *value, offset_t *size, offset_t[::1] told,
) noexcept nogil:
    """Read all stretches; how many items there are. They are written where `owner` is not NULL, up to ``stop``.

    ``what``: 0 numbers, 1 messages behind their lengths, 2 fields. ``told``: what is wrong, in which stretch, with
    which number, and how many bytes are left.
    """
    cdef Reader r
    cdef offset_t k, found = 0, z = 0
    cdef word_t a = 0, v = 0
    r.data = data
    r.value = 0
    r.wrong = GOOD
    for k in range(start.shape[0]):
        r.at, r.end = start[k], end[k]
        while r.at < r.end:
            if what == 2:
                _field(&r, &a, &v, &z)
            else:
                _varint(&r)
                v = r.value
            if what == 1 and not r.wrong:
                z = <offset_t> r.value
                v = <word_t> r.at
                _skip(&r, r.value)
            if r.wrong:
                told[0], told[1], told[2], told[3] = r.wrong, k, <offset_t> r.value, r.end - r.at
                return found
            if owner != NULL and found < stop:
                owner[found] = <index_t> k
                key[found] = a
                value[found] = v
                size[found] = z
            found += 1
    return found


def wire(const flag_t[::1] data, const offset_t[::1] start, const offset_t[::1] end, int what):
    """The numbers (what = 0), messages behind their lengths (1) or fields (2) of stretches of bytes.

    See ``_wire.pyi``. Raises ValueError for a stretch that is not within the bytes.

    >>> import numpy as np
    >>> data = np.frombuffer(b"\\x08\\x96\\x01\\x12\\x02hi", np.uint8)
    >>> owner, key, value, size, told = wire(data, np.zeros(1, np.int64), np.array([7]), 2)
    >>> (key >> 3).tolist(), (key & 7).tolist(), value.tolist(), size.tolist(), told.tolist()
    ([1, 2], [0, 2], [150, 5], [0, 2], [0, 0, 0, 0])
    """
    _checks.check_length(len(start), end=end)
    if len(start) and not (
        0 <= np.min(start) and (np.asarray(start) <= np.asarray(end)).all() and np.max(end) <= len(data)
    ):
        raise ValueError(f"start and end must lie in 0 to {len(data)}, one after the other")
    cdef const flag_t *bytes_ = &data[0] if data.shape[0] else NULL
    cdef offset_t[::1] told = np.zeros(4, np.int64)
    cdef offset_t n
    with nogil:
        n = _read(bytes_, start, end, what, 0, NULL, NULL, NULL, NULL, told)
    cdef index_t[::1] owner = np.empty(n + 1, np.int32)
    cdef word_t[::1] key = np.empty(n + 1, np.uint64), value = np.empty(n + 1, np.uint64)
    cdef offset_t[::1] size = np.empty(n + 1, np.int64)
    with nogil:
        _read(bytes_, start, end, what, n, &owner[0], &key[0], &value[0], &size[0], told)
    return (
        np.asarray(owner)[:n], np.asarray(key)[:n], np.asarray(value)[:n], np.asarray(size)[:n], np.asarray(told),
    )
