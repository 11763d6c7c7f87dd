"""Sizes: hand arithmetic, monotone answers, the same bytes from any number of processes."""

import json
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.sizing import Objective, size, sizes, standing
from topologies.errors import ConfigError
from topologies.parts import catalogue

PARTS = catalogue()
CHEAP = st.sampled_from(["rail:servers=2", "tpu-v4-64", "fat-tree:k=2,accelerator=h100-sxm,switch=qm9700"])


def one(spec, **limits):
    return size([spec], **limits).rows[0]


def test_four_megawatts_of_nvl72_by_hand():
    """4 MW / 1.15 / 132 kW = 26.3 racks; 25 with 60 leaves, 32 spines and the modules in them and at the hosts."""
    row = one("nvl72", facility_w=4e6, pue=1.15)
    assert row.before_network == {"racks": floor(4e6 / 1.15 / 132e3), "accelerators": 26 * 72}
    assert (row.weight.racks, row.accelerators, row.binding) == (25, 1800, ("power",))
    assert row.inventory.switches_by_tier == {"scale-up": 25 * 18, "leaf": 4 * 15, "spine": 32}
    assert row.weight.network_w == pytest.approx(92 * 1720 + 1800 / 2 * 18, rel=0.01)  # twin modules of 18 W
    assert row.weight.facility_w == pytest.approx(1.15 * (25 * 132e3 + row.weight.network_w), rel=1e-9)
    assert row.outside.weight.accelerators == 26 * 72 and row.outside.over == ("power",)


def test_the_dollars_of_a_small_fat_tree_by_its_bill():
    """k^3/4 hosts with an adapter and 3 k^3/4 cables, 5 k^2/4 switches; every cable is laid once."""
    prices = {name: PARTS[name].price_usd for name in ("qm9700", "cx7-400g", "dac-400g")}
    labour = PARTS["cable-laying"].usd_per_cable

    def bill(k):
        hosts, switches, cables = k**3 // 4, 5 * k**2 // 4, 3 * k**3 // 4
        return hosts * prices["cx7-400g"] + switches * prices["qm9700"] + cables * (prices["dac-400g"] + labour)

    spec = "fat-tree:k=2,switch=qm9700,nic=cx7-400g"
    row = one(spec, usd=(bill(6) + bill(8)) / 2)
    assert row.inside.name == "fat-tree:k=6,switch=qm9700,nic=cx7-400g"
    assert row.weight.usd.value == pytest.approx(bill(6)) and row.outside.weight.usd.value == pytest.approx(bill(8))
    assert row.weight.facility_w is None and "54 accelerators" in row.weight.unpriced
    (budget, _) = row.limits
    assert budget.short == pytest.approx((bill(8) - bill(6)) / 2)
    assert budget.per_accelerator == pytest.approx((bill(8) - bill(6)) / (128 - 54))
    assert budget.gains == 128 - 54


def test_racks_bind_where_power_does_not():
    row = one("nvl72", facility_w=4e6, racks=7)
    assert (row.accelerators, row.binding) == (7 * 72, ("racks",))
    power = next(relief for relief in row.limits if relief.limit == "power")
    assert power.gains == 0 and power.room > 0 and power.short == 0


def test_two_limits_that_bind_at_once_gain_nothing_alone():
    row = one("nvl72", usd=1e7, racks=2)
    assert set(row.binding) <= {"budget", "racks"}
    both = one("nvl72", usd=row.weight.usd.value, racks=row.weight.racks)
    assert both.binding == ("budget", "racks")
    assert {relief.gains for relief in both.limits if relief.limit != "search"} == {0}


def test_the_end_of_a_family_binds():
    row = one("tpu-v4-64", facility_w=1e8)
    assert (row.accelerators, row.binding) == (4096, ("structure",))
    assert "exceeds the pod of 64" in row.outside.why


def test_the_end_of_the_search_is_said():
    row = one("tpu-v4-64", facility_w=1e8, most=512)
    assert row.accelerators == 512 and row.outside is None and row.binding == ()
    row = one("rail:servers=2", facility_w=1e8, most=60)
    assert row.accelerators == 56 and row.binding == ("search",)


def test_nothing_fits():
    row = one("nvl72", facility_w=1e3)
    assert row.accelerators == 0 and row.inside is None and row.binding == ("power",)
    assert row.outside.name == "nvl72" and row.before_network["racks"] == 0


@settings(max_examples=8, deadline=None)
@given(CHEAP, st.floats(2e4, 6e5), st.floats(1.0, 3.0), st.floats(1.05, 1.8), st.floats(0.0, 0.7))
def test_more_power_never_fits_less_and_more_pue_never_more(spec, watts, more, pue, worse):
    here = one(spec, facility_w=watts, pue=pue).accelerators
    assert one(spec, facility_w=watts * more, pue=pue).accelerators >= here
    assert one(spec, facility_w=watts, pue=pue + worse).accelerators <= here
    assert one(spec, facility_w=watts, pue=pue, draw="typical").accelerators >= here


@settings(max_examples=12, deadline=None)
@given(CHEAP, st.floats(2e4, 2e6), st.floats(1.0, 3.0), st.integers(1, 40))
def test_a_larger_budget_or_more_racks_never_fit_less(spec, usd, more, racks):
    here = one(spec, usd=usd, racks=racks).accelerators
    assert one(spec, usd=usd * more, racks=racks).accelerators >= here
    assert one(spec, usd=usd, racks=racks + 1).accelerators >= here


def test_the_same_bytes_from_any_number_of_processes(monkeypatch):
    monkeypatch.setattr(sizes, "PAYS_FROM", 0)
    answers = [
        json.dumps([row.row() for row in size(["nvl72", "tpu-v4-64"], facility_w=5e5, workers=n).rows]) for n in (1, 2)
    ]
    assert answers[0] == answers[1]


def test_rank_is_by_what_is_wanted():
    specs = ["nvl72", "tpu-v4-64"]
    by_number = size(specs, facility_w=4e5)
    by_cut = size(specs, facility_w=4e5, objective="bandwidth")
    by_reduction = size(specs, facility_w=4e5, collective="all-reduce", message="64MiB")
    assert [row.spec for row in by_number.rows] == ["tpu-v4-64", "nvl72"]
    assert by_reduction.unit == "GB/s" and [row.rank for row in by_reduction.rows] == [1, 2]
    for found in (by_cut, by_reduction):
        values = [row.objective for row in found.rows]
        assert values == sorted(values, reverse=True) and values[0] > 0


def test_an_objective_of_ones_own():
    tokens = Objective("tokens", "tokens/s", lambda topology: 1000.0 / len(topology.accelerators))
    found = size(["nvl72", "tpu-v4-64"], facility_w=1e6, objective=tokens)
    assert [row.spec for row in found.rows] == ["nvl72", "tpu-v4-64"] and found.unit == "tokens/s"


def test_what_has_no_watts_has_no_answer_under_power():
    row = one("torus:dims=4x4x4", facility_w=1e6)
    assert row.error is not None and "no tdp_w" in row.error and row.row()["accelerators"] is None


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "nothing limits"),
        ({"facility_w": float("nan")}, "not above zero"),
        ({"usd": -1.0}, "not above zero"),
        ({"facility_w": 1e6, "pue": 0.9}, "between 1 and 10"),
        ({"facility_w": 1e6, "draw": "mean"}, "none of maximum, typical"),
        ({"facility_w": 1e6, "objective": "joy"}, "no objective"),
        ({"facility_w": 1e6, "families": ["tours"]}, "did you mean 'torus'"),
    ],
)
def test_senseless_limits(limits, said):
    with pytest.raises(ConfigError, match=said):
        size(["nvl72"], **limits)


def test_twice_the_same():
    with pytest.raises(ConfigError, match="twice"):
        size(["nvl72", "nvl72"], facility_w=1e6)


def test_copper_copackaged_and_circuit_fabrics_stand_side_by_side():
    found = size(facility_w=2e6, pue=1.15)
    assert [row.spec for row in found.rows if row.error] == [] and len(found.rows) == len(standing())
    for row in found.rows:
        assert row.weight.facility_w <= 2e6 < row.outside.weight.facility_w
        assert row.weight.racks <= row.before_network["racks"]
    circuits = [row.spec for row in found.rows if row.inventory.circuit_switches]
    assert set(circuits) == {"gb300-nvl72-x64:core=ocs", "ironwood-64", "opus-2048"}
