"""Concurrent flow on paths: seconds to a certified gap, and against HiGHS: python -m benchmarks.pathflow."""

import time
from collections.abc import Callable

import networkx as nx
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import block_diag, coo_array, csr_array, hstack

from cext import k_shortest_paths, path_concurrent
from topologies.graph import Csr, Topology

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]


def jellyfish(switches: int, degree: int, permutations: int) -> tuple[Csr, Pairs]:
    """A random regular graph of unit links, and so many random permutations of its switches."""
    rng = np.random.default_rng(1)
    csr = Topology.from_graph(nx.random_regular_graph(degree, switches, seed=1), rate_gbps=8).csr()
    source = np.tile(np.arange(switches, dtype=np.int32), permutations)
    target = np.concatenate([rng.permutation(switches) for _ in range(permutations)]).astype(np.int32)
    other = source != target
    return csr, (source[other], target[other], np.ones(int(other.sum())))


def cpu_seconds(work: Callable[[], object]) -> tuple[float, object]:
    """Best of three, and the answer."""
    times, answer = [], None
    for _ in range(3):
        start = time.process_time()
        answer = work()
        times.append(time.process_time() - start)
    return min(times), answer


def optimum(csr: Csr, pairs: Pairs) -> float:
    """The optimum by HiGHS (interior point), with a flow variable for each source and arc."""
    source, target, amount = pairs
    nodes, arcs = len(csr.indptr) - 1, len(csr.heads)
    sources = np.unique(source)
    arc = np.arange(arcs)
    balance = coo_array((np.repeat([1.0, -1.0], arcs), (np.r_[csr.tails, csr.heads], np.r_[arc, arc])), (nodes, arcs))
    demand = np.zeros((len(sources), nodes))
    row = np.searchsorted(sources, source)
    np.add.at(demand, (row, target), amount)
    np.add.at(demand, (row, source), -amount)
    equal = csr_array(hstack([block_diag([balance] * len(sources)), coo_array(demand.reshape(-1, 1))]))
    columns = np.arange(len(sources) * arcs)
    room = coo_array((np.ones(len(columns)), (columns % arcs, columns)), (arcs, len(columns)))
    cost = np.append(np.zeros(len(columns)), -1.0)
    return -linprog(cost, csr_array(hstack([room, coo_array((arcs, 1))])), np.ones(arcs), equal,
                    np.zeros(equal.shape[0]), method="highs-ipm").fun  # fmt: skip


def main() -> None:
    """Jellyfish under four permutations: any path, the 16 shortest, and HiGHS where it ends in reasonable time."""
    print(" switches degree  paths gap asked    CPU s        lb        ub      gap rounds")
    for switches, degree in ((128, 10), (256, 16), (1024, 16)):
        csr, pairs = jellyfish(switches, degree, 4)
        graph = csr.indptr, csr.heads, csr.twin, csr.links, csr.forwards
        listed = k_shortest_paths(csr.indptr, csr.heads, csr.twin, csr.forwards, *pairs[:2], 16, threads=1)
        for name, paths, gap in (("any", None, 0.01), ("any", None, 0.005), ("ksp:16", listed, 0.01)):
            took, found = cpu_seconds(
                lambda g=graph, q=pairs, p=paths, x=gap: path_concurrent(*g, *q, paths=p, gap=x, threads=1)
            )
            print(f"{switches:>9}{degree:>7}{name:>7}{gap:>10}{took:>9.3f}"
                  f"{found.lb:>10.5f}{found.ub:>10.5f}{found.gap:>9.5f}{found.rounds:>7}")  # fmt: skip
    csr, pairs = jellyfish(128, 10, 4)
    graph = csr.indptr, csr.heads, csr.twin, csr.links, csr.forwards
    ours, found = cpu_seconds(lambda: path_concurrent(*graph, *pairs, gap=0.005, threads=1))
    start = time.process_time()
    best = optimum(csr, pairs)
    theirs = time.process_time() - start
    print(f"128 switches: HiGHS {best:.6f} in {theirs:.2f} s, "
          f"ours [{found.lb:.5f}, {found.ub:.5f}] in {ours:.3f} s: {theirs / ours:.0f} times")  # fmt: skip


if __name__ == "__main__":
    main()
