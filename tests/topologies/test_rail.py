"""Rail-optimised clusters: the published SuperPOD tables, and what joins the rails."""

import networkx as nx
import pytest

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.registry import build

# DGX SuperPOD reference architectures, compute fabric tables: GPUs, leaves, spines, cores
TABLES = [
    ("dgx-b200-superpod-512", 512, (16, 8)),
    ("dgx-b200-superpod-1024", 1024, (32, 16)),
    ("dgx-b200-superpod-2048", 2048, (64, 32)),
    ("dgx-b200-superpod-4096", 4096, (128, 128, 64)),
    ("dgx-b200-superpod-8192", 8192, (256, 256, 128)),
    ("dgx-b200-superpod-16384", 16384, (512, 512, 256)),
    ("dgx-h100-superpod-256", 256, (8, 4)),
    ("dgx-h100-superpod-1024", 1024, (32, 16)),
    ("dgx-h100-superpod-1024:servers=127", 1016, (32, 16)),
]


def tiers(topology):
    """Switches by tier outside the servers, from the leaves up."""
    found = topology.attribute("tier")
    return tuple(found.count(t) for t in (1, 2, 3) if found.count(t))


@pytest.fixture(scope="module")
def superpod():
    """One scalable unit of DGX H100."""
    return build("dgx-h100-superpod-256")


@pytest.mark.parametrize(("spec", "gpus", "expected"), TABLES)
def test_published_tables(spec, gpus, expected, built):
    pod = built(spec)
    assert len(pod.accelerators) == gpus and tiers(pod) == expected


def test_b300_has_the_published_switches_over_both_planes():
    built = build("dgx-b300-superpod-8192")
    assert len(built.accelerators) == 8192 and tiers(built) == (256, 128)
    rates = {e["rate_gbps"] for _, _, e in built.graph.edges(data=True) if e.get("nic")}
    assert rates == {400.0}
    assert sum(e["count"] for _, _, e in built.graph.edges("gpu-0-0", data=True) if e.get("nic")) == 2


def test_a_scalable_unit_link_by_link(superpod):
    graph = superpod.graph
    for leaf in (f"leaf-0-r{r}" for r in range(8)):
        below = [n for n in graph[leaf] if n.startswith("gpu")]
        assert sorted(below) == sorted(f"gpu-{s}-{leaf[-1]}" for s in range(32))
        assert {n: graph.edges[leaf, n]["count"] for n in graph[leaf] if n.startswith("spine")} == {
            f"spine-{j}": 8 for j in range(4)
        }
    assert {graph.degree(f"spine-{j}", weight="count") for j in range(4)} == {64}


def test_hgx_h100_board(superpod):
    """18 links a chip's GPU on four NVSwitch chips: 5 + 5 + 4 + 4 (HGX H100)."""
    edges = superpod.graph["gpu-3-2"]
    chips = {n: edges[n] for n in edges if "nvs" in n}
    assert [chips[f"server-3/nvs-{i}"]["count"] for i in range(4)] == [5, 5, 4, 4]
    assert {e["rate_gbps"] for e in chips.values()} == {200.0}
    assert {e["medium"] for e in chips.values()} == {"board"}


def test_rank_order_and_domains(superpod):
    assert superpod.accelerators[:9] == [f"gpu-0-{g}" for g in range(8)] + ["gpu-1-0"]
    assert superpod.domains == [list(range(8 * s, 8 * s + 8)) for s in range(32)]


def outside(topology):
    """Leaves and what is above them."""
    return topology.graph.subgraph(n for n, d in topology.graph.nodes(data=True) if d.get("tier", 0) > 0)


def test_what_joins_the_rails():
    assert nx.number_connected_components(outside(build("rail:servers=64"))) == 1
    for spec in ("rail:servers=64,core=none", "rail:servers=65,core=none", "rail:servers=64,core=ocs"):
        pieces = list(nx.connected_components(outside(build(spec))))
        assert len(pieces) == 8
        assert all(len({n.split("-r")[1].split("-")[0] for n in piece if "-r" in n}) == 1 for piece in pieces)


def test_a_rail_alone_fills_its_switch():
    built = build("rail:servers=64,core=none")
    assert tiers(built) == (8,)
    assert tiers(build("rail:servers=65,core=none")) == (8 * 3, 8 * 2)


def test_rails_fewer_than_accelerators():
    built = build("nvl72-x8")
    assert len(built.accelerators) == 576
    for rank, gpu in enumerate(built.accelerators):
        leaf = next(n for n in built.graph[gpu] if n.startswith("leaf"))
        assert leaf.endswith(f"-r{rank % 4}")


def test_core_ocs_uses_every_uplink():
    built = build("rail:servers=128,core=ocs")
    layer = built.circuits
    leaves = [n for n in built.nodes if str(n).startswith("leaf")]
    assert len(leaves) == 32
    for leaf in leaves:
        assert sum(e["count"] for _, b, e in built.graph.edges(leaf, data=True) if str(b).startswith("leaf")) == 32
    assert len(layer.strands) == 32 * 32 and 2 * layer.circuits == len(layer.strands)


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("rail:servers=1", ConfigError, "servers = 1 needs no rails"),
        ("rail:servers=4,rails=3", ConfigError, "3 rails do not divide the 8 accelerators"),
        ("rail:servers=4,rails=16", ConfigError, "do not divide"),
        ("rail:servers=128,core=ocs,planes=2", ConfigError, "core=ocs takes planes=1"),
        ("rail:servers=4,core=ocs", TopologyError, "meshes 2 to 128 leaves a rail"),
        ("rail:servers=4,scaleup_switches=19", ConfigError, "19 switch chips exceed the 18 links"),
        ("rail:servers=4,scaleup_switches=1", TopologyError, "exceed 64 ports of nvswitch3"),
        ("rail:servers=4,accelerator=generic", ConfigError, "has no scaleup_link_gbps"),
        ("rail:servers=4,accelerator=b200-sxm", TopologyError, "nvswitch3 has ports of up to 200 Gb/s, none of 400"),
        ("rail:servers=2049,tiers=2", TopologyError, "exceed the 64 ports of a spine"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind, match=said):
        build(spec)


def test_one_tier_is_refused_with_what_would_do():
    with pytest.raises(FabricError) as error:
        build("rail:servers=32,tiers=1")
    assert "is not 1, 2" not in str(error.value)


def test_an_adapter_is_not_faster_than_its_part():
    with pytest.raises(FabricError, match="cx7-400g"):
        build("rail:servers=32,rate_gbps=800,switch=sn5600")
