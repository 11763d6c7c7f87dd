"""Demands to route, and shortest paths by NetworkX to route them by."""

import networkx as nx
import numpy as np
import pytest

from fabric.traffic import Traffic


@pytest.fixture(scope="session")
def patterns():
    """Uniform, grouped, permuted and random traffic of n ranks."""

    def of(n, seed=0):
        rng = np.random.default_rng(seed)
        ranks = np.arange(n)
        some = rng.integers(0, n, (2, min(3 * n, 60)))
        yield Traffic.uniform(n, 1 / n)
        yield Traffic.within([ranks[: n // 2], ranks[n // 2 :]], n, 0.5)
        yield Traffic.pairs(n, ranks, (ranks + 1) % n, 2.0)
        yield Traffic.pairs(n, some[0], some[1], rng.random(some.shape[1]))

    return of


@pytest.fixture(scope="session")
def ends():
    """(source, target, rank of the target, bytes) of every pair that has traffic."""

    def of(topology, traffic):
        for s, t, amount in zip(*(a.tolist() for a in traffic.as_pairs()), strict=True):
            if amount:
                yield topology.accelerators[s], topology.accelerators[t], t, amount

    return of


@pytest.fixture(scope="session")
def shortest():
    return Shortest


class Shortest:
    """Shortest paths of a topology by NetworkX, next hop by next hop, parallel links told apart; links count for one
    hop, or with `minimal` for their `hops`."""

    def __init__(self, topology, minimal=False):
        self.topology, self.csr = topology, topology.csr()
        self.length = (lambda a, b, edge: edge.get("hops", 1)) if minimal else (lambda a, b, edge: 1)
        self.forwards = dict(topology.graph.nodes(data="forwards"))
        self.hops = {}

    def next_links(self, node, target):
        """(arc, which of its links) of every next hop of `node` towards `target`, in the order of the arcs."""
        if target not in self.hops:
            usable = self.topology.graph.subgraph([v for v in self.topology.graph if self.forwards[v] or v == target])
            below = nx.single_source_dijkstra_path_length(usable, target, weight=self.length)
            ends = [v for v in self.topology.graph if v not in usable]
            above = {e: 1 + min((below[v] for v in self.topology.graph[e] if v in below), default=np.inf) for e in ends}
            self.hops[target] = {**below, **above}, set(usable)
        hops, usable = self.hops[target]
        v = self.topology.index[node]
        found = []
        for arc in range(self.csr.indptr[v], self.csr.indptr[v + 1]):
            u = self.topology.nodes[self.csr.heads[arc]]
            edge = self.topology.graph.edges[node, u]
            if u in usable and hops.get(u) == hops[node] - self.length(node, u, edge):
                found += [(arc, k) for k in range(int(self.csr.links[arc]))]
        return found

    def walk(self, source, target, choose):
        """The links of one path; `choose` picks one of the next."""
        path, node = [], source
        while node != target:
            path.append(choose(self.next_links(node, target)))
            node = self.topology.nodes[self.csr.heads[path[-1][0]]]
        return path

    def seconds(self, path):
        arcs = [arc for arc, _ in path]
        return self.csr.latency[arcs].sum() + self.csr.node_latency[self.csr.heads[arcs[:-1]]].sum()
