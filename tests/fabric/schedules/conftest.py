"""Chakra traces written byte by byte."""

from types import SimpleNamespace

import pytest

COMPUTE, SEND, RECEIVE, COLLECTIVE = 4, 5, 6, 7


def varint(value):
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    """int64, or text."""
    held = field(9, value % 2**64) if isinstance(value, int) else field(29, value.encode())
    return field(1, name.encode()) + held


def node(number, kind, deps=(), micros=0, packed=True, **values):
    """A node as the schema has it: dependencies packed or one by one."""
    text = field(1, number) + field(2, f"n{number}".encode()) + field(3, kind)
    if packed and deps:
        text += field(5, b"".join(map(varint, deps)))
    else:
        text += b"".join(field(5, dep) for dep in deps)
    text += field(7, micros)
    return text + b"".join(field(10, attribute(name, value)) for name, value in values.items())


def trace(*nodes, **metadata):
    """A whole file."""
    head = field(1, b"0.0.4") + b"".join(field(2, attribute(k, v)) for k, v in metadata.items())
    return b"".join(varint(len(message)) + message for message in (head, *nodes))


def ring_trace(rank, ranks, size, **metadata):
    """One rank of a ring all-reduce: each round sends on what came the round before."""
    nodes, last = [], []
    for turn in range(2 * (ranks - 1)):
        key = 2 * turn
        nodes.append(node(key, SEND, last, comm_dst=(rank + 1) % ranks, comm_size=size, comm_tag=0))
        nodes.append(node(key + 1, RECEIVE, [key], comm_src=(rank - 1) % ranks, comm_size=size, comm_tag=0))
        last = [key + 1]
    return trace(*nodes, **metadata)


@pytest.fixture(scope="session")
def et():
    """What writes traces."""
    return SimpleNamespace(
        node=node, trace=trace, varint=varint, field=field, ring=ring_trace,
        COMPUTE=COMPUTE, SEND=SEND, RECEIVE=RECEIVE, COLLECTIVE=COLLECTIVE,
    )  # fmt: skip


@pytest.fixture
def ring_traces(tmp_path):
    """The prefix of the traces of a ring all-reduce of so many ranks and bytes a message."""

    def write(ranks, size, **metadata):
        for rank in range(ranks):
            (tmp_path / f"ring.{rank}.et").write_bytes(ring_trace(rank, ranks, size, **metadata))
        return tmp_path / "ring"

    return write
