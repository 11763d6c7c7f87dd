"""Tables of results, for the eye; unknown is "-", what stands on an estimate has a "~"."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.wall_tables import first_text
from fabric.comparison import Row
from fabric.results import Result
from topologies.units import format_number, format_power_w, format_time_us, format_usd


def new_table(title: str | None = None) -> Table:
    """A table with a rule under its head and nothing else."""
    return Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip


def listed(title: str, rows: Sequence[Any]) -> Any:
    """Reasons, and how many rows of which numbers have each."""
    table = new_table(title)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("from", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=1)
    for reason, number in Counter(row.reason for row in rows).most_common():
        table.add_row(f"{number:,}", str(next(row.row for row in rows if row.reason == reason)), reason)
    return table


def rows_table(title: str, rows: Sequence[Row], width: int) -> list[Any]:
    """One comparable set, every measure of every row at any width."""
    results = [row.result for row in rows]
    guesses = [(guessed(r, "power"), guessed(r, "price")) for r in results]

    def column(head: str, name: str, cells: Sequence[str | Text], leaves: int = 0, left: bool = False) -> Column:
        return Column(head, name, [Text(c) if isinstance(c, str) else c for c in cells], leaves, left)

    marks = column("#", "#", ["- " if r.rank is None else f"{r.rank}{'*' if r.pareto else ' '}" for r in rows])
    names = column("topology", "topology", [r.topology for r in results], left=True)
    per = [known(r.network_power_w_per_accelerator, lambda w: format_number(w, 3), g[0])
           for r, g in zip(results, guesses, strict=True)]  # fmt: skip
    ends = [r.bottleneck for r in results]
    columns = [
        column("algorithm", "algorithm", [r.algorithm for r in results], 3, left=True),
        column("time", "time", [format_time_us(r.time_us) for r in results]),
        column("busbw\nGB/s", "busbw in GB/s", [format_number(r.busbw_gb_per_s) for r in results]),
        column("power", "power", [known(r.network_power_w, format_power_w, g[0])
                                  for r, g in zip(results, guesses, strict=True)]),
        column("W per\nacc.", "W per accelerator", per, 1),
        column("capex", "capex", [capex_text(r.capex_usd, r.priced_usd, g[1])
                                  for r, g in zip(results, guesses, strict=True)]),
        column("first wall", "first wall", [first_text(r.walls) for r in results], 2, left=True),
        column("binds", "binds", [f"{e['medium']} {e['from']} > {e['to']}" if e else "-" for e in ends], 4, left=True),
    ]  # fmt: skip
    return laid_out(title, marks, names, columns, width)


def counted(result: Result) -> str:
    """Who takes part in a result."""
    return ranks_text(
        result.accelerators, result.groups, result.accelerator, result.fabric_accelerators, result.placement
    )


def ranks_text(ranks: int, groups: int, accelerator: str | None, fabric: int, placement: str) -> str:
    """Ranks of a group, how many groups, of how many accelerators, and where they are placed.

    >>> ranks_text(8, 1, "h100-sxm", 8, "packed"), ranks_text(4, 2, "h100-sxm", 16, "striped")
    ('8 x h100-sxm', '2 groups of 4 x h100-sxm, 8 of 16, striped')
    """
    text = f"{ranks:,} x {accelerator or 'mixed'}"
    if groups > 1:
        text = f"{groups:,} groups of {text}"
    if ranks * groups < fabric:
        text += f", {ranks * groups:,} of {fabric:,}"
    return text if placement == "packed" else f"{text}, {placement}"


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


def warning(text: str) -> Text:
    """What must not be overlooked."""
    return Text(text, style="bold red")


def sources(cited: Iterable[tuple[str, str]]) -> list[Text]:
    """The source of each part."""
    return [Text("sources"), *(Text(f"  {name}: {source}", style="dim") for name, source in cited)]


def facts_table(facts: Sequence[tuple[str, Any]]) -> Table:
    """Two columns: what, and its value."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value if isinstance(value, Text) else str(value))
    return table
