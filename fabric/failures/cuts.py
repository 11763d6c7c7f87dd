"""Cuts: groups of nodes whose links outward bound what a damaged fabric can carry."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fabric.bounding.certificates import groupings
from topologies.graph import Topology, once

SLABS = 8  # places at which each dimension of a grid is halved


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Disjoint groups of nodes: `of_node` int64[V] (-1 outside all), the arcs that leave one, and the group of each.

    `past` int64[n], where it is not None, labels accelerators: those of one label reach each other past the cut.
    """

    of_node: NDArray[np.int64]
    arcs: NDArray[np.int64]
    tail: NDArray[np.int64]
    groups: int
    past: NDArray[np.int64] | None = None

    def pairs(
        self, accelerators: NDArray[np.int32], rest: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Pairs from each group to other accelerators of `rest` that must cross its cut, and which groups hold some of
        these, but not all."""
        group = self.of_node[accelerators]
        mine = rest & (group >= 0)
        k = np.bincount(group[mine], minlength=self.groups).astype(np.float64)
        pairs = k * (rest.sum() - k)
        inside = pairs > 0
        if self.past is not None:
            together = np.bincount(self.past[rest], minlength=int(self.past.max()) + 1)
            key = self.past[mine] * self.groups + group[mine]
            found, count = np.unique(key, return_counts=True)
            beside = count * (together[found // self.groups] - count)
            pairs = pairs - np.bincount(found % self.groups, beside, minlength=self.groups)
        return pairs, inside


@once
def cuts(topology: Topology) -> list[Cut]:
    """The plain cuts of a fabric: accelerators, switches with theirs, what lies below each tier, scale-up domains,
    halves of a grid along every dimension; and below each tier of the network between domains, without these.

    >>> from topologies.registry import build
    >>> [cut.groups for cut in cuts(build("rail:servers=8,gpus=8"))]
    [64, 8, 1, 8, 64, 8]
    """
    csr = topology.csr()
    plain = [*(group for group, _ in groupings(topology)), *_halves(topology)]
    found = [_cut(topology, group, np.ones(len(csr.heads), bool), None) for group in plain]
    return [cut for cut in [*found, *_between_domains(topology)] if len(cut.arcs)]


def _cut(
    topology: Topology, of_node: NDArray[np.int64], counted: NDArray[np.bool_], past: NDArray[np.int64] | None
) -> Cut:
    csr = topology.csr()
    tail = of_node[csr.tails]
    arcs = np.flatnonzero((tail >= 0) & (tail != of_node[csr.heads]) & counted)
    return Cut(of_node, arcs, tail[arcs], int(of_node.max()) + 1, past)


def _halves(topology: Topology) -> Iterator[NDArray[np.int64]]:
    grid, stride, n = topology.grid, 1, len(topology.accelerators)
    if grid is None or len(topology.csr().forwards) != n:
        return
    for size in grid.dims:
        plane = np.arange(n) // stride % size
        stride *= size
        for first in np.unique(np.linspace(0, size // 2, SLABS + 1).astype(np.int64))[: size // 2]:
            yield ((plane - first) % size >= size // 2).astype(np.int64)


def _between_domains(topology: Topology) -> Iterator[Cut]:
    """Accelerators, and what hangs together below each tier, without the switches of scale-up domains: pairs of one
    domain pass by, all others cross, since no accelerator passes on what is not its own."""
    csr = topology.csr()
    tiers = np.array([-1 if tier is None else tier for tier in topology.attribute("tier")])
    inner = tiers == 0
    if not inner.any() or csr.forwards[csr.accelerators].any():
        return
    ends = np.zeros(len(tiers), bool)
    ends[csr.accelerators] = True
    past = _hanging(topology, ends | inner)[csr.accelerators]
    counted = ~(inner[csr.tails] | inner[csr.heads])
    for tier in np.unique(tiers[tiers > 0]).tolist():
        below = (tiers < tier) & ~inner
        yield _cut(topology, np.where(below, _hanging(topology, below), -1), counted, past)


def _hanging(topology: Topology, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """int64[V]: what hangs together over nodes that are kept, numbered from 0."""
    csr = topology.csr()
    inside = kept[csr.tails] & kept[csr.heads]
    links = coo_array((np.ones(int(inside.sum())), (csr.tails[inside], csr.heads[inside])), shape=(len(kept),) * 2)
    label = connected_components(links, directed=False)[1].astype(np.int64)
    found = np.full(len(kept), -1)
    found[kept] = np.unique(label[kept], return_inverse=True)[1]
    return found
