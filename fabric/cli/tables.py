"""Tables of results, for the eye; unknown is "-", what stands on an estimate has a "~"."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from fabric.comparison import Row
from fabric.results import Result, Wall
from topologies.units import format_number, format_power_w, format_time_us, format_usd

STYLE = {"ok": "green", "marginal": "yellow", "over": "red", "unknown": "dim"}
WIDE = 110
NARROW_NAME = 26


def new_table(title: str | None = None) -> Table:
    """A table with a rule under its head and nothing else."""
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip


def rows_table(title: str, rows: Sequence[Row], width: int) -> Table:
    """One comparable set; at 110 columns and more also latency, algorithm and what binds."""
    wide = width >= WIDE
    table = new_table(title)
    table.add_column("#", justify="right")
    table.add_column("topology", no_wrap=True)
    if wide:
        table.add_column("algorithm")
    for name in ("time", "busbw\nGB/s", "power", "W per\nacc.", "capex"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("copper")
    if wide:
        table.add_column("binds", overflow="fold")
    for row in rows:
        table.add_row(*_cells(row, wide))
    return table


def _cells(row: Row, wide: bool) -> list[Any]:
    result = row.result
    watts, usd = guessed(result, "power"), guessed(result, "price")
    mark = "-" if row.rank is None else f"{row.rank}{'*' if row.pareto else ' '}"
    name = result.topology if wide or len(result.topology) <= NARROW_NAME else result.topology.replace(":", ":\n  ", 1)
    cells: list[Any] = [mark, name]
    if wide:
        cells.append(result.algorithm)
    cells += [
        format_time_us(result.time_us),
        format_number(result.busbw_gb_per_s),
        known(result.network_power_w, format_power_w, watts),
        known(result.network_power_w_per_accelerator, lambda w: format_number(w, 3), watts),
        capex_text(result.capex_usd, result.priced_usd, usd),
        wall_text(result.walls["copper"], with_margin=wide),
    ]
    if wide:
        end = result.bottleneck
        cells.append(f"{end['medium']} {end['from']} > {end['to']}" if end else "-")
    return cells


def known(value: float | None, show: Any, estimated: bool) -> str:
    """A value, with ~ where it stands on an estimate; - where it is unknown."""
    return "-" if value is None else f"{'~' if estimated else ''}{show(value)}"


def capex_text(capex: float | None, priced: float | None, estimated: bool) -> str:
    """Dollars; ">" where parts without a price come on top of those that have one."""
    if capex is None and priced:
        return f">{'~' if estimated else ''}{format_usd(priced)}"
    return known(capex, format_usd, estimated)


def guessed(result: Result, what: str) -> bool:
    """Does power or price of this row stand on an estimate?"""
    return any(line.startswith(f"{what} of ") for line in result.estimates)


def wall_text(wall: Wall | None, *, with_margin: bool = True) -> Text:
    """The state of a wall, with its margin."""
    if wall is None:
        return Text("-")
    margin = "" if wall["margin"] is None or not with_margin else f" {wall['margin']:+.1f} {wall['unit']}"
    return Text(f"{wall['state']}{margin}", style=STYLE[wall["state"]])


def warning(text: str) -> Text:
    """What must not be overlooked."""
    return Text(text, style="bold red")


def facts_table(facts: Sequence[tuple[str, Any]]) -> Table:
    """Two columns: what, and its value."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value if isinstance(value, Text) else str(value))
    return table
