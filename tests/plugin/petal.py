"""A family that another distribution brings."""

from typing import Annotated

import networkx as nx


def petal(n: Annotated[int, "petals"], rate_gbps: Annotated[float, "of one link"] = 200.0) -> nx.Graph:
    """A wheel without its rim: a hub and n petals.

    Source: a garden, 2026.
    """
    graph = nx.star_graph(n)
    nx.set_edge_attributes(graph, rate_gbps, "rate_gbps")
    return graph
