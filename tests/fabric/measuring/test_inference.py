"""Measured inference: what rows are taken for, errors of the rows that come with us, watts and joules."""

from dataclasses import replace
from pathlib import Path

import pytest

from fabric.measuring.comparing import compare_measured
from fabric.measuring.inference import compare_inference
from fabric.measuring.inference_rows import SHIPPED, InferenceRow, is_inference, read_inference
from fabric.measuring.inference_setups import quantity, setup_of
from fabric.measuring.provisioned import compare_provisioned
from fabric.measuring.steps import StepComparison
from fabric.workloads.serving.calibration import constants
from fabric.workloads.serving.layout import Layout
from fabric.workloads.serving.server_watts import wall_watts
from topologies.errors import ConfigError
from topologies.kinds import Accelerator
from topologies.parts import part


@pytest.fixture(scope="module")
def found() -> StepComparison:
    return compare_inference()


def row(**changes: object) -> InferenceRow:
    plain = InferenceRow(
        row=1, name="", system="HGX H100", accelerator="H100-SXM", accelerators=8, model="Llama-3.3-70B",
        precision="fp8", scenario="server", tp=8, pp=None, ep=None, dp=None, input_tokens=1024.0, output_tokens=1024.0,
        concurrency=16.0, metric="tpot_ms", value=10.0, words="vllm 0.11; agg",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_medians_over_groups_of_what_rows_state_themselves(found: StepComparison) -> None:
    limits = {"tpot_ms": 0.15, "tok_per_s_total": 0.15, "ttft_ms": 0.27}  # of the subset; of all rows 12, 12 and 22 %
    by_metric = found.summary["by_metric"]
    for metric, limit in limits.items():
        assert by_metric[metric]["groups"] > 25
        assert by_metric[metric]["median_of_group_medians"] < limit


def test_walls_within_eight_percent_and_machines_of_sram_within_half(found: StepComparison) -> None:
    walls = [r for r in found.rows if r.metric == "system_w, wall"]
    assert len(walls) == 11
    assert all(abs(r.error) < 0.08 for r in walls)
    sram = [r for r in found.rows if "SRAM" in r.metric]
    assert len(sram) > 20
    assert all(1 / 1.5 < r.predicted / r.measured < 1.5 for r in sram)
    reasons = [why.reason for why in found.unmatched]
    assert sum("no number of chips explains it" in reason for reason in reasons) == 2


def test_tokens_of_a_provisioned_megawatt(found: StepComparison) -> None:
    (h100,) = (r for r in found.rows if "provisioned" in r.metric)
    assert abs(h100.error) < 0.3
    blank = row(
        accelerators=None, tp=None, concurrency=None, model="gpt-oss-120b", precision="fp4", output_tokens=8192.0,
        metric="tok_per_j", words="per provisioned mw",
    )  # fmt: skip
    published = {"H100-SXM": 0.9, "B200-SXM": 2.8, "MI300X": 0.75}  # InferenceMAX v1, at 90 tokens/s a user
    ours = {name: compare_provisioned(replace(blank, accelerator=name)).predicted for name in published}
    assert sorted(ours, key=ours.__getitem__) == sorted(published, key=published.__getitem__)
    for name, value in published.items():
        assert ours[name] == pytest.approx(value, rel=0.3)
    later = [compare_provisioned(replace(blank, accelerator=name)).predicted for name in ("H200-SXM", "GB200")]
    assert ours["H100-SXM"] < later[0] < ours["B200-SXM"] < later[1]


def test_no_more_constants_than_the_first_fit() -> None:
    rows = constants()
    classes = [row for kind in ("stacks", "generations", "precisions") for row in rows[kind].values()]
    factors = sum(isinstance(value, float | int) for row in classes for value in row.values())
    assert len(rows["all"]) + factors <= 97


def test_files_are_told_apart_by_their_columns() -> None:
    assert is_inference(SHIPPED)
    assert not is_inference(SHIPPED.with_name("measured_collectives.csv"))
    few = compare_measured(SHIPPED, "WSE-3, Llama-3.1-8B")
    assert isinstance(few, StepComparison)
    assert few.summary["by_group"].keys() == {"WSE-3, Llama-3.1-8B"}


def test_words_say_what_ran() -> None:
    setup = setup_of(row())
    assert (setup.stack, setup.layout, setup.spec, setup.static) == ("vllm", Layout(tp=8), "hgx-h100:gpus=8", False)
    assert quantity(row(), setup) == "tpot_ms"
    assert setup_of(row(words="sglang 0.5")).stack == "sglang"
    unknown = setup_of(row(words=""))
    assert not unknown.stated
    assert "which the row does not say" in unknown.said[0]
    apart = row(words="sglang; disagg; decode 2 workers", concurrency=64.0, accelerators=24)
    assert setup_of(apart).concurrency == 32
    first = replace(apart, metric="ttft_ms")
    assert quantity(first, setup_of(first)) == "ttft_ms, prefill elsewhere"


def test_a_named_stack_takes_the_place_of_words() -> None:
    assert setup_of(row(), "trtllm").stack == "trtllm"
    with pytest.raises(ConfigError, match="accelerator is named"):
        setup_of(row(accelerator="H1000"))


def test_bad_cells_are_skipped_with_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    head = "accelerator,model,scenario,tp,input_len,output_len,batch_or_concurrency,metric,value\n"
    file.write_text(head + "H100-SXM,Llama-3.1-8B,server,1,128,128,1,tpot_ms,nan\nH100-SXM,x,server,,,,,mfu,3\n")
    rows, skipped = read_inference(file)
    assert rows == []
    assert [why.row for why in skipped] == [1, 2]
    with pytest.raises(ConfigError, match="no column accelerator"):
        read_inference(SHIPPED.with_name("measured_collectives.csv"))


def test_watts_at_the_wall_by_hand() -> None:
    b200 = part("b200-sxm", Accelerator)
    assert wall_watts(b200, 8, liquid=True) == pytest.approx(9500)  # 8 x 1000 + 1500
    assert wall_watts(b200, 8) == pytest.approx(9500 * 1.095)


def test_a_load_that_is_not_stated() -> None:
    """Low load is one request; a first token behind an unknown one is no question; of rates, what fits runs."""
    quiet = row(metric="ttft_ms", concurrency=None, scenario="prefill", words="sglang pd disaggregation; low load")
    assert setup_of(quiet).concurrency == 1
    with pytest.raises(ConfigError, match="load that the row does not give"):
        setup_of(row(metric="ttft_ms", concurrency=None))
    assert "as many requests as fit" in setup_of(row(metric="tok_per_s_total", concurrency=None)).said[0]


def test_decoders_that_a_row_does_not_count() -> None:
    """Three of four groups of eight, one prefills: the load of each is an assumption."""
    apart = setup_of(row(words="sglang; disagg", concurrency=96.0, accelerators=32))
    assert (apart.replicas, apart.concurrency, apart.stated) == (3, 32, False)
    assert quantity(row(words="sglang; disagg"), apart) == "tpot_ms, of assumptions"


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    """Llama-3.3 70B in 8 bits leaves 1.4 GB on one H100: the other requests wait, and the first token with them."""
    head = "accelerator,model,precision,scenario,tp,input_len,output_len,batch_or_concurrency,metric,value,note\n"
    file = tmp_path / "rows.csv"
    file.write_text(head + "H100-SXM,Llama-3.3-70B,fp8,server,1,1024,1024,64,ttft_ms,9000,vllm\n", "utf-8")
    (found,) = compare_inference(file).rows
    assert found.metric == "ttft_ms, saturated"
    assert "of 64 requests of a replica fit" in found.said[-1]


def test_stacks_of_tensorrt_llm_by_release() -> None:
    """Before 0.7 kernels read a cache for every query head."""
    from fabric.workloads.serving.calibration import reads_by_head

    old, new = (setup_of(row(words=f"tensorrt-llm v{release} static batch")).stack for release in ("0.6.1", "0.8"))
    assert (old, new) == ("trtllm-2023", "trtllm-2024")
    assert reads_by_head(old) and not reads_by_head(new)


def test_who_knows_less_is_not_surer() -> None:
    spread = constants()["interval"]
    for first in ("", "first_"):
        known, unknown = spread[f"{first}known_stack"], spread[f"{first}unknown_stack"]
        assert unknown[0] <= known[0] < 1 < known[1] < unknown[1]
