"""A fabric as ASTRA-sim's analytical backend has it: a row of dimensions, each a ring, a switch or a full mesh."""

import json
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any, NoReturn

import networkx as nx
import numpy as np

from topologies.errors import ConfigError
from topologies.formats.writing import Exported
from topologies.graph import BYTES_PER_S, Topology

NON_BLOCKING = ("fat-tree", "clos", "rail")  # families of which `oversubscription` says whether they are
GIB = 2**30 / 1e9  # ASTRA-sim's analytical backend multiplies a bandwidth by 2^30 bytes (bw_GBps_to_Bpns)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension: its building block, how many are in it, GB/s of one link (of one end at a switch), latency in ns
    of one link (ASTRA-sim counts it twice at a switch)."""

    block: str
    npus: int
    gb_per_s: float
    latency_ns: float


def astra_sim_text(topology: Topology) -> Exported:
    """The network file of the analytical backend: `topology`, `npus_count`, `bandwidth` in GB/s, `latency` in ns.

    Grids with wraparound become rings, dimension by dimension, two of a kind and full meshes FullyConnected, one stage
    of switches and non-blocking trees a Switch, servers on a tree two dimensions of Switch. ConfigError for a
    fabric that is none of these.

    >>> from topologies.registry import build
    >>> print(astra_sim_text(build("torus:dims=4x2,latency_ns=500")).text.split("\\n", 1)[1], end="")
    topology: [ Ring, FullyConnected ]
    npus_count: [ 4, 2 ]
    bandwidth: [ 50.0, 100.0 ]  # GB/s
    latency: [ 500.0, 500.0 ]  # ns
    """
    found, notes = dimensions(topology)
    rows = {
        "topology": [d.block for d in found],
        "npus_count": [str(d.npus) for d in found],
        "bandwidth": [repr(float(d.gb_per_s)) for d in found],
        "latency": [repr(float(d.latency_ns)) for d in found],
    }
    units = {"bandwidth": "  # GB/s", "latency": "  # ns"}
    lines = [f"# {' '.join(topology.name.split())}, written by aifabric for ASTRA-sim's analytical backend\n"]
    lines += [f"{key}: [ {', '.join(row)} ]{units.get(key, '')}\n" for key, row in rows.items()]
    said = f"ASTRA-sim's analytical backend takes a GB as 2^30 bytes: its bandwidth terms are {1 - 1 / GIB:.1%} shorter"
    return Exported("".join(lines), (*notes, said))


def logical_text(topology: Topology) -> Exported:
    """The logical topology of the packet-level backends: how many accelerators there are along each dimension.

    >>> from topologies.registry import build
    >>> logical_text(build("torus:dims=4x2")).text
    '{"logical-dims": ["4", "2"]}\\n'
    """
    found, notes = dimensions(topology)
    return Exported(json.dumps({"logical-dims": [str(d.npus) for d in found]}) + "\n", notes)


def dimensions(topology: Topology) -> tuple[list[Dimension], tuple[str, ...]]:
    """The dimensions of a fabric, that of neighbouring ranks first, and what they leave unsaid.

    ConfigError says what ASTRA-sim has no dimension for.

    >>> from topologies.registry import build
    >>> dimensions(build("switch:n=8,latency_ns=500"))[0]
    [Dimension(block='Switch', npus=8, gb_per_s=50.0, latency_ns=500.0)]
    """
    if topology.grid is not None:
        return _grid(topology)
    n, graph = len(topology.accelerators), topology.graph
    if len(graph) == n and graph.number_of_edges() == n * (n - 1) // 2:
        rate, latency, notes = _alike(topology, [edge for _, _, edge in topology.edges], "links")
        return [Dimension("FullyConnected", n, rate, latency)], notes
    if _one_stage(topology):
        rates = {node: _leaving(topology, node, graph.adj[node].keys()) for node in topology.accelerators}
        return [Dimension("Switch", n, _one(topology, rates, "accelerators"), _half_path(topology, None))], ()
    if topology.family not in NON_BLOCKING:
        _refuse(topology, "it is no grid, full mesh, stage of switches or non-blocking tree")
    if topology.parameters.get("oversubscription", 1) != 1:
        _refuse(topology, "its tree is oversubscribed")
    return _servers(topology) if len(topology.domains) > 1 else _tree(topology)


def _grid(topology: Topology) -> tuple[list[Dimension], tuple[str, ...]]:
    grid = topology.grid
    assert grid is not None
    if grid.twist:
        _refuse(topology, "its torus is twisted")
    open_ones = [size for size, wrap in zip(grid.dims, grid.wrap, strict=True) if size > 2 and not wrap]
    if open_ones:
        _refuse(topology, f"a line of {open_ones[0]} has no wraparound")
    rank = {node: i for i, node in enumerate(topology.accelerators)}
    strides = np.concatenate([[1], np.cumprod(grid.dims)]).tolist()
    along: list[list[dict[str, Any]]] = [[] for _ in grid.dims]
    for a, b, edge in topology.edges:
        apart = [rank[a] // strides[i] % size != rank[b] // strides[i] % size for i, size in enumerate(grid.dims)]
        if sum(apart) != 1:
            _refuse(topology, f"link {a} - {b} is not along a dimension")
        along[apart.index(True)].append(edge)
    found, notes = [], dict[str, None]()
    for size, edges in zip(grid.dims, along, strict=True):
        if size > 1:
            rate, latency, said = _alike(topology, edges, "links of a dimension")
            notes |= dict.fromkeys(said)
            found.append(Dimension("Ring" if size > 2 else "FullyConnected", size, rate, latency))
    return found, tuple(notes)


def _alike(topology: Topology, edges: list[dict[str, Any]], what: str) -> tuple[float, float, tuple[str, ...]]:
    """GB/s and latency of links that all have the same rate; their mean latency where that differs, with a note."""
    rates = {edge["rate_gbps"] * edge["count"] * edge["duty"] for edge in edges}
    if len(rates) > 1:
        _refuse(topology, f"its {what} have rates from {min(rates):g} to {max(rates):g} Gb/s")
    delays = [float(edge["latency_ns"]) for edge in edges]
    notes = () if len(set(delays)) == 1 else ("links of different latency have their mean",)
    return rates.pop() * BYTES_PER_S / 1e9, float(np.mean(delays)), notes


def _one_stage(topology: Topology) -> bool:
    """Is every switch next to every accelerator, and to nothing else?"""
    ends = set(topology.accelerators)
    inner = [node for node in topology.graph if node not in ends]
    near = [topology.graph.adj[node].keys() for node in inner]
    alone = not any(topology.graph.nodes[node]["forwards"] for node in ends)
    links = topology.graph.number_of_edges()
    return bool(inner) and alone and all(row == ends for row in near) and links == len(inner) * len(ends)


def _tree(topology: Topology) -> tuple[list[Dimension], tuple[str, ...]]:
    rates = {node: _leaving(topology, node, topology.graph.adj[node].keys()) for node in topology.accelerators}
    rate = _one(topology, rates, "accelerators")
    said = "a non-blocking tree is one Switch, with half of the longest path's latency"
    return [Dimension("Switch", len(rates), rate, _half_path(topology, None))], (said,)


def _servers(topology: Topology) -> tuple[list[Dimension], tuple[str, ...]]:
    """Servers in rank order: a Switch inside each, a Switch between them."""
    domains, ends = topology.domains, topology.accelerators
    size = len(domains[0])
    if any(domain != list(range(i * size, (i + 1) * size)) for i, domain in enumerate(domains)):
        _refuse(topology, "its scale-up domains differ in size or do not follow the ranks")
    if size * len(domains) != len(ends):
        _refuse(topology, "some of its accelerators are in no scale-up domain")
    home = {node: i for i, domain in enumerate(domains) for node in (ends[rank] for rank in domain)}
    servers = _servers_of(topology, home)
    inside: dict[Hashable, float] = {}
    outside: dict[Hashable, float] = {}
    for node in ends:
        near = {far for far in topology.graph.adj[node] if servers.get(far) == home[node]}
        inside[node] = _leaving(topology, node, near)
        outside[node] = _leaving(topology, node, topology.graph.adj[node].keys() - near)
    first = {ends[rank] for rank in domains[0]}
    found = [
        Dimension("Switch", size, _one(topology, inside, "accelerators in their server"), _half_path(topology, first)),
        Dimension(
            "Switch", len(domains), _one(topology, outside, "accelerators out of their server"),
            _half_path(topology, {ends[domain[0]] for domain in domains}),
        ),
    ]  # fmt: skip
    said = "the network between servers is one non-blocking Switch, with half of the longest path's latency"
    return (found if size > 1 else found[1:]), (said,)


def _servers_of(topology: Topology, home: dict[Hashable, int]) -> dict[Hashable, int]:
    """The server of every node whose neighbours are end points of one, and of those."""
    found = dict(home)
    for node in topology.graph:
        if node not in home:
            near = {home.get(far) for far in topology.graph.adj[node]}
            only = near.pop()
            if not near and only is not None:
                found[node] = only
    return found


def _leaving(topology: Topology, node: Hashable, to: Collection[Hashable]) -> float:
    """GB/s of a node's links to those nodes."""
    edges = (edge for far, edge in topology.graph.adj[node].items() if far in to)
    return float(sum(edge["rate_gbps"] * edge["count"] * edge["duty"] for edge in edges) * BYTES_PER_S / 1e9)


def _one(topology: Topology, rates: dict[Hashable, float], what: str) -> float:
    if max(rates.values()) > min(rates.values()) * (1 + 1e-9):
        _refuse(topology, f"its {what} have from {min(rates.values()):g} to {max(rates.values()):g} GB/s")
    if min(rates.values()) == 0:
        _refuse(topology, f"its {what} have no links")
    return next(iter(rates.values()))


def _half_path(topology: Topology, among: set[Hashable] | None) -> float:
    """Half the zero-load latency of the longest path from the first to any of these end points, in ns."""
    csr, ends = topology.csr(), set(topology.accelerators)
    crossing = dict(zip(topology.nodes, (csr.node_latency * 1e9).tolist(), strict=True))
    start = topology.accelerators[0]

    def cost(a: Hashable, b: Hashable, edge: dict[str, Any]) -> float | None:
        if a in ends and a != start:
            return None
        return float(edge["latency_ns"] + (0.0 if b in ends else crossing[b]))

    reached = nx.single_source_dijkstra_path_length(topology.graph, start, weight=cost)
    wanted = (ends if among is None else among) - {start}
    if not wanted <= reached.keys():
        _refuse(topology, "some of its accelerators are reached through others only")
    return float(max(reached[node] for node in wanted)) / 2


def _refuse(topology: Topology, why: str) -> NoReturn:
    raise ConfigError(
        f"{topology.name}: ASTRA-sim's dimensions are Ring, Switch and FullyConnected, and {why}; "
        "export simgrid, graphml or native"
    )
