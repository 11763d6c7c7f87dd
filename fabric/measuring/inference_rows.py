"""A file of measured inference: rows as they stand, and which are none and why."""

import csv
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabric.measuring.reading import Skipped
from topologies.errors import ConfigError
from topologies.formats.contents import read_text
from topologies.toml_documents import read_toml

SHIPPED = Path(__file__).parents[1] / "cases" / "measured_inference.csv"
COLUMNS = ("accelerator", "model", "metric", "value")
METRICS = ("tok_per_s_total", "tok_per_s_per_gpu", "tok_per_s_per_user", "tpot_ms", "ttft_ms", "system_w", "tok_per_j")
_RULES = Path(__file__).with_name("inference.toml")
_MOST_MIB = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceRow:
    """One metric of one run, as the file has it; None where a cell is blank."""

    row: int
    name: str
    system: str
    accelerator: str
    accelerators: int | None
    model: str
    precision: str
    scenario: str
    tp: int | None
    pp: int | None
    ep: int | None
    dp: int | None
    input_tokens: float | None
    output_tokens: float | None
    concurrency: float | None
    metric: str
    value: float
    words: str  # source, system and note, in small letters

    @property
    def group(self) -> str:
        """What errors are grouped by."""
        return f"{self.accelerator}, {self.model}"

    def says(self, name: str) -> bool:
        """Are the words of a rule in it?"""
        return re.search(rules()["words"][name], self.words) is not None


def is_inference(path: Path) -> bool:
    """Has a CSV file the columns of inference: a scenario and lengths of prompts?"""
    head = read_text(path, "a CSV file of measurements", _MOST_MIB).partition("\n")[0]
    names = [word.strip().strip('"') for word in head.split(",")]
    return all(name in names for name in ("scenario", "input_len", "metric"))


def read_inference(path: Path | None = None) -> tuple[list[InferenceRow], list[Skipped]]:
    """Rows of a file of inference, or of the subset that comes with us, and which are none and why.

    Columns: accelerator, model, metric and value; system, accelerators, precision, scenario, tp, pp, ep, dp, input_len,
    output_len, batch_or_concurrency, source and note where there are. ConfigError for any other file.

    >>> rows, skipped = read_inference()
    >>> len(rows) > 200, rows[0].metric in METRICS
    (True, True)
    """
    chosen = SHIPPED if path is None else path
    wanted = f"a CSV file with the columns {', '.join(COLUMNS)}, scenario, tp, input_len, output_len"
    table = csv.DictReader(io.StringIO(read_text(chosen, wanted, _MOST_MIB).removeprefix("\ufeff"), newline=""))
    missing = [name for name in COLUMNS if name not in (table.fieldnames or ())]
    if missing:
        raise ConfigError(f"{chosen}: no column {missing[0]}; give {wanted}")
    rows: list[InferenceRow] = []
    skipped: list[Skipped] = []
    for number, fields in enumerate(table, 1):
        try:
            rows.append(_row(number, {key: (value or "").strip() for key, value in fields.items() if key}))
        except ValueError as reason:
            skipped.append(Skipped(number, str(reason)))
    return rows, skipped


def _row(number: int, cells: dict[str, str]) -> InferenceRow:
    def amount(key: str) -> float | None:
        text = cells.get(key, "").replace(",", "")
        value = float(text) if text else None
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"{key} '{text:.20}' is not a positive number")
        return value

    def count(key: str) -> int | None:
        value = amount(key)
        if value is not None and value != int(value):
            raise ValueError(f"{key} '{cells[key]:.20}' is not a whole number")
        return None if value is None else int(value)

    if cells["metric"] not in METRICS:
        raise ValueError(f"'{cells['metric']:.40}' is none of the metrics that are predicted")
    value = amount("value")
    if value is None:
        raise ValueError("no value")
    words = " ".join(cells.get(key, "") for key in ("source", "system", "note")).lower()
    boards = count("accelerators")
    return InferenceRow(
        row=number, name=cells.get("id", ""), system=cells.get("system", ""), accelerator=cells["accelerator"],
        accelerators=None if boards is None else boards * _on_a_board(words),
        model=cells["model"], precision=cells.get("precision", "").lower(),
        scenario=cells.get("scenario", "").lower(), tp=count("tp"), pp=count("pp"), ep=count("ep"), dp=count("dp"),
        input_tokens=amount("input_len"), output_tokens=amount("output_len"),
        concurrency=amount("batch_or_concurrency"), metric=cells["metric"], value=value, words=words,
    )  # fmt: skip


def _on_a_board(words: str) -> int:
    """Accelerators on each board that a row counts, one by default."""
    return next((int(rule["accelerators"]) for rule in rules()["boards"] if re.search(rule["pattern"], words)), 1)


@lru_cache(maxsize=1)
def rules() -> dict[str, Any]:
    """What words stand for."""
    return read_toml(_RULES, "rules of inference")
