"""Equal-cost splits: at every node over the next-hop links on shortest paths."""

import numpy as np
from numpy.typing import NDArray

from cext import ecmp_loads, hop_distances
from fabric.routing.by_leaf import ByLeaf, by_leaf
from fabric.routing.contraction import (
    Contracted,
    NodeDemand,
    contract,
    demand_at_nodes,
    from_end_to_end,
    on_all_arcs,
    refuse,
)
from fabric.routing.leaves import alone, leaves
from fabric.routing.reduction import Reduced, reduced
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.symmetry import symmetry
from fabric.traffic import Traffic
from topologies.graph import Topology

SEARCHED_AT_ONCE = 30_000_000  # visits of arcs below which a look for symmetry takes longer than it saves
LONG = 5e9  # visits of arcs above which what goes between domains is cut at their leaves: several seconds
SAMPLE = 64


def ecmp(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under an equal split over next-hop links: each parallel link is a next hop (RFC 2992)."""
    return _routed(topology, traffic, contract(topology).links, options.threads)


def weighted(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """The same, in proportion to what the links carry."""
    small = contract(topology)
    return _routed(topology, traffic, topology.csr().capacity[small.arcs], options.threads)


def _routed(topology: Topology, traffic: Traffic, shares: NDArray[np.float64], threads: int) -> Loads:
    demand = demand_at_nodes(traffic, contract(topology).node_of_rank)
    inner, latency, far = equal_split(topology, demand, shares, threads)
    arcs = on_all_arcs(topology, traffic, inner)
    return loads_of(topology, traffic, arcs, from_end_to_end(topology, contract(topology), latency, far))


def equal_split(
    topology: Topology, demand: NodeDemand, shares: NDArray[np.float64], threads: int
) -> tuple[NDArray[np.float64], float, bool]:
    """Loads of the folded arcs under a demand between nodes, the longest latency, and whether anything moves.

    One destination of each orbit stands for all where the topology is large and the demand as symmetric as it.
    """
    fewer = fewer_destinations(topology, demand)
    if fewer is not None:
        inner, latency, moves = _split(topology, fewer.demand, shares, threads)
        return fewer.spread(inner), latency, moves
    cut = by_leaf(topology, demand) if _visits(contract(topology), demand, LONG) > LONG else None
    if cut is None:
        return _split(topology, demand, shares, threads)
    return _cut_at_leaves(topology, cut, shares, threads)


def _cut_at_leaves(
    topology: Topology, cut: ByLeaf, shares: NDArray[np.float64], threads: int
) -> tuple[NDArray[np.float64], float, bool]:
    """The same where domains and the network between them are routed apart."""
    small, found = contract(topology), leaves(topology)
    assert found is not None
    loads, near_s, inside = _split(topology, cut.near, shares, threads)
    network = alone(found.switches, small.indptr, small.heads, small.twin)
    far, far_s, hops, _ = ecmp_loads(
        network.indptr, network.heads, shares[network.place], network.twin, small.forwards,
        small.latency[network.place], small.node_latency, *cut.far, threads,
    )  # fmt: skip
    loads += cut.ends
    loads[network.place[network.between]] += far[network.between]
    return loads * cut.amount, max(near_s, cut.least_s, far_s), inside or hops > 0 or cut.least_s > 0


def _split(
    topology: Topology, demand: NodeDemand, shares: NDArray[np.float64], threads: int
) -> tuple[NDArray[np.float64], float, bool]:
    """The same, with a search for every destination."""
    small = contract(topology)
    loads, latency, hops, lost = ecmp_loads(
        small.indptr, small.heads, shares, small.twin, small.forwards, small.latency, small.node_latency,
        *demand, threads,
    )  # fmt: skip
    if lost[0] >= 0:
        refuse(topology, small, int(lost[0]), int(lost[1]))
    return loads, latency, hops > 0


def fewer_destinations(topology: Topology, demand: NodeDemand) -> Reduced | None:
    """The demand towards one destination of each orbit, where all would take long and the demand is as symmetric."""
    large = _visits(contract(topology), demand, SEARCHED_AT_ONCE) > SEARCHED_AT_ONCE
    return reduced(symmetry(topology), demand) if large else None


def _visits(small: Contracted, demand: NodeDemand, enough: float) -> float:
    """Arcs that the searches towards all destinations will look at, estimated from a few of them until these are
    enough."""
    targets, entry_ptr, entry_list, _, list_ptr, list_node, _ = demand
    most = len(targets) * len(small.heads)
    if most <= enough or len(entry_list) <= SAMPLE or len(list_node) > SAMPLE * len(targets):
        return most
    degree = np.diff(small.indptr)
    seen = 0
    for i in np.random.default_rng(0).choice(len(targets), SAMPLE):
        hops = hop_distances(small.indptr, small.heads, small.forwards, int(targets[i]))
        lists = entry_list[entry_ptr[i] : entry_ptr[i + 1]]
        sources = np.concatenate([list_node[list_ptr[k] : list_ptr[k + 1]] for k in lists])
        seen += int(degree[(hops >= 0) & (hops < hops[sources].max(initial=0))].sum())
        if len(targets) * seen / SAMPLE > enough:
            break
    return len(targets) * seen / SAMPLE
