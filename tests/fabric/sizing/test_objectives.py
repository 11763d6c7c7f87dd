"""Objectives: what a fabric is worth by the measure that it is ranked by."""

from math import floor

import pytest

from fabric.sizing import size
from fabric.sizing.objectives import objective_of
from fabric.workloads.comparing import workload
from fabric.workloads.replicas import Load
from fabric.workloads.steps.splits import read_question
from topologies.errors import ConfigError, InfeasibleError
from topologies.registry import build


def test_tokens_of_training_are_those_of_the_workload():
    fabric = build("rail:servers=4")
    (answer,) = workload([fabric], "llama-3.1-8b", read_question("auto"))
    asked = objective_of("train:llama-3.1-8b")
    assert asked.unit == "tokens/s"
    assert asked.evaluate(fabric) == pytest.approx(answer.rate * 32)
    with pytest.raises(InfeasibleError, match="a rank in the leanest"):
        objective_of("train:llama-3.1-405b").evaluate(build("hgx-h100"))


@pytest.mark.parametrize(
    ("name", "says"), [("train:none-such", "no model"), ("train:", "no objective"), ("x", "no objective"),
     ("serve:none-such", "no model"), ("serve:", "no objective")],
)  # fmt: skip
def test_what_is_no_objective(name, says):
    with pytest.raises(ConfigError, match=says):
        objective_of(name)


def test_a_step_is_no_load():
    with pytest.raises(ConfigError, match="objective serve:MODEL takes a load"):
        objective_of("serve:llama-3.1-8b", asked=read_question("auto"))


@pytest.mark.parametrize(
    ("model", "layout", "floor_s", "replicas"),
    [("deepseek-r1", "tp=2,dp=4", None, 9), ("deepseek-r1", "tp=2,dp=8", 50.0, 4), ("llama-3.1-70b", "tp=2", 50.0, 36)],
)
def test_tokens_per_second_of_nvl72_racks_under_four_megawatts(model, layout, floor_s, replicas):
    """4 MW / 1.15 / 132 kW feed 26 racks; the network outside them takes one away. Each of the 25 serves what one rack
    alone serves, in as many replicas as stand in one rack whole: a rack's tokens/s x 25, over 3.99 MW and 85.8 M$."""
    load = Load(floor=floor_s)
    row = size(["nvl72"], facility_w=4e6, pue=1.15, objective=f"serve:{model}", asked=load, layout=layout).rows[0]
    assert floor(4e6 / 1.15 / 132e3) == 26 and (row.before_network["racks"], row.weight.racks) == (26, 25)
    assert row.binding == ("power",)
    alone = workload(["nvl72"], model, load, layout=layout)[0].serving
    assert alone.inference.replicas == replicas
    assert row.objective == pytest.approx(25 * alone.point.tokens_per_s, rel=2e-3)  # dispatch is routed anew
    assert row.worked.layout == f"{25 * replicas} x {layout} in fp8"
    watts = (25 * 132e3 + row.weight.network_w) * 1.15
    assert watts < 4e6 < (26 * 132e3 + row.weight.network_w) * 1.15
    assert row.worked.tokens_per_joule == pytest.approx(row.objective / watts)
    assert row.worked.tokens_per_s_per_musd == pytest.approx(row.objective / 85.8, rel=1e-3)
    assert floor_s is None or row.worked.tokens_per_s_per_user >= floor_s


def test_what_is_trained_comes_with_its_layout_and_joules():
    row = size(["rail:servers=2"], racks=1, pue=1.15, objective="train:llama-3.1-8b").rows[0]
    assert row.worked.tokens_per_s_per_user is None and row.worked.layout.startswith("dp=")
    assert row.worked.tokens_per_joule * row.weight.facility_w == pytest.approx(row.objective)


def test_a_floor_that_no_user_gets_is_an_error_of_its_fabric():
    rows = size(["nvl72"], racks=1, objective="serve:llama-3.1-405b", asked=Load(floor=1e6)).rows
    assert "lower --min-tokens-per-user" in rows[0].error
