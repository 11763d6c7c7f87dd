"""Symmetry: which nodes, arcs and ranks of a topology no one could tell apart, as its verified automorphisms prove."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cext import orbits, verify_automorphism
from topologies.graph import Csr, Topology, once

if TYPE_CHECKING:  # routing reads this file
    from fabric.routing.contraction import Contracted


@dataclass(frozen=True, slots=True, eq=False)
class Symmetry:
    """Orbits of a group of automorphisms that keep capacity, links and latency of arcs, and what nodes are.

    `node_orbit` int32[V], `arc_orbit` int32[A] (arcs of `topology.csr()`) and `rank_orbit` int32[n] are labels 0, 1,
    ...; those of the folded graph (`fabric.routing.contract`) are `inner_node_orbit` and `inner_arc_orbit`.
    `representatives` are the lowest rank of each rank orbit, `sizes` its ranks. `permutations` generate the group on
    the nodes of the folded graph, `images` say what each does to its arcs.
    """

    node_orbit: NDArray[np.int32]
    arc_orbit: NDArray[np.int32]
    rank_orbit: NDArray[np.int32]
    inner_node_orbit: NDArray[np.int32]
    inner_arc_orbit: NDArray[np.int32]
    representatives: NDArray[np.int32]
    sizes: NDArray[np.int64]
    permutations: tuple[NDArray[np.int32], ...]
    images: tuple[NDArray[np.int32], ...]

    @property
    def one_orbit(self) -> bool:
        """Every rank can take the place of every other."""
        return len(self.representatives) == 1


@once
def symmetry(topology: Topology) -> Symmetry:
    """Orbits under the generators that the builder proposes and the graph bears; each its own orbit where none does.

    Every generator is verified arc by arc on the folded graph; folded ranks of one switch with equal links change
    places freely.

    >>> from topologies.registry import build
    >>> symmetry(build("fat-tree:k=4")).one_orbit, symmetry(build("mesh:dims=3x3")).sizes.tolist()
    (True, [4, 4, 1])
    """
    from fabric.routing.contraction import contract

    csr, small = topology.csr(), contract(topology)
    arc_class = classes(csr.capacity, csr.links, csr.latency)
    ends = np.zeros(len(csr.forwards), bool)
    ends[csr.accelerators] = True
    host_class = _host_classes(csr, small, arc_class)
    node_class = classes(csr.forwards, csr.node_latency, ends, *_hosts(small, host_class))
    kept = np.flatnonzero(small.place >= 0)
    colours = arc_class[small.arcs], node_class[kept]
    permutations, images = [], []
    for proposed in topology.generators(topology):
        inner = _restricted(proposed, small.place, kept)
        if inner is None:
            continue
        image = verify_automorphism(small.indptr, small.heads, *colours, inner)
        if image is not None:
            permutations.append(inner)
            images.append(image)
    inner_node = orbits(permutations, len(kept))
    inner_arc = orbits(images, len(small.arcs))
    node_orbit, arc_orbit = small.place.copy(), np.empty(len(csr.heads), np.int32)
    node_orbit[kept], arc_orbit[small.arcs] = inner_node, inner_arc
    if small.folded:
        orbit = classes(inner_node[small.node_of_rank], host_class)
        node_orbit[csr.accelerators] = inner_node.max() + 1 + orbit
        arc_orbit[small.host_arc] = inner_arc.max(initial=-1) + 1 + 2 * orbit
        arc_orbit[csr.twin[small.host_arc]] = inner_arc.max(initial=-1) + 2 + 2 * orbit
    ranks = classes(node_orbit[csr.accelerators])
    _, representatives, sizes = np.unique(ranks, return_index=True, return_counts=True)
    return Symmetry(
        node_orbit, arc_orbit, ranks, inner_node, inner_arc, representatives.astype(np.int32), sizes,
        tuple(permutations), tuple(images),
    )  # fmt: skip


def classes(*columns: NDArray[Any]) -> NDArray[np.int32]:
    """Label of each row of some columns, int32: rows have one label if they agree everywhere.

    >>> classes(np.array([4.0, 4.0, 2.0]), np.array([1, 2, 1]))
    array([1, 2, 0], dtype=int32)
    """
    label = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        if len(column) and (column == column[0]).all():
            continue
        of = np.unique(column, return_inverse=True)[1]
        label = np.unique(label * (of.max(initial=0) + 1) + of, return_inverse=True)[1]
    return label.astype(np.int32)


def _host_classes(csr: Csr, small: "Contracted", arc_class: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32[n]: the kind of each folded rank's link, both ways."""
    if not small.folded:
        return np.zeros(len(small.host_arc), np.int32)
    return classes(arc_class[small.host_arc], arc_class[csr.twin[small.host_arc]])


def _hosts(small: "Contracted", host_class: NDArray[np.int32]) -> Iterator[NDArray[np.int64]]:
    """Folded ranks at every node of the topology, by the kind of their link."""
    if small.folded:
        for kind in range(int(host_class.max()) + 1):
            hung = np.bincount(small.node_of_rank[host_class == kind], minlength=int(small.place.max()) + 1)
            yield np.where(small.place < 0, -1, hung[small.place])


def _restricted(
    proposed: NDArray[np.int32], place: NDArray[np.int32], kept: NDArray[np.int64]
) -> NDArray[np.int32] | None:
    """What a permutation of a topology's nodes does to those that are not folded; None if it mixes the two."""
    fits = proposed.shape == place.shape and proposed.dtype.kind == "i"
    if not fits or proposed.min() < 0 or proposed.max() >= len(place):
        return None
    inner = place[proposed[kept]]
    return None if inner.min(initial=0) < 0 else inner
