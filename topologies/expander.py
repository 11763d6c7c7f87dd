"""Expanders: switches joined at random, as a random regular graph or as a lift of a complete graph."""

from collections.abc import Callable
from functools import partial
from itertools import combinations
from random import Random
from typing import Annotated

import networkx as nx

from topologies.clos import NicName, SwitchName, host_nodes
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.stages import Tier, switch_tier

TRIES = 100
Wiring = Callable[[Random], nx.Graph]


def jellyfish(
    n: Annotated[int, "switches"],
    degree: Annotated[int, "links of a switch to other switches"],
    p: Annotated[int, "accelerators of a switch"],
    seed: Annotated[int, "of the random wiring"] = 0,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Random regular graph of switches: n p hosts, n degree / 2 links between switches (Singla et al., NSDI 2012).

    Wired as in section 3 there: join two switches with free ports that are not joined yet, at random, until none are
    left; a switch that then has two free ports takes a random link apart and joins both of its ends. Where n x degree
    is odd one port stays free. Wired again where the graph is not connected.

    >>> from topologies.registry import build
    >>> t = build("jellyfish:n=20,degree=4,p=2"); len(t.accelerators), t.links
    (40, 80)
    """
    if degree >= n:
        raise ConfigError(f"jellyfish: a switch has no {degree} others to join among n = {n}; give degree below n")
    wire = partial(_random_regular, n, degree)
    return _expander("jellyfish", n, degree, p, seed, wire, switch, link, accelerator, nic, parts)


def xpander(
    n: Annotated[int, "switches, a multiple of degree + 1"],
    degree: Annotated[int, "links of a switch to other switches"],
    p: Annotated[int, "accelerators of a switch"],
    seed: Annotated[int, "of the random matchings"] = 0,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Lift of the complete graph on degree + 1 nodes: n p hosts (Valadarsky et al., CoNEXT 2016).

    Meta-node i is the switches i n/(degree+1) and on; a random perfect matching joins every two meta-nodes (section 3
    there), so that the cables between two of them make one bundle. Matched again where the graph is not connected.

    >>> from topologies.registry import build
    >>> t = build("xpander:n=20,degree=4,p=2"); len(t.accelerators), t.links
    (40, 80)
    """
    if n % (degree + 1):
        near = max(1, round(n / (degree + 1))) * (degree + 1)
        raise ConfigError(f"xpander: n = {n} is no multiple of degree + 1 = {degree + 1}; give n = {near}")
    wire = partial(_random_lift, n // (degree + 1), degree + 1)
    return _expander("xpander", n, degree, p, seed, wire, switch, link, accelerator, nic, parts)


def _expander(
    family: str,
    n: int,
    degree: int,
    p: int,
    seed: int,
    wire: Wiring,
    switch: str | None,
    link: LinkOptions,
    accelerator: str,
    nic: str | None,
    parts: Catalogue,
) -> Topology:
    """The switches wired at random, connected, each with p accelerators in rank order."""
    if n * p < 2:
        raise ConfigError(f"{family}: n = {n} with p = {p} joins nothing; give at least 2 accelerators")
    limit_nodes(family, n * (p + 1) + n * degree // 2)
    tier = Tier(switch, degree + p) if switch is None else switch_tier(parts, switch, link)
    if degree + p > tier.ports:
        raise TopologyError(
            f"{family}: degree {degree} and p = {p} exceed the {tier.ports} ports of {switch} at this rate"
        )
    wiring = _wired(family, n * degree // 2, wire, Random(seed))
    graph = nx.Graph()
    hosts = host_nodes(graph, n * p, accelerator, nic, link.rate_gbps, parts)
    graph.add_nodes_from((f"switch-{i}" for i in range(n)), **tier.attributes(1))
    graph.add_edges_from(((h, f"switch-{i // p}") for i, h in enumerate(hosts)), **link.attributes(parts, nic=nic))
    ends = sorted((min(pair), max(pair)) for pair in wiring.edges)
    graph.add_edges_from(((f"switch-{a}", f"switch-{b}") for a, b in ends), **link.attributes(parts))
    return Topology(family, family, {}, graph, parts)


def _wired(family: str, links: int, wire: Wiring, random: Random) -> nx.Graph:
    """The first wiring that is connected and has all its links."""
    for _ in range(TRIES):
        graph = wire(random)
        if graph.number_of_edges() == links and nx.is_connected(graph):
            return graph
    raise TopologyError(f"{family}: none of {TRIES} random wirings is connected; give a larger degree or another seed")


def _random_regular(n: int, degree: int, random: Random) -> nx.Graph:
    graph = nx.empty_graph(n)
    free = dict.fromkeys(range(n), degree)
    pool = list(free)  # switches with free ports
    while len(pool) > 1:
        a, b = pool[random.randrange(len(pool))], pool[random.randrange(len(pool))]
        if a == b or graph.has_edge(a, b):
            if len(pool) <= degree + 1 and nx.density(graph.subgraph(pool)) == 1:
                break  # all that have ports left are joined to each other
            continue
        graph.add_edge(a, b)
        for end in (a, b):
            free[end] -= 1
            if not free[end]:
                pool.remove(end)
    for a in pool:
        for b in pool:
            _take_apart(graph, a, b, free, random)
    return graph


def _take_apart(graph: nx.Graph, a: int, b: int, free: dict[int, int], random: Random) -> None:
    """Put a's and b's free ports, two of a alone or one of each, into links x - y that join neither: a - x, b - y."""
    while min(free[a], free[b]) > (a == b):
        apart = [
            ends
            for x, y in graph.edges
            for ends in ((x, y), (y, x))
            if not {x, y} & {a, b} and not graph.has_edge(a, ends[0]) and not graph.has_edge(b, ends[1])
        ]
        if not apart:
            return
        x, y = apart[random.randrange(len(apart))]
        graph.remove_edge(x, y)
        graph.add_edges_from([(a, x), (b, y)])
        free[a] -= 1
        free[b] -= 1


def _random_lift(copies: int, nodes: int, random: Random) -> nx.Graph:
    graph = nx.empty_graph(copies * nodes)
    for i, j in combinations(range(nodes), 2):
        order = list(range(copies))
        random.shuffle(order)
        graph.add_edges_from((i * copies + k, j * copies + order[k]) for k in range(copies))
    return graph
