"""A symbolic machine: runs the messages of an algorithm on chunks that say whose contributions they hold, how often."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from fabric.algorithms.messages import Messages
from fabric.collectives import Collective

Levels = list[NDArray[np.int64]]
Memory = NDArray[np.int8]  # [node, chunk, rank]: how often a rank's contribution is in a node's chunk
VECTOR = ("all-reduce", "broadcast", "reduce")


@pytest.fixture(scope="session")
def deliver() -> Callable[..., None]:
    """Run messages; fails where they do not deliver what the collective promises, or race on the way."""
    return _deliver


def _deliver(made: Messages, collective: Collective, *, races: bool = True) -> None:
    n, name = collective.n, collective.name
    chunks = made.parts * (1 if name in VECTOR else n * n if name == "all-to-all" else n)
    nodes = int(max(made.source.max(), made.target.max(), n - 1)) + 1
    memory = np.zeros((nodes, chunks, n), np.int8)
    given(memory, collective, made.parts)
    chunk_ptr, chunk = made.carried()
    assert (chunk >= 0).all() and (chunk < chunks).all()
    whole = n if name not in VECTOR and collective.target is None else 1
    np.testing.assert_allclose(made.amount, np.diff(chunk_ptr) / made.parts / whole, rtol=1e-9)
    levels = in_order(made)
    run(made, memory, levels, chunk_ptr, chunk)
    for rank, held, wanted in promised(collective, made.parts):
        wrong = np.flatnonzero((memory[rank, held] != wanted).any(axis=1))
        assert not wrong.size, f"rank {rank} ends with {memory[rank, held][wrong[0]]} in chunk {wrong[0]} of its result"
    if races:
        check_races(made, levels, chunk_ptr, chunk)


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


def in_order(made: Messages) -> Levels:
    """Messages by the longest chain of others that they wait for."""
    waits = np.diff(made.pred_ptr)
    waiting = np.repeat(np.arange(len(made)), waits)
    by_pred = np.argsort(made.pred, kind="stable")
    ptr = np.concatenate([[0], np.cumsum(np.bincount(made.pred, minlength=len(made)))])
    left, levels, ready = waits.copy(), [], np.flatnonzero(waits == 0)
    while ready.size:
        levels.append(ready)
        after = np.concatenate([waiting[by_pred[ptr[m] : ptr[m + 1]]] for m in ready.tolist()])
        np.subtract.at(left, after, 1)
        ready = np.unique(after[left[after] == 0])
    assert sum(map(len, levels)) == len(made), "messages wait for each other"
    return levels


def run(made: Messages, memory: Memory, levels: Levels, chunk_ptr: NDArray[np.int64], chunk: NDArray[np.int64]) -> None:
    """Every level reads, then writes."""
    size = np.diff(chunk_ptr)
    handed = set(made.hands_on[made.hands_on >= 0].tolist())
    kept: dict[int, Memory] = {}
    for level in levels:
        writes = []
        for m in level.tolist():
            if not size[m]:
                continue
            held = chunk[chunk_ptr[m] : chunk_ptr[m + 1]]
            value = kept.pop(made.hands_on[m]) if made.hands_on[m] >= 0 else memory[made.source[m], held]
            assert value.any(axis=1).all(), f"message {m} sends a chunk that node {made.source[m]} does not have"
            writes.append((m, held, value))
        for m, held, value in writes:
            if m in handed:
                kept[m] = value
            elif made.reduces[m]:
                memory[made.target[m], held] += value
            else:
                memory[made.target[m], held] = value


def check_races(made: Messages, levels: Levels, chunk_ptr: NDArray[np.int64], chunk: NDArray[np.int64]) -> None:
    """A chunk that is stored, or read after additions, is used by others only in an order that waiting imposes."""
    before = [0] * len(made)
    level_of = np.zeros(len(made), np.int64)
    for number, level in enumerate(levels):
        level_of[level] = number
        for m in level.tolist():
            for other in made.pred[made.pred_ptr[m] : made.pred_ptr[m + 1]].tolist():
                before[m] |= before[other] | 1 << other
    handed = set(made.hands_on[made.hands_on >= 0].tolist())
    reads, writes = defaultdict(list), defaultdict(list)
    for m in range(len(made)):
        for c in chunk[chunk_ptr[m] : chunk_ptr[m + 1]].tolist():
            if made.hands_on[m] < 0:
                reads[int(made.source[m]), c].append(m)
            if m not in handed:
                writes[int(made.target[m]), c].append(m)

    def ordered(first: int, second: int) -> bool:
        return bool(before[second] >> first & 1)

    for place, writers in writes.items():
        for w in writers:
            for r in reads.get(place, ()):
                if level_of[w] < level_of[r]:
                    assert ordered(w, r), f"message {r} reads chunk {place} while {w} writes it"
                elif not made.reduces[w]:
                    assert ordered(r, w), f"message {w} overwrites chunk {place} while {r} reads it"
        stores = [w for w in writers if not made.reduces[w]]
        for w in stores:
            for other in writers:
                assert w == other or ordered(w, other) or ordered(other, w), f"{w} and {other} both write {place}"
