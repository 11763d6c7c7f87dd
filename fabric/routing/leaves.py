"""Leaves: where every rank hangs on a network by one link, what goes to it from afar is routed to its leaf as one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract
from fabric.routing.separated import separate
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """By rank: `link` int64[n], the only link from the network to it; `leaf` int32[n], the node at its other end;
    `domain` int32[n], a label that ranks share whom nodes outside the network join. `last_s`: from leaf to rank."""

    link: NDArray[np.int64]
    leaf: NDArray[np.int32]
    domain: NDArray[np.int32]
    last_s: float


@once
def leaves(topology: Topology) -> Leaves | None:
    """The leaves of a fabric of scale-up domains under one network; None where ranks are folded, forward, have no or
    several links to the network, leaves differ in latency, or all is one domain.

    Nodes that forward fall into parts that end points only join; the network is the one that joins most. A path between
    end points, which crosses none of them, lies within one part. So all paths to a rank from outside its domain end on
    its one link.

    >>> from topologies.registry import build
    >>> found = leaves(build("rail:servers=4,rails=1")); len(set(found.leaf.tolist())), found.domain.max() + 1
    (1, np.int32(4))
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    small, links = contract(topology), separate(topology)
    nodes = len(small.forwards)
    crossed = small.forwards.astype(bool)
    if small.folded or crossed[small.node_of_rank].any() or not crossed.any():
        return None
    tails = np.repeat(np.arange(nodes), np.diff(links.indptr))
    heads = links.heads
    both = crossed[tails] & crossed[heads]
    _, part = connected_components(coo_array((np.ones(both.sum()), (tails[both], heads[both])), shape=(nodes, nodes)))
    part = part.astype(np.int64)  # times nodes it is beyond 32 bits
    out = np.flatnonzero(crossed[tails] & ~crossed[heads])
    joined = np.unique(part[tails[out]] * nodes + heads[out]) // nodes  # a part for every end point that it joins
    if not len(joined):
        return None
    network = np.bincount(joined).argmax()
    inside = crossed & (part == network)
    last = np.flatnonzero(inside[tails] & ~crossed[heads])
    rank_of = np.full(nodes, -1)
    rank_of[small.node_of_rank] = np.arange(len(small.node_of_rank))
    ranks = rank_of[heads[last]]
    order = np.argsort(ranks, kind="stable")
    if not np.array_equal(ranks[order], np.arange(len(small.node_of_rank))):
        return None
    link = last[order]
    last_s = small.node_latency[tails[link]] + links.latency[link]
    if np.ptp(last_s) > 0:
        return None
    near = ~inside[tails] & ~inside[heads]
    _, domain = connected_components(coo_array((np.ones(near.sum()), (tails[near], heads[near])), shape=(nodes, nodes)))
    labels = np.unique(domain[small.node_of_rank], return_inverse=True)[1]
    if not labels.any():
        return None
    return Leaves(link, tails[link].astype(np.int32), labels.astype(np.int32), float(last_s[0]))


def to_leaves(found: Leaves) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """An all-to-all between domains as the kernel takes it: leaves int32[L], the entries of each int64[L + 1], the
    domain that an entry comes from, and the ranks at the leaf outside that domain.

    >>> some = Leaves(np.arange(4), np.array([7, 7, 9, 9], np.int32), np.array([0, 1, 0, 0], np.int32), 0.0)
    >>> [column.tolist() for column in to_leaves(some)]
    [[7, 9], [0, 2, 3], [0, 1, 1], [1.0, 1.0, 2.0]]
    """
    nodes, at = np.unique(found.leaf, return_inverse=True)
    domains = int(found.domain.max()) + 1
    own = np.zeros((len(nodes), domains))
    np.add.at(own, (at, found.domain), 1)
    far = own.sum(axis=1, keepdims=True) - own
    rows, columns = np.nonzero(far)
    pointer = np.searchsorted(rows, np.arange(len(nodes) + 1)).astype(np.int64)
    return nodes, pointer, columns.astype(np.int32), far[rows, columns]
