"""BCube: servers with several ports, one switch for all servers that differ in one digit."""

from functools import partial
from typing import Annotated

import networkx as nx
import numpy as np

from topologies.blocks import Block, block_generators
from topologies.clos import SwitchName
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.routers import as_published
from topologies.server_centric import add_servers, server_switches


def bcube(
    n: Annotated[int, "servers of a switch"],
    k: Annotated[int, "levels above the lowest: a server has k + 1 ports"],
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """BCube_k of n^(k+1) servers, which forward, and (k + 1) n^k switches of n ports (Guo et al., SIGCOMM 2009).

    A server is a number of k + 1 digits to the base n; the switches of level l join those that differ in digit l only.
    Two servers are at most 2 (k + 1) links apart. No closed form of the bisection is known for n above 4: halves along
    a digit cut n^(k+1)/2 links, and blocks of servers can be parted from the rest by fewer.

    >>> from topologies.registry import build
    >>> t = build("bcube:n=4,k=1"); len(t.accelerators), t.attribute("kind").count("switch"), t.links
    (16, 8, 32)
    """
    if n < 2:
        raise ConfigError("bcube: n = 1 joins nothing; give at least 2 servers a switch")
    limit_nodes("bcube", _power(n, k + 1) + (k + 1) * _power(n, k), (k + 1) * _power(n, k + 1))
    servers, per_level = n ** (k + 1), n**k
    graph = nx.Graph()
    labels = add_servers(graph, servers, accelerator, parts)
    switches = [[f"switch-{level}-{i}" for i in range(per_level)] for level in range(k + 1)]
    tier = server_switches("bcube", n, switch, link, parts)
    attributes = link.attributes(parts)
    shape, digits = (n,) * (k + 1), tuple(f"digit {level}" for level in range(k, -1, -1))
    blocks = [Block(np.array(labels, dtype=object).reshape(shape), digits)]
    ranks = np.arange(servers)
    for level, row in enumerate(switches):
        graph.add_nodes_from(row, **tier.attributes(level + 1))
        low = ranks % n**level
        mine = ranks // n ** (level + 1) * n**level + low
        graph.add_edges_from(zip(labels, (row[i] for i in mine.tolist()), strict=True), **attributes)
        others = tuple(name for name in digits if name != f"digit {level}")
        blocks.append(Block(np.array(row, dtype=object).reshape((n,) * k), others))
    as_published("bcube", "links", graph.number_of_edges(), (k + 1) * n ** (k + 1))
    return Topology("bcube", "bcube", {}, graph, parts, generators=partial(block_generators, blocks))


def _power(n: int, exponent: int) -> int:
    """n to a power, one far above what is built where the power itself would take long."""
    return int(n ** min(exponent, 64))
