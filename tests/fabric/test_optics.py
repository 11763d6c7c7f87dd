"""What show and the walls say of circuits: the tightest class, links that fail, strands and ports lost."""

from dataclasses import replace

import numpy as np
import pytest

from fabric.limits import broken, walls
from fabric.optics import optical_wall, optics
from topologies.optical_budget import circuit_budgets
from topologies.parts import Catalogue, CircuitSwitch, catalogue, part
from topologies.registry import build

SPEC = "jupiter:blocks=4,uplinks=6,hosts=1"


def other(**rows):
    """The catalogue with values of some rows changed, and their ranges gone."""
    changed = {name.replace("_", "-"): values for name, values in rows.items()}
    parts = {name: replace(part(name), ranges={}, **values) for name, values in changed.items()}
    return Catalogue({**catalogue(), **parts}, "test")


def test_copper_fabrics_have_none():
    built = build("ring:n=4")
    assert optics(built) is None and optical_wall(built) is None


def test_links_fail_by_their_strands():
    """A link of eight strands stands while all of them do: 1 - (1 - p)^8; N of them expect N times that."""
    built = build(f"{SPEC},ocs_optic=400g-dr4")
    chance = circuit_budgets(built).failure_probability
    found = optics(built)
    assert (found["links"], found["circuits"], found["strands_per_link"]) == (12, 96, 8)
    assert found["failure_probability"] == pytest.approx(1 - (1 - chance[0]) ** 8)
    assert found["expected_failures"] == pytest.approx(12 * found["failure_probability"])
    assert found["state"] == "marginal" and found["wavelengths"] == 1


def test_the_tightest_class_comes_first_and_failures_are_of_all():
    found = optics(build("jupiter:blocks=4,uplinks=6,hosts=1,generations=100x400"))
    rows = found["classes"]
    assert found["margin_p99_db"] == min(row["margin_p99_db"] for row in rows) and len(rows) == 3
    assert found["links"] == sum(row["links"] for row in rows) == 12
    assert found["expected_failures"] == pytest.approx(sum(row["expected_failures"] for row in rows))


def test_failed_ports_are_counted_with_what_they_cost():
    built = build(SPEC)
    hurt = built.with_circuits(built.circuits.with_failed([(0, 0, 0), (0, 1, 5), (0, 1, 135)]))
    found = optics(hurt)
    assert (found["failed_ports"], found["lost_strands"], found["lost_gbps"]) == (3, 2, 800.0)
    assert found["links"] == 12 - 2 == hurt.links - 4  # four host links beside the circuits
    assert found["free_ports"] == [124, 123]


def test_shared_switches_name_no_free_ports():
    assert optics(build("tpu-v4-64"))["free_ports"] is None


def test_a_dark_layer_says_so():
    built = build(SPEC)
    found = optics(built.with_state(np.empty((0, 3), np.int32)))
    assert found["state"] is None and found["links"] == 0 and found["expected_failures"] == 0
    assert optical_wall(built.with_state(np.empty((0, 3), np.int32))) is None


def test_the_wall_is_that_of_what_is_nearer_to_its_limit():
    through = {"insertion_loss_mean_db": 12.0, "insertion_loss_max_db": 12.0}
    plain, lossy = build(SPEC), build(SPEC, other(palomar_136=through))
    assert "dac-400g" in walls(plain)["copper"]["why"]
    wall = walls(lossy)["copper"]
    assert wall["state"] == "over" and wall["margin"] < -8 and wall["limit"] == 7.0
    assert wall["limit"] - wall["value"] == pytest.approx(wall["margin"])
    assert "400g-fr4-bidi through palomar-136" in broken(walls(lossy))


def test_an_unstated_budget_is_unknown():
    built = build(f"{SPEC},ocs_optic=400g-dr4", other(**{"400g_dr4": {"channel_loss_db": None}}))
    found = optics(built)
    assert (found["state"], found["margin_p99_db"], found["expected_failures"]) == ("unknown", None, None)
    assert walls(built)["copper"]["state"] == "unknown"


def test_estimates_are_named():
    said = optics(build("tpu-v4-64"))["estimates"]
    assert "channel loss of ici-osfp-400g" in said
    assert any("rule of thumb" in line for line in said)
    silent = replace(part("palomar-136", CircuitSwitch), return_loss_db=None)
    built = build(SPEC, Catalogue({**catalogue(), "palomar-136": silent}, "test"))
    assert "no return loss: palomar-136, whose reflections are left out" in optics(built)["estimates"]
