"""Throughput between blocks: what share of a demand the links that are up carry, with a routing that shows it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cext import PathFlow, path_concurrent
from fabric.routing.pathsets import EXACT_ARCS, least_utilisation, transit_paths

Matrix = NDArray[np.float64]  # [N, N], Gb/s from one block to another
ROUNDS, PART, LAST = 24, 0.35, 4  # of filling: each places a part of what is left, the last ones all of it
COARSE, MIDDLE, FINE = 0.01, 0.005, 0.002  # gaps at which flow on paths stops
DENSE = 0.5  # share of pairs with links from which on one transit block is enough
TRANSIT, ANY = "direct and through one other block", "any path"
LEFT = 1e-9  # of the demand: less is rounding


@dataclass(frozen=True, slots=True, eq=False)
class _Graph:
    """Pairs of blocks with links as a graph in CSR."""

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    twin: NDArray[np.int32]
    forwards: NDArray[np.uint8]
    capacity: NDArray[np.float64]


def block_graph(capacity: Matrix) -> _Graph:
    """The graph of capacities in Gb/s, float64[N, N]."""
    n = len(capacity)
    there = (capacity > 0) | (capacity.T > 0)  # the kernel's arcs come in twins
    tails, heads = np.nonzero(there)
    number = np.full((n, n), -1, np.int32)
    number[tails, heads] = np.arange(len(tails))
    indptr = np.append(0, np.cumsum(there.sum(axis=1))).astype(np.int64)
    width = np.maximum(capacity[tails, heads], 1e-9)
    return _Graph(indptr, heads.astype(np.int32), number[heads, tails], np.ones(n, np.uint8), width)


@dataclass(slots=True, eq=False)
class Carrier:
    """Answers for one demand (float64[N, N], Gb/s) what share of it given links carry.

    `transit` keeps to direct links and paths through one other block, what traffic engineering of a block mesh uses;
    without it any path may be taken. The last good split is kept and tried first on the next links.
    """

    demand: Matrix
    transit: bool = True
    split: NDArray[np.float64] | None = field(default=None, init=False)  # [i, m, j] of the demand i to j through m
    solved: int = field(default=0, init=False)

    def bounds(self, capacity: Matrix, gap: float = FINE) -> tuple[float, float]:
        """Between which values the largest carried multiple of the demand lies; equal where a linear program says.

        >>> two = np.array([[0.0, 8, 8], [8, 0, 8], [8, 8, 0]])
        >>> [round(bound, 5) for bound in Carrier(two / 4).bounds(two)]
        [4.0, 4.0]
        """
        source, target = (ends.astype(np.int32) for ends in np.nonzero(self.demand > 0))
        if not len(source):
            return np.inf, np.inf
        if not (capacity > 0).any():
            return 0.0, 0.0
        graph, amount = block_graph(capacity), self.demand[source, target]
        self.solved += 1
        if not self.transit:
            found = path_concurrent(graph.indptr, graph.heads, graph.twin, graph.capacity, graph.forwards, source,
                                    target, amount, gap=gap)  # fmt: skip
            return (0.0, 0.0) if found.unreachable[0] >= 0 else (found.lb, found.ub)
        paths = transit_paths(graph, source, target)
        if (np.diff(paths.pair_ptr) == 0).any():
            return 0.0, 0.0
        if len(paths.arcs) <= EXACT_ARCS and gap <= FINE:
            split = least_utilisation(graph, graph.capacity, source, target, amount, paths)
            return split.lb, max(split.lb, min(split.ub, split.lb * (1 + 1e-7)))
        flow = path_concurrent(graph.indptr, graph.heads, graph.twin, graph.capacity, graph.forwards, source, target,
                               amount, gap=gap, paths=(*paths,))  # fmt: skip
        self._keep(flow, graph, source, target)
        return flow.lb, flow.ub

    @property
    def small(self) -> bool:
        """Whether the demand is decided exactly in milliseconds."""
        return not self.transit or 2 * len(self.demand) ** 3 <= EXACT_ARCS

    def carries(self, capacity: Matrix, share: float, *, quick: bool = False) -> bool:
        """Whether a routing was found that carries this multiple of the demand; False too where none is proven not to
        exist but none was found. A `quick` answer tries the last split only, where the fabric is not small."""
        wanted = share * self.demand
        if not wanted.any() or (wanted <= capacity).all():
            return True
        for axis in (0, 1):  # no block can send or receive more than its links
            if (capacity.sum(axis=axis) < wanted.sum(axis=axis) * (1 - LEFT)).any():
                return False
        if self.transit and self._fills(capacity, share):
            return True
        if quick and not self.small:
            return False
        for gap in (COARSE, FINE) if self.small else (MIDDLE,):
            low, high = self.bounds(capacity, gap)
            if low >= share or high < share:
                break
        return low >= share

    def _keep(self, flow: PathFlow, graph: _Graph, source: NDArray[np.int32], target: NDArray[np.int32]) -> None:
        """Remember the split of a solved demand."""
        n = len(self.demand)
        first = flow.path_arc[flow.path_ptr[:-1]]
        pair = np.repeat(np.arange(len(source)), np.diff(flow.pair_ptr))
        split = np.zeros((n, n, n))
        split[source[pair], graph.heads[first], target[pair]] = flow.flow
        self.split = split

    def _fills(self, capacity: Matrix, share: float) -> bool:
        """Whether a split is found by cutting the last one down to the links that are there, and filling what is left
        into what is free, a part at a time: a feasible routing where True, nothing said where False."""
        n = len(capacity)
        here = np.arange(n)
        flow = np.zeros((n, n, n)) if self.split is None else share * self.split
        if self.split is None:
            flow[:, here, here] = np.minimum(share * self.demand, capacity)
        spare, flow = _cut_down(flow, capacity)
        left = np.maximum(share * self.demand - flow.sum(axis=1), 0)
        enough = LEFT * float(self.demand.sum())
        for turn in range(ROUNDS):
            direct = np.minimum(left, spare)
            spare = spare - direct
            left = left - direct
            if left.sum() <= enough:
                return True
            weight = spare[:, :, None] * spare[None, :, :]
            weight /= spare[:, :, None] + spare[None, :, :] + 1e-30
            total = weight.sum(axis=1)
            part = 1.0 if turn >= ROUNDS - LAST else PART
            weight *= np.minimum(part * left / (total + 1e-30), 1.0)[:, None, :]
            spare, weight = _cut_down(weight, spare)
            left = np.maximum(left - weight.sum(axis=1), 0)
        return bool(left.sum() <= enough)


def _cut_down(flow: NDArray[np.float64], capacity: Matrix) -> tuple[Matrix, NDArray[np.float64]]:
    """What stays free, and the flow scaled until no link has more than its capacity. Flow [i, j, j] is direct."""
    n = len(capacity)
    here = np.arange(n)

    def load(flow: NDArray[np.float64]) -> Matrix:
        second = flow.sum(axis=0)
        second[here, here] = 0  # the first hop of a direct path is its last
        whole: Matrix = flow.sum(axis=2) + second
        return whole

    keep = np.minimum(1.0, capacity / np.maximum(load(flow), 1e-30))
    last = keep.copy()
    last[here, here] = 1.0
    flow = flow * np.minimum(keep[:, :, None], last[None, :, :])
    return np.maximum(capacity - load(flow), 0), flow
