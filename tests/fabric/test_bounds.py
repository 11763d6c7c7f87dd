"""Bounds against closed forms, published optima, linear programs over cuts, and every algorithm that is simulated."""

from fractions import Fraction
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.algorithms import ALGORITHMS
from fabric.bounding.cuts import cut_name, entering, partitions, whole_capacity
from fabric.bounds import collective_bound
from fabric.collectives import COLLECTIVES, collective
from fabric.simulation import simulate
from fabric.timing import Assumptions, choose
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology

ZOO = [
    "ring:n=7", "torus:dims=4x3x2", "mesh:dims=4x3", "torus:dims=4x4x8,twist=true", "full-mesh:n=5", "fat-tree:k=4",
    "nvl72", "rail:servers=3,gpus=4", "clos:hosts=70", "jupiter:blocks=4,uplinks=6,hosts=2", "switch:n=9",
    "clos:hosts=96,oversubscription=3,tiers=2", "rail:servers=3,gpus=4,core=none",
    "mesh:dims=6", "torus:dims=8x4",
]  # fmt: skip


def servers(count, size=8):
    """Servers whose accelerators share one switch inside, by 12 links of 25 GB/s, and one outside, by one."""
    graph = nx.Graph()
    graph.add_nodes_from((f"gpu-{s}-{g}" for s in range(count) for g in range(size)), kind="accelerator")
    for s in range(count):
        for g in range(size):
            graph.nodes[f"gpu-{s}-{g}"]["domain"] = f"host{s}"
            graph.add_edge(f"gpu-{s}-{g}", f"nvswitch-{s}", rate_gbps=200, count=12)
            graph.add_edge(f"gpu-{s}-{g}", "fabric", rate_gbps=200)
    for node in graph:
        if not node.startswith("gpu"):
            graph.nodes[node]["kind"] = "switch"
    return Topology.from_graph(graph)


def bound(topology, name="all-gather", **options):
    return collective_bound(topology, collective(name, len(topology.accelerators)), **options)


def rate(topology, name="all-gather"):
    """x*: what each rank's shard flows at, GB/s."""
    return 1 / (bound(topology, name).per_byte_s * len(topology.accelerators) * 1e9)


@pytest.mark.parametrize(
    ("count", "ratio"), [(2, Fraction(65, 3)), (4, Fraction(25, 3)), (128, Fraction(25, 127))]
)  # fmt: skip
def test_dgx_a100_clusters_equal_forestcoll(count, ratio):
    assert rate(servers(count)) == pytest.approx(float(ratio), rel=1e-14)
    assert rate(servers(count), "reduce-scatter") == pytest.approx(float(ratio), rel=1e-14)


@pytest.mark.parametrize(("dims", "ratio"), [("4x4x4", Fraction(2, 21)), ("16x16x16", Fraction(2, 1365))])
def test_tori_equal_forestcoll(built, dims, ratio):
    assert rate(built(f"torus:dims={dims},rate_gbps=8")) == pytest.approx(float(ratio), rel=1e-14)


@pytest.mark.parametrize(
    ("spec", "out"),
    [("ring:n=8", 100), ("torus:dims=4x4x4", 300), ("full-mesh:n=5", 200), ("fat-tree:k=4", 50), ("switch:n=9", 50)],
)
def test_closed_forms_where_an_accelerators_own_links_bind(built, spec, out):
    topology = built(spec)
    n = len(topology.accelerators)
    share = (n - 1) / n
    for name, bytes_in in {"all-gather": share, "reduce-scatter": share, "broadcast": 1, "reduce": 1}.items():
        got = bound(topology, name)
        assert got.per_byte_s == pytest.approx(bytes_in / out / 1e9) and got.attained and got.gap == 0
        assert "own" in got.why
    reduced = bound(topology, "all-reduce", in_network=False)
    assert reduced.per_byte_s == pytest.approx(2 * share / out / 1e9) and reduced.attained and reduced.gap == 0


@pytest.mark.parametrize("spec", ["ring:n=8", "torus:dims=4x4x4", "fat-tree:k=4", "switch:n=9", "mesh:dims=6"])
def test_algorithms_come_close_to_the_bound(built, spec):
    for name in ("all-gather", "all-reduce"):
        took = simulate(built(spec), name, "1TiB").time_us * 1e-6
        assert took < 1.21 * bound(built(spec), name, in_network=False).time_s(2**40)


@pytest.mark.parametrize("spec", ZOO)
def test_no_algorithm_is_faster_than_the_bound(built, spec):
    topology = built(spec)
    n = len(topology.accelerators)
    for name in COLLECTIVES:
        least = {reduce: bound(topology, name, in_network=reduce) for reduce in (False, True)}
        for found in least.values():
            assert found.per_byte_s > 0 and found.latency_s >= 0 and 0 <= found.gap <= 1 and found.why
        for algorithm in ALGORITHMS:
            try:
                plan = choose(topology, collective(name, n), 1.0, Assumptions(algorithm))
            except InfeasibleError:
                continue
            lower = least[plan.schedule.ends > n]  # switches are ends of what reduces in them
            for size in (1, 2**20, 2**40):
                assert plan.time_s(size) >= lower.time_s(size) * (1 - 1e-9), (name, algorithm, size)


@pytest.mark.parametrize("spec", ZOO)
def test_the_cut_proves_the_bound(built, spec):
    topology = built(spec)
    csr, n = topology.csr(), len(topology.accelerators)
    for name in ("all-gather", "reduce-scatter", "broadcast", "reduce"):
        got = bound(topology, name)
        ranks = got.cut[csr.accelerators].astype(bool)
        into = csr.capacity[(got.cut[csr.tails] == 1) & (got.cut[csr.heads] == 0)].sum()
        assert ranks.any() and not ranks.all()
        amount = ranks.sum() / n if name in ("all-gather", "reduce-scatter") else 1.0
        assert got.per_byte_s == pytest.approx(amount / into)


def test_with_reduction_inside_an_all_reduce_crosses_each_link_once(built):
    topology = built("switch:n=9")
    got = bound(topology, "all-reduce", in_network=True)
    assert got.per_byte_s == pytest.approx(1 / 50e9) and got.attained and got.in_network
    assert bound(topology, "all-reduce").in_network is False
    rack = built("nvl72")
    assert bound(rack, "all-reduce").per_byte_s == pytest.approx(1 / 900e9)
    assert bound(rack, "all-reduce").attained and bound(rack, "all-reduce").in_network
    assert bound(rack, "all-reduce", in_network=False).per_byte_s == pytest.approx(2 * 71 / 72 / 900e9)


def test_reduction_inside_servers_alone_keeps_the_bound_between_them():
    topology = servers(4)
    for s in range(4):
        topology.graph.nodes[f"nvswitch-{s}"]["reduces"] = True
    got = bound(topology, "all-reduce")
    assert got.in_network and got.attained
    assert got.per_byte_s == pytest.approx(2 * 3 / (4 * 200e9))
    assert bound(topology, "all-reduce", in_network=True).per_byte_s == pytest.approx(1 / 200e9)


def test_all_reduce_is_closed_by_servers_that_tile_the_ranks():
    topology = servers(16)
    got = bound(topology, "all-reduce")
    assert got.attained and got.per_byte_s == pytest.approx(2 * bound(topology).per_byte_s)
    assert got.why.startswith("the adapters of host")


def test_all_reduce_is_closed_by_pods_that_no_label_names():
    graph = nx.Graph()
    for pod in range(3):
        for leaf in range(2):
            for host in range(3):
                graph.add_edge(("acc", pod, leaf, host), ("leaf", pod, leaf), rate_gbps=80)
            graph.add_edge(("leaf", pod, leaf), ("pod", pod), rate_gbps=80)
        graph.add_edge(("pod", pod), ("core",), rate_gbps=8)
    for node in graph:
        graph.nodes[node]["kind"] = "accelerator" if node[0] == "acc" else "switch"
    got = bound(Topology.from_graph(graph), "all-reduce")
    assert got.attained and got.per_byte_s == pytest.approx(2 * 2 / 3e9)
    assert got.why.startswith("('pod', ") and "uplinks" in got.why


def test_an_uneven_fabric_gets_an_interval_that_says_so(built):
    got = bound(built("mesh:dims=4x3"), "all-reduce")
    assert 0 < got.gap < 0.5 and not got.attained
    assert got.per_byte_s / (1 - got.gap) <= 2 * bound(built("mesh:dims=4x3")).per_byte_s * (1 + 1e-12)


def gossip_least(n):
    """Fewest one-way messages after which all of n nodes know all, by search over what each knows."""
    start = tuple(1 << v for v in range(n))
    seen, wave, steps = {start}, [start], 0
    while not any(all(k == 2**n - 1 for k in known) for known in wave):
        following = set()
        for known in wave:
            for a in range(n):
                for b in range(n):
                    after = list(known)
                    after[b] |= known[a]
                    following.add(tuple(sorted(after)))
        wave, steps = [f for f in following if f not in seen], steps + 1
        seen |= following
    return steps


@pytest.mark.parametrize("k", [2, 3, 4])
def test_groups_need_two_messages_each_but_one(k):
    assert gossip_least(k) == 2 * (k - 1)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_of_any_graph_are_in_order(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 10))
    graph = nx.gnm_random_graph(n, 2 * n, seed=int(rng.integers(2**31)))
    graph.add_edges_from((v, (v + 1) % n) for v in range(n))
    for edge in graph.edges:
        graph.edges[edge]["rate_gbps"] = float(rng.choice([100, 200, 400, 106.25]))
    topology = Topology.from_graph(graph)
    gather, spread, reduce = (bound(topology, name) for name in ("all-gather", "broadcast", "all-reduce"))
    assert gather.per_byte_s >= spread.per_byte_s / 2 * (1 - 1e-12)  # one side of a cut holds half the ranks
    assert gather.per_byte_s <= spread.per_byte_s * (1 + 1e-12)
    assert spread.per_byte_s <= reduce.per_byte_s * (1 + 1e-12)
    assert reduce.per_byte_s <= 2 * gather.per_byte_s * (1 + 1e-12)
    wider = Topology.from_graph(nx.Graph((a, b, {"rate_gbps": 2 * d["rate_gbps"]}) for a, b, d in graph.edges.data()))
    assert bound(wider).per_byte_s * 2 == pytest.approx(gather.per_byte_s)


def exact_cut(topology, amount):
    """Longest time over all sets of ranks of a direct fabric, by brute force."""
    csr, n = topology.csr(), len(topology.accelerators)
    worst = 0.0
    for size in range(1, n):
        for held in combinations(range(n), size):
            side = np.zeros(n, bool)
            side[list(held)] = True
            out = csr.capacity[side[csr.tails] & ~side[csr.heads]].sum()
            worst = max(worst, amount(side) / out)
    return worst


@pytest.mark.parametrize("spec", ["mesh:dims=4x3", "ring:n=7", "torus:dims=4x2", "mesh:dims=6", "full-mesh:n=5"])
def test_exact_over_all_cuts(built, spec):
    topology = built(spec)
    n = len(topology.accelerators)
    assert bound(topology).per_byte_s == pytest.approx(exact_cut(topology, lambda side: side.sum() / n))
    assert bound(topology, "broadcast").per_byte_s == pytest.approx(exact_cut(topology, lambda side: float(side[0])))


def test_traffic_that_halves_of_a_torus_exchange(built):
    got = bound(built("torus:dims=8x4"), "all-to-all")
    assert got.per_byte_s == pytest.approx(16 * 16 / 32 / (8 * 50e9)) and "across dimension x" in got.why
    assert bound(built("ring:n=8"), "send-recv").per_byte_s >= 1 / 100e9 * (1 - 1e-12)


def test_latency_is_that_of_the_longest_shortest_path(built):
    hop = bound(built("ring:n=2"), "all-gather").latency_s
    assert hop > 0
    assert bound(built("ring:n=9"), "all-reduce").latency_s == pytest.approx(4 * hop)
    assert bound(built("torus:dims=4x4x4"), "broadcast").latency_s == pytest.approx(6 * hop)
    assert bound(built("mesh:dims=6"), "permutation").latency_s == pytest.approx(3 * hop)


def test_odd_rates_are_whole_numbers(built):
    graph = nx.cycle_graph(3)
    for edge, value in zip(graph.edges, (106.25, 400.0, 1 / 3), strict=True):
        graph.edges[edge]["rate_gbps"] = value
    topology = Topology.from_graph(graph)
    whole, unit = whole_capacity(topology)
    np.testing.assert_allclose(whole * float(unit), topology.csr().capacity, rtol=1e-12)
    wide = nx.cycle_graph(9)
    for i, edge in enumerate(wide.edges):
        wide.edges[edge]["rate_gbps"] = float(100 * np.sqrt(i + 2))
    topology = Topology.from_graph(wide)
    whole, unit = whole_capacity(topology)
    ratio = whole * float(unit) / topology.csr().capacity
    assert ratio.min() > 1 - 1e-12 and ratio.max() < 1 + 1e-8


def test_groups_take_the_switches_that_lean_on_them():
    topology = servers(3)
    alone, domain = partitions(topology)
    assert entering(topology, alone).tolist() == [13] * 24
    assert entering(topology, domain).tolist() == [8] * 3
    assert domain[topology.index["nvswitch-1"]] == 1 and domain[topology.index["fabric"]] == -1


def test_cuts_have_names(built):
    mesh = built("mesh:dims=4x3")
    half = (np.arange(12) % 4 < 2).astype(np.uint8)
    assert cut_name(mesh, half) == "half of the mesh across dimension x: 3 links, 150 GB/s each way"
    tree = built("fat-tree:k=4")
    leaf = np.zeros(len(tree.nodes), np.uint8)
    leaf[[tree.index[name] for name in (*tree.accelerators[:2], "leaf-0")]] = 1
    assert cut_name(tree, leaf) == "leaf-0's uplinks: 2 links, 100 GB/s each way"
    odd = np.zeros(12, np.uint8)
    odd[[0, 5]] = 1
    assert cut_name(mesh, odd).startswith("between 2 accelerators (")


def test_a_gap_is_a_share(built):
    with pytest.raises(ConfigError, match="gap"):
        bound(built("ring:n=7"), gap=0.0)
