"""Dragonfly+: groups of leaves and spines, every two groups joined between their spines."""

from functools import partial
from typing import Annotated

import networkx as nx

from topologies.blocks import Block, block_generators
from topologies.clos import FABRIC_LINK, NicName, SwitchName, host_nodes
from topologies.dragonfly import join_groups
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.routers import as_published
from topologies.stages import Tier, switch_tier


def dragonfly_plus(
    p: Annotated[int, "accelerators of a leaf"],
    l: Annotated[int, "leaves of a group"],  # noqa: E741
    s: Annotated[int, "spines of a group"],
    h: Annotated[int, "global links of a spine"],
    g: Annotated[int | None, "groups; s h + 1 by default, the most that one link reaches"] = None,
    global_technology: Annotated[str, "of the links between groups"] = FABRIC_LINK.technology,
    global_length_m: Annotated[float, "of the links between groups"] = FABRIC_LINK.length_m,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Dragonfly+ or Megafly of g groups, g l p hosts and g (l + s) routers (Shpiner et al., HiPINEB 2017; Flajslik et
    al., ISC 2018).

    In a group every leaf is joined to every spine; a leaf has p + s ports, a spine l + h. One link joins every two
    groups; with fewer than s h + 1 groups as many as fit, floor(s h / (g - 1)), and what is left of a group's s h
    global ports stays free. Two leaves are at most leaf - spine - spine - leaf, three links, apart. Global ports count
    down from their own group (a palmtree), which keeps all groups alike.

    >>> from topologies.registry import build
    >>> t = build("dragonfly-plus:p=2,l=2,s=2,h=2"); len(t.accelerators), t.attribute("kind").count("switch"), t.links
    (20, 20, 50)
    """
    most = s * h + 1
    groups = most if g is None else g
    if not 2 <= groups <= most:
        raise ConfigError(f"dragonfly-plus: g = {groups} is not 2 to s h + 1 = {most}; give more global ports")
    limit_nodes("dragonfly-plus", groups * (l * (p + 1) + s), groups * (l * p + s * (l + h)))
    tier = Tier(switch, max(p + s, l + h)) if switch is None else switch_tier(parts, switch, link)
    if max(p + s, l + h) > tier.ports:
        raise TopologyError(
            f"dragonfly-plus: p + s = {p + s} ports of a leaf, l + h = {l + h} of a spine exceed the {tier.ports} of "
            f"{switch} at this rate"
        )
    graph = nx.Graph()
    hosts = host_nodes(graph, groups * l * p, accelerator, nic, link.rate_gbps, parts)
    leaves = [[f"leaf-{i}-{j}" for j in range(l)] for i in range(groups)]
    spines = [[f"spine-{i}-{j}" for j in range(s)] for i in range(groups)]
    local = link.attributes(parts)
    for i, (low, high) in enumerate(zip(leaves, spines, strict=True)):
        graph.add_nodes_from(((leaf, {"position": (i, j)}) for j, leaf in enumerate(low)), **tier.attributes(1))
        graph.add_nodes_from(((spine, {"position": (i, l + j)}) for j, spine in enumerate(high)), **tier.attributes(2))
        graph.add_edges_from(((a, b) for a in low for b in high), **local)
    flat = [leaf for group in leaves for leaf in group]
    graph.add_edges_from(((host, flat[i // p]) for i, host in enumerate(hosts)), **link.attributes(parts, nic=nic))
    links = join_groups(graph, spines, h, "palmtree", link, global_technology, global_length_m, parts)
    as_published("dragonfly-plus", "links between groups", links, groups * (groups - 1) // 2 * (s * h // (groups - 1)))
    left = s * h % (groups - 1)
    notes = (f"{left} of the {s * h} global ports of each group stay free",) if left else ()
    below = [[[f"acc-{(i * l + j) * p + k}" for k in range(p)] for j in range(l)] for i in range(groups)]
    blocks = [Block(leaves, ("group", "leaf")), Block(below, ("group", "leaf", "host")), Block(spines, ("group", ""))]
    moves = partial(block_generators, blocks)
    return Topology("dragonfly-plus", "dragonfly-plus", {}, graph, parts, notes=notes, generators=moves)
