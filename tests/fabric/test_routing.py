"""Routing against its twins: equal-cost splits pair by pair with NetworkX, dimension order hop by hop."""

from dataclasses import replace
from importlib import import_module
from math import prod

import networkx as nx
import numpy as np
import pytest

from fabric.routing import RoutingOptions, contract, resolve, route
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.registry import build

grid_module = import_module("fabric.routing.grid")

SPECS = [
    "clos:hosts=12,switch=qm9700,oversubscription=2,tiers=2", "clos:hosts=48,rate_gbps=800,switch=qm9700,tiers=2",
    "fat-tree:k=4",
    "clos:hosts=10,planes=2", "rail:servers=3,gpus=4", "rail:servers=4,gpus=4,rails=2,planes=2",
    "nvl:gpus=9,links=18,switches=4",
    "nvl:gpus=8,links=2,layers=2", "jupiter:blocks=5,uplinks=6,hosts=2", "torus:dims=4x3,wrap=truexfalse",
    "full-mesh:n=6",
    "torus:dims=4x4x8,twist=true", "ring:n=2", "tpu-pod:slice=4x4x4",
]  # fmt: skip


def patterns(n, seed=0):
    """Uniform, grouped, permuted and random traffic."""
    rng = np.random.default_rng(seed)
    ranks = np.arange(n)
    some = rng.integers(0, n, (2, min(3 * n, 60)))
    yield Traffic.uniform(n, 1 / n)
    yield Traffic.within([ranks[: n // 2], ranks[n // 2 :]], n, 0.5)
    yield Traffic.pairs(n, ranks, (ranks + 1) % n, 2.0)
    yield Traffic.pairs(n, some[0], some[1], rng.random(some.shape[1]))


def ecmp(topology, traffic):
    """Loads by arc, the slowest and the mean latency: one search for each pair, an equal split over next-hop links."""
    csr, graph, names = topology.csr(), topology.graph, topology.nodes
    forwards = dict(graph.nodes(data="forwards"))
    delay = dict(zip(names, csr.node_latency.tolist(), strict=True))
    arc = {(names[t], names[h]): i for i, (t, h) in enumerate(zip(csr.tails, csr.heads, strict=True))}
    loads, slowest, bytes_s = np.zeros(len(csr.heads)), 0.0, 0.0
    for s, t, amount in zip(*(a.tolist() for a in traffic.as_pairs()), strict=True):
        if not amount:
            continue
        source, target = topology.accelerators[s], topology.accelerators[t]
        usable = graph.subgraph([v for v in graph if forwards[v] or v in (source, target)])
        hops = nx.single_source_shortest_path_length(usable, target)
        if source not in hops:
            raise InfeasibleError(f"{source} {target}")
        at, worst = {source: amount}, {source: 0.0}
        for level in range(hops[source], 0, -1):
            for node in [v for v in at if hops[v] == level]:
                onwards = [v for v in usable[node] if hops.get(v, level) == level - 1]
                links = sum(graph.edges[node, v]["count"] for v in onwards)
                for v in onwards:
                    share = at[node] * graph.edges[node, v]["count"] / links
                    through = csr.latency[arc[node, v]] + (delay[v] if v != target else 0.0)
                    loads[arc[node, v]] += share
                    bytes_s += share * through
                    at[v] = at.get(v, 0.0) + share
                    worst[v] = max(worst.get(v, 0.0), worst[node] + through)
        slowest = max(slowest, worst[target])
    return loads, slowest, bytes_s / traffic.total if traffic.total else 0.0


def check(topology, traffic):
    found = route(topology, traffic, "ecmp")
    loads, slowest, mean = ecmp(topology, traffic)
    np.testing.assert_allclose(found.arcs, loads, rtol=1e-9, atol=1e-12)
    assert found.latency_s == pytest.approx(slowest, rel=1e-9)
    assert found.mean_latency_s == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_ecmp_is_the_split_pair_by_pair(spec):
    topology = build(spec)
    n = len(topology.accelerators)
    for traffic in patterns(n) if n <= 30 else list(patterns(n))[3:]:
        check(topology, traffic)


def random_topology(seed):
    """Switches at random with parallel links; accelerators on one or two of them, unequal links, some that forward."""
    rng = np.random.default_rng(seed)
    switches = int(rng.integers(2, 7))
    graph = nx.gnp_random_graph(switches, 0.5, seed=seed)
    graph.add_edges_from(nx.path_graph(switches).edges)
    for edge in graph.edges:
        graph.edges[edge].update(count=int(rng.integers(1, 4)), latency_ns=float(rng.integers(10, 500)))
    for node in graph:
        graph.nodes[node].update(kind="switch", part=str(rng.choice(["qm9700", "sn5600"])))
    even = seed % 2 == 0
    for i in range(int(rng.integers(3, 10))):
        graph.add_node(f"a{i}", kind="accelerator", forwards=bool(not even and rng.random() < 0.3))
        for home in rng.choice(switches, 1 if even else int(rng.integers(1, 3)), replace=False):
            latency = 100.0 if even else float(rng.integers(10, 500))
            graph.add_edge(f"a{i}", int(home), count=int(rng.integers(1, 3)), latency_ns=latency)
    return Topology.from_graph(graph)


@pytest.mark.parametrize("seed", range(24))
def test_ecmp_on_random_graphs(seed):
    topology = random_topology(seed)
    for traffic in patterns(len(topology.accelerators), seed):
        check(topology, traffic)


def test_folding_takes_place_where_it_may():
    assert len(contract(build("fat-tree:k=4")).indptr) - 1 == 20
    assert len(contract(build("ring:n=5")).indptr) - 1 == 5
    servers = build("rail:servers=3,gpus=4")
    assert len(contract(servers).indptr) - 1 == len(servers.nodes)


def test_equal_sums_of_unequal_delays_are_told_apart():
    """600 ns of link and 200 ns of switch add up to as much as 200 and 600, but a path may end at both kinds."""
    graph = nx.Graph()
    graph.add_node("p", kind="switch", part="qm9700")
    graph.add_node("q", kind="switch", part="sn5600")
    graph.add_edge("p", "q", latency_ns=50)
    for i in range(4):
        graph.add_node(f"a{i}", kind="accelerator")
        graph.add_edge(f"a{i}", "p" if i < 2 else "q", latency_ns=600 if i < 2 else 200)
    topology = Topology.from_graph(graph)
    check(topology, Traffic.uniform(4, 1.0))
    assert route(topology, Traffic.pairs(4, [0], [2], 1.0), "ecmp").latency_s == pytest.approx(
        (600 + 200 + 50 + 600 + 200) * 1e-9
    )


def test_parallel_links_take_a_share_each():
    graph = nx.Graph()
    graph.add_nodes_from("ab", kind="accelerator")
    graph.add_nodes_from("stu", kind="switch")
    for middle, count in (("s", 1), ("t", 2), ("u", 5)):
        graph.add_edge("a", middle, count=count)
        graph.add_edge(middle, "b", count=count)
    topology = Topology.from_graph(graph)
    arcs = route(topology, Traffic.pairs(2, [0], [1], 8.0), "ecmp").arcs
    csr = topology.csr()
    assert {topology.nodes[h]: arcs[i] for i, h in enumerate(csr.heads) if csr.tails[i] == 0} == {
        "s": 1.0,
        "t": 2.0,
        "u": 5.0,
    }


@pytest.mark.parametrize(
    "spec", ["rail:servers=8", "rail:servers=4,oversubscription=3", "nvl72-x8:servers=2", "clos:hosts=40"]
)
def test_no_third_accelerator_relays(spec):
    """What leaves and enters an accelerator is its own: direct traffic never crosses another."""
    topology = build(spec)
    n = len(topology.accelerators)
    csr = topology.csr()
    for traffic in patterns(n):
        arcs = route(topology, traffic, "ecmp").arcs
        out = np.bincount(csr.tails, arcs, minlength=len(topology.nodes))[csr.accelerators]
        into = np.bincount(csr.heads, arcs, minlength=len(topology.nodes))[csr.accelerators]
        np.testing.assert_allclose(out, traffic.sent, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(into, traffic.received, rtol=1e-9, atol=1e-12)


def test_what_enters_a_switch_leaves_it():
    topology = build("dgx-h100-superpod-256")
    csr = topology.csr()
    arcs = route(topology, Traffic.uniform(256, 1.0), "ecmp").arcs
    balance = np.bincount(csr.heads, arcs, minlength=len(topology.nodes)) - np.bincount(
        csr.tails, arcs, minlength=len(topology.nodes)
    )
    np.testing.assert_allclose(balance, 0, atol=1e-7)


def test_rails_that_nothing_joins_are_infeasible():
    topology = build("rail:servers=3,gpus=4,core=none")
    with pytest.raises(InfeasibleError, match=r"no path from gpu-.* crosses switches only; relay inside the domain"):
        route(topology, Traffic.uniform(12, 1.0), "ecmp")
    along = Traffic.within(np.arange(12).reshape(3, 4).T, 12, 1.0)
    check(topology, along)
    with pytest.raises(InfeasibleError, match="no path from gpu-0-0 to gpu-1-1 "):
        route(topology, Traffic.pairs(12, [0], [5], 1.0), "ecmp")


def dor(dims, wraps, traffic, split):
    """{(rank, rank): bytes}: every pair walked a dimension after the other, half each way at a tie."""
    strides = np.concatenate([[1], np.cumprod(dims)[:-1]])
    loads = {}
    for s, t, amount in zip(*(a.tolist() for a in traffic.as_pairs()), strict=True):
        at = s
        for size, stride, wrap in zip(dims, strides.tolist(), wraps, strict=True):
            here, there = at // stride % size, t // stride % size
            ahead = (there - here) % size
            ways = [(1, ahead, amount)] if ahead else []
            if not wrap:
                ways = [(1 if there > here else -1, abs(there - here), amount)]
            elif 2 * ahead > size:
                ways = [(-1, size - ahead, amount)]
            elif 2 * ahead == size and split:
                ways = [(1, ahead, amount / 2), (-1, ahead, amount / 2)]
            for way, steps, share in ways:
                place = here
                for _ in range(steps):
                    following = (place + way) % size
                    pair = (at + (place - here) * stride, at + (following - here) * stride)
                    loads[pair] = loads.get(pair, 0.0) + share
                    place = following
            at += (there - here) * stride
    return loads


@pytest.mark.parametrize("tie", ["split", "positive"])
@pytest.mark.parametrize(
    ("spec", "wraps"),
    [
        ("ring:n=2", (1,)), ("ring:n=5", (1,)), ("ring:n=6", (1,)), ("torus:dims=4x3", (1, 1)),
        ("torus:dims=2x2x2", (1, 1, 1)),
        ("torus:dims=4x1x2", (1, 1, 1)), ("torus:dims=4x4,wrap=truexfalse", (1, 0)), ("mesh:dims=3x4", (0, 0)),
        ("mesh:dims=2x3x2", (0, 0, 0)), ("torus:dims=4x2x3,wrap=falsextruextrue", (0, 1, 1)),
    ],
)  # fmt: skip
def test_dimension_order_hop_by_hop(spec, wraps, tie):
    topology = build(spec)
    csr, dims = topology.csr(), topology.grid.dims
    assert resolve(topology, "auto") == "dor"
    for traffic in patterns(prod(dims)):
        expected = dor(dims, wraps, traffic, tie == "split")
        found = route(topology, traffic, "dor", RoutingOptions(tie=tie)).arcs
        wanted = [expected.get((int(t), int(h)), 0.0) for t, h in zip(csr.tails, csr.heads, strict=True)]
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
        assert found.sum() == pytest.approx(sum(expected.values()))


@pytest.mark.parametrize("few_lists", [0, 256])
@pytest.mark.parametrize("tie", ["split", "positive"])
@pytest.mark.parametrize("spec", ["torus:dims=4x3x2,latency_ns=10", "mesh:dims=3x5", "ring:n=6,latency_ns=7"])
def test_sums_are_the_pairs(spec, tie, few_lists, monkeypatch):
    """Groups, a rank-one demand, a matrix and a few pairs: by sums a dimension as by a walk of every pair."""
    topology = build(spec)
    n = len(topology.accelerators)
    rng = np.random.default_rng(n)
    ranks = np.arange(n)
    source, target = np.divmod(np.arange(n * n), n)
    traffics = [
        Traffic.within([ranks[: n // 2], ranks[n // 2 :]], n, 0.5),
        Traffic.pairs(n, source, target, rng.random(n * n)),
        Traffic.pairs(n, [0, 1], [1, 3], [1.0, 0.0]),
        replace(Traffic.uniform(n, 1.0), list_amount=rng.random(n), entry_scale=rng.integers(0, 3, n).astype(float)),
    ]
    for traffic in traffics:
        options = RoutingOptions(tie=tie)
        walked = route(topology, traffic, "dor", options)
        with monkeypatch.context() as patch:
            patch.setattr(grid_module, "WALKED", -1)
            patch.setattr(grid_module, "FEW_LISTS", few_lists)
            summed = route(topology, traffic, "dor", options)
        np.testing.assert_allclose(summed.arcs, walked.arcs, rtol=1e-12, atol=1e-12)
        assert summed.latency_s == pytest.approx(walked.latency_s, rel=1e-12)
        assert summed.mean_latency_s == pytest.approx(walked.mean_latency_s, rel=1e-12)


def test_halves_of_a_pod_need_no_pairs():
    """Two halves of a 16 x 16 x 16 torus, 8 million pairs: in x each talks as a whole torus does."""
    topology = build("torus:dims=16x16x16")
    half = 16**3 // 2
    arcs = route(topology, Traffic.within(np.arange(16**3).reshape(2, -1), 16**3, 1.0), "dor").arcs
    csr = topology.csr()
    along_x = arcs[csr.tails // 16 == csr.heads // 16]
    steps = sum(range(1, 8)) + 8 / 2  # up a ring of 16 from one place to all others, half of the furthest
    np.testing.assert_allclose(along_x, half * steps / 16)


def test_latency_of_dimension_order():
    topology = build("torus:dims=4x6,latency_ns=10")
    assert route(topology, Traffic.uniform(24, 1.0), "dor").latency_s == pytest.approx((2 + 3) * 10e-9)
    assert route(topology, Traffic.pairs(24, [0], [5], 1.0), "dor").latency_s == pytest.approx(
        2 * 10e-9
    )  # (0,0) to (1,1)
    assert route(topology, Traffic.pairs(24, [0], [20], 1.0), "dor").mean_latency_s == pytest.approx(
        10e-9
    )  # (0,0) to (0,5)


def test_auto_picks_by_geometry():
    assert resolve(build("torus:dims=4x4x8,twist=true"), "auto") == "ecmp"
    assert resolve(build("fat-tree:k=4"), "auto") == "ecmp"
    assert resolve(build("mesh:dims=4x4"), "auto") == "dor"
    assert resolve(build("mesh:dims=4x4"), "ecmp") == "ecmp"


@pytest.mark.parametrize(
    ("spec", "routing", "said"),
    [
        ("fat-tree:k=4", "dor", "it is no grid; use ecmp"),
        ("torus:dims=4x4x8,twist=true", "dor", "its wraparound is twisted; use ecmp"),
        ("fat-tree:k=4", "ecpm", "did you mean 'ecmp'"),
    ],
)
def test_refused(spec, routing, said):
    with pytest.raises(ConfigError) as error:
        resolve(build(spec), routing)
    assert said in str(error.value)


def test_an_unknown_tie_is_refused():
    with pytest.raises(ConfigError, match="tie 'even' is not one of split, positive"):
        route(build("ring:n=4"), Traffic.uniform(4, 1.0), "dor", RoutingOptions(tie="even"))


@pytest.mark.parametrize("spec", ["clos:hosts=100", "rail:servers=12", "torus:dims=4x8x8,twist=true"])
def test_threads_do_not_change_a_bit(spec):
    topology = build(spec)
    for traffic in patterns(len(topology.accelerators)):
        one, two = (route(topology, traffic, "ecmp", RoutingOptions(threads=k)) for k in (1, 2))
        assert np.array_equal(one.arcs, two.arcs)
        assert (one.latency_s, one.mean_latency_s) == (two.latency_s, two.mean_latency_s)
