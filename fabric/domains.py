"""Domains: which nodes and links of a fabric lie inside one scale-up domain."""

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Topology


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
    holding = [len(members) for members in topology.domains if len(members) >= size]
    if len(holding) < len(topology.domains) or not holding:
        return len(topology.accelerators) // size
    return sum(members // size for members in holding)


def alone(topology: Topology) -> bool:
    """Is every node an accelerator, as in a server whose accelerators form a mesh?"""
    return len(topology.accelerators) == len(topology.nodes)
