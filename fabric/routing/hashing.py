"""Hashed flows: each keeps to one shortest path, drawn at random from a seed."""

import numpy as np
from numpy.typing import NDArray

from cext import hashed_loads
from fabric.routing.contraction import contract, refuse
from fabric.routing.leaves import leaves, to_leaves
from fabric.routing.parallel import gathered
from fabric.routing.router import Loads, RoutingOptions
from fabric.routing.separated import separate
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology

MAX_DEMANDS = 50_000_000
FAR = 1 << 32  # from a seed to that of what goes between domains


def hashed(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads where every pair sends `flows_per_pair` equal flows, each on one random shortest path (RFC 2992).

    At every node a flow takes any next-hop link, parallel ones told apart, with equal chance and independently of the
    nodes before: hashes without polarisation. Flows of one size towards one switch are alike, so their number is
    split at each node by one multinomial draw; the answer has exactly the distribution of hashing flow by flow.
    Traffic in which every pair has a size of its own costs one walk a flow. InfeasibleError above 50 million demands
    of (switch, list of sources, size).
    """
    if options.flows_per_pair < 1:
        raise ConfigError(f"flows per pair = {options.flows_per_pair} is below 1; give 1 or more")
    small, links = contract(topology), separate(topology)
    if traffic.is_uniform and leaves(topology) is not None:
        return _all_to_all(topology, traffic, options)
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
    return _all_to_all(topology, traffic, options, inside=False)


def _all_to_all(topology: Topology, traffic: Traffic, options: RoutingOptions, inside: bool = True) -> Loads:
    """A uniform all-to-all: inside domains flow by flow; between them to leaves, whose last links get their own."""
    small, links, found = contract(topology), separate(topology), leaves(topology)
    assert found is not None
    n, flows = traffic.n, options.flows_per_pair
    size = float(traffic.list_amount[0] * traffic.entry_scale[0]) / flows
    order = np.argsort(found.domain, kind="stable")
    members = np.bincount(found.domain)
    list_ptr = np.concatenate([[0], np.cumsum(members)]).astype(np.int64)
    list_node = small.node_of_rank[order]
    nodes, pointer, domain, scale = to_leaves(found)
    near = np.arange(n + 1), found.domain, np.full(n, float(flows))
    loads, latency_s = np.zeros(len(links.heads)), 0.0
    both = (
        (small.node_of_rank, near, 0.0, options.seed),
        (nodes, (pointer, domain, scale * flows), found.last_s, options.seed + FAR),
    )
    for destinations, (entry_ptr, entry_list, entry_scale), after_s, seed in both[0 if inside else 1 :]:
        some, taken_s, lost = hashed_loads(
            links.indptr, links.heads, links.twin, small.forwards, links.latency, small.node_latency,
            destinations, np.full(len(destinations), size), entry_ptr, entry_list, entry_scale,
            list_ptr, list_node, np.ones(n), seed, options.threads,
        )  # fmt: skip
        if lost[0] >= 0:
            at_leaf = small.node_of_rank[np.flatnonzero(found.leaf == lost[1])]
            refuse(topology, small, int(lost[0]), int(at_leaf[0]) if len(at_leaf) else int(lost[1]))
        loads += some
        latency_s = max(latency_s, taken_s + after_s * bool(some.any()))
    loads[found.link] += (n - members[found.domain]) * flows * size
    return gathered(topology, traffic, loads, latency_s, options)


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
