"""A NetworkX graph as the arrays that kernels take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Network:
    """CSR arrays, the graph they came from, and where each arc landed."""

    graph: nx.Graph
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weight: NDArray[np.float64]
    twin: NDArray[np.int32]
    forwards: NDArray[np.uint8]
    latency: NDArray[np.float64]
    node_latency: NDArray[np.float64]
    arc: dict[tuple[int, int], int]

    def routed(self) -> tuple[NDArray[Any], ...]:
        """The first seven arguments of ecmp_loads."""
        return (
            self.indptr, self.indices, self.weight, self.twin, self.forwards, self.latency, self.node_latency,
        )  # fmt: skip

    def between(self, s: int, d: int) -> nx.Graph:
        """What a path from s to d may use."""
        return self.graph.subgraph([v for v in self.graph if self.forwards[v] or v in (s, d)])


def compile_network(graph: nx.Graph) -> Network:
    """Node keys forwards, latency; edge keys count, latency, and back: the latency of the arc downward."""
    arcs = sorted([(u, v) for u, v in graph.edges] + [(v, u) for u, v in graph.edges])
    arc = {pair: position for position, pair in enumerate(arcs)}
    tails = np.array([u for u, _ in arcs], np.int64)
    nodes = [graph.nodes[v] for v in range(len(graph))]
    return Network(
        graph=graph,
        indptr=np.r_[0, np.cumsum(np.bincount(tails, minlength=len(graph)))].astype(np.int64),
        indices=np.array([v for _, v in arcs], np.int32),
        weight=np.array([graph.edges[a].get("count", 1) for a in arcs], np.float64),
        twin=np.array([arc[v, u] for u, v in arcs], np.int32),
        forwards=np.array([node.get("forwards", True) for node in nodes], np.uint8),
        latency=np.array([graph.edges[u, v].get("latency" if u < v else "back", 0.0) for u, v in arcs], np.float64),
        node_latency=np.array([node.get("latency", 0.0) for node in nodes], np.float64),
        arc=arc,
    )


def random_network(rng: np.random.Generator, n: int, edges: int, forwarding: float = 0.7) -> Network:
    """Random graph, perhaps in pieces, with uneven links, times, and nodes that do not forward."""
    graph = nx.gnm_random_graph(n, min(edges, n * (n - 1) // 2), seed=int(rng.integers(2**31)))
    even = rng.random() < 0.3
    for v in graph:
        graph.nodes[v].update(forwards=bool(rng.random() < forwarding), latency=rng.random())
    for edge in graph.edges:
        graph.edges[edge].update(count=2 if even else int(rng.integers(1, 5)), latency=rng.random(), back=rng.random())
    return compile_network(graph)


@pytest.fixture(scope="session")
def compiled() -> Callable[[nx.Graph], Network]:
    """Compile a NetworkX graph."""
    return compile_network


@pytest.fixture(scope="session")
def randomly() -> Callable[..., Network]:
    """Make a random network."""
    return random_network
