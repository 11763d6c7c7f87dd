"""Objectives: what a fabric is worth by the measure that it is ranked by."""

import pytest

from fabric.sizing.objectives import objective_of
from fabric.workloads.comparing import workload
from fabric.workloads.splits import read_question
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
    ("name", "says"), [("train:none-such", "no model"), ("train:", "no objective"), ("x", "no objective")]
)
def test_what_is_no_objective(name, says):
    with pytest.raises(ConfigError, match=says):
        objective_of(name)
