"""A fabric as a SimGrid platform: a cluster zone where the family is one, a zone of shortest routes otherwise."""

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from topologies.formats.writing import Exported, labels
from topologies.formats.writing.fat_tree import fat_tree_shape
from topologies.formats.writing.xml_text import attributes
from topologies.graph import BYTES_PER_S, Topology
from topologies.parts import Accelerator

HEAD = """<?xml version="1.0"?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
"""
SPEED_GF = 1.0  # of a host whose accelerator's throughput is unknown; the fabric does not compute


def simgrid_text(topology: Topology) -> Exported:
    """A platform of version 4.1; rates in bytes per second and latencies in nanoseconds, as they are.

    A torus with three or more along every dimension and a fat tree, of equal links, become SimGrid's own clusters,
    whose hosts `node-0`, `node-1`, ... are the ranks; everything else a zone in which SimGrid finds a route of fewest
    links (its dragonfly has another arrangement than the published one, with one router for each other group). Parallel
    links are one link of their summed rate but in a fat tree; every link is full duplex (SPLITDUPLEX); half of a
    switch's forwarding latency is on either link of a path through it.

    >>> from topologies.registry import build
    >>> print(simgrid_text(build("torus:dims=4x4,latency_ns=500")).text.splitlines()[4].strip())
    topology="TORUS" topo_parameters="4,4" bw="50000000000Bps" lat="500ns" sharing_policy="SPLITDUPLEX"/>
    """
    cluster = _torus(topology) or _fat_tree(topology)
    if cluster is not None:
        return cluster
    return _zone(topology)


def _kinds(topology: Topology, *, single: bool) -> set[tuple[float, float]]:
    """Bytes per second and nanoseconds of every kind of link, of one of parallel ones or of all together."""
    return {
        (edge["rate_gbps"] * (1 if single else edge["count"]) * edge["duty"] * BYTES_PER_S, float(edge["latency_ns"]))
        for _, _, edge in topology.edges
    }


def _torus(topology: Topology) -> Exported | None:
    grid = topology.grid
    if grid is None or grid.twist:
        return None
    sides = [(size, wrap) for size, wrap in zip(grid.dims, grid.wrap, strict=True) if size > 1]
    kinds = _kinds(topology, single=False)
    # two along a dimension: SimGrid lays two links and uses one of them only
    if len(kinds) != 1 or not all(wrap and size > 2 for size, wrap in sides):
        return None
    ((rate, latency),) = kinds
    shape = ",".join(str(size) for size, _ in sides)
    notes = ["SimGrid's torus goes in dimension order, half way round in the positive direction but from the middle"]
    return _cluster(topology, "TORUS", shape, rate, latency, notes)


def _fat_tree(topology: Topology) -> Exported | None:
    shape = fat_tree_shape(topology)
    if shape is None:
        return None
    delays = {round(float(ns), 6) for ns in _forwarding_ns(topology) if ns}
    kinds = _kinds(topology, single=True)
    if len(kinds) != 1 or len(delays) > 1:
        return None
    ((rate, latency),) = kinds
    levels = len(shape.down)
    notes = ["SimGrid's fat tree takes one path to each destination, by its own numbering (D-mod-K)"]
    if delays:
        latency += delays.pop() * (2 * levels - 1) / (2 * levels)
        notes.append("a switch's latency is spread over the links of the longest path, which is exact; others differ")
    given = ";".join([str(levels), *(",".join(map(str, row)) for row in (shape.down, shape.up, shape.parallel))])
    return _cluster(topology, "FAT_TREE", given, rate, latency, notes)


def _cluster(topology: Topology, kind: str, shape: str, rate: float, latency: float, notes: list[str]) -> Exported:
    n = len(topology.accelerators)
    where = attributes(id=topology.name, prefix="node-", radical=f"0-{n - 1}", suffix="", speed=_speed(topology, None))
    how = attributes(
        topology=kind, topo_parameters=shape, bw=_rate(rate), lat=_latency(latency), sharing_policy="SPLITDUPLEX"
    )
    text = f"{HEAD}  <cluster{where}\n          {how.strip()}/>\n</platform>\n"
    return Exported(text, tuple(notes))


def _zone(topology: Topology) -> Exported:
    names = labels(topology)
    lines = [HEAD, f"  <zone{attributes(id=topology.name, routing='Dijkstra')}>\n"]
    for node, row in topology.graph.nodes(data=True):
        if row["kind"] == "accelerator":
            lines.append(f"    <host{attributes(id=names[node], speed=_speed(topology, node))}/>\n")
    for node, row in topology.graph.nodes(data=True):
        if row["kind"] != "accelerator":
            lines.append(f"    <router{attributes(id=names[node])}/>\n")
    detour = _detour(topology)
    if detour:
        free = attributes(id="end", bandwidth="1e18Bps", latency="0ns", sharing_policy="FATPIPE")
        lines.append(f"    <link{free}/>\n")
    delay = dict(zip(topology.nodes, _forwarding_ns(topology) / 2, strict=True))
    routes: list[str] = []
    for number, (a, b, edge) in enumerate(topology.edges):
        rate = edge["rate_gbps"] * edge["count"] * edge["duty"] * BYTES_PER_S
        wire = attributes(
            id=f"link-{number}", bandwidth=_rate(rate), latency=_latency(edge["latency_ns"] + delay[a] + delay[b]),
            sharing_policy="SPLITDUPLEX",
        )  # fmt: skip
        lines.append(f"    <link{wire}/>\n")
        steps = detour * sum(not topology.graph.nodes[node]["forwards"] for node in (a, b))
        routes += _routes(names[a], names[b], f"link-{number}", steps)
    notes = ["routes are SimGrid's: one of fewest links for each pair"]
    if any(edge["count"] > 1 for _, _, edge in topology.edges):
        notes.append("parallel links are one link of their summed rate")
    if any(edge["duty"] < 1 for _, _, edge in topology.edges):
        notes.append("time-shared links carry their average; latencies leave out the wait for a slot")
    if topology.circuits is not None:
        notes.append("live circuits are links; circuit switches and dark strands are left out")
    return Exported("".join([*lines, *routes, "  </zone>\n</platform>\n"]), tuple(notes))


def _routes(a: str, b: str, link: str, steps: int) -> Iterator[str]:
    """The route over one link in either direction, lengthened at end points that do not forward."""
    longer = f"<link_ctn{attributes(id='end')}/>" * steps
    for source, target, direction in ((a, b, "UP"), (b, a, "DOWN")):
        ends = attributes(src=source, dst=target, symmetrical="NO")
        yield f"    <route{ends}><link_ctn{attributes(id=link, direction=direction)}/>{longer}</route>\n"


def _detour(topology: Topology) -> int:
    """How many free links keep routes from crossing an end point that does not forward: 0 where none could.

    SimGrid's shortest routes count links and know no end points. A route that crosses one passes the free links of
    its ends and, twice, of that one: with as many as half of the longest route between switches, that is never shorter.
    """
    graph = topology.graph
    inner = [node for node, row in graph.nodes(data=True) if row["forwards"]]
    crossed = any(not row["forwards"] and graph.degree(node) > 1 for node, row in graph.nodes(data=True))
    return 1 + _farthest(topology, inner) // 2 if crossed and inner else 0


def _farthest(topology: Topology, inner: list[Hashable]) -> int:
    """At least the links between any two nodes that forward, over nodes that forward: twice the farthest from one."""
    core = topology.graph.subgraph(inner)
    longest, seen = 0, set[Hashable]()
    for start in inner:
        if start in seen:
            continue
        level, depth = {start}, 0
        seen.add(start)
        while level := {far for near in level for far in core.adj[near] if far not in seen}:
            seen |= level
            depth += 1
        longest = max(longest, 2 * depth)
    return longest + 2


def _forwarding_ns(topology: Topology) -> Any:
    return np.where(topology.csr().forwards, topology.csr().node_latency, 0.0) * 1e9


def _rate(bytes_per_s: float) -> str:
    return f"{_number(bytes_per_s)}Bps"


def _latency(ns: float) -> str:
    return f"{_number(ns)}ns"


def _number(value: float) -> str:
    """The shortest decimal that is read back as the same number."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e18 else repr(float(value))


def _speed(topology: Topology, node: Hashable) -> str:
    """A host's speed: its accelerator's dense BF16 throughput where that is known."""
    chosen = topology.accelerators[0] if node is None else node
    part = topology.catalogue.get(str(topology.graph.nodes[chosen].get("part")))
    tflops = part.bf16_tflops if isinstance(part, Accelerator) else None
    return f"{_number(SPEED_GF)}Gf" if tflops is None else f"{_number(tflops * 1000)}Gf"
