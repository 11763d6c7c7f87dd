"""Hashed flows: each keeps to one shortest path, drawn at random from a seed."""

import numpy as np
from numpy.typing import NDArray

from cext import hashed_loads
from fabric.routing.by_leaf import leaf_to_leaf
from fabric.routing.contraction import contract, demand_at_nodes, refuse
from fabric.routing.leaves import alone, leaves
from fabric.routing.parallel import gathered
from fabric.routing.router import Loads, RoutingOptions
from fabric.routing.separated import separate
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology

MAX_DEMANDS = 50_000_000
MANY_PAIRS = 20_000_000  # of one size, above which draws from leaf to leaf stand for those of each rank: some seconds
FAR = 1 << 32  # from a seed to that of what goes between domains


def hashed(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads where every pair sends `flows_per_pair` equal flows, each on one random shortest path (RFC 2992).

    At every node a flow takes any next-hop link, parallel ones told apart, with equal chance and independently of the
    nodes before: hashes without polarisation. Flows of one size towards one switch are alike, so their number is
    split at each node by one multinomial draw; the answer has exactly the distribution of hashing flow by flow. So it
    has where an all-to-all, or very many pairs of one size, are drawn from leaf to leaf (`fabric.routing.by_leaf`).
    Traffic in which every pair has a size of its own costs one walk a flow. InfeasibleError above 50 million demands
    of (switch, list of sources, size).
    """
    if options.flows_per_pair < 1:
        raise ConfigError(f"flows per pair = {options.flows_per_pair} is below 1; give 1 or more")
    small, links = contract(topology), separate(topology)
    if _goes_by_leaf(topology, traffic):
        by_leaf = _leaf_by_leaf(topology, traffic, options)
        if by_leaf is not None:
            return by_leaf
    destinations, sizes, scales, lists, list_ptr, list_node, list_flows = _demands(
        traffic, small.node_of_rank, options.flows_per_pair
    )
    loads, latency_s, lost = hashed_loads(
        links.indptr, links.heads, links.twin, small.forwards, links.latency, small.node_latency,
        destinations, sizes, np.arange(len(destinations) + 1), lists, scales,
        list_ptr, list_node, list_flows, options.seed, options.threads,
    )  # fmt: skip
    if lost[0] >= 0:
        refuse(topology, small, int(lost[0]), int(lost[1]))
    return gathered(topology, traffic, loads, latency_s, options)


def hashed_between(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads of what a uniform all-to-all sends between domains, where ranks have `leaves`."""
    found = _leaf_by_leaf(topology, traffic, options, inside=False)
    if found is None:
        raise InfeasibleError(f"{topology.name}: hash tells too many pairs of leaves apart; use --routing ecmp")
    return found


def _leaf_by_leaf(topology: Topology, traffic: Traffic, options: RoutingOptions, inside: bool = True) -> Loads | None:
    """Pairs of one size: inside domains rank by rank, between them from leaf to leaf, where the flows of all part and
    meet; the links of ranks to leaves get their own."""
    small, links, found = contract(topology), separate(topology), leaves(topology)
    cut = leaf_to_leaf(topology, demand_at_nodes(traffic, small.node_of_rank))
    if found is None or cut is None:
        return None
    flows = float(options.flows_per_pair)
    size = cut.amount / flows
    loads, near_s = np.zeros(len(links.heads)), 0.0
    if inside:
        loads, near_s, lost = hashed_loads(
            links.indptr, links.heads, links.twin, small.forwards, links.latency, small.node_latency,
            cut.near[0], np.full(len(cut.near[0]), size), *cut.near[1:6], cut.near[6] * flows,
            options.seed, options.threads,
        )  # fmt: skip
        if lost[0] >= 0:
            refuse(topology, small, int(lost[0]), int(lost[1]))
    network = alone(found.switches, links.indptr, links.heads, links.twin)
    far, far_s, _ = hashed_loads(
        network.indptr, network.heads, network.twin, small.forwards, links.latency[network.place], small.node_latency,
        cut.far[0], np.full(len(cut.far[0]), size), *cut.far[1:6], cut.far[6] * flows,
        options.seed + FAR, options.threads,
    )  # fmt: skip
    ends = np.flatnonzero(cut.ends)
    loads[links.first[ends]] += cut.ends[ends] * cut.amount
    loads[network.place[network.between]] += far[network.between]
    return gathered(topology, traffic, loads, max(near_s, cut.least_s, far_s), options)


def _goes_by_leaf(topology: Topology, traffic: Traffic) -> bool:
    """Are flows drawn from leaf to leaf? Those of an all-to-all where all ranks hang alike, and of very many pairs that
    all send as much."""
    found = leaves(topology)
    if found is None or not len(traffic.list_amount) or not len(traffic.entry_scale):
        return False
    if traffic.is_uniform and np.ptp(found.turn_s) == 0:
        return True
    alike = np.ptp(traffic.list_amount) == 0 and np.ptp(traffic.entry_scale) == 0
    return bool(alike) and traffic.entries > MANY_PAIRS


def _demands(
    traffic: Traffic, home: NDArray[np.int32], flows: int
) -> tuple[
    NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], NDArray[np.int32],
    NDArray[np.int64], NDArray[np.int32], NDArray[np.float64],
]:  # fmt: skip
    """Flows of one size from the sources of one list to one node: destination, bytes of a flow, flows from each source
    rank, list; lists of one size, of nodes with their number of ranks."""
    order = np.lexsort((home[traffic.list_rank], traffic.list_amount, traffic.list_of))
    order = order[traffic.list_amount[order] > 0]
    of, amount, node = traffic.list_of[order], traffic.list_amount[order], home[traffic.list_rank[order]]
    new_list = _changes(of, amount)
    new_place = _changes(of, amount, node)
    ranks = np.diff(np.append(new_place, len(order))).astype(np.float64)
    list_ptr = np.append(np.searchsorted(new_place, new_list), len(new_place)).astype(np.int64)

    order = np.lexsort((traffic.entry_scale, traffic.entry_list, home[traffic.entry_target]))
    order = order[traffic.entry_scale[order] > 0]
    target, wanted, scale = home[traffic.entry_target[order]], traffic.entry_list[order], traffic.entry_scale[order]
    alike = _changes(target, wanted, scale)
    times = np.diff(np.append(alike, len(order)))
    begin, end = (np.searchsorted(of[new_list], wanted[alike], side) for side in ("left", "right"))
    each = end - begin  # lists of one size that a list falls into
    if each.sum() > MAX_DEMANDS:
        raise InfeasibleError(f"hash of {each.sum():,} distinct demands is not aggregated; use --routing ecmp")
    lists = np.repeat(begin - np.cumsum(each) + each, each) + np.arange(each.sum())
    return (
        np.repeat(target[alike], each).astype(np.int32),
        amount[new_list][lists] * np.repeat(scale[alike], each) / flows,
        np.repeat(times, each).astype(np.float64) * flows,
        lists.astype(np.int32),
        list_ptr,
        node[new_place].astype(np.int32),
        ranks,
    )


def _changes(*columns: NDArray[np.generic]) -> NDArray[np.int64]:
    """Rows of sorted columns that differ from the row before."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    differs = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    rows: NDArray[np.int64] = np.flatnonzero(np.concatenate([[True], differs]))
    return rows
