"""Fluid completion times: published cross-checks, a plain twin, and what must hold of any answer."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from fabric.fluid import fluid_completion
from topologies.graph import Topology
from topologies.registry import build

CASES = json.loads(Path(__file__).with_name("crosscheck.json").read_text())
RATE = 50e9  # bytes/s of 400 Gb/s


def fat_tree2(leaves, hosts, spines, latency_ns):
    """Leaves x hosts accelerators, every leaf on every spine."""
    graph = nx.Graph()
    graph.add_nodes_from(range(leaves * hosts), kind="accelerator")
    graph.add_nodes_from([f"leaf{i}" for i in range(leaves)] + [f"spine{i}" for i in range(spines)], kind="switch")
    graph.add_edges_from(((h, f"leaf{h // hosts}") for h in range(leaves * hosts)), latency_ns=latency_ns)
    graph.add_edges_from(
        ((f"leaf{i}", f"spine{j}") for i in range(leaves) for j in range(spines)), latency_ns=latency_ns
    )
    return Topology.from_graph(graph, rate_gbps=400)


def case_topology(case):
    kind, dims = case["topo"].split(":")
    nanoseconds = case["lat"] * 1e9
    if kind == "ft2":
        return fat_tree2(*map(int, dims.split("x")), nanoseconds), {"routing": "dmodk"}
    key = "n" if kind == "ring" else "dims"
    return build(f"{kind}:{key}={dims},rate_gbps=400,latency_ns={nanoseconds:g}"), {"routing": "dor", "tie": "positive"}


def all_to_all(n, size, uneven):
    s, t = (a.ravel() for a in np.indices((n, n)))
    keep = s != t
    s, t = s[keep], t[keep]
    amount = np.floor(size * (0.5 + ((7919 * s + 104729 * t) % 1000) / 1000)) if uneven else np.full(len(s), size)
    return {"source": s, "target": t, "bytes": amount}


def ring_all_reduce(n, size):
    """2 (n - 1) steps; what r sends in a step waits for what it sent and received in the one before."""
    steps, r = 2 * (n - 1), np.arange(n)
    waits = np.stack([np.arange(1, steps)[:, None] * n - n + r, np.arange(1, steps)[:, None] * n - n + (r - 1) % n], 2)
    return {
        "source": np.tile(r, steps),
        "target": np.tile((r + 1) % n, steps),
        "bytes": size,
        "pred_ptr": np.concatenate([np.zeros(n), 2 * np.arange((steps - 1) * n + 1)]).astype(int),
        "pred": waits.ravel(),
    }


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_crosscheck(case):
    topology, rule = case_topology(case)
    n = len(topology.accelerators)
    if case["pattern"] == "ring":
        flows = ring_all_reduce(n, case["bytes"])
    else:
        flows = all_to_all(n, case["bytes"], case["pattern"] == "a2av")
    found = fluid_completion(topology, flows, **rule)
    assert found.makespan == pytest.approx(case["expect_s"], rel=1e-6 if case["lat"] else 1e-9)
    busiest = (found.link_bytes / topology.csr().capacity).max()
    assert found.makespan >= busiest * (1 - 1e-12)
    if "link_load_bound_s" in case:
        assert busiest == pytest.approx(case["link_load_bound_s"], rel=1e-9)
