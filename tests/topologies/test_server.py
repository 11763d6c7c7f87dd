"""Servers whose accelerators share adapters: structure, what counts as a link, and files of real instances."""

from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest

from topologies.bill import bill_of_materials
from topologies.errors import ConfigError
from topologies.families import systems
from topologies.invariants import check
from topologies.registry import build

INPUTS = Path(__file__).parents[3] / "shared" / "inputs" / "nccl-topo"
PUBLISHED = {  # adapters of a server, Gb/s of each
    "aws-p4d": (4, 100), "aws-p5": (32, 100), "aws-p5en": (16, 200), "gcp-a3-high": (4, 200), "gcp-a3-mega": (8, 200),
    "gcp-a3-ultra": (8, 400), "azure-nd-a100-v4": (8, 200), "azure-nd-h100-v5": (8, 400),
}  # fmt: skip


def adapters(topology):
    return [n for n, kind in topology.graph.nodes(data="kind") if kind == "nic"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_instances(name):
    number, rate = PUBLISHED[name]
    single, four = build(name), build(f"{name}:servers=4")
    check(single)
    assert len(single.accelerators) == 8 and len(adapters(single)) == number
    out = [e for n in adapters(four) for _, m, e in four.graph.edges(n, data=True) if m.startswith("leaf")]
    assert [e["rate_gbps"] for e in out] == [rate] * 4 * number
    nic = systems()[name].parameters.get("nic", "cx7-400g")
    assert {r.part.name: r.quantity for r in bill_of_materials(four)}[nic] == 4 * number


def test_every_published_instance_is_there():
    assert {name for name, system in systems().items() if system.family == "server"} == set(PUBLISHED)


def test_pcie_is_no_link():
    """8 accelerators x 18 links inside; 4 adapters out; PCIe and sockets are neither links nor in the bill."""
    assert build("server:nics=4").links == 8 * 18
    four = build("server:servers=4,nics=4")
    assert four.links == 4 * (8 * 18 + 4) + 4 * 32  # 4 leaves of 4 adapters, each with 32 of 64 ports up
    assert not {"pcie", "socket"} & {r.part.name for r in bill_of_materials(four)}


def test_the_way_out_is_the_nearest_adapter():
    graph = build("aws-p4d:servers=4").graph
    for gpu in range(8):
        away = {n: nx.shortest_path_length(graph, f"gpu-0-{gpu}", f"server-0/nic-{n}") for n in range(4)}
        assert min(away, key=away.get) == gpu // 2 and sorted(away.values())[:2] == [3, 5]


def test_no_way_through_pcie_is_as_short_as_the_scale_up_domain():
    graph = build("gcp-a3-mega").graph
    bus = graph.subgraph(n for n in graph if "/nvs" not in n)
    for peer in range(1, 8):
        assert nx.shortest_path_length(graph, "gpu-0-0", f"gpu-0-{peer}") == 2
        assert nx.shortest_path_length(bus, "gpu-0-0", f"gpu-0-{peer}") >= 4


def test_an_adapter_adds_its_latency_where_it_is_crossed():
    built = build("azure-nd-h100-v5:servers=4")
    latency = built.csr().node_latency
    assert latency[built.index["server-0/nic-0"]] == pytest.approx(400e-9)
    assert latency[built.index["gpu-0-0"]] == 0


@pytest.mark.parametrize(("name", "file"), [("azure-nd-a100-v4", "azure-ndv4"), ("azure-nd-h100-v5", "azure-ndv5")])
def test_the_structure_is_that_of_the_real_file(name, file):
    path = INPUTS / f"{file}.xml"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    root = ElementTree.parse(path).getroot()
    graph = build(name).graph
    switches = root.findall("cpu/pci")
    assert sum("/cpu-" in n for n in graph) == len(root.findall("cpu"))
    assert sum("/pcie-" in n for n in graph) == len(switches)
    width = float(switches[0].get("link_width")) * float(switches[0].get("link_speed").split()[0])
    assert {e["rate_gbps"] for _, _, e in graph.edges(data=True) if e["technology"] == "pcie"} == {width}
    for k, switch in enumerate(switches):
        below = [d.get("class") for d in switch]
        near = list(graph[f"server-0/pcie-{k}"])
        assert sum("/port-" in n for n in near) == below.count("0x030200")
        assert sum("/nic-" in n for n in near) == below.count("0x020700")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("server:nics=6", "4 PCIe switches do not divide the 6 adapters of a server"),
        ("server:gpus=6", "4 PCIe switches do not divide the 6 accelerators of a server"),
        ("server:sockets=3", "3 sockets do not divide the 4 PCIe switches of a server"),
        ("server:servers=4,rails=3", "3 rails do not divide the 8 adapters of a server"),
        ("server:uplinks=4", "uplinks has no effect without servers above 1"),
        ("server:switch=sn5600", "switch has no effect without servers above 1"),
        ("server:servers=1,rails=2", "rails has no effect without servers above 1"),
        ("aws-p5:rate_gbps=200", "rate_gbps has no effect without servers above 1"),
        ("azure-nd-h100-v5:technology=lpo", "technology has no effect without servers above 1"),
        ("server:servers=2,rate_gbps=800", "cx7-400g"),
        ("cloudmatrix:servers=1", "servers = 1 is one switch layer; use nvl"),
        ("cloudmatrix:leaf_hosts=none", "leaf_hosts is the size of a server; give a number"),
        ("nvl:uplinks=4", "uplinks has no effect with layers=1"),
        ("nvl:gpus=144,layers=2,uplink_cable=1600g-cpo,uplink_technology=lpo", "is of technology cpo, not lpo"),
    ],
)
def test_refused(spec, said):
    with pytest.raises(ConfigError, match=said):
        build(spec)


def test_the_adapter_of_a_single_server_meets_no_network():
    assert build("server:nic=nic-100g").attribute("part").count("nic-100g") == 8


@pytest.mark.parametrize(
    ("spec", "links", "one_way_gbps"),
    [
        ("server:servers=2,scaleup_mesh=1,accelerator=mi300x,scaleup_cable=xgmi-board", 28, 3584),
        ("rail:servers=2,gpus=4,scaleup_mesh=6,accelerator=gh200,switch=qm9700", 36, 3600),
    ],
)
def test_meshes_inside_servers_take_the_place_of_chips(spec, links, one_way_gbps):
    topology = build(spec)
    check(topology)
    domain = topology.graph.nodes
    inside = [
        (a, b, e) for a, b, e in topology.graph.edges(data=True)
        if domain[a]["kind"] == domain[b]["kind"] == "accelerator"
    ]  # fmt: skip
    assert sum(e["count"] for *_, e in inside) == 2 * links
    assert all(domain[a]["domain"] == domain[b]["domain"] for a, b, _ in inside)
    first = topology.accelerators[0]
    assert sum(e["count"] * e["rate_gbps"] for a, b, e in inside if first in (a, b)) == one_way_gbps
    assert not any(kind == "switch" and "leaf" not in name for name, kind in topology.graph.nodes(data="kind")
                   if not str(name).startswith("spine"))  # fmt: skip


def test_a_mesh_of_no_links_is_refused():
    with pytest.raises(ConfigError, match="scaleup_mesh"):
        build("server:scaleup_mesh=0")
