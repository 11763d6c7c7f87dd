"""Concurrent flow of uniform demand on random regular graphs: time to a certified per cent, against HiGHS's PDLP.

python -m benchmarks.throughput [all]; `all` adds 4,096 switches, and PDLP at 256 where highspy is installed.
"""

import resource
import sys
import time

import numpy as np
from scipy.sparse import coo_array

from cext import cut_ratio, tree_concurrent
from topologies.graph import Csr
from topologies.registry import build


def switches(n: int, degree: int) -> Csr:
    """A random regular graph of switches with one end point each, as direct-connect arrays."""
    import networkx as nx

    from topologies.graph import Topology

    return Topology.from_graph(nx.random_regular_graph(degree, n, seed=1), rate_gbps=8).csr()


def ours(csr: Csr, gap: float) -> tuple[float, float, float]:
    """Processor seconds of one thread, and both bounds."""
    n = len(csr.forwards)
    start = time.process_time()
    _, lower, upper, _, _ = tree_concurrent(
        csr.indptr, csr.heads, csr.twin, csr.capacity / 1e9, csr.forwards, np.arange(n, dtype=np.int32), np.ones(n),
        np.ones(n), gap=gap, time_limit_s=300.0, threads=1,
    )  # fmt: skip
    return time.process_time() - start, lower, upper


def pdlp(csr: Csr, tolerance: float, limit_s: float) -> tuple[float, float] | None:
    """Processor seconds and objective of HiGHS's PDLP on one flow for each source; None without highspy."""
    try:
        import highspy
    except ImportError:
        return None
    n, arcs = len(csr.forwards), len(csr.heads)
    source, arc = np.indices((n, arcs)).reshape(2, -1)
    columns = np.arange(len(arc))
    rows = np.concatenate([source * n + csr.heads[arc], source * n + csr.tails[arc]])
    signs = np.repeat([1.0, -1.0], len(arc))
    other = np.arange(n * n) // n != np.arange(n * n) % n
    flow = coo_array((signs, (rows, np.tile(columns, 2))), (n * n, len(arc) + 1)).tocsr()
    demand = coo_array((-other.astype(float), (np.arange(n * n), np.full(n * n, len(arc)))), (n * n, len(arc) + 1))
    use = coo_array((np.ones(len(arc)), (arc, columns)), (arcs, len(arc) + 1)).tocsr()
    from scipy.sparse import vstack

    matrix = vstack([(flow + demand.tocsr())[np.flatnonzero(other)], use]).tocsc()
    lp, inf = highspy.HighsLp(), highspy.kHighsInf
    lp.num_col_, lp.num_row_ = matrix.shape[1], matrix.shape[0]
    lp.col_cost_ = np.append(np.zeros(len(arc)), -1.0)
    lp.col_lower_, lp.col_upper_ = np.zeros(lp.num_col_), np.full(lp.num_col_, inf)
    balanced = int(other.sum())
    lp.row_lower_ = np.append(np.zeros(balanced), np.full(arcs, -inf))
    lp.row_upper_ = np.append(np.zeros(balanced), csr.capacity / 1e9)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("solver", "pdlp")
    solver.setOptionValue("pdlp_optimality_tolerance", tolerance)
    solver.setOptionValue("kkt_tolerance", tolerance)
    solver.setOptionValue("time_limit", limit_s)
    solver.passModel(lp)
    start = time.process_time()
    solver.run()
    return time.process_time() - start, -solver.getInfo().objective_function_value


def main() -> None:
    """Print a line for each graph."""
    every = "all" in sys.argv[1:]
    print(f"{'random regular graph':<24}{'s to 1 %':>10}{'lower':>11}{'upper':>11}{'gap':>8}{'peak MB':>9}")
    for n, degree in [(256, 16), (1024, 16)] + ([(4096, 24)] if every else []):
        took, lower, upper = ours(switches(n, degree), 0.01)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        gap = 1 - lower / upper
        print(f"{n:>6} of degree {degree:<7}{took:>10.2f}{lower:>11.7f}{upper:>11.7f}{gap:>8.2%}{peak:>9.0f}")
    if every:
        csr = switches(256, 16)
        took = ours(csr, 0.01)[0]
        theirs = pdlp(csr, 1e-4, 300.0)
        if theirs is None:
            print("highspy is absent: no comparison with PDLP")
        else:
            print(f"HiGHS PDLP, 256 of degree 16: {theirs[0]:.1f} s ({theirs[1]:.7f}), ratio {theirs[0] / took:.0f}")
    csr = build("torus:dims=16x16x16").csr()
    whole = np.ones(len(csr.heads), np.int64)
    start = time.process_time()
    p, q, _ = cut_ratio(csr.indptr, csr.heads, csr.twin, whole, csr.accelerators, csr.accelerators[:1])
    print(f"narrowest cut of a 16^3 torus: {p}/{q} in {time.process_time() - start:.3f} s, one sink of its one orbit")


if __name__ == "__main__":
    main()
