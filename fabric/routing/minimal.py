"""Minimal routing where some links count for more hops than one: a dragonfly crosses one global link, never two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import ecmp_loads
from fabric.routing.contraction import NodeDemand, contract, demand_at_nodes, from_end_to_end, on_all_arcs, refuse
from fabric.routing.ecmp import equal_split, fewer_destinations
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.symmetry import symmetry
from fabric.traffic import Traffic
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class Stretched:
    """The folded topology with a chain of nodes in place of every link of several hops; arc a of the folded graph
    begins with arc[a] here and counts for hops[a]."""

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    twin: NDArray[np.int32]
    links: NDArray[np.float64]
    forwards: NDArray[np.uint8]
    latency: NDArray[np.float64]
    node_latency: NDArray[np.float64]
    arc: NDArray[np.int64]
    hops: NDArray[np.int64]


def minimal(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads of an equal split over shortest paths, a link with `hops` counting as so many.

    On a dragonfly: at most one local, one global and one local link (Kim et al., ISCA 2008), where a shortest path in
    links may cross two global ones. Elsewhere the same as ecmp.
    """
    small = contract(topology)
    inner, latency, far = split(topology, demand_at_nodes(traffic, small.node_of_rank), options.threads)
    arcs = on_all_arcs(topology, traffic, inner)
    return loads_of(topology, traffic, arcs, from_end_to_end(topology, small, latency, far))


@once
def counts_hops(topology: Topology) -> bool:
    """Does any link count for more than one hop?"""
    return any(edge.get("hops", 1) > 1 for edge in topology.edge_kinds[0])


def split(topology: Topology, demand: NodeDemand, threads: int) -> tuple[NDArray[np.float64], float, bool]:
    """Loads of the folded arcs under a demand between nodes, the longest latency, and whether anything moves."""
    if not counts_hops(topology):
        return equal_split(topology, demand, contract(topology).links, threads)
    graph = stretch(topology)
    alike = all(np.array_equal(graph.hops[image], graph.hops) for image in symmetry(topology).images)
    fewer = fewer_destinations(topology, demand) if alike else None
    loads, latency, hops, lost = ecmp_loads(
        graph.indptr, graph.heads, graph.links, graph.twin, graph.forwards, graph.latency, graph.node_latency,
        *(demand if fewer is None else fewer.demand), threads,
    )  # fmt: skip
    if lost[0] >= 0:
        refuse(topology, contract(topology), int(lost[0]), int(lost[1]))
    inner = loads[graph.arc]
    return inner if fewer is None else fewer.spread(inner), latency, hops > 0


@once
def stretch(topology: Topology) -> Stretched:
    """Put hops - 1 nodes into each link of several hops; the first arc of a chain has the link's latency."""
    csr, small = topology.csr(), contract(topology)
    nodes, arcs = len(small.indptr) - 1, len(small.heads)
    hops = {frozenset((a, b)): edge["hops"] for a, b, edge in topology.edges if edge.get("hops", 1) > 1}
    names, whole = topology.nodes, small.arcs.tolist()
    extra = np.zeros(arcs, np.int64)
    if hops:
        pairs = ((names[csr.tails[a]], names[csr.heads[a]]) for a in whole)
        extra = np.array([hops.get(frozenset(pair), 1) - 1 for pair in pairs])
    tails = np.repeat(np.arange(nodes), np.diff(small.indptr))
    first = np.arange(arcs) < small.twin  # the direction that owns the chain
    begin = nodes + np.cumsum(np.where(first, extra, 0)) - np.where(first, extra, 0)
    begin = np.where(first, begin, begin[small.twin])  # first node of the chain, seen from its owner
    rows = []  # tail, head, arc, step
    for step in range(int(extra.max(initial=0)) + 1):
        long = np.flatnonzero(extra >= step)
        at = np.where(first[long], begin[long] + step - 1, begin[long] + extra[long] - step)
        to = np.where(first[long], begin[long] + step, begin[long] + extra[long] - step - 1)
        tail = np.where(step == 0, tails[long], at)
        head = np.where(extra[long] == step, small.heads[long], to)
        rows.append(np.column_stack([tail, head, long, np.full(len(long), step)]))
    table = np.concatenate(rows)
    order = np.lexsort((table[:, 3], table[:, 2], table[:, 0]))
    tail, head, of, step = table[order].T
    place = np.full((arcs, int(extra.max(initial=0)) + 1), -1)
    place[of, step] = np.arange(len(of))
    total = nodes + int(extra[first].sum())
    longer = np.zeros(total - nodes)
    return Stretched(
        indptr=np.searchsorted(tail, np.arange(total + 1)).astype(np.int64),
        heads=head.astype(np.int32),
        twin=place[small.twin[of], extra[of] - step].astype(np.int32),
        links=small.links[of],
        forwards=np.concatenate([small.forwards, np.ones(len(longer), np.uint8)]),
        latency=np.where(step == 0, small.latency[of], 0.0),
        node_latency=np.concatenate([small.node_latency, longer]),
        arc=place[:, 0],
        hops=extra + 1,
    )
