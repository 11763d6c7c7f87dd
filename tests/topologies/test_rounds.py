"""Rounds of links on circuit switches: strides, regular graphs, and what a device can hold."""

from collections import Counter
from math import gcd

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.errors import ConfigError, TopologyError
from topologies.parts import CircuitSwitch, catalogue, part
from topologies.registry import build
from topologies.rounds import circuit_link, regular_rounds, ring_round, rounds_layer, totient_strides

PALOMAR = part("palomar-136", CircuitSwitch)  # 128 ports a side beside its spares
BOTH_WAYS, EACH_WAY = (1, 1), (2, 1)


@given(st.integers(2, 300), st.integers(0, 12))
def test_strides_are_tours(n, rings):
    strides = totient_strides(n, rings)
    assert len(strides) == rings and all(1 <= p <= max(1, n // 2) and gcd(p, n) == 1 for p in strides)
    different = sum(gcd(p, n) == 1 for p in range(1, n // 2 + 1))
    assert len(set(strides)) == min(rings, max(1, different))  # none twice while there are others


@pytest.mark.parametrize(("n", "rings", "ends"), [(128, 2, {1, 11}), (1024, 2, {1, 31}), (1000, 3, {1, 9, 101})])
def test_strides_grow_like_a_geometric_series(n, rings, ends):
    """128^(1/2) = 11.3, 1024^(1/2) = 32, 1000^(1/3) = 10 and 100: the nearest numbers without a common factor."""
    assert set(totient_strides(n, rings)) <= ends | {33, 11, 99}


@given(st.integers(2, 24), st.integers(2, 60))
def test_every_port_of_a_regular_graph_is_used(n, degree):
    rounds, free = regular_rounds(n, degree)
    links = Counter()
    for each in rounds:
        links.update(frozenset(pair) for pair in zip(each.left.tolist(), each.right.tolist(), strict=True))
    assert all(len(pair) == 2 for pair in links)
    used = Counter(end for pair, count in links.items() for end in [*pair] * count)
    assert set(used.values()) == {degree - free} and free == (degree % 2 if n % 2 else 0)
    if degree >= n - 1:
        least = degree // (n - 1)
        assert len(links) == n * (n - 1) // 2 and min(links.values()) >= least
    graph = nx.Graph(tuple(pair) for pair in links)
    assert nx.is_connected(graph) and len(graph) == n


def layer(n, strands, **options):
    names = [f"n{i}" for i in range(n)]
    rounds = [ring_round(np.arange(n))] * 3
    return rounds_layer("test", PALOMAR, names, rounds, {"medium": "circuit"}, strands, **options)


@pytest.mark.parametrize(
    ("n", "strands", "devices"), [(128, BOTH_WAYS, 3), (64, BOTH_WAYS, 2), (64, EACH_WAY, 3), (8, (2, 4), 2)]
)
def test_devices_fill_one_after_the_other(n, strands, devices):
    """Three rings of n: n ports a side each where a strand carries both ways, twice that (times lanes) where not."""
    made = layer(n, strands)
    assert made.devices == devices
    assert len(made.strands) == 3 * 2 * n * strands[0] * strands[1] and 2 * made.circuits == len(made.strands)
    graph = nx.Graph()
    made.add_circuits(graph)
    assert {edge["count"] for _, _, edge in graph.edges(data=True)} == {3} and graph.number_of_edges() == n


def test_rounds_that_begin_a_device():
    assert layer(8, BOTH_WAYS).devices == 1 and layer(8, BOTH_WAYS, apart=range(3)).devices == 3


@pytest.mark.parametrize(
    ("n", "options", "said"),
    [
        (129, {}, "take 258 strands of one palomar-136, which has 256 ports for them beside its spares"),
        (100, {"devices": 2}, "600 strands take 3 palomar-136, 2 are given, which have 512 ports"),
    ],
)
def test_more_strands_than_there_are_ports(n, options, said):
    with pytest.raises(TopologyError) as error:
        layer(n, BOTH_WAYS, **options)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_module_slower_than_its_link():
    with pytest.raises(ConfigError, match="'400g-fr4' carries 400 Gb/s, the link 800"):
        circuit_link(catalogue(), "400g-fr4", 800, None, 30)


class TestOcsFlat:
    """Accelerators of degree d through circuit switches."""

    @pytest.mark.parametrize(("n", "degree"), [(12, 4), (16, 6), (17, 2), (16, 3), (2, 3), (6, 4)])
    def test_counts(self, n, degree):
        built = build(f"ocs-flat:n={n},degree={degree}")
        assert built.links == n * degree // 2 and len(built.accelerators) == n
        assert {built.graph.degree(v, weight="count") for v in built.graph} == {degree}
        assert len(built.circuits.strands) == 2 * n * degree  # a strand each way at either end
        assert len(built.tours) == degree // 2

    @pytest.mark.parametrize("pattern", ["totient", "random"])
    def test_tours_are_links(self, pattern):
        built = build(f"ocs-flat:n=15,degree=4,pattern={pattern}")
        for tour in built.tours:
            assert sorted(tour.tolist()) == list(range(15))
            steps = zip(tour.tolist(), np.roll(tour, -1).tolist(), strict=True)
            assert all(built.graph.has_edge(f"acc-{a}", f"acc-{b}") for a, b in steps)

    def test_the_graph_follows_the_state(self):
        """Every other ring taken out: half of the links are left, and no tour is claimed for another state."""
        built = build("ocs-flat:n=8,degree=4,ocs=palomar-136")
        state = built.circuits.state
        again, other = built.with_state(state), built.with_state(state[:16])  # one ring, both ways
        assert again.links == 16 and len(again.tours) == 2
        assert other.links == 8 and len(other.tours) == 0

    @pytest.mark.parametrize(
        ("spec", "kind", "said"),
        [
            ("ocs-flat:n=1,degree=2", ConfigError, "n = 1 joins nothing"),
            ("ocs-flat:n=5,degree=3", ConfigError, "odd degree = 3 joins no odd number n = 5"),
            ("ocs-flat:n=8,degree=1", ConfigError, "degree = 1 joins n = 8 in pairs only"),
            ("ocs-flat:n=2000,degree=4", TopologyError, "take 4000 strands of one telescent-g4, which has 2016 ports"),
            ("ocs-flat:n=500,degree=8,devices=3", TopologyError, "8000 strands take 4 telescent-g4, 3 are given"),
            ("ocs-flat:n=8,degree=2,rate_gbps=800", ConfigError, "'400g-fr4' carries 400 Gb/s, the link 800"),
            ("ocs-flat:n=8,degree=2,pattern=ring", ConfigError, "not one of totient, random"),
        ],
    )
    def test_refused(self, spec, kind, said):
        with pytest.raises(kind) as error:
            build(spec)
        assert said in str(error.value) and "\n" not in str(error.value)
