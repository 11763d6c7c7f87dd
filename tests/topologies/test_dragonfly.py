"""Dragonflies: published counts and diameters, one link between every two groups, both arrangements."""

from collections import Counter
from itertools import combinations

import networkx as nx
import pytest

from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


def group_of(router):
    return int(router.split("-")[1])


def links_between(topology):
    """How many links join every two groups, and how many global ones every router has."""
    between, ports = Counter(), Counter()
    for a, b, edge in topology.edges:
        if a.startswith("router") and group_of(a) != group_of(b):
            between[tuple(sorted((group_of(a), group_of(b))))] += edge["count"]
            ports.update({a: edge["count"], b: edge["count"]})
    return between, ports


@pytest.mark.parametrize("arrangement", ["palmtree", "absolute"])
@pytest.mark.parametrize(("p", "a", "h"), [(2, 4, 2), (1, 2, 1), (4, 8, 4), (3, 4, 1), (1, 1, 3)])
def test_a_full_dragonfly(p, a, h, arrangement):
    """g = a h + 1 groups, N = a p g (Kim et al.); every global port used; at most local, global, local."""
    built = build(f"dragonfly:p={p},a={a},h={h},arrangement={arrangement}")
    g = a * h + 1
    assert len(built.accelerators) == a * p * g
    assert built.attribute("kind").count("switch") == a * g
    between, ports = links_between(built)
    assert between == dict.fromkeys(combinations(range(g), 2), 1)
    assert set(ports.values()) == {h} and len(ports) == a * g
    routers = built.graph.subgraph([v for v in built.graph if v.startswith("router")])
    assert nx.diameter(routers) <= 3
    degree = {built.graph.degree(v, weight="count") for v in routers}
    assert degree == {p + a - 1 + h}
    assert [note for note in built.notes if not note.startswith("default: ")] == []


def test_the_largest_balanced_dragonfly_of_radix_64():
    """k = 4h - 1 ports: h = 16 would be 63; the published p = h = 8, a = 16 has 129 groups and 16,512 hosts."""
    built = build("dragonfly:p=8,a=16,h=8")
    assert (len(built.accelerators), built.attribute("kind").count("switch")) == (16512, 2064)


def test_arrangements_by_hand():
    palm, absolute = (build(f"dragonfly:p=1,a=2,h=2,arrangement={w}") for w in ("palmtree", "absolute"))
    # palmtree: port i h + k of group 0 leads i h + k + 1 groups down; absolute: port of group 0 leads up to 1, 2, ...
    assert {group_of(r) for r in palm.graph["router-0-0"] if r.startswith("router")} == {0, 4, 3}
    assert {group_of(r) for r in absolute.graph["router-0-0"] if r.startswith("router")} == {0, 1, 2}


@pytest.mark.parametrize("arrangement", ["palmtree", "absolute"])
@pytest.mark.parametrize(("g", "each", "left"), [(2, 8, 0), (3, 4, 0), (4, 2, 2), (5, 2, 0), (6, 1, 3), (9, 1, 0)])
def test_fewer_groups(g, each, left, arrangement):
    built = build(f"dragonfly:p=2,a=4,h=2,g={g},arrangement={arrangement}")
    between, ports = links_between(built)
    assert between == dict.fromkeys(combinations(range(g), 2), each)
    assert max(ports.values()) <= 2
    free = [note for note in built.notes if not note.startswith("default: ")]
    assert bool(free) == bool(left)
    assert all(f"{left} of the 8 global ports" in note for note in free)


def test_links_by_kind():
    built = build("dragonfly:p=2,a=4,h=2,switch=qm9700,global_technology=cpo,global_length_m=40")
    kinds = Counter((e["technology"], e["length_m"], e.get("hops", 1)) for _, _, e in built.edges)
    assert kinds == {("dac", 1.0, 1): 72 + 9 * 6, ("cpo", 40.0, 3): 36}
    assert {e["technology"] for _, _, e in build("dragonfly:p=2,a=4,h=2").edges} == {"dac", "pluggable"}


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("dragonfly:p=2,a=4,h=2,g=10", ConfigError, "g = 10 is not 2 to a h + 1 = 9; give more routers"),
        ("dragonfly:p=2,a=4,h=2,g=1", ConfigError, "g = 1 is not 2 to a h + 1 = 9"),
        ("dragonfly:p=24,a=32,h=16,switch=qm9700", TopologyError, "71 ports exceed the 64 of qm9700"),
        ("dragonfly:p=2,a=4,h=2,arrangement=circulant", ConfigError, "not one of palmtree, absolute"),
        ("dragonfly:p=64,a=128,h=64", ConfigError, "at most 16,777,216"),
        ("dragonfly:a=4,h=2", ConfigError, "needs p"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)
