"""Routers with end points: switches joined to each other in any way, each with as many accelerators."""

from collections.abc import Callable, Iterator, Sequence

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.clos import host_nodes
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.stages import Tier, switch_tier

Moves = Callable[[Topology], Iterator[NDArray[np.int32]]]


def add_routers(
    graph: nx.Graph,
    family: str,
    labels: Sequence[str],
    p: int,
    degree: int,
    switch: str | None,
    link: LinkOptions,
    accelerator: str,
    nic: str | None,
    parts: Catalogue,
) -> list[str]:
    """Add p accelerators a router in rank order, then the routers, and the links between them; the accelerators.

    `degree` is the most links of a router to others; ConfigError where fewer than two accelerators are joined,
    TopologyError where the ports of the switch do not suffice.
    """
    if len(labels) * p < 2:
        raise ConfigError(f"{family}: {len(labels)} routers with {p} joins nothing; give at least 2 accelerators")
    tier = Tier(switch, degree + p) if switch is None else switch_tier(parts, switch, link)
    if degree + p > tier.ports:
        raise TopologyError(
            f"{family}: {degree} links to routers and {p} to accelerators exceed the {tier.ports} ports of {switch} "
            "at this rate; use a larger switch"
        )
    hosts = host_nodes(graph, len(labels) * p, accelerator, nic, link.rate_gbps, parts)
    graph.add_nodes_from(labels, **tier.attributes(1))
    graph.add_edges_from(((host, labels[i // p]) for i, host in enumerate(hosts)), **link.attributes(parts, nic=nic))
    return hosts


def router_generators(p: int, moves: Callable[[], Iterator[NDArray[np.int64]]]) -> Moves:
    """Generators of a topology of accelerators, p a router in rank order, and routers after them: each permutation of
    the routers, its accelerators in tow.

    >>> move = router_generators(2, lambda: iter([np.array([1, 0])]))
    >>> next(move(None)).tolist()  # acc 0, 1 at router 4; acc 2, 3 at router 5
    [2, 3, 0, 1, 5, 4]
    """

    def proposed(topology: Topology) -> Iterator[NDArray[np.int32]]:
        for image in moves():
            hosts = image[:, None] * p + np.arange(p)
            yield np.concatenate([hosts.ravel(), len(image) * p + image]).astype(np.int32)

    return proposed


def balanced(degree: int) -> int:
    """End points of a router that has so many links to others: half as many, rounded up (Besta and Hoefler, SC 2014).

    >>> balanced(7), balanced(12)
    (4, 6)
    """
    return -(-degree // 2)


def as_published(family: str, what: str, built: int, formula: int) -> None:
    """Raise TopologyError where a build does not have as many of something as its paper's formula says."""
    if built != formula:
        raise TopologyError(f"{family}: {built:,} {what} were built where the published count is {formula:,}")
