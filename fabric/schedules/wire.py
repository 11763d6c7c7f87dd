"""Protocol buffers on the wire: numbers, messages and fields of many stretches of bytes at once, in columns."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import wire

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
NUMBERS, MESSAGES, FIELDS = 0, 1, 2

Offsets = NDArray[np.int64]


class WireError(ValueError):
    """Bytes that are no protocol buffer: what is wrong, in which stretch, and how many of its items came before."""

    def __init__(self, told: str, stretch: int, before: int) -> None:
        super().__init__(told)
        self.stretch, self.before = stretch, before


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """I items of stretches, in their order.

    `owner` int32[I]: the stretch; `number`, `kind` int64[I]: field number and wire type; `value` uint64[I]: a number
    (fixed ones unsigned), or where bytes begin, of which there are `size` int64[I].
    """

    owner: NDArray[np.int32]
    number: Offsets
    kind: Offsets
    value: NDArray[np.uint64]
    size: Offsets

    @property
    def start(self) -> Offsets:
        """Where the bytes of each begin."""
        return self.value.astype(np.int64)

    def where(self, mask: NDArray[np.bool_] | Offsets) -> "Items":
        """Those of a mask or of places."""
        return Items(self.owner[mask], self.number[mask], self.kind[mask], self.value[mask], self.size[mask])


def read(data: bytes, start: Offsets, end: Offsets, what: int) -> Items:
    """The items of stretches data[start[k]:end[k]]: NUMBERS one behind the other, MESSAGES that each stand behind their
    length, or FIELDS; WireError at the first stretch that is none.

    >>> found = read(b"\\x08\\x96\\x01\\x12\\x02hi", np.array([0]), np.array([7]), FIELDS)
    >>> found.number.tolist(), found.kind.tolist(), found.value.tolist(), found.size.tolist()
    ([1, 2], [0, 2], [150, 5], [0, 2])
    """
    view = np.frombuffer(data, np.uint8)
    owner, key, value, size, told = wire(view, start, end, what)
    wrong, stretch, number, left = told.tolist()
    if wrong:
        number %= 1 << 64
        thing = "a message" if what == MESSAGES else "a field"
        text = {
            1: "it is cut off within a number", 2: "a number has more than 64 bits",
            3: f"it is cut off: {thing} of {number:,} bytes, {left:,} are left",
            4: f"a field has number {number}", 5: f"a field has wire type {number}",
        }[wrong]  # fmt: skip
        raise WireError(text, stretch, int(np.count_nonzero(owner == stretch)))
    return Items(owner, (key >> np.uint64(3)).astype(np.int64), (key & np.uint64(7)).astype(np.int64), value, size)


def signed(value: NDArray[np.uint64], bits: int = 64) -> NDArray[np.int64]:
    """Numbers as int32, int64, sfixed32 and sfixed64 have them.

    >>> signed(np.array([2**64 - 1, 5], np.uint64)).tolist(), signed(np.array([2**32 - 1], np.uint64), 32).tolist()
    ([-1, 5], [-1])
    """
    return value.astype(np.int64) if bits == 64 else value.astype(np.uint32).view(np.int32).astype(np.int64)


def zigzag(value: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Numbers as sint32 and sint64 have them.

    >>> zigzag(np.array([1, 2], np.uint64)).tolist()
    [-1, 1]
    """
    return (value >> np.uint64(1)).astype(np.int64) ^ -(value & np.uint64(1)).astype(np.int64)
