"""Servers that forward: the end points of server-centric families, and the small switches between them."""

import networkx as nx

from topologies.errors import TopologyError
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue
from topologies.stages import Tier, switch_tier


def add_servers(graph: nx.Graph, servers: int, accelerator: str, parts: Catalogue) -> list[str]:
    """Add so many accelerators that forward; their labels in rank order."""
    parts.part(accelerator, Accelerator)
    labels = [f"acc-{i}" for i in range(servers)]
    graph.add_nodes_from(labels, kind="accelerator", forwards=True, part=accelerator)
    return labels


def server_switches(family: str, n: int, switch: str | None, link: LinkOptions, parts: Catalogue) -> Tier:
    """What a switch of n servers is; TopologyError where its ports do not suffice."""
    tier = Tier(switch, n) if switch is None else switch_tier(parts, switch, link)
    if n > tier.ports:
        raise TopologyError(f"{family}: n = {n} servers exceed the {tier.ports} ports of {switch} at this rate")
    return tier
