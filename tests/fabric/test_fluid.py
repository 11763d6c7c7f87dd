"""Fluid completion times: published cross-checks, and what must hold of any answer."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from cext import maxmin_slack
from fabric.fluid import fluid_completion
from fabric.routing.paths import Paths, flow_paths, given_paths
from fabric.routing.registry import route
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.registry import build

CASES = json.loads(Path(__file__).with_name("crosscheck.json").read_text())


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


SPECS = ["fat-tree:k=4", "torus:dims=4x4", "torus:dims=2x3x2", "ring:n=6", "rail:servers=3,gpus=4", "clos:hosts=10"]


def random_flows(n, seed, flows=40):
    rng = np.random.default_rng(seed)
    s = rng.integers(0, n, flows)
    t = (s + rng.integers(1, n, flows)) % n
    return {"source": s, "target": t, "bytes": rng.lognormal(13, 1.5, flows), "release": rng.random(flows) * 1e-4}


@settings(max_examples=40, deadline=None)
@given(
    spec=st.sampled_from(SPECS),
    routing=st.sampled_from(["auto", "ecmp", "weighted", "dmodk", "hash"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_bytes_are_conserved_and_no_link_is_faster_than_it_can(built, spec, routing, seed):
    topology = built(spec)
    csr, n = topology.csr(), len(topology.accelerators)
    flows = random_flows(n, seed)
    found = fluid_completion(topology, flows, routing=routing, seed=seed)
    out = np.bincount(csr.tails, found.link_bytes, len(topology.nodes))
    into = np.bincount(csr.heads, found.link_bytes, len(topology.nodes))
    net = np.zeros(len(topology.nodes))
    np.add.at(net, csr.accelerators[flows["source"]], flows["bytes"])
    np.add.at(net, csr.accelerators[flows["target"]], -flows["bytes"])
    np.testing.assert_allclose(out - into, net, atol=1e-9 * flows["bytes"].sum())
    assert found.makespan == found.finish.max()
    assert found.makespan >= flows["release"].min() + (found.link_bytes / csr.capacity).max() * (1 - 1e-12)
    paths = flow_paths(topology, flows["source"], flows["target"], routing, seed=seed)
    begun = flows["release"] + paths.latency_s[paths.path_of]
    np.testing.assert_allclose(found.start, begun, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(spec=st.sampled_from(SPECS), routing=st.sampled_from(["auto", "ecmp", "dmodk", "hash"]), seed=st.integers(0, 99))
def test_order_of_flows_does_not_matter(built, spec, routing, seed):
    topology = built(spec)
    flows = random_flows(len(topology.accelerators), seed)
    pairs = flows["source"] * 1000 + flows["target"]
    _, once = np.unique(pairs, return_index=True)  # under hash, flows of one pair draw in their order
    flows = {key: values[once] for key, values in flows.items()}
    turn = np.random.default_rng(seed).permutation(len(once))
    there = fluid_completion(topology, flows, routing=routing)
    back = fluid_completion(topology, {key: values[turn] for key, values in flows.items()}, routing=routing)
    np.testing.assert_allclose(back.finish, there.finish[turn], rtol=1e-10)
    np.testing.assert_allclose(back.link_bytes, there.link_bytes, rtol=1e-10)


def test_names_of_nodes_do_not_matter():
    graph = nx.random_regular_graph(4, 14, seed=2)
    other = nx.relabel_nodes(graph, {v: f"n{v}" for v in graph})
    one, two = (Topology.from_graph(g, rate_gbps=100) for g in (graph, other))
    flows = random_flows(14, 1)
    a, b = (fluid_completion(t, flows) for t in (one, two))
    assert a.finish.tolist() == b.finish.tolist()


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("routing", ["ecmp", "auto"])
def test_paths_add_up_to_the_routed_loads(built, spec, routing):
    topology = built(spec)
    n = len(topology.accelerators)
    s, t = (a.ravel() for a in np.indices((n, n)))
    amount = np.random.default_rng(0).random(n * n) * (s != t)
    loads = route(topology, Traffic.pairs(n, s, t, amount), routing)
    paths = flow_paths(topology, s, t, routing)
    np.testing.assert_allclose(paths.loads(amount, len(loads.arcs)), loads.arcs, rtol=1e-12, atol=1e-12)
    assert paths.latency_s.max() == pytest.approx(loads.latency_s, rel=1e-9)


def line(*rates):
    """Accelerators in a row that forward, with links of so many Gb/s and no latency."""
    graph = nx.path_graph(len(rates) + 1)
    for i, rate in enumerate(rates):
        graph.edges[i, i + 1].update(rate_gbps=rate, latency_ns=0)
    return Topology.from_graph(graph)


def test_a_faster_link_can_end_later():
    """Found by search: 6 bytes go over links 0 and 1, twice 1 byte over links 1 and 2.

    Link 2 at rate 1 holds the short two to 1/2 each, and the long one has 2 of link 1 (all that link 0 gives) to the
    end: 6 / 2 = 3. At rate 2 all three share link 1 equally, at 1 each, until the short two end at 1; the long one
    has sent 1 of 6 by then, and ends at 1 + 5 / 2 = 3.5.
    """
    unit = 1e9 / 8
    flows = {"source": [0, 1, 1], "target": [2, 3, 3], "bytes": np.array([6.0, 1, 1]) * unit}
    slow, fast = (fluid_completion(line(2, 3, rate), flows) for rate in (1, 2))
    np.testing.assert_allclose(slow.finish, [3, 2, 2])
    np.testing.assert_allclose(fast.finish, [3.5, 1, 1])


def test_compute_and_release_wait_for_what_is_before():
    """Send, compute for 2 s, wait 0.5 s, send back; each way takes its latency first."""
    graph = nx.path_graph(2)
    graph.edges[0, 1].update(rate_gbps=8, latency_ns=1e8)
    pair = Topology.from_graph(graph)
    flows = {
        "source": [0, 1, 1], "target": [1, 1, 0], "bytes": [1e9, 0, 3e9], "duration": [0, 2, 0],
        "release": [0, 0, 0.5], "pred_ptr": [0, 0, 1, 2], "pred": [0, 1],
    }  # fmt: skip
    found = fabric.fluid_completion(pair, flows)
    np.testing.assert_allclose(found.start, [0.1, 1.1, 3.7])
    np.testing.assert_allclose(found.finish, [1.1, 3.1, 6.7])
    assert found.link_bytes.tolist() == [1e9, 3e9]
    dtype = [("source", "i4"), ("target", "i4"), ("bytes", "f8")]
    array = np.array([(0, 1, 1e9), (1, 0, 3e9)], dtype)
    np.testing.assert_allclose(fabric.fluid_completion(pair, array).finish, [1.1, 3.1])


def test_given_nodes_and_given_paths():
    """The long way round a ring of 4 by nodes; the same by Paths; latency crosses the switch between."""
    ring = build("ring:n=4,latency_ns=100,rate_gbps=400")
    flows = {"source": [0, 0], "target": [1, 1], "bytes": [5e5, 1e6]}
    nodes = {"ptr": [0, 4, 8], "node": [0, 3, 2, 1, 0, 3, 2, 1]}
    found = fluid_completion(ring, flows, paths=nodes)
    np.testing.assert_allclose(found.finish, 3e-7 + np.array([20e-6, 30e-6]))
    paths = given_paths(ring, nodes["ptr"], nodes["node"])
    assert len(paths.latency_s) == 2 and len(paths.merged().latency_s) == 1
    assert fluid_completion(ring, flows, paths=paths).finish.tolist() == found.finish.tolist()
    star = build("switch:n=3,switch=qm9700,latency_ns=100")
    across = given_paths(star, [0, 3], [0, 3, 1])
    assert across.latency_s == pytest.approx(flow_paths(star, [0], [1]).latency_s)
    assert across.latency_s[0] > 2e-7


def test_modulo_takes_the_spine_of_its_target():
    topology = fat_tree2(3, 2, 2, 100)
    paths = flow_paths(topology, [0, 0, 0], [1, 4, 5], "dmodk")
    names = [[topology.nodes[topology.csr().heads[a]] for a in paths.arc[paths.ptr[p] : paths.ptr[p + 1]]]
             for p in paths.path_of]  # fmt: skip
    assert names == [["leaf0", 1], ["leaf0", "spine0", "leaf2", 4], ["leaf0", "spine1", "leaf2", 5]]


def test_hashed_flows_spread_and_depend_on_the_seed():
    topology = build("fat-tree:k=8")
    flows = np.zeros(400, int), np.full(400, 127)
    a, b, c = (flow_paths(topology, *flows, "hash", seed=seed) for seed in (0, 0, 1))
    assert a.arc.tolist() == b.arc.tolist() != c.arc.tolist()
    assert len(a.merged().latency_s) == 16  # all shortest paths, each found often
    assert len(a.merged().path_of) == 400 and (np.diff(a.merged().ptr) == 6).all()


def test_weighted_splits_by_capacity():
    graph = nx.Graph()
    graph.add_nodes_from("ab", kind="accelerator")
    graph.add_nodes_from("st", kind="switch")
    for middle, rate in (("s", 100), ("t", 300)):
        graph.add_edges_from([("a", middle), (middle, "b")], rate_gbps=rate, latency_ns=0)
    topology = Topology.from_graph(graph)
    flow = {"source": [0], "target": [1], "bytes": [4e9]}
    assert fluid_completion(topology, flow, routing="weighted").makespan == pytest.approx(0.08)
    assert fluid_completion(topology, flow, routing="ecmp").makespan == pytest.approx(0.16)


GOOD = {"source": [0, 1, 2], "target": [1, 2, 2], "bytes": [1.0, 1, 0], "duration": [0.0, 0, 1]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"source": [0, 1]}, r"source has shape \(2,\)"),
        ({"source": [0, 1, 4]}, "source of flow 2 is 4; ranks are 0 to 3"),
        ({"target": [1, -1, 2]}, "target of flow 1 is -1"),
        ({"source": [0, 1.5, 2]}, "source of 1 is 1.5; give a whole number"),
        ({"bytes": [1, -1, 0]}, "bytes of flow 1 is -1"),
        ({"bytes": [1, 0, float("nan")]}, "bytes of flow 2 is nan"),
        ({"bytes": [1, 1, 1]}, "flow 2 sends 1 bytes from rank 2 to itself"),
        ({"bytes": ["a", "b", "c"]}, "not numbers"),
        ({"duration": [1, 0, 1]}, "flow 0 has a duration and another target"),
        ({"release": [0, float("inf"), 0]}, "release of flow 1 is inf"),
        ({"pred_ptr": [0, 1, 0, 1], "pred": [1]}, "pred_ptr must climb from 0 to 1"),
        ({"pred_ptr": [0, 0, 1, 1], "pred": [3]}, "predecessor 3 is no flow"),
        ({"pred_ptr": [0, 0, 1, 2], "pred": [2, 1]}, "flow 1 waits for itself"),
        ({"size": [1, 1, 1]}, "no field of flows is named 'size'"),
    ],
)
def test_bad_flows_are_named(built, wrong, said):
    ring = built("ring:n=4")
    assert fluid_completion(ring, GOOD).makespan == 1
    with pytest.raises(ConfigError, match=said):
        fluid_completion(ring, GOOD | wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"routing": "best"}, "no routing is named 'best'"),
        ({"tie": "even"}, "tie 'even' is not one of"),
        ({"epsilon": -1.0}, "epsilon = -1"),
        ({"paths": {"nodes": []}}, "give ptr and node"),
        ({"paths": {"ptr": [0, 2, 4, 6], "node": [0, 1, 1, 2, 2, 2]}}, "flow 2 takes a step that no link joins"),
        ({"paths": {"ptr": [0, 2, 4, 5], "node": [0, 3, 1, 2, 2]}}, "flow 0 does not lead from rank 0 to 1"),
        ({"paths": {"ptr": [0, 2, 4], "node": [0, 1, 1, 2]}}, "for 2 flows; there are 3"),
        ({"paths": {"ptr": [0, 2, 4, 5], "node": [0, 1, 1, 9, 2]}}, "positions 0 to 3"),
        ({"paths": {"ptr": [0, 4, 6, 7], "node": [0, 1, 0, 1, 1, 2, 2]}}, "flow 0 crosses a link twice"),
    ],
)
def test_bad_questions_are_named(built, wrong, said):
    with pytest.raises(ConfigError, match=said):
        fluid_completion(built("ring:n=4"), GOOD, **wrong)


def test_pairs_without_a_path_are_named(built):
    rails = built("rail:servers=3,gpus=4,core=none")
    with pytest.raises(InfeasibleError, match="no path from gpu-0-0 to gpu-1-1 "):
        fluid_completion(rails, {"source": [0, 0], "target": [4, 5], "bytes": 1.0})
    graph = nx.path_graph(3)
    nx.set_node_attributes(graph, {v: {"kind": "accelerator", "forwards": False} for v in graph})
    with pytest.raises(ConfigError, match="flow 0 crosses a node that does not forward, at 1 to 2"):
        given_paths(Topology.from_graph(graph), [0, 3], [0, 1, 2])


def test_paths_are_general():
    """Shares of any routing: a third over one of two links in a row, by hand."""
    ring = build("ring:n=3,rate_gbps=400,latency_ns=0")
    csr = ring.csr()
    arc = {(int(t), int(h)): i for i, (t, h) in enumerate(zip(csr.tails, csr.heads, strict=True))}
    split = Paths(
        np.array([0, 3]), np.array([arc[0, 1], arc[0, 2], arc[2, 1]], np.int32), np.array([2, 1, 1]) / 3, np.zeros(1),
        np.zeros(1, np.int32),
    )  # fmt: skip
    found = fluid_completion(ring, {"source": [0], "target": [1], "bytes": [3e9]}, paths=split)
    assert found.makespan == pytest.approx(2e9 / 50e9)
    assert maxmin_slack(split.ptr, split.arc, split.share, csr.capacity, None, None, np.array([75e9])) < 1e-15
