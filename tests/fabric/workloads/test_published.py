"""Questions of published figures about models and steps, and what is no question."""

import pytest

from fabric.validation import compute, validate
from fabric.workloads.published import model_answer
from topologies.errors import ConfigError


def test_the_published_figures_of_models_hold() -> None:
    found = [case for case in validate(only="*deepseek*").cases if case.kind == "workload"]
    assert len(found) >= 7
    assert all(case.ok for case in found), [case for case in found if not case.ok]


def test_the_bound_by_hand() -> None:
    """(1 + 2 B) x 32 tokens x 9 experts x 7,168 / 100 GB/s, twice on each of 61 layers."""
    asked = {"figure": "step_s", "tokens": 32, "link_gb_per_s": 100}
    found = model_answer({"model": "deepseek-v3", "decode_bound": asked})
    assert found == pytest.approx(3 * 32 * 9 * 7168 / 100e9 * 2 * 61)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"model": "deepseek-v3", "shape": "parms"}, "did you mean 'params'"),
        ({"model": "deepseek-v4x", "shape": "params"}, "no model is named"),
        ({"model": "deepseek-v3", "decode_bound": {"figure": "layer_s", "tokens": 1}}, "has no link_gb_per_s"),
        ({"model": "deepseek-v3", "decode_bound": {"figur": "layer_s"}}, "did you mean 'figure'"),
        ({"topology": "hgx-a100", "train": {"figure": "mfu", "model": "llama-3.1-8b"}}, "has no parallel"),
        ({"topology": "hgx-a100", "train": {"figure": "ms", "model": "llama-3.1-8b", "parallel": "batch=8"}}, "figure"),
    ],
)
def test_what_is_no_question_says_so(table: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        compute(table)
