"""Domains: which nodes and links of a fabric lie inside one scale-up domain."""

from dataclasses import replace

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.graph import Topology, no_generators, once
from topologies.links import HOST_TECHNOLOGIES


def domains_of_nodes(topology: Topology) -> NDArray[np.int64]:
    """int64[V]: the scale-up domain of each rank, and of the nodes that join ranks of one domain only; -1 for others.

    >>> from topologies.registry import build
    >>> int((domains_of_nodes(build("nvl72")) == 0).sum())  # 72 accelerators and 18 switch chips
    90
    """
    csr = topology.csr()
    label = np.full(len(csr.forwards), -1)
    for index, members in enumerate(topology.domains):
        label[csr.accelerators[members]] = index
    lowest, highest = np.full(len(label), np.iinfo(np.int64).max), np.full(len(label), -1)
    np.minimum.at(lowest, csr.tails, label[csr.heads])
    np.maximum.at(highest, csr.tails, label[csr.heads])
    joins = (label < 0) & (lowest == highest)
    joins[csr.accelerators] = False
    return np.where(joins, highest, label)


def inside_domains(topology: Topology) -> NDArray[np.bool_]:
    """bool[A]: the arcs between two nodes of one scale-up domain; all where accelerators alone are joined."""
    csr, label = topology.csr(), domains_of_nodes(topology)
    inside: NDArray[np.bool_] = (label[csr.tails] >= 0) & (label[csr.tails] == label[csr.heads])
    return inside if topology.domains or not alone(topology) else np.ones_like(inside)


def blocks_of(topology: Topology, size: int) -> int:
    """How many blocks of `size` accelerators a fabric holds, none of them across two scale-up domains where one holds
    it whole.

    >>> from topologies.registry import build
    >>> pod = build("nvl72-x8")
    >>> blocks_of(pod, 8), blocks_of(pod, 16), blocks_of(pod, 144)  # 8 x 9, 8 x 4 (8 are left over), and 576 / 144
    (72, 32, 4)
    """
    return blocks_beside(topology, size, 0, 1)


def blocks_beside(topology: Topology, size: int, others: int, other_size: int) -> int:
    """How many blocks of `size` accelerators a fabric holds beside `others` of another size, neither across two
    scale-up domains where one holds it whole; what blocks leave free in their domains is taken first. -1 where it does
    not hold the others.

    >>> from topologies.registry import build
    >>> rack = build("nvl72")  # 72 = 4 x 16 + 8
    >>> blocks_beside(rack, 16, 1, 8), blocks_beside(rack, 16, 2, 8), blocks_beside(rack, 16, 10, 8)
    (4, 3, -1)
    """
    sizes = np.array([len(members) for members in topology.domains])
    if not len(sizes) or sizes.min() < max(size, other_size):
        left = len(topology.accelerators) - others * other_size
        return left // size if left >= 0 else -1
    blocks = sizes // size
    room, most = (sizes - blocks * size) // other_size, sizes // other_size
    missing = others - int(room.sum())
    if missing > 0:  # domain after domain holds others alone, the last as many as are left
        held = np.cumsum(most - room)
        last = int(np.searchsorted(held, missing))
        if last == len(sizes):
            return -1
        own = most[: last + 1].copy()
        own[last] -= held[last] - missing
        blocks[: last + 1] = (sizes[: last + 1] - own * other_size) // size
    return int(blocks.sum())


def alone(topology: Topology) -> bool:
    """Is every node an accelerator, as in a server whose accelerators form a mesh?"""
    return len(topology.accelerators) == len(topology.nodes)


@once
def first_domain(topology: Topology) -> Topology | None:
    """The first scale-up domain as a fabric of its own: its accelerators, and the switches that their links lead to
    but through no adapter and no host. None where these do not join it, or lead out of it.

    Its traffic stays there even where a way through the network beside has fewer links.

    >>> from topologies.registry import build
    >>> len(first_domain(build("nvl72-x8")).accelerators), first_domain(build("torus:dims=4x4"))
    (72, None)
    """
    if len(topology.domains) < 2:
        return None
    graph, ends = topology.graph, [topology.accelerators[rank] for rank in topology.domains[0]]
    found = dict.fromkeys(ends)
    reached = list(ends)
    for node in reached:  # grows meanwhile
        for other, edge in graph.adj[node].items():
            if other not in found and edge.get("nic") is None and edge["technology"] not in HOST_TECHNOLOGIES:
                found[other] = None
                reached.append(other)
    kinds = [graph.nodes[node]["kind"] for node in found]
    alone = nx.Graph(graph.subgraph(found))
    alone.remove_edges_from([
        (a, b) for a, b, edge in alone.edges(data=True)
        if edge.get("nic") is not None or edge["technology"] in HOST_TECHNOLOGIES
    ])  # fmt: skip
    if kinds.count("accelerator") > len(ends) or set(kinds) > {"accelerator", "switch"} or not nx.is_connected(alone):
        return None
    return replace(
        topology, graph=alone, circuits=None, grid=None, halves=(), tours=(), generators=no_generators,
    )  # fmt: skip
