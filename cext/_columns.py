"""Path sets: the paths of many pairs as arrays, and the flow on them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cext import _checks

Floats = NDArray[np.float64]


class PathFlow(NamedTuple):
    """A concurrent flow on paths, for the demand as it was given, and what proves how good it is.

    `lb` and `ub` enclose the largest multiple of the demand that fits: `lb` is 1 over the largest load / capacity,
    and with `length` float64[A] as prices ub = capacity @ length / (what the demand costs at least). Pair i has the
    paths pair_ptr[i] to pair_ptr[i + 1] - 1; path p has the arcs path_arc[path_ptr[p]:path_ptr[p + 1]], in order,
    and carries flow[p]. `unreachable` is a (source, target) without any path, or (-1, -1): then both bounds are 0.
    """

    lb: float
    ub: float
    load: Floats
    pair_ptr: NDArray[np.int64]
    path_ptr: NDArray[np.int64]
    path_arc: NDArray[np.int32]
    flow: Floats
    length: Floats
    rounds: int
    unreachable: tuple[int, int]

    @property
    def gap(self) -> float:
        """How far `lb` may be below the optimum, as a share of `ub`."""
        return 1 - self.lb / self.ub if self.ub > 0 else 0.0

    @classmethod
    def none(cls, pairs: int, arcs: int, source: int = -1, target: int = -1) -> "PathFlow":
        """No flow at all."""
        paths = PathSet.empty(pairs)
        nothing = np.zeros(arcs)
        return cls(0.0, 0.0, nothing, *paths, np.zeros(0), nothing, 0, (source, target))


class PathSet(NamedTuple):
    """Paths of pairs: pair_ptr int64[P+1] into paths, path_ptr int64[N+1] into arcs int32."""

    pair_ptr: NDArray[np.int64]
    path_ptr: NDArray[np.int64]
    arcs: NDArray[np.int32]

    @classmethod
    def of(cls, pair_ptr: NDArray[np.int64], path_ptr: NDArray[np.int64], arcs: NDArray[np.int32]) -> "PathSet":
        """The same with contiguous arrays of those types."""
        return cls(
            np.ascontiguousarray(pair_ptr, np.int64),
            np.ascontiguousarray(path_ptr, np.int64),
            np.ascontiguousarray(arcs, np.int32),
        )

    @classmethod
    def empty(cls, pairs: int) -> "PathSet":
        """No path for any pair."""
        return cls(np.zeros(pairs + 1, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int32))

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.path_ptr) - 1

    @property
    def pair(self) -> NDArray[np.int64]:
        """The pair of each path."""
        return np.repeat(np.arange(len(self.pair_ptr) - 1), np.diff(self.pair_ptr))

    def load(self, flow: Floats, arcs: int) -> Floats:
        """What the flow puts on each of so many arcs."""
        return np.bincount(self.arcs, np.repeat(flow, np.diff(self.path_ptr)), minlength=arcs).astype(np.float64)

    def cost(self, length: Floats) -> Floats:
        """The length of each path."""
        return np.add.reduceat(length[self.arcs], self.path_ptr[:-1]) if self.size else np.zeros(0)

    def scaled(self, flow: Floats, amount: Floats) -> Floats:
        """The flow with what rounding has lost or won put right, so that each pair carries its amount."""
        return flow * np.repeat(amount / np.add.reduceat(flow, self.pair_ptr[:-1]), np.diff(self.pair_ptr))

    def check(
        self,
        indptr: NDArray[np.int64],
        heads: NDArray[np.int32],
        source: NDArray[np.int32],
        target: NDArray[np.int32],
        amount: Floats,
        limit: Floats,
    ) -> None:
        """Raise ValueError unless these are paths from the sources to the targets, with room for the amounts."""
        _checks.check_length(len(source) + 1, pair_ptr=self.pair_ptr)
        _checks.check_offsets("pair_ptr", self.pair_ptr, self.size)
        _checks.check_offsets("path_ptr", self.path_ptr, len(self.arcs))
        _checks.check_range("path_arc", self.arcs, len(heads))
        _checks.check_length(self.size, limit=limit)
        if (np.diff(self.pair_ptr) == 0).any() or (np.diff(self.path_ptr) == 0).any():
            raise ValueError("paths must give every pair a path, and every path an arc")
        tails = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))[self.arcs]
        inner = np.ones(len(self.arcs), bool)
        inner[self.path_ptr[:-1]] = False
        first, last = self.arcs[self.path_ptr[:-1]], self.arcs[self.path_ptr[1:] - 1]
        broken = (tails[1:] != heads[self.arcs[:-1]])[inner[1:]].any()
        tail = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        if broken or (tail[first] != source[self.pair]).any() or (heads[last] != target[self.pair]).any():
            raise ValueError("paths must lead from the source of their pair to its target, each arc on from the last")
        owner = np.repeat(np.arange(self.size), np.diff(self.path_ptr))
        if len(np.unique(owner * len(heads) + self.arcs)) < len(self.arcs):
            raise ValueError("paths must pass an arc once at most")
        if np.isnan(limit).any() or (limit < 0).any():
            raise ValueError("limit must not be negative")
        if (np.add.reduceat(limit, self.pair_ptr[:-1]) < amount * (1 - 1e-9)).any():
            raise ValueError("limit must leave room for the amount of every pair")

    def extended(
        self, flow: Floats, cost: Floats, found: NDArray[np.int32], hops: NDArray[np.int32], amount: Floats, k: int
    ) -> tuple["PathSet", Floats]:
        """With a found path more for each pair that has hops, in place of its dearest idle one where it has k already.

        A path found is written last arc first. The first path of a pair carries its amount, a later one nothing yet.
        """
        held = np.diff(self.pair_ptr)
        kept, new = np.ones(self.size, bool), hops > 0
        full = new & (held >= k)
        if full.any():
            order = np.lexsort((np.where(flow <= 1e-9 * amount[self.pair], cost, -1.0), self.pair))
            dearest = order[self.pair_ptr[1:][full] - 1]
            idle = flow[dearest] <= 1e-9 * amount[full]
            kept[dearest[idle]] = False
            new[np.flatnonzero(full)[~idle]] = False
        added = np.flatnonzero(new)
        room = found.shape[1]
        ahead = np.arange(room) >= room - hops[added, None]
        arcs = np.concatenate([self.arcs[np.repeat(kept, np.diff(self.path_ptr))], found[added, ::-1][ahead]])
        length = np.concatenate([np.diff(self.path_ptr)[kept], hops[added]])
        pair = np.concatenate([self.pair[kept], added])
        flow = np.concatenate([flow[kept], np.where(held[added] == 0, amount[added], 0.0)])
        order = np.argsort(pair, kind="stable")
        start = (np.cumsum(length) - length)[order]
        length = length[order]
        path_ptr = np.append(0, np.cumsum(length))
        place = np.repeat(start - path_ptr[:-1], length) + np.arange(path_ptr[-1])
        pair_ptr = np.append(0, np.cumsum(np.bincount(pair, minlength=len(held))))
        return PathSet(pair_ptr, path_ptr, arcs[place]), flow[order]
