"""Dragonfly: groups of routers, every two routers of a group joined, every two groups joined."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Annotated, Literal

import networkx as nx

from topologies.blocks import FIXED, Block, block_generators
from topologies.clos import FABRIC_LINK, NicName, SwitchName, host_nodes
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.routers import as_published
from topologies.stages import Tier, switch_tier

GLOBAL_HOPS = 3  # of a global link to minimal routing: local, global, local is shorter than two global links


def dragonfly(
    p: Annotated[int, "accelerators of a router; a balanced one has a = 2p = 2h"],
    a: Annotated[int, "routers of a group"],
    h: Annotated[int, "global links of a router"],
    g: Annotated[int | None, "groups; a h + 1 by default, the most that one link reaches"] = None,
    arrangement: Annotated[
        Literal["palmtree", "absolute"],
        "which group a global port leads to: palmtree counts down from its own group, absolute up from group 0",
    ] = "palmtree",
    global_technology: Annotated[str, "of the links between groups"] = FABRIC_LINK.technology,
    global_length_m: Annotated[float, "of the links between groups"] = FABRIC_LINK.length_m,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Dragonfly of g = a h + 1 groups, a g routers and a p g hosts (Kim et al., ISCA 2008).

    A router has p + a - 1 + h ports. One link joins every two groups; with fewer groups than a h + 1 as many as fit,
    floor(a h / (g - 1)), and what is left of a group's a h global ports stays free. Arrangements: Camarero et al., ACM
    TACO 2014.

    >>> from topologies.registry import build
    >>> t = build("dragonfly:p=2,a=4,h=2"); len(t.accelerators), t.attribute("kind").count("switch")
    (72, 36)
    """
    most = a * h + 1
    groups = most if g is None else g
    if not 2 <= groups <= most:
        raise ConfigError(f"dragonfly: g = {groups} is not 2 to a h + 1 = {most}; give more routers or global links")
    limit_nodes("dragonfly", groups * a * (p + 1) + groups * (a * (a - 1) + a * h) // 2)
    tier = Tier(switch, p + a - 1 + h) if switch is None else switch_tier(parts, switch, link)
    if p + a - 1 + h > tier.ports:
        raise TopologyError(
            f"dragonfly: p + a - 1 + h = {p + a - 1 + h} ports exceed the {tier.ports} of {switch} at this rate"
        )
    graph = nx.Graph()
    hosts = host_nodes(graph, groups * a * p, accelerator, nic, link.rate_gbps, parts)
    routers = [[f"router-{i}-{j}" for j in range(a)] for i in range(groups)]
    for i, group in enumerate(routers):
        graph.add_nodes_from(((router, {"position": (i, j)}) for j, router in enumerate(group)), **tier.attributes(1))
    flat = [router for group in routers for router in group]
    graph.add_edges_from(((host, flat[i // p]) for i, host in enumerate(hosts)), **link.attributes(parts, nic=nic))
    local = link.attributes(parts)
    for group in routers:
        graph.add_edges_from(combinations(group, 2), **local)
    links = join_groups(
        graph, routers, h, arrangement, link, global_technology, global_length_m, parts, hops=GLOBAL_HOPS
    )
    as_published("dragonfly", "links between groups", links, groups * (groups - 1) // 2 * (a * h // (groups - 1)))
    left = a * h % (groups - 1)
    notes = (f"{left} of the {a * h} global ports of each group stay free",) if left else ()
    below = [[[hosts[(i * a + j) * p + k] for k in range(p)] for j in range(a)] for i in range(groups)]
    blocks = [Block(routers, ("group", FIXED)), Block(below, ("group", FIXED, "host"))]
    moves = partial(block_generators, blocks)  # one place on, palmtrees stay what they are
    return Topology("dragonfly", "dragonfly", {}, graph, parts, notes=notes, generators=moves)


def join_groups(
    graph: nx.Graph,
    routers: Sequence[Sequence[str]],
    h: int,
    arrangement: str,
    link: LinkOptions,
    technology: str,
    length_m: float,
    parts: Catalogue,
    *,
    hops: int = 1,
) -> int:
    """Join the groups by as many links each two as the h global ports of their routers allow; how many there are.

    A link counts for so many `hops` of a path.
    """
    far = replace(link, technology=technology, length_m=length_m, cable=None).attributes(parts)
    far |= {"hops": hops} if hops > 1 else {}
    groups, ports, links = len(routers), len(routers[0]) * h, 0
    for (i, j), (k, m) in _global_links(groups, ports // (groups - 1), arrangement):
        ends = routers[i][j // h], routers[k][m // h]
        count = graph.edges[ends]["count"] + 1 if graph.has_edge(*ends) else 1
        graph.add_edge(*ends, **far | {"count": count})
        links += 1
    return links


def _global_links(groups: int, each: int, arrangement: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Both ends (group, its global port) of every global link, `each` between two groups.

    >>> list(_global_links(3, 1, "palmtree"))
    [((0, 1), (1, 0)), ((0, 0), (2, 1)), ((1, 1), (2, 0))]
    >>> list(_global_links(3, 1, "absolute"))
    [((0, 0), (1, 0)), ((0, 1), (2, 0)), ((1, 1), (2, 1))]
    """
    others = groups - 1
    for copy in range(each):
        first = copy * others
        for low, high in combinations(range(groups), 2):
            if arrangement == "absolute":
                yield (low, first + high - 1), (high, first + low)
            else:
                down = high - low  # port d - 1 leads d groups down
                yield (low, first + groups - down - 1), (high, first + down - 1)
