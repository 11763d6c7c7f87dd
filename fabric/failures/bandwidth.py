"""Bandwidth left: what a damaged fabric still carries between those that remain, over what it carried between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.failures.cuts import cuts
from fabric.failures.damage import damaged
from fabric.routing.contraction import contract
from fabric.routing.registry import route
from fabric.routing.router import RoutingOptions
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.selection import with_ranks

SPLIT_WORK = 4e8  # destinations times arcs of all routings of one answer: some seconds
ANY = RoutingOptions()


@dataclass(frozen=True, slots=True)
class Left:
    """Shares from 0 to 1 of what the same accelerators had before. All-to-all: `splits` of equal splits over shortest
    paths, None where that was not computed; `cuts` of the narrowest plain cut, an estimate where a fabric does not fill
    its cuts; `low` and `high` certified for the best routing, where asked. All-reduce by the narrowest cut too."""

    splits: float | None
    cuts: float
    all_reduce: float
    low: float | None = None
    high: float | None = None

    @property
    def all_to_all(self) -> float:
        """The best that is known to be carried; the cuts where nothing is."""
        known = [value for value in (self.splits, self.low) if value is not None]
        return max(known) if known else self.cuts


def by_cuts(topology: Topology, left: NDArray[np.float64], rest: NDArray[np.bool_]) -> tuple[float, float]:
    """Upper bounds from the plain cuts for the accelerators of `rest` (bool[n]) over `left` links (float64[A]): bytes/s
    between every two of them, and of the vector of an all-reduce.

    Of k accelerators in a group and m in all, k (m - k) pairs cross its cut one way, but for those whom a scale-up
    network joins past it, and at least one whole vector.

    >>> from topologies.registry import build
    >>> ring = build("ring:n=4,rate_gbps=8"); every = np.ones(4, bool)
    >>> by_cuts(ring, ring.csr().links, every)
    (500000000.0, 2000000000.0)
    """
    csr = topology.csr()
    pair, vector = np.inf, np.inf
    capacity = csr.capacity * left / csr.links
    for cut in cuts(topology):
        pairs, inside = cut.pairs(csr.accelerators, rest)
        out = np.bincount(cut.tail, capacity[cut.arcs], minlength=cut.groups)
        if pairs.any():
            pair = min(pair, float((out[pairs > 0] / pairs[pairs > 0]).min()))
        if cut.past is None and inside.any():
            vector = min(vector, float(out[inside].min()))
    return pair, vector


def by_splits(topology: Topology, rest: NDArray[np.bool_]) -> float | None:
    """Bytes/s between every two accelerators of `rest` under equal splits over shortest paths; None where two of them
    have no path that crosses forwarding nodes only."""
    ranks = np.flatnonzero(rest)
    view = with_ranks(topology, ranks)
    try:
        arcs = route(view, Traffic.uniform(len(ranks), 1.0), "minimal", ANY).arcs
    except InfeasibleError:
        return None
    return float(1 / np.max(arcs / topology.csr().capacity))


def best_routing(topology: Topology, rest: NDArray[np.bool_], gap: float) -> tuple[float, float]:
    """An interval of the same under the best routing there is."""
    from fabric.bounding.throughput import concurrent_flow

    ranks = np.flatnonzero(rest)
    whole, n = Traffic.uniform(len(ranks), 1.0), len(rest)
    traffic = whole if len(ranks) == n else whole.over(ranks[None, :], n)
    found = concurrent_flow(topology, traffic, gap=gap)
    return found.throughput, found.upper


def work(topology: Topology) -> float:
    """What one routing costs on a fabric without symmetry: destinations times arcs."""
    return float(len(np.unique(contract(topology).node_of_rank)) * len(topology.csr().heads))


def bandwidth_left(
    topology: Topology,
    left: NDArray[np.float64],
    out: NDArray[np.bool_],
    *,
    splits: bool = True,
    gap: float | None = None,
) -> Left | None:
    """What accelerators that are not `out` keep of what they had among themselves; None where fewer than two remain.

    Both sides of each share are of the same accelerators, so that who is gone is not counted as speed. What equal
    splits would gain from a loss counts as none: better routing could have ignored what is lost. With `gap` the best
    routing is solved to it, before and after.

    >>> from topologies.registry import build
    >>> from fabric.failures.damage import Loss, links_left
    >>> mesh = build("full-mesh:n=8"); none = np.zeros(8, bool)
    >>> bandwidth_left(mesh, links_left(mesh, Loss.of_links([0], [1.0])), none).splits
    0.8571428571428572
    """
    rest = ~out
    if rest.sum() < 2:
        return None
    pair, vector = by_cuts(topology, left, rest)
    pair_before, vector_before = by_cuts(topology, topology.csr().links, rest)
    here = damaged(topology, left, out) if splits or gap is not None else None
    even = low = high = None
    if here is not None and splits:
        after, before = by_splits(here, rest), by_splits(topology, rest)
        even = None if after is None or before is None else min(1.0, after / before)
    if here is not None and gap is not None:
        (least, most), (least_before, most_before) = (best_routing(t, rest, gap) for t in (here, topology))
        low, high = least / most_before, min(1.0, most / least_before)
    return Left(even, _share(pair, pair_before), _share(vector, vector_before), low, high)


def _share(after: float, before: float) -> float:
    return 1.0 if not np.isfinite(before) or before <= 0 else min(1.0, after / before)
