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

    If g takes d to d' and the demand to itself, the load of arc e towards d is that of g(e) towards d'. So over an orbit
    of destinations the load of e is their number times the mean, over the orbit of e, of the load towards any of them.
    """
    held = [i for i, image in enumerate(symmetry.permutations) if keeps(demand, image)]
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


def keeps(demand: NodeDemand, image: NDArray[np.int32]) -> bool:
    """Does a permutation of nodes take the demand to itself? Exact: lists go to lists, and entries to entries.

    The list that a list goes to is found by a fingerprint, and then compared node by node.
    """
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand
    marks = np.random.default_rng(0).integers(2**63, size=len(image), dtype=np.uint64)
    own = _fingerprints(marks[list_node], list_ptr, list_amount)
    moved = _fingerprints(marks[image[list_node]], list_ptr, list_amount)
    known, canonical = np.unique(own, return_index=True)
    place = np.minimum(np.searchsorted(known, moved), len(known) - 1)
    if (known[place] != moved).any():
        return False
    alike, partner = canonical[np.searchsorted(known, own)], canonical[place]
    if not _same(demand, np.arange(len(image), dtype=np.int32), alike) or not _same(demand, image, partner):
        return False
    target = np.repeat(targets, np.diff(entry_ptr))
    before = np.lexsort((entry_scale, alike[entry_list], target))
    after = np.lexsort((entry_scale, partner[entry_list], image[target]))
    return bool(
        np.array_equal(target[before], image[target][after])
        and np.array_equal(alike[entry_list][before], partner[entry_list][after])
        and np.array_equal(entry_scale[before], entry_scale[after])
    )


def _fingerprints(
    marks: NDArray[np.uint64], list_ptr: NDArray[np.int64], amounts: NDArray[np.float64]
) -> NDArray[np.uint64]:
    """A number for each list that does not depend on the order in it."""
    sums = np.zeros(len(marks) + 1, np.uint64)
    np.cumsum(marks * (amounts.view(np.uint64) | np.uint64(1)), out=sums[1:])
    return sums[list_ptr[1:]] - sums[list_ptr[:-1]]


def _same(demand: NodeDemand, image: NDArray[np.int32], partner: NDArray[np.int64]) -> bool:
    """Is every list, its nodes moved, the list that is named as its partner?"""
    *_, list_ptr, nodes, amounts = demand
    sizes = np.diff(list_ptr)
    if (sizes != sizes[partner]).any():
        return False
    of = np.repeat(np.arange(len(sizes)), sizes)
    there = np.arange(len(nodes)) + np.repeat(list_ptr[partner] - list_ptr[:-1], sizes)
    order = np.argsort(of * len(image) + image[nodes])
    return bool(np.array_equal(image[nodes][order], nodes[there]) and np.array_equal(amounts[order], amounts[there]))
