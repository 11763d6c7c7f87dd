"""Every pair joined: the full mesh of accelerators."""

from functools import partial
from itertools import combinations
from typing import Annotated

import networkx as nx

from topologies.blocks import Block, block_generators
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue


def full_mesh(
    n: Annotated[int, "accelerators"],
    links: Annotated[int, "parallel links of a pair"] = 1,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """Links between every two accelerators (MI300X in a server: n=8; Gaudi 3: n=8,links=3).

    Source: by definition, the complete graph.

    >>> from topologies.registry import build
    >>> build("full-mesh:n=8").links
    28
    """
    if n < 2:
        raise ConfigError("full-mesh: n = 1 joins nothing; give at least 2")
    limit_nodes("full-mesh", n * (n - 1) // 2)
    parts.part(accelerator, Accelerator)
    graph = nx.Graph()
    labels = [f"acc-{i}" for i in range(n)]
    graph.add_nodes_from(labels, kind="accelerator", forwards=True, part=accelerator)
    graph.add_edges_from(combinations(labels, 2), **link.attributes(parts, count=links))
    moves = partial(block_generators, [Block(labels, ("accelerator",))])
    return Topology("full-mesh", "full-mesh", {}, graph, parts, generators=moves)
