"""What describe says of a topology, against counts, NetworkX, and published figures."""

import networkx as nx
import pytest

from fabric.metrics import bisection, bisection_gb_per_s, describe, distances, injection_gb_per_s
from topologies.registry import build

SPECS = [
    "ring:n=7", "torus:dims=4x3x2", "mesh:dims=4x3", "torus:dims=4x4x8,twist=true", "full-mesh:n=5", "fat-tree:k=4",
    "nvl72",
    "rail:servers=3,gpus=4", "clos:hosts=70", "jupiter:blocks=4,uplinks=6,hosts=2", "nvl:gpus=80,layers=2,links=2",
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_distances_are_those_of_networkx(spec):
    topology = build(spec)
    graph, ends = topology.graph, topology.accelerators
    lengths = []
    for a in ends:
        usable = [n for n, f in graph.nodes(data="forwards") if f or n in set(ends)]
        assert len(usable) == len(graph)
        seen = {a: 0}
        frontier = [a]
        while frontier:
            following = []
            for node in frontier:
                for other in graph[node] if graph.nodes[node]["forwards"] or node == a else ():
                    if other not in seen:
                        seen[other] = seen[node] + 1
                        following.append(other)
            frontier = following
        lengths += [seen[b] for b in ends if b != a]
    diameter, average, _ = distances(topology)
    assert diameter == max(lengths) and average == pytest.approx(sum(lengths) / len(lengths))


def test_pairs_without_a_path_have_no_distance():
    assert distances(build("rail:servers=3,gpus=4,core=none")) == (None, None, None)


@pytest.mark.parametrize(
    ("spec", "terabytes"),
    [
        ("tpu-v5e-256", 1.6), ("tpu-v4-4096", 25.6), ("nvl72", 72 / 2 * 0.9), ("ring:n=8", 0.1), ("mesh:dims=8", 0.05),
        ("full-mesh:n=8", 16 * 0.05), ("fat-tree:k=4", 8 * 0.05), ("clos:hosts=96,oversubscription=3,tiers=2", 0.8),
        ("torus:dims=4x4x8", 32 * 0.05), ("dgx-h100-superpod-256", 128 * 0.05),
    ],
)  # fmt: skip
def test_bisection(spec, terabytes):
    assert bisection_gb_per_s(build(spec)) / 1e3 == pytest.approx(terabytes)


def test_blocks_of_uneven_circuits_may_have_narrower_halves_than_their_order():
    """64 uplinks to 7 other blocks: nine circuits a pair and a tenth for four pairs, none of which is cut."""
    low, high = bisection(build("jupiter:blocks=8,uplinks=64,hosts=64"))
    assert high == 16 * 9 * 50 > low


def test_bisection_of_an_odd_number_is_none():
    assert bisection_gb_per_s(build("ring:n=7")) is None


@pytest.mark.parametrize(
    "spec", ["nvl:gpus=144,layers=2", "clos:hosts=2048", "rail:servers=64,planes=2", "fat-tree:k=8"]
)
def test_a_fabric_without_oversubscription_has_full_bisection(spec):
    topology = build(spec)
    inside = 0.0
    if topology.domains and len(topology.domains) > 1:
        nics = sum(e["rate_gbps"] * e["count"] for *_, e in topology.graph.edges(data=True) if e.get("nic"))
        inside = injection_gb_per_s(topology) - nics / 8
    assert bisection_gb_per_s(topology) == pytest.approx((injection_gb_per_s(topology) - inside) / 2)


@pytest.mark.parametrize("spec", SPECS)
def test_counts(spec):
    topology = build(spec)
    said = describe(topology)
    kinds = topology.attribute("kind")
    assert said["accelerators"] + said["switches"] == len(kinds) == topology.graph.number_of_nodes()
    assert sum(said["switches_by_tier"].values()) == said["switches"]
    assert (
        sum(said["links_by_medium"].values())
        == said["links"]
        == sum(nx.get_edge_attributes(topology.graph, "count").values())
    )
    assert said["injection_gb_per_s"] == pytest.approx(injection_gb_per_s(topology))


def test_circuits_are_counted():
    said = describe(build("tpu-v4-4096"))
    assert (said["circuit_switches"], said["strands"], said["strands_per_circuit_switch"], said["circuits"]) == (
        48,
        6144,
        128,
        3072,
    )
    assert said["links_by_medium"] == {"circuit": 3072, "copper": 9216}
    assert said["diameter"] == 24
    assert describe(build("ring:n=4"))["strands"] == 0
