"""ASTRA-sim networks: closed forms of every block, products of them, and what the analytical backend's files say."""

from math import prod

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric import simulate
from fabric.metrics import describe
from topologies.errors import ConfigError
from topologies.formats.astra_sim import read_astra_sim
from topologies.formats.writing import export
from topologies.parts import catalogue
from topologies.registry import build


def text(*dimensions):
    """Dimensions of (block, npus, GB/s, ns)."""
    columns = [list(column) for column in zip(*dimensions, strict=True)]
    keys = ("topology", "npus_count", "bandwidth", "latency")
    return "\n".join(f"{key}: [ {', '.join(map(str, c))} ]" for key, c in zip(keys, columns, strict=True))


# ten of ten of ten ...: 10^10 values of a file of a few hundred bytes
BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "\n".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


def test_ring_is_a_ring(read):
    topology = read("astra-sim", text(("Ring", 8, 50, 500)))
    assert (topology.links, topology.grid.dims, topology.grid.wrap) == (8, (8,), (True,))
    assert nx.is_isomorphic(topology.graph, nx.cycle_graph(8))
    edge = topology.graph.edges["npu-7", "npu-0"]
    assert (edge["rate_gbps"], edge["latency_ns"]) == (400, 500)
    # two rings, one each way, of 50 GB/s
    assert simulate(topology).busbw_gb_per_s == pytest.approx(100, rel=1e-3)


def test_full_mesh_and_switch(read):
    mesh = read("astra-sim", text(("FullyConnected", 5, 10, 1)))
    assert mesh.links == 10 and not mesh.graph.nodes["npu-0"]["forwards"]
    star = read("astra-sim", text(("Switch", 5, 10, 1)))
    assert star.links == 5 and star.attribute("kind").count("switch") == 1


def test_first_dimension_is_that_of_neighbouring_ranks(read):
    """Accelerator x + 4 y: a switch for every y, a ring for every x."""
    topology = read("astra-sim", text(("Switch", 4, 400, 1), ("Ring", 3, 50, 2)))
    graph = topology.graph
    assert set(graph["switch-1-0"]) == {f"npu-{x}" for x in range(4)}
    assert {n for n in graph["npu-5"] if n.startswith("npu")} == {"npu-1", "npu-9"}
    assert topology.domains == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert graph.nodes["npu-0"]["forwards"] and topology.grid is None


def test_a_ring_of_two_is_one_link_and_of_one_none(read):
    topology = read("astra-sim", text(("Ring", 2, 50, 1), ("Ring", 1, 50, 1)))
    assert topology.links == 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Ring", "FullyConnected", "Switch"]), st.integers(1, 5)), max_size=4, min_size=1
    )
)
def test_products_have_the_links_of_their_factors(tmp_path_factory, shape):
    if not 2 <= prod(size for _, size in shape) <= 200:
        return
    path = tmp_path_factory.mktemp("astra") / "net.yml"
    path.write_text(text(*((block, size, 50, 1) for block, size in shape)))
    topology = read_astra_sim(path, parts=catalogue())
    n = prod(size for _, size in shape)
    own = {"Ring": lambda k: k if k > 2 else k - 1, "FullyConnected": lambda k: k * (k - 1) // 2, "Switch": lambda k: k}
    assert len(topology.accelerators) == n
    assert topology.links == sum(n // size * own[block](size) for block, size in shape if size > 1)
    assert nx.is_connected(topology.graph)
    if all(block == "Ring" for block, _ in shape):
        assert describe(topology)["diameter"] == sum(size // 2 for _, size in shape)


@pytest.mark.parametrize(
    ("given_text", "message"),
    [
        ("", "empty"),
        ("[1, 2]", "not a table"),
        ("topology: [ Ring ]", "no npus_count"),
        (text(("Rign", 8, 1, 1)), "'Rign' is not read; there are Ring"),
        (text(("Ring", 0, 1, 1)), "npus_count = 0"),
        (text(("Ring", 2.5, 1, 1)), "npus_count = 2.5"),
        (text(("Ring", 8, -1, 1)), "bandwidth = -1"),
        (text(("Ring", 8, ".nan", 1)), "bandwidth = nan"),
        (text(("Ring", 8, ".inf", 1)), "bandwidth = inf"),
        (text(("Ring", 8, 1, -1)), "latency = -1"),
        (text(("Ring", 8, 1, 1)) + "\nlatency: [ 1 ]", "'latency' stands twice"),
        (text(("Ring", 8, 1, 1)).replace("latency: [ 1 ]", "latency: [ 1, 2 ]"), "2 latency"),
        (text(("FullyConnected", 100000, 1, 1)), "more than 4,000,000 links"),
        (text(*(("Ring", 1000, 1, 1),) * 4), "nodes"),
        (text(("Ring", 1, 1, 1)), "1 accelerators"),
        ("topology: [ Ring", "line"),
        ("&a [*a, *a]", "anchor"),
        (BOMB, "more than 1,000,000 values"),
        ("[" * 1000, "deep"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
        (b"\xff\xfe\x00", "not text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(read, given_text, message):
    with pytest.raises(Exception, match=message) as told:
        read("astra-sim", given_text)
    assert told.type.__name__ in ("ConfigError", "TopologyError") and "\n" not in str(told.value)


def test_real_files(real, kinds):
    one = build(str(real("astra-sim/HGX-H100-validated.yml")))
    assert kinds(one) == {"accelerator": 8, "switch": 1} and one.links == 8
    assert {e["latency_ns"] for _, _, e in one.edges} == {936.25}
    two = build(str(real("astra-sim/hgx_h100_32gpu.yml")))
    # four servers of eight on a switch each, eight rings of four
    assert kinds(two) == {"accelerator": 32, "switch": 4} and two.links == 32 + 8 * 4
    assert {e["rate_gbps"] for _, _, e in two.edges} == {3200, 400}


@pytest.mark.parametrize("spec", ["torus:dims=4x3", "ring:n=5", "full-mesh:n=6", "switch:n=8"])
def test_what_is_exported_reads_back(tmp_path, spec):
    first = build(spec)
    path = tmp_path / "net.yml"
    path.write_text(export(first, "astra-sim").text)
    again = build(str(path))
    assert (len(again.accelerators), again.links) == (len(first.accelerators), first.links)
    assert simulate(again).busbw_gb_per_s == pytest.approx(simulate(first).busbw_gb_per_s, rel=1e-6)


def test_a_part_is_named_where_the_user_does(read):
    assert read("astra-sim", text(("Ring", 4, 50, 1)), accelerator="h100-sxm").attribute("part") == ["h100-sxm"] * 4
    with pytest.raises(ConfigError, match="h100-smx"):
        read("astra-sim", text(("Ring", 4, 50, 1)), accelerator="h100-smx")
