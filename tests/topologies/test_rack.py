"""Scale-up domains: NVL72 as built, HGX H100, and two layers of chips."""

import pytest

from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


@pytest.fixture(scope="module")
def nvl72():
    """The rack."""
    return build("nvl72")


def test_nvl72_is_the_published_rack(nvl72):
    graph = nvl72.graph
    assert len(nvl72.accelerators) == 72 and nvl72.links == 1296
    chips = [n for n, d in graph.nodes(data=True) if d["kind"] == "switch"]
    assert len(chips) == 18
    assert all(graph.edges[gpu, chip]["count"] == 1 for gpu in nvl72.accelerators for chip in chips)
    assert {graph.degree(chip, weight="count") for chip in chips} == {72}
    one_way = sum(e["rate_gbps"] for _, _, e in graph.edges(data=True)) / 8 / 1e3
    assert 2 * one_way == pytest.approx(129.6)  # TB/s both ways, "130 TB/s"


def test_nvl72_trays(nvl72):
    trays = nvl72.graph.nodes(data="tray")
    gpus = {trays[n] for n in nvl72.accelerators}
    chips = {trays[n] for n in nvl72.nodes if n not in set(nvl72.accelerators)}
    assert (len(gpus), len(chips), len(gpus & chips)) == (18, 9, 0)


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        ("nvl:gpus=8,accelerator=h100-sxm,switch=nvswitch3,switches=4,rate_gbps=200", [5, 5, 4, 4]),
        ("nvl:gpus=8,links=18,switches=2", [9, 9]),
        ("nvl:gpus=8,links=3,switches=3", [1, 1, 1]),
        ("nvl:gpus=72,links=18", [1] * 18),
        ("nvl:gpus=8,links=18", [9, 9]),
    ],
)
def test_links_are_dealt_to_the_chips(spec, counts):
    built = build(spec)
    for gpu in built.accelerators:
        assert [e["count"] for _, _, e in built.graph.edges(gpu, data=True)] == counts


def test_the_rate_is_that_of_the_accelerators_links():
    """An H100 has 18 links of 200 Gb/s: 450 GB/s one way, whatever the family's own default is."""
    built = build("nvl:gpus=8,accelerator=h100-sxm,switch=nvswitch3")
    out = sum(e["count"] * e["rate_gbps"] for _, _, e in built.graph.edges("gpu-0", data=True))
    assert out == 18 * 200


@pytest.mark.parametrize("gpus", [72, 144, 300, 576])
def test_two_layers_do_not_block(gpus):
    built = build(f"nvl:gpus={gpus},layers=2")
    graph = built.graph
    for node, attributes in graph.nodes(data=True):
        if attributes["kind"] == "switch" and any(n.startswith("gpu") for n in graph[node]):
            down = sum(e["count"] for _, n, e in graph.edges(node, data=True) if n.startswith("gpu"))
            up = sum(e["count"] for _, n, e in graph.edges(node, data=True) if not n.startswith("gpu"))
            assert down <= up and down + up <= 72
    assert {graph.degree(g) for g in built.accelerators} == {18}


def test_two_layers_keep_their_planes_apart():
    import networkx as nx

    built = build("nvl:gpus=144,layers=2")
    chips = built.graph.subgraph(set(built.nodes) - set(built.accelerators))
    assert nx.number_connected_components(chips) == 18


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("nvl:gpus=1", ConfigError, "gpus = 1 joins nothing"),
        ("nvl:gpus=73", TopologyError, "73 accelerators exceed the 72 ports of nvswitch4"),
        ("nvl:gpus=72,switches=9", TopologyError, "on 9 chips exceed 72 ports"),
        ("nvl:gpus=72,switches=19", ConfigError, "19 switch chips exceed the 18 links"),
        ("nvl:gpus=72,layers=3", ConfigError, "layers = 3 is not 1 or 2"),
        ("nvl:gpus=3000,layers=2", TopologyError, "exceed the 72 ports"),
        ("nvl:accelerator=generic", ConfigError, "has no scaleup_links"),
        ("nvl:accelerator=l40s,rate_gbps=256", ConfigError, "l40s has no links to switch chips"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind, match=said):
        build(spec)
