"""Circuit layers: what a state may be, the physical graph, and the mesh that uses every uplink."""

from collections import Counter
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.circuit_mesh import mesh_layer, mesh_offsets
from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer
from topologies.errors import TopologyError
from topologies.parts import CircuitSwitch, part
from topologies.registry import build

PALOMAR = part("palomar-136", CircuitSwitch)
STRANDS = [(d, side, p, p) for d in range(2) for side in (SIDE_A, SIDE_B) for p in range(3)]


def layer(state=(), strands=STRANDS):
    return CircuitLayer(
        part=PALOMAR,
        devices=2,
        strands=np.array(strands, np.int32).reshape(-1, 4),
        state=np.array(state, np.int32).reshape(-1, 3),
        ends=["x", "y", "z"],
        blocks=["x", "y", "z"],
        link={"medium": "circuit"},
    )


def test_a_valid_state():
    made = layer([(0, 0, 1), (0, 1, 2), (1, 2, 0)])
    assert made.circuits == 3 and made.strands_per_device.tolist() == [6, 6]
    assert made.end_pairs().tolist() == [[0, 1], [1, 2], [2, 0]]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([(0, 0, 1), (0, 0, 2)], "port twice"),
        ([(0, 0, 1), (0, 2, 1)], "port twice"),
        ([(0, 0, 1), (0, 0, 1)], "port twice"),
        ([(0, 0, 3)], "port 3 on side B of circuit switch 0, which no strand reaches"),
        ([(0, 3, 0)], "port 3 on side A of circuit switch 0"),
        ([(2, 0, 1)], "circuit switch 2"),
        ([(0, -1, 1)], "port -1"),
    ],
)
def test_a_bad_state(state, said):
    for make in (lambda: layer(state), lambda: layer().with_state(np.array(state))):
        with pytest.raises(TopologyError, match=said):
            make()


def test_the_same_ports_of_two_devices_or_sides_are_not_the_same():
    assert layer([(0, 0, 1), (1, 0, 1), (0, 1, 0)]).circuits == 3


@pytest.mark.parametrize(
    ("strands", "said"),
    [
        ([(0, 0, 0, 0), (0, 0, 0, 1)], "two strands share a port"),
        ([(0, 0, 136, 0)], "136 ports per side"),
    ],
)
def test_bad_strands(strands, said):
    with pytest.raises(TopologyError, match=said):
        layer(strands=strands)


def test_a_loop_is_refused():
    with pytest.raises(TopologyError, match="joins a node to itself"):
        layer([(0, 1, 1)]).add_circuits(nx.Graph())


def test_parallel_circuits_are_one_edge():
    graph = nx.Graph()
    layer([(0, 0, 1), (1, 1, 0), (1, 0, 2)]).add_circuits(graph)
    assert dict(graph.edges) == {
        ("x", "y"): {"medium": "circuit", "count": 2},
        ("x", "z"): {"medium": "circuit", "count": 1},
    }


@pytest.mark.parametrize(
    "spec", ["tpu-pod:slice=4x4x8", "jupiter:blocks=5,uplinks=12,hosts=2", "rail:servers=96,core=ocs"]
)
def test_physical_graph(spec):
    made = build(spec).circuits
    physical = made.physical_graph()
    devices = [f"ocs-{d}" for d in range(made.devices)]
    assert [physical.degree(d) for d in devices] == made.strands_per_device.tolist()
    fibres = Counter(made.ends[end] for end in made.strands[:, 3].tolist())
    assert {n: d for n, d in physical.degree() if n not in set(devices)} == fibres
    assert physical.number_of_edges() == len(made.strands)
    face = {(d, e["side"], e["port"]): e["partner"] for d in devices for _, _, e in physical.edges(d, data=True)}
    live = {place: partner for place, partner in face.items() if partner is not None}
    assert len(live) == 2 * made.circuits
    assert all(
        live[device, "B" if side == "A" else "A", partner] == port for (device, side, port), partner in live.items()
    )


@given(st.integers(2, 60), st.integers(0, 150))
def test_mesh_offsets(blocks, extra):
    uplinks = 2 * ((blocks - 1 + extra + 1) // 2)
    offsets = mesh_offsets(blocks, uplinks)
    assert len(offsets) == uplinks // 2 and all(0 < t < blocks for t in offsets)
    joined = Counter()
    for t in offsets:
        for i in range(blocks):
            joined[frozenset((i, (i + t) % blocks))] += 1
    assert len(joined) == blocks * (blocks - 1) // 2
    low = uplinks // (blocks - 1)
    assert set(joined.values()) <= {low, low + 1}
    assert all(sum(n for pair, n in joined.items() if i in pair) == uplinks for i in range(blocks))


@pytest.mark.parametrize(("blocks", "uplinks"), [(1, 4), (5, 7), (9, 6), (64, 62), (2, 1), (3, 0)])
def test_mesh_offsets_refused(blocks, uplinks):
    with pytest.raises(TopologyError):
        mesh_offsets(blocks, uplinks)


@given(st.integers(2, 12), st.integers(0, 20), st.integers(1, 3), st.integers(1, 6))
def test_mesh_layer_is_a_valid_state_that_lights_every_strand(blocks, extra, groups, devices):
    uplinks = 2 * ((blocks - 1 + extra + 1) // 2)
    names = [[f"{g}-{b}" for b in range(blocks)] for g in range(groups)]
    shifts = groups * uplinks // 2
    if -(-shifts // devices) * blocks > PALOMAR.ports_per_side:
        with pytest.raises(TopologyError, match="ports per side"):
            mesh_layer(PALOMAR, names, uplinks, {}, devices)
        return
    made = mesh_layer(PALOMAR, names, uplinks, {}, devices)
    assert 2 * made.circuits == len(made.strands) == groups * blocks * uplinks
    assert np.array_equal(made.strands, made.strands[np.lexsort(made.strands[:, 2::-1].T)])
    spread = made.strands_per_device
    assert spread.max() - spread.min() <= 2 * blocks
    assert all(str(made.ends[a]).split("-")[0] == str(made.ends[b]).split("-")[0] for a, b in made.end_pairs().tolist())
    sides = Counter((made.ends[e], s) for s, e in made.strands[:, [1, 3]].tolist())
    assert set(sides.values()) == {uplinks // 2}


CROSSBAR = replace(PALOMAR, name="crossbar-8", connectivity="any-to-any", ports_per_side=8, spare_ports_per_side=0)


def any_to_any(state=(), **given):
    """Three ends with two ports each on one device whose six ports all see each other."""
    strands = np.array([(0, SIDE_A, p, p // 2) for p in range(6)], np.int32)
    state = np.array(state, np.int32).reshape(-1, 3)
    ends = ["x", "y", "z"]
    link = {"medium": "circuit", "rate_gbps": 400.0}
    return CircuitLayer(CROSSBAR, 1, strands, state, ends, ends, link, **given)


def test_an_any_to_any_device_joins_any_two_ports():
    graph = nx.Graph()
    made = any_to_any([(0, 0, 2), (0, 3, 4), (0, 5, 1)])
    made.add_circuits(graph)
    assert {frozenset(e): d["count"] for *e, d in graph.edges(data=True)} == {
        frozenset(pair): 1 for pair in ("xy", "yz", "xz")
    }
    assert made.free_ports.tolist() == [[2, 0]]
    faces = {(e["port"], e["partner"]) for *_, e in made.physical_graph().edges(data=True)}
    assert faces == {(0, 2), (2, 0), (3, 4), (4, 3), (5, 1), (1, 5)}


@pytest.mark.parametrize("state", [[(0, 0, 2), (0, 2, 4)], [(0, 0, 2), (0, 4, 0)], [(0, 3, 3)]])
def test_a_port_of_an_any_to_any_device_is_used_once_on_either_end(state):
    with pytest.raises(TopologyError, match="port twice"):
        any_to_any(state)


def test_an_any_to_any_device_has_one_side():
    with pytest.raises(TopologyError, match="a strand names side B of circuit switch 0; a crossbar-8 joins any two"):
        replace(any_to_any(), strands=np.array([(0, SIDE_B, 0, 0)], np.int32))
    with pytest.raises(TopologyError, match="9 strands of a crossbar-8 need more than its 8 ports; use more"):
        replace(any_to_any(), strands=np.array([(0, SIDE_A, p, 0) for p in range(9)], np.int32))


@pytest.mark.parametrize(
    ("strand", "said"),
    [
        ((2, 0, 0, 0), "circuit switch 2; there are 2, numbered from 0"),
        ((-1, 0, 0, 0), "circuit switch -1; there are 2"),
        ((0, 2, 0, 0), "side 2 of circuit switch 0; give 0 for A or 1 for B"),
        ((0, 0, -1, 0), "port -1 on side A of circuit switch 0; a palomar-136 has 136"),
        ((0, 0, 0, 3), "leads to end 3 of 3"),
    ],
)
def test_a_strand_that_leads_nowhere_is_refused(strand, said):
    with pytest.raises(TopologyError, match=said):
        layer(strands=[strand])


def test_models_differ_within_one_layer():
    """The second device is a larger one: its ports count, and those of the first do not."""
    calient = part("calient-s320", CircuitSwitch)
    strands = np.array([(1, side, 300 + e, e) for side in (SIDE_A, SIDE_B) for e in range(3)], np.int32)
    made = replace(layer(), other_parts={1: calient}, strands=strands, state=np.array([(1, 300, 301)], np.int32))
    assert made.ports_per_side.tolist() == [136, 320] and made.free_ports.tolist() == [[136, 136], [317, 317]]
    with pytest.raises(TopologyError, match="3 strands on one side of a palomar-136 need more than its 136 ports"):
        replace(made, other_parts={0: calient})


def test_a_failed_port_is_in_no_state_and_its_capacity_is_named():
    whole = replace(layer([(0, 0, 1), (0, 1, 2), (1, 2, 0)]), link={"rate_gbps": 400.0})
    hurt = whole.with_failed([(0, SIDE_B, 1), (1, SIDE_A, 2), (1, SIDE_A, 99)])
    assert hurt.state.tolist() == [[0, 1, 2]] and hurt.lost == (2, 800.0) and whole.lost == (0, 0.0)
    assert hurt.free_ports.tolist() == [[133, 133], [132, 133]]  # port 99 had no strand
    with pytest.raises(TopologyError, match="port 1 on side B of circuit switch 0, which has failed"):
        hurt.with_state([(0, 0, 1)])
    with pytest.raises(TopologyError, match="a failed port names port 136 on side A of circuit switch 1"):
        whole.with_failed([(1, SIDE_A, 136)])
    assert hurt.with_failed([(0, SIDE_B, 1)]).lost == hurt.lost


def two_way(state):
    return replace(layer(), fibres=2, link={"rate_gbps": 400.0}).with_state(np.array(state, np.int32))


def test_a_link_of_two_strands_is_two_circuits():
    """Port p of side A sends for end p, port p of side B receives: x - y and y - z."""
    made = two_way([(0, 0, 1), (0, 1, 0), (1, 1, 2), (1, 2, 1)])
    graph = nx.Graph()
    made.add_circuits(graph)
    assert {(*sorted(ends), e["count"]) for *ends, e in graph.edges(data=True)} == {("x", "y", 1), ("y", "z", 1)}
    assert made.circuits == 4


def test_one_way_alone_is_no_link():
    with pytest.raises(TopologyError, match="x and y have not as many circuits one way as the other"):
        two_way([(0, 0, 1), (1, 0, 1)]).add_circuits(nx.Graph())


def test_a_direction_that_fails_takes_its_return_with_it():
    """x - y twice: on device 0, and on device 1, whose return goes over device 0."""
    made = two_way([(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)])
    hurt = made.with_failed([(0, SIDE_A, 0), (0, SIDE_B, 0)])
    pairs, links = hurt.live_links()
    assert (pairs.tolist(), links.tolist(), hurt.circuits) == ([[0, 1]], [1], 2)
    assert hurt.lost == (2, 400.0)  # two strands of one place, one link
    assert made.with_failed([(0, SIDE_A, 0)]).circuits == 2


def test_lanes_of_a_link_go_up_and_down_together():
    made = replace(layer([(0, 0, 1), (1, 1, 0), (1, 0, 2), (0, 2, 0)]), lanes=2, link={"rate_gbps": 400.0})
    pairs, links = made.live_links()
    assert (pairs.tolist(), links.tolist(), made.strands_per_link) == ([[0, 1], [0, 2]], [1, 1], 2)
    hurt = made.with_failed([(1, SIDE_B, 2)])
    assert sorted(map(tuple, hurt.state.tolist())) == [(0, 0, 1), (1, 1, 0)] and hurt.lost == (1, 200.0)
    with pytest.raises(TopologyError, match="x and z have not a whole number of links; a link takes 2 circuits"):
        made.with_state(made.state[:3]).live_links()


def test_ends_of_two_generations_run_at_the_slower_rate():
    fast, slow = {"rate_gbps": 400.0, "cable": "f"}, {"rate_gbps": 200.0, "cable": "s"}
    ring = layer([(0, 0, 1), (0, 1, 2), (1, 2, 0)])
    made = replace(ring, link=fast, other_links=(slow,), generation=np.array([0, 0, 1], np.int32))
    assert made.end_rates_gbps.tolist() == [400, 400, 200]
    for each in (made, made.with_state(made.state[::-1])):
        graph = nx.Graph()
        each.add_circuits(graph)
        rates = {frozenset((a, b)): (d["rate_gbps"], d["cable"]) for a, b, d in graph.edges(data=True)}
        assert rates == {frozenset("xy"): (400, "f"), frozenset("yz"): (200, "s"), frozenset("xz"): (200, "s")}
    with pytest.raises(ValueError, match="one of 2 links for each of 3 ends"):
        replace(made, generation=np.array([0, 2, 0], np.int32))


@given(st.integers(2, 9), st.integers(0, 8), st.integers(1, 2), st.integers(1, 3), st.booleans())
def test_a_mesh_of_any_wiring_joins_every_pair_alike(blocks, extra, fibres, lanes, crossbar):
    uplinks = 2 * ((blocks - 1 + extra + 1) // 2)
    model = replace(PALOMAR, connectivity="any-to-any") if crossbar else PALOMAR
    made = mesh_layer(model, [list(range(blocks))], uplinks, {}, fibres=fibres, lanes=lanes)
    pairs, links = made.live_links()
    assert len(pairs) == blocks * (blocks - 1) // 2
    assert links.max() - links.min() <= 1 and links.sum() == blocks * uplinks // 2
    assert len(made.strands) == blocks * uplinks * made.strands_per_link == 2 * made.circuits
    used = (made.ports_per_side[:, None] - made.free_ports)[:, : 1 if crossbar else 2]
    assert used.max() <= PALOMAR.usable_ports
    per_device = PALOMAR.usable_ports // (2 * blocks if crossbar else blocks)
    assert made.devices == -(-(uplinks // 2 * made.strands_per_link) // per_device)
