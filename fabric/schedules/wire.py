"""Protocol buffers on the wire: varints and fields of a message, read within its bounds."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, int | bytes]  # number, wire type, value


class WireError(ValueError):
    """Bytes that are no protocol buffer."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number of at most 64 bits, and where it ends (Protocol Buffers, Encoding, Base 128 Varints).

    >>> read_varint(b"\\x96\\x01", 0)
    (150, 2)
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError("it is cut off within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                break
            return value, at
    raise WireError("a number has more than 64 bits")


def read_fields(data: bytes) -> Iterator[Field]:
    """The fields of a message in their order; fixed ones as unsigned numbers.

    >>> list(read_fields(b"\\x08\\x96\\x01\\x12\\x02hi"))
    [(1, 0, 150), (2, 2, b'hi')]
    """
    at, end = 0, len(data)
    while at < end:
        key, at = read_varint(data, at)
        number, wire = key >> 3, key & 7
        if not 1 <= number < 1 << 29:
            raise WireError(f"a field has number {number}")
        value: int | bytes
        if wire == VARINT:
            value, at = read_varint(data, at)
        elif wire == BYTES:
            length, at = read_varint(data, at)
            value = data[at : at + length]
            if len(value) < length:
                raise WireError("it is cut off within a field")
            at += length
        elif wire in (FIXED64, FIXED32):
            width = 8 if wire == FIXED64 else 4
            if at + width > end:
                raise WireError("it is cut off within a field")
            value = int.from_bytes(data[at : at + width], "little")
            at += width
        else:
            raise WireError(f"a field has wire type {wire}")
        yield number, wire, value


def read_messages(data: bytes) -> Iterator[bytes]:
    """Messages that each stand behind their length.

    >>> list(read_messages(b"\\x02hi\\x00"))
    [b'hi', b'']
    """
    at = 0
    while at < len(data):
        length, at = read_varint(data, at)
        if at + length > len(data):
            raise WireError(f"it is cut off: a message of {length:,} bytes, {len(data) - at:,} are left")
        yield data[at : at + length]
        at += length


def numbers(value: int | bytes) -> list[int]:
    """The numbers of a repeated field: one, or packed ones.

    >>> numbers(7), numbers(b"\\x01\\x96\\x01")
    ([7], [1, 150])
    """
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        found.append(number)
    return found


def signed(value: int) -> int:
    """A number of 64 bits as int32 and int64 have it.

    >>> signed(2**64 - 1)
    -1
    """
    return value - (1 << 64) if value >= 1 << 63 else value


def zigzag(value: int) -> int:
    """A number as sint32 and sint64 have it.

    >>> zigzag(1), zigzag(2)
    (-1, 1)
    """
    return (value >> 1) ^ -(value & 1)
