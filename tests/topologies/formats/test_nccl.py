"""NCCL topology files: real dumps counted by hand, small servers, and files that contradict themselves."""

from collections import Counter
from pathlib import Path

import pytest

from fabric import simulate
from topologies.errors import ConfigError, TopologyError
from topologies.formats.nccl import read_nccl
from topologies.formats.writing import export
from topologies.parts import catalogue
from topologies.registry import build

REAL = Path(__file__).parents[4] / "shared/inputs/nccl-topo"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the real topology files are not on this machine")

PCI = 'link_speed="32.0 GT/s PCIe" link_width="16"'
H100 = 'class="0x030200" vendor="0x10de" device="0x2330"'
CX7 = 'class="0x020700" vendor="0x15b3" device="0x1021"'


def gpu(bus, dev, links, ids=H100, rank=None):
    held = "".join(f'<nvlink target="{t}" count="{n}" tclass="0x068000"/>' for t, n in links)
    rank = dev if rank is None else rank
    return f'<pci busid="{bus}" {ids} {PCI}><gpu dev="{dev}" sm="90" rank="{rank}" gdr="1">{held}</gpu></pci>'


def server(*devices, cpus=1):
    nic = f'<pci busid="90" {CX7} {PCI}><nic><net name="mlx5_0" speed="400000" port="1"/></nic></pci>'
    first = "\n".join(devices)
    bridge = f'<pci busid="01" class="0x060400" {PCI}>{first}{nic}</pci>'
    more = "".join(
        f'<cpu numaid="{i}" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143"/>' for i in range(1, cpus)
    )
    head = '<cpu numaid="0" arch="x86_64" vendor="GenuineIntel" familyid="6" modelid="143">'
    return f'<system version="1">\n{head}{bridge}</cpu>{more}</system>'


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "topo.xml"
        path.write_text(text)
        return read_nccl(path, parts=catalogue(), **options)

    return read_text


def kinds(topology):
    return Counter(topology.attribute("kind"))


def links(topology, technology):
    return sum(edge["count"] for _, _, edge in topology.edges if edge["technology"] == technology)


def test_links_through_switch_chips(read):
    topology = read(server(*(gpu(f"a{i}", i, [("c0", 9), ("c1", 9)]) for i in range(4))))
    assert kinds(topology) == {"accelerator": 4, "switch": 2, "host": 2, "nic": 1}
    assert topology.links == 4 * 18 and links(topology, "pcie") == 4 + 1 + 1
    assert topology.graph.edges["gpu-0", "nvswitch-c0"]["rate_gbps"] == 200
    assert topology.graph.nodes["nvswitch-c0"]["part"] == "nvswitch3"
    assert topology.graph.nodes["mlx5_0"]["part"] == "cx7-400g"
    assert set(topology.attribute("part")[:4]) == {"h100-sxm"}
    assert topology.domains == [[0, 1, 2, 3]]
    # 18 links of 25 GB/s: all to all run at 450 GB/s, PCIe adds nothing; NVLS would reduce in the switches
    direct = simulate(topology, "all-reduce", algorithm="direct", transport="ideal")
    assert direct.busbw_gb_per_s == pytest.approx(450, rel=1e-3)
    answer = simulate(topology, "all-to-all", transport="ideal")
    assert answer.of_bound == pytest.approx(1, abs=2e-3)


def test_direct_links_stand_at_both_ends_and_count_once(read):
    buses = ["a0", "a1", "a2"]
    text = server(*(gpu(bus, i, [(b, 6) for b in buses if b != bus]) for i, bus in enumerate(buses)))
    topology = read(text)
    assert kinds(topology)["switch"] == 0 and topology.links == 3 * 6
    once = text.replace('<nvlink target="a0" count="6" tclass="0x068000"/>', "")
    assert read(once).links == 18


def test_ends_that_do_not_agree(read):
    with pytest.raises(TopologyError, match="5 links from gpu-0 to gpu-1, 6 back"):
        read(server(gpu("a0", 0, [("a1", 5)]), gpu("a1", 1, [("a0", 6)])))


def test_ranks_order_the_accelerators(read):
    text = server(*(gpu(f"a{i}", i, [("c0", 1)], rank=2 - i) for i in range(3)))
    assert read(text).accelerators == ["gpu-2", "gpu-1", "gpu-0"]


def test_without_scale_up_links_traffic_takes_pcie(read):
    text = server(*(f'<pci busid="a{i}" class="0x030200" {PCI}/>' for i in range(2)), cpus=2)
    topology = read(text, accelerator="h100-sxm")
    assert (topology.links, topology.domains) == (0, [])
    sent = simulate(topology, "send-recv", transport="ideal")
    assert sent.busbw_gb_per_s == pytest.approx(16 * 31.5077 / 8, rel=1e-3)
    # the two processors are joined, at the 22 GB/s that NCCL takes for this generation
    assert topology.graph.edges["cpu-0", "cpu-1"]["rate_gbps"] == 176
    assert read(text).graph.nodes["gpu-0"]["part"] == "generic"


def test_unknown_speed_is_assumed_and_said(read):
    text = server(gpu("a0", 0, [("c0", 1)]), gpu("a1", 1, [("c0", 1)])).replace("32.0 GT/s PCIe", "Unknown")
    topology = read(text)
    assert topology.graph.edges["cpu-0", "pci-01"]["rate_gbps"] == pytest.approx(16 * 15.7538)
    assert any("16 GT/s x16 is assumed" in note for note in topology.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("<platform/>", "root is <platform>"),
        ("<system/>", "0 accelerators"),
        (server(gpu("a0", 0, [])), "1 accelerators"),
        (server(gpu("a0", 0, []), gpu("a0", 1, [])), "a0 stands there twice"),
        (server(gpu("a0", 0, []), gpu("a1", 0, [])), "'gpu-0' stands there twice"),
        (server(gpu("a0", 0, [("a0", 1)]), gpu("a1", 1, [])), "to itself"),
        (server(gpu("a0", 0, [("c0", -1)]), gpu("a1", 1, [])), "count = '-1'"),
        (server(gpu("a0", 0, [("c0", "NaN")]), gpu("a1", 1, [])), "count = 'NaN'"),
        (server(gpu("a0", 0, [("c0", 10**9)]), gpu("a1", 1, [])), "count = '1000000000'"),
        (server(gpu("a0", "x", []), gpu("a1", 1, [])), "dev = 'x'"),
        (server(gpu("a0", 0, [])).replace("400000", "-400000"), "speed"),
        (server(gpu("a0", 0, [])).replace(' busid="a0"', ""), "no busid"),
    ],
)
def test_what_is_wrong_is_said(read, text, message):
    with pytest.raises((ConfigError, TopologyError), match=message) as told:
        read(text)
    assert "topo.xml" in str(told.value) and "\n" not in str(told.value)


def test_a_part_that_is_no_accelerator(read):
    text = server(*(f'<pci busid="a{i}" class="0x030200" {PCI}/>' for i in range(2)))
    with pytest.raises(ConfigError, match="qm9700"):
        read(text, accelerator="qm9700")


@needs_real
def test_dgx_a100():
    """8 GPUs x 6 chips x 2 links; 10 adapter cards with 12 ports; 6 processors; 24 bridges."""
    topology = build(str(REAL / "dgx-a100.xml"))
    assert kinds(topology) == {"accelerator": 8, "switch": 6, "nic": 10, "host": 6 + 24}
    assert topology.links == 96 and links(topology, "socket") == 15
    assert links(topology, "pcie") == 8 + 10 + 24
    assert set(topology.attribute("part")[:8]) == {"a100-40gb"}
    assert {topology.graph.nodes[n]["part"] for n, k in topology.graph.nodes(data="kind") if k == "nic"} == {"cx6-200g"}
    # 12 links of 25 GB/s
    assert simulate(topology, "all-reduce", transport="ideal").busbw_gb_per_s == pytest.approx(300, rel=1e-3)


@needs_real
def test_mi300x_full_mesh():
    topology = build(str(REAL / "mi300x-8.xml"))
    assert kinds(topology) == {"accelerator": 8, "nic": 8, "host": 2 + 24}
    assert topology.links == 8 * 7 // 2
    assert {e["rate_gbps"] for _, _, e in topology.edges if e["technology"] == "board"} == {512}
    assert set(topology.attribute("part")[:8]) == {"mi300x"}
    # all-to-all: each of 7 links carries an eighth of what a rank sends
    assert simulate(topology, "all-to-all", transport="ideal").busbw_gb_per_s == pytest.approx(7 * 64, rel=1e-3)


@needs_real
@pytest.mark.parametrize(
    ("name", "cpus", "below", "gbps"), [("azure-ndv4", 4, 4, 252.06), ("azure-ndv5", 2, 8, 504.12)]
)
def test_azure_files_hold_pcie_only(name, cpus, below, gbps):
    topology = build(str(REAL / f"{name}.xml"))
    assert kinds(topology) == {"accelerator": 8, "nic": 8, "host": cpus + below}
    assert topology.links == 0 and links(topology, "pcie") == 16 + below
    rates = {round(edge["rate_gbps"], 2) for _, _, edge in topology.edges if edge["technology"] == "pcie"}
    assert rates == {gbps}


@pytest.mark.parametrize(
    ("spec", "accelerator", "gb_per_s"),
    [
        ("dgx-h100-superpod-256", "h100-sxm", 450),
        ("nvl72", "gb200", 900),
        ("full-mesh:n=8,accelerator=mi300x,rate_gbps=512,cable=xgmi-board", "mi300x", 448),
    ],
)
def test_what_is_exported_reads_back(tmp_path, spec, accelerator, gb_per_s):
    """A server's accelerators and their links; all-reduce at all of them, or at the domain's."""
    first = build(spec)
    path = tmp_path / "topo.xml"
    path.write_text(export(first, "nccl").text)
    again = read_nccl(path, accelerator=accelerator, parts=catalogue())
    ends = len(first.domains[0]) if first.domains else len(first.accelerators)
    inside = [first.accelerators[rank] for rank in range(ends)]
    assert len(again.accelerators) == ends
    was = sum(edge["count"] for a, b, edge in first.graph.edges(inside, data=True) if "nic" not in edge)
    assert again.links == was
    assert simulate(again, "all-to-all", transport="ideal").busbw_gb_per_s == pytest.approx(gb_per_s, rel=2e-3)
