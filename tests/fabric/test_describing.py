"""What names a fabric: specs, files, graphs; anything else is one line."""

import networkx as nx
import pytest

import fabric
from topologies.errors import ConfigError

ANY = {"simulate": fabric.simulate, "describe": fabric.describe, "compare": lambda given: fabric.compare([given])}


@pytest.mark.parametrize("ask", ANY.values(), ids=ANY)
def test_a_spec_a_graph_and_a_topology_are_fabrics(ask, tmp_path):
    (tmp_path / "ring.toml").write_text('family = "ring"\n[parameters]\nn = 4\n')
    for given in ("ring:n=4", nx.cycle_graph(4), fabric.build("ring:n=4"), tmp_path / "ring.toml"):
        assert ask(given)


@pytest.mark.parametrize("ask", ANY.values(), ids=ANY)
@pytest.mark.parametrize("given", [42, None, ["ring:n=4"], b"nvl72", 1.5, {"n": 4}, int])
def test_what_is_no_fabric_is_said_in_one_line(ask, given):
    with pytest.raises(ConfigError, match="is no fabric; give a spec") as error:
        ask(given)
    assert "\n" not in str(error.value)


def test_rates_are_for_graphs():
    assert fabric.describe(nx.cycle_graph(4), rate_gbps=100)["injection_gb_per_s"] == 100
    for given in ("ring:n=4", fabric.build("ring:n=4")):
        with pytest.raises(ConfigError, match=r"rate_gbps is for a networkx.Graph"):
            fabric.describe(given, rate_gbps=100)


@pytest.mark.parametrize("given", ["nvl72", nx.cycle_graph(4), fabric.build("ring:n=4")])
def test_one_fabric_is_no_list_of_them(given):
    with pytest.raises(ConfigError, match="takes a list of fabrics"):
        fabric.compare(given)


@pytest.mark.parametrize("name", [42, None, ["all-reduce"]])
def test_a_collective_is_a_name(name):
    with pytest.raises(ConfigError, match="no collective is named"):
        fabric.simulate("ring:n=4", name)


def test_a_permutation_of_numbers_is_taken():
    assert fabric.simulate(nx.path_graph(2), "permutation", permutation=[1, 0]).time_us > 0


def test_link_classes_hold_every_link():
    found = fabric.describe("nvl72-x8:servers=2")
    assert sum(row["links"] for row in found["link_classes"]) == found["links"]
    assert found["trays"] == {"accelerator": 36, "switch": 36}


def test_a_bare_graph_draws_what_the_same_family_does():
    graph, family = (fabric.simulate(given) for given in (nx.cycle_graph(8), "ring:n=8"))
    assert graph.network_power_w == family.network_power_w is not None
    assert graph.accelerator == family.accelerator == "generic" and graph.capex_usd == family.capex_usd
