"""nvidia-smi topo -m: switch chips told from direct links, the PCIe tree told from its codes."""

from collections import Counter

import pytest

from fabric import simulate
from topologies.errors import ConfigError, TopologyError
from topologies.formats.nvidia_smi import read_nvidia_smi
from topologies.parts import catalogue
from topologies.registry import build

LEGEND = (
    "\nLegend:\n\n  X    = Self\n  SYS  = over the interconnect between NUMA nodes\n\nNIC Legend:\n\n  NIC0: mlx5_0\n"
)


def matrix(gpus, nics, code, numa=None):
    """The text of a matrix; code(a, b) for two different devices."""
    names = [f"GPU{i}" for i in range(gpus)] + [f"NIC{i}" for i in range(nics)]
    lines = [
        "\t" + "\t".join(["\x1b[4m" + names[0], *names[1:], "CPU Affinity", "NUMA Affinity", "GPU NUMA ID\x1b[0m"])
    ]
    for a in names:
        cells = [" X " if a == b else code(*sorted((a, b))) for b in names]
        affinity = ["0-31", str(numa(a)), "N/A"] if numa and a.startswith("GPU") else []
        lines.append("\t".join([a, *cells, *affinity]))
    return "\n".join(lines) + "\n" + LEGEND


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "topo.txt"
        path.write_text(text)
        return read_nvidia_smi(path, parts=catalogue(), **options)

    return read_text


def near(a, b):
    """Each GPU has an adapter on its bridge; four of each hang on a processor."""
    i, j = int(a[3:]), int(b[3:])
    if a.startswith("GPU") and b.startswith("GPU"):
        return "NV18"
    if i == j:
        return "PIX"
    return "NODE" if i // 4 == j // 4 else "SYS"


def test_eight_gpus_behind_switch_chips(read):
    topology = read(matrix(8, 8, near), accelerator="h100-sxm")
    assert Counter(topology.attribute("kind")) == {"accelerator": 8, "switch": 1, "nic": 8, "host": 8 + 2}
    assert topology.links == 8 * 18
    assert sum(e["count"] for _, _, e in topology.edges if e["technology"] == "pcie") == 8 + 8 + 8
    assert topology.graph.edges["cpu-0", "cpu-1"]["technology"] == "socket"
    assert topology.domains == [list(range(8))]
    assert simulate(topology, "all-reduce", transport="ideal").busbw_gb_per_s == pytest.approx(450, rel=1e-3)
    assert any("one node without a part stands for them" in note for note in topology.notes)


def test_the_file_is_a_spec(tmp_path):
    path = tmp_path / "topo.txt"
    path.write_text(matrix(8, 8, near))
    assert build(str(path)).family == "nvidia-smi"


def test_direct_links(read):
    """An A100 board of four: each pair has four of a GPU's twelve links."""
    topology = read(matrix(4, 0, lambda a, b: "NV4"), accelerator="a100-80gb")
    assert topology.links == 6 * 4 and "switch" not in topology.attribute("kind")


def test_twelve_links_to_seven_peers_need_switches(read):
    topology = read(matrix(8, 0, lambda a, b: "NV12"), accelerator="a100-80gb")
    assert topology.links == 8 * 12


def test_gpus_without_nvlink_reach_each_other_over_pcie(read):
    topology = read(matrix(4, 0, lambda a, b: "PXB" if int(a[3:]) // 2 == int(b[3:]) // 2 else "SYS"))
    assert topology.links == 0 and topology.domains == []
    assert topology.graph.number_of_edges() == 4 + 2 + 1
    gbps = 16 * 15.7538
    assert simulate(topology, "send-recv", transport="ideal").busbw_gb_per_s <= gbps / 8


def test_numa_nodes_join_gpus_that_no_code_does(read):
    topology = read(matrix(4, 0, lambda a, b: "NV18", numa=lambda a: int(a[3:]) // 2))
    assert sum(kind == "host" for kind in topology.attribute("kind")) == 2


def test_levels_nest(read):
    """Two GPUs on a bridge each, the bridges below one more, the two halves below one host bridge."""

    def code(a, b):
        i, j = int(a[3:]), int(b[3:])
        return "PIX" if i // 2 == j // 2 else "PXB" if i // 4 == j // 4 else "PHB"

    topology = read(matrix(8, 0, code))
    hosts = [node for node, kind in topology.graph.nodes(data="kind") if kind == "host"]
    assert Counter(name.split("-")[0] for name in hosts) == {"pix": 4, "pxb": 2, "phb": 1, "cpu": 1}
    assert topology.graph.number_of_edges() == 8 + 4 + 2 + 1


GOOD = matrix(4, 2, near)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("hello\n", "GPU0"),
        (GOOD[: GOOD.index("GPU3\tNV")], "row of GPU3 is missing"),
        (GOOD.replace("NV18", "NV17", 1), "NV17, NV18 the other way"),
        (GOOD.replace(" X ", "SYS", 1), "to itself is SYS"),
        (GOOD.replace("NODE", "NOOD"), "'NOOD'"),
        (GOOD.replace("NV18", "NV99"), "NV99"),
        (GOOD.replace("NIC1", "NIC0"), "twice"),
        (GOOD.replace("NODE", "X"), "is X"),
    ],
)
def test_what_is_wrong_is_said(read, text, message):
    with pytest.raises((ConfigError, TopologyError), match=message):
        read(text)


def test_more_links_than_the_gpu_has(read):
    with pytest.raises(TopologyError, match="NV18, but a100-80gb has"):
        read(matrix(8, 0, lambda a, b: "NV18"), accelerator="a100-80gb")


def test_pcie_that_is_none(read):
    with pytest.raises(ConfigError, match="pcie"):
        read(GOOD, pcie="fast")
