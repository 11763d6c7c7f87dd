"""GraphML, node-link JSON and GML: one graph in three forms, attributes of any name, and damaged files."""

import json

import networkx as nx
import pytest

from fabric import simulate
from fabric.metrics import describe
from topologies.formats.writing import export
from topologies.registry import build

FORMS = ("graphml", "node-link", "gml")


def written(graph, name):
    """The text that NetworkX writes."""
    if name == "graphml":
        return "\n".join(nx.generate_graphml(graph))
    if name == "gml":
        return "\n".join(nx.generate_gml(graph))
    return json.dumps(nx.node_link_data(graph, edges="links"))


def leafy():
    """Four servers on two switches, which two links join."""
    graph = nx.Graph()
    for i in range(4):
        graph.add_node(f"s{i}", role="server")
    for i in range(2):
        graph.add_node(f"w{i}", role="leaf switch")
    for i in range(4):
        graph.add_edge(f"s{i}", f"w{i // 2}", speed=25.0, far=2.0, delay=1.5)
    graph.add_edge("w0", "w1", speed=100.0, far=5.0, delay=3.0, number=2)
    return graph


@pytest.mark.parametrize("name", FORMS)
def test_declared_attributes(read, kinds, name):
    topology = read(
        name, written(leafy(), name), rate="speed", rate_unit="GB/s", kind="role", length="far", length_unit="km",
        latency="delay", latency_unit="us", count="number",
    )  # fmt: skip
    assert kinds(topology) == {"accelerator": 4, "switch": 2} and topology.links == 4 + 2
    edge = topology.graph.edges["s0", "w0"]
    assert (edge["rate_gbps"], edge["length_m"], edge["latency_ns"]) == (200, 2000, 1500)
    assert topology.graph.edges["w0", "w1"]["rate_gbps"] == 800
    assert not topology.graph.nodes["s0"]["forwards"] and topology.graph.nodes["w0"]["tier"] == 1


@pytest.mark.parametrize("name", FORMS)
def test_values_that_are_end_points(read, kinds, name):
    graph = nx.path_graph(3)
    nx.set_node_attributes(graph, {0: "a", 1: "b", 2: "c"}, "type")
    assert kinds(read(name, written(graph, name), kind="type", ends="a, c")) == {"accelerator": 2, "switch": 1}


@pytest.mark.parametrize("name", FORMS)
def test_a_bare_graph_is_one_of_accelerators(read, name):
    topology = read(name, written(nx.cycle_graph(5), name), rate_gbps="100")
    assert len(topology.accelerators) == topology.links == 5
    assert {e["rate_gbps"] for _, _, e in topology.edges} == {100}
    assert describe(topology)["diameter"] == 2
    assert any("5 of 5 edges have no rate_gbps" in note for note in topology.notes)


@pytest.mark.parametrize("name", FORMS)
def test_a_directed_graph_has_both_ways_on_one_link(read, name):
    topology = read(name, written(nx.cycle_graph(5).to_directed(), name))
    assert topology.links == 5
    one_way = read(name, written(nx.cycle_graph(5, create_using=nx.DiGraph), name))
    assert one_way.links == 5 and any("5 have no way back" in note for note in one_way.notes)


@pytest.mark.parametrize("name", FORMS)
def test_parallel_edges_count(read, name):
    graph = nx.MultiGraph([("a", "b"), ("a", "b"), ("b", "c")])
    assert read(name, written(graph, name)).links == 3


def test_rates_with_a_unit_of_their_own(read):
    graph = nx.Graph()
    for i, text in enumerate(("100 Gb/s", "12.5 GB/s", "100Gbps", "0.1 Tbit/s")):
        graph.add_edge(i, i + 1, bandwidth=text)
    topology = read("node-link", written(graph, "node-link"), rate="bandwidth")
    assert {e["rate_gbps"] for _, _, e in topology.edges} == {100}


@pytest.mark.parametrize("technology", ["pluggable", "unstated"])
def test_cables_are_assumed_only_where_asked(read, technology):
    topology = read("gml", written(nx.cycle_graph(4), "gml"), technology=technology, length_m="20")
    assert {e["medium"] for _, _, e in topology.edges} == {"optical" if technology == "pluggable" else "unstated"}
    assert {e["length_m"] for _, _, e in topology.edges} == {20}
    assert (describe(topology)["capex_usd"] is None) == (technology == "unstated")


@pytest.mark.parametrize("spec", ["torus:dims=4x3", "nvl72", "dgx-h100-superpod-256", "dragonfly:p=2,a=4,h=2"])
def test_what_is_exported_as_graphml_reads_back(tmp_path, spec):
    """Nodes, kinds, parts, links with cable, rate, length and latency: what the bill and the paths stand on."""
    first = build(spec)
    path = tmp_path / "fabric.graphml"
    path.write_text(export(first, "graphml").text)
    again = build(str(path))
    assert [str(n) for n in first.accelerators] == again.accelerators
    was, now = describe(first), describe(again)
    for key in ("links_by_medium", "network_power_w", "capex_usd", "diameter", "average_distance", "bill_of_materials"):
        assert now[key] == (pytest.approx(was[key]) if isinstance(was[key], float) else was[key]), key


SMALL = written(leafy(), "graphml")
ODD = {"nodes": [{"id": "a"}, {"id": "b"}], "links": [{"source": "a", "target": "b"}]}


def link(**more):
    return json.dumps({**ODD, "links": [{**ODD["links"][0], **more}]})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("graphml", "", "empty"),
        ("graphml", SMALL.replace("graphml", "grafml"), "root is <grafml>"),
        ("graphml", SMALL[: len(SMALL) // 2], "line"),
        ("graphml", SMALL.replace('key="d0"', 'key="d99"', 1), "no <key> declares"),
        ("graphml", SMALL.replace(">25.0<", ">fast<"), "not a number"),
        ("graphml", SMALL.replace('target="w0"', 'target="w9"'), "'w9', which is no node"),
        ("graphml", SMALL.replace('target="w0"', 'target="s0"'), "to itself"),
        ("graphml", SMALL.replace('<node id="s1">', '<node id="s0">'), "twice"),
        ("node-link", "[]", "not a table"),
        ("node-link", "{}", "neither links nor edges"),
        ("node-link", '{"nodes": [], "links": []}', "0 accelerators"),
        ("node-link", json.dumps({**ODD, "nodes": [{"id": "a"}]}), "'b', which is no node"),
        ("node-link", json.dumps({**ODD, "nodes": [{"id": "a"}, {"id": "a"}]}), "twice"),
        ("node-link", json.dumps({**ODD, "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}), "not connected"),
        ("node-link", json.dumps({**ODD, "nodes": [{"id": ["a"]}, {"id": "b"}]}), "not a name"),
        ("node-link", link(rate_gbps=-1), "rate_gbps = -1"),
        ("node-link", link(rate_gbps=0), "rate_gbps = 0"),
        ("node-link", link(rate_gbps=True), "rate_gbps = True"),
        ("node-link", link(rate_gbps=float("nan")), "NaN is no number"),
        ("node-link", link(rate_gbps="1e999"), "rate_gbps"),
        ("node-link", link(count=1.5), "count = 1.5"),
        ("node-link", link(length_m=-3), "length_m = -3"),
        ("node-link", link(duty=2), "duty"),
        ("node-link", link(cable="rope"), "rope"),
        ("node-link", '{"nodes": ' + "[" * 100_000, "too deep|not JSON"),
        ("node-link", json.dumps({**ODD, "nodes": [{"id": "a", "kind": "cow"}, {"id": "b"}]}), "kind = 'cow'"),
        ("node-link", '{"nodes": [], "nodes": [], "links": []}', "twice"),
        ("gml", "graph [ node [ id 0 ]", "brackets do not fit"),
        ("gml", "graph [ node [ ] ]", "no id"),
        ("gml", "graph [ node [ id 0 ] node [ id 0 ] ]", "same id"),
        ("gml", "graph [ node [ id 0 ] edge [ source 0 target 1 ] ]", "ends at '1'"),
        ("gml", "hello", "has no value"),
        ("gml", "graph " + "[ a " * 50, "deep"),
        ("gml", "graph [ node [ id 0 ] ] ]", "brackets"),
        ("gml", "graph [ node [ id 1..2 ] ]", "not a number"),
    ],
)
def test_what_is_wrong_is_said(read, name, text, message):
    with pytest.raises(Exception, match=message) as told:
        read(name, text)
    assert told.type.__name__ in ("ConfigError", "TopologyError") and "\n" not in str(told.value)


@pytest.mark.parametrize(("key", "unit"), [("rate_unit", "Mbaud"), ("length_unit", "mile"), ("latency_unit", "min")])
def test_units_that_are_not_read(read, key, unit):
    with pytest.raises(Exception, match=unit):
        read("gml", written(nx.cycle_graph(4), "gml"), **{key: unit})


def test_topohub_real(real):
    """The file's own statistics: 778 nodes, 1136 links, 77 hops across."""
    path = real("topohub/emea_nosc.json")
    stats = json.loads(path.read_text())["graph"]["stats"]
    topology = build(str(path))
    assert (len(topology.accelerators), topology.links) == (stats["nodes"], stats["links"]) == (778, 1136)
    assert describe(topology)["diameter"] == stats["diameter_hops"]


@pytest.mark.parametrize("name", ["graphml", "node-link"])
@pytest.mark.parametrize("spec", ["aws-p5", "gcp-a3-mega", "azure-nd-a100-v4", "switch:n=4", "rail:servers=2"])
def test_ours_is_read_again_with_the_same_end_points(read, name, spec):
    ours = build(spec)
    again = read(name, export(ours, name).text)
    assert again.attribute("kind") == ours.attribute("kind")
    before, after = describe(ours), describe(again)
    for key in ("accelerators", "switches", "links", "diameter", "network_power_w", "capex_usd"):
        assert after[key] == before[key], key


@pytest.mark.parametrize("name", ["graphml", "node-link"])
@pytest.mark.parametrize("spec", ["torus:dims=4x4", "dragonfly:p=2,a=4,h=2", "tpu-v4-64"])
def test_the_answer_is_the_same_or_a_note_says_what_is_lost(read, name, spec):
    ours = build(spec)
    made = export(ours, name)
    before, after = simulate(ours, "all-reduce", "1MiB"), simulate(read(name, made.text), "all-reduce", "1MiB")
    assert before.routing != after.routing and any("its routing" in note for note in made.notes)
    assert any("dimension order" in note for note in made.notes) == (before.routing == "dor")


def test_hosts_are_end_points_where_nothing_else_is(read):
    graph = nx.Graph([("a", "s"), ("b", "s")])
    nx.set_node_attributes(graph, {"a": "host", "b": "host", "s": "switch"}, "kind")
    assert len(read("node-link", written(graph, "node-link")).accelerators) == 2
