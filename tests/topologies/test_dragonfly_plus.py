"""Dragonfly+: complete bipartite groups, one link between every two groups, three links between leaves."""

from collections import Counter
from itertools import combinations

import networkx as nx
import pytest

from fabric.metrics import distances
from fabric.simulation import simulate
from fabric.symmetry import symmetry
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


def group_of(router):
    return int(router.split("-")[1])


@pytest.mark.parametrize(("p", "l", "s", "h"), [(2, 2, 2, 2), (4, 4, 4, 4), (1, 3, 2, 2), (3, 2, 4, 1), (2, 1, 1, 2)])
def test_a_full_one(p, l, s, h):  # noqa: E741
    built = build(f"dragonfly-plus:p={p},l={l},s={s},h={h}")
    g = s * h + 1
    assert len(built.accelerators) == g * l * p and built.attribute("kind").count("switch") == g * (l + s)
    assert built.links == g * l * p + g * l * s + g * (g - 1) // 2
    between, degree = Counter(), dict(built.graph.degree(weight="count"))
    for a, b, edge in built.edges:
        kinds = {a.split("-")[0], b.split("-")[0]}
        if kinds == {"spine"}:
            between[tuple(sorted((group_of(a), group_of(b))))] += edge["count"]
        elif kinds == {"leaf", "spine"}:
            assert group_of(a) == group_of(b)
    assert between == dict.fromkeys(combinations(range(g), 2), 1)
    assert {degree[v] for v in degree if v.startswith("leaf")} == {p + s}
    assert {degree[v] for v in degree if v.startswith("spine")} == {l + h}
    leaves = [v for v in built.graph if v.startswith("leaf")]
    routers = built.graph.subgraph([v for v in built.graph if not v.startswith("acc")])
    far = max(d for v in leaves for u, d in nx.single_source_shortest_path_length(routers, v).items() if u in leaves)
    assert far == 3 and distances(built)[0] == 5


@pytest.mark.parametrize(("g", "each", "left"), [(2, 4, 0), (3, 2, 0), (4, 1, 1)])
def test_fewer_groups(g, each, left):
    built = build(f"dragonfly-plus:p=2,l=2,s=2,h=2,g={g}")
    joined = sum(e["count"] for a, b, e in built.edges if a.startswith("spine") and b.startswith("spine"))
    assert joined == each * g * (g - 1) // 2
    assert [n for n in built.notes if "global ports" in n] == (
        [f"{left} of the 4 global ports of each group stay free"] if left else []
    )


def test_all_to_all_by_hand():
    """p = l = s = h = 2, five groups of four accelerators, 1 GB a pair over links of 1 GB/s."""
    found = simulate("dragonfly-plus:p=2,l=2,s=2,h=2,rate_gbps=8,latency_ns=0", "all-to-all", 20 * 10**9,
                     routing="minimal")  # fmt: skip
    # A rank sends 19 GB on its own link. A global link carries 16 pairs. A local link, leaf to spine: its leaf's 2
    # accelerators to the 8 of the two groups that its spine leads to, 16, and half of their 4 pairs to the other leaf.
    assert found.time_us == pytest.approx(19e6) and found.bottleneck["from"].startswith("acc")
    slow = simulate("dragonfly-plus:p=4,l=2,s=2,h=2,rate_gbps=8,latency_ns=0", "all-to-all", 40 * 10**9,
                    routing="minimal")  # fmt: skip
    assert slow.time_us == pytest.approx((4 * 16 + 8) * 1e6)  # leaf to spine: 4 x 2 x 8, and half of 4 x 4 pairs


def test_groups_are_alike_in_a_palmtree():
    assert len(symmetry(build("dragonfly-plus:p=2,l=2,s=2,h=2")).sizes) == 1
    assert len(symmetry(build("dragonfly:p=2,a=4,h=2")).sizes) == 4  # a router of each kind in a group


def test_parts():
    built = build("dragonfly-plus:p=2,l=2,s=2,h=2,switch=qm9700,global_technology=cpo,global_length_m=40")
    assert built.attribute("part").count("qm9700") == 20
    assert Counter(e["technology"] for _, _, e in built.edges) == {"dac": 20 + 20, "cpo": 10}


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("dragonfly-plus:p=2,l=2,s=2,h=2,g=6", ConfigError, "g = 6 is not 2 to s h + 1 = 5"),
        ("dragonfly-plus:p=2,l=2,s=2,h=2,g=1", ConfigError, "g = 1 is not 2 to s h + 1 = 5"),
        ("dragonfly-plus:p=32,l=48,s=48,h=16,switch=qm9700", TopologyError, "p + s = 80 ports of a leaf"),
        ("dragonfly-plus:p=99,l=99,s=99,h=99", ConfigError, "at most 16,777,216"),
        ("dragonfly-plus:p=2,l=2,s=2", ConfigError, "needs h"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)
