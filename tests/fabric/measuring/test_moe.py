"""Measured kernels of experts: how far predictions lie off on the rows that ship, and files that are none."""

from dataclasses import replace

import numpy as np
import pytest

from fabric.measuring.comparing import compare_measured
from fabric.measuring.moe import SHIPPED, compare_moe, predict_moe, read_moe
from topologies.errors import ConfigError

HEAD = "system,ep,gpus_per_node,op,kernel,dtype,tokens_per_gpu,hidden,topk,experts,time_us,reported_bw_GBps,notes\n"
ROW = "GB200 NVL72 (MNNVL),8,4,dispatch,TRT-LLM NVLinkTwoSided,bfloat16,4096,7168,8,256,705.67,,balanced routing\n"


@pytest.fixture(scope="module")
def errors():
    """Every shipped row with its prediction and its relative error."""
    found = []
    for row in read_moe()[0]:
        predicted = predict_moe(row)
        found.append((row, predicted, predicted.time_us / predicted.measured_us - 1))
    return found


def of(errors, **wanted):
    return np.array([e for row, _, e in errors if all(test(getattr(row, key)) for key, test in wanted.items())])


def test_nvl72_from_4096_tokens(errors):
    large = of(
        errors, system=lambda s: "NVL72" in s, ranks=lambda n: n >= 8, op=lambda op: op in ("dispatch", "combine"),
        layer=lambda moe: moe.tokens >= 4096,
    )  # fmt: skip
    assert len(large) > 40 and np.abs(large).max() < 0.15 and np.median(np.abs(large)) < 0.04


@pytest.mark.parametrize(
    ("system", "median", "p90"),
    [
        ("GB200 NVL72", 0.05, 0.2), ("GB200 tray", 0.08, 0.25), ("H100 8-GPU", 0.08, 0.2), ("H800 +", 0.05, 0.1),
        ("H800 (~160", 0.05, 0.08), ("B200 p6", 0.10, 0.2), ("MI300X", 0.05, 0.08), ("H100 + CX7 (pplx", 0.10, 0.2),
    ],
)  # fmt: skip
def test_every_system(errors, system, median, p90):  # single rows lie far off: 60 us where its like take 14
    found = np.abs(of(errors, system=lambda s: s.startswith(system)))
    assert len(found) >= 4 and np.median(found) < median and np.quantile(found, 0.9) < p90


def test_never_faster_than_line_rate(errors):
    assert all(found.time_us >= found.line_rate_us * (1 - 1e-9) for row, found, _ in errors if row.op != "prepare")


def test_intervals_hold_nine_of_ten(errors):
    held = np.mean([found.low_us <= found.measured_us <= found.high_us for _, found, _ in errors])
    assert 0.85 <= held <= 0.99


def test_monotone_in_tokens(errors):
    for row, found, _ in errors[::17]:
        more = replace(row, layer=replace(row.layer, tokens=2 * row.layer.tokens))
        assert predict_moe(more).time_us >= found.time_us


def test_the_same_command_takes_both_kinds():
    found = compare_measured(SHIPPED, only="MI300X*")
    assert found.summary["matched"] == 6 and set(found.summary["by_collective"]) == {"dispatch", "combine"}
    assert found.document()["machines"][0]["transport"] == "one-sided:kernel=uccl-ll"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROW.replace(",8,4,", ",0,4,"), "ep '0' is not a whole number"),
        (ROW.replace("4096", "many"), "tokens_per_gpu 'many'"),
        (ROW.replace("705.67", "-1"), "time_us '-1' is not a positive number"),
        (ROW.replace("705.67", "soon"), "could not convert"),
        (ROW.replace("705.67", ""), "no time"),
        (ROW.replace(",8,256,", ",300,256,"), "cannot go to 300 of 256"),
    ],
)
def test_rows_that_are_none(tmp_path, text, said):
    path = tmp_path / "rows.csv"
    path.write_text(HEAD + text, "utf-8")
    rows, skipped = read_moe(path)
    assert rows == [] and said in skipped[0].reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROW.replace("TRT-LLM NVLinkTwoSided", "homemade"), "no one-sided kernel is known as 'homemade'"),
        (ROW.replace(",dispatch,", ",barrier,"), "no operation is known as 'barrier'"),
        (ROW.replace("GB200 NVL72 (MNNVL)", "Cray-1"), "names an accelerator"),
        (ROW.replace("256", "4").replace(",8,4,705", ",2,4,705"), "leave ranks of 8 idle"),
    ],
)
def test_rows_without_a_prediction(tmp_path, text, said):
    path = tmp_path / "rows.csv"
    path.write_text(HEAD + ROW + text, "utf-8")
    found = compare_moe(path)
    assert len(found.rows) == 1 and said in found.unmatched[0].reason and found.judged[1].error == -1


def test_a_file_without_the_columns(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("tokens_per_gpu,system\n1,x\n", "utf-8")
    with pytest.raises(ConfigError, match="no column ep"):
        compare_measured(path)
    with pytest.raises(ConfigError, match="no system is named"):
        compare_moe(only="abacus")
