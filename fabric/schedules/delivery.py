"""Does an MSCCL algorithm deliver? Its steps on chunks that say whose contributions they hold, and how often."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fabric.flows import Flows
from fabric.schedules.msccl import RECEIVES, SENDS, Algorithm, Place, Step, program
from fabric.schedules.program import Program
from topologies.errors import ConfigError


class Chunk(NamedTuple):
    """Which chunk of an input this is, and how often each rank's is in the sum (2: twice or more)."""

    number: int
    counts: NDArray[np.int8]


Memory = list[dict[Place, Chunk]]
MAX_ORDERED = 20_000  # operations whose order is checked pair by pair


def check_delivery(algorithm: Algorithm) -> None:
    """Run an algorithm symbolically; ConfigError names the first chunk that does not hold what the collective promises.

    Every rank's contribution must be in its chunk once. Up to 20,000 operations, two that use a chunk, of which one
    writes it, must also be ordered by what they wait for: otherwise they race. Reduce and broadcast are from and to
    rank 0.

    >>> from fabric.collectives import Collective
    >>> from fabric.algorithms import ALGORITHMS
    >>> from fabric.schedules.msccl_writing import algorithm_of
    >>> from topologies.registry import build
    >>> pattern = Collective("all-reduce", 4)
    >>> ring = algorithm_of(ALGORITHMS["ring"](build("switch:n=4"), pattern), pattern)
    >>> check_delivery(ring)
    """
    memory = _run(algorithm)
    for rank, place, wanted in _promised(algorithm):
        held = memory[rank].get(_home(algorithm, rank, place))
        what = f"{algorithm.path}: gpu {rank}: chunk {place.chunk} of the {_BUFFER[place.buffer]}"
        if held is None:
            raise ConfigError(f"{what} is never written")
        if held.number != wanted.number or not np.array_equal(held.counts, wanted.counts):
            raise ConfigError(f"{what} ends as {_told(held)}; {algorithm.collective} gives {_told(wanted)}")


_BUFFER = {"i": "input", "o": "output", "s": "scratch"}


def _told(chunk: Chunk) -> str:
    ranks = np.flatnonzero(chunk.counts)
    twice = " (some more than once)" if chunk.counts.max(initial=0) > 1 else ""
    named = "all ranks" if len(ranks) == len(chunk.counts) > 1 else f"rank{'s' * (len(ranks) > 1)} {_listed(ranks)}"
    return f"chunk {chunk.number} of {named}{twice}"


def _listed(ranks: NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, ranks[:6].tolist()))
    return f"{shown}, ..." if len(ranks) > 6 else shown


def _per_rank(algorithm: Algorithm) -> int:
    ranks = len(algorithm.gpus)
    if algorithm.chunks % ranks and algorithm.collective in ("allgather", "reducescatter", "alltoall"):
        raise ConfigError(f"{algorithm.path}: {algorithm.chunks} chunks do not go evenly over {ranks} gpus")
    return algorithm.chunks // ranks


def _home(algorithm: Algorithm, rank: int, place: Place) -> Place:
    """Where a chunk is in memory: in place, input and output are one buffer, or a part of the other (nccl-tests)."""
    if not algorithm.in_place:
        return place
    kind, own = algorithm.collective, rank * _per_rank(algorithm)
    if kind == "allgather":
        return Place("o", place.chunk + own) if place.buffer == "i" else place
    if kind == "reducescatter":
        return Place("i", place.chunk + own) if place.buffer == "o" else place
    return Place("o", place.chunk) if place.buffer == "i" else place


def _given(algorithm: Algorithm) -> Memory:
    """What is in memory at the start."""
    ranks, kind = len(algorithm.gpus), algorithm.collective
    memory: Memory = [{} for _ in range(ranks)]
    for rank in range(ranks):
        if kind == "broadcast" and rank:
            continue
        own = range(_per_rank(algorithm)) if kind == "allgather" else range(algorithm.chunks)
        for chunk in own:
            index = chunk + rank * _per_rank(algorithm) if kind == "allgather" else chunk
            memory[rank][_home(algorithm, rank, Place("i", chunk))] = Chunk(index, _of(ranks, rank))
    return memory


def _of(ranks: int, rank: int | None) -> NDArray[np.int8]:
    counts = np.full(ranks, rank is None, np.int8)
    if rank is not None:
        counts[rank] = 1
    return counts


def _promised(algorithm: Algorithm) -> Iterator[tuple[int, Place, Chunk]]:
    """Rank, place and content of every chunk of the result."""
    ranks, kind, each = len(algorithm.gpus), algorithm.collective, _per_rank(algorithm)
    for rank in range(1 if kind == "reduce" else ranks):
        for chunk in range(each if kind == "reducescatter" else algorithm.chunks):
            if kind == "allgather":
                wanted = Chunk(chunk, _of(ranks, chunk // each))
            elif kind == "alltoall":
                wanted = Chunk(rank * each + chunk % each, _of(ranks, chunk // each))
            elif kind == "reducescatter":
                wanted = Chunk(rank * each + chunk, _of(ranks, None))
            else:
                wanted = Chunk(chunk, _of(ranks, 0 if kind == "broadcast" else None))
            yield rank, Place("o", chunk), wanted


def _run(algorithm: Algorithm) -> Memory:
    """Memory after all steps."""
    made = program(algorithm, float(algorithm.chunks))
    flows = made.flows()
    sends, receives = made.matches()
    sender = dict(zip(receives.tolist(), sends.tolist(), strict=True))
    actions = _actions(algorithm)
    uses = _Uses(algorithm, made, flows)
    sent: dict[int, list[Chunk]] = {}
    passed: dict[int, list[Chunk]] = {}  # what a step that receives and sends hands on
    for operation in _order(flows):
        rank, step, part = actions[operation]
        if part == "send":
            sent[operation] = passed.pop(operation - 1, []) or uses.read(operation, rank, step.source, step.count)
            continue
        if part == "receive":
            chunks = sent.pop(sender[operation])
            if step.kind in ("rrs", "rrc", "rrcs"):
                chunks = uses.added(operation, uses.read(operation, rank, step.source, step.count), chunks)
        elif step.kind == "nop":
            continue
        else:
            chunks = uses.read(operation, rank, step.source, step.count)
            if step.kind == "re":
                chunks = uses.added(operation, uses.read(operation, rank, step.target, step.count), chunks)
        if step.kind != "rrs":
            uses.write(operation, rank, step.target, chunks)
        if step.kind in SENDS:
            passed[operation] = chunks
    return uses.memory


class _Uses:
    """Memory, and who has used each chunk of it since it was last written."""

    def __init__(self, algorithm: Algorithm, made: Program, flows: Flows) -> None:
        self.algorithm, self.made = algorithm, made
        self.memory = _given(algorithm)
        self.before = _before(flows) if len(flows) <= MAX_ORDERED else None
        self.writer: dict[tuple[int, Place], int] = {}
        self.readers: dict[tuple[int, Place], list[int]] = {}

    def read(self, operation: int, rank: int, start: Place, count: int) -> list[Chunk]:
        """So many chunks from a place on."""
        found = []
        for place in _places(self.algorithm, rank, start, count):
            chunk = self.memory[rank].get(place)
            if chunk is None:
                what = f"chunk {place.chunk} of the {_BUFFER[place.buffer]}"
                raise ConfigError(f"{self.made.told(operation)} reads {what} before it is written")
            self._after(operation, self.writer.get((rank, place)))
            self.readers.setdefault((rank, place), []).append(operation)
            found.append(chunk)
        return found

    def write(self, operation: int, rank: int, start: Place, chunks: list[Chunk]) -> None:
        """Put chunks to a place and those behind it."""
        for place, chunk in zip(_places(self.algorithm, rank, start, len(chunks)), chunks, strict=True):
            for other in (self.writer.get((rank, place)), *self.readers.pop((rank, place), ())):
                self._after(operation, other)
            self.writer[rank, place] = operation
            self.memory[rank][place] = chunk

    def added(self, operation: int, here: list[Chunk], more: list[Chunk]) -> list[Chunk]:
        """Sums, chunk by chunk."""
        odd = next((pair for pair in zip(here, more, strict=True) if pair[0].number != pair[1].number), None)
        if odd is not None:
            raise ConfigError(f"{self.made.told(operation)} adds {_told(odd[1])} to {_told(odd[0])}")
        return [
            Chunk(a.number, np.minimum(a.counts + b.counts, 2).astype(np.int8)) for a, b in zip(here, more, strict=True)
        ]

    def _after(self, operation: int, other: int | None) -> None:
        if self.before is None or other is None or other == operation:
            return
        if not self.before[operation] >> other & 1:
            both = f"{self.made.told(operation)} races with {self.made.name[other]} for a chunk"
            raise ConfigError(f"{both}: neither waits for the other")


def _places(algorithm: Algorithm, rank: int, start: Place, count: int) -> list[Place]:
    return [_home(algorithm, rank, Place(start.buffer, start.chunk + k)) for k in range(count)]


def _actions(algorithm: Algorithm) -> list[tuple[int, Step, str]]:
    """Rank, step and part of each operation, in the order of `program`."""
    found = []
    for gpu in algorithm.gpus:
        for block in gpu.blocks:
            for step in block.steps:
                parts = ["receive"] * (step.kind in RECEIVES) + ["send"] * (step.kind in SENDS) or ["own"]
                found += [(gpu.number, step, part) for part in parts]
    return found


def _order(flows: Flows) -> list[int]:
    """Operations, each after what it waits for."""
    waits = np.diff(flows.pred_ptr)
    of = np.repeat(np.arange(len(flows)), waits)
    order = np.argsort(flows.pred, kind="stable")
    after = np.split(of[order], np.cumsum(np.bincount(flows.pred, minlength=len(flows)))[:-1])
    left = waits.tolist()
    done: list[int] = np.flatnonzero(waits == 0).tolist()
    for operation in done:  # grows meanwhile
        for later in after[operation].tolist():
            left[later] -= 1
            if not left[later]:
                done.append(later)
    return done


def _before(flows: Flows) -> list[int]:
    """For each operation the set of those that are done when it starts, as bits."""
    before = [0] * len(flows)
    for operation in _order(flows):
        for other in flows.pred[flows.pred_ptr[operation] : flows.pred_ptr[operation + 1]].tolist():
            before[operation] |= before[other] | 1 << other
    return before
