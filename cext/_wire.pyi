"""Types of the kernel that reads protocol buffers."""

import numpy as np
from numpy.typing import NDArray

def wire(
    data: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], what: int
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """The numbers, messages or fields of many stretches of bytes, in two passes: counted, then written.

    Protocol Buffers, "Encoding" (Google): base 128 varints, and keys of 8 x field number + wire type. It stops at the
    first stretch that is no such thing, whatever the bytes, and reads nothing beyond the end of a stretch.

    Parameters
    ----------
    data
        bytes, shape (B).
    start, end
        stretches data[start[k]:end[k]], shape (S).
    what
        0 numbers that stand one behind the other, 1 messages that each stand behind their length, 2 fields.

    Returns
    -------
    owner
        the stretch of each item, rising, shape (I).
    key
        of a field: 8 x its number + its wire type, else 0.
    value
        the number (fixed ones unsigned), or where the bytes of a message or field begin.
    size
        bytes of a message or field, 0 of a number.
    told
        what is wrong, in which stretch, with which number, and how many bytes are left there: 0 nothing, 1 cut off
        within a number, 2 a number of more than 64 bits, 3 more bytes said than left, 4 a field number that there is
        not, 5 a wire type that there is not.

    Raises
    ------
    ValueError
        if an array has the wrong type or shape, or a stretch lies outside.
    """
