"""Expanders: regular, connected, the same for the same seed, and as the papers build them."""

from itertools import combinations

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


def wiring(topology):
    """The graph of switches."""
    ends = set(topology.accelerators)
    return topology.graph.subgraph([v for v in topology.graph if v not in ends])


@pytest.mark.parametrize(
    ("n", "degree", "p"), [(90, 7, 5), (120, 6, 6), (90, 10, 10), (231, 10, 1), (20, 19, 1), (6, 5, 2), (10, 3, 1)]
)
def test_jellyfish(n, degree, p):
    built = build(f"jellyfish:n={n},degree={degree},p={p}")
    switches = wiring(built)
    assert len(built.accelerators) == n * p and len(switches) == n
    assert {d for _, d in switches.degree} == {degree}
    assert built.links == n * p + n * degree // 2
    assert nx.is_connected(switches)
    hosts = [[a for a in built.graph[f"switch-{i}"] if a.startswith("acc")] for i in range(n)]
    assert [a for held in hosts for a in held] == [f"acc-{r}" for r in range(n * p)]  # rank order, p a switch


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 24), st.integers(2, 23), st.integers(0, 10**6))
def test_a_jellyfish_uses_all_its_ports_but_an_odd_one(n, degree, seed):
    if degree >= n or (degree == 2 and n % 2):
        return
    switches = wiring(build(f"jellyfish:n={n},degree={degree},p=1,seed={seed}"))
    degrees = sorted(d for _, d in switches.degree)
    assert degrees == [degree - 1] * (n * degree % 2) + [degree] * (n - n * degree % 2)


def test_expanders_keep_to_their_seed():
    for spec in ("jellyfish:n=40,degree=5,p=1", "xpander:n=40,degree=4,p=1"):
        first, again, other = (wiring(build(f"{spec},seed={s}")).edges for s in (1, 1, 2))
        assert list(first) == list(again) and set(first) != set(other)


def test_a_jellyfish_spreads_as_random_graphs_do():
    """Mean distance within 2 % of a random regular graph of NetworkX."""
    ours = nx.average_shortest_path_length(wiring(build("jellyfish:n=200,degree=8,p=1")))
    theirs = nx.average_shortest_path_length(nx.random_regular_graph(8, 200, seed=1))
    assert ours == pytest.approx(theirs, rel=0.02)


@pytest.mark.parametrize(("n", "degree"), [(231, 10), (88, 10), (90, 5), (11, 10), (8, 3)])
def test_xpander(n, degree):
    """A lift: one perfect matching between every two of the degree + 1 meta-nodes, nothing inside one."""
    built = build(f"xpander:n={n},degree={degree},p=2")
    switches, size = wiring(built), n // (degree + 1)
    assert built.links == 2 * n + n * degree // 2
    for i, j in combinations(range(degree + 1), 2):
        left = {f"switch-{i * size + k}" for k in range(size)}
        right = {f"switch-{j * size + k}" for k in range(size)}
        assert all(len(left & set(switches[v])) == 1 for v in right)
        assert all(len(right & set(switches[v])) == 1 for v in left)
    assert {d for _, d in switches.degree} == {degree}
    assert nx.is_connected(switches)


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("jellyfish:n=8,degree=8,p=1", ConfigError, "no 8 others to join among n = 8; give degree below n"),
        ("jellyfish:n=8,degree=1,p=1", TopologyError, "none of 100 random wirings is connected; give a larger degree"),
        ("jellyfish:n=100,degree=40,p=40,switch=qm9700", TopologyError, "exceed the 64 ports of qm9700"),
        ("jellyfish:n=8388608,degree=3,p=3", ConfigError, "at most 16,777,216"),
        ("xpander:n=100,degree=10,p=1", ConfigError, "n = 100 is no multiple of degree + 1 = 11; give n = 99"),
        ("xpander:n=4,degree=10,p=1", ConfigError, "give n = 11"),
        ("xpander:n=8,degree=1,p=1", TopologyError, "none of 100 random wirings is connected"),
        ("jellyfish:n=20,degree=4", ConfigError, "needs p"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_parts_of_an_expander():
    built = build("jellyfish:n=8,degree=3,p=2,switch=qm9700,nic=cx7-400g,accelerator=h100-sxm,technology=pluggable")
    assert built.graph.nodes["acc-0"]["parts"] == {"cx7-400g": 1}
    assert {e["technology"] for _, _, e in built.edges} == {"pluggable"}
    assert built.attribute("part").count("qm9700") == 8
