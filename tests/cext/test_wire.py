"""Protocol buffers against a plain twin that reads byte by byte."""

import doctest

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cext import _wire, wire
from fabric.schedules.wire import FIELDS, MESSAGES, NUMBERS, WireError, read, signed, zigzag


class Wrong(Exception):
    pass


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data):
            raise Wrong(1)
        if shift > 63 or data[at] & 0x7F << shift >= 1 << 64 or (data[at] & 0x7F) << shift >= 1 << 64:
            raise Wrong(2)
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def twin(data, what):
    """Key, value and size of each item, and what is wrong."""
    at, found = 0, []
    try:
        while at < len(data):
            key, size = 0, 0
            value, at = varint(data, at)
            kind = {NUMBERS: 0, MESSAGES: 2}.get(what, value & 7)
            if what == FIELDS:
                key = value
                if not 1 <= key >> 3 < 1 << 29:
                    raise Wrong(4)
                if kind in (0, 2):
                    value, at = varint(data, at)
                elif kind not in (1, 5):
                    raise Wrong(5)
            if kind in (1, 2, 5):
                size = {1: 8, 5: 4}.get(kind, value)
                if at + size > len(data):
                    raise Wrong(3)
                value = at if kind == 2 else int.from_bytes(data[at : at + size], "little")
                at += size
            found.append((key, value, size))
    except Wrong as wrong:
        return found, wrong.args[0]
    return found, 0


TEN = b"\xff" * 9 + b"\x01"


@given(st.lists(st.binary(max_size=24), max_size=4), st.sampled_from([NUMBERS, MESSAGES, FIELDS]))
@example([b"\x08\x96\x01\x12\x02hi", b"\x0d\x01\x02\x03\x04\x11" + bytes(range(8))], FIELDS)
@example([TEN, b"\xff" * 9 + b"\x02"], NUMBERS)
@example([b"\x12" + TEN], FIELDS)
@example([b"\x02hi\x00", b"\x03hi"], MESSAGES)
def test_equals_reading_byte_by_byte(stretches, what):
    """Each stretch on its own, up to the first that is wrong; places count from where all begin."""
    wanted, wrong, start = [], [0, 0], 0
    for k, text in enumerate(stretches):
        items, code = twin(text, what)
        for key, value, size in items:
            in_bytes = what == MESSAGES or (what == FIELDS and key & 7 == 2)
            wanted.append((k, key, value + start if in_bytes else value, size))
        start += len(text)
        if code:
            wrong = [code, k]
            break
    data = np.frombuffer(b"".join(stretches), np.uint8)
    end = np.cumsum([len(text) for text in stretches], dtype=np.int64)
    begin = end - np.array([len(text) for text in stretches], np.int64)
    *columns, told = wire(data, begin, end, what)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == wanted
    assert told[:2].tolist() == wrong


@given(st.integers(0, 2**64 - 1))
def test_numbers(value):
    text, left = bytearray(), value
    while left > 0x7F:
        text.append(left & 0x7F | 0x80)
        left >>= 7
    text.append(left)
    found = read(bytes(text), np.array([0]), np.array([len(text)]), NUMBERS).value
    assert found.tolist() == [value]
    assert signed(found).tolist() == [int.from_bytes(value.to_bytes(8, "little"), "little", signed=True)]
    assert zigzag(np.array([value], np.uint64)).tolist() == [-(value // 2) - 1 if value % 2 else value // 2]


def test_what_is_wrong_is_told():
    with pytest.raises(WireError, match="a message of 3 bytes, 2 are left") as caught:
        read(b"\x01a\x03hi", np.array([0, 2]), np.array([2, 5]), MESSAGES)
    assert (caught.value.stretch, caught.value.before) == (1, 0)


def test_stretches_lie_within_the_bytes():
    with pytest.raises(ValueError, match="must lie in 0 to 3"):
        wire(np.zeros(3, np.uint8), np.array([0]), np.array([4]), 0)
    assert doctest.testmod(_wire).failed == 0
