"""Valiant's detour through a random middle, and UGAL, which mixes it with the shortest paths."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from fabric.routing.contraction import (
    Contracted,
    NodeDemand,
    contract,
    demand_at_nodes,
    from_end_to_end,
    on_all_arcs,
)
from fabric.routing.minimal import minimal, split
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology


def valiant(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads where all that leaves a switch goes to a random switch first, and from there to its own (Valiant 1982).

    Every middle is as likely: the switches that have end points, or on a direct network the accelerators that forward.
    Both legs are minimal. Traffic between accelerators of one switch stays there. The latency is that
    of the longest first leg and the longest second leg together.
    """
    small = contract(topology)
    nodes = len(small.indptr) - 1
    sent, received = _leaving(traffic, small.node_of_rank, nodes)
    if not sent.any():
        return minimal(topology, traffic, options)
    middles = _middles(topology, small, (sent > 0) | (received > 0))
    chance = np.zeros(nodes)
    chance[middles] = 1 / len(middles)
    to_middle = split(topology, _all_to_each(sent, chance), options.threads)
    to_target = split(topology, _all_to_each(chance, received), options.threads)
    arcs = on_all_arcs(topology, traffic, to_middle[0] + to_target[0])
    turn = float(small.node_latency[middles].max())
    latency = from_end_to_end(topology, small, to_middle[1] + turn + to_target[1], far=True)
    return loads_of(topology, traffic, arcs, latency)


def ugal(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads of the one mix of shortest paths and Valiant's that has the least largest utilisation.

    The share of the traffic that keeps to shortest paths is the same for all pairs, and as large as that least allows:
    what UGAL with global knowledge tends to (Singh, PhD thesis, Stanford 2005; Kim et al., ISCA 2008). The latency is
    that of the shortest paths, which an idle network takes.
    """
    direct, detour = minimal(topology, traffic, options), valiant(topology, traffic, options)
    capacity = topology.csr().capacity
    share = best_mix(direct.arcs / capacity, detour.arcs / capacity)
    return direct.carrying(share * direct.arcs + (1 - share) * detour.arcs)


def best_mix(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The largest a in 0 to 1 that minimises the maximum of a first + (1 - a) second, exactly.

    The maximum is convex and piecewise linear in a: the lowest point of two lines, one on either side, is tried until
    no other line lies above it.

    >>> best_mix(np.array([4.0, 0.0]), np.array([0.0, 2.0])), best_mix(np.array([3.0, 1.0]), np.array([3.0, 2.0]))
    (0.3333333333333333, 1.0)
    """
    slope = first - second

    def steepest(a: float, sign: int) -> int:
        """Of the highest lines at a, the one that is highest just left (-1) or right (1) of it."""
        height = second + a * slope
        top = np.flatnonzero(height >= height.max() * (1 - 1e-12))
        return int(top[np.argmax(sign * slope[top])])

    left, right = steepest(0.0, 1), steepest(1.0, -1)
    if slope[left] >= 0:
        best = 0.0
    elif slope[right] <= 0:
        best = 1.0
    else:
        while True:
            best = float((second[right] - second[left]) / (slope[left] - slope[right]))
            meet = float(second[left] + best * slope[left])
            over = int(np.argmax(second + best * slope))
            if second[over] + best * slope[over] <= meet * (1 + 1e-12):
                break
            left, right = (over, right) if slope[over] < 0 else (left, over)
    least = float((second + best * slope).max()) * (1 + 1e-12)
    rising = slope > 0
    flat = float(((least - second[rising]) / slope[rising]).min(initial=1.0))
    return min(flat, 1.0) if flat > best + 1e-9 else best  # no line rises before: as good, and more of the first


def _leaving(traffic: Traffic, home: NDArray[np.int32], nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each node sends to, and receives from, other nodes."""
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand_at_nodes(traffic, home)
    list_of = np.repeat(np.arange(len(list_ptr) - 1), np.diff(list_ptr))
    target = np.repeat(targets, np.diff(entry_ptr))
    fan = np.bincount(entry_list, entry_scale, minlength=len(list_ptr) - 1)
    sums = np.bincount(list_of, list_amount, minlength=len(list_ptr) - 1)
    sent = np.bincount(list_node, list_amount * fan[list_of], minlength=nodes)
    received = np.bincount(target, entry_scale * sums[entry_list], minlength=nodes)
    keys, wanted = list_of * nodes + list_node, entry_list.astype(np.int64) * nodes + target
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    inside = np.bincount(target, np.where(keys[place] == wanted, list_amount[place] * entry_scale, 0), minlength=nodes)
    outside = [np.where(whole - inside > 1e-12 * whole, whole - inside, 0.0) for whole in (sent, received)]
    return outside[0], outside[1]


def _middles(topology: Topology, small: Contracted, active: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Nodes that forward, have end points, and are reached by every active node; InfeasibleError where none is."""
    nodes = len(small.indptr) - 1
    tails = np.repeat(np.arange(nodes), np.diff(small.indptr))
    forwards = small.forwards.astype(bool)
    inner = forwards[tails] & forwards[small.heads]
    graph = csr_array((np.ones(int(inner.sum())), (tails[inner], small.heads[inner])), shape=(nodes, nodes))
    piece = connected_components(graph, directed=False)[1]
    out = active[tails] & ~forwards[tails] & forwards[small.heads]
    own = np.flatnonzero(active & forwards)
    reached = np.unique(np.concatenate([tails[out] * nodes + piece[small.heads[out]], own * nodes + piece[own]]))
    common = np.bincount(reached % nodes, minlength=nodes) == active.sum()
    ends = np.unique(small.node_of_rank)
    beside = np.isin(tails, ends[~forwards[ends]]) & forwards[small.heads]
    middles = np.union1d(ends[forwards[ends]], small.heads[beside])
    middles = middles[common[piece[middles]]]
    if not len(middles):
        raise InfeasibleError(
            f"{topology.name}: no switch is reached by all that send and receive, so Valiant has no middle; use ecmp"
        )
    chosen: NDArray[np.int32] = middles.astype(np.int32)
    return chosen


def _all_to_each(sent: NDArray[np.float64], share: NDArray[np.float64]) -> NodeDemand:
    """The demand sent[s] x share[t] between all nodes: one list for all targets."""
    sources, targets = np.flatnonzero(sent), np.flatnonzero(share)
    entries = len(targets)
    return (
        targets.astype(np.int32), np.arange(entries + 1), np.zeros(entries, np.int32), share[targets],
        np.array([0, len(sources)]), sources.astype(np.int32), sent[sources],
    )  # fmt: skip
