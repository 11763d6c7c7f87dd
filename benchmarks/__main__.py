"""Each kernel against a library that does the same, as a ratio in one run: make bench."""

import time
from collections.abc import Callable

import networkx as nx
import numpy as np

from fabric.routing import route
from fabric.traffic import Traffic
from topologies.registry import build


def seconds(work: Callable[[], object]) -> float:
    """Best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Uniform all-to-all: ours with hosts folded, NetworkX's edge betweenness on the switches."""
    print(f"{'fabric':<18}{'ours s':>9}{'networkx s':>12}{'ratio':>8}")
    for k in (8, 12, 16):
        topology = build(f"fat-tree:k={k}")
        n = len(topology.accelerators)
        ranks = np.arange(n)
        demand = Traffic.within([ranks], n, 1.0)
        route(topology, demand, "ecmp")  # compile the CSR form once
        anew = _distinct(demand)
        ours = seconds(lambda t=topology, d=anew: route(t, d, "ecmp"))
        switches = nx.Graph(topology.graph.subgraph(s for s in topology.nodes if str(s)[0] != "a"))
        leaves = [s for s in switches if topology.graph.nodes[s]["tier"] == 1]
        theirs = seconds(lambda g=switches, s=leaves: nx.edge_betweenness_centrality_subset(g, s, s))
        print(f"fat-tree:k={k:<7}{ours:>9.4f}{theirs:>12.3f}{theirs / ours:>8.0f}")


def _distinct(demand: Traffic) -> Traffic:
    """The same demand in two lists, so that the answer of a uniform one is not remembered."""
    half = len(demand.list_rank) // 2
    twice = np.repeat(demand.entry_target, 2).astype(np.int32)
    return Traffic(
        demand.n,
        np.array([0, half, len(demand.list_rank)], np.int64),
        demand.list_rank,
        demand.list_amount,
        twice,
        np.tile(np.array([0, 1], np.int32), len(demand.entry_target)),
        np.ones(len(twice)),
    )


if __name__ == "__main__":
    main()
