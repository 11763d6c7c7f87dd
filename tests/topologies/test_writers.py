"""Foreign formats as they are written: read again by those that know them, and by their own rules."""

import json
import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from fabric.fluid import fluid_completion
from topologies.errors import ConfigError
from topologies.formats import read_topology
from topologies.formats.writing import WRITERS, export, write_whole
from topologies.formats.writing.fat_tree import fat_tree_shape
from topologies.formats.writing.nccl import _capabilities
from topologies.graph import Topology
from topologies.parts import Accelerator, catalogue
from topologies.registry import build

FABRICS = [
    "ring:n=4", "torus:dims=4x2", "full-mesh:n=5", "switch:n=4", "fat-tree:k=4", "rail:servers=4,gpus=4",
    "dragonfly:p=2,a=4,h=2", "tpu-v4-64", "nvl72",
]  # fmt: skip


def numbers(text, key):
    (row,) = re.findall(rf"^{key}: \[ (.*?) \]", text, re.MULTILINE)
    return row.split(", ")


@pytest.mark.parametrize("spec", FABRICS)
def test_graphml_holds_every_attribute(spec):
    topology = build(spec)
    read = nx.parse_graphml(export(topology, "graphml").text)
    assert read.graph["name"] == topology.name
    assert list(read) == [str(node) for node in topology.nodes]
    for node, row in topology.graph.nodes(data=True):
        told = {k: json.dumps(v) if isinstance(v, tuple | list | dict) else v for k, v in row.items() if v is not None}
        assert dict(read.nodes[str(node)]) == told
    assert {frozenset(e) for e in read.edges} == {frozenset(map(str, e)) for e in topology.graph.edges}
    for a, b, row in topology.edges:
        assert {k: v for k, v in read.edges[str(a), str(b)].items() if k != "id"} == row


def test_dot_draws_links_of_unstated_medium():
    assert 'color="black"' in export(build("trainium3-64"), "dot").text


def test_graphml_is_a_fabric_again():
    topology = build("fat-tree:k=4")
    again = Topology.from_graph(nx.parse_graphml(export(topology, "graphml").text))
    assert (again.csr().capacity == topology.csr().capacity).all()
    assert (again.csr().latency == topology.csr().latency).all()
    assert again.accelerators == topology.accelerators and not again.notes


def test_text_is_escaped_in_xml_and_dot():
    graph = nx.path_graph(['a<"&>', "b\\", "c'"])
    topology = Topology.from_graph(graph, name='"<&')
    read = nx.parse_graphml(export(topology, "graphml").text)
    assert list(read) == list(graph) and read.graph["name"] == '"<&'
    assert [h.get("id") for h in ElementTree.fromstring(export(topology, "simgrid").text).iter("host")] == list(graph)
    assert '"a<\\"&>" -- "b\\\\"' in export(topology, "dot").text


@pytest.mark.parametrize("form", [name for name in WRITERS if name not in ("astra-sim", "astra-sim-logical", "nccl")])
def test_labels_that_no_line_holds(form):
    with pytest.raises(ConfigError, match=r"not a line of text|is not text"):
        export(Topology.from_graph(nx.path_graph(["a\nb", "b"])), form)


@pytest.mark.parametrize("form", ["graphml", "node-link", "simgrid", "dot"])
def test_labels_that_are_one_as_text(form):
    with pytest.raises(ConfigError, match="same label as text"):
        export(Topology.from_graph(nx.path_graph([1, "1"])), form)


@pytest.mark.parametrize("form", WRITERS)
def test_same_bytes_for_the_same_fabric(form):
    assert export(build("switch:n=4"), form) == export(build("switch:n=4"), form)


def test_unknown_format():
    with pytest.raises(ConfigError, match="did you mean 'graphml'"):
        export(build("ring:n=4"), "grapml")


def test_dot_has_every_node_and_link_once():
    topology = build("fat-tree:k=4")
    text = export(topology, "dot").text
    assert text.count(" -- ") == topology.graph.number_of_edges()
    assert len(re.findall(r'^  "[^"]*" \[', text, re.MULTILINE)) == len(topology.nodes)
    assert '[label="2 x 400G"' in export(build("torus:dims=4x2"), "dot").text


@pytest.mark.parametrize(
    ("spec", "blocks", "npus", "bandwidth", "latency"),
    [
        ("ring:n=8,rate_gbps=200,latency_ns=500", "Ring", "8", "25.0", "500.0"),
        ("torus:dims=4x4x8,latency_ns=500", "Ring Ring Ring", "4 4 8", "50.0 50.0 50.0", "500.0 500.0 500.0"),
        # two along a dimension are joined by two links; one along a dimension is none
        ("torus:dims=4x2x1,latency_ns=500", "Ring FullyConnected", "4 2", "50.0 100.0", "500.0 500.0"),
        ("full-mesh:n=6,latency_ns=500", "FullyConnected", "6", "50.0", "500.0"),
        ("switch:n=8,latency_ns=500", "Switch", "8", "50.0", "500.0"),
        # 18 links of 400 Gb/s; half of two links of 199.5 ns and a switch of 400 ns
        ("nvl72", "Switch", "72", "900.0", "399.5"),
        # six links of 500 ns between pods, no switch model
        ("fat-tree:k=4,latency_ns=500", "Switch", "16", "50.0", "1500.0"),
        # 18 x 200 Gb/s inside, one 400 Gb/s adapter out; one leaf a rail
        ("dgx-h100-superpod-256", "Switch Switch", "8 32", "450.0 50.0", "412.98 833.0"),
    ],
)
def test_astra_sim(spec, blocks, npus, bandwidth, latency):
    topology = build(spec)
    made = export(topology, "astra-sim")
    for key, row in (("topology", blocks), ("npus_count", npus), ("bandwidth", bandwidth), ("latency", latency)):
        assert numbers(made.text, key) == row.split(), key
    assert json.loads(export(topology, "astra-sim-logical").text) == {"logical-dims": npus.split()}
    assert any("2^30" in note for note in made.notes)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("mesh:dims=4x4", "no wraparound"),
        ("torus:dims=4x4x8,twist=true", "twisted"),
        ("rail:servers=4,oversubscription=2", "oversubscribed"),
        ("clos:hosts=256,oversubscription=3", "oversubscribed"),
        ("dragonfly:p=2,a=4,h=2", "no grid"),
        ("jellyfish:n=8,degree=3,p=2", "no grid"),
    ],
)
def test_astra_sim_refuses_what_it_has_no_dimension_for(spec, why):
    with pytest.raises(ConfigError, match=why):
        export(build(spec), "astra-sim")


def test_astra_sim_refuses_links_that_differ():
    torus = build("torus:dims=4x4")
    graph = nx.Graph(torus.graph)
    graph.edges["0-0", "1-0"]["rate_gbps"] = 100.0
    slower = Topology(torus.name, torus.family, torus.parameters, graph, torus.catalogue, grid=torus.grid)
    with pytest.raises(ConfigError, match="from 100 to 400 Gb/s"):
        export(slower, "astra-sim")


def test_nccl_counts_links_and_adapters():
    read = ElementTree.fromstring(export(build("dgx-h100-superpod-256"), "nccl").text)
    gpus = list(read.iter("gpu"))
    assert [gpu.get("rank") for gpu in gpus] == [str(i) for i in range(8)] and {gpu.get("sm") for gpu in gpus} == {"90"}
    for gpu in gpus:
        counts = sorted(int(link.get("count")) for link in gpu.iter("nvlink"))
        assert counts == [4, 4, 5, 5] and {link.get("tclass") for link in gpu} == {"0x068000"}
    assert [net.get("speed") for net in read.iter("net")] == ["400000"] * 8
    buses = [pci.get("busid") for pci in read.iter("pci")]
    assert len(set(buses)) == len(buses) == 24


def test_nccl_of_accelerators_that_face_each_other():
    read = ElementTree.fromstring(export(build("full-mesh:n=4,accelerator=mi300x"), "nccl").text)
    own = {pci.get("busid") for pci in read.iter("pci") if pci.find("gpu") is not None}
    for pci in read.iter("pci"):
        if pci.find("gpu") is not None:
            targets = [link.get("target") for link in pci.iter("xgmi")]
            assert sorted([*targets, pci.get("busid")]) == sorted(own)


def test_nccl_refuses_what_is_no_server():
    with pytest.raises(ConfigError, match="at most 256"):
        export(build("switch:n=300"), "nccl")
    with pytest.raises(ConfigError, match="no server"):
        export(build("fat-tree:k=4"), "nccl")


def test_every_compute_capability_is_of_an_accelerator():
    for name in _capabilities():
        assert isinstance(catalogue().get(name), Accelerator), name


@pytest.mark.parametrize(
    ("spec", "down", "up"),
    [
        ("switch:n=8", (8,), (1,)),
        ("clos:hosts=256", (32, 8), (1, 4)),
        ("fat-tree:k=6", (3, 3, 6), (1, 3, 3)),
    ],
)
def test_fat_tree_shape(spec, down, up):
    topology = build(spec)
    shape = fat_tree_shape(topology)
    assert (shape.down, shape.up) == (down, up)
    switches = sum(
        int(_product(shape.up[: level + 1]) * _product(shape.down[level + 1 :])) for level in range(len(shape.down))
    )
    assert switches == topology.attribute("kind").count("switch")


def _product(values):
    total = 1
    for value in values:
        total *= value
    return total


@pytest.mark.parametrize("spec", ["ring:n=4", "rail:servers=4", "jellyfish:n=8,degree=3,p=2", "dragonfly:p=2,a=4,h=2"])
def test_no_fat_tree(spec):
    assert fat_tree_shape(build(spec)) is None


def test_a_crossed_link_is_no_fat_tree():
    graph = nx.Graph(build("fat-tree:k=4").graph)
    cores = [node for node in graph if str(node).startswith("core")]
    core, other = next((a, b) for a in cores for b in cores if not graph.adj[a].keys() & graph.adj[b].keys())
    below, instead = next(iter(graph.adj[core])), list(graph.adj[other])[1]
    graph.add_edge(core, instead, **graph.edges[core, below])
    graph.remove_edge(core, below)
    assert fat_tree_shape(Topology.from_graph(graph)) is None


def test_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a"
    write_whole("one", path)
    with pytest.raises(UnicodeEncodeError):
        write_whole("\ud800", path)
    assert path.read_text() == "one" and [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("spec", [*FABRICS, "clos:hosts=128", "mesh:dims=3x3", "torus:dims=4x4x8,twist=true"])
@pytest.mark.parametrize("form", ["graphml", "node-link", "simgrid"])
def test_our_readers_find_the_same_fabric(form, spec, tmp_path):
    """Ranks in order, every link's rate; latencies too where switches have none (SimGrid has it on the links)."""
    topology = build(spec)
    path = tmp_path / f"fabric{WRITERS[form][1]}"
    path.write_text(export(topology, form).text)
    again = read_topology(path, topology.catalogue, form)
    own, read = topology.csr(), again.csr()
    assert len(again.accelerators) == len(topology.accelerators)
    assert np.sort(read.capacity) == pytest.approx(np.sort(own.capacity), rel=1e-12)
    if form != "simgrid" or not own.node_latency.any():
        assert np.sort(read.latency) == pytest.approx(np.sort(own.latency), rel=1e-12)
    flows = {"source": [0, 0], "target": [1, len(own.accelerators) - 1], "bytes": 1e9}  # latency counts for nothing
    ours, theirs = (fluid_completion(t, flows, routing="ecmp") for t in (topology, again))
    assert theirs.makespan == pytest.approx(ours.makespan, rel=1e-3)


@pytest.mark.parametrize("spec", ["ring:n=6", "torus:dims=4x4", "torus:dims=4x2", "full-mesh:n=5", "switch:n=4"])
def test_our_reader_finds_the_same_dimensions(spec, tmp_path):
    topology = build(spec)
    (tmp_path / "net.yml").write_text(export(topology, "astra-sim").text)
    again = read_topology(tmp_path / "net.yml", topology.catalogue)
    own, read = topology.csr(), again.csr()
    assert np.sort(read.capacity) == pytest.approx(np.sort(own.capacity), rel=1e-12)
    assert np.sort(read.latency) == pytest.approx(np.sort(own.latency), rel=1e-12)


@pytest.mark.parametrize("spec", ["dgx-h100-superpod-256", "nvl72", "full-mesh:n=8,accelerator=mi300x"])
def test_our_reader_finds_the_same_server(spec, tmp_path):
    """The accelerator by its PCI ids, its scale-up links, its adapters."""
    topology = build(spec)
    (tmp_path / "server.xml").write_text(export(topology, "nccl").text)
    again = read_topology(tmp_path / "server.xml", topology.catalogue)
    own = topology.domains[0] if topology.domains else range(len(topology.accelerators))
    assert len(again.accelerators) == len(own)
    for rank, node in zip(own, again.accelerators, strict=True):
        before, after = topology.graph.nodes[topology.accelerators[rank]], again.graph.nodes[node]
        assert after["part"] == before["part"]
    inside = {topology.accelerators[rank] for rank in own}
    chips = {n for n in topology.graph if topology.graph.adj[n].keys() <= inside}
    counted = sum(e["count"] for a, b, e in topology.edges if {a, b} <= inside | chips)
    assert again.links == counted


def test_what_is_no_file_is_written_into_and_a_link_stays_one(tmp_path):
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole("through\n", pipe)
    assert os.read(reader, 100) == b"through\n" and pipe.is_fifo()
    os.close(reader)
    link.symlink_to(file)
    write_whole("there\n", link)
    assert link.is_symlink() and file.read_text() == "there\n"
    with pytest.raises(ConfigError, match="No space left"):
        write_whole("x", Path("/dev/full"))
    assert Path("/dev/full").is_char_device() and sorted(tmp_path.iterdir()) == [file, link, pipe]
