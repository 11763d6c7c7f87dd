"""TPU pods: the published counts, the circuit graph against the plain torus, and rewiring one into the other."""

from collections import Counter

import numpy as np
import pytest

from topologies.bill import bill_of_materials
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build

SLICES = [
    ("4x4x4", False), ("4x4x8", False), ("4x4x8", True), ("8x4x4", False), ("4x8x8", True), ("4x8x12", False),
    ("8x8x8", False),
    ("8x8x16", True),
]  # fmt: skip


@pytest.fixture(scope="module")
def full():
    """The whole TPU v4 pod."""
    return build("tpu-v4-4096")


def edges(topology, medium=None):
    return {
        (frozenset((a, b)), e["count"])
        for a, b, e in topology.graph.edges(data=True)
        if medium is None or e["medium"] == medium
    }


def test_published_pod(full):
    layer = full.circuits
    assert len(full.accelerators) == 4096 and full.links == 3 * 4096
    assert layer.devices == 48 and len(layer.strands) == 6144 == 64 * 96
    assert layer.strands_per_device.tolist() == [128] * 48
    assert {tuple(s) for s in np.unique(layer.strands[:, :2], axis=0).tolist()} == {
        (d, s) for d in range(48) for s in (0, 1)
    }
    assert set(Counter(map(tuple, layer.strands[:, :2].tolist())).values()) == {64}
    assert layer.part.ports_per_side == 136 and layer.part.spare_ports_per_side == 8


def test_a_cube_has_144_copper_and_96_optical_links(full):
    racks = full.graph.nodes(data="rack")
    copper, optical = Counter(), Counter()
    for a, b, edge in full.graph.edges(data=True):
        if edge["medium"] == "copper":
            assert racks[a] == racks[b]
            copper[racks[a]] += edge["count"]
        else:
            assert edge["medium"] == "circuit"
            optical.update({racks[a]: edge["count"]})
            optical.update({racks[b]: edge["count"]})
    assert copper == {f"cube-{c}": 144 for c in range(64)}
    assert optical == {f"cube-{c}": 96 for c in range(64)}


def test_opposing_faces_share_a_switch(full):
    """Every strand pair of one device belongs to one dimension and one place of the faces."""
    layer = full.circuits
    positions = np.array(full.attribute("position"))
    places = {}
    for device, _, port, end in layer.strands.tolist():
        places.setdefault(device, set()).add(tuple(positions[end] % 4))
        assert layer.blocks[end] == f"cube-{port}"
    for corners in places.values():
        low, high = sorted(corners)
        assert len(corners) == 2
        assert [(a, b) for a, b in zip(low, high, strict=True) if a != b] == [(0, 3)]


@pytest.mark.parametrize(("dims", "twist"), SLICES)
def test_the_circuits_make_the_torus(dims, twist):
    pod = build(f"tpu-pod:slice={dims},twist={twist}")
    torus = build(f"torus:dims={dims},twist={twist}")
    assert pod.nodes == torus.nodes
    assert edges(pod) == edges(torus)
    assert pod.grid == torus.grid


@pytest.mark.parametrize("dims", ["4x4x8", "4x8x8", "8x8x16"])
def test_rewiring_changes_circuits_only(dims):
    regular, twisted = build(f"tpu-pod:slice={dims}"), build(f"tpu-pod:slice={dims},twist=true")
    assert np.array_equal(regular.circuits.strands, twisted.circuits.strands)
    assert set(map(tuple, regular.circuits.state.tolist())) != set(map(tuple, twisted.circuits.state.tolist()))
    moved = regular.with_state(twisted.circuits.state)
    assert edges(moved) == edges(twisted) != edges(regular)
    assert edges(moved, "copper") == edges(regular, "copper")
    assert moved.nodes == regular.nodes
    assert edges(regular.with_state(regular.circuits.state)) == edges(regular)
    assert edges(moved.with_state(regular.circuits.state)) == edges(regular)


def test_rewiring_leaves_the_old_topology_alone():
    regular = build("tpu-pod:slice=4x4x8")
    before, state = edges(regular), regular.circuits.state.copy()
    regular.with_state(build("tpu-pod:slice=4x4x8,twist=true").circuits.state)
    assert edges(regular) == before and np.array_equal(regular.circuits.state, state)


def test_the_geometry_follows_the_state():
    """A pod rewired into the twisted torus is no regular grid any more: whoever routes by its geometry must be told."""
    regular, twisted = build("tpu-pod:slice=4x4x8"), build("tpu-pod:slice=4x4x8,twist=true")
    moved = regular.with_state(twisted.circuits.state)
    assert moved.grid is None or moved.grid == twisted.grid
    back = twisted.with_state(regular.circuits.state)
    assert back.grid is None or back.grid == regular.grid


def test_dark_ports_leave_gaps():
    regular = build("tpu-pod:slice=4x4x4")
    dark = regular.with_state(regular.circuits.state[1:])
    assert dark.links == regular.links - 1 and dark.circuits.circuits == 47
    assert len(dark.circuits.strands) == len(regular.circuits.strands)


def test_a_slice_answers_for_its_share():
    assert build("tpu-v4-4096").circuits.share == 1
    assert build("tpu-v4-64").circuits.share == pytest.approx(1 / 64)
    assert build("tpu-pod:slice=4x4x8,cubes=4").circuits.share == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("tpu-pod:slice=4x4", "not three multiples of 4"),
        ("tpu-pod:slice=4x4x6", "slice = 4x4x6 is not three multiples of 4"),
        ("tpu-pod:slice=16x16x32", "a slice of 128 cubes exceeds the pod of 64; give cubes=128"),
        (
            "tpu-pod:slice=16x16x32,cubes=129",
            "129 cubes need 129 strands on either side of each palomar-136, which has 128",
        ),
        ("tpu-pod:slice=4x4x4,cubes=400", "400 cubes need 400 strands"),
        ("tpu-pod:slice=8x4x4,twist=true", "cannot be twisted"),
        ("tpu-pod:slice=4x4x4,ocs=qm9700", "of kind switch"),
        ("tpu-pod:slice=4x4x4,optic=ici-osfp-401g", "did you mean 'ici-osfp-400g'"),
    ],
)
def test_refused(spec, said):
    with pytest.raises((ConfigError, TopologyError), match=said):
        build(spec)


def test_as_many_cubes_as_strands_fit():
    assert build("tpu-pod:slice=16x16x32,cubes=128").circuits.strands_per_device.tolist() == [256] * 48


def test_modules_with_a_strand_each_way_fill_both_sides():
    """64 cubes x 96 links x 2 strands = 12,288: 128 positions on either side of each of the 48 switches."""
    built = build("tpu-pod:slice=16x16x16,optic=400g-fr4")
    layer, plain = built.circuits, build("tpu-v4-4096")
    assert len(layer.strands) == 12288 and set(layer.strands_per_device.tolist()) == {256}
    assert {frozenset(e[:2]) for e in built.edges} == {frozenset(e[:2]) for e in plain.edges}
    assert built.links == plain.links and layer.circuits == 2 * plain.circuits.circuits
    counts = {r.part.name: r.quantity for r in bill_of_materials(built)}
    assert counts["400g-fr4"] == 6144 and "circulator" not in counts


def test_strands_beyond_the_switch_are_refused_with_the_count():
    with pytest.raises(ConfigError, match="65 cubes need 130 strands on either side of each palomar-136"):
        build("tpu-pod:slice=4x4x4,cubes=65,optic=400g-fr4")
    with pytest.raises(ConfigError, match="64 cubes need 512 strands on either side"):
        build("tpu-pod:slice=4x4x4,optic=400g-dr4")
