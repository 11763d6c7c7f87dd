"""Minimal, Valiant and UGAL against plain splits, pair by pair, and against published dragonflies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fabric.routing.contraction import contract
from fabric.routing.registry import route
from fabric.routing.valiant import best_mix
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.registry import build

SPECS = [
    "clos:hosts=12,switch=qm9700,oversubscription=2,tiers=2", "clos:hosts=40,rate_gbps=800,switch=qm9700,tiers=2",
    "fat-tree:k=4", "clos:hosts=10,planes=2", "rail:servers=3,gpus=4", "nvl:gpus=9,links=18,switches=4",
    "jupiter:blocks=5,uplinks=6,hosts=2", "torus:dims=4x3", "full-mesh:n=6", "ring:n=2",
    "dragonfly:p=1,a=2,h=2", "jellyfish:n=7,degree=3,p=2", "xpander:n=8,degree=3,p=1",
]  # fmt: skip


def valiant(topology, traffic, shares, ends):
    """Every pair over every middle, both legs minimal."""
    small = contract(topology)
    home = [topology.nodes[v] for v in np.flatnonzero(small_nodes(topology, small))[small.node_of_rank]]
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

    def __init__(self, plain):
        self.plain, self.known = plain, {}

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
def test_minimal_is_the_split_pair_by_pair(spec, patterns, ends, shortest):
    topology = build(spec)
    shares = Shares(shortest(topology, minimal=True))
    for traffic in patterns(len(topology.accelerators)):
        loads = sum(amount * shares(source, target) for source, target, _, amount in ends(topology, traffic))
        found = route(topology, traffic, "minimal")
        np.testing.assert_allclose(found.arcs, loads, rtol=1e-9, atol=1e-12)
        even = route(topology, traffic, "ecmp")
        if topology.family != "dragonfly":
            np.testing.assert_allclose(found.arcs, even.arcs, rtol=1e-9)
            assert (found.latency_s, found.mean_latency_s) == (even.latency_s, pytest.approx(even.mean_latency_s))


@pytest.mark.parametrize("spec", SPECS)
def test_valiant_is_every_pair_over_every_middle(spec, patterns, ends, shortest):
    topology = build(spec)
    shares = Shares(shortest(topology, minimal=True))
    for traffic in patterns(len(topology.accelerators)):
        found = route(topology, traffic, "valiant")
        np.testing.assert_allclose(found.arcs, valiant(topology, traffic, shares, ends), rtol=1e-9, atol=1e-12)
        assert found.latency_s >= route(topology, traffic, "ecmp").latency_s * (1 - 1e-12)


def test_valiant_never_relays_through_accelerators(patterns):
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
def test_ugal_is_never_worse_than_either(spec, patterns):
    topology = build(spec)
    capacity = topology.csr().capacity
    for traffic in patterns(len(topology.accelerators)):
        most = {r: (route(topology, traffic, r).arcs / capacity).max() for r in ("ecmp", "valiant", "ugal")}
        assert most["ugal"] <= min(most["ecmp"], most["valiant"]) * (1 + 1e-9)
        assert route(topology, traffic, "ugal").latency_s == route(topology, traffic, "ecmp").latency_s
