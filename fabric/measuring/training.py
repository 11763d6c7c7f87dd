"""Measured training steps: rows read, the layout and the machine behind their words, rates beside ours."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabric.measuring.machines import Machine, NoMachineError, machine_of
from fabric.measuring.reading import Measurement, Skipped
from fabric.measuring.steps import ComparedStep, StepComparison, Unmodelled, chosen
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model
from fabric.workloads.steps.achieved import Achieved, achieved
from fabric.workloads.steps.mix import mix
from fabric.workloads.steps.parallel import Parallel
from fabric.workloads.steps.wiring import Wiring
from fabric.workloads.training import TrainingStep, accelerator_with_rate, timed
from topologies.errors import ConfigError, FabricError
from topologies.formats.contents import read_text
from topologies.graph import Topology
from topologies.registry import build
from topologies.toml_documents import read_toml

METRIC = "training_tokens_per_s"
_RULES = Path(__file__).with_name("training.toml")
_MOST_MIB = 256
WORDS = ("model", "system", "precision", "section", "release", "source")  # in this order for the rules
_NONE = ("", "n/a", "none", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured row; `tokens_per_s` of one accelerator."""

    row: int
    system: str
    accelerators: int
    name: str
    model: Model
    layout: Parallel
    tokens_per_s: float

    @property
    def group(self) -> str:
        """What errors are grouped by: the system and the model."""
        return f"{self.system}, {self.name}"


def is_training(path: Path) -> bool:
    """Has a CSV file the columns of a training step's layout and rate?"""
    head = read_text(path, "a CSV file of measurements", _MOST_MIB).partition("\n")[0]
    words = [word.strip().strip('"') for word in head.split(",")]
    return "tokens_s_gpu" in words and "TP" in words


def compare_training(path: Path, only: str | None = None) -> StepComparison:
    """Every row of a CSV file of training steps against our prediction.

    Columns: model, system, gpus, precision, GBS, MBS, seq, TP, PP, CP, VP, EP, FSDP, and tokens_s_gpu or tflops_gpu;
    section and source where there are. `only` keeps the systems or groups that it matches. ConfigError for any other
    file.
    """
    rows, skipped = read_training(path)
    if only is not None:
        rows, skipped = chosen(rows, only), []
    compared: list[ComparedStep] = []
    unmatched: list[Unmodelled] = []
    for row in rows:
        try:
            machine, step = predict_training(row)
        except (FabricError, NoMachineError) as reason:
            unmatched.append(Unmodelled(row=row.row, group=row.group, metric=METRIC, reason=str(reason)))
            continue
        found = step.tokens_per_s_per_accelerator
        compared.append(
            ComparedStep(
                row=row.row, group=row.group, metric=METRIC, spec=machine.spec, transport=machine.transport,
                measured=row.tokens_per_s, predicted=found, unit="tokens/s per accelerator",
                error=row.tokens_per_s / found - 1, said=(*machine.said, *step.said),
            )
        )  # fmt: skip
    return StepComparison(tuple(compared), tuple(unmatched), tuple(skipped))


def read_training(path: Path) -> tuple[list[Row], list[Skipped]]:
    """Rows of a file of training steps, and which rows are none and why."""
    columns = _rules()["columns"]
    wanted = f"a CSV file with the columns {', '.join(columns)}, tokens_s_gpu"
    table = csv.DictReader(io.StringIO(read_text(path, wanted, _MOST_MIB)))
    missing = [name for name in columns if name not in (table.fieldnames or ())]
    if missing:
        raise ConfigError(f"{path}: no column {missing[0]}; give {wanted}")
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for number, fields in enumerate(table, 1):
        try:
            told = {key: (value or "").strip() for key, value in fields.items() if isinstance(key, str)}
            rows.append(_row(number, told))
        except (ValueError, ConfigError) as reason:
            skipped.append(Skipped(number, str(reason)))
    return rows, skipped


def _row(number: int, fields: Mapping[str, str]) -> Row:
    def count(key: str) -> int | None:
        text = fields.get(key, "").lower()
        if text in _NONE:
            return None
        if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
            raise ValueError(f"{key} '{text:.20}' is not a whole number from 1 on")
        return int(text)

    gpus = count("gpus")
    if gpus is None:
        raise ValueError("no number of accelerators (gpus)")
    shape = model(fields["model"].partition("(")[0].strip())
    words = " ".join(fields.get(key, "") for key in WORDS).lower()
    own = fields["precision"].lower()
    precision = _rules()["precisions"].get(own)
    if precision is None:
        raise ValueError(f"no precision is known as '{own:.20}'")
    keys = {"tp": "TP", "pp": "PP", "cp": "CP", "ep": "EP", "v": "VP", "micro_batch": "MBS"}
    layout: dict[str, Any] = {ours: count(theirs) or 1 for ours, theirs in keys.items()}
    sharded = fields.get("FSDP", "")
    layout |= {"global_batch": count("GBS"), "sequence": count("seq"), "precision": precision}
    layout |= {"zero": 3, "kept": False} if sharded.isdigit() and int(sharded) > 1 else {}
    for rule in _rules()["rule"]:
        if re.search(rule["words"], words):
            layout |= rule["set"]
    made = Parallel(**layout).on(gpus, shape)
    return Row(
        row=number, system=fields["system"], accelerators=gpus, name=fields["model"], model=shape, layout=made,
        tokens_per_s=_rate(fields, shape, made),
    )  # fmt: skip


def _rate(fields: Mapping[str, str], shape: Model, layout: Parallel) -> float:
    """Tokens a second of an accelerator: the column, else operations a second over those of a token."""
    flops = shape.train_flops(layout.sequence or shape.sequence)
    for key, per in (("tokens_s_gpu", 1.0), ("tflops_gpu", 1e12 / flops)):
        text = re.sub(r"\[.*|,", "", fields.get(key, ""))
        if text:
            value = float(text) * per
            if not 0 < value < float("inf"):
                raise ValueError(f"{key} '{text:.20}' is not a positive number")
            return value
    raise ValueError("no rate: neither tokens_s_gpu nor tflops_gpu")


def predict_training(row: Row, constants: Achieved | None = None) -> tuple[Machine, TrainingStep]:
    """The machine and the step of a row; FabricError or NoMachineError where there is none."""
    machine = _machine(row.system, row.accelerators)
    if machine.transport.startswith("nccl"):  # as train() does
        joint = "," if ":" in machine.transport else ":"
        machine = replace(machine, transport=f"{machine.transport}{joint}nvls=false")
    topology = _topology(machine.spec)
    wiring = _wiring(machine.spec, machine.transport)
    wires = tuple(wiring.wired(exchange) for exchange in mix(row.model, row.layout))
    a = achieved() if constants is None else constants
    return machine, timed(topology, row.model, row.layout, accelerator_with_rate(topology), wires, a, power=False)


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return read_toml(_RULES, "rules")


@lru_cache(maxsize=256)
def _machine(system: str, ranks: int) -> Machine:
    return machine_of(
        Measurement(
            row=0, log="", system=system, notes="", ranks=ranks, nodes=None, collective="all-reduce", size_bytes=1,
            in_place=False, time_us=None, algbw_gb_per_s=None, busbw_gb_per_s=None,
        )
    )  # fmt: skip


@lru_cache(maxsize=64)
def _topology(spec: str) -> Topology:
    return build(spec)


@lru_cache(maxsize=64)
def _wiring(spec: str, transport: str) -> Wiring:
    return Wiring(_topology(spec), transport)
