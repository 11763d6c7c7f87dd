"""Tours: orders of ranks round which data are passed on, and the messages that go round them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.traffic import Traffic

Ring = NDArray[np.int64]
Shards = Callable[[Ids, Ids], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Tours:
    """T closed tours of P places each, one direction each.

    `order` int64[T, P]: the rank at each place. `via` int64[T, P]: the rank that hands on what goes from a place to the
    next; -1 where that goes straight.
    """

    order: NDArray[np.int64]
    via: NDArray[np.int64]

    @classmethod
    def both_ways(cls, rings: "Sequence[Ring] | NDArray[np.int64]") -> "Tours":
        """Every ring from its first rank on, then every ring the other way round; a rank that a ring passes again
        hands on there.

        >>> tours = Tours.both_ways([np.array([0, 1, 2, 1])])
        >>> tours.order.tolist(), tours.via.tolist()
        ([[0, 1, 2], [0, 2, 1]], [[-1, -1, 1], [1, -1, -1]])
        """
        found = [_places(ring) for ring in rings]
        there = cls(np.array([order for order, _ in found], np.int64), np.array([via for _, via in found], np.int64))
        back = there.reversed
        return cls(
            np.concatenate([there.order, np.roll(back.order, 1, axis=1)]),
            np.concatenate([there.via, np.roll(back.via, 1, axis=1)]),
        )

    @classmethod
    def lines(cls, order: NDArray[np.int64]) -> "Tours":
        """Rows of int64[lines, P] from the first rank to the last, then from the last to the first."""
        both = np.concatenate([order, order[:, ::-1]])
        return cls(both, np.full(both.shape, -1))

    def __len__(self) -> int:
        return len(self.order)

    @property
    def reversed(self) -> "Tours":
        """The same tours the other way, each ending where it started."""
        return Tours(self.order[:, ::-1], np.roll(self.via[:, ::-1], -1, axis=1))

    def traffic(self, n: int, amount: float, *, closed: bool = True) -> Traffic:
        """`amount` over every hop; without those from the last place to the first if not `closed`.

        >>> Tours.both_ways([np.arange(4)]).traffic(4, 0.5).total
        4.0
        """
        hops = _Hops.of(self, closed=closed)
        return Traffic.pairs(n, hops.source, hops.target, amount)

    def rounds(
        self,
        draft: Draft,
        amount: float,
        shards: Shards,
        halves: Sequence[str],
        *,
        closed: bool = True,
        ready: Ids | None = None,
        turns: int | None = None,
    ) -> tuple[Ids, Ids]:
        """Reduce-scatter and all-gather round the tours: in each round every place passes a shard of `amount` on.

        Round t of T (P - 1, or `turns` where one shard is that of several places) of the reduce-scatter passes the
        shard of T - t places ahead, which ends where it belongs; of the all-gather that of t places back. If not
        `closed`, nothing passes from the last place to the first: shards go to the end only, those of ranks further on
        in a reduce-scatter. `shards(tour, place)` gives the chunks of the shard of a place, int64[m, chunks]. `ready`
        by rank is what it waits for before its first message, sent or received. Returns the last message that arrives
        at each place, and the rank there.
        """
        places = self.order.shape[1]
        rounds = places - 1 if turns is None else turns
        hops = _Hops.of(self, closed=True)
        tour, place = np.divmod(hops.leg, places)
        begin = np.full(draft.nodes, -1) if ready is None else ready
        before, into = begin[hops.source], begin[hops.target]
        came, lane = np.full(self.order.size, -1), np.full(len(place), -1)
        for half in halves:
            for turn in range(rounds):
                ahead = place + (rounds - turn if half == "reduce-scatter" else -turn)
                within = closed | ((ahead >= 0) & (ahead < places) & (place < places - 1))
                now = np.flatnonzero(np.broadcast_to(within, place.shape))
                ids, leg, again = draft.count + np.arange(len(now)), hops.leg[now], hops.again[now]
                lane[now] = np.where(lane[now] < 0, ids, lane[now])
                carried = partial(shards, tour[now], ahead[now] % places)
                draft.send(
                    hops.source[now], hops.target[now], amount, carried, reduces=half == "reduce-scatter",
                    after=[np.where(again, ids - 1, came[leg]), before[now], into[now]],
                    lane=lane[now], hands_on=np.where(again, ids - 1, -1),
                )  # fmt: skip
                before[now], into[now], final, came = ids, -1, hops.final[now], came.copy()
                came[leg[final] - place[now][final] + (place[now][final] + 1) % places] = ids[final]
        arrived = np.flatnonzero(came >= 0)
        return came[arrived], self.order.ravel()[arrived]

    def along(
        self, draft: Draft, amount: float, shards: Shards, *, reduces: bool = False, ready: Ids | None = None
    ) -> tuple[Ids, Ids]:
        """From the first place of every tour `amount` is passed on to the last, or added up; the messages that arrive,
        and their targets."""
        hops = _Hops.of(self, closed=False)
        tour, place = np.divmod(hops.leg, self.order.shape[1] - 1)
        ids = draft.count + np.arange(len(hops.source))
        start = (place == 0) & ~hops.again
        begin = np.full(draft.nodes, -1) if ready is None else ready
        own = begin[hops.source] if reduces else np.full(len(ids), -1)  # a sum waits for what the rank itself adds
        draft.send(
            hops.source, hops.target, amount, partial(shards, tour, place), reduces=reduces,
            after=[np.where(start, begin[hops.source], ids - 1), np.where(hops.again, -1, own)],
            hands_on=np.where(hops.again, ids - 1, -1),
        )  # fmt: skip
        return ids[hops.final], hops.target[hops.final]


@dataclass(frozen=True, slots=True, eq=False)
class _Hops:
    """The hops of all tours in order: `leg` numbers the pair of places that each belongs to, `again` says that its
    source hands on what the hop before it brought, `final` that it ends at a place."""

    source: Ids
    target: Ids
    leg: Ids
    again: NDArray[np.bool_]
    final: NDArray[np.bool_]

    @classmethod
    def of(cls, tours: Tours, *, closed: bool) -> "_Hops":
        stop = tours.order.shape[1] - (not closed)
        start, end, via = (a[:, :stop].ravel() for a in (tours.order, np.roll(tours.order, -1, axis=1), tours.via))
        leg = np.repeat(np.arange(len(start)), 1 + (via >= 0))
        again = np.concatenate([[False], leg[1:] == leg[:-1]])
        final = np.concatenate([leg[1:] != leg[:-1], [True]])
        return cls(np.where(again, via[leg], start[leg]), np.where(final, end[leg], via[leg]), leg, again, final)


def _places(order: Ring) -> tuple[Ring, Ring]:
    """The ranks of a tour, each once, and whom a tour that comes by one again passes there."""
    first = np.zeros(len(order), np.bool_)
    first[np.unique(order, return_index=True)[1]] = True
    via = np.full(int(first.sum()), -1)
    via[np.cumsum(first)[~first] - 1] = order[~first]
    return order[first], via
