"""Jupiter: 64 blocks of 512 uplinks on 128 circuit switches, and the spine that they replace."""

from collections import Counter

import pytest

from topologies.errors import ConfigError, TopologyError
from topologies.jupiter import within
from topologies.registry import build


@pytest.fixture(scope="module")
def mesh():
    """The published fabric."""
    return build("jupiter-64x512")


def blocks(topology):
    return [n for n in topology.nodes if str(n).startswith("block-")]


def test_published_counts(mesh):
    layer = mesh.circuits
    assert len(blocks(mesh)) == 64 and len(mesh.accelerators) == 64 * 512
    assert layer.devices == 128 and layer.strands_per_device.tolist() == [256] * 128
    assert len(layer.strands) == 64 * 512 and 2 * layer.circuits == len(layer.strands)
    capacity = sum(e["count"] * e["rate_gbps"] for *_, e in mesh.graph.edges(data=True) if e["medium"] == "circuit")
    assert 2 * capacity / 1e6 == pytest.approx(13.1072)  # Pb/s, "13.1 Pb/s"


def test_each_block_has_two_strands_on_each_side_of_each_switch(mesh):
    seen = Counter((d, s, e) for d, s, _, e in mesh.circuits.strands.tolist())
    assert len(seen) == 128 * 2 * 64 and set(seen.values()) == {2}


def test_all_pairs_have_8_or_9_links(mesh):
    pairs = {frozenset((a, b)): e["count"] for a, b, e in mesh.graph.edges(data=True) if e["medium"] == "circuit"}
    assert len(pairs) == 64 * 63 // 2 and set(pairs.values()) == {8, 9}
    for block in blocks(mesh):
        assert sum(n for pair, n in pairs.items() if block in pair) == 512
        assert mesh.graph.degree(block, weight="count") == 1024


def test_a_block_holds_its_stage_of_switches(mesh):
    assert {mesh.graph.nodes[b]["parts"]["th5-64x800g"] for b in blocks(mesh)} == {8}  # 1,024 x 400G over 51.2T
    assert build("jupiter:blocks=4,uplinks=512,hosts=1").graph.nodes["block-0"]["parts"]["th5-64x800g"] == 5  # 4.008
    assert build("jupiter:blocks=4,uplinks=8,rate_gbps=800").graph.nodes["block-0"]["parts"]["th5-64x800g"] == 1


def test_the_spine_that_it_replaces():
    built = build("jupiter:blocks=64,uplinks=512,spine=true,hosts=1")
    spines = [n for n in built.nodes if str(n).startswith("spine-")]
    assert built.circuits is None and len(spines) == 64 * 512 // 128
    assert {built.graph.degree(s, weight="count") for s in spines} == {128}
    for block in blocks(built):
        assert sum(e["count"] for _, n, e in built.graph.edges(block, data=True) if n in set(spines)) == 512


@pytest.mark.parametrize("blocks_, uplinks", [(2, 2), (3, 2), (5, 4), (5, 12), (16, 30), (17, 64)])
def test_every_uplink_is_used(blocks_, uplinks):
    built = build(f"jupiter:blocks={blocks_},uplinks={uplinks},hosts=1")
    counts = [e["count"] for *_, e in built.graph.edges(data=True) if e["medium"] == "circuit"]
    assert sum(counts) == blocks_ * uplinks // 2 and max(counts) - min(counts) <= 1
    assert len(counts) == blocks_ * (blocks_ - 1) // 2


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("jupiter:blocks=1", ConfigError, "blocks = 1 joins nothing"),
        ("jupiter:blocks=200,hosts=1", TopologyError, "200 blocks need as many ports on either side of a palomar-136"),
        ("jupiter:blocks=64,uplinks=62,hosts=1", TopologyError, "62 uplinks do not mesh 64 blocks"),
        ("jupiter:blocks=4,uplinks=7,hosts=1", TopologyError, "an even number"),
        ("jupiter:blocks=130,spine=true,hosts=1", TopologyError, "130 blocks exceed the 128 ports"),
        ("jupiter:boundary=all", ConfigError, "is not one of spine, blocks\\+spine"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind, match=said):
        build(spec)


def test_another_boundary_is_named():
    small = build("jupiter:blocks=4,uplinks=6")
    assert [within(small, b).parameters["boundary"] for b in ("spine", "blocks+spine")] == ["spine", "blocks+spine"]


@pytest.mark.parametrize(("more", "boxes", "copper"), [("", 8, 0), (",stages=2", 24, 1024)])
def test_a_block_of_two_stages_has_the_ports_that_join_its_switches(more, boxes, copper):
    topology = build(f"jupiter:blocks=4{more}")
    held = topology.graph.nodes["block-0"]["parts"]
    assert (held["th5-64x800g"], held.get("dac-400g", 0)) == (boxes, copper)
    assert any(f"{boxes} th5-64x800g" in note for note in topology.notes)
    assert ("ideal inside" in topology.notes[0]) == (not more)


def test_one_switch_has_no_two_stages():
    with pytest.raises(ConfigError, match="stages = 2 has no effect"):
        build("jupiter:blocks=4,uplinks=6,stages=2")
    with pytest.raises(ConfigError, match="stages = 3 is not 1 or 2"):
        build("jupiter:stages=3")
