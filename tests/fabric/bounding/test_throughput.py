"""Concurrent flow: both bounds enclose the linear program's optimum, and the routings built on it do what they say."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fabric.bounding.throughput import certified, concurrent_flow
from fabric.routing.contraction import contract
from fabric.routing.registry import route
from fabric.routing.router import RoutingOptions
from fabric.simulation import simulate
from fabric.traffic import Traffic
from topologies.graph import Topology
from topologies.registry import build


def on_paths(topology, traffic, paths_of):
    """The optimum over given paths of every pair, by a linear program: (source, target) -> lists of nodes."""
    csr, names = topology.csr(), topology.nodes
    arc = {(names[t], names[h]): a for a, (t, h) in enumerate(zip(csr.tails, csr.heads, strict=True))}
    columns, pair, amounts = [], [], []
    for i, (s, t, amount) in enumerate(zip(*traffic.as_pairs(), strict=True)):
        for path in paths_of(topology.accelerators[s], topology.accelerators[t]):
            use = np.zeros(len(csr.heads))
            use[[arc[step] for step in pairwise(path)]] = 1
            columns.append(use)
            pair.append(i)
        amounts.append(amount)
    own = np.zeros((len(amounts), len(columns) + 1))
    own[pair, np.arange(len(columns))] = 1
    use = np.column_stack([*columns, -csr.capacity / 1e9])
    cost = np.append(np.zeros(len(columns)), 1.0)
    return 1e9 / linprog(cost, use, np.zeros(len(use)), own, amounts, method="highs").fun


def shortest(topology):
    """All shortest paths that cross switches only."""
    forwards = dict(topology.graph.nodes(data="forwards"))

    def between(s, t):
        return nx.all_shortest_paths(topology.graph.subgraph(v for v in forwards if forwards[v] or v in (s, t)), s, t)

    return between


def simple(topology):
    """All paths that cross switches only."""
    forwards = dict(topology.graph.nodes(data="forwards"))

    def between(s, t):
        return nx.all_simple_paths(topology.graph.subgraph(v for v in forwards if forwards[v] or v in (s, t)), s, t)

    return between


def broken_clos():
    """Two-tier Clos of 4 leaves and 3 spines with one leaf-spine link gone."""
    graph = nx.Graph()
    for leaf in range(4):
        graph.add_edges_from((f"gpu-{leaf}-{h}", f"leaf-{leaf}") for h in range(3))
        graph.add_edges_from((f"leaf-{leaf}", f"spine-{s}") for s in range(3) if (leaf, s) != (0, 0))
    for node in graph:
        graph.nodes[node]["kind"] = "accelerator" if node.startswith("gpu") else "switch"
    return Topology.from_graph(graph, rate_gbps=8)


def traffics(n):
    rng = np.random.default_rng(n)
    yield Traffic.uniform(n, 1.0)
    yield Traffic.pairs(n, np.arange(n), (np.arange(n) + n // 2) % n, 1.0)
    yield Traffic.pairs(n, rng.permutation(n), np.roll(rng.permutation(n), 1), rng.random(n) + 0.1)


def peak(topology, loads):
    return float((loads.arcs / topology.csr().capacity).max())


def test_adaptive_around_a_failed_link_is_the_best_split_over_shortest_paths():
    """Leaf 1 reaches leaf 0 over two spines and leaf 2 over three: equal splits of 1 and 2 load its uplinks 2/3, 7/6
    and 7/6, the best split 1 each."""
    topology = broken_clos()
    for traffic in traffics(12):
        if not traffic.total:
            continue
        best = 1 / on_paths(topology, traffic, shortest(topology))
        found = route(topology, traffic, "adaptive", RoutingOptions(gap=1e-3))
        assert best * (1 - 1e-9) <= peak(topology, found) <= best * (1 + 2e-3)
        assert peak(topology, found) <= peak(topology, route(topology, traffic, "ecmp")) * (1 + 1e-9)
    traffic = Traffic.pairs(12, [3, 4, 5], [0, 6, 7], 1.0)
    assert peak(topology, route(topology, traffic, "ecmp")) == pytest.approx(7 / 6 * 1e-9)
    assert peak(topology, route(topology, traffic, "adaptive", RoutingOptions(gap=1e-6))) == pytest.approx(1e-9)


@pytest.mark.parametrize(
    "spec", ["fat-tree:k=4", "ring:n=6", "mesh:dims=3x3", "full-mesh:n=5", "jellyfish:n=6,degree=3,p=1"]
)
def test_bounds_enclose_the_linear_program(spec):
    topology = build(spec)
    for traffic in traffics(len(topology.accelerators)):
        if spec == "fat-tree:k=4" and traffic.is_uniform:
            continue  # too many paths to list
        best = on_paths(topology, traffic, simple(topology))
        found = concurrent_flow(topology, traffic, gap=1e-3)
        assert found.throughput <= best * (1 + 1e-6)
        assert found.upper >= best * (1 - 1e-6)
        assert found.gap <= 1.1e-3, found.method
        optimal = route(topology, traffic, "optimal", RoutingOptions(gap=1e-3))
        assert 1 / peak(topology, optimal) == pytest.approx(best, rel=2e-3)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("torus:dims=4x4x4,rate_gbps=8", 1.0),  # per node: 6 links over 3 hops x 63/64 pairs: 2; bisection: 8/a = 2
        ("ring:n=8,rate_gbps=8", 1.0),  # 8/a links a node
        ("fat-tree:k=4,rate_gbps=8", 1.0),
        ("switch:n=9,rate_gbps=8", 1.0),
        ("dragonfly:p=4,a=8,h=4,rate_gbps=8", 1.0),
    ],
)
def test_closed_forms_of_uniform_traffic(spec, expected):
    topology = build(spec)
    n = len(topology.accelerators)
    found = concurrent_flow(topology, Traffic.uniform(n, 1e9 / (n - 1)))
    grid = topology.grid
    if grid is not None:  # bisection: n/2 ranks send n/2 shares each over 2 n/a links
        expected = 2 * n / max(grid.dims) / (n * n / 4 / (n - 1))
    assert found.throughput == pytest.approx(expected, rel=1e-6)
    assert found.gap <= 1e-6


@pytest.mark.parametrize("blocks", [8, 16, 64])
def test_one_permutation_of_a_full_mesh(blocks):
    """N / (2 (N - 1)) of the uplinks with transit (Poutievski et al., SIGCOMM 2022); 1 / (N - 1) directly."""
    spec = f"full-mesh:n={blocks},rate_gbps=8,latency_ns=0"
    reach = {r: simulate(spec, "permutation", "1GiB", routing=r).algbw_gb_per_s / (blocks - 1) for r in ("te", "ecmp")}
    assert reach["te"] == pytest.approx(blocks / (2 * (blocks - 1)), rel=1e-4)
    assert reach["ecmp"] == pytest.approx(1 / (blocks - 1))


def test_te_carries_half_of_a_block_permutation_on_jupiter():
    """64 blocks with 8 or 9 links a pair, 8 at half way round: 8 + 504 / 2 of 512 links."""
    found = simulate("jupiter-64x512:latency_ns=0", "permutation", "1TiB", routing="te")
    assert found.algbw_gb_per_s == pytest.approx(260 / 512 * 50, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(5, 12), st.sampled_from([3, 4]))
def test_more_capacity_never_lowers_the_bound_and_relabelling_changes_nothing(seed, n, degree):
    n += n * degree % 2
    graph = nx.random_regular_graph(degree, n, seed=seed)
    if not nx.is_connected(graph):
        return
    rng = np.random.default_rng(seed)
    traffic = Traffic.pairs(n, np.arange(n), np.roll(np.arange(n), 1), rng.random(n) + 0.1)
    first = concurrent_flow(Topology.from_graph(graph, rate_gbps=8), traffic, gap=1e-3)
    edge = list(graph.edges)[seed % graph.number_of_edges()]
    graph.edges[edge]["rate_gbps"] = 16
    wider = concurrent_flow(Topology.from_graph(graph, rate_gbps=8), traffic, gap=1e-3)
    assert wider.upper >= first.throughput * (1 - 1e-9)
    assert first.throughput <= first.upper
    one = concurrent_flow(Topology.from_graph(graph, rate_gbps=8), traffic, gap=1e-3, threads=1)
    np.testing.assert_array_equal(one.loads, wider.loads)
    order = rng.permutation(n)
    moved = nx.Graph()
    moved.add_nodes_from(order.tolist())
    moved.add_edges_from(graph.edges(data=True))
    place = np.argsort(order)
    pairs = traffic.as_pairs()
    renamed = Traffic.pairs(n, place[pairs[0]], place[pairs[1]], pairs[2])
    other = concurrent_flow(Topology.from_graph(moved, rate_gbps=8), renamed, gap=1e-3)
    assert other.throughput <= wider.upper * (1 + 1e-9)
    assert other.upper >= wider.throughput * (1 - 1e-9)


def test_free_certificates_meet_where_shape_decides():
    for spec in ("torus:dims=4x4x8,twist=true", "fat-tree:k=8", "nvl72", "rail:servers=16,gpus=8"):
        topology = build(spec)
        assert certified(topology, Traffic.uniform(len(topology.accelerators), 1.0)).gap == 0, spec


def test_path_limited_routings_are_never_better_than_optimal():
    topology = build("jellyfish:n=20,degree=4,p=2,seed=3")
    n = len(topology.accelerators)
    traffic = Traffic.pairs(n, np.arange(n), np.roll(np.arange(n), 7), 1.0)
    best = peak(topology, route(topology, traffic, "optimal", RoutingOptions(gap=1e-3)))
    for name in ("ksp:1", "ksp:4", "ksp:16", "vlb:4", "ecmp", "adaptive", "ugal", "valiant", "hash", "dmodk"):
        assert peak(topology, route(topology, traffic, name)) >= best * (1 - 2e-3), name
    assert contract(topology).folded
