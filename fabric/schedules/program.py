"""A program: what each rank sends, receives and computes, and after what; and the flows that this comes to."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cext import first_cycle
from fabric.flows import Flows
from topologies.errors import ConfigError

SEND, RECEIVE, COMPUTE = 0, 1, 2
ALONE = -1  # in place of a processor: a computation that runs beside all others
MAX_OPERATIONS = 30_000_000

Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A collective of ranks within a program: member i enters by operation entry[i] and has left with exit[i].

    `members` are ranks, rising; `bytes` is its size in the convention of the command line.
    """

    collective: str
    bytes: float
    entry: Sequence[int]
    exit: Sequence[int]
    members: tuple[int, ...]


def _numbers() -> "array[int]":
    return array("q")  # a quarter of the memory of a list


def _amounts() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Program:
    """Operations in the order of a file, one column each, and pairs of an operation and one that it waits for.

    Sends and receives of a pair of ranks with one tag match in the order in which they stand. A send starts when what
    it waits for is done, whether or not its receive has begun (it is eager); a receive is done when the message has
    arrived and what the receive waits for is done. Computations of a rank on one `processor` (-1: none) take turns;
    those of `worked` say what they do (`operations`, bytes `moved`), not how long it takes.
    """

    ranks: int
    where: str
    rank: "array[int]" = field(default_factory=_numbers)
    kind: "array[int]" = field(default_factory=_numbers)
    peer: "array[int]" = field(default_factory=_numbers)
    tag: "array[int]" = field(default_factory=_numbers)
    bytes: "array[float]" = field(default_factory=_amounts)
    seconds: "array[float]" = field(default_factory=_amounts)
    processor: "array[int]" = field(default_factory=_numbers)
    name: list[str] = field(default_factory=list)
    waiting: "array[int]" = field(default_factory=_numbers)
    awaited: "array[int]" = field(default_factory=_numbers)
    worked: "array[int]" = field(default_factory=_numbers)
    operations: "array[float]" = field(default_factory=_amounts)
    moved: "array[float]" = field(default_factory=_amounts)
    exchanges: list[Exchange] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rank)

    def send(self, rank: int, name: str, peer: int, tag: int, size: float, after: Sequence[int] = ()) -> int:
        """A message to another rank; its operation."""
        return self._add(rank, name, SEND, after, peer, tag, size)

    def receive(self, rank: int, name: str, peer: int, tag: int, size: float, after: Sequence[int] = ()) -> int:
        """A message from another rank; its operation."""
        return self._add(rank, name, RECEIVE, after, peer, tag, size)

    def compute(
        self, rank: int, name: str, seconds: float, after: Sequence[int] = (), processor: int = ALONE
    ) -> int:  # fmt: skip
        """So long a time of a rank's own, 0 for a mere meeting point; its operation."""
        return self._add(rank, name, COMPUTE, after, seconds=seconds, processor=processor)

    def work(self, computation: int, operations: float, moved: float) -> None:
        """A computation of so many operations and bytes, which `fabric.schedules.roofline` times."""
        self.worked.append(computation)
        self.operations.append(operations)
        self.moved.append(moved)

    def _add(
        self, rank: int, name: str, kind: int, after: Sequence[int], peer: int = -1, tag: int = 0, size: float = 0.0,
        seconds: float = 0.0, processor: int = ALONE,
    ) -> int:  # fmt: skip
        operation = self.extend([rank], [name], [kind], [peer], [tag], [size], [seconds], [processor])
        self.waiting.extend([operation] * len(after))
        self.awaited.extend(after)
        return operation

    def extend(
        self, rank: Sequence[int], name: Sequence[str], kind: Sequence[int], peer: Sequence[int], tag: Sequence[int],
        size: Sequence[float], seconds: Sequence[float], processor: Sequence[int],
    ) -> int:  # fmt: skip
        """Operations in their order, one a place of the columns; the first of them.

        ConfigError for a message with a rank that is not there, and for too many operations.
        """
        first = len(self.rank)
        if first + len(rank) > MAX_OPERATIONS:
            raise ConfigError(f"{self.where}: more than {MAX_OPERATIONS:,} operations; cut the schedule in pieces")
        for i, (what, other) in enumerate(zip(kind, peer, strict=True)):
            if what != COMPUTE and not 0 <= other < self.ranks:
                told = f"{self.where}: rank {rank[i]}: {name[i]} is with rank {other}"
                raise ConfigError(f"{told}; there are {self.ranks}, numbered from 0")
        self.name.extend(name)
        for column, values in ((self.rank, rank), (self.kind, kind), (self.peer, peer), (self.tag, tag)):
            column.extend(values)
        self.bytes.extend(size)
        self.seconds.extend(seconds)
        self.processor.extend(processor)
        return first

    def told(self, operation: int) -> str:
        """An operation, for messages."""
        return f"{self.where}: rank {self.rank[operation]}: {self.name[operation]}"

    def matches(self) -> tuple[Column, Column]:
        """Sends, and the receive of each.

        ConfigError names the first send without a receive, receive without a send, and pair of unequal size.

        >>> two = Program(2, "two")
        >>> two.send(0, "a", 1, 0, 8.0), two.receive(1, "b", 0, 0, 8.0)
        (0, 1)
        >>> two.matches()
        (array([0]), array([1]))
        """
        kind, rank, peer = (np.array(column, np.int64) for column in (self.kind, self.rank, self.peer))
        tag, size = np.array(self.tag, np.int64), np.array(self.bytes)
        sends, receives = np.flatnonzero(kind == SEND), np.flatnonzero(kind == RECEIVE)
        pairs = np.concatenate([rank[sends] * self.ranks + peer[sends], peer[receives] * self.ranks + rank[receives]])
        tags, tag_of = np.unique(np.concatenate([tag[sends], tag[receives]]), return_inverse=True)
        _, pair_of = np.unique(pairs, return_inverse=True)
        _, key = np.unique(pair_of * max(1, len(tags)) + tag_of, return_inverse=True)
        own, other = key[: len(sends)], key[len(sends) :]
        number = int(key.max(initial=-1)) + 1
        surplus = np.bincount(own, minlength=number) - np.bincount(other, minlength=number)
        if surplus.any():
            self._unmatched(sends, own, receives, other, surplus)
        sends, receives = sends[np.argsort(own, kind="stable")], receives[np.argsort(other, kind="stable")]
        unequal = np.flatnonzero(size[sends] != size[receives])
        if unequal.size:
            s, r = int(sends[unequal[0]]), int(receives[unequal[0]])
            raise ConfigError(
                f"{self.told(s)} sends {size[s]:g} bytes to rank {rank[r]}, which receives {size[r]:g} ({self.name[r]})"
            )
        return sends, receives

    def _unmatched(self, sends: Column, own: Column, receives: Column, other: Column, surplus: Column) -> None:
        """Raise ConfigError for the first operation that has no partner."""
        for operations, keys, wrong, what in (
            (sends, own, surplus > 0, "receive"), (receives, other, surplus < 0, "send")
        ):  # fmt: skip
            lone = operations[wrong[keys]]
            if lone.size:
                first = int(lone[0])
                side = f"rank {self.peer[first]}, tag {self.tag[first]}"
                count = int(np.abs(surplus[keys[wrong[keys]][0]]))
                raise ConfigError(f"{self.told(first)} has no {what} at {side} ({count} too few there)")

    def flows(self, exchanged: Sequence[Flows] = ()) -> Flows:
        """The flows that the operations come to, and behind them those of each exchange in turn.

        Operation i is flow i: a send carries its bytes, a receive is a meeting point that waits for it. A message to
        oneself takes no time. ConfigError as `matches`, and where operations wait for each other.

        >>> two = Program(2, "two")
        >>> first = two.send(0, "a", 1, 0, 8.0)
        >>> _ = two.send(1, "c", 0, 0, 8.0, after=[two.receive(1, "b", 0, 0, 8.0)]), two.receive(0, "d", 1, 0, 8.0)
        >>> two.flows().pred.tolist()
        [0, 1, 2]
        """
        sends, receives = self.matches()
        rank, kind = np.array(self.rank, np.int64), np.array(self.kind, np.int64)
        target = np.where(kind == SEND, np.array(self.peer, np.int64), rank)
        size = np.where((kind == SEND) & (target != rank), np.array(self.bytes), 0.0)
        waiting = [np.array(self.waiting, np.int64), receives]
        awaited = [np.array(self.awaited, np.int64), sends]
        sources, targets, sizes, durations = [rank], [target], [size], [np.array(self.seconds)]
        start, starts = len(rank), list[int]()
        for exchange, inner in zip(self.exchanges, exchanged, strict=True):
            entry, leave = np.full(self.ranks, -1), np.full(self.ranks, -1)
            entry[list(exchange.members)], leave[list(exchange.members)] = exchange.entry, exchange.exit
            own = start + np.arange(len(inner))
            starts.append(start)
            waiting += [start + np.repeat(np.arange(len(inner)), np.diff(inner.pred_ptr))]
            awaited += [start + inner.pred.astype(np.int64)]
            begins, ends = inner.source < self.ranks, inner.target < self.ranks  # else switches are at that end
            waiting += [own[begins], leave[inner.source[begins]], leave[inner.target[ends]]]
            awaited += [entry[inner.source[begins]], own[begins], own[ends]]
            sources.append(inner.source.astype(np.int64))
            targets.append(inner.target.astype(np.int64))
            sizes.append(inner.bytes)
            durations.append(inner.duration)
            start += len(inner)
        pred_ptr, pred = by_waiting(np.concatenate(waiting), np.concatenate(awaited), start)
        stuck = int(first_cycle(pred_ptr, pred))
        if stuck >= 0:
            inside = np.searchsorted(starts, stuck, side="right") - 1
            first = stuck if inside < 0 else self.exchanges[inside].entry[0]
            raise ConfigError(f"{self.told(first)} waits for itself through what it waits for: a deadlock")
        return Flows(
            source=np.concatenate(sources).astype(np.int32),
            target=np.concatenate(targets).astype(np.int32),
            bytes=np.concatenate(sizes),
            release=np.zeros(start),
            duration=np.concatenate(durations),
            pred_ptr=pred_ptr,
            pred=pred,
            processor=self._processors(start),
        )

    def _processors(self, flows: int) -> NDArray[np.int32] | None:
        """Those of computations that take time, numbered over all ranks; None where no two share one."""
        local, seconds = np.array(self.processor, np.int64), np.array(self.seconds)
        shared = np.flatnonzero((local != ALONE) & (seconds > 0))
        keys, number = np.unique(np.array(self.rank, np.int64)[shared] << 32 | local[shared], return_inverse=True)
        if len(keys) == len(shared):
            return None
        found = np.full(flows, ALONE, np.int32)
        found[shared] = number
        return found


def by_waiting(waiting: Column, awaited: Column, flows: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Pairs of flows, one that waits and one that it waits for, as the `pred_ptr` and `pred` of flows."""
    pred_ptr = np.zeros(flows + 1, np.int64)
    np.cumsum(np.bincount(waiting, minlength=flows), out=pred_ptr[1:])
    return pred_ptr, awaited[np.argsort(waiting, kind="stable")].astype(np.int32)
