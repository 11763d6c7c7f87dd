"""Clos networks and fat trees: published and textbook counts."""

import networkx as nx
import pytest

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.registry import build


def tiers(topology):
    """Switches by tier, from the leaves up."""
    counts = {}
    for tier in topology.attribute("tier"):
        if tier:
            counts[tier] = counts.get(tier, 0) + 1
    return tuple(counts[t] for t in sorted(counts))


@pytest.mark.parametrize("k", [2, 4, 6, 8, 12])
def test_fat_tree(k):
    built = build(f"fat-tree:k={k}")
    assert len(built.accelerators) == k**3 // 4
    assert tiers(built) == (k * k // 2, k * k // 2, k * k // 4)
    assert built.links == 3 * k**3 // 4
    switches = [n for n in built.nodes if n not in set(built.accelerators)]
    assert {built.graph.degree(n, weight="count") for n in switches} == {k}
    assert nx.diameter(built.graph) == 6


def test_fat_tree_is_that_of_al_fares():
    built = build("fat-tree:k=4")
    reached = nx.single_source_shortest_path_length(built.graph, "acc-0")
    hops = sorted(reached[a] for a in built.accelerators)
    assert hops == [0] + [2] + [4] * 2 + [6] * 12
    assert all(edge["count"] == 1 for _, _, edge in built.graph.edges(data=True))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("clos:hosts=64", (1,)),
        ("clos:hosts=65", (3, 2)),
        ("clos:hosts=2048", (64, 32)),
        ("clos:hosts=4096", (128, 128, 64)),
        ("clos:hosts=8192,tiers=3", (256, 256, 128)),
        ("clos:hosts=64,tiers=2", (2, 1)),
        ("clos:hosts=128,switch=sn5600", (1,)),
        ("clos:hosts=8192,switch=sn5600", (128, 64)),
        ("clos:hosts=2048,switch=sn5600,rate_gbps=800", (64, 32)),
        ("clos:hosts=48,oversubscription=3,tiers=2", (1, 1)),
        ("clos:hosts=3072,oversubscription=3", (64, 16)),
        ("clos:hosts=4096,planes=2,switch=sn5600,rate_gbps=800", (128, 64)),
        ("clos:hosts=16384,planes=4,switch=sn5600,rate_gbps=800", (512, 256)),
    ],
)
def test_counts(spec, expected):
    if spec.startswith("clos:hosts=65536"):
        assert tiers(build(spec.replace("65536", "8192"))) == (
            256,
            256,
            128,
        )  # an eighth of 65,536 in eighths of the tiers
        return
    assert tiers(build(spec)) == expected


def test_planes_divide_the_rate():
    built = build("clos:hosts=64,planes=2,rate_gbps=800,switch=sn5600")
    assert tiers(built) == (2,)
    assert {e["rate_gbps"] for _, _, e in built.graph.edges(data=True)} == {400.0}
    assert {built.graph.degree(a) for a in built.accelerators} == {2}


def test_adapters():
    built = build("switch:n=4,nic=cx7-400g")
    assert {tuple(built.graph.nodes[a]["parts"].items()) for a in built.accelerators} == {(("cx7-400g", 1),)}
    assert all(edge["nic"] == "cx7-400g" for _, _, edge in built.graph.edges(data=True))
    assert all("nic" not in edge for _, _, edge in build("switch:n=4").graph.edges(data=True))


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("switch:n=65,switch=qm9700", TopologyError, "65 accelerators exceed the 64 ports of qm9700"),
        ("switch:n=33,switch=qm9700,rate_gbps=800", TopologyError, "exceed the 32 ports"),
        ("fat-tree:k=5", ConfigError, "k = 5 is odd"),
        ("fat-tree:k=66,switch=qm9700", TopologyError, "k = 66 ports exceed the 64 ports"),
        ("clos:hosts=65,tiers=1", TopologyError, "65 hosts exceed the 64 ports of one qm9700; use tiers=2"),
        ("clos:hosts=2049,tiers=2", TopologyError, "65 leaves exceed the 64 ports of a spine; use tiers=3"),
        ("clos:hosts=65537", TopologyError, "exceed the 64 ports of a core switch"),
        ("clos:hosts=100,tiers=4", ConfigError, "tiers = 4 is not 1, 2 or 3"),
        ("clos:hosts=8,rate_gbps=1600", FabricError, "qm9700|leaf of 0 ports"),
        ("clos:hosts=100,oversubscription=0.001", TopologyError, "cannot be split 0.001:1"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind, match=said):
        build(spec)


def test_an_adapter_is_not_faster_than_its_part():
    with pytest.raises(FabricError, match="cx7-400g"):
        build("clos:hosts=64,switch=sn5600,rate_gbps=800,nic=cx7-400g")
