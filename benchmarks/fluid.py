"""Max-min rates and fluid completion times against SimGrid, in processor seconds and ratios of one run.

python -m benchmarks.fluid [all]; a small C++ driver is built against libsimgrid (apt-get install libsimgrid-dev), and
without it our own times are printed alone. `all` adds the cases that take SimGrid minutes.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from cext import maxmin, maxmin_slack
from fabric.flows import Flows
from fabric.fluid import fluid_completion
from fabric.routing.paths import Paths, flow_paths
from topologies.graph import Topology
from topologies.registry import build

OPTIONS = (
    "network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0", "network/weight-S:0",
    "network/bandwidth-factor:1", "network/latency-factor:1", "surf/precision:1e-12", "maxmin/precision:1e-12",
)  # fmt: skip
SKIP = "SimGrid is absent (apt-get install libsimgrid-dev): our own times alone"


def driver(folder: Path) -> Path | None:
    """The compiled driver, None where it cannot be built."""
    source, program = Path(__file__).with_name("simgrid") / "driver.cpp", folder / "driver"
    try:
        subprocess.run(
            ["g++", "-O2", "-std=c++17", "-o", program, source, "-lsimgrid"], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return program


def simgrid(program: Path, topology: Topology, flows: Flows, paths: Paths, *options: str) -> tuple[float, Any]:
    """Processor seconds of SimGrid's run (of its first step alone with --step), and the finish times of a run."""
    order = np.argsort(flows.release, kind="stable")
    ptr, arcs = each_path(paths, order)
    csr = topology.csr()
    head = np.array([len(csr.heads), len(csr.accelerators), len(flows), len(arcs)], np.int64)
    columns = (flows.bytes, flows.release, flows.source, flows.target)
    with tempfile.TemporaryDirectory() as folder:
        case, out = Path(folder) / "case", Path(folder) / "out"
        with case.open("wb") as file:
            for array in (head, csr.capacity, *(column[order] for column in columns), ptr, arcs):
                array.tofile(file)
        command = [program, case, out, *options, *(f"--cfg={option}" for option in OPTIONS)]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        answer = np.empty(len(flows))
        if "run_s" in said:
            answer[order] = np.fromfile(out)
    return said["step_s" if "--step" in options else "run_s"], answer


def each_path(paths: Paths, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The arcs of every flow in that order, as CSR."""
    lengths = np.diff(paths.ptr)[paths.path_of[order]]
    ptr = np.concatenate([[0], np.cumsum(lengths)])
    return ptr, paths.arc[np.repeat(paths.ptr[paths.path_of[order]] - ptr[:-1], lengths) + np.arange(ptr[-1])]


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Best processor time of several."""
    best = np.inf
    for _ in range(times):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return float(best)


def all_to_all(n: int, uneven: bool) -> dict[str, NDArray[Any]]:
    """1 MB between every two ranks, or from half to one and a half of it."""
    s, t = (a.ravel() for a in np.indices((n, n)))
    s, t = s[s != t], t[s != t]
    varied = np.floor(1e6 * (0.5 + ((7919 * s + 104729 * t) % 1000) / 1000))
    return {"source": s, "target": t, "bytes": varied if uneven else np.full(len(s), 1e6)}


def poisson(n: int, flows: int, load: float, rate: float, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Lognormal flows between random ranks, arriving so that they load the hosts' links by so much."""
    rng = np.random.default_rng(seed)
    s = rng.integers(0, n, flows)
    size = rng.lognormal(13, 1.0, flows)
    gaps = rng.exponential(size.mean() / (load * rate * n), flows)
    return {"source": s, "target": (s + rng.integers(1, n, flows)) % n, "bytes": size, "release": np.cumsum(gaps)}


def permutations(n: int, rounds: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Every rank sends lognormal bytes to a random other in each of so many permutations, all at once."""
    rng = np.random.default_rng(seed)
    target = np.concatenate([rng.permutation(n) for _ in range(rounds)])
    source = np.tile(np.arange(n), rounds)
    keep = source != target
    return {"source": source[keep], "target": target[keep], "bytes": rng.lognormal(13, 1.0, int(keep.sum()))}


def ring(n: int) -> dict[str, Any]:
    """Ring all-reduce, 1 MB a step: what a rank sends waits for what it sent and received in the step before."""
    steps, r = 2 * (n - 1), np.arange(n)
    base = n * np.arange(steps - 1)[:, None]
    pred = np.stack([base + r, base + (r - 1) % n], axis=2)
    ptr = np.concatenate([np.zeros(n, np.int64), 2 * np.arange((steps - 1) * n + 1)])
    ends = {"source": np.tile(r, steps), "target": np.tile((r + 1) % n, steps)}
    return {**ends, "bytes": 1e6, "pred_ptr": ptr, "pred": pred.ravel()}


def leaf_spine(leaves: int, hosts: int, spines: int) -> Topology:
    """Leaves x hosts accelerators without latency, every leaf on every spine."""
    graph = nx.complete_bipartite_graph([f"l{i}" for i in range(leaves)], [f"s{i}" for i in range(spines)])
    nx.set_node_attributes(graph, "switch", "kind")
    graph.add_nodes_from(range(leaves * hosts), kind="accelerator")
    graph.add_edges_from((h, f"l{h // hosts}") for h in range(leaves * hosts))
    nx.set_edge_attributes(graph, 0.0, "latency_ns")
    return Topology.from_graph(graph, rate_gbps=400)


def compare_rates(program: Path | None, flows: int, k: int) -> None:
    """Random pairs, one path each, all capacities equal: worst for ties."""
    topology = build(f"fat-tree:k={k},latency_ns=0")
    n = len(topology.accelerators)
    rng = np.random.default_rng(0)
    s = rng.integers(0, n, flows)
    made = Flows.of({"source": s, "target": (s + rng.integers(1, n, flows)) % n, "bytes": 1e12}, n)
    paths = flow_paths(topology, made.source, made.target, "dmodk")
    ptr, arcs = each_path(paths, np.arange(flows))
    capacity = topology.csr().capacity
    ours = seconds(lambda: maxmin(ptr, arcs, None, capacity))
    slack = maxmin_slack(ptr, arcs, None, capacity, None, None, maxmin(ptr, arcs, None, capacity))
    line = f"max-min {flows:>9,} on k={k:<3} {ours:>9.3f} s, certificate {slack:.0e}"
    if program is not None and flows <= 10**6:
        theirs, _ = simgrid(program, topology, made, paths, "--step")
        line += f"; SimGrid's step (solve and bookkeeping) {theirs:.3f} s, {theirs / ours:.0f} x"
    print(line, flush=True)


def compare_fluid(
    program: Path | None, name: str, topology: Topology, flows: dict[str, Any], times: int = 3, **rule: str
) -> None:
    """One case: our whole answer, SimGrid's run without its platform."""
    topology.csr()
    n = len(topology.accelerators)
    made = Flows.of(flows, n)
    found = fluid_completion(topology, made, **rule)  # type: ignore[arg-type]
    ours = seconds(lambda: fluid_completion(topology, made, **rule), times)  # type: ignore[arg-type]
    line = f"{name:<38}{len(made):>9,} flows {ours:>9.3f} s, {found.solves:>7,} solves"
    if program is not None:
        paths = flow_paths(topology, made.source, made.target, **rule)  # type: ignore[arg-type]
        theirs, answer = simgrid(program, topology, made, paths)
        differs = np.abs(answer / found.finish - 1).max()
        line += f"; SimGrid {theirs:.2f} s, {theirs / ours:.0f} x, differs by {differs:.0e}"
    print(line, flush=True)


def main() -> None:
    """The cases, smallest first."""
    whole = "all" in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        program = driver(Path(folder))
        if program is None:
            print(SKIP)
        for flows, k in ((10**4, 16), (10**5, 16), (10**6, 16), *(((10**7, 32),) if whole else ())):
            compare_rates(program, flows, k)
        dor, one = {"routing": "dor", "tie": "positive"}, {"routing": "dmodk"}
        tree, clos = build("fat-tree:k=16,latency_ns=0"), leaf_spine(16, 32, 32)
        dims = "4x4x4", "4x4x8", "8x8x8"
        small, middle, large = (build(f"torus:dims={d},rate_gbps=400,latency_ns=0") for d in dims)
        far = build("torus:dims=8x8x16,latency_ns=500")
        long = program if whole else None
        compare_fluid(program, "all-to-all, torus 8x8x8", large, all_to_all(512, False), **dor)
        compare_fluid(program, "all-to-all, 16x32x32", clos, all_to_all(512, False), **one)
        compare_fluid(program, "unequal, torus 4x4x4", small, all_to_all(64, True), **dor)
        compare_fluid(long, "unequal, torus 4x4x8", middle, all_to_all(128, True), **dor)
        compare_fluid(long, "20,000 Poisson, k=16", tree, poisson(1024, 20_000, 0.6, 50e9), **one)
        compare_fluid(long, "10 permutations, k=16", tree, permutations(1024, 10), **one)
        compare_fluid(None, "ring all-reduce, torus 8x8x16", far, ring(1024), **dor)
        if whole:
            compare_fluid(None, "unequal, torus 8x8x8", large, all_to_all(512, True), 1, **dor)
            compare_fluid(None, "unequal, 16x32x32", clos, all_to_all(512, True), 1, **one)


if __name__ == "__main__":
    main()
