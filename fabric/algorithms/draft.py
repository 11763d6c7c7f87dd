"""Drafts: the messages of an algorithm put together batch by batch, then cut into chunks that follow each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fabric.algorithms.messages import Chunks, Messages
from topologies.errors import InfeasibleError

MAX_FLOWS = 30_000_000

Ids = NDArray[np.int64]
Carried = Callable[[], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    amount: NDArray[np.float64]
    reduces: bool
    hands_on: Ids
    lane: Ids
    carried: Carried | None


class Draft:
    """Messages in the making, of one pass of the whole data through an algorithm.

    `nodes` are the ranks and the switches that compute. `expected` is the number of messages to come: above 30 million
    over all chunks InfeasibleError, before any is made.

    >>> draft = Draft("exchange", nodes=2, parts=2, expected=2)
    >>> sent = draft.send([0, 1], [1, 0], 0.5, lambda: np.array([[1], [0]]), reduces=True)
    >>> there = draft.arrived(sent, np.array([1, 0]))
    >>> back = draft.send([0, 1], [1, 0], 0.5, lambda: np.array([[0], [1]]), after=[there])
    >>> made = draft.messages()
    >>> made.source.tolist(), made.pred.tolist(), made.carried()[1].tolist()
    ([0, 1, 0, 1], [1, 0], [1, 0, 0, 1])
    """

    def __init__(self, algorithm: str, nodes: int, parts: int, expected: float, chunks: int = 1) -> None:
        if expected * chunks > MAX_FLOWS:
            raise InfeasibleError(
                f"{algorithm} on {nodes:,} ranks has {expected * chunks:,.0f} flows; fluid takes at most "
                f"{MAX_FLOWS:,}: use --fidelity steady"
            )
        self.nodes, self.parts, self.chunks = nodes, parts, chunks
        self.count = 0
        self._batches: list[_Batch] = []
        self._waits: list[tuple[Ids, Ids]] = []

    def send(
        self,
        source: ArrayLike,
        target: ArrayLike,
        amount: ArrayLike,
        carried: Carried | None,
        *,
        after: Sequence[Ids] = (),
        reduces: bool = False,
        lane: Ids | None = None,
        hands_on: Ids | None = None,
    ) -> Ids:
        """A batch of m messages and their numbers, int64[m].

        `carried()` gives the chunks of each, int64[m, chunks a message], -1 for none. `after`: arrays of m messages to
        wait for, -1 for none. `lane`: the first message of the connection that each belongs to, itself by default; with
        several chunks the first message of a connection waits until it has sent all of the chunk before.
        """
        sources, targets, amounts = np.broadcast_arrays(
            np.asarray(source, np.int64), np.asarray(target, np.int64), np.asarray(amount, np.float64)
        )
        size = len(sources)
        ids = self.count + np.arange(size)
        self.count += size
        for before in after:
            kept = before >= 0
            self._waits.append((ids[kept], before[kept]))
        none = np.full(size, -1)
        handed = none if hands_on is None else hands_on
        self._batches.append(_Batch(sources, targets, amounts, reduces, handed, ids if lane is None else lane, carried))
        return ids

    def wait(self, ids: Ids, before: Ids) -> None:
        """Message ids[i] waits for message before[i]; a message may stand there more than once."""
        self._waits.append((ids, before))

    def arrived(self, ids: Ids, target: Ids, *, also: Ids | None = None) -> Ids:
        """int64[nodes]: what to wait for until all these messages have arrived at their targets (and `also`, by node,
        is done); -1 where nothing arrives. A join where several do."""
        if also is not None:
            nodes = np.flatnonzero(also >= 0)
            ids, target = np.concatenate([ids, also[nodes]]), np.concatenate([target, nodes])
        many = np.bincount(target, minlength=self.nodes)
        found = np.full(self.nodes, -1)
        found[target] = ids
        nodes = np.flatnonzero(many > 1)
        if len(nodes):
            found[nodes] = self.send(nodes, nodes, 0.0, None)
            several = many[target] > 1
            self._waits.append((found[target[several]], ids[several]))
        return found

    def done(self, ids: Ids, source: Ids, target: Ids) -> Ids:
        """int64[nodes]: what to wait for until these messages have left their sources and arrived at their targets."""
        return self.arrived(np.concatenate([ids, ids]), np.concatenate([source, target]))

    def messages(self) -> Messages:
        """All batches as one, once for each chunk of the data."""
        column = self._column
        lane, waiting, feeding = column("lane"), *self._waiting()
        last = np.zeros(self.count, np.int64)
        last[lane] = np.arange(self.count)  # of several of a lane the last one stays
        first = np.flatnonzero(lane == np.arange(self.count))
        shift = self.count * np.arange(self.chunks)
        held = [waiting + by for by in shift] + [first + by for by in shift[1:]]
        fed = [feeding + by for by in shift] + [last[first] + by for by in shift[:-1]]
        waiting, feeding = np.concatenate(held), np.concatenate(fed)
        total = self.count * self.chunks
        pred_ptr = np.zeros(total + 1, np.int64)
        np.cumsum(np.bincount(waiting, minlength=total), out=pred_ptr[1:])
        handed = column("hands_on")
        reduces = np.repeat([batch.reduces for batch in self._batches], [len(b.source) for b in self._batches])
        return Messages(
            parts=self.parts * self.chunks,
            source=np.tile(column("source").astype(np.int32), self.chunks),
            target=np.tile(column("target").astype(np.int32), self.chunks),
            amount=np.tile(column("amount") / self.chunks, self.chunks),
            reduces=np.tile(reduces.astype(np.bool_), self.chunks),
            hands_on=np.concatenate([np.where(handed < 0, -1, handed + by) for by in shift]).astype(np.int32),
            pred_ptr=pred_ptr,
            pred=feeding[np.argsort(waiting, kind="stable")].astype(np.int32),
            carried=self._carried,
        )

    def _column(self, name: str) -> NDArray[Any]:
        return np.concatenate([getattr(batch, name) for batch in self._batches])

    def _waiting(self) -> tuple[Ids, Ids]:
        nothing = [np.zeros(0, np.int64)]
        return (
            np.concatenate(nothing + [waiting for waiting, _ in self._waits]),
            np.concatenate(nothing + [feeding for _, feeding in self._waits]),
        )

    def _carried(self) -> Chunks:
        """Of the k-th chunk of the data, every part is part k parts + p of k times as many."""
        rows = [np.zeros((len(b.source), 0), np.int64) if b.carried is None else b.carried() for b in self._batches]
        each = np.concatenate([(row >= 0).sum(axis=1) for row in rows])
        whole, part = np.divmod(np.concatenate([row[row >= 0] for row in rows]), self.parts)
        chunk = [(whole * self.chunks + k) * self.parts + part for k in range(self.chunks)]
        return np.concatenate([[0], np.cumsum(np.tile(each, self.chunks))]), np.concatenate(chunk)
