"""Measured dispatch and combine of experts' kernels: rows read, the kernel behind their words, times beside ours."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabric.measuring.comparison import NO_PREDICTION, Compared, Comparison, Judged
from fabric.measuring.machines import Machine, NoMachineError, machine_of
from fabric.measuring.reading import Measurement, Skipped
from fabric.moe import Moe, exchange
from fabric.one_sided import NAME, Crossing, carried, crossing, interval_us, kernel_of, kernel_s
from fabric.patterns import bytes_of, pattern_of
from fabric.timing import Assumptions
from topologies.errors import ConfigError, FabricError, unknown
from topologies.formats.contents import read_text
from topologies.graph import Topology
from topologies.kinds import OneSidedKernel
from topologies.registry import build
from topologies.toml_documents import read_toml

SHIPPED = Path(__file__).parents[1] / "cases" / "measured_moe.csv"
COLUMNS = ("system", "ep", "gpus_per_node", "op", "kernel", "tokens_per_gpu")
_RULES = Path(__file__).with_name("moe.toml")
_MOST_MIB = 256
_UNIT = 4096  # tokens that a layer is routed with; loads are proportional


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured row: `ranks` of an expert-parallel group on `nodes` servers. `time_us` or a bandwidth is given."""

    row: int
    system: str
    ranks: int
    nodes: int
    op: str
    kernel: str
    dtype: str
    layer: Moe
    notes: str
    time_us: float | None
    bandwidth_gb_per_s: float | None

    @property
    def name(self) -> str:
        """The system and its number of ranks: what errors are grouped by."""
        return f"{self.system}, EP {self.ranks}"


@dataclass(frozen=True, slots=True)
class Predicted:
    """A row's machine, the bytes that one of its ranks sends, times measured, predicted (with the 90 %
    interval) and at line rate (us)."""

    machine: Machine
    size_bytes: int
    measured_us: float
    time_us: float
    low_us: float
    high_us: float
    line_rate_us: float


def is_moe(path: Path) -> bool:
    """Has a CSV file the column of tokens, so that its rows are of experts' kernels?"""
    head = read_text(path, "a CSV file of measurements", _MOST_MIB).partition("\n")[0]
    return "tokens_per_gpu" in [word.strip().strip('"') for word in head.split(",")]


def compare_moe(path: Path | None = None, only: str | None = None) -> Comparison:
    """Every row of a CSV file of experts' kernels, or of those that come with the program, against our prediction.

    Columns: system, ep (ranks), gpus_per_node, op, kernel, tokens_per_gpu and time_us or reported_bw_GBps; dtype,
    hidden, topk, experts, notes where there are. Groups are systems by their number of ranks, and operations in the
    place of collectives. `only` keeps the systems that it matches. ConfigError for any other file.

    >>> found = compare_moe(only="H800*, EP 32")
    >>> found.summary["matched"], sorted(found.summary["by_collective"])
    (4, ['combine', 'dispatch'])
    """
    rows, skipped = read_moe(path)
    if only is not None:
        kept = [row for row in rows if any(fnmatchcase(n.lower(), only.lower()) for n in (row.system, row.name))]
        if not kept:
            names = list(dict.fromkeys(row.name for row in rows))
            raise ConfigError(unknown("system", only, names, "give a system or a pattern, e.g. *nvl72*"))
        rows, skipped = kept, []
    compared: list[Compared] = []
    machines: list[Machine] = []
    unmatched: list[Skipped] = []
    judged: list[Judged] = []
    at_line_rate: list[Judged] = []
    for row in rows:
        try:
            found = predict_moe(row)
        except (FabricError, NoMachineError) as reason:
            unmatched.append(Skipped(row.row, str(reason)))
            judged.append(Judged(row.name, row.op, 0, NO_PREDICTION))
            at_line_rate.append(judged[-1])
            continue
        error = found.time_us / found.measured_us - 1
        judged.append(Judged(row.name, row.op, found.size_bytes, error))
        at_line_rate.append(replace(judged[-1], error=found.line_rate_us / found.measured_us - 1))
        machines.append(found.machine)
        compared.append(
            Compared(
                row=row.row, system=row.name, spec=found.machine.spec, collective=row.op, size_bytes=found.size_bytes,
                measured_us=found.measured_us, predicted_us=found.time_us, low_us=found.low_us,
                high_us=found.high_us, error=error,
            )
        )  # fmt: skip
    return Comparison(
        tuple(compared), tuple(machines), tuple(unmatched), tuple(skipped), tuple(judged),
        {"line rate": tuple(at_line_rate)},
    )  # fmt: skip


def read_moe(path: Path | None = None) -> tuple[list[Row], list[Skipped]]:
    """Rows of a file of experts' kernels, or of the subset that comes with us, and which rows are none and why.

    >>> rows, skipped = read_moe()
    >>> rows[0].system, len(rows) > 200
    ('GB200 NVL72 (MNNVL)', True)
    """
    chosen = SHIPPED if path is None else path
    wanted = f"a CSV file with the columns {', '.join(COLUMNS)}, time_us"
    table = csv.DictReader(io.StringIO(read_text(chosen, wanted, _MOST_MIB)))
    missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
    if missing:
        raise ConfigError(f"{chosen}: no column {missing[0]}; give {wanted}")
    rows: list[Row] = []
    skipped: list[Skipped] = []
    for number, fields in enumerate(table, 1):
        try:
            rows.append(_row(number, {key: (value or "").strip() for key, value in fields.items() if key}))
        except (ValueError, ConfigError) as reason:
            skipped.append(Skipped(number, str(reason)))
    return rows, skipped


def _row(number: int, fields: Mapping[str, str]) -> Row:
    def count(key: str) -> int | None:
        text = fields.get(key, "")
        if text and not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
            raise ValueError(f"{key} '{text:.20}' is not a whole number from 1 on")
        return int(text) if text else None

    def amount(key: str) -> float | None:
        text = fields.get(key, "")
        value = float(text) if text else None
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{key} '{text:.20}' is not a positive number")
        return value

    ranks, tokens = count("ep"), count("tokens_per_gpu")
    if ranks is None:
        raise ValueError("no number of ranks (ep)")
    usual = Moe()
    layer = Moe(
        tokens=tokens or usual.tokens, hidden=count("hidden") or usual.hidden, topk=count("topk") or usual.topk,
        experts=count("experts"), even="balanced" in fields.get("notes", "").lower(),
    )  # fmt: skip
    time_us = amount("time_us")
    bandwidth = amount("reported_bw_GBps") if tokens else None
    if time_us is None and bandwidth is None:
        raise ValueError("no time, or no tokens that a bandwidth could be of")
    nodes = -(-ranks // (count("gpus_per_node") or ranks))
    return Row(
        row=number, system=fields["system"], ranks=ranks, nodes=nodes, op=fields["op"], kernel=fields["kernel"],
        dtype=fields.get("dtype", ""), layer=layer, notes=fields.get("notes", ""), time_us=time_us,
        bandwidth_gb_per_s=bandwidth,
    )  # fmt: skip


def predict_moe(row: Row) -> Predicted:
    """The time of a row on the machine of its words; FabricError or NoMachineError where there is none.

    >>> row = read_moe()[0][0]
    >>> found = predict_moe(row)
    >>> found.machine.spec, abs(found.time_us / found.measured_us - 1) < 0.3
    ('nvl72:gpus=2', True)
    """
    rule, op = _rule(row), _rules()["operations"].get(row.op)
    if op is None:
        raise ConfigError(f"no operation is known as '{row.op:.30}'")
    formats = {**_rules()["formats"], **rule.get("formats", {})}
    dispatched = formats.get(row.dtype) if op["operation"] == "dispatch" else None
    layer = replace(row.layer, precision=dispatched, max_domains=rule.get("max_domains"), tokens=_UNIT)
    machine = _machine(row.system, row.notes, row.ranks, row.nodes)
    machine = replace(machine, transport=f"{NAME}:kernel={rule['kernel']}")
    kernel, unit, size, counted = _laid_out(machine.spec, op["pattern"], layer, rule["kernel"], op["operation"])
    by = row.layer.tokens / _UNIT
    measured_us = row.time_us
    if measured_us is None:  # of a bandwidth, which DeepEP counts over all copies, a rank's own among them
        assert row.bandwidth_gb_per_s is not None
        measured_us = counted * by / row.bandwidth_gb_per_s / 1e3
    found = unit.with_tokens(row.layer.tokens)
    line_rate_us = (found.line_rate_s + found.latency_s) * 1e6
    time_us = kernel_s(kernel, found) * 1e6
    size_bytes = max(1, round(size * by))
    return Predicted(
        machine, size_bytes, measured_us, time_us, *interval_us(kernel, time_us, size_bytes), line_rate_us
    )


def _rule(row: Row) -> dict[str, Any]:
    """What the words of a row stand for; ConfigError with the reason where no kernel of ours does."""
    words = f"{row.kernel} {row.system}".lower()
    for rule in _rules()["kernel"]:
        if all(word in words for word in rule["words"]):
            if "reason" in rule:
                raise ConfigError(rule["reason"])
            return dict(rule)
    raise ConfigError(f"no one-sided kernel is known as '{row.kernel:.40}'")


@lru_cache(maxsize=1)
def _rules() -> dict[str, Any]:
    return read_toml(_RULES, "rules")


@lru_cache(maxsize=256)
def _machine(system: str, notes: str, ranks: int, nodes: int) -> Machine:
    return machine_of(
        Measurement(
            row=0, log="", system=system, notes=notes, ranks=ranks, nodes=nodes, collective="all-to-all", size_bytes=1,
            in_place=False, time_us=None, algbw_gb_per_s=None, busbw_gb_per_s=None,
        )
    )  # fmt: skip


@lru_cache(maxsize=64)
def _topology(spec: str) -> Topology:
    return build(spec)


@lru_cache(maxsize=1024)
def _laid_out(
    spec: str, name: str, layer: Moe, kernel_name: str, operation: str
) -> tuple[OneSidedKernel, Crossing, float, float]:
    """The kernel, what its plan puts on links, the bytes that a rank sends, and those with its own copies."""
    topology = _topology(spec)
    asked = pattern_of(topology, name, moe=layer)
    kernel = kernel_of(topology, asked, kernel_name, operation)
    pattern, plan = carried(topology, asked, Assumptions(), kernel)
    assert pattern.moe is not None
    size = bytes_of(topology, pattern, None)
    made = exchange(topology, name, pattern.moe)
    copies = made.gates.to_domain if plan.schedule.algorithm == "two-hop" else made.copies
    return kernel, crossing(plan, size), size, float(copies.sum()) * layer.tokens * made.copy_bytes
