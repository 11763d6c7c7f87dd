"""Path-limited routings: the split with the least largest utilisation over the paths that each pair may use."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cext import PathSet
from fabric.pathsets import Split, ksp_paths, least_utilisation, transit_paths, valiant_paths
from fabric.routing.contraction import Contracted, contract, demand_at_nodes
from fabric.routing.parallel import from_end_to_end, on_all_arcs
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology

Nodes = NDArray[np.int32]
UNUSED = 1e-9  # of a pair's traffic: less is rounding, not a path in use
MAX_PAIRS = 4_000_000


def te(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under traffic engineering over direct links and paths through one other block (Poutievski et al., Jupiter
    Evolving, SIGCOMM 2022), hedged as the options say."""
    return _split_over(topology, traffic, options, transit_paths)


def ksp(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under the best split over the K shortest paths of each pair of switches (Singla et al., NSDI 2012)."""
    k, threads = int(options.argument), options.threads
    return _split_over(topology, traffic, options, lambda net, s, t: ksp_paths(net, s, t, k, threads))


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
    source, target, amount = _node_pairs(traffic, small.node_of_rank, topology.name)
    if not len(source):
        arcs = on_all_arcs(topology, traffic, np.zeros(len(small.heads)))
        return loads_of(topology, traffic, arcs, from_end_to_end(topology, small, 0.0, far=False))
    paths = paths_of(small, source, target)
    capacity = topology.csr().capacity[small.arcs]
    found = least_utilisation(
        small, capacity, source, target, amount, paths,
        hedge=options.hedge, gap=options.gap, threads=options.threads,
    )  # fmt: skip
    arcs = on_all_arcs(topology, traffic, found.load)
    latency = from_end_to_end(topology, small, _longest(small, found), far=True)
    return loads_of(topology, traffic, arcs, latency, 0.0 if found.exact else found.gap)


def _node_pairs(traffic: Traffic, home: Nodes, name: str) -> tuple[Nodes, Nodes, NDArray[np.float64]]:
    """The traffic between nodes as distinct pairs."""
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand_at_nodes(traffic, home)
    sizes = np.diff(list_ptr)[entry_list]
    if sizes.sum() > MAX_PAIRS:
        raise InfeasibleError(
            f"{name}: {sizes.sum():,} pairs of switches exchange traffic; at most {MAX_PAIRS:,} are split path by path; "
            "take --routing ecmp, ugal or optimal"
        )
    place = np.arange(sizes.sum()) + np.repeat(list_ptr[entry_list] - (np.cumsum(sizes) - sizes), sizes)
    nodes = int(home.max()) + 1
    target = np.repeat(np.repeat(targets, np.diff(entry_ptr)), sizes)
    keys, where = np.unique(list_node[place].astype(np.int64) * nodes + target, return_inverse=True)
    amount = np.bincount(where, list_amount[place] * np.repeat(entry_scale, sizes), minlength=len(keys))
    keep = (keys // nodes != keys % nodes) & (amount > 0)
    kept = keys[keep]
    return (kept // nodes).astype(np.int32), (kept % nodes).astype(np.int32), amount[keep]


def _longest(small: Contracted, split: Split) -> float:
    """Zero-load seconds of the slowest path in use, the switches that it crosses between included."""
    paths = split.paths
    seconds = small.latency + small.node_latency[small.heads]
    through = paths.cost(seconds) - small.node_latency[small.heads[paths.arcs[paths.path_ptr[1:] - 1]]]
    return float(through[split.fraction > UNUSED].max())
