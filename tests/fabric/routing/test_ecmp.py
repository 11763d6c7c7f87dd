"""Equal splits over shortest paths against a twin, pair by pair with NetworkX."""


import networkx as nx
import numpy as np
import pytest

from fabric.routing.contraction import contract
from fabric.routing.registry import route
from fabric.routing.router import RoutingOptions
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.registry import build

SPECS = [
    "clos:hosts=12,switch=qm9700,oversubscription=2,tiers=2", "clos:hosts=48,rate_gbps=800,switch=qm9700,tiers=2",
    "fat-tree:k=4",
    "clos:hosts=10,planes=2", "rail:servers=3,gpus=4", "rail:servers=4,gpus=4,rails=2,planes=2",
    "nvl:gpus=9,links=18,switches=4",
    "nvl:gpus=8,links=2,layers=2", "jupiter:blocks=5,uplinks=6,hosts=2", "torus:dims=4x3,wrap=truexfalse",
    "full-mesh:n=6",
    "torus:dims=4x4x8,twist=true", "ring:n=2", "tpu-pod:slice=4x4x4",
]  # fmt: skip


def ecmp(topology, traffic):
    """Loads by arc, the slowest and the mean latency: one search for each pair, an equal split over next-hop links."""
    csr, graph, names = topology.csr(), topology.graph, topology.nodes
    delay = dict(zip(names, csr.node_latency.tolist(), strict=True))
    arc = {(names[t], names[h]): i for i, (t, h) in enumerate(zip(csr.tails, csr.heads, strict=True))}
    loads, slowest, bytes_s = np.zeros(len(csr.heads)), 0.0, 0.0
    for s, t, amount in zip(*(a.tolist() for a in traffic.as_pairs()), strict=True):
        if not amount:
            continue
        source, target = topology.accelerators[s], topology.accelerators[t]
        usable = graph.subgraph(list(open_to(topology, source, target)))
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


def open_to(topology, source, target):
    """Both ends, and the nodes between: those that forward, of tier 0 alone inside one of several domains."""
    nodes = topology.graph.nodes
    domain = nodes[source].get("domain")
    stays = len(topology.domains) > 1 and domain is not None and domain == nodes[target].get("domain")
    yield from (source, target)  # once more where they forward
    yield from (v for v, a in nodes(data=True) if a["forwards"] and not (stays and a["tier"]))


def check(topology, traffic):
    found = route(topology, traffic, "ecmp")
    loads, slowest, mean = ecmp(topology, traffic)
    np.testing.assert_allclose(found.arcs, loads, rtol=1e-9, atol=1e-12)
    assert found.latency_s == pytest.approx(slowest, rel=1e-9)
    assert found.mean_latency_s == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_ecmp_is_the_split_pair_by_pair(spec, patterns):
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
def test_ecmp_on_random_graphs(seed, patterns):
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
def test_no_third_accelerator_relays(spec, patterns):
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


@pytest.mark.parametrize("spec", ["clos:hosts=100", "rail:servers=12", "torus:dims=4x8x8,twist=true"])
def test_threads_do_not_change_a_bit(spec, patterns):
    topology = build(spec)
    for traffic in patterns(len(topology.accelerators)):
        one, two = (route(topology, traffic, "ecmp", RoutingOptions(threads=k)) for k in (1, 2))
        assert np.array_equal(one.arcs, two.arcs)
        assert (one.latency_s, one.mean_latency_s) == (two.latency_s, two.mean_latency_s)
