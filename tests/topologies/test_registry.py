"""Specs: the grammar on the command line and in files, what is refused and how."""

import time

import pytest

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.families import FAMILIES, family, systems
from topologies.invariants import MAX_NODES
from topologies.parameters import example
from topologies.registry import build


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_has_an_example_that_builds(name):
    built = build(example(family(name)))
    assert built.family == name and len(built.accelerators) >= 2
    assert family(name).summary.endswith(".")


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_says_where_its_wiring_is_published(name):
    """In its builder's docstring: a line `Source: ...`, or a citation with its year in brackets."""
    assert family(name).source


@pytest.mark.parametrize("name", FAMILIES)
def test_each_parameter_says_what_it_means(name):
    assert all(parameter.meaning for parameter in family(name).parameters.values())


def test_each_ready_made_system_names_its_source_and_family():
    for name, system in systems().items():
        assert system.title and system.source and system.family in FAMILIES, name
        assert system.parameters.keys() <= family(system.family).parameters.keys()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("torus:", "ends with a colon"),
        ("nvl72:", "ends with a colon"),
        ("torus", "needs dims"),
        ("ring:rate_gbps=400", "needs n"),
        ("torus:dims=4x4,dims=4x4", "gives dims twice"),
        ("torus:dims=4x4,", "a comma too many"),
        ("torus:,dims=4x4", "a comma too many"),
        ("torus:dims", "is not key=value"),
        ("torus:dims=", "is not key=value"),
        ("torus:=4", "is not key=value"),
        ("torsu:dims=4x4", "did you mean 'torus'"),
        ("nvl27", "did you mean 'nvl72'"),
        ("", "no topology is named ''"),
        (":n=4", "no topology is named ''"),
        ("torus:dim=4x4", "did you mean 'dims'"),
        ("nvl72:gpu=8", "did you mean 'gpus'"),
        ("torus:dims=4x", "is not a list"),
        ("torus:dims=4.5x4", "is not a whole number"),
        ("torus:dims=4x0", "below 1"),
        ("torus:dims=4x-4", "below 1"),
        ("torus:dims=4x4:twist=true", "is not a whole number"),
        ("ring:n=0", "below 1"),
        ("ring:n=-3", "below 1"),
        ("ring:n=8.5", "is not a whole number"),
        ("ring:n=8,rate_gbps=nan", "rate 'nan'"),
        ("ring:n=8,rate_gbps=inf", "rate 'inf'"),
        ("ring:n=8,rate_gbps=0", "not above zero"),
        ("ring:n=8,rate_gbps=-400", "not above zero"),
        ("ring:n=8,latency_ns=nan", "not a positive, finite number"),
        ("ring:n=8,latency_ns=-1", "not a positive, finite number"),
        ("ring:n=8,length_m=inf", "not a positive, finite number"),
        ("ring:n=8,length_m=long", "is not a number"),
        ("clos:hosts=64,oversubscription=0", "not a positive, finite number"),
        ("clos:hosts=64,oversubscription=nan", "not a positive, finite number"),
        ("torus:dims=4x4,twist=maybe", "neither true nor false"),
        ("rail:servers=4,core=mesh", "is not one of spine, none, ocs"),
        ("ring:n=8,technology=smoke", "no technology is named 'smoke'"),
        ("ring:n=8,cable=qm9700", "of kind switch"),
        ("ring:n=8,cable=dac-100g", "carries 100 Gb/s"),
        ("ring:n=8,accelerator=h10-sxm", "did you mean 'h100-sxm'"),
        ("ring:n=8,accelerator=qm9700", "of kind switch"),
        ("switch:n=4,switch=qm970", "did you mean 'qm9700'"),
        ("switch:n=4,nic=qm9700", "of kind switch"),
        ("no/such/file", "no file"),
        ("absent.toml", "no file"),
        ("absent.json", "no file"),
    ],
)
def test_a_bad_spec(spec, said):
    with pytest.raises(ConfigError) as error:
        build(spec)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_values():
    assert build("torus:dims=12").parameters["dims"] == (12,)
    assert build(" torus:dims = 4X4 ").parameters["dims"] == (4, 4)
    assert build("torus:dims=4x4,wrap=truexfalse").grid.wrap == (True, False)
    assert build("torus:dims=4x4,wrap=no").grid.wrap == (False, False)
    assert build("ring:n=4,rate_gbps=1.6T").parameters["rate_gbps"] == 1600
    assert build("ring:n=4,latency_ns=0").csr().latency.max() == 0
    assert build("switch:n=4,switch=none").parameters["switch"] is None


def test_a_rate_may_be_written_with_its_unit():
    assert build("ring:n=4,rate_gbps=400Gb/s").parameters["rate_gbps"] == 400
    assert build("ring:n=4,rate_gbps=50 GB/s").parameters["rate_gbps"] == 400


@pytest.mark.parametrize(
    "spec",
    [
        "torus:dims=4096x4096x4096", "torus:dims=5000x5000", "mesh:dims=99999999", "ring:n=16777217",
        "full-mesh:n=100000",
        "fat-tree:k=1000", "clos:hosts=99999999", "clos:hosts=4,planes=1000000000", "switch:n=99999999",
        "nvl:gpus=99999999", "nvl:gpus=2,links=99999999", "rail:servers=99999999", "rail:servers=2,gpus=99999999",
        "rail:servers=2,planes=1000000000", "jupiter:blocks=99999999,uplinks=512", "jupiter:blocks=2,uplinks=99999998",
        "tpu-pod:slice=4000x4000x4000",
    ],
)  # fmt: skip
def test_too_many_nodes_are_refused_before_building(spec, monkeypatch):
    import networkx as nx

    class TooLate(Exception):
        pass

    def added(self, *args, **kwargs):
        self.adding = getattr(self, "adding", 0) + 1
        if self.adding > 1000:
            raise TooLate(f"{spec} is being built")
        return original(self, *args, **kwargs)

    original = nx.Graph.add_nodes_from
    monkeypatch.setattr(nx.Graph, "add_nodes_from", added)
    start = time.process_time()
    with pytest.raises(FabricError):
        build(spec)
    assert time.process_time() - start < 0.5


def test_the_limit_is_that_of_the_design():
    assert MAX_NODES == 2**24


@pytest.mark.parametrize(
    "spec", ["clos:hosts=1", "switch:n=1", "full-mesh:n=1", "ring:n=1", "torus:dims=1x1", "nvl:gpus=1"]
)
def test_one_accelerator_is_no_fabric(spec):
    with pytest.raises((ConfigError, TopologyError)):
        build(spec)


def test_overrides_of_a_ready_made_system():
    plain, optical = build("nvl72"), build("nvl72:technology=pluggable,length_m=2")
    assert plain.parameters["technology"] == "cartridge"
    assert optical.parameters["technology"] == "pluggable" and optical.parameters["gpus"] == 72
    assert set(nx_attribute(optical, "medium")) == {"optical"} and set(nx_attribute(optical, "length_m")) == {2.0}
    assert len(build("dgx-h100-superpod-1024:servers=127").accelerators) == 1016


def test_an_override_shows_in_the_name():
    assert build("nvl72").name == "nvl72"
    assert build("nvl72:technology=pluggable").name == "nvl72:technology=pluggable"


def nx_attribute(topology, key):
    return [value for _, _, value in topology.graph.edges(data=key)]


@pytest.fixture
def written(tmp_path):
    """A topology file."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def test_files(written):
    built = build(
        written('name = "n"\nfamily = "torus"\n[parameters]\ndims = [4, 4, 8]\ntwist = true\nrate_gbps = "1.6 Tb/s"\n')
    )
    assert (built.name, built.family, built.links) == ("n", "torus", 384)
    assert built.parameters["rate_gbps"] == 1600
    assert build(written('family = "torus"\n[parameters]\ndims = "4x4"\n')).name == "mine"
    assert build(written('family = "torus"\n[parameters]\ndims = [12]\n')).parameters["dims"] == (12,)


def test_a_file_may_start_from_a_ready_made_system(written):
    built = build(written('family = "nvl72"\n[parameters]\nlength_m = 0.5\n'))
    assert built.links == 1296 and built.parameters["length_m"] == 0.5
    assert built.notes == build("nvl72:length_m=2").notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('family = "torus"\n[parameters]\ndims = 12\n', "bare number"),
        ('family = "torus"\n[parameters]\ndims = [4, 4.5]\n', "is not a whole number"),
        ('family = "torus"\n[parameters]\ndims = []\n', "dims"),
        ('family = "torus"\n', "needs dims"),
        ('family = "torus"\n[parameters]\nsize = 4\n', "no parameter 'size'"),
        ('family = "torsu"\n', "did you mean 'torus'"),
        ('family = "ring"\n[parameters]\nn = true\n', "is not a whole number"),
        ('family = "ring"\n[parameters]\nn = 8\nrate_gbps = inf\n', "rate"),
        ('family = "ring"\n[parameters]\nn = 8\ntechnology = 3\n', "is not text"),
        ('family = "ring"\n[other]\nn = 8\n', "nothing else"),
        ("family = 3\n", "nothing else"),
        ("", "nothing else"),
        ("family =", "not a TOML topology"),
        (b"\xff\xff", "not text; give a TOML topology"),
        ('family = "ring"\nparameters = 8\n', "parameters"),
        ('family = "torus"\n[parameters]\ndims = 2026-01-01\n', "dims"),
    ],
)
def test_a_bad_file(written, text, said):
    with pytest.raises(ConfigError) as error:
        build(written(text))
    assert said in str(error.value)
