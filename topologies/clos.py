"""Folded Clos networks: one switch, leaf-spine, leaf-spine-core, and the k-ary fat tree."""

from collections.abc import Sequence
from functools import partial
from math import ceil
from typing import Annotated

import networkx as nx

from topologies.blocks import Block, Tiers, block_generators, tier_blocks
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, Nic
from topologies.stages import (
    Stages,
    Tier,
    add_stages,
    add_tiers,
    leaf_notes,
    leaf_ports,
    plane_link,
    switch_tier,
)

SwitchName = Annotated[str | None, "catalogue name; none: an ideal switch without watts or price"]
NicName = Annotated[str | None, "catalogue name of the adapter of each accelerator"]
FABRIC_LINK = LinkOptions(length_m=30.0, technology="pluggable")


def switch(
    n: Annotated[int, "accelerators"],
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Accelerators on one packet switch; ideal unless a catalogue name is given.

    Source: by definition, a star.

    >>> from topologies.registry import build
    >>> build("switch:n=64,switch=qm9700").links
    64
    """
    if n < 2:
        raise ConfigError("switch: n = 1 joins nothing; give at least 2")
    limit_nodes("switch", n + 1)
    if switch is not None:
        _fits("switch", n, switch_tier(parts, switch, link), f"{n} accelerators")
    graph = nx.Graph()
    hosts = host_nodes(graph, n, accelerator, nic, link.rate_gbps, parts)
    graph.add_node("switch", **Tier(switch, n).attributes(1))
    graph.add_edges_from(((h, "switch") for h in hosts), **link.attributes(parts, nic=nic))
    moves = partial(block_generators, [Block(hosts, ("host",))])
    return Topology("switch", "switch", {}, graph, parts, generators=moves)


def fat_tree(
    k: Annotated[int, "ports of every switch, even"],
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """k-ary three-tier fat tree: k^3/4 hosts, 5 k^2/4 switches (Al-Fares et al., SIGCOMM 2008, section 3).

    >>> from topologies.registry import build
    >>> t = build("fat-tree:k=4"); len(t.accelerators), len(t.nodes) - len(t.accelerators)
    (16, 20)
    """
    if k % 2 or k < 2:
        raise ConfigError(f"fat-tree: k = {k} is odd; give an even number of ports")
    half = k // 2
    limit_nodes("fat-tree", k * half * half + 5 * half * half)
    if switch is not None:
        _fits("fat-tree", k, switch_tier(parts, switch, link), f"k = {k} ports")
    graph = nx.Graph()
    hosts = host_nodes(graph, k * half * half, accelerator, nic, link.rate_gbps, parts)
    tier = Tier(switch, k)
    leaves = [f"leaf-{i}" for i in range(k * half)]
    graph.add_nodes_from(leaves, **tier.attributes(1))
    graph.add_edges_from(((h, leaves[i // half]) for i, h in enumerate(hosts)), **link.attributes(parts, nic=nic))
    tiers = add_tiers(graph, leaves, half, tier, link, parts, tiers=3)
    moves = partial(block_generators, tier_blocks(tiers, (), hosts_below(hosts, half)))
    return Topology("fat-tree", "fat-tree", {}, graph, parts, generators=moves)


def clos(
    hosts: Annotated[int, "accelerators"],
    planes: Annotated[int, "parallel networks, each at rate/planes"] = 1,
    switch: Annotated[str, "catalogue name; its ASIC sets the radix"] = "qm9700",
    stages: Stages = Stages(),
    link: LinkOptions = FABRIC_LINK,
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Folded Clos of one, two or three tiers, with as many ports a switch as the ASIC gives at rate/planes.

    Source: Clos, Bell System Technical Journal, 1953, folded; as few spines and cores as the ports allow.

    >>> from topologies.registry import build
    >>> t = build("clos:hosts=2048,switch=qm9700"); len(t.nodes) - len(t.accelerators)
    96
    """
    lane = plane_link(link, planes)
    tier = switch_tier(parts, switch, lane)
    if hosts < 2:
        raise ConfigError("clos: hosts = 1 joins nothing; give at least 2")
    down, up = leaf_ports(parts, switch, lane, stages)
    alone = stages.tiers == 1 or (stages.tiers is None and hosts <= tier.ports and stages.leaf_hosts is None)
    if alone and hosts > tier.ports:
        raise TopologyError(f"clos: {hosts} hosts exceed the {tier.ports} ports of one {switch}; use tiers=2")
    if alone:
        stages.refuse_idle("clos", "on a single switch; leave it out or give tiers=2", besides=("tiers",))
    limit_nodes("clos", hosts + planes * 3 * ceil(hosts / down))
    graph = nx.Graph()
    labels = host_nodes(graph, hosts, accelerator, nic, link.rate_gbps, parts)
    size = tier.ports if alone else down
    copies = []
    for plane in range(planes):
        suffix = f"-p{plane}" if planes > 1 else ""
        leaves = [f"leaf-{i}{suffix}" for i in range(ceil(hosts / size))]
        graph.add_nodes_from(leaves, **tier.attributes(1))
        edges = ((h, leaves[i // size]) for i, h in enumerate(labels))
        graph.add_edges_from(edges, **lane.attributes(parts, nic=nic))
        copies.append(Tiers([leaves]) if alone else add_stages(graph, leaves, up, switch, lane, stages, parts, suffix))
    notes = () if alone else leaf_notes(lane, stages, (down, up))
    moves = partial(block_generators, tier_blocks(copies, ("plane",), hosts_below(labels, size)))
    return Topology("clos", "clos", {}, graph, parts, notes=notes, generators=moves)


def adapter(parts: Catalogue, name: str, rate_gbps: float) -> str:
    """The adapter's name; ConfigError where it is slower than what the fabric gives its accelerator."""
    row = parts.part(name, Nic)
    if row.rate_gbps < rate_gbps:
        fast = [one for one in parts.of_kind(Nic) if one.rate_gbps >= rate_gbps]
        least = min((one.rate_gbps for one in fast), default=0.0)
        choice = ", ".join(f"nic={one.name}" for one in fast if one.rate_gbps == least)
        raise ConfigError(
            f"adapter '{name}' carries {row.rate_gbps:g} Gb/s, the fabric {rate_gbps:g} Gb/s; "
            + (f"name another: {choice}" if choice else "none in the catalogue is as fast; add one with --parts FILE")
        )
    return row.name


def host_nodes(
    graph: nx.Graph, n: int, accelerator: str, nic: str | None, rate_gbps: float, parts: Catalogue
) -> list[str]:
    """Add n accelerators, each with its adapter; their labels in rank order."""
    parts.part(accelerator, Accelerator)
    attributes: dict[str, object] = {"kind": "accelerator", "forwards": False, "part": accelerator}
    if nic is not None:
        attributes["parts"] = {adapter(parts, nic, rate_gbps): 1}
    labels = [f"acc-{i}" for i in range(n)]
    graph.add_nodes_from(labels, **attributes)
    return labels


def hosts_below(hosts: Sequence[str], size: int) -> list[list[Block]]:
    """The hosts under each leaf, which takes as many as `size`."""
    return [[Block(hosts[i : i + size], ("host",))] for i in range(0, len(hosts), size)]


def _fits(family: str, needed: int, tier: Tier, what: str) -> None:
    if needed > tier.ports:
        raise TopologyError(f"{family}: {what} exceed the {tier.ports} ports of {tier.part} at this rate")
