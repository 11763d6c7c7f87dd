"""Leaves: where every rank hangs on a network by one link, what goes to it from afar is routed to its leaf as one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract
from fabric.routing.separated import separate
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """By rank: `link` int64[n], the only link from the network to it; `leaf` int32[n], the node at its other end;
    `domain` int32[n], a label that ranks share whom nodes outside the network join; `place` int64[n], the same for
    those at one leaf by links as long, in order of leaves; `turn_s` float64[n], from a rank to another at its place.
    `stand_in` int64[places], the first rank at each; `switches` bool[V'], of the network, by node of the folded graph.
    """

    link: NDArray[np.int64]
    leaf: NDArray[np.int32]
    domain: NDArray[np.int32]
    place: NDArray[np.int64]
    turn_s: NDArray[np.float64]
    stand_in: NDArray[np.int64]
    switches: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """The network without the domains below it, on the nodes of the whole: arcs, their place in the whole int64[A],
    and which of them join two switches, bool[A]."""

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    twin: NDArray[np.int32]
    place: NDArray[np.int64]
    between: NDArray[np.bool_]


@once
def leaves(topology: Topology) -> Leaves | None:
    """The leaves of a fabric of scale-up domains under one network; None where ranks are folded, forward, have no or
    several links to the network, or all is one domain.

    Nodes that forward fall into parts that end points only join; the network is the one that joins most. A path between
    end points, which crosses none of them, lies within one part. So all paths to a rank from outside its domain end on
    its one link.

    >>> from topologies.registry import build
    >>> found = leaves(build("rail:servers=4,rails=1")); len(set(found.leaf.tolist())), found.domain.max() + 1
    (1, np.int32(4))
    """
    small, links = contract(topology), separate(topology)
    nodes = len(small.forwards)
    crossed = small.forwards.astype(bool)
    if small.folded or crossed[small.node_of_rank].any() or not crossed.any():
        return None
    tails = np.repeat(np.arange(nodes), np.diff(links.indptr))
    heads = links.heads
    part = parts(crossed, tails, heads)
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
    domain = parts(~inside, tails, heads)
    labels = np.unique(domain[small.node_of_rank], return_inverse=True)[1]
    if not labels.any():
        return None
    leaf = tails[link].astype(np.int32)
    _, first, place = np.unique(
        np.column_stack([leaf, links.latency[link]]), axis=0, return_index=True, return_inverse=True
    )
    turn_s = 2 * links.latency[link] + small.node_latency[leaf]
    return Leaves(link, leaf, labels.astype(np.int32), place.ravel(), turn_s, first, inside)


def parts(
    kept: NDArray[np.bool_], tails: NDArray[np.integer[Any]], heads: NDArray[np.integer[Any]]
) -> NDArray[np.int64]:
    """int64[V]: a label that kept nodes share which links between kept nodes join; others have one of their own.

    >>> parts(np.array([True, True, False, True]), np.array([0, 1, 2]), np.array([1, 2, 3])).tolist()
    [0, 0, 1, 2]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    both = kept[tails] & kept[heads]
    joins = coo_array((np.ones(both.sum()), (tails[both], heads[both])), shape=(len(kept),) * 2)
    label: NDArray[np.int64] = connected_components(joins, directed=False)[1].astype(np.int64)
    return label


def alone(
    switches: NDArray[np.bool_], indptr: NDArray[np.int64], heads: NDArray[np.int32], twin: NDArray[np.int32]
) -> Alone:
    """The arcs of a network's switches, those to ranks included.

    >>> square = np.array([0, 2, 4, 6, 8]), np.array([1, 2, 0, 3, 0, 3, 1, 2], np.int32)
    >>> cut = alone(np.array([True, False, False, False]), *square, np.array([2, 4, 0, 6, 1, 7, 3, 5], np.int32))
    >>> cut.indptr.tolist(), cut.heads.tolist(), cut.twin.tolist()
    ([0, 2, 3, 4, 4], [1, 2, 0, 0], [2, 3, 0, 1])
    """
    at_tail = np.repeat(switches, np.diff(indptr))
    kept = at_tail | switches[heads]
    number = np.append(0, np.cumsum(kept))
    place = np.flatnonzero(kept)
    return Alone(
        number[indptr], heads[place], number[twin[place]].astype(np.int32), place, (at_tail & switches[heads])[place]
    )
