"""Circuit layers: what a state may be, the physical graph, and the mesh that uses every uplink."""

from collections import Counter
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.circuits import SIDE_A, SIDE_B, CircuitLayer, mesh_layer, mesh_offsets
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
    import networkx as nx

    with pytest.raises(TopologyError, match="joins a node to itself"):
        layer([(0, 1, 1)]).add_circuits(nx.Graph())


def test_parallel_circuits_are_one_edge():
    import networkx as nx

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


def two_way(state):
    return replace(layer(), fibres=2).with_state(np.array(state, np.int32))


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
