"""Path-limited routings: the split with the least largest utilisation over the paths that each pair may use."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cext import PathSet
from fabric.routing.contraction import Contracted, contract, from_end_to_end, node_pairs, on_all_arcs
from fabric.routing.pathsets import (
    Split,
    ksp_paths,
    least_utilisation,
    slack_paths,
    transit_paths,
    valiant_paths,
)
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology

Nodes = NDArray[np.int32]
UNUSED = 1e-9  # of a pair's traffic: less is rounding, not a path in use


def te(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under traffic engineering over direct links and paths through one other block (Poutievski et al., Jupiter
    Evolving, SIGCOMM 2022), hedged as the options say."""
    return _split_over(topology, traffic, options, transit_paths)


def ksp(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under the best split over the K shortest paths of each pair of switches (Singla et al., NSDI 2012)."""
    k, threads = int(options.argument), options.threads
    return _split_over(topology, traffic, options, lambda net, s, t: ksp_paths(net, s, t, k, threads))


def slack(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under the best split over all paths of each pair of switches that are at most S hops longer than its
    shortest (Kassing et al., SIGCOMM 2017)."""
    hops, threads = int(options.argument), options.threads
    return _split_over(topology, traffic, options, lambda net, s, t: slack_paths(net, s, t, hops, threads))


def vlb(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under the best split over K seeded Valiant middles of each pair (Kassing et al., SIGCOMM 2017)."""
    k, seed, threads = int(options.argument), options.seed, options.threads
    return _split_over(topology, traffic, options, lambda net, s, t: valiant_paths(net, s, t, k, seed, threads))


def _split_over(
    topology: Topology,
    traffic: Traffic,
    options: RoutingOptions,
    paths_of: Callable[[Contracted, Nodes, Nodes], PathSet],
) -> Loads:
    small = contract(topology)
    source, target, amount = node_pairs(traffic, small.node_of_rank, topology.name)
    if not len(source):
        arcs = on_all_arcs(topology, traffic, np.zeros(len(small.heads)))
        return loads_of(topology, traffic, arcs, from_end_to_end(topology, small, 0.0, far=False))
    paths = paths_of(small, source, target)
    lost = np.flatnonzero(np.diff(paths.pair_ptr) == 0)
    if lost.size:
        ends = (topology.accelerators[int(np.argmax(small.node_of_rank == of[lost[0]]))] for of in (source, target))
        raise InfeasibleError(
            f"{topology.name}: no path of this routing from {' to '.join(map(str, ends))}; take --routing ksp:8"
        )
    capacity = topology.csr().capacity[small.arcs]
    found = least_utilisation(
        small, capacity, source, target, amount, paths,
        hedge=options.hedge, gap=options.gap, threads=options.threads,
    )  # fmt: skip
    arcs = on_all_arcs(topology, traffic, found.load)
    latency = from_end_to_end(topology, small, _longest(small, found), far=True)
    return loads_of(topology, traffic, arcs, latency, 0.0 if found.exact else found.gap)


def _longest(small: Contracted, split: Split) -> float:
    """Zero-load seconds of the slowest path in use, the switches that it crosses between included."""
    paths = split.paths
    seconds = small.latency + small.node_latency[small.heads]
    through = paths.cost(seconds) - small.node_latency[small.heads[paths.arcs[paths.path_ptr[1:] - 1]]]
    return float(through[split.fraction > UNUSED].max())
