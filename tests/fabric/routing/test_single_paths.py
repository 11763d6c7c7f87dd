"""D-mod-K and hashing, one path a flow, against walks pair by pair and chances on paper."""

import networkx as nx
import numpy as np
import pytest

from fabric.routing import hashing
from fabric.routing.contraction import contract
from fabric.routing.dmodk import divisors
from fabric.routing.leaves import leaves
from fabric.routing.parallel import scale_up
from fabric.routing.registry import route
from fabric.routing.router import RoutingOptions
from fabric.simulation import simulate
from fabric.traffic import Traffic
from topologies.graph import Topology
from topologies.registry import build

SPECS = [
    "clos:hosts=12,switch=qm9700,oversubscription=2,tiers=2", "clos:hosts=40,rate_gbps=800,switch=qm9700,tiers=2",
    "fat-tree:k=4", "clos:hosts=10,planes=2", "rail:servers=3,gpus=4", "nvl:gpus=9,links=18,switches=4",
    "jupiter:blocks=5,uplinks=6,hosts=2", "torus:dims=4x3", "full-mesh:n=6", "ring:n=2",
    "dragonfly:p=1,a=2,h=2", "jellyfish:n=7,degree=3,p=2", "xpander:n=8,degree=3,p=1",
]  # fmt: skip


def peaks_of(csr, links):
    peaks = np.zeros(len(csr.heads))
    for (arc, _), load in links.items():
        peaks[arc] = max(peaks[arc], load * csr.links[arc])
    return peaks


@pytest.mark.parametrize("spec", SPECS)
def test_dmodk_is_the_walk_pair_by_pair(spec, patterns, ends, shortest):
    topology = build(spec)
    plain, csr = shortest(topology), topology.csr()
    stages = np.ones(len(csr.heads), int)
    stages[contract(topology).arcs] = divisors(topology)
    for traffic in patterns(len(topology.accelerators)):
        links, slowest, bytes_s = {}, 0.0, 0.0
        for source, target, t, amount in ends(topology, traffic):
            path = plain.walk(source, target, lambda hops, t=t: hops[t // stages[hops[0][0]] % len(hops)])
            for link in path:
                links[link] = links.get(link, 0.0) + amount
            slowest = max(slowest, plain.seconds(path))
            bytes_s += amount * plain.seconds(path)
        loads = np.zeros(len(csr.heads))
        for (arc, _), load in links.items():
            loads[arc] += load
        found, inside = route(topology, traffic, "dmodk"), scale_up(topology)
        even = route(topology, traffic, "ecmp").arcs
        np.testing.assert_allclose(found.arcs, np.where(inside, even, loads), rtol=1e-9, atol=1e-12)
        inner = np.setdiff1d(contract(topology).arcs, np.flatnonzero(inside))
        np.testing.assert_allclose(found.binding[inner], peaks_of(csr, links)[inner], rtol=1e-9, atol=1e-12)
        assert found.latency_s == pytest.approx(slowest, rel=1e-9)
        assert found.mean_latency_s * traffic.total == pytest.approx(bytes_s, rel=1e-9)


def test_dmodk_serves_shifts_on_a_fat_tree_without_contention():
    """Zahavi et al.: on a full fat tree every shift runs at the rate of the adapters."""
    for spec in ("fat-tree:k=8", "clos:hosts=128,tiers=2,switch=qm9700,rate_gbps=800"):
        topology = build(spec)
        n, capacity = len(topology.accelerators), topology.csr().capacity
        ranks = np.arange(n)
        for shift in (1, 3, n // 4 + 1, n // 2):
            loads = route(topology, Traffic.pairs(n, ranks, (ranks + shift) % n, 1.0), "dmodk")
            assert (loads.binding / capacity).max() == pytest.approx(1 / capacity.min())


@pytest.mark.parametrize("spec", SPECS)
def test_hash_conserves_and_keeps_to_shortest_paths(spec, patterns):
    topology = build(spec)
    csr, n = topology.csr(), len(topology.accelerators)
    for traffic in patterns(n):
        even = route(topology, traffic, "ecmp")
        found = route(topology, traffic, "hash", RoutingOptions(seed=5, flows_per_pair=3))
        assert found.arcs.sum() == pytest.approx(even.arcs.sum())  # as many hops: none but shortest paths
        assert not found.arcs[even.arcs == 0].any()
        net = np.bincount(csr.heads, found.arcs, len(topology.nodes))
        net -= np.bincount(csr.tails, found.arcs, len(topology.nodes))
        wanted = np.zeros(len(topology.nodes))
        wanted[csr.accelerators] = traffic.received - traffic.sent
        np.testing.assert_allclose(net, wanted, atol=1e-9)
        assert found.latency_s <= even.latency_s * (1 + 1e-12)
        assert (found.binding >= found.arcs * (1 - 1e-12)).all()


def test_hash_leaves_adapters_exact():
    topology = build("clos:hosts=64,tiers=2,switch=qm9700")
    traffic = Traffic.uniform(64, 1.0)
    found = route(topology, traffic, "hash", RoutingOptions(seed=1))
    host = contract(topology).host_arc
    assert np.array_equal(found.binding[host], traffic.sent)


@pytest.mark.parametrize(
    "spec", ["fat-tree:k=4", "clos:hosts=40,rate_gbps=800,switch=qm9700,tiers=2", "torus:dims=4x3"]
)
def test_hash_is_ecmp_in_the_mean_and_with_many_flows(spec, patterns):
    topology = build(spec)
    for traffic in list(patterns(len(topology.accelerators)))[:3]:
        even = route(topology, traffic, "ecmp").arcs
        seeds = 100
        runs = [route(topology, traffic, "hash", RoutingOptions(seed=s, threads=1)).arcs for s in range(seeds)]
        deviation = np.std(runs, axis=0) / np.sqrt(seeds)
        assert (np.abs(np.mean(runs, axis=0) - even) <= 5 * deviation + 1e-9).all()
        many = route(topology, traffic, "hash", RoutingOptions(flows_per_pair=10**8))
        np.testing.assert_allclose(many.arcs, even, rtol=0.01, atol=1e-6)
        np.testing.assert_allclose(many.binding, even, rtol=0.01, atol=1e-6)


def test_hash_is_distributed_as_flow_by_flow(ends, shortest):
    """The largest load of a link, over seeds: as when every flow draws its own path."""
    topology = build("fat-tree:k=4")
    traffic = Traffic.uniform(16, 1.0)
    plain, rng, inner = shortest(topology), np.random.default_rng(3), contract(topology).arcs
    pairs = list(ends(topology, traffic))
    choices = {}

    def one_run():
        loads = np.zeros(len(topology.csr().heads))
        for source, target, _, amount in pairs:
            node = source
            while node != target:
                if (node, target) not in choices:
                    choices[node, target] = [arc for arc, _ in plain.next_links(node, target)]
                arcs = choices[node, target]
                arc = arcs[rng.integers(len(arcs))] if len(arcs) > 1 else arcs[0]
                loads[arc] += amount
                node = topology.nodes[topology.csr().heads[arc]]
        return loads[inner].max()

    twin = np.array([one_run() for _ in range(200)])
    ours = np.array(
        [route(topology, traffic, "hash", RoutingOptions(seed=s, threads=1)).arcs[inner].max() for s in range(600)]
    )
    error = np.hypot(twin.std() / np.sqrt(200), ours.std() / np.sqrt(600))
    assert abs(twin.mean() - ours.mean()) < 4 * error
    assert ours.std() == pytest.approx(twin.std(), rel=0.3)


def test_parallel_links_fill_unevenly():
    graph = nx.Graph()
    graph.add_nodes_from("st", kind="switch")
    graph.add_edge("s", "t", count=8)
    for i in range(8):
        graph.add_node(f"a{i}", kind="accelerator")
        graph.add_edge(f"a{i}", "st"[i // 4])
    topology = Topology.from_graph(graph)
    traffic = Traffic.pairs(8, np.arange(4), np.arange(4) + 4, 1.0)
    arc = topology.csr().indptr[topology.index["s"]]
    even = route(topology, traffic, "ecmp")
    assert even.arcs[arc] == even.binding[arc] == 4
    lucky = [route(topology, traffic, "hash", RoutingOptions(seed=s, threads=1)) for s in range(300)]
    assert {load.arcs[arc] for load in lucky} == {4.0}
    fullest = [round(load.binding[arc] / 8) for load in lucky]
    chance = 8 * 7 * 6 * 5 / 8**4  # that no two of four flows share one of eight links
    assert fullest.count(1) / 300 == pytest.approx(chance, abs=0.12)
    assert set(fullest) <= {1, 2, 3, 4}
    times = {simulate(topology, "permutation", shift=4, routing="hash", seed=s).time_us for s in range(20)}
    assert len(times) > 1


def test_hash_keeps_its_answer(patterns):
    """The same seed gives the same bytes, for any number of threads; another seed another answer."""
    topology = build("jellyfish:n=16,degree=4,p=3")
    for traffic in patterns(48):
        one, two, other = (
            route(topology, traffic, "hash", RoutingOptions(seed=s, threads=k)) for s, k in ((7, 1), (7, 2), (8, 1))
        )
        assert np.array_equal(one.arcs, two.arcs) and not np.array_equal(one.arcs, other.arcs)
        assert one.latency_s == two.latency_s
        alone, both = (route(topology, traffic, "dmodk", RoutingOptions(threads=k)) for k in (1, 2))
        assert np.array_equal(alone.arcs, both.arcs)


def test_uniform_loads_scale():
    topology = build("clos:hosts=96,tiers=2,switch=qm9700")
    one, three = (route(topology, Traffic.uniform(96, x), "hash") for x in (1.0, 3.0))
    np.testing.assert_allclose(three.binding, 3 * one.binding)


LEAVES = ["rail:servers=12,rails=1,switch=th4-64x400g", "rail:servers=8,gpus=4,rails=2,switch=th4-64x400g,leaf_hosts=3"]


@pytest.mark.parametrize("rails", [False, True])
@pytest.mark.parametrize("spec", LEAVES)
def test_hash_to_leaves_is_hash_to_ranks(spec, rails, monkeypatch):
    """With very many flows both come to equal splits, rank by rank; with few their fullest links are alike."""

    topology = build(spec)
    n = len(topology.accelerators)
    monkeypatch.setattr(hashing, "MANY_PAIRS", 0)
    traffic, many = Traffic.uniform(n, 1.0), RoutingOptions(flows_per_pair=10**8)
    if rails:  # as PXN ends
        traffic = Traffic.within(np.array(topology.domains).T, n, 0.5)

    def routed():
        few = [hashing.hashed(topology, traffic, RoutingOptions(seed=s, threads=1)) for s in range(60)]
        return hashing.hashed(topology, traffic, many), np.array([load.arcs.max() for load in few])

    assert leaves(topology) is not None
    grouped, fullest = routed()
    again = hashing.hashed(topology, traffic, RoutingOptions(seed=3, threads=2))
    assert np.array_equal(again.binding, hashing.hashed(topology, traffic, RoutingOptions(seed=3, threads=1)).binding)
    monkeypatch.setattr(hashing, "leaf_to_leaf", lambda topology, demand: None)
    single, fullest_of_single = routed()
    assert grouped.arcs == pytest.approx(single.arcs, rel=1e-3)
    assert grouped.latency_s == pytest.approx(single.latency_s, rel=1e-12)
    spread = np.hypot(fullest.std(), fullest_of_single.std()) / np.sqrt(60)
    assert abs(fullest.mean() - fullest_of_single.mean()) < 4 * spread + 1e-9


@pytest.mark.parametrize("spec", ["dual-plane:servers=8", "fat-tree:k=4", "bcube:n=3,k=1", "rail:servers=4,core=none"])
def test_leaves_are_not_claimed_where_a_rank_has_several_ways_out(spec):

    assert leaves(build(spec)) is None
