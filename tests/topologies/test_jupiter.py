"""Jupiter: 64 blocks of 512 uplinks on 128 circuit switches, and the spine that they replace."""

from collections import Counter

import pytest

from fabric.routing.contraction import contract
from topologies.bill import bill_of_materials
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
        ("jupiter:blocks=200,hosts=1", TopologyError, "200 blocks need 200 ports on either side of a palomar-136"),
        ("jupiter:blocks=64,uplinks=62,hosts=1", TopologyError, "62 uplinks do not mesh 64 blocks"),
        ("jupiter:blocks=4,uplinks=7,hosts=1", TopologyError, "an even number"),
        ("jupiter:blocks=130,spine=true,hosts=1", TopologyError, "130 blocks exceed the 128 ports"),
        ("jupiter:generations=200x800", ConfigError, "fastest of generations = 200x800 is not rate_gbps = 400; give r"),
        ("jupiter:blocks=4,uplinks=6,generations=400x800,rate_gbps=800", ConfigError, "800 Gb/s takes 2 strands"),
        ("jupiter:generation_blocks=8x8", ConfigError, "generation_blocks has no effect without generations"),
        ("jupiter:blocks=4,generations=200x400,generation_blocks=2x1", ConfigError, "are 3 blocks of 2 gen"),
        ("jupiter:blocks=4,generations=200x400,generation_blocks=4", ConfigError, "4 blocks of 1 generations"),
        ("jupiter:generations=200x400,spine=true", ConfigError, "generations has no effect without spine=false"),
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


def circuit_edges(topology):
    return [(a, b, e) for a, b, e in topology.graph.edges(data=True) if e["medium"] == "circuit"]


def test_blocks_of_two_generations_meet_at_the_slower_rate():
    """5 old blocks and 3 new ones, 64 uplinks each: the same circuits and ports, other rates and modules."""
    mixed = build("jupiter:blocks=8,uplinks=64,generations=200x400,generation_blocks=5x3")
    plain = build("jupiter:blocks=8,uplinks=64")
    assert mixed.circuits.strands.tolist() == plain.circuits.strands.tolist()
    assert mixed.circuits.state.tolist() == plain.circuits.state.tolist()
    rate = {f"block-{b}": 200 if b < 5 else 400 for b in range(8)}
    assert all(e["rate_gbps"] == min(rate[a], rate[b]) for a, b, e in circuit_edges(mixed))
    assert {(rate[b], e["rate_gbps"]) for b in rate for *_, h, e in mixed.graph.edges(b, data=True) if "host" in h} == {
        (200, 200), (400, 400)
    }  # fmt: skip
    counts = {r.part.name: r.quantity for r in bill_of_materials(mixed)}
    assert (counts["200g-fr4-bidi"], counts["400g-fr4-bidi"], counts["circulator"]) == (5 * 64, 3 * 64, 8 * 64)
    assert contract(mixed).folded


def test_a_state_keeps_the_rates_of_its_ends():
    mixed = build("jupiter:blocks=6,uplinks=10,hosts=2,generations=100x400")
    again = mixed.with_state(mixed.circuits.state[::-1])
    rates = [{frozenset((a, b)): e["rate_gbps"] for a, b, e in circuit_edges(t)} for t in (mixed, again)]
    assert rates[0] == rates[1] and set(rates[0].values()) == {100, 400}


def test_generations_are_as_even_as_can_be():
    mixed = build("jupiter:blocks=8,uplinks=8,hosts=1,generations=100x200x400")
    assert mixed.circuits.end_rates_gbps.tolist() == [100] * 3 + [200] * 3 + [400] * 2


@pytest.mark.parametrize(
    ("optic", "strands", "modules"),
    [("400g-fr4-bidi", 1, 1), ("400g-fr4", 2, 1), ("400g-dr4", 8, 1), ("200g-dr4", 16, 2)],
)
def test_modules_take_the_strands_that_they_have(optic, strands, modules):
    """4 blocks of 12 uplinks: one strand both ways, one each way, or four (eight of 50G) each way: the same links."""
    built = build(f"jupiter:blocks=4,uplinks=12,hosts=2,ocs_optic={optic}")
    layer = built.circuits
    assert sum(e["count"] for *_, e in circuit_edges(built)) == 4 * 12 // 2
    assert len(layer.strands) == 4 * 12 * strands and layer.circuits == 4 * 12 * strands // 2
    assert layer.devices == -(-12 // 2 * strands * 4 // 128)
    counts = {r.part.name: r.quantity for r in bill_of_materials(built)}
    assert counts[optic] == 4 * 12 * modules and counts.get("circulator", 0) == (4 * 12 if strands == 1 else 0)
