"""Routings of single paths and of detours against plain twins, pair by pair."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fabric.routing import RoutingOptions, contract, resolve, route
from fabric.routing.dmodk import divisors
from fabric.routing.parallel import scale_up
from fabric.routing.policy import parse_routing, preferred
from fabric.routing.valiant import best_mix
from fabric.simulation import simulate
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.registry import build

SPECS = [
    "clos:hosts=12,switch=qm9700,oversubscription=2,tiers=2", "clos:hosts=40,rate_gbps=800,switch=qm9700,tiers=2",
    "fat-tree:k=4", "clos:hosts=10,planes=2", "rail:servers=3,gpus=4", "nvl:gpus=9,links=18,switches=4",
    "jupiter:blocks=5,uplinks=6,hosts=2", "torus:dims=4x3", "full-mesh:n=6", "ring:n=2",
    "dragonfly:p=1,a=2,h=2", "jellyfish:n=7,degree=3,p=2", "xpander:n=8,degree=3,p=1",
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


class Plain:
    """Shortest paths of a topology by NetworkX, next hop by next hop, parallel links told apart; links count for one
    hop, or with `minimal` for their `hops`."""

    def __init__(self, topology, minimal=False):
        self.topology, self.csr = topology, topology.csr()
        self.length = (lambda a, b, edge: edge.get("hops", 1)) if minimal else (lambda a, b, edge: 1)
        self.forwards = dict(topology.graph.nodes(data="forwards"))
        self.hops = {}

    def next_links(self, node, target):
        """(arc, which of its links) of every next hop of `node` towards `target`, in the order of the arcs."""
        if target not in self.hops:
            usable = self.topology.graph.subgraph([v for v in self.topology.graph if self.forwards[v] or v == target])
            below = nx.single_source_dijkstra_path_length(usable, target, weight=self.length)
            ends = [v for v in self.topology.graph if v not in usable]
            above = {e: 1 + min((below[v] for v in self.topology.graph[e] if v in below), default=np.inf) for e in ends}
            self.hops[target] = {**below, **above}, set(usable)
        hops, usable = self.hops[target]
        v = self.topology.index[node]
        found = []
        for arc in range(self.csr.indptr[v], self.csr.indptr[v + 1]):
            u = self.topology.nodes[self.csr.heads[arc]]
            edge = self.topology.graph.edges[node, u]
            if u in usable and hops.get(u) == hops[node] - self.length(node, u, edge):
                found += [(arc, k) for k in range(int(self.csr.links[arc]))]
        return found

    def walk(self, source, target, choose):
        """The links of one path; `choose` picks one of the next."""
        path, node = [], source
        while node != target:
            path.append(choose(self.next_links(node, target)))
            node = self.topology.nodes[self.csr.heads[path[-1][0]]]
        return path

    def seconds(self, path):
        arcs = [arc for arc, _ in path]
        return self.csr.latency[arcs].sum() + self.csr.node_latency[self.csr.heads[arcs[:-1]]].sum()


def ends(topology, traffic):
    for s, t, amount in zip(*(a.tolist() for a in traffic.as_pairs()), strict=True):
        if amount:
            yield topology.accelerators[s], topology.accelerators[t], t, amount


def peaks_of(csr, links):
    peaks = np.zeros(len(csr.heads))
    for (arc, _), load in links.items():
        peaks[arc] = max(peaks[arc], load * csr.links[arc])
    return peaks


@pytest.mark.parametrize("spec", SPECS)
def test_dmodk_is_the_walk_pair_by_pair(spec):
    topology = build(spec)
    plain, csr = Plain(topology), topology.csr()
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
def test_hash_conserves_and_keeps_to_shortest_paths(spec):
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
def test_hash_is_ecmp_in_the_mean_and_with_many_flows(spec):
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


def test_hash_is_distributed_as_flow_by_flow():
    """The largest load of a link, over seeds: as when every flow draws its own path."""
    topology = build("fat-tree:k=4")
    traffic = Traffic.uniform(16, 1.0)
    plain, rng, inner = Plain(topology), np.random.default_rng(3), contract(topology).arcs
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


def test_hash_keeps_its_answer():
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


def test_flows_per_pair_is_positive():
    with pytest.raises(ConfigError, match="flows per pair = 0 is below 1"):
        route(build("ring:n=4"), Traffic.uniform(4, 1.0), "hash", RoutingOptions(flows_per_pair=0))


def valiant(topology, traffic):
    """Every pair over every middle, both legs minimal."""
    small = contract(topology)
    home = [topology.nodes[v] for v in np.flatnonzero(small_nodes(topology, small))[small.node_of_rank]]
    shares = Shares(topology)
    forwards = topology.graph.nodes(data="forwards")
    middles = sorted(
        {m for h in home for m in ([h] if forwards[h] else topology.graph[h]) if "/" not in str(m)},
        key=topology.index.__getitem__,
    )
    loads = np.zeros(len(topology.csr().heads))
    for source, target, t, amount in ends(topology, traffic):
        a, b = home[topology.accelerators.index(source)], home[t]
        if source != a:
            loads += amount * (shares(source, a) + shares(b, target))
        if a != b:
            for m in middles:
                loads += amount / len(middles) * (shares(a, m) + shares(m, b))
    return loads


def small_nodes(topology, small):
    kept = np.ones(len(topology.nodes), bool)
    if small.host_arc[0] >= 0:
        kept[topology.csr().accelerators] = False
    return kept


class Shares:
    """Loads of one byte between two nodes under equal splits over minimal paths."""

    def __init__(self, topology):
        self.plain, self.known = Plain(topology, minimal=True), {}

    def __call__(self, source, target):
        if (source, target) not in self.known:
            plain, loads, amounts = self.plain, np.zeros(len(self.plain.csr.heads)), {source: 1.0}
            if source != target:
                plain.next_links(source, target)
            while amounts.keys() - {target}:
                node = max(amounts.keys() - {target}, key=lambda v: plain.hops[target][0][v])
                links = plain.next_links(node, target)
                share = amounts.pop(node) / len(links)
                for arc, _ in links:
                    loads[arc] += share
                    onward = plain.topology.nodes[plain.csr.heads[arc]]
                    amounts[onward] = amounts.get(onward, 0.0) + share
            self.known[source, target] = loads
        return self.known[source, target]


@pytest.mark.parametrize("spec", SPECS)
def test_minimal_is_the_split_pair_by_pair(spec):
    topology = build(spec)
    shares = Shares(topology)
    for traffic in patterns(len(topology.accelerators)):
        loads = sum(amount * shares(source, target) for source, target, _, amount in ends(topology, traffic))
        found = route(topology, traffic, "minimal")
        np.testing.assert_allclose(found.arcs, loads, rtol=1e-9, atol=1e-12)
        even = route(topology, traffic, "ecmp")
        if topology.family != "dragonfly":
            np.testing.assert_allclose(found.arcs, even.arcs, rtol=1e-9)
            assert (found.latency_s, found.mean_latency_s) == (even.latency_s, pytest.approx(even.mean_latency_s))


@pytest.mark.parametrize("spec", SPECS)
def test_valiant_is_every_pair_over_every_middle(spec):
    topology = build(spec)
    for traffic in patterns(len(topology.accelerators)):
        found = route(topology, traffic, "valiant")
        np.testing.assert_allclose(found.arcs, valiant(topology, traffic), rtol=1e-9, atol=1e-12)
        assert found.latency_s >= route(topology, traffic, "ecmp").latency_s * (1 - 1e-12)


def test_valiant_never_relays_through_accelerators():
    topology = build("rail:servers=4,gpus=4")
    csr = topology.csr()
    for traffic in patterns(16):
        arcs = route(topology, traffic, "valiant").arcs
        out = np.bincount(csr.tails, arcs, minlength=len(topology.nodes))[csr.accelerators]
        np.testing.assert_allclose(out, traffic.sent, rtol=1e-9, atol=1e-12)
    with pytest.raises(InfeasibleError, match="no switch is reached by all that send"):
        route(build("rail:servers=3,gpus=4,core=none"), Traffic.uniform(12, 1.0), "valiant")


def test_valiant_within_one_switch_stays_there():
    topology = build("fat-tree:k=4")
    inside = Traffic.pairs(16, [0, 1], [1, 0], 1.0)
    assert np.array_equal(route(topology, inside, "valiant").arcs, route(topology, inside, "ecmp").arcs)


def dragonfly_utilisation(routing, shift=None, p=4, a=8, h=4):
    """Largest utilisation where each rank sends at the rate of its link: to all, or to the rank `shift` on."""
    topology = build(f"dragonfly:p={p},a={a},h={h}")
    n = len(topology.accelerators)
    ranks = np.arange(n)
    even = Traffic.uniform(n, 1 / (n - 1))
    traffic = even if shift is None else Traffic.pairs(n, ranks, (ranks + shift) % n, 1.0)
    return route(topology, traffic, routing).arcs.max()


def test_dragonfly_as_published():
    """Kim et al., ISCA 2008: group to group, minimal 1/(a p), Valiant and UGAL about 1/2; uniform, minimal 1."""
    p, a = 4, 8
    assert 1 / dragonfly_utilisation("minimal", p * a) == pytest.approx(1 / (a * p))
    # by hand: a fraction 1 - 1/g of middles is in another group, then on either leg a p flows share a h global links
    detour = dragonfly_utilisation("valiant", p * a)
    assert 0.45 < 1 / detour <= 0.52
    mixed = dragonfly_utilisation("ugal", p * a)
    assert mixed <= detour * (1 + 1e-12) and 0.45 < 1 / mixed < 0.55
    assert 1 / dragonfly_utilisation("minimal") == pytest.approx(1, rel=0.02)
    assert 1 / dragonfly_utilisation("valiant") == pytest.approx(0.5, rel=0.05)
    assert dragonfly_utilisation("ugal") == pytest.approx(dragonfly_utilisation("minimal"))


def test_global_links_of_a_dragonfly_under_valiant_by_hand():
    """Uniform, g = a h + 1: between two groups (a p)^2 ranks, so a minimal load of (a p)^2/(n - 1) on every global
    link; Valiant's two legs each carry (what leaves a router) x (middles of another group), an even a p / (a h)."""
    p, a, h = 2, 4, 2
    topology = build(f"dragonfly:p={p},a={a},h={h},global_technology=pluggable")
    g, n, csr = a * h + 1, 72, topology.csr()
    medium = np.array([
        topology.graph.edges[topology.nodes[t], topology.nodes[u]]["medium"]
        for t, u in zip(csr.tails, csr.heads, strict=True)
    ])  # fmt: skip
    far = medium == "optical"
    assert far.sum() == g * (g - 1)
    traffic = Traffic.uniform(n, 1 / (n - 1))
    np.testing.assert_allclose(route(topology, traffic, "minimal").arcs[far], (a * p) ** 2 / (n - 1))
    leaving = a * p * (n - p) / (n - 1)  # of a group, all but what stays on its router
    each = leaving * (1 / g)  # from one group to the middles of another; as much comes back to targets
    np.testing.assert_allclose(route(topology, traffic, "valiant").arcs[far], 2 * each)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_the_best_mix_is_that_of_a_linear_program(seed, lines):
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 6, lines).astype(float) if seed % 2 else rng.random(lines) for _ in "ab")
    share = best_mix(first, second)
    rows = np.column_stack([first - second, -np.ones(lines)])
    least = linprog([0, 1], A_ub=rows, b_ub=-second, bounds=[(0, 1), (None, None)]).fun
    height = (share * first + (1 - share) * second).max()
    assert height == pytest.approx(least, abs=1e-9)
    for more in np.linspace(share + 1e-6, 1, 5) if share < 1 - 1e-6 else ():
        assert (more * first + (1 - more) * second).max() > least - 1e-12


@pytest.mark.parametrize("spec", ["fat-tree:k=4", "jellyfish:n=7,degree=3,p=2", "torus:dims=4x3"])
def test_ugal_is_never_worse_than_either(spec):
    topology = build(spec)
    capacity = topology.csr().capacity
    for traffic in patterns(len(topology.accelerators)):
        most = {r: (route(topology, traffic, r).arcs / capacity).max() for r in ("ecmp", "valiant", "ugal")}
        assert most["ugal"] <= min(most["ecmp"], most["valiant"]) * (1 + 1e-9)
        assert route(topology, traffic, "ugal").latency_s == route(topology, traffic, "ecmp").latency_s


@pytest.mark.parametrize(
    ("spec", "picked"),
    [
        ("torus:dims=4x4", "dor"), ("mesh:dims=4x4", "dor"), ("torus:dims=4x4x8,twist=true", "ecmp"),
        ("tpu-v4-512", "dor"), ("nvl72", "adaptive"), ("dgx-h100-superpod-256", "adaptive"),
        ("clos:hosts=128", "adaptive"), ("clos:hosts=128,switch=sn5600", "adaptive"),
        ("clos:hosts=64,switch=th4-64x400g", "hash"), ("rail:servers=4,switch=th4-64x400g", "hash"),
        ("jupiter:blocks=5,uplinks=6,hosts=2", "te"), ("dragonfly:p=1,a=2,h=1,switch=qm9700", "ugal"),
        ("jellyfish:n=7,degree=2,p=2", "ugal"), ("xpander:n=8,degree=3,p=1", "ugal"),
        ("fat-tree:k=4", "ecmp"), ("full-mesh:n=4", "ecmp"), ("switch:n=4", "ecmp"),
    ],
)  # fmt: skip
def test_auto_is_what_the_real_fabric_does(spec, picked):
    topology = build(spec)
    assert preferred(topology) == picked
    assert resolve(topology, "auto") == picked


@pytest.mark.parametrize(
    ("routing", "said"),
    [
        ("ksp", "routing 'ksp' needs the number of shortest paths; write ksp:8"),
        ("ksp:", "routing 'ksp' needs the number of shortest paths; write ksp:8"),
        ("ksp:0", "'0' is no whole number of 1 or more"),
        ("ksp:x", "'x' is no whole number of 1 or more"),
        ("vlb:-1", "'-1' is no whole number of 1 or more"),
        ("lft", "needs a file of forwarding tables"),
        ("ecmp:3", "routing 'ecmp' takes no argument, '3' was given; write ecmp"),
    ],
)
def test_names_that_cannot_be_read(routing, said):
    with pytest.raises(ConfigError) as error:
        resolve(build("ring:n=4"), routing)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert parse_routing("ksp:12") == ("ksp", "12")


LEAVES = ["rail:servers=12,rails=1,switch=th4-64x400g", "rail:servers=8,gpus=4,rails=2,switch=th4-64x400g,leaf_hosts=3"]


@pytest.mark.parametrize("spec", LEAVES)
def test_hash_to_leaves_is_hash_to_ranks(spec, monkeypatch):
    """With very many flows both come to equal splits, rank by rank; with few their fullest links are alike."""
    from fabric.routing import hashing

    topology = build(spec)
    n = len(topology.accelerators)
    traffic, many = Traffic.uniform(n, 1.0), RoutingOptions(flows_per_pair=10**8)

    def routed():
        few = [hashing.hashed(topology, traffic, RoutingOptions(seed=s, threads=1)) for s in range(60)]
        return hashing.hashed(topology, traffic, many), np.array([load.arcs.max() for load in few])

    assert hashing.leaves(topology) is not None
    grouped, fullest = routed()
    monkeypatch.setattr(hashing, "leaves", lambda topology: None)
    single, fullest_of_single = routed()
    assert grouped.arcs == pytest.approx(single.arcs, rel=1e-3) and grouped.latency_s == single.latency_s
    spread = np.hypot(fullest.std(), fullest_of_single.std()) / np.sqrt(60)
    assert abs(fullest.mean() - fullest_of_single.mean()) < 4 * spread + 1e-9


@pytest.mark.parametrize("spec", ["dual-plane:servers=8", "fat-tree:k=4", "bcube:n=3,k=1", "rail:servers=4,core=none"])
def test_leaves_are_not_claimed_where_a_rank_has_several_ways_out(spec):
    from fabric.routing.leaves import leaves

    assert leaves(build(spec)) is None
