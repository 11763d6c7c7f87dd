"""Bounds on arbitrary traffic: the time that cuts, lengths of paths and concurrent flow leave it at best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.bounding.throughput import certified, concurrent_flow
from fabric.routing.contraction import contract
from fabric.traffic import Traffic
from topologies.graph import Topology

SMALL = 1_000_000  # end points times arcs that are solved in a second or two, so that few bounds stay loose


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A least time per byte (s), the relative gap to the best known schedule, whether that one reaches it, and why."""

    per_byte_s: float
    gap: float
    attained: bool
    cut: NDArray[np.uint8] | None = None
    why: str = ""


def demand_bound(topology: Topology, traffic: Traffic, *, gap: float | None, threads: int) -> Certificate:
    """The least time of traffic in bytes per byte of size, from the concurrent flow to within `gap`, or for None from
    what costs next to nothing (on small fabrics to 1 %). Accelerators may relay."""
    if topology.whole is not None and topology.chosen is not None:
        moved = traffic.over(topology.chosen[None, :], len(topology.whole.accelerators))
        return demand_bound(topology.whole, moved, gap=gap, threads=threads)
    found = certified(topology, traffic, relay=True, threads=threads)
    small = contract(topology)
    if found.gap and (gap is not None or np.unique(small.node_of_rank).size * len(small.heads) <= SMALL):
        found = concurrent_flow(topology, traffic, gap=gap or 0.01, relay=True, threads=threads)
    return Certificate(1 / found.upper, found.gap, found.gap == 0, None, found.why)
