"""Lanes: messages that follow each other from rank to rank, each fed by the one that came before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.traffic import Traffic

Ring = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Lanes:
    """On edge e, source[e] sends amount[e] (bytes per byte of size) to target[e] in rounds[e] equal messages.

    A message waits for the one before it on its edge and for the one that feeds it: that of `lag` rounds before on edge
    feed[e]; -1 where the source has what it sends from the start. Shards that are passed on have lag 1, sums and chains
    that wait for the same message have lag 0. All arrays int64[E], amount float64[E].
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    amount: NDArray[np.float64]
    rounds: NDArray[np.int64]
    feed: NDArray[np.int64]
    lag: NDArray[np.int64]

    def traffic(self, n: int) -> Traffic:
        """What all edges carry together, without their order."""
        return Traffic.pairs(n, self.source, self.target, self.amount)

    @classmethod
    def joined(cls, parts: "Sequence[Lanes]") -> "Lanes":
        """Lanes side by side.

        >>> both = Lanes.joined([around([np.arange(4)], 1.0, 3), around([np.arange(4)], 1.0, 3)])
        >>> len(both.source), int(both.feed.max())
        (16, 15)
        """
        starts = np.cumsum([0] + [len(part.source) for part in parts])
        feeds = [np.where(p.feed < 0, -1, p.feed + start) for p, start in zip(parts, starts, strict=False)]
        return cls(
            np.concatenate([p.source for p in parts]),
            np.concatenate([p.target for p in parts]),
            np.concatenate([p.amount for p in parts]),
            np.concatenate([p.rounds for p in parts]),
            np.concatenate(feeds),
            np.concatenate([p.lag for p in parts]),
        )


def around(rings: Sequence[Ring], amount: float, rounds: int) -> Lanes:
    """Every rank of every ring passes `amount` on, half each way, in `rounds` messages.

    >>> around([np.arange(4)], 1.0, 3).traffic(4).total
    4.0
    """
    parts = []
    for order in _both_ways(rings):
        edges = np.arange(len(order))
        parts.append(_lane(order, np.roll(order, -1), amount / 2, rounds, np.roll(edges, 1), 1))
    return Lanes.joined(parts)


def chains(rings: Sequence[Ring], amount: float, *, reverse: bool = False) -> Lanes:
    """From the first rank of every ring `amount` is passed on to the last, half each way round; to the first, from both
    ends, with `reverse`.

    >>> chains([np.arange(4)], 1.0).traffic(4).total
    3.0
    """
    parts = []
    for order in _both_ways(rings):
        path = order[::-1] if reverse else order
        parts.append(_lane(path[:-1], path[1:], amount / 2, 1, np.arange(len(path) - 1) - 1, 0))
    return Lanes.joined(parts)


def _both_ways(rings: Sequence[Ring]) -> list[Ring]:
    return [way for order in rings for way in (order, np.concatenate([order[:1], order[:0:-1]]))]


def _lane(source: Ring, target: Ring, amount: float, rounds: int, feed: NDArray[np.int64], lag: int) -> Lanes:
    edges = len(source)
    return Lanes(
        source.astype(np.int64), target.astype(np.int64), np.full(edges, amount), np.full(edges, rounds),
        feed.astype(np.int64), np.full(edges, lag),
    )  # fmt: skip
