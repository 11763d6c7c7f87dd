"""Topology: any NetworkX graph, its invariants, and the arrays that kernels read."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import TopologyError
from topologies.graph import Topology
from topologies.registry import build

SPECS = [
    "ring:n=5",
    "torus:dims=4x2x1",
    "full-mesh:n=4",
    "fat-tree:k=4",
    "rail:servers=4",
    "nvl72",
    "jupiter:blocks=3,uplinks=4",
]


def star(**edge):
    """Two accelerators on a switch."""
    graph = nx.Graph()
    graph.add_nodes_from(["a", "b"], kind="accelerator")
    graph.add_node("s", kind="switch")
    graph.add_edge("a", "s", **edge)
    graph.add_edge("s", "b", **edge)
    return graph


def test_a_bare_graph_is_one_of_forwarding_accelerators():
    built = Topology.from_graph(nx.petersen_graph(), rate_gbps=100)
    assert built.accelerators == list(range(10)) and built.links == 15
    assert built.attribute("forwards") == [True] * 10
    assert {e["rate_gbps"] for _, _, e in built.graph.edges(data=True)} == {100.0}


def test_kinds_decide_who_forwards():
    built = Topology.from_graph(star(count=3))
    assert dict(built.graph.nodes(data="forwards")) == {"a": False, "b": False, "s": True}
    assert built.links == 6 and built.csr().capacity.tolist() == [3 * 400e9 / 8] * 4


def test_the_given_graph_is_left_alone():
    graph = star()
    Topology.from_graph(graph, rate_gbps=100)
    assert list(graph.edges(data=True)) == [("a", "s", {}), ("b", "s", {})]


def test_edges_keep_what_they_say():
    edge = Topology.from_graph(star(rate_gbps=100, latency_ns=7, length_m=3, weight=5, duty=0.5)).graph.edges["a", "s"]
    assert (edge["rate_gbps"], edge["latency_ns"], edge["length_m"], edge["weight"]) == (100.0, 7, 3, 5)
    assert edge["cable"] == "dac-100g"


def test_numpy_numbers_are_numbers():
    built = Topology.from_graph(star(rate_gbps=np.int64(100), count=np.int32(2), latency_ns=np.float32(5)))
    assert built.links == 4 and built.csr().capacity.tolist() == [25e9] * 4


@pytest.mark.parametrize("graph", [nx.DiGraph([(0, 1)]), nx.MultiGraph([(0, 1), (0, 1)]), nx.MultiDiGraph([(0, 1)])])
def test_directed_and_parallel_are_refused(graph):
    with pytest.raises(TopologyError, match="undirected simple graph; write parallel links as count="):
        Topology.from_graph(graph)


@pytest.mark.parametrize(
    ("edge", "said"),
    [
        ({"rate_gbps": -400}, "rate_gbps = -400"), ({"rate_gbps": 0}, "rate_gbps = 0"),
        ({"rate_gbps": float("nan")}, "rate_gbps"),
        ({"rate_gbps": float("inf")}, "rate_gbps"), ({"rate_gbps": "400"}, "rate_gbps"),
        ({"rate_gbps": True}, "rate_gbps"),
        ({"count": 0}, "count"), ({"count": -1}, "count"), ({"count": 1.5}, "count = 1.5 is not a whole number"),
        ({"duty": 0}, "duty"), ({"duty": -0.5}, "duty"), ({"duty": 2.0}, "duty"),
        ({"medium": "string"}, "medium 'string'"),
        ({"latency_ns": -5}, "latency_ns"), ({"latency_ns": float("nan")}, "latency_ns"),
        ({"latency_ns": "x"}, "latency_ns"),
        ({"length_m": "x"}, "length_m"), ({"length_m": -3}, "length_m"),
    ],
)  # fmt: skip
def test_a_wrong_link_is_named(edge, said):
    with pytest.raises(TopologyError, match="link a - s") as error:
        Topology.from_graph(star(**edge))
    assert said in str(error.value)


def test_other_refusals():
    loop = star()
    loop.add_edge("a", "a")
    with pytest.raises(TopologyError, match="joins a node to itself"):
        Topology.from_graph(loop)
    pieces = nx.Graph([(0, 1), (2, 3)])
    with pytest.raises(TopologyError, match="not connected: nothing joins 0 and 2"):
        Topology.from_graph(pieces)
    with pytest.raises(TopologyError, match="0 accelerators"):
        Topology.from_graph(nx.Graph())
    only = nx.Graph()
    only.add_edge("s", "t")
    nx.set_node_attributes(only, "switch", "kind")
    with pytest.raises(TopologyError, match="0 accelerators"):
        Topology.from_graph(only)
    odd = star()
    odd.nodes["s"]["kind"] = "router"
    with pytest.raises(TopologyError, match="node s: kind 'router'"):
        Topology.from_graph(odd)
    del odd.nodes["s"]["kind"]
    with pytest.raises(TopologyError, match="node s has no kind, others do; give every node one of accelerator"):
        Topology.from_graph(odd)


def test_an_idle_switch_apart_is_refused_with_a_sentence():
    graph = star()
    graph.add_node("t", kind="switch")
    with pytest.raises(TopologyError, match="not connected"):
        Topology.from_graph(graph)


def check_csr(topology):
    csr = topology.csr()
    arcs = np.arange(len(csr.heads))
    assert np.array_equal(csr.twin[csr.twin], arcs) and not np.any(csr.twin == arcs)
    assert np.array_equal(csr.tails[csr.twin], csr.heads) and np.array_equal(csr.heads[csr.twin], csr.tails)
    assert np.array_equal(np.repeat(np.arange(len(topology.nodes)), np.diff(csr.indptr)), csr.tails)
    for values in (csr.capacity, csr.links, csr.latency):
        assert np.array_equal(values[csr.twin], values)
    assert len(csr.heads) == 2 * topology.graph.number_of_edges()
    pairs = {(topology.nodes[t], topology.nodes[h]) for t, h in zip(csr.tails, csr.heads, strict=True)}
    assert pairs == {pair for a, b in topology.graph.edges for pair in ((a, b), (b, a))}
    assert csr.links.sum() == 2 * topology.links
    assert [topology.nodes[i] for i in csr.accelerators] == topology.accelerators
    for tail, head, rate in zip(csr.tails, csr.heads, csr.capacity, strict=True):
        edge = topology.graph.edges[topology.nodes[tail], topology.nodes[head]]
        assert rate == pytest.approx(edge["rate_gbps"] * edge["count"] * edge["duty"] * 1e9 / 8)


@pytest.mark.parametrize("spec", SPECS)
def test_csr(spec):
    check_csr(build(spec))


@pytest.mark.parametrize("spec", SPECS)
def test_csr_is_stable(spec):
    first, second = build(spec), build(spec)
    assert first.nodes == second.nodes
    for key in (
        "indptr",
        "heads",
        "twin",
        "links",
        "capacity",
        "latency",
        "forwards",
        "node_latency",
        "accelerators",
    ):
        assert np.array_equal(getattr(first.csr(), key), getattr(second.csr(), key)), key
    assert first.csr() is first.csr()


@given(st.integers(0, 10**6), st.integers(2, 25))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_csr_of_random_graphs(seed, n):
    graph = nx.gnp_random_graph(n, 0.4, seed=seed)
    graph.add_edges_from(nx.path_graph(n).edges, count=seed % 3 + 1, rate_gbps=100.0 + seed % 7)
    check_csr(Topology.from_graph(nx.relabel_nodes(graph, {i: (i * 7) % 26 for i in graph})))


@pytest.mark.parametrize("spec", SPECS)
def test_a_built_family_passes_as_a_plain_graph(spec):
    built = build(spec)
    again = Topology.from_graph(built.graph)
    assert again.nodes == built.nodes and again.links == built.links
    assert np.array_equal(again.csr().capacity, built.csr().capacity)
    assert np.array_equal(again.csr().forwards, built.csr().forwards)


def test_node_latency_is_that_of_the_part():
    graph = star()
    graph.nodes["s"]["part"] = "qm9700"
    built = Topology.from_graph(graph)
    assert built.csr().node_latency.tolist() == pytest.approx([0, 0, 200e-9])
    assert not build("switch:n=4").csr().node_latency.any()


def test_link_latency_is_flight_and_phys():
    assert build("ring:n=4,length_m=2").csr().latency[0] == pytest.approx((2 * 4.5 + 86) * 1e-9)
    optical = build("ring:n=4,technology=pluggable,length_m=100").csr().latency[0]
    assert optical == pytest.approx((100 * 4.9 + 86 + 2 * 50) * 1e-9)
    with_nic = build("switch:n=4,nic=cx7-400g,length_m=2").csr().latency[0]
    assert with_nic == pytest.approx((2 * 4.5 + 86 + 400) * 1e-9)
    assert build("ring:n=4,latency_ns=123,length_m=99").csr().latency[0] == pytest.approx(123e-9)


def test_only_circuit_fabrics_have_a_state():
    with pytest.raises(TopologyError, match="no circuit layer"):
        build("ring:n=4").with_state(np.zeros((0, 3), np.int32))


@pytest.mark.parametrize(
    ("node", "part", "kind"), [("s", "h100-sxm", "accelerator"), ("a", "qm9700", "switch"), ("s", "dac-400g", "cable")]
)
def test_a_part_of_another_kind_is_refused(node, part, kind):
    graph = star()
    graph.nodes[node]["part"] = part
    with pytest.raises(TopologyError, match=f"node {node}: part '{part}' is of kind {kind}, the node a") as error:
        Topology.from_graph(graph)
    assert str(error.value).count("\n") == 0


def test_parts_of_the_right_kind_are_taken():
    graph = star()
    graph.nodes["s"]["part"], graph.nodes["a"]["part"] = "qm9700", "h100-sxm"
    assert Topology.from_graph(graph).attribute("part") == ["h100-sxm", "generic", "qm9700"]


@pytest.mark.parametrize("spec", ["rail:servers=3,gpus=4", "torus:dims=3x4", "jupiter:blocks=5,uplinks=6,hosts=2"])
def test_edges_come_in_the_order_of_the_graph(built, spec):
    topology = built(spec)
    assert topology.edges == list(topology.graph.edges(data=True))


def test_blocks_that_share_an_axis_move_together(built):
    topology = built("fat-tree:k=4")
    for move in topology.generators(topology):
        image = dict(zip(topology.nodes, np.array(topology.nodes, dtype=object)[move], strict=True))
        moved = nx.relabel_nodes(topology.graph, image)
        assert sorted(image.values()) == sorted(topology.nodes)
        assert {frozenset(e) for e in moved.edges} == {frozenset(e) for e in topology.graph.edges}
