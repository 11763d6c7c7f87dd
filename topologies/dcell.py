"""DCell: small stars of servers, every two cells of a level joined by one link between servers."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Annotated

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.clos import SwitchName
from topologies.errors import ConfigError
from topologies.graph import COUNTED, Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.routers import as_published
from topologies.server_centric import add_servers, server_switches


def dcell(
    n: Annotated[int, "servers of a switch"],
    k: Annotated[int, "levels above the lowest: a server has k + 1 ports"],
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """DCell_k of t_k = t_(k-1) (t_(k-1) + 1) servers, t_0 = n, which forward (Guo et al., SIGCOMM 2008, section 3).

    A DCell_0 is n servers on a switch. A DCell_l is t_(l-1) + 1 cells of the level below, every two joined by one link:
    server j - 1 of cell i with server i of cell j, where i < j. No closed form of the bisection is known.

    >>> from topologies.registry import build
    >>> t = build("dcell:n=4,k=1"); len(t.accelerators), t.attribute("kind").count("switch"), t.links
    (20, 5, 30)
    """
    if n < 2:
        raise ConfigError("dcell: n = 1 joins nothing; give at least 2 servers a switch")
    sizes = cell_sizes(n, k)
    limit_nodes("dcell", sizes[-1] + sizes[-1] // n, sizes[-1] + k * sizes[-1] // 2)
    servers = sizes[-1]
    graph = nx.Graph()
    labels = add_servers(graph, servers, accelerator, parts)
    tier = server_switches("dcell", n, switch, link, parts)
    attributes = link.attributes(parts)
    stars = [f"switch-{i}" for i in range(servers // n)]
    graph.add_nodes_from(stars, **tier.attributes(1))
    graph.add_edges_from(((label, stars[i // n]) for i, label in enumerate(labels)), **attributes)
    cell = sizes[k - 1]  # servers of each of the largest cells inside
    places = {label: (i // cell, i % cell) for i, label in enumerate(labels)}
    places |= {star: (i * n // cell, cell + i % (cell // n)) for i, star in enumerate(stars)}
    nx.set_node_attributes(graph, places, "position")
    for inner, whole in pairwise(sizes):
        first, second = _ends(inner)
        for start in range(0, servers, whole):
            pairs = zip((start + first).tolist(), (start + second).tolist(), strict=True)
            graph.add_edges_from(((labels[a], labels[b]) for a, b in pairs), **attributes)
    as_published("dcell", "links", graph.number_of_edges(), servers + k * servers // 2)
    moves = partial(_moves, n) if k == 1 else _reversal
    return Topology("dcell", "dcell", {}, graph, parts, generators=moves)


def cell_sizes(n: int, k: int) -> list[int]:
    """Servers of a DCell of each level up to k; the first far above what is built ends the list.

    >>> cell_sizes(6, 3)
    [6, 42, 1806, 3263442]
    """
    sizes = [n]
    while len(sizes) <= k and sizes[-1] <= COUNTED:
        sizes.append(sizes[-1] * (sizes[-1] + 1))
    return sizes


def _ends(inner: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both servers of every link between the inner + 1 cells of one cell."""
    i, j = np.triu_indices(inner + 1, 1)
    return i * inner + j - 1, j * inner + i


def _reversal(topology: Topology) -> Iterator[NDArray[np.int32]]:
    """Servers and stars in reverse order: cell i and its server j - 1 become cell I - i and its server I - j, at every
    level of I + 1 cells, so that links stay links. Above level 1 nothing else does: colour refinement of n = 2 to 5
    leaves pairs.
    """
    servers = len(topology.accelerators)
    order = np.arange(len(topology.nodes), dtype=np.int32)
    yield np.concatenate([order[:servers][::-1], order[servers:][::-1]])


def _moves(n: int, topology: Topology) -> Iterator[NDArray[np.int32]]:
    """A DCell_1 is its pairs of cells, which any permutation keeps: the cells one place on; two of them swapped."""
    cells = n + 1
    i, u = np.arange(cells * n) // n, np.arange(cells * n) % n
    j = u + (u >= i)  # server u of cell i leads to cell j
    swapped = np.arange(cells)
    swapped[:2] = 1, 0
    for move in (np.roll(np.arange(cells), -1), swapped):
        there, towards = move[i], move[j]
        servers = there * n + towards - (towards > there)
        yield np.concatenate([servers, cells * n + move]).astype(np.int32)
