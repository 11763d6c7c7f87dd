"""A symbolic machine: runs the messages of an algorithm on chunks that say whose contributions they hold, how often."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from fabric.algorithms.messages import Messages
from fabric.collectives import Collective

Vector = NDArray[np.int8]
Memory = NDArray[np.int8]  # [node, chunk, rank]: how often a rank's contribution is in a node's chunk
VECTOR = ("all-reduce", "broadcast", "reduce")


@pytest.fixture(scope="session")
def deliver() -> Callable[..., None]:
    """Run messages; fails where they do not deliver what the collective promises, or race on the way."""
    return _deliver


def _deliver(made: Messages, collective: Collective) -> None:
    n, name = collective.n, collective.name
    chunks = made.parts * (1 if name in VECTOR else n * n if name == "all-to-all" else n)
    nodes = int(max(made.source.max(), made.target.max(), n - 1)) + 1
    memory = np.zeros((nodes, chunks, n), np.int8)
    given(memory, collective, made.parts)
    chunk_ptr, chunk = made.carried()
    assert (chunk >= 0).all() and (chunk < chunks).all()
    whole = n if name not in VECTOR and collective.target is None else 1
    np.testing.assert_allclose(made.amount, np.diff(chunk_ptr) / made.parts / whole, rtol=1e-9)
    run(made, memory)
    for rank, held, wanted in promised(collective, made.parts):
        wrong = np.flatnonzero((memory[rank, held] != wanted).any(axis=1))
        assert not wrong.size, f"rank {rank} ends with {memory[rank, held][wrong[0]]} in chunk {wrong[0]} of its result"


def given(memory: Memory, collective: Collective, parts: int) -> None:
    """What is in memory at the start."""
    ranks = np.arange(collective.n)
    if collective.name in ("all-reduce", "reduce", "reduce-scatter"):
        memory[ranks, :, ranks] = 1
    elif collective.name == "broadcast":
        memory[0, :, 0] = 1
    else:  # each rank has its block, or one for every target
        own = memory.shape[1] // collective.n
        for rank in ranks:
            memory[rank, rank * own : (rank + 1) * own, rank] = 1


def promised(collective: Collective, parts: int) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int8]]]:
    """Rank, chunks and contents of every result."""
    n, name = collective.n, collective.name
    everyone, of_rank = np.ones(n, np.int8), np.eye(n, dtype=np.int8)
    part = np.arange(parts)
    if collective.target is not None:
        for rank, target in enumerate(collective.target.tolist()):
            yield target, rank * parts + part, of_rank[rank]
        return
    for rank in range(1 if name == "reduce" else n):
        if name in VECTOR:
            yield rank, part, of_rank[0] if name == "broadcast" else everyone
        elif name == "reduce-scatter":
            yield rank, rank * parts + part, everyone
        else:
            for source in range(n):
                place = source * n + rank if name == "all-to-all" else source
                yield rank, place * parts + part, of_rank[source]


def in_order(made: Messages) -> list[int]:
    """Messages, each after those that it waits for."""
    waits = np.diff(made.pred_ptr)
    waiting = np.repeat(np.arange(len(made)), waits)[np.argsort(made.pred, kind="stable")]
    ptr = np.concatenate([[0], np.cumsum(np.bincount(made.pred, minlength=len(made)))])
    left, order = waits.tolist(), np.flatnonzero(waits == 0).tolist()
    for m in order:  # grows meanwhile
        for after in waiting[ptr[m] : ptr[m + 1]].tolist():
            left[after] -= 1
            if not left[after]:
                order.append(after)
    assert len(order) == len(made), "messages wait for each other"
    return order


class Log:
    """Every node's memory, with what was written since the start, and who read what."""

    def __init__(self, made: Messages, memory: Memory) -> None:
        self.made, self.memory, self.start = made, memory, memory.copy()
        self.before = [0] * len(made)  # bits of the messages that have arrived when each is sent
        self.writers: dict[tuple[int, int], list[tuple[int, Vector]]] = defaultdict(list)
        self.all: dict[tuple[int, int], int] = defaultdict(int)
        self.readers: dict[tuple[int, int], list[int]] = defaultdict(list)
        self.stored: dict[tuple[int, int], list[int]] = defaultdict(list)

    def read(self, m: int, place: tuple[int, int]) -> Vector:
        """What message m takes from a place: what was there, and what the message waits for has brought."""
        self.readers[place].append(m)
        for other in self.stored[place]:
            assert self.before[m] >> other & 1, f"{m} and {other} race for chunk and node {place}"
        before, writers = self.before[m], self.all[place]
        if writers & before == writers:
            return self.memory[place].copy()
        value = self.start[place]
        for writer, brought in self.writers[place]:
            if before >> writer & 1:
                value = value + brought if self.made.reduces[writer] else brought
        return value

    def write(self, m: int, place: tuple[int, int], value: Vector) -> None:
        """Add or store; a store must come after or before whatever else is done there."""
        self.memory[place] = self.memory[place] + value if self.made.reduces[m] else value
        if self.made.reduces[m]:
            others = self.stored[place]
        else:
            others = [*(writer for writer, _ in self.writers[place]), *self.readers[place]]
            self.stored[place].append(m)
        for other in others:
            assert self.before[m] >> other & 1 or other == m, f"{m} and {other} race for chunk and node {place}"
        self.writers[place].append((m, value))
        self.all[place] |= 1 << m


def run(made: Messages, memory: Memory) -> None:
    """Every message in an order that fits what each waits for."""
    chunk_ptr, chunk = made.carried()
    log = Log(made, memory)
    handed = set(made.hands_on[made.hands_on >= 0].tolist())
    kept: dict[int, list[Vector]] = {}
    for m in in_order(made):
        for other in made.pred[made.pred_ptr[m] : made.pred_ptr[m + 1]].tolist():
            log.before[m] |= log.before[other] | 1 << other
        held = chunk[chunk_ptr[m] : chunk_ptr[m + 1]].tolist()
        source, target, brings = int(made.source[m]), int(made.target[m]), int(made.hands_on[m])
        values = kept.pop(brings) if brings >= 0 else [log.read(m, (source, c)) for c in held]
        assert all(value.any() for value in values), f"message {m} sends a chunk that node {source} does not have"
        if m in handed:
            kept[m] = values
            continue
        for c, value in zip(held, values, strict=True):
            log.write(m, (target, c), value)
