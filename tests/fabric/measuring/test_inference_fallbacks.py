"""What a row of inference is taken for where it, or its machine or model, was never met."""

from dataclasses import replace
from pathlib import Path

import pytest

from fabric.measuring.inference import compare_inference
from fabric.measuring.inference_rows import InferenceRow
from fabric.measuring.inference_setups import quantity, setup_of
from topologies.errors import ConfigError

HEAD = ("accelerator,accelerators,model,precision,scenario,tp,input_len,output_len,batch_or_concurrency,metric,"
        "value,source\n")  # fmt: skip


def row(**changes: object) -> InferenceRow:
    plain = InferenceRow(
        row=1, name="", system="", accelerator="H100-SXM", accelerators=8, model="Llama-3.1-70B", precision="",
        scenario="server", tp=8, pp=None, ep=None, dp=None, input_tokens=512.0, output_tokens=512.0, concurrency=16.0,
        metric="tpot_ms", value=10.0, words="vllm",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_precision_is_the_rows_the_checkpoints_or_what_fits() -> None:
    assert setup_of(row()).weights == "bf16"
    assert setup_of(row(model="nvidia/Llama-3.1-70B-Instruct-FP8")).weights == "fp8"
    assert setup_of(row(model="nvidia/Llama-3.1-70B-Instruct-FP8", precision="int4")).weights == "int4"
    narrow = setup_of(row(accelerators=1, tp=1))  # 141 GB in 16 bits, 71 in 8, on 80
    assert (narrow.weights, narrow.said) == ("fp8", ("weights in fp8, as more bits do not fit; the row states none",))
    assert setup_of(row(model="DeepSeek-R1", accelerators=4, tp=4, accelerator="GB200")).weights == "fp8"


def test_lengths_and_one_user_where_a_row_tells_none() -> None:
    found = setup_of(row(input_tokens=None, output_tokens=None, concurrency=None, scenario="single-user"))
    assert (found.input_tokens, found.output_tokens, found.concurrency) == (1024, 1024, 1)
    assert quantity(row(), found) == "tpot_ms, of assumptions"
    mlperf = row(input_tokens=None, output_tokens=None, model="llama2-70b-99.9", words="inference_results_v5.1")
    known = setup_of(mlperf)
    assert (known.input_tokens, known.output_tokens) == (295, 295)


def test_a_bound_is_no_figure() -> None:
    with pytest.raises(ConfigError, match="a bound"):
        setup_of(row(words="vllm; lower bound"))


def test_a_machine_without_constants_has_those_of_all_and_a_wide_interval(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    names = ("H100", "Ascend 910C", "TPU v6e", "Abacus")
    rows = [f"{name},1,Llama-3.1-8B,bf16,server,1,512,512,1,tpot_ms,10,vllm\n" for name in names]
    path.write_text(HEAD + "".join(rows))
    found = compare_inference(path)
    met, ascend, tpu = found.rows
    for other in (ascend, tpu):
        assert any("no constants are fitted" in said for said in other.said)
        assert other.high and met.high and other.high / other.predicted > met.high / met.predicted
    assert [why.reason.split(";")[0] for why in found.unmatched] == ["no accelerator is named 'Abacus'"]


def test_copies_of_one_prompt_go_to_the_experts_of_one() -> None:
    """Mixtral on four H100 in 16 bits: a step of 16 copies reads 2 of 8 experts, where others read nearly all."""
    from fabric.measuring.inference_predictions import batch_of, constants_of, serve_all

    wide = row(model="Mixtral-8x7B", accelerators=4, tp=4, words="argonne-lcf/llm-inference-bench vllm")
    copied = row(model="Mixtral-8x7B", accelerators=4, tp=4, words="argonne-lcf/llm-inference-bench tensorrt-llm")
    read = []
    for one in (wide, copied):
        setup = setup_of(one)
        batch = batch_of([one], [setup])
        read.append(float(batch.demands.experts[0]))
        assert serve_all(batch, constants_of([setup])).token_s[0] > 0
    assert read == [8, 2]


def test_a_node_of_a_cluster_is_a_part_of_a_replica() -> None:
    """Twelve nodes of eight H100 hold DeepSeek's 256 experts in 64 parts: a node's rate is an eighth of a replica's."""
    node = row(
        model="DeepSeek-R1", precision="fp8", scenario="decode", tp=None, input_tokens=2000.0, output_tokens=None,
        concurrency=None, metric="tok_per_s_total", words="sglang; per node of 8 h100; cluster of 12 nodes",
    )  # fmt: skip
    found = setup_of(node)
    assert (str(found.layout), found.replicas, found.apart) == ("ep=64,dp=64", 0.125, True)
    assert setup_of(replace(node, words="sglang", ep=144)).layout.ep == 128
    assert setup_of(replace(node, words="sglang")).layout.ep == 1


def test_answers_beyond_a_models_context_are_of_assumptions() -> None:
    """OPT has 2,048 positions: a prompt of as many leaves no answer, whatever the row counts."""
    long = row(model="opt-6.7b", input_tokens=2048.0, output_tokens=2048.0)
    assert quantity(long, setup_of(long)) == "tpot_ms, of assumptions"
    short = replace(long, input_tokens=1024.0, output_tokens=1024.0)
    assert quantity(short, setup_of(short)) == "tpot_ms"


def test_boards_of_two_count_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    cells = "Arc Pro B60,4,Llama-3.1-8B,int8,offline,,,,,tok_per_s_total,6762,closed/Intel/results/1-node-4x-BMG"
    path.write_text(HEAD + f"{cells}-B60/llama3_1-8b\n{cells}-Pro-B60-Dual/llama3_1-8b\n")
    one, two = compare_inference(path).rows
    assert two.predicted == pytest.approx(2 * one.predicted)


def test_words_of_load_and_of_wide_experts() -> None:
    quiet = row(concurrency=None, scenario="prefill", metric="ttft_ms", words="1p1d pd disaggregation; low load")
    assert setup_of(quiet).concurrency == 1
    wide = row(model="DeepSeek-R1", accelerators=32, tp=None, scenario="decode", words="wide-ep; vllm")
    assert str(setup_of(wide).layout) == "ep=32,dp=32"
