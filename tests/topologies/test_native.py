"""Our own JSON: what is written is read back exactly, and nothing else is read."""

import copy
import json
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.families import FAMILIES, family
from topologies.formats.native import read_native, write_native
from topologies.graph import Topology
from topologies.parameters import example
from topologies.parts import catalogue
from topologies.registry import build

CIRCUITS = ("jupiter", "tpu-pod", "ocs-flat", "rotor", "mixnet", "photonic-rail", "pod-ocs")  # not in the format
PLAIN = [example(family(name)) for name in FAMILIES if name not in CIRCUITS]
PLAIN += ["torus:dims=4x4x8,twist=true", "tpu-v5e-256", "nvl72", "dgx-h100-superpod-256", "rotor:racks=8,uplinks=4"]


def round_trip(topology, path):
    write_native(topology, path)
    return read_native(path, topology.catalogue)


def assert_same(a, b):
    assert (a.name, a.family, dict(a.parameters)) == (b.name, b.family, dict(b.parameters))
    assert a.left_out == b.left_out
    assert (tuple(a.notes), dict(a.racks), a.grid) == (tuple(b.notes), dict(b.racks), b.grid)
    assert a.nodes == b.nodes and a.accelerators == b.accelerators and a.domains == b.domains
    assert list(a.graph.nodes(data=True)) == list(b.graph.nodes(data=True))
    assert list(a.graph.edges(data=True)) == list(b.graph.edges(data=True))
    assert [type(v) for v in a.attribute("position")] == [type(v) for v in b.attribute("position")]
    assert [h.tolist() for h in a.halves] == [h.tolist() for h in b.halves]
    left, right = a.csr(), b.csr()
    for name in left.__slots__:
        x, y = getattr(left, name), getattr(right, name)
        assert x.dtype == y.dtype and np.array_equal(x, y), name


@pytest.mark.parametrize("spec", PLAIN)
def test_round_trip(tmp_path, spec):
    topology = build(spec)
    again = round_trip(topology, tmp_path / "a.json")
    assert_same(topology, again)
    write_native(again, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(n=st.integers(2, 12), extra=st.integers(0, 20), seed=st.integers(0, 2**31), data=st.data())
def test_round_trip_of_any_graph(tmp_path, n, extra, seed, data):
    labels = data.draw(
        st.permutations([i if i % 3 == 0 else (i, f"é{i}") if i % 3 == 1 else f'n "{i}"' for i in range(n)])
    )
    rng = np.random.default_rng(seed)
    graph = nx.Graph()
    graph.add_nodes_from(labels)
    graph.add_edges_from((labels[i], labels[int(rng.integers(i))]) for i in range(1, n))
    pairs = rng.integers(n, size=(extra, 2))
    graph.add_edges_from((labels[a], labels[b]) for a, b in pairs.tolist() if a != b)
    for _, _, attributes in graph.edges(data=True):
        attributes |= {"rate_gbps": float(rng.uniform(1, 400)), "count": int(rng.integers(1, 5))}
    topology = Topology.from_graph(graph)
    assert_same(topology, round_trip(topology, tmp_path / "graph.json"))


def test_reads_by_spec(tmp_path):
    write_native(build("ring:n=8"), tmp_path / "ring.json")
    assert build(str(tmp_path / "ring.json")).links == 8


PODS = [
    "tpu-v4-64", "tpu-pod:slice=4x4x8", "jupiter:blocks=6,uplinks=30,hosts=4", "tpu-pod:slice=4x4x8,optic=400g-fr4",
    "jupiter:blocks=6,uplinks=30,hosts=4,generations=100x400", "jupiter:blocks=4,uplinks=6,hosts=1,ocs_optic=400g-dr4",
    "pod-ocs:pods=8,uplinks=4",
]  # fmt: skip


@pytest.mark.parametrize("spec", PODS)
def test_round_trip_of_circuits(tmp_path, spec):
    topology = build(spec)
    again = round_trip(topology, tmp_path / "pod.json")
    assert_same(topology, again)
    layer, read = topology.circuits, again.circuits
    assert (layer.part, layer.devices, layer.share) == (read.part, read.devices, read.share)
    assert (list(layer.ends), list(layer.blocks), dict(layer.link)) == (read.ends, read.blocks, read.link)
    assert (layer.fibres, layer.lanes, layer.other_parts) == (read.fibres, read.lanes, read.other_parts)
    assert [dict(link) for link in layer.other_links] == [dict(link) for link in read.other_links]
    for name in ("strands", "state", "failed", "generation"):
        assert getattr(read, name).dtype == getattr(layer, name).dtype == np.int32
        assert getattr(read, name).shape == getattr(layer, name).shape
        assert np.array_equal(getattr(layer, name), getattr(read, name))
    device, port, _ = layer.state[0]
    dark = layer.with_failed([(device, 0, port)]).state
    assert len(dark) == len(layer.state) - layer.strands_per_link
    assert_same(topology.with_state(dark), again.with_state(dark))


def test_round_trip_of_failed_ports_and_other_models(tmp_path):
    """One switch of another model, and a port of either that has failed."""
    built = build("jupiter:blocks=4,uplinks=180,hosts=1")
    parts = {1: catalogue()["calient-s320"]}
    hurt = replace(built.circuits, other_parts=parts).with_failed([(0, 0, 1), (1, 1, 300)])
    topology = built.with_circuits(hurt)
    again = round_trip(topology, tmp_path / "hurt.json")
    assert_same(topology, again)
    assert again.circuits.failed.tolist() == [[0, 0, 1], [1, 1, 300]] and again.circuits.lost == hurt.lost == (1, 400.0)
    assert again.circuits.other_parts == parts


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("part", "no-such", "no-such"),
        ("part", "qm9700", "qm9700"),
        ("devices", 0, "devices = 0 is not a whole number"),
        ("devices", 1, "there are 1"),
        ("devices", 9999, "9999 devices for"),
        ("share", 2, "at most 1"),
        ("ends", ["9-9-9"], "there is no node 9-9-9"),
        ("blocks", [], "0 blocks for"),
        ("link", {}, "'rate_gbps' is missing"),
        ("strands", [[0, 0, 0]], "is not a list of"),
        ("strands", [[0, 0, 0, 99]] * 48, "a strand leads to end 99"),
        ("strands", [[0, 2, 0, 0]] * 48, "names side 2"),
        ("fibres", 3, "fibres = 3 is not 1 or 2"),
        ("lanes", 0, "lanes = 0 is not a whole number"),
        ("other_parts", {"48": "palomar-136"}, "none of 0 to 47"),
        ("other_parts", {"one": "palomar-136"}, "none of 0 to 47"),
        ("generation", [0], "1 generation for"),
        ("other_links", [{}], "'rate_gbps' is missing"),
        ("failed", [[0, 0, 0]], "which has failed"),
        ("strands", [], "devices for 0 strands"),
        ("state", [], "the state joins .* by 0 circuits, the links by 1"),
        ("state", [[0, 0, 99]], "which no strand reaches"),
        ("state", [[0, 0, 0], [0, 0, 0]], "uses a port twice"),
        ("colour", 1, "no key colour"),
    ],
)
def test_wrong_circuits(tmp_path, key, value, says):
    write_native(build("tpu-v4-64"), tmp_path / "pod.json")
    pod = json.loads((tmp_path / "pod.json").read_text())
    pod["circuits"][key] = value
    with pytest.raises(FabricError, match=says) as caught:
        read(tmp_path, pod)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("attribute", [{"colour": "red"}, {"id": 7}, {"tier": np.nan}, {"position": {1}}])
def test_what_the_format_does_not_hold_is_refused_whole(tmp_path, attribute):
    path = tmp_path / "a.json"
    path.write_text("before")
    graph = nx.cycle_graph(4)
    graph.nodes[2].update(attribute)
    with pytest.raises(ConfigError):
        write_native(Topology.from_graph(graph), path)
    assert path.read_text() == "before" and len(list(tmp_path.iterdir())) == 1


def test_file_that_cannot_be_written(tmp_path):
    ring = build("ring:n=4")
    for path in (tmp_path / "none" / "a.json", tmp_path):
        with pytest.raises(ConfigError, match="nothing was written"):
            write_native(ring, path)
    assert not list(tmp_path.iterdir())


def test_failed_replace_leaves_no_draft(tmp_path, monkeypatch):
    def fail(source, target):
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.json"
    path.write_text("before")
    monkeypatch.setattr("topologies.formats.writing.os.replace", fail)
    with pytest.raises(ConfigError, match="No space left"):
        write_native(build("ring:n=4"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"] and path.read_text() == "before"


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("native") / "torus.json"
    write_native(build("torus:dims=4x2"), path)
    return json.loads(path.read_text())


def read(tmp_path, document):
    path = tmp_path / "read.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read_native(path, catalogue())


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("schema",), "aifabric.topology/2", "this version reads"),
        (("schema",), None, "schema"),
        (("name",), 3, "name = 3 is not text"),
        (("nodes",), None, "'nodes' is missing"),
        (("nodes",), {}, "is not a list"),
        (("nodes", 1), "n", "node number 2 is not an object"),
        (("nodes", 1, "id"), None, "node number 2: 'id' is missing"),
        (("nodes", 1, "id"), "0-0", "node 0-0 stands there twice"),
        (("nodes", 1, "kind"), "gpu", "kind = gpu is not one of accelerator, switch"),
        (("nodes", 1, "kind"), None, "'kind' is missing"),
        (("nodes", 1, "forwards"), 1, "forwards = 1 is not true or false"),
        (("nodes", 1, "part"), "no-such", "no part is named no-such"),
        (("nodes", 1, "parts"), {"cx7-400g": 0}, "parts = "),
        (("nodes", 1, "position"), "x", "position = x is not a list of numbers"),
        (("nodes", 1, "colour"), "red", "no key colour"),
        (("links", 0, "to"), "9-9", "there is no node 9-9"),
        (("links", 0, "to"), None, "'to' is missing"),
        (("links", 0, "rate_gbps"), -400, "is not a number above zero"),
        (("links", 0, "rate_gbps"), True, "is not a number above zero"),
        (("links", 0, "rate_gbps"), "400", "is not a number above zero"),
        (("links", 0, "count"), 1.5, "is not a whole number above zero"),
        (("links", 0, "duty"), 1.5, "at most 1"),
        (("links", 0, "medium"), "string", "medium = string is not one of copper"),
        (("links", 0, "cable"), "no-such", "no part is named no-such"),
        (("links", 0, "lenght_m"), 1, "did you mean 'length_m'"),
        (("grid", "dims"), [4, 4], "do not fit 8 accelerators"),
        (("grid", "twist"), None, "'twist' is missing"),
        (("halves",), [[8]], "rank 8 is above the last of 8"),
        (("halves",), [[-1]], "is not a list of lists of ranks"),
        (("parameters",), {"dims": {}}, "parameters = "),
        (("notes",), "note", "is not a list of text"),
    ],
)
def test_wrong_value(tmp_path, document, place, value, says):
    wrong = copy.deepcopy(document)
    spot = wrong
    for key in place[:-1]:
        spot = spot[key]
    if value is None:
        del spot[place[-1]]
    else:
        spot[place[-1]] = value
    with pytest.raises(FabricError, match=says) as caught:
        read(tmp_path, wrong)
    assert "read.json: " in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema": 3}', "\x00", '{"a": 1, "a": 2}', "[" * 100_000, "9" * 5000]
)
def test_not_a_topology_file(tmp_path, text):
    with pytest.raises(ConfigError, match=r"read\.json: "):
        read(tmp_path, text)


def test_binary_missing_and_folder(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name in ("binary.json", "none.json", ""):
        with pytest.raises(ConfigError):
            read_native(tmp_path / name, catalogue())


def test_nan_and_infinity_are_not_numbers(tmp_path, document):
    for number in ("NaN", "Infinity", "1e999"):
        text = json.dumps({**document, "parameters": {}})
        text = text.replace('"rate_gbps": 400.0', f'"rate_gbps": {number}', 1)
        with pytest.raises(ConfigError, match="is not a number above zero"):
            read(tmp_path, text)


def test_graph_that_is_no_fabric(tmp_path, document):
    repeated, apart, alone = (copy.deepcopy(document) for _ in range(3))
    repeated["links"].append(repeated["links"][0])
    with pytest.raises(ConfigError, match="stands there twice"):
        read(tmp_path, repeated)
    apart["links"] = [link for link in apart["links"] if "0-0" not in (link["from"], link["to"])]
    with pytest.raises(TopologyError, match="not connected"):
        read(tmp_path, apart)
    alone["nodes"].append({"id": "lost", "kind": "switch", "forwards": True})
    with pytest.raises(TopologyError, match="lost reaches no accelerator"):
        read(tmp_path, alone)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_raise_fabric_errors_only(tmp_path, document, data):
    wrong = copy.deepcopy(document)
    spot = wrong
    while isinstance(spot, dict | list) and spot:
        keys = list(spot) if isinstance(spot, dict) else range(len(spot))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(spot[key], dict | list) or data.draw(st.booleans()):
            spot[key] = data.draw(JUNK)
            break
        spot = spot[key]
    try:
        topology = read(tmp_path, wrong)
    except FabricError as error:
        assert "\n" not in str(error)
    else:
        assert_same(topology, round_trip(topology, tmp_path / "again.json"))
