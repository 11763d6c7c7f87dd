"""Link loads against igraph's and rustworkx's edge betweenness in one run: python -m benchmarks.loads.

Uniform demand between all switches: ours are the loads of an equal-cost split, theirs of a split by path counts. The
two are the same on fat trees and differ on random graphs; the work is the same, a search and a sum back for each
switch. A peer that is not installed is left out. Then what symmetry saves, a dense matrix by dimension order, all-pairs
hops.
"""

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import networkx as nx
import numpy as np

from cext import distance_profile, dor_dense_loads, ecmp_loads, orbits, verify_automorphism
from fabric.routing.contraction import Contracted, contract, demand_at_nodes
from fabric.routing.reduction import reduced
from fabric.symmetry import symmetry
from fabric.traffic import Traffic
from topologies.graph import Topology
from topologies.registry import build

Work = Callable[[], object]


def cpu_seconds(work: Work, times: int = 3) -> float:
    """Best of some, CPU time of all threads."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def peers(small: Contracted) -> Iterator[tuple[str, Work]]:
    """Edge betweenness of the folded graph by every library that is here."""
    tails = np.repeat(np.arange(len(small.indptr) - 1), np.diff(small.indptr))
    edges = [(int(a), int(b)) for a, b in zip(tails, small.heads, strict=True) if a < b]
    for name in ("igraph", "rustworkx"):
        try:
            library: Any = import_module(name)
        except ImportError:
            continue
        if name == "igraph":
            graph = library.Graph(n=len(small.indptr) - 1, edges=edges)
            yield name, graph.edge_betweenness
        else:
            other = library.PyGraph()
            other.add_nodes_from(range(len(small.indptr) - 1))
            other.add_edges_from_no_data(edges)
            yield name, lambda g=other, lib=library: lib.graph_edge_betweenness_centrality(g, parallel_threshold=10**9)


def graph_of(small: Contracted) -> tuple[Any, ...]:
    """The first arguments of ecmp_loads."""
    return small.indptr, small.heads, small.links, small.twin, small.forwards, small.latency, small.node_latency


def against_peers() -> None:
    """One thread, uniform demand between all nodes of the folded graph."""
    print(f"{'CPU s, one thread':<22}{'ours':>9}" + "".join(f"{n:>11}{'ratio':>7}" for n in ("igraph", "rustworkx")))
    cases: list[tuple[str, Topology]] = [(f"fat-tree:k={k}", build(f"fat-tree:k={k}")) for k in (16, 32)]
    cases.append(("random, 1,024 x 16", Topology.from_graph(nx.random_regular_graph(16, 1024, seed=1))))
    cases.append(("torus 16x16x16", build("torus:dims=16x16x16")))
    for name, topology in cases:
        small = contract(topology)
        nodes = len(small.forwards)
        demand = demand_at_nodes(Traffic.uniform(nodes, 1.0), np.arange(nodes, dtype=np.int32))
        ours = cpu_seconds(lambda s=small, d=demand: ecmp_loads(*graph_of(s), *d, threads=1))
        line = f"{name:<22}{ours:>9.4f}"
        for _, work in peers(small):
            theirs = cpu_seconds(work, 1)
            line += f"{theirs:>11.3f}{theirs / ours:>6.1f}x"
        print(line)


def by_symmetry() -> None:
    """All-to-all with and without orbits; the orbits' time holds the check of every generator."""
    print(f"\n{'CPU s, all threads':<22}{'all':>9}{'orbits':>9}{'equal to':>10}")
    for spec in ("fat-tree:k=64", "torus:dims=16x16x16", "torus:dims=32x32x32", "rail:servers=1024"):
        topology = build(spec)
        small, known = contract(topology), symmetry(topology)
        demand = demand_at_nodes(Traffic.uniform(len(topology.accelerators), 1.0), small.node_of_rank)
        plain = np.zeros(len(small.heads), np.int32), np.zeros(len(small.forwards), np.int32)

        def by_orbits(small=small, known=known, demand=demand, plain=plain):  # type: ignore[no-untyped-def]
            images = [verify_automorphism(small.indptr, small.heads, *plain, p) for p in known.permutations]
            orbits([image for image in images if image is not None], len(small.heads))
            fewer = reduced(known, demand)
            return fewer.spread(ecmp_loads(*graph_of(small), *fewer.demand)[0])

        some = cpu_seconds(by_orbits)
        if spec == "torus:dims=32x32x32":
            print(f"{spec:<22}{'-':>9}{some:>9.4f}")
            continue
        every = cpu_seconds(lambda s=small, d=demand: ecmp_loads(*graph_of(s), *d), 1)
        full = ecmp_loads(*graph_of(small), *demand)[0]
        apart = float(np.abs(by_orbits() - full).max() / full.max())  # type: ignore[no-untyped-call]
        print(f"{spec:<22}{every:>9.3f}{some:>9.4f}{apart:>10.0e}")


def others() -> None:
    """A dense matrix by dimension order, and all-pairs hops."""
    dims, wrapped = np.full(3, 16, np.int32), np.ones(3, np.uint8)
    matrix = np.random.default_rng(0).random((4096, 4096))
    dense = cpu_seconds(lambda: dor_dense_loads(dims, wrapped, matrix))
    print(f"\n4,096^2 matrix on 16x16x16, dimension order: {dense:.3f}")
    small = contract(Topology.from_graph(nx.random_regular_graph(24, 4096, seed=1)))
    ones = np.ones(4096)
    ends = np.arange(4096, dtype=np.int32), ones, ones.astype(np.int32)
    hops = cpu_seconds(
        lambda: distance_profile(small.indptr, small.heads, small.twin, small.forwards, *ends, threads=1)
    )
    print(f"hops between 4,096 switches of degree 24, one thread: {hops:.3f}")


def main() -> None:
    """All three tables."""
    against_peers()
    by_symmetry()
    others()


if __name__ == "__main__":
    main()
