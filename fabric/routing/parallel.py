"""Parallel links told apart: a flow that keeps to one path takes one of them, and they fill unevenly."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract, from_end_to_end, on_all_arcs
from fabric.routing.ecmp import ecmp
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.traffic import Traffic
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class Separated:
    """The folded topology with an arc for every link: those of arc a are first[a] to first[a + 1] - 1."""

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    twin: NDArray[np.int32]
    latency: NDArray[np.float64]
    first: NDArray[np.int64]


@once
def separate(topology: Topology) -> Separated:
    """One arc for each parallel link, in the order of the arcs; link k of an arc is the twin of link k of its twin."""
    small = contract(topology)
    count = small.links.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(count)])
    place = np.arange(first[-1]) - np.repeat(first[:-1], count)
    return Separated(
        indptr=first[small.indptr],
        heads=np.repeat(small.heads, count),
        twin=(np.repeat(first[small.twin], count) + place).astype(np.int32),
        latency=np.repeat(small.latency, count),
        first=first,
    )


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
