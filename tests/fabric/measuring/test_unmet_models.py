"""Stand-ins for models of which a row tells only the size."""

import pytest

from fabric.measuring.inference_rows import InferenceRow
from fabric.measuring.inference_setups import quantity, setup_of
from fabric.measuring.unmet_models import met_model
from fabric.workloads.models.zoo import model
from topologies.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "params", "active"),
    [
        ("Nobody/Foo-33B", 33, 33), ("foo-7b-instruct-fp8", 7, 7), ("Foo-235B-A22B", 235, 22), ("Foo-8x7B", 46.5, 12.9),
        ("Foo 1T-A32B", 1000, 32), ("Foo v2.5 110B (preview)", 110, 110),
    ],
)  # fmt: skip
def test_a_stand_in_has_the_size_of_the_name(name: str, params: float, active: float) -> None:
    found, said = met_model(name)
    assert found.params / 1e9 == pytest.approx(params, rel=0.03)
    assert found.active_params / 1e9 == pytest.approx(active, rel=0.35)
    assert said is not None and "stands in" in said


def test_known_models_are_themselves() -> None:
    assert met_model("meta-llama/Llama-3.1-8B-Instruct") == (model("llama-3.1-8b"), None)


@pytest.mark.parametrize("name", ["Foo", "Foo-5000B", "Foo-v3.1", "Foo-0.001B", ""])
def test_a_name_without_a_size_that_is_met_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no model is named"):
        met_model(name)


def test_a_row_of_one_is_of_assumptions() -> None:
    row = InferenceRow(
        row=1, name="", system="", accelerator="H100-SXM", accelerators=2, model="Foo-33B", precision="bf16",
        scenario="server", tp=2, pp=None, ep=None, dp=None, input_tokens=512.0, output_tokens=512.0, concurrency=8.0,
        metric="tpot_ms", value=10.0, words="vllm",
    )  # fmt: skip
    assert quantity(row, setup_of(row)) == "tpot_ms, of assumptions"
