"""A file of measured collectives: rows as they stand, a time for each, and which rows are none and why."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fabric.collectives import collective
from topologies.errors import ConfigError
from topologies.formats.contents import read_text
from topologies.toml_documents import read_toml
from topologies.units import parse_size_bytes

SHIPPED = Path(__file__).parents[1] / "cases" / "measured_collectives.csv"
_COLUMNS = Path(__file__).with_name("columns.toml")
_MOST_MIB = 256
_GIB = 2**30 / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One row with a time. `row` counts the rows of the file from 1; `ranks` and `nodes` are None where not stated."""

    row: int
    log: str
    system: str
    notes: str
    ranks: int | None
    nodes: int | None
    collective: str
    size_bytes: int
    in_place: bool
    time_us: float | None  # of the column; None where a bandwidth has to give it
    algbw_gb_per_s: float | None
    busbw_gb_per_s: float | None

    def measured_us(self, ranks: int) -> float | None:
        """Time of the row among so many ranks: the column, else from algbw, else from busbw; None where none will do.

        >>> row = read_rows("system,collective,size_bytes,busbw_GBps\\nH100,all_reduce,8000000,7\\n")[0][0]
        >>> row.measured_us(8), row.measured_us(2)
        (2000.0, 1142.857142857143)
        """
        if self.time_us is not None:
            return self.time_us
        if self.algbw_gb_per_s is not None:
            return self.size_bytes / self.algbw_gb_per_s / 1e3
        if self.busbw_gb_per_s is None or ranks < 2:
            return None
        return self.size_bytes * collective(self.collective, ranks).busbw_factor / self.busbw_gb_per_s / 1e3


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is not compared, and why."""

    row: int
    reason: str


def read_measured(path: Path | None = None) -> tuple[list[Measurement], list[Skipped]]:
    """Rows of a CSV file in the columns of nccl-tests and of where it ran, or of the subset that comes with us.

    Columns: system, collective, size_bytes and one of time_us, algbw_GBps, busbw_GBps; gpus, nodes, notes, kind, place
    and log_id where there are; more are no harm. ConfigError for a file that is not one.

    >>> rows, skipped = read_measured()
    >>> rows[0].collective, len(rows) > 200
    ('all-reduce', True)
    """
    wanted = "a CSV file with the columns system, gpus, nodes, collective, size_bytes, time_us"
    chosen = SHIPPED if path is None else path
    return read_rows(read_text(chosen, wanted, _MOST_MIB), str(chosen))


def read_rows(text: str, where: str = "measurements") -> tuple[list[Measurement], list[Skipped]]:
    """The rows of a CSV text, and those that are not compared."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        names = {name.strip().lower(): name for name in reader.fieldnames or () if name}
    except csv.Error as error:
        raise ConfigError(f"{where}: {error}; give a CSV file of measurements") from None
    _check_columns(names, where)
    rows: list[Measurement] = []
    skipped: list[Skipped] = []
    for number, cells in enumerate(_cells(reader, names, where), 1):
        found = _row(number, cells)
        (rows if isinstance(found, Measurement) else skipped).append(found)  # type: ignore[arg-type]
    if not rows and not skipped:
        raise ConfigError(f"{where}: no rows below the header; give a CSV file of measurements")
    return rows, skipped


def _check_columns(names: Mapping[str, str], where: str) -> None:
    known = columns()
    missing = [name for name in known["needed"] if name.lower() not in names]
    if not any(name.lower() in names for name in known["times"]):
        missing.append(" or ".join(known["times"]))
    if missing:
        given = ", ".join(list(names)[:12]) or "none"
        raise ConfigError(f"{where}: no column {', '.join(missing)}; there are {given}")


def _cells(reader: Any, names: Mapping[str, str], where: str) -> Iterator[dict[str, str]]:
    try:
        for row in reader:
            yield {name: str(row.get(spelt) or "").strip() for name, spelt in names.items()}
    except csv.Error as error:
        raise ConfigError(f"{where}, line {reader.line_num}: {error}; give a CSV file of measurements") from None


def _row(number: int, cells: Mapping[str, str]) -> Measurement | Skipped:
    known = columns()
    kind = cells.get("kind", "").lower()
    if kind in known["kinds"]:
        return Skipped(number, known["kinds"][kind])
    pattern = collective_of(cells["collective"])
    if pattern is None:
        return Skipped(number, f"'{cells['collective']:.40}' is none of the collectives that are predicted")
    size = _size(cells["size_bytes"])
    if size is None:
        return Skipped(number, f"size_bytes '{cells['size_bytes']:.40}' is no size above zero")
    bad = [name for name in ("gpus", "nodes") if cells.get(name) and _count(cells[name]) is None]
    if bad:
        return Skipped(number, f"{bad[0]} '{cells[bad[0]]:.40}' is no number of them")
    time, algbw, busbw = (_positive(cells.get(name.lower(), "")) for name in known["times"])
    notes = cells.get("notes", "")
    gib = _GIB if re.search(known["units"]["gib"], notes.lower()) else 1.0
    least = known["units"]["least_busbw"]
    if time is None and algbw is None and (busbw is None or busbw < least):
        coarse = f"no time, and a busbw below {least} GB/s is printed too coarsely"
        return Skipped(number, coarse if busbw else "no time, no bandwidth")
    return Measurement(
        row=number, log=cells.get("log_id", ""), system=cells["system"], notes=notes,
        ranks=_count(cells.get("gpus", "")), nodes=_count(cells.get("nodes", "")), collective=pattern, size_bytes=size,
        in_place=cells.get("place", "").lower().startswith("in"), time_us=time,
        algbw_gb_per_s=None if algbw is None else algbw * gib, busbw_gb_per_s=None if busbw is None else busbw * gib,
    )  # fmt: skip


def collective_of(name: str) -> str | None:
    """Our name of a collective in one of the spellings of libraries and their tests; None where it is none.

    >>> [collective_of(name) for name in ("all_reduce_perf", "ncclAllGather", "alltoall", "SendRecv", "scan")]
    ['all-reduce', 'all-gather', 'all-to-all', 'send-recv', None]
    """
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    known = columns()["collectives"]
    names = {variant: ours for ours, variants in known["names"].items() for variant in variants}
    while word not in names:
        shorter = next((word.removeprefix(p) for p in known["prefixes"] if word.startswith(p)), None)
        shorter = shorter or next((word.removesuffix(s) for s in known["suffixes"] if word.endswith(s)), None)
        if not shorter:
            return None
        word = shorter
    return str(names[word])


def _size(text: str) -> int | None:
    """Bytes of "1048576", "1e6" or "1 MiB", a letter alone a power of 1024 as in nccl-tests."""
    number = _positive(text)
    if number is not None:
        return max(1, round(number))
    try:
        return parse_size_bytes(text) or None
    except ConfigError:
        return None


def _count(text: str) -> int | None:
    number = _positive(text)
    return int(number) if number is not None and number == int(number) and number < 1 << 24 else None


def _positive(text: str) -> float | None:
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


@cache
def columns() -> dict[str, Any]:
    """What columns may hold, from columns.toml."""
    return read_toml(_COLUMNS, "the columns of measurements")
