"""CloudMatrix: a scale-up domain of servers under two layers of switch chips, and the adapters that lead out of it."""

from dataclasses import replace
from math import ceil
from typing import Annotated

import networkx as nx

from topologies.conditions import OnlyWith
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.rack import nvl
from topologies.stages import LeafSpine, Stages, add_stages, leaf_ports, switch_tier

OUT = OnlyWith("scaleout", True)
UB_LAYERS = LeafSpine(
    leaf_hosts=8, uplinks=16, uplink_gbps=224.0, uplink_length_m=20.0, uplink_cable="400g-lpo-ub", spines=16,
    spine_switch="ub-switch-l2",
)  # fmt: skip


def cloudmatrix(
    servers: Annotated[int, "servers, each of leaf_hosts accelerators"] = 48,
    switch: Annotated[str, "catalogue name of the chips in a server, one for each link of an accelerator"] = (
        "ub-switch-l1"
    ),
    cable: Annotated[str, "catalogue name of the links in a server"] = "ub-board",
    stages: LeafSpine = UB_LAYERS,
    scaleout: Annotated[bool, "count the network that leads out of the domain, a leaf-spine of one pod"] = True,
    scaleout_gbps: Annotated[float, "of each accelerator's adapter, which is part of it", OUT] = 400.0,
    scaleout_switch: Annotated[str, "catalogue name of leaves and spines of that network", OUT] = "th4-64x400g",
    scaleout_cable: Annotated[str, "catalogue name of its cable or optic", OUT] = "400g-lpo-ub",
    scaleout_length_m: Annotated[float, "of its links", OUT] = 20.0,
    accelerator: Annotated[str, "catalogue name"] = "ascend-910c",
    *,
    parts: Catalogue,
) -> Topology:
    """Planes of a leaf in every server and spines between servers, one plane for each link of an accelerator.

    CloudMatrix384: 48 servers of 8; seven chips a server, each 8 x 56 GB/s down and 16 x 28 GB/s up; in each plane 16
    chips of 48 ports, one for every server (Zuo et al., arXiv:2506.12708). The scale-out network is in the bill and
    in the links and carries nothing between accelerators of the domain: its switches do not forward.

    >>> from topologies.registry import build
    >>> t = build("cloudmatrix"); len(t.accelerators), t.attribute("part").count("ub-switch-l2")
    (384, 112)
    """
    size = stages.leaf_hosts
    if size is None or servers < 2:
        what = "leaf_hosts is the size of a server" if size is None else "servers = 1 is one switch layer; use nvl"
        raise ConfigError(f"cloudmatrix: {what}; give {'a number' if size is None else 'at least 2'}")
    limit_nodes("cloudmatrix", 2 * servers * size)
    domain = nvl(
        servers * size, layers=2, gpus_per_tray=size, switch=switch, length_m=_length(parts, cable), cable=cable,
        accelerator=accelerator, stages=stages, parts=parts,
    )  # fmt: skip
    if not scaleout:
        return replace(domain, family="cloudmatrix")
    link = LinkOptions(scaleout_gbps, None, scaleout_length_m, cable=scaleout_cable)
    _add_way_out(domain.graph, list(domain.accelerators), scaleout_switch, link, parts)
    said = "the scale-out network is counted and carries nothing inside the domain"
    return replace(domain, family="cloudmatrix", notes=(*domain.notes, said))


def _add_way_out(graph: nx.Graph, hosts: list[object], switch: str, link: LinkOptions, parts: Catalogue) -> None:
    """A leaf-spine on which every accelerator has one link, of switches that lead out of the graph."""
    down, up = leaf_ports(parts, switch, link, Stages())
    leaves = [f"out-{i}" for i in range(ceil(len(hosts) / down))]
    before = set(graph)
    graph.add_nodes_from(leaves, **switch_tier(parts, switch, link).attributes(1))
    graph.add_edges_from(((host, leaves[i // down]) for i, host in enumerate(hosts)), **link.attributes(parts))
    add_stages(graph, leaves, up, switch, link, Stages(), parts, "-out")
    nx.set_node_attributes(graph, {node: False for node in graph if node not in before}, "forwards")


def _length(parts: Catalogue, cable: str) -> float:
    return getattr(parts.get(cable), "length_m", None) or 0.3
