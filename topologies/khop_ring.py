"""K-hop rings: nodes of a few accelerators on a ring, each with fibres to its K nearest on either side."""

from collections.abc import Iterator
from math import gcd
from typing import Annotated

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError
from topologies.graph import Grid, Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue
from topologies.torus import grid_halves

NODE_LENGTH_M = 0.3
BUNDLE = LinkOptions(rate_gbps=800.0, length_m=20.0, technology="pluggable")


def khop_ring(
    nodes: Annotated[int, "nodes on the ring"],
    k: Annotated[int, "nodes to either side that a node's fibres reach"] = 2,
    gpus: Annotated[int, "accelerators of a node, in a line"] = 4,
    links: Annotated[int, "transceivers on either side of a node, each one link at a time"] = 8,
    lit: Annotated[int, "distances over which the transceivers are spread, 1 to k; 1 is the ring"] = 1,
    node_cable: Annotated[str | None, "catalogue name of the links inside a node; a board's by default"] = None,
    link: LinkOptions = BUNDLE,
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """InfiniteHBD (Shou et al., SIGCOMM 2025): rings through circuit switches inside the transceivers.

    A transceiver chooses one of its K fibres: the node next to it, or, where that one has failed, one further on. As
    built all carry light to the next node (`lit=1`); with `lit` of k distances each gets its share, floor or ceil of
    links/lit. The last accelerator of a node is joined to the first of another, and the line inside a node carries all
    its links. Accelerators pass on each other's traffic.

    >>> from topologies.registry import build
    >>> t = build("khop-ring:nodes=16,gpus=4,links=8"); len(t.accelerators), t.links
    (64, 512)
    """
    reach = (nodes - 1) // 2
    if nodes < 3:
        raise ConfigError(f"khop-ring: nodes = {nodes} make no ring; give at least 3")
    if k > max(1, reach):
        raise ConfigError(f"khop-ring: k = {k} meets itself on {nodes} nodes; give at most {max(1, reach)}")
    if lit > min(k, links):
        raise ConfigError(f"khop-ring: lit = {lit} exceeds k = {k} or links = {links}; give at most {min(k, links)}")
    limit_nodes("khop-ring", nodes * (gpus + lit))
    parts.part(accelerator, Accelerator)
    graph = nx.Graph()
    labels = [[f"gpu-{i}-{g}" for g in range(gpus)] for i in range(nodes)]
    for i, row in enumerate(labels):
        graph.add_nodes_from(row, kind="accelerator", forwards=True, part=accelerator, tray=f"node-{i}")
    inside = LinkOptions(link.rate_gbps, length_m=NODE_LENGTH_M, technology="board", cable=node_cable)
    if gpus > 1:
        lines = ((row[g], row[g + 1]) for row in labels for g in range(gpus - 1))
        graph.add_edges_from(lines, **inside.attributes(parts, count=links))
    bundles = [links // lit + (hop <= links % lit) for hop in range(1, lit + 1)]
    for hop, count in enumerate(bundles, start=1):
        ends = ((labels[i][-1], labels[(i + hop) % nodes][0]) for i in range(nodes))
        graph.add_edges_from(ends, **link.attributes(parts, count=count))
    dark = [hop for hop in range(1, k + 1) if hop > lit]
    far = f"fibres to nodes {', '.join(map(str, dark))} away are dark; " if dark else ""
    notes = [f"{far}watts and dollars are those of modules without the switch inside"]
    if gpus > 1:
        notes.append(f"links inside a node are {NODE_LENGTH_M:g} m of {inside.row(parts).name}")
    if lit == 1:  # every accelerator has one neighbour on either side
        dims = (nodes * gpus,)
        return Topology(
            "khop-ring", "khop-ring", {}, graph, parts,
            grid=Grid(dims, (True,)), halves=grid_halves(dims), notes=notes, generators=turns,
        )  # fmt: skip
    tours = _tours(nodes, gpus, bundles)
    return Topology("khop-ring", "khop-ring", {}, graph, parts, tours=tours, notes=notes, generators=turns)


def _tours(nodes: int, gpus: int, bundles: list[int]) -> list[NDArray[np.int64]]:
    """A tour for each distance without a common factor with the number of nodes, as often as its share of the links."""
    hops = [(hop, count) for hop, count in enumerate(bundles, start=1) if gcd(hop, nodes) == 1]
    every = gcd(*(count for _, count in hops))
    order, inner = np.arange(nodes), np.arange(gpus)
    tours = [(order * hop % nodes)[:, None] * gpus + inner for hop, count in hops for _ in range(count // every)]
    return [tour.ravel() for tour in tours]


def turns(topology: Topology) -> Iterator[NDArray[np.int32]]:
    """Every node to the place of the next."""
    first = next(iter(topology.graph))
    size = sum(topology.graph.nodes[n]["tray"] == topology.graph.nodes[first]["tray"] for n in topology.graph)
    yield np.roll(np.arange(len(topology.nodes), dtype=np.int32), -size)
