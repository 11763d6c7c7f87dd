"""Compositions: lengths worked out on paper, every count by hand, every mistake by the path of its key."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.composition import compose
from topologies.composition_model import Composition, Simple, topology_schema
from topologies.errors import ConfigError, FabricError, ReachError, TopologyError
from topologies.floor import FloorPlan, Place
from topologies.kinds import Floor
from topologies.parts import catalogue, part
from topologies.registry import build

EXAMPLES = Path(__file__).parents[2] / "examples"
POD = '[[racks]]\nunit = "nvl72"\ncount = 2\n[scale_out]\nfamily = "clos"\n'
SMALL = 'unit = "switch:n=4,rate_gbps=800"\n'
SITES = (
    f'[[racks]]\n{SMALL}count = 4\n[scale_out]\nfamily = "clos"\n[[sites]]\nname = "a"\n[[sites]]\nname = "b"\n'
    "[sites.fibre]\ndistance_km = 80\n"
)


def composed(text):
    return compose(tomllib.loads(text), "mine", catalogue(), build)


def classes(topology, keys=("cable", "length_m")):
    found = Counter()
    for *_, edge in topology.edges:
        found[tuple(edge[key] for key in keys)] += edge["count"]
    return found


def test_lengths_on_paper():
    """Up 2.7 - 1.1 = 1.6 m, along the tray, down 1.6 m, 1 m of slack: 4.2 m and what lies between."""
    plan = FloorPlan.of(part("floor-600mm", Floor))
    assert plan.length_m(Place(0, 0), Place(0, 1)) == 4.2 + 0.6
    assert plan.length_m(Place(0, 0), Place(3, 7)) == pytest.approx(4.2 + 3 * 2.4 + 7 * 0.6)
    assert plan.length_m(Place(2, 5), Place(2, 5)) == 2.0
    assert FloorPlan.of(part("floor-600mm", Floor), rack_pitch_m=0.8, slack_m=0.0).rack_pitch_m == 0.8


@given(*[st.tuples(st.integers(0, 50), st.integers(0, 50)) for _ in range(3)])
def test_lengths_are_a_distance(a, b, c):
    plan = FloorPlan.of(part("floor-600mm", Floor))
    a, b, c = Place(*a), Place(*b), Place(*c)
    assert plan.length_m(a, b) == plan.length_m(b, a) > 0
    assert plan.length_m(a, c) <= plan.length_m(a, b) + plan.length_m(b, c) + 1e-6


def test_the_pod_on_paper():
    """8 racks of 72: 144 adapters a rail, 32 a leaf, 5 leaves a rail; 20 leaves of up to 32 uplinks. The leaves fill
    the rack at column 8 (16 of them) and the one at column 9; 16 spines stand a row behind, at column 8."""
    pod = build(str(EXAMPLES / "nvl72-pod.toml"))
    assert len(pod.accelerators) == 576 and [len(d) for d in pod.domains] == [72] * 8
    assert pod.attribute("tier").count(1) == 20 and pod.attribute("tier").count(2) == 16
    lengths = classes(pod, ("technology", "length_m"))
    assert lengths.pop(("cartridge", 1.0)) == 8 * 72 * 18
    near = {length for technology, length in lengths if technology != "cartridge"}
    assert near == {4.8, 5.4, 6.0, 6.6, 7.2, 7.8, 8.4, 9.0}
    assert sum(n for (_, m), n in lengths.items()) == 576 + 20 * 32
    assert lengths["acc", 4.8] == 54 and lengths["pluggable", 7.2] == 72 + 4 * 32
    assert lengths["aec", 6.6] == 72 + 16 * 32
    assert pod.racks.keys() == {f"rack-0-{c}" for c in range(10)} | {"rack-1-8"}
    assert all(d["rack"] in pod.racks for _, d in pod.graph.nodes(data=True))
    assert pod.graph.nodes["u3/gpu-0"]["rack"] == "rack-0-3" and pod.graph.nodes["u3/gpu-0"]["parts"] == {"cx7-400g": 1}


def test_a_composed_pod_is_wired_as_the_ready_made_one():
    ready, pod = build("nvl72-x8"), build(str(EXAMPLES / "nvl72-pod.toml"))
    assert ready.links == pod.links
    for kind in ("accelerator", "switch"):
        ends = [[n for n, d in t.graph.nodes(data=True) if d["kind"] == kind] for t in (ready, pod)]
        one, other = (sorted(d for _, d in t.graph.degree(n)) for t, n in zip((ready, pod), ends, strict=True))
        assert one == other


def test_two_sites_on_paper():
    """2 pairs x 16 channels x 400 Gb/s = 12.8 Tb/s; 80 km at 4.9 ns/m is 392 us one way."""
    both = build(str(EXAMPLES / "two-sites.toml"))
    far = [(a, b, e) for a, b, e in both.edges if e["technology"] == "coherent"]
    assert sum(e["count"] * e["rate_gbps"] for *_, e in far) == 2 * 16 * 400
    optic = part("400g-zr")
    assert {e["latency_ns"] for *_, e in far} == {80e3 * 4.9 + optic.phy_latency_ns + 2 * optic.latency_ns}
    assert {a.partition("/")[0] for a, *_ in far} == {"east"} and {b.partition("/")[0] for _, b, _ in far} == {"west"}
    for gate in (n for n in both.nodes if "gateway" in n):
        inside = sum(e["count"] * e["rate_gbps"] for *_, e in both.graph.edges(gate, data=True) if e["length_m"] < 1e3)
        assert inside == 12800
    assert len(both.accelerators) == 576


def test_spans_are_shown():
    from fabric.describing import describe

    (span,) = describe(str(EXAMPLES / "two-sites.toml"))["spans"]
    assert (span["from"], span["to"], span["distance_km"], span["channels"]) == ("east", "west", 80, 32)
    assert span["gb_per_s"] == 1600 and span["fibre_round_trip_us"] == pytest.approx(784)
    assert span["round_trip_us"] == pytest.approx(784 + 2 * (0.086 + 4))
    assert describe(str(EXAMPLES / "two-sites.toml"))["bisection_gb_per_s"] == 1600


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_builds_and_reaches(path):
    from fabric.limits import walls

    built = build(str(path))
    assert built.name == path.stem and walls(built)["copper"]["state"] in ("ok", "marginal")
    for *_, edge in built.edges:
        assert edge["latency_ns"] > 0 and edge["length_m"] > 0


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("clos", {}), ("rail", {}), ("switch", {"switch": "qm9700"}), ("fat-tree", {"k": 4}),
        ("torus", {"dims": [4, 4]}),
        ("dragonfly", {"p": 2, "a": 2, "h": 2}), ("jellyfish", {"n": 8, "degree": 3, "p": 2}), ("full-mesh", {"n": 16}),
        ("clos", {"planes": 2, "tiers": 2}), ("dgx-h100-superpod-256", {}), ("ring", {"n": 16}),
    ],
)  # fmt: skip
def test_any_family_joins_the_racks(family, parameters):
    """Four units of four: sixteen end points, each in its accelerator's place."""
    document = {"racks": [{"unit": "switch:n=4,rate_gbps=800", "count": 4}]}
    built = compose(document | {"scale_out": {"family": family, "parameters": parameters}}, "mine", catalogue(), build)
    alone = [(a, b) for a, b, e in built.edges if not (str(a).startswith("u") and str(b) == f"{str(a)[:2]}/switch")]
    assert len(built.accelerators) == 16 and alone
    assert all(built.graph.nodes[a]["parts"] == {"cx7-400g": 1} for a in built.accelerators)
    assert all(d["rack"] in built.racks for _, d in built.graph.nodes(data=True))


@pytest.mark.parametrize(
    ("family", "parameters", "racks"),
    [("ocs-flat", {"n": 16, "degree": 3}, 4), ("jupiter", {"blocks": 4, "uplinks": 6, "hosts": 4}, 4),
     ("rail", {"core": "ocs"}, 40)],
)  # fmt: skip
def test_circuits_join_what_the_family_joins(family, parameters, racks):
    from topologies.bill import bill_of_materials

    document = {"racks": [{"unit": "switch:n=4,rate_gbps=800", "count": racks}]}
    built = compose(document | {"scale_out": {"family": family, "parameters": parameters}}, "mine", catalogue(), build)
    assert built.circuits.circuits > 0 and set(built.circuits.ends) <= set(built.nodes)
    assert any(row.part.kind == "ocs" for row in bill_of_materials(built))
    again = built.with_state(built.circuits.state)
    assert {frozenset(e) for e in again.graph.edges} == {frozenset(e) for e in built.graph.edges}
    assert again.links == built.links


@pytest.mark.parametrize(("family", "parameters"), [("torus", {"dims": [4, 8]}), ("bcube", {"n": 8, "k": 1})])
def test_a_direct_network_takes_all_its_end_points(family, parameters):
    document = {"racks": [{"unit": "switch:n=4", "count": 4}]}
    with pytest.raises(TopologyError, match="give parameters for exactly as many"):
        compose(document | {"scale_out": {"family": family, "parameters": parameters}}, "mine", catalogue(), build)


def test_circuits_stand_in_a_single_site():
    text = SITES.replace('"clos"', '"rail"').replace("count = 4", "count = 40")
    with pytest.raises(ConfigError, match="circuit switches stand in a single site"):
        composed(f"{text}[scale_out.parameters]\ncore = 'ocs'\n")


def test_a_unit_is_looked_for_beside_its_file(tmp_path):
    (tmp_path / "unit.toml").write_text('family = "ring"\n[parameters]\nn = 4\n')
    (tmp_path / "unit.py").write_text("import networkx as nx\ndef f(n: int):\n    return nx.cycle_graph(n)\n")
    (tmp_path / "pod.toml").write_text(POD.replace("nvl72", "unit.toml") + '[[racks]]\nunit = "unit.py:f:n=5"\n')
    assert [len(d) for d in build(str(tmp_path / "pod.toml")).domains] == [4, 4, 5]


def test_end_points_beyond_the_racks_stay_free():
    text = f'[[racks]]\n{SMALL}count = 3\n[scale_out]\nfamily = "fat-tree"\n[scale_out.parameters]\nk = 4\n'
    built = composed(text)
    assert len(built.accelerators) == 12 and "scale-out: 4 of 16 end points stay free" in built.notes
    assert not [n for n in built.nodes if str(n).startswith("acc-")]


def test_two_adapters_take_two_end_points_each():
    one, two = (composed(f'[[racks]]\n{SMALL}count = 4\nnics = {n}\n[scale_out]\nfamily = "clos"\n') for n in (1, 2))
    ends = [sum(e["count"] for *_, e in t.edges if e.get("nic")) for t in (one, two)]
    assert ends == [16, 32] and two.graph.nodes["u0/acc-0"]["parts"] == {"cx7-400g": 2}


def test_leaves_in_the_rack_take_copper():
    text = f'[[racks]]\n{SMALL}count = 16\nunits_per_rack = 8\n[scale_out]\nfamily = "clos"\nleaves = "rack"\n'
    built = composed(text + "[scale_out.parameters]\ntiers = 2\n")
    own = {(e["technology"], e["length_m"]) for *_, e in built.edges if e.get("nic")}
    assert own == {("dac", 2.0)}


def test_what_is_named_is_taken_where_it_reaches():
    for technology in ("aoc", "lpo"):
        built = composed(POD + f'[scale_out.parameters]\ntechnology = "{technology}"\n')
        assert {e["technology"] for *_, e in built.edges} == {"cartridge", technology}
    named = composed(POD + '[scale_out.parameters]\ncable = "400g-fr4"\nlatency_ns = 7\n')
    outside = {(e["cable"], e["latency_ns"]) for *_, e in named.edges if e["technology"] == "pluggable"}
    assert outside == {("400g-fr4", 7)}


@pytest.mark.parametrize("technology", ["dac", "acc"])
def test_what_is_named_and_does_not_reach_is_refused_with_its_margin(technology):
    with pytest.raises(ReachError, match=rf"technology = '{technology}': margin -[0-9.]+ dB: .*reaches"):
        composed(f"[floor]\nrow_pitch_m = 20\n{POD}[scale_out.parameters]\ntechnology = '{technology}'\ntiers = 2\n")


def test_a_mixed_fleet():
    built = composed(f"{POD}[[racks]]\nunit = 'switch:n=8'\ncount = 8\nunits_per_rack = 4\nrack = 'dgx-h100-rack'\n")
    assert Counter(len(d) for d in built.domains) == {72: 2, 8: 8}
    assert Counter(built.racks.values())["dgx-h100-rack"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("racks = 3\nscale_out = 4\n", "racks = 3 does not fit; give [[racks]] tables"),
        ("racks = []\n", "racks = [] does not fit"),
        ("[[racks]]\ncount = 2\n", "racks[0].unit is missing; give a family"),
        ('[[racks]]\nunit = 3\n', "racks[0].unit = 3 does not fit"),
        ('[[racks]]\nunit = "nvl72"\ncuont = 2\n', "there is no key racks[0].cuont; did you mean 'count'"),
        ('[[racks]]\nunit = "nvl72"\ncount = 2.5\n', "racks[0].count = 2.5 does not fit; give a whole number of units"),
        ('[[racks]]\nunit = "nvl72"\ncount = true\n', "racks[0].count = True does not fit"),
        ('[[racks]]\nunit = "nvl72"\ncount = "2"\n', "racks[0].count = '2' does not fit"),
        ('[[racks]]\nunit = "nvl72"\ncount = 0\n', "racks[0].count = 0 is out of range"),
        ('[[racks]]\nunit = "nvl72"\n', "scale_out is missing"),
        ('[scale_out]\nfamily = "clos"\n', "racks is missing"),
        (POD.replace("nvl72", "nvl27"), "racks[0].unit: no topology is named 'nvl27'; did you mean 'nvl72'"),
        (POD.replace("nvl72", "torus"), "racks[0].unit: torus: torus needs dims"),
        (POD.replace("nvl72", "tpu-v4-64"), "racks[0].unit = 'tpu-v4-64' has circuit switches"),
        (POD.replace('"clos"', '"clso"'), "scale_out.family: no topology is named 'clso'; did you mean 'clos'"),
        (POD + "[scale_out.parameters]\nport = 4\n", "scale_out.parameters: clos has no parameter 'port'"),
        (POD + "[scale_out.parameters]\nlength_m = 4\n", "scale_out.parameters.length_m has no effect"),
        (POD + "[scale_out.parameters]\nhosts = 10\n", "clos has 10 end points, the racks need 144"),
        (POD + "[scale_out.parameters]\nrate_gbps = 800\nswitch = 'sn5600'\n", "adapter 'cx7-400g' carries 400 Gb/s"),
        (POD + "[scale_out.parameters.x]\ny = 4\n", "scale_out.parameters.x"),
        (POD + "[floor]\nplan = 'moon'\n", "no floor is named 'moon'"),
        (POD + "[floor]\nrack_pitch_m = -1\n", "floor.rack_pitch_m = -1 is out of range; give metres"),
        (POD + "[floor]\nrack_pitch_m = inf\n", "floor.rack_pitch_m = inf"),
        (POD + "[floor]\nrack_pitch_m = nan\n", "floor.rack_pitch_m = nan"),
        (POD + "[floor]\nport_height_m = 5\n", "floor.port_height_m = 5 is above the tray at 2.7 m"),
        (POD + "[extra]\n", "there is no key extra; there are name, racks"),
        ('[[racks]]\nunit = "nvl72"\nnic = "qm9700"\ncount = 2\n[scale_out]\nfamily = "clos"\n', "of kind switch"),
        ('[[racks]]\nunit = "nvl72"\ncount = 300000\n[scale_out]\nfamily = "clos"\n', "at most 16,777,216"),
        (POD + "[[sites]]\nname = 'a'\n", "sites = [{'name': 'a'}] does not fit; give two or more"),
        (SITES.replace('"b"', '"a"'), "two are named 'a'"),
        (SITES.replace('"b"', '"a b"'), "sites[1].name = 'a b' does not fit; give a name of letters"),
        (SITES.replace("distance_km = 80", ""), "sites[1].fibre.distance_km is missing; give kilometres"),
        (SITES + "pairs = -2\n", "sites[1].fibre.pairs = -2 is out of range; give a whole number of fibre pairs"),
        (SITES + "channels = 65\n", "sites[1].fibre.channels = 65 exceed the 64 of 400g-zr on a pair"),
        (SITES + "to = 'c'\n", "sites[1].fibre.to: no site is named 'c'"),
        (SITES + "to = 'b'\n", "sites[1].fibre.to = 'b' leads to the site itself"),
        (SITES + "optic = '400g-dr4'\n", "distance_km = 80 is too far for 400g-dr4, which reaches 0.5 km"),
        (SITES.replace("80", "130"), "for 400g-zr, which reaches 120 km; there are 400g-zr 120 km, 400g-zr-plus"),
        (SITES + "optic = 'qm9700'\n", "sites[1].fibre: part 'qm9700' is of kind switch"),
        (SITES.replace("[sites.fibre]\ndistance_km = 80\n", ""), "sites[1]: no fibre joins 'b' to 'a'"),
        (SITES.replace("[sites.fibre]", "[[sites.fibre]]") + "pairs = 0\n", "sites[1].fibre[0].pairs = 0"),
    ],
)  # fmt: skip
def test_mistakes_name_the_path_of_their_key(text, said):
    with pytest.raises(FabricError) as error:
        composed(text)
    assert said in str(error.value), str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_composes_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "me.toml").write_text(POD.replace("nvl72", "me.toml"))
    with pytest.raises((ConfigError, TopologyError), match="composes itself"):
        build("me.toml")


values = st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=5), st.just("nvl72"))
tables = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["unit", "count", "family", "name", "fibre", "pairs", "distance_km"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "racks", "scale_out", "floor", "sites", "y"]), tables))
def test_any_document_is_refused_in_one_line_or_builds(document):
    try:
        compose(document, "any", catalogue(), build)
    except FabricError as error:
        assert str(error) and "\n" not in str(error)


def test_the_schema_names_every_key():
    schema = topology_schema()["$defs"]
    assert set(schema["Composition"]["properties"]) == {"name", "racks", "scale_out", "floor", "sites"}
    assert set(schema["Simple"]["properties"]) == {"name", "family", "parameters"}
    for name, table in schema.items():
        assert table["additionalProperties"] is False, name
        told = [key for key, value in table["properties"].items() if not {"description", "$ref"} & value.keys()]
        assert not told, name
    assert Composition.model_json_schema() and Simple.model_json_schema()


def test_thousands_of_accelerators_build_in_links():
    """70 racks on a floor under three tiers: 5,040 accelerators, 90,720 links inside, three links each outside."""
    text = POD.replace("count = 2", "count = 70") + "[scale_out.parameters]\nswitch = 'sn5600'\ntiers = 3\n"
    built = composed(text)
    assert len(built.accelerators) == 5040 and built.links >= 70 * 1296 + 3 * 5040
    rows = {int(rack.split("-")[1]) for rack in built.racks}
    assert len(built.graph.edges) < 1.2 * built.links and max(rows) >= 5
