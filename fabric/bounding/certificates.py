"""Certificates: upper bounds on throughput that cost next to nothing, each with what proves it."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from fabric.routing.contraction import contract
from fabric.traffic import Traffic
from topologies.graph import Topology, once

SLABS = 256  # planes of a grid that are told apart, in each dimension

Grouping = tuple[NDArray[np.int64], Callable[[int], str]]
Capacity = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """No flow carries more than `value` times the traffic a second; `why` names the links that say so: `value` is their
    capacity over the traffic that has to cross them."""

    value: float
    why: str


def cut_bounds(topology: Topology, traffic: Traffic) -> Iterator[Bound]:
    """The narrowest cut of each plain family: single ranks, switches with their ranks, what lies below each tier,
    scale-up domains, slabs of a grid."""
    for (group, name), capacity in zip(groupings(topology), capacities(topology), strict=True):
        yield from _narrowest(topology, traffic, group, name, capacity)
    yield from _slabs(topology, traffic)


def length_bound(topology: Topology, crossings: float) -> Bound | None:
    """All capacity over the links that the traffic must cross, in all; None where it need cross none."""
    if not crossings:
        return None
    value = float(topology.csr().capacity.sum()) / crossings
    return Bound(value, "all links together: the bytes times the links they must cross")


def between_groups(
    traffic: Traffic, group: NDArray[np.int64], groups: int
) -> tuple[csr_array, csr_array]:
    """S and F, both lists x groups: what each group puts into each list, how often each list goes to each group.
    The traffic between groups is S^T F."""
    lists = len(traffic.list_ptr) - 1
    put = coo_array((traffic.list_amount, (traffic.list_of, group[traffic.list_rank])), shape=(lists, groups))
    taken = coo_array((traffic.entry_scale, (traffic.entry_list, group[traffic.entry_target])), shape=(lists, groups))
    return put.tocsr(), taken.tocsr()


@once
def groupings(topology: Topology) -> tuple[Grouping, ...]:
    """Disjoint groups of nodes (int64[V], -1 outside all) and what each is called."""
    return tuple(_groupings(topology))


@once
def capacities(topology: Topology) -> tuple[Capacity, ...]:
    """What the links out of and into every group of each of the `groupings` carry, bytes/s."""
    csr, found = topology.csr(), []
    for group, _ in groupings(topology):
        tail, head, groups = group[csr.tails], group[csr.heads], int(group.max()) + 1
        apart = tail != head
        sides = [np.flatnonzero(apart & (end >= 0)) for end in (tail, head)]
        out, into = (
            np.bincount(end[side], csr.capacity[side], minlength=groups).astype(np.float64, copy=False)
            for end, side in zip((tail, head), sides, strict=True)
        )
        found.append((out, into))
    return tuple(found)


def _groupings(topology: Topology) -> Iterator[Grouping]:
    csr, small, names = topology.csr(), contract(topology), topology.nodes
    ranks = topology.accelerators  # what is remembered of a topology must not hold on to it
    nodes = len(names)
    alone = np.full(nodes, -1)
    alone[csr.accelerators] = np.arange(len(csr.accelerators))
    yield alone, lambda g: f"the links of {ranks[g]}"
    if small.folded:
        home = small.place.astype(np.int64)
        home[csr.accelerators] = small.node_of_rank
        kept = np.flatnonzero(small.place >= 0)
        yield home, lambda g: f"the links of {names[kept[g]]} to other switches"
    tiers = np.array([0 if tier is None else tier for tier in topology.attribute("tier")])
    for tier in np.unique(tiers)[1:]:
        below = np.where(tiers < tier, _components(topology, tiers < tier), -1)
        yield below, _below(names, below, int(tier))
    domains: dict[object, int] = {}
    label = [-1 if d is None else domains.setdefault(d, len(domains)) for d in topology.attribute("domain")]
    if domains:
        known = list(domains)
        yield np.array(label), lambda g: f"the links of domain {known[g]}"


def _below(names: list[Hashable], group: NDArray[np.int64], tier: int) -> Callable[[int], str]:
    return lambda g: f"the links from {names[int(np.argmax(group == g))]} and its like to tier {tier}"


def _components(topology: Topology, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    csr = topology.csr()
    inside = kept[csr.tails] & kept[csr.heads]
    links = coo_array((np.ones(int(inside.sum())), (csr.tails[inside], csr.heads[inside])), shape=(len(kept),) * 2)
    labels: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)
    return labels


def _narrowest(
    topology: Topology, traffic: Traffic, group: NDArray[np.int64], name: Callable[[int], str], capacity: Capacity
) -> Iterator[Bound]:
    groups = int(group.max()) + 1
    own = group[topology.csr().accelerators]
    put, taken = between_groups(traffic, np.where(own < 0, groups, own), groups + 1)
    inside = (put * taken).sum(axis=0)
    out = put.T @ taken.sum(axis=1) - inside
    into = taken.T @ put.sum(axis=1) - inside
    return fullest(name, capacity, out, into)


def fullest(
    name: Callable[[int], str], capacity: Capacity, out: NDArray[np.float64], into: NDArray[np.float64]
) -> Iterator[Bound]:
    """The group that what leaves it (float64[groups]), and the one that what enters it, fills first."""
    for carried, crossing, way in zip(capacity, (out, into), ("out", "in"), strict=True):
        groups = len(carried)
        asked = crossing[:groups] > 1e-12 * max(float(crossing.max()), 0.0)
        if not asked.any():
            continue
        rate = np.full(groups, np.inf)
        rate[asked] = carried[asked] / crossing[:groups][asked]
        g = int(np.argmin(rate))
        yield Bound(float(rate[g]), f"{name(g)}, {way}")


def _slabs(topology: Topology, traffic: Traffic) -> Iterator[Bound]:
    """The narrowest run of planes in each dimension of a grid, however it begins and ends."""
    grid, csr = topology.grid, topology.csr()
    stride = 1
    if grid is None:
        return
    for axis, size in enumerate(grid.dims):
        slabs = min(size, SLABS)
        plane = np.arange(len(csr.forwards)) // stride % size * slabs // size
        stride *= size
        if slabs < 2:
            continue
        put, taken = between_groups(traffic, plane[csr.accelerators], slabs)
        asked = (put.T @ taken).toarray()
        ports = coo_array((csr.capacity, (plane[csr.tails], plane[csr.heads])), shape=(slabs, slabs)).toarray()
        wanted, there = _leaving(asked), _leaving(ports)
        rate = np.full(wanted.shape, np.inf)
        np.divide(there, wanted, out=rate, where=wanted > 1e-12 * asked.sum())
        first, last = np.unravel_index(int(np.argmin(rate)), rate.shape)
        if np.isfinite(rate[first, last]):
            name = "xyz"[axis] if len(grid.dims) <= 3 else str(axis)
            why = f"the links out of planes {first} to {last - 1} across dimension {name}"
            yield Bound(float(rate[first, last]), why)


def _leaving(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """What leaves rows i .. j - 1 for columns outside them, at [i, j]; 0 where i >= j."""
    n = len(matrix)
    sums = np.zeros((n + 1, n + 1))
    sums[1:, 1:] = matrix.cumsum(axis=0).cumsum(axis=1)
    rows = sums[:, -1]
    corner = np.diag(sums)
    inside = corner[None, :] - sums - sums.T + corner[:, None]
    leaving: NDArray[np.float64] = np.triu(rows[None, :] - rows[:, None] - inside, 1)
    return leaving
