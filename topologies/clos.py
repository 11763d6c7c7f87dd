"""Folded Clos networks: one switch, leaf-spine, leaf-spine-core, and the k-ary fat tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Annotated

import networkx as nx

from topologies.blocks import Block, Tiers, block_generators, tier_blocks
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, Nic, Switch

SwitchName = Annotated[str | None, "catalogue name; none: an ideal switch without watts or price"]
NicName = Annotated[str | None, "catalogue name of the adapter of each accelerator"]
FABRIC_LINK = LinkOptions(length_m=30.0, technology="pluggable")


@dataclass(frozen=True, slots=True)
class Tier:
    """One stage of switches: what a node of it is, and how many ports it has at the link's rate."""

    part: str | None
    ports: int

    def attributes(self, tier: int) -> dict[str, object]:
        """Node attributes of a switch in this tier."""
        return {"kind": "switch", "forwards": True, "part": self.part, "tier": tier}


def switch_tier(parts: Catalogue, name: str, link: LinkOptions) -> Tier:
    """A tier of that switch at the link's rate."""
    return Tier(name, parts.part(name, Switch).ports(link.rate_gbps))


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
    tiers: Annotated[int | None, "stages of switches, 1 to 3; as few as fit by default"] = None,
    oversubscription: Annotated[float, "downlinks over uplinks of a leaf"] = 1.0,
    planes: Annotated[int, "parallel networks, each at rate/planes"] = 1,
    switch: Annotated[str, "catalogue name; its ASIC sets the radix"] = "qm9700",
    link: LinkOptions = FABRIC_LINK,
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Folded Clos of one, two or three tiers, with as many ports a switch as the ASIC gives at rate/planes.

    >>> from topologies.registry import build
    >>> t = build("clos:hosts=2048,switch=qm9700"); len(t.nodes) - len(t.accelerators)
    96
    """
    lane = plane_link(link, planes)
    tier = switch_tier(parts, switch, lane)
    down, up = leaf_split(tier.ports, oversubscription)
    if hosts < 2:
        raise ConfigError("clos: hosts = 1 joins nothing; give at least 2")
    alone = tiers == 1 or (tiers is None and hosts <= tier.ports)
    if alone and hosts > tier.ports:
        raise TopologyError(f"clos: {hosts} hosts exceed the {tier.ports} ports of one {switch}; use tiers=2")
    if alone and oversubscription != 1:
        raise ConfigError("clos: oversubscription has no effect on a single switch; leave it out or give tiers=2")
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
        if alone:
            copies.append(Tiers([leaves]))
        else:
            copies.append(add_tiers(graph, leaves, up, tier, lane, parts, tiers=tiers, suffix=suffix))
    notes = () if alone else taper(down, up, oversubscription)
    moves = partial(block_generators, tier_blocks(copies, ("plane",), hosts_below(labels, size)))
    return Topology("clos", "clos", {}, graph, parts, notes=notes, generators=moves)


def adapter(parts: Catalogue, name: str, rate_gbps: float) -> str:
    """The adapter's name; ConfigError where it is slower than what the fabric gives its accelerator."""
    row = parts.part(name, Nic)
    if row.rate_gbps < rate_gbps:
        raise ConfigError(
            f"adapter '{name}' carries {row.rate_gbps:g} Gb/s, the fabric {rate_gbps:g} Gb/s; name another nic"
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


def plane_link(link: LinkOptions, planes: int) -> LinkOptions:
    """The link of one of several planes: the same at rate/planes."""
    from dataclasses import replace

    return replace(link, rate_gbps=link.rate_gbps / planes) if planes > 1 else link


def leaf_split(ports: int, oversubscription: float) -> tuple[int, int]:
    """Ports down and up of a leaf: as many down as the oversubscription lets its uplinks carry.

    >>> leaf_split(64, 1), leaf_split(64, 3)
    ((32, 32), (48, 16))
    """
    down = int(ports * oversubscription / (1 + oversubscription) + 1e-9)
    up = ceil(down / oversubscription - 1e-9)
    if down < 1 or up < 1 or down + up > ports:
        raise TopologyError(f"a leaf of {ports} ports cannot be split {oversubscription:g}:1; use a larger switch")
    return down, up


def taper(down: int, up: int, asked: float) -> tuple[str, ...]:
    """A note where a leaf's ports do not split as asked."""
    return () if abs(down / up - asked) < 1e-9 else (f"leaves have {down} ports down and {up} up, {down / up:.4g}:1",)


def add_tiers(
    graph: nx.Graph,
    leaves: Sequence[str],
    uplinks: int,
    tier: Tier,
    link: LinkOptions,
    parts: Catalogue,
    *,
    tiers: int | None = None,
    suffix: str = "",
) -> Tiers:
    """Put the least spines, and cores where spines do not reach, above leaves with `uplinks` each.

    Nothing is oversubscribed here. Two tiers: every leaf reaches every spine. Three: leaves and spines form pods of
    ports/2 leaves; spine j of every pod reaches the cores of group j. TopologyError where the ports do not suffice.
    """
    if tiers == 1:
        raise ConfigError(f"tiers = 1 is not 2 or 3, which it takes to join {len(leaves)} leaves")
    if tiers is not None and tiers not in (2, 3):
        raise ConfigError(f"tiers = {tiers} is not 1, 2 or 3")
    if tiers == 3 or (tiers is None and len(leaves) > tier.ports):
        return _add_pods(graph, leaves, uplinks, tier, link, parts, suffix)
    if len(leaves) > tier.ports:
        raise TopologyError(
            f"{len(leaves)} leaves exceed the {tier.ports} ports of a spine; use tiers=3 or a larger switch"
        )
    spines = [f"spine-{j}{suffix}" for j in range(_least_spines(len(leaves), uplinks, tier.ports))]
    graph.add_nodes_from(spines, **tier.attributes(2))
    join(graph, leaves, spines, uplinks, link, parts)
    return Tiers([leaves], [spines])


def _add_pods(
    graph: nx.Graph,
    leaves: Sequence[str],
    uplinks: int,
    tier: Tier,
    link: LinkOptions,
    parts: Catalogue,
    suffix: str,
) -> Tiers:
    size = tier.ports // 2
    count = ceil(len(leaves) / size)
    bounds = [round(len(leaves) * i / count) for i in range(count + 1)]
    pods = [leaves[a:b] for a, b in pairwise(bounds)]
    if len(pods) > tier.ports:
        raise TopologyError(f"{len(pods)} pods exceed the {tier.ports} ports of a core switch; use a larger switch")
    spread = ceil(uplinks * max(len(p) for p in pods) / size)  # spines a pod needs
    spines_of = [[f"spine-{p}-{j}{suffix}" for j in range(spread)] for p in range(len(pods))]
    for pod, spines in zip(pods, spines_of, strict=True):
        graph.add_nodes_from(spines, **tier.attributes(2))
        join(graph, pod, spines, uplinks, link, parts)
    ups = ceil(uplinks * max(len(p) for p in pods) / spread)
    group = ceil(len(pods) * ups / tier.ports)
    group = next(g for g in range(group, ups + 1) if len(pods) * ceil(ups / g) <= tier.ports)
    cores_of = [[f"core-{j}-{c}{suffix}" for c in range(group)] for j in range(spread)]
    for j, cores in enumerate(cores_of):
        graph.add_nodes_from(cores, **tier.attributes(3))
        join(graph, [spines[j] for spines in spines_of], cores, ups, link, parts)
    return Tiers(pods, spines_of, cores_of)


def _least_spines(leaves: int, uplinks: int, ports: int) -> int:
    """The fewest spines, each leaf's links spread evenly over them within one link.

    >>> _least_spines(16, 32, 64), _least_spines(128, 64, 128)
    (8, 64)
    """
    first = ceil(leaves * uplinks / ports)
    for spines in range(first, uplinks + 1):
        if uplinks % spines == 0 and leaves * (uplinks // spines) <= ports:
            return spines
    return first


def join(
    graph: nx.Graph,
    lower: Sequence[str],
    upper: Sequence[str],
    links: int,
    link: LinkOptions,
    parts: Catalogue,
) -> None:
    """`links` links from every lower to the upper nodes, spread within one of each other, the odd ones going round."""
    attributes = link.attributes(parts)
    base, odd = divmod(links, len(upper))
    by_count: dict[int, list[tuple[str, str]]] = {}
    for i, a in enumerate(lower):
        extra = {(i * odd + k) % len(upper) for k in range(odd)}
        for j, b in enumerate(upper):
            count = base + (j in extra)
            if count:
                by_count.setdefault(count, []).append((a, b))
    for count, edges in by_count.items():
        graph.add_edges_from(edges, **{**attributes, "count": count})


def _fits(family: str, needed: int, tier: Tier, what: str) -> None:
    if needed > tier.ports:
        raise TopologyError(f"{family}: {what} exceed the {tier.ports} ports of {tier.part} at this rate")
