"""Files of measured training steps: what is read, what is predicted, how errors are told."""

from pathlib import Path

import pytest

from fabric.measuring.comparing import compare_measured
from fabric.measuring.steps import ComparedStep, StepComparison, Unmodelled
from fabric.measuring.training import is_training, read_training
from topologies.errors import ConfigError

HEAD = "model,section,release,system,gpus,precision,GBS,MBS,seq,TP,PP,CP,VP,EP,FSDP,tokens_s_gpu,tflops_gpu,source\n"
ROWS = [
    "LLAMA3.1_405B,Pre-Training,26.06,DGX-H100,1024,FP8,1536,1,8192,8,8,2,8,n/a,,326,822,x",
    "LLAMA3_70B,LoRA Performance,26.06,DGX-H100,8,FP8,32,1,4096,2,4,1,20,n/a,,2643,735,x",
    "LLAMA3_70B,Pre-Training,26.04,DGX-GB300,64,FP8,256,2,8192,1,1,1,n/a,n/a,64,5248,2348,x",
    "No such model,Pre-Training,26.04,DGX-H100,64,FP8,256,2,8192,1,1,1,n/a,n/a,64,5248,2348,x",
    "LLAMA3_70B,Pre-Training,26.04,DGX-H100,#-GPUs,FP8,256,2,8192,1,1,1,n/a,n/a,64,5248,2348,x",
    "LLAMA3-8B,FP8,,H100,8,FP8,128,1,8192,1,1,2,1,1,,,800,x",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "training.csv"
    path.write_text(HEAD + "\n".join(ROWS) + "\n")
    return path


def test_rows_as_they_are_read(file: Path) -> None:
    rows, skipped = read_training(file)
    assert is_training(file)
    assert [row.row for row in rows] == [1, 2, 3, 6]
    assert [why.row for why in skipped] == [4, 5]
    first, lora, fsdp, last = rows
    assert (first.layout.tp, first.layout.cp, first.layout.v, first.layout.dp) == (8, 2, 8, 8)
    assert lora.layout.adapters
    assert fsdp.layout.zero == 3
    assert last.tokens_per_s == pytest.approx(800e12 / last.model.train_flops(8192))
    assert last.group == "H100, LLAMA3-8B"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("DeepSeekV3,x,26.08,DGX-GB200", (True, True, 1)), ("DeepSeekV3,x,26.04,DGX-GB200", (False, None, 1)),
        ("DeepSeekV3 (w/o MTP),x,25.11,DGX-GB200", (False, None, 0)),
        ("Nemotron_3_Super,x,26.08,DGX-GB200", (False, None, 2)), ("DeepSeekV3,x,26.08,DGX-B300", (False, None, 1)),
    ],
)  # fmt: skip
def test_what_recipes_add_to_a_layout(tmp_path: Path, words: str, expected: tuple[bool, bool | None, int]) -> None:
    path = tmp_path / "training.csv"
    path.write_text(f"{HEAD}{words},256,MXFP8,4096,1,4096,1,4,1,1,64,,4912,1276,x\n")
    ((row,), ()) = read_training(path)
    assert (row.layout.graphs, row.layout.overlap, row.layout.mtp) == expected


def test_a_file_is_told_by_its_columns_and_compared(file: Path) -> None:
    found = compare_measured(file, "*h100*")
    assert isinstance(found, StepComparison)
    assert [row.row for row in found.rows] == [1, 2, 6]
    assert all(abs(row.error) < 0.2 for row in found.rows)
    told = found.document()["summary"]
    assert told["by_metric"]["training_tokens_per_s"]["groups"] == 3
    with pytest.raises(ConfigError, match="system or group"):
        compare_measured(file, "nothing")


def test_a_file_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("model,TP,tokens_s_gpu\nx,1,2\n")
    with pytest.raises(ConfigError, match="no column system"):
        compare_measured(path)


def test_medians_of_groups_by_hand() -> None:
    def row(group: str, error: float) -> ComparedStep:
        return ComparedStep(
            row=1, group=group, metric="m", spec="s", transport="t", measured=1.0, predicted=1.0, unit="u", error=error
        )

    found = StepComparison((row("a", 0.1), row("a", -0.3), row("b", 0.5)), (), ())
    told = found.summary
    assert told["by_group"]["a"]["m"] == {"rows": 2, "median_abs_error": 0.2, "median_error": pytest.approx(-0.1)}
    assert told["by_metric"]["m"] == {"rows": 3, "groups": 2, "median_of_group_medians": pytest.approx(0.35)}


def test_a_row_that_is_not_modelled_is_no_error() -> None:
    lost = Unmodelled(row=2, group="b", metric="m", reason="no accelerator is named 'x'")
    found = StepComparison((), (lost,), ())
    assert (found.summary["rows"], found.summary["matched"], found.summary["by_metric"]) == (1, 0, {})
    assert found.document()["unmatched"] == [{"row": 2, "group": "b", "metric": "m", "reason": lost.reason}]
