"""Invariants: what every question takes for granted of the graph of a topology."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import networkx as nx

from topologies.errors import TopologyError
from topologies.links import MEDIA
from topologies.parts import Accelerator, Catalogue, Nic, Part, Switch

if TYPE_CHECKING:
    from topologies.graph import Topology

NODE_KINDS = ("accelerator", "switch", "nic", "host")
PART_OF: dict[str, type[Part]] = {"accelerator": Accelerator, "switch": Switch, "nic": Nic}
MAX_NODES = 2**24


def check(topology: "Topology") -> None:
    """Raise TopologyError where the graph breaks what every question takes for granted."""
    graph = topology.graph
    if len(graph) > MAX_NODES:
        raise TopologyError(f"{topology.name} has {len(graph):,} nodes; at most {MAX_NODES:,} are taken")
    for node, attributes in graph.nodes(data=True):
        if attributes.get("kind") not in NODE_KINDS:
            raise TopologyError(f"node {node}: kind {attributes.get('kind')!r} is not one of {', '.join(NODE_KINDS)}")
        _check_part(node, attributes, topology.catalogue)
    for a, b, attributes in graph.edges(data=True):
        count = attributes["count"]
        if a == b:
            raise TopologyError(f"link {a} - {b} joins a node to itself; remove it")
        if count != int(count) or count < 1:
            raise TopologyError(f"link {a} - {b}: count = {count} is not a whole number of links")
        if attributes["medium"] not in MEDIA:
            raise TopologyError(f"link {a} - {b}: medium {attributes['medium']!r} is not one of {', '.join(MEDIA)}")
    if len(topology.accelerators) < 2:
        raise TopologyError(f"{topology.name} has {len(topology.accelerators)} accelerators; a fabric joins at least 2")
    if not nx.is_connected(graph):
        reached = nx.node_connected_component(graph, topology.accelerators[0])
        lost = next(node for node in graph if node not in reached)
        raise TopologyError(
            f"{topology.name} is not connected: nothing joins {topology.accelerators[0]} and {lost}; add a link"
        )


def _check_part(node: Hashable, attributes: Mapping[str, Any], parts: Catalogue) -> None:
    """A switch is a switch of the catalogue, an accelerator an accelerator; an unknown name is the bill's to refuse."""
    needed = PART_OF.get(attributes["kind"])
    row = parts.get(str(attributes.get("part")))
    if needed is not None and row is not None and not isinstance(row, needed):
        raise TopologyError(
            f"node {node}: part '{row.name}' is of kind {row.kind}, the node a {attributes['kind']}; "
            f"give a part of kind {attributes['kind']}, or none"
        )
