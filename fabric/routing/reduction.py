"""Reduction: a demand that a topology's symmetry does not change, cut down to one destination per orbit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import orbits
from fabric.routing.contraction import NodeDemand
from fabric.symmetry import Symmetry


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """Demand towards one destination of each orbit, in the place of all, and the orbits of arcs over which the loads
    that it makes are spread evenly."""

    demand: NodeDemand
    arc_orbit: NDArray[np.int32]

    def spread(self, loads: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every arc with the mean load of its orbit."""
        sums = np.bincount(self.arc_orbit, loads)
        means: NDArray[np.float64] = (sums / np.bincount(self.arc_orbit))[self.arc_orbit]
        return means


def reduced(symmetry: Symmetry, demand: NodeDemand) -> Reduced | None:
    """The demand under those generators that leave it as it is; None where it has no two destinations alike.

    If g takes d to d' and the demand to itself, the load of arc e towards d is that of g(e) towards d'. So over an
    orbit of destinations the load of e is their number times the mean, over e's orbit, of the load towards any of them.
    """
    pattern = Pattern(demand, len(symmetry.inner_node_orbit))
    held = [i for i, image in enumerate(symmetry.permutations) if pattern.kept_by(image)]
    if len(held) == len(symmetry.permutations):
        node_orbit, arc_orbit = symmetry.inner_node_orbit, symmetry.inner_arc_orbit
    else:
        node_orbit = orbits([symmetry.permutations[i] for i in held], len(symmetry.inner_node_orbit))
        arc_orbit = orbits([symmetry.images[i] for i in held], len(symmetry.inner_arc_orbit))
    targets, entry_ptr, entry_list, entry_scale, *lists = demand
    _, first, size = np.unique(node_orbit[targets], return_index=True, return_counts=True)
    if len(first) == len(targets):
        return None
    order = np.argsort(first)
    first, size = first[order], size[order]
    fan = np.diff(entry_ptr)[first]
    start = np.cumsum(fan) - fan
    entries = np.arange(fan.sum()) + np.repeat(entry_ptr[first] - start, fan)
    one_each = (
        targets[first], np.append(start, fan.sum()), entry_list[entries],
        entry_scale[entries] * np.repeat(size, fan), *lists,
    )  # fmt: skip
    return Reduced(one_each, arc_orbit)


class Pattern:
    """A demand as a pattern that permutations of nodes may or may not take to itself.

    The list of sources that a list goes to is found by a fingerprint, and then compared node by node: exact.
    """

    def __init__(self, demand: NodeDemand, nodes: int) -> None:
        targets, entry_ptr, self._list, self._scale, self._ptr, self._node, self._amount = demand
        self._product: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        if len(self._ptr) == 2:  # source times target: told apart node by node
            self._product = np.zeros(nodes), np.zeros(nodes)
            self._product[0][self._node] = self._amount
            self._product[1][targets] = self._scale
            return
        self._target = np.repeat(targets, np.diff(entry_ptr))
        self._sizes = np.diff(self._ptr)
        self._of = np.repeat(np.arange(len(self._sizes)), self._sizes)
        self._marks = np.random.default_rng(0).integers(2**63, size=nodes, dtype=np.uint64)
        self._still = np.arange(nodes, dtype=np.int32)
        own = self._fingerprints(self._still, len(self._sizes))
        self._known, self._first = np.unique(own, return_index=True)
        self._alike = self._first[np.searchsorted(self._known, own)]
        order = np.lexsort((self._scale, self._alike[self._list], self._target))
        self._entries = self._target[order], self._alike[self._list][order], self._scale[order]
        self._proper = self._same(self._still, self._alike)

    def kept_by(self, image: NDArray[np.int32]) -> bool:
        """Does the permutation take every list to a list, and the entries to the entries?"""
        if self._product is not None:
            return all(np.array_equal(factor[image], factor) for factor in self._product)
        if not self._proper or self._partners(image, min(64, len(self._sizes))) is None:  # a glance refuses most
            return False
        partner = self._partners(image, len(self._sizes))
        if partner is None or not self._same(image, partner):
            return False
        target, sources = image[self._target], partner[self._list]
        order = np.lexsort((self._scale, sources, target))
        own_target, own_sources, own_scale = self._entries
        return (
            np.array_equal(own_target, target[order])
            and np.array_equal(own_sources, sources[order])
            and np.array_equal(own_scale, self._scale[order])
        )

    def _fingerprints(self, image: NDArray[np.int32], lists: int) -> NDArray[np.uint64]:
        """A number for each of the first lists, its nodes moved, that does not depend on the order in it."""
        items = int(self._ptr[lists])
        sums = np.zeros(items + 1, np.uint64)
        weight = self._amount[:items].view(np.uint64) | np.uint64(1)
        np.cumsum(self._marks[image[self._node[:items]]] * weight, out=sums[1:])
        found: NDArray[np.uint64] = sums[self._ptr[1 : lists + 1]] - sums[self._ptr[:lists]]
        return found

    def _partners(self, image: NDArray[np.int32], lists: int) -> NDArray[np.int64] | None:
        """The list that each of the first lists seems to go to; None if one goes nowhere."""
        moved = self._fingerprints(image, lists)
        place = np.minimum(np.searchsorted(self._known, moved), len(self._known) - 1)
        return None if (self._known[place] != moved).any() else self._first[place]

    def _same(self, image: NDArray[np.int32], partner: NDArray[np.int64]) -> bool:
        """Is every list, its nodes moved, the list that is named as its partner?"""
        if (self._sizes != self._sizes[partner]).any():
            return False
        there = np.arange(len(self._node)) + np.repeat(self._ptr[partner] - self._ptr[:-1], self._sizes)
        order = np.argsort(self._of * len(image) + image[self._node])
        nodes, amounts = image[self._node][order], self._amount[order]
        return bool(np.array_equal(nodes, self._node[there]) and np.array_equal(amounts, self._amount[there]))
