"""Damage: what a failure takes away, and the fabric that remains."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Topology, no_generators


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """Dead nodes (int64[k], positions in `topology.nodes`), and links lost: arcs int64[m] of `topology.csr()`, one
    direction of each, with the number of parallel links that are gone (float64[m])."""

    nodes: NDArray[np.int64]
    arcs: NDArray[np.int64]
    links: NDArray[np.float64]

    @classmethod
    def of_nodes(cls, nodes: Sequence[int] | NDArray[np.integer[Any]]) -> "Loss":
        """Nodes with all their links."""
        return cls(np.asarray(nodes, np.int64), np.empty(0, np.int64), np.empty(0))

    @classmethod
    def of_links(cls, arcs: Sequence[int] | NDArray[np.int64], links: Sequence[float] | NDArray[np.float64]) -> "Loss":
        """So many of the parallel links of each arc."""
        return cls(np.empty(0, np.int64), np.asarray(arcs, np.int64), np.asarray(links, np.float64))

    @classmethod
    def together(cls, losses: "Sequence[Loss]") -> "Loss":
        """All of them at once."""
        return cls(
            np.concatenate([loss.nodes for loss in losses]),
            np.concatenate([loss.arcs for loss in losses]),
            np.concatenate([loss.links for loss in losses]),
        )

    def dead(self, topology: Topology) -> NDArray[np.bool_]:
        """bool[V]: the nodes that are gone."""
        dead = np.zeros(len(topology.nodes), bool)
        dead[self.nodes] = True
        return dead


def links_left(topology: Topology, loss: Loss) -> NDArray[np.float64]:
    """float64[A]: the links that every arc keeps; both directions of a link go together.

    >>> from topologies.registry import build
    >>> ring = build("ring:n=4")
    >>> links_left(ring, Loss.of_nodes([0])).sum(), links_left(ring, Loss.of_links([0], [1.0])).sum()
    (np.float64(4.0), np.float64(6.0))
    """
    csr = topology.csr()
    lost = np.zeros(len(csr.heads))
    np.add.at(lost, loss.arcs, loss.links)
    left: NDArray[np.float64] = np.maximum(csr.links - lost - lost[csr.twin], 0.0)
    dead = loss.dead(topology)
    left[dead[csr.tails] | dead[csr.heads]] = 0.0
    return left


def damaged(topology: Topology, left: NDArray[np.float64], out: NDArray[np.bool_]) -> Topology:
    """The fabric with `left` links on its arcs, for traffic between accelerators that are not `out` (bool[n]).

    The node list stays, so that positions do. An accelerator that is out keeps its link where it has one only: it sends
    nothing, and searches still fold it into its switch. No symmetry is proposed.
    """
    csr = topology.csr()
    single = np.zeros(len(topology.nodes), bool)
    single[csr.accelerators[out & (np.diff(csr.indptr)[csr.accelerators] == 1)]] = True
    left = np.where((left <= 0) & (single[csr.tails] | single[csr.heads]), csr.links, left)
    keep = left > 0
    place = np.cumsum(keep) - 1
    indptr = np.zeros_like(csr.indptr)
    np.cumsum(np.bincount(csr.tails[keep], minlength=len(indptr) - 1), out=indptr[1:])
    links = left[keep]
    arcs = replace(
        csr,
        indptr=indptr,
        heads=csr.heads[keep],
        tails=csr.tails[keep],
        twin=place[csr.twin[keep]].astype(np.int32),
        edge=csr.edge[keep],
        links=links,
        capacity=csr.capacity[keep] * links / csr.links[keep],
        latency=csr.latency[keep],
        wait=csr.wait[keep],
    )
    rest = replace(topology, grid=None, halves=(), tours=(), generators=no_generators)
    known = {"nodes": topology.nodes, "index": topology.index, "accelerators": topology.accelerators}
    vars(rest).update(known, _csr=arcs)  # cached properties: the compiled form alone is damaged, no graph is copied
    return rest
