"""Bounds: the least time that any algorithm and any routing could take for a collective on a topology."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from cext import cut_ratio, min_connectivity
from fabric.bounding.cuts import cut_name, is_balanced, whole_capacity
from fabric.bounding.demand import Certificate, demand_bound
from fabric.bounding.experts import experts_bound
from fabric.bounding.grouped import shared_bound
from fabric.bounding.reduction import all_reduce_interval, reducing_nodes
from fabric.collectives import Collective
from fabric.groups import Groups
from fabric.moe import exchange
from fabric.traffic import Traffic
from topologies.errors import ConfigError
from topologies.graph import Topology, once
from topologies.selection import with_ranks

SOURCES = 8  # end points that a bound on latency looks from
FEW = 4  # groups whose own bounds are looked at
SMALL = 50_000_000  # their ranks times arcs, up to which that costs little


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """What nothing can beat: `per_byte_s` is the least time of a byte of the collective's size, `latency_s` that of a
    smallest message.

    The best time lies between `per_byte_s` and `per_byte_s / (1 - gap)` (gap 1: no schedule is known); `attained` says
    that a schedule is proven to reach it. `why` names what binds; `cut` is uint8[V], 1 on one side of the cut that
    proves it, or None where lengths of paths do. `relays` says that accelerators pass on what the data path would not
    let cross them.
    """

    collective: str
    per_byte_s: float
    latency_s: float
    gap: float
    attained: bool
    why: str
    cut: NDArray[np.uint8] | None
    relays: bool
    in_network: bool

    def time_s(self, size_bytes: float) -> float:
        """The larger of both, since an algorithm may overlap them."""
        return max(self.latency_s, self.per_byte_s * size_bytes)


def collective_bound(
    topology: Topology,
    collective: Collective,
    *,
    gap: float | None = 0.01,
    in_network: bool | None = None,
    threads: int = 0,
) -> Bound:
    """The least time of a collective on a topology, whatever the algorithm and the routing; rank 0 is the root.

    Of groups, all that run at once: one alone as if the other accelerators passed data on but did not reduce, several
    by the links that they share (`fabric.bounding.grouped`).

    Exact for broadcast, reduce, all-gather and reduce-scatter: the narrowest cut (Edmonds 1973; Zhao et al.,
    ForestColl, arXiv:2402.06787). An interval for all-reduce, closed where proven optimal. For all-to-all, send-recv
    and permutation a concurrent flow to within `gap`, or with None what costs next to nothing. Accelerators may relay
    in all of them. `in_network` says whether switches may reduce; by default those whose part does. Unit of
    `per_byte_s`: seconds per byte of size (nccl-tests convention).

    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> b = collective_bound(build("ring:n=8,rate_gbps=400"), collective("all-gather", 8))
    >>> b.time_s(8e9), b.attained, b.why
    (0.07, True, "accelerator 0's own 2 links, 100 GB/s each way")
    """
    if gap is not None and not 0 < gap < 1:
        raise ConfigError(f"gap = {gap} is not a share between 0 and 1, such as 0.01")
    if collective.groups is not None:
        return _of_groups(topology, collective, collective.groups, gap, in_network, threads)
    name = collective.name
    reducing = reducing_nodes(topology, in_network) if name == "all-reduce" else np.empty(0, np.int64)
    if name in ("all-gather", "reduce-scatter"):
        found = _scatter(topology, reverse=name == "reduce-scatter")
    elif name in ("broadcast", "reduce"):
        found = _rooted(topology, reverse=name == "reduce")
    elif name == "all-reduce":
        ratio, inside = _ratio(topology, False)
        root, side = _connectivity(topology, False)
        found = all_reduce_interval(topology, ratio, inside, root, side, reducing)
    elif collective.moe is not None:
        found = experts_bound(topology, exchange(topology, name, collective.moe), gap=gap, threads=threads)
    else:
        found = demand_bound(topology, _traffic(collective), gap=gap, threads=threads)
    csr = topology.csr()
    return Bound(
        collective=name,
        per_byte_s=found.per_byte_s,
        latency_s=_latency(topology, collective),
        gap=found.gap,
        attained=found.attained,
        why=found.why or ("" if found.cut is None else cut_name(topology, found.cut)),
        cut=found.cut,
        relays=bool((csr.forwards[csr.accelerators] == 0).any()),
        in_network=bool(len(reducing)),
    )


def _of_groups(
    topology: Topology, collective: Collective, groups: Groups, gap: float | None, in_network: bool | None, threads: int
) -> Bound:
    """The bound of all groups together, and of as many alone as cost little."""
    alone = replace(collective, groups=None)
    rows = np.unique(np.linspace(0, len(groups) - 1, min(FEW, len(groups))).astype(np.int64))
    views = [with_ranks(topology, groups.members[row]) for row in rows]
    latency = max(_latency(view, alone) for view in views)
    csr = topology.csr()
    relays = bool((csr.forwards[csr.accelerators] == 0).any())
    if collective.name == "all-to-all" or collective.target is not None:
        traffic = _traffic(collective).over(groups.members, len(topology.accelerators))
        found = demand_bound(topology, traffic, gap=gap, threads=threads)
        return Bound(
            collective.name, found.per_byte_s, latency, found.gap, found.attained, found.why, found.cut, relays, False
        )
    if collective.moe is not None:
        return max(
            (collective_bound(view, alone, gap=gap, threads=threads) for view in views), key=lambda b: b.per_byte_s
        )
    if len(groups) == 1:
        return collective_bound(views[0], alone, gap=gap, in_network=in_network, threads=threads)
    found = shared_bound(topology, collective, in_network)
    reduces = collective.name == "all-reduce" and len(reducing_nodes(topology, in_network)) > 0
    shared = Bound(collective.name, found.per_byte_s, latency, 1.0, False, found.why, None, relays, reduces)
    if len(views) * groups.n * len(csr.heads) > SMALL:
        return shared
    own = [collective_bound(view, alone, gap=gap, in_network=in_network, threads=threads) for view in views]
    slowest = max(own, key=lambda bound: bound.per_byte_s)
    if slowest.per_byte_s <= shared.per_byte_s:
        return shared
    return replace(slowest, latency_s=latency, gap=1.0, attained=False)


def _traffic(collective: Collective) -> Traffic:
    if collective.target is None:
        return Traffic.uniform(collective.n, 1 / collective.n)
    ranks = np.arange(collective.n)
    moved = collective.target != ranks
    return Traffic.pairs(collective.n, ranks[moved], collective.target[moved], 1.0)


def _scatter(topology: Topology, reverse: bool) -> Certificate:
    """All-gather of shards S/n: the set of ranks whose shards leave it most slowly; reversed for reduce-scatter."""
    ratio, cut = _ratio(topology, reverse)
    rate = ratio * len(topology.accelerators)
    return Certificate(float(1 / rate), 0.0, is_balanced(topology), cut)


def _rooted(topology: Topology, reverse: bool) -> Certificate:
    """Broadcast from rank 0: the narrowest cut between it and any rank; reversed for reduce."""
    rate, cut = _connectivity(topology, reverse)
    return Certificate(float(1 / rate), 0.0, is_balanced(topology), cut)


def _ratio(topology: Topology, reverse: bool) -> tuple[Fraction, NDArray[np.uint8]]:
    """x* in bytes/s and its set; the last found is kept, and with equal rates both ways one serves for both."""
    known, csr = _ratios(topology), topology.csr()
    whole, unit = whole_capacity(topology)
    reverse = reverse and not np.array_equal(whole, whole[csr.twin])
    if reverse not in known:
        capacity = whole[csr.twin] if reverse else whole
        sinks = csr.accelerators[_sinks(topology)]
        p, q, cut = cut_ratio(csr.indptr, csr.heads, csr.twin, capacity, csr.accelerators, sinks)
        known[reverse] = Fraction(p, q) * unit, cut
    return known[reverse]


@once
def _ratios(topology: Topology) -> dict[bool, tuple[Fraction, NDArray[np.uint8]]]:
    """Ratios of a topology by direction, as they become known."""
    return {}


def _connectivity(topology: Topology, reverse: bool) -> tuple[Fraction, NDArray[np.uint8]]:
    csr = topology.csr()
    whole, unit = whole_capacity(topology)
    capacity = whole[csr.twin] if reverse else whole
    root, others = int(csr.accelerators[0]), csr.accelerators[1:]
    value, side = min_connectivity(csr.indptr, csr.heads, csr.twin, capacity, root, others)
    return value * unit, side


def _sinks(topology: Topology) -> NDArray[np.int64]:
    """Ranks of which every other is an image: one on a wrapped grid whose shifts are proven to change no capacity; else
    all ranks."""
    grid, csr = topology.grid, topology.csr()
    every = np.arange(len(csr.accelerators))
    if grid is None or not all(grid.wrap) or len(every) < len(csr.forwards):
        return every
    whole, n, stride = whole_capacity(topology)[0], len(every), 1
    place = csr.tails.astype(np.int64) * n + csr.heads
    before = np.argsort(place)
    for size in grid.dims:
        along = every // stride % size
        image = every + ((along + 1) % size - along) * stride  # of a twisted grid no image, which the test finds
        moved = image[csr.tails] * n + image[csr.heads]
        after = np.argsort(moved)
        if not (np.array_equal(moved[after], place[before]) and np.array_equal(whole[after], whole[before])):
            return every
        stride *= size
    return every[:1]


def _latency(topology: Topology, collective: Collective) -> float:
    """Zero-load time of the slowest path that data must take, seen from a few ranks: never above the true worst."""
    csr, n = topology.csr(), collective.n
    if collective.target is not None:
        ranks = np.flatnonzero(collective.target != np.arange(n))
        ranks = ranks[np.linspace(0, len(ranks) - 1, min(SOURCES, len(ranks))).astype(np.int64)]
        near = _zero_load(topology, csr.accelerators[ranks])
        return float(near[np.arange(len(ranks)), csr.accelerators[collective.target[ranks]]].max())
    source, worst = 0, 0.0
    for _ in range(1 if collective.name in ("broadcast", "reduce") else SOURCES):
        near = _zero_load(topology, csr.accelerators[source : source + 1])[0, csr.accelerators]
        if near.max() <= worst:
            break
        source, worst = int(np.argmax(near)), float(near.max())
    return worst


def _zero_load(topology: Topology, sources: NDArray[np.int32]) -> NDArray[np.float64]:
    """float64[sources, V]: seconds of the quickest path, relays through accelerators included; who knows when a
    time-shared link is up need not wait for it."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    csr = topology.csr()
    seconds = csr.latency - csr.wait + csr.node_latency[csr.tails]
    graph = csr_array((seconds, csr.heads, csr.indptr), shape=(len(csr.forwards),) * 2)
    found: NDArray[np.float64] = dijkstra(graph, indices=sources) - csr.node_latency[sources][:, None]
    return np.maximum(found, 0.0)
