"""Parallel links that fill unevenly: a flow that keeps to one path takes one of them."""

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract, from_end_to_end, on_all_arcs
from fabric.routing.ecmp import ecmp
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.routing.separated import separate
from fabric.traffic import Traffic
from topologies.graph import Topology, once


def gathered(
    topology: Topology, traffic: Traffic, links: NDArray[np.float64], latency_s: float, options: RoutingOptions
) -> Loads:
    """Loads of the arcs, and of the fullest link of each, from those of the separated links.

    Scale-up domains below a network spread every packet over their links, whatever the network does with flows: their
    arcs carry what equal splits give.
    """
    small, first = contract(topology), separate(topology).first[:-1]
    some = len(links) > 0
    arcs = on_all_arcs(topology, traffic, np.add.reduceat(links, first) if some else links)
    peaks = arcs.copy()
    if some:
        peaks[small.arcs] = np.maximum.reduceat(links, first) * small.links
    inside = scale_up(topology)
    if inside.any():
        even = ecmp(topology, traffic, options).arcs[inside]
        arcs[inside], peaks[inside] = even, even
    latency = from_end_to_end(topology, small, latency_s, far=bool(links.any()))
    uneven = peaks if small.links.max(initial=1) > 1 else None
    return loads_of(topology, traffic, arcs, latency, peaks=uneven)


@once
def scale_up(topology: Topology) -> NDArray[np.bool_]:
    """bool[A]: arcs to and from the scale-up switches (tier 0) of a fabric that has others above them."""
    csr, tiers = topology.csr(), topology.attribute("tier")
    lowest = np.array([tier == 0 for tier in tiers])
    above = any(tier is not None and tier > 0 for tier in tiers)
    arcs: NDArray[np.bool_] = (lowest[csr.tails] | lowest[csr.heads]) & above
    return arcs
