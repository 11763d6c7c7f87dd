"""How `validate --measured` shows steps of models: errors by metric and group, the worst rows, what is not modelled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fabric.cli.options import Output
    from fabric.measuring.steps import StepComparison, Unmodelled

WORST = 12  # rows and groups that are named
TWICE = 2.0  # from here on an error is a factor
NAMED = 3  # groups that a reason names
LEGEND = "Errors are of time: + and x too slow, - and / too fast; a factor where it is 2 and more."


def show_steps(
    found: "StepComparison",
    file: Path | None,
    only: str | None,
    out: "Output",
    csv: bool,
    svg: Path | None,
    quiet: bool,
    verbose: bool,
) -> int:
    """Print a comparison of steps; 0, whatever the errors."""
    from fabric.cli.output import emit_csv, emit_json, emit_tables
    from fabric.results import provenance
    from topologies.parts import catalogue

    if svg is not None:
        raise click.UsageError("--svg draws collectives; this file holds steps of models")
    if csv:
        emit_csv([{key: value for key, value in row.items() if key != "said"} for row in found.document()["rows"]], out)
    elif out.json:
        told = {"only": only, "measured": str(file)}
        emit_json("validate", found.document(), provenance(told, catalogue().hash), out)
    else:
        emit_tables(_render(found, quiet, verbose), out)
    return 0


def off(error: float, signed: bool = True) -> str:
    """An error of time: in per cent, or as a factor (x too slow, / too fast) where it is 2 and more.

    >>> off(0.12), off(-0.3), off(1048.0), off(-0.97), off(-0.3, signed=False)
    ('+12.0 %', '-30.0 %', 'x 1,049', '/ 33', '30.0 %')
    """
    factor = 1 + error
    if factor >= TWICE:
        return f"x {factor:.1f}" if factor < 10 else f"x {factor:,.0f}"
    if 0 < factor <= 1 / TWICE:
        return f"/ {1 / factor:.1f}" if factor > 0.1 else f"/ {1 / factor:,.0f}"
    return f"{100 * error:+.1f} %" if signed else f"{100 * abs(error):.1f} %"


def _render(found: "StepComparison", quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import listed

    summary = found.summary
    shown: list[Any] = [_metrics(summary["by_metric"]), Text(), *_groups(summary["by_group"], verbose)]
    shown += [] if quiet or not found.rows else [_worst(found, every=verbose), Text()]
    if found.unmatched:
        shown += [_unmodelled(found.unmatched), Text()]
    if found.skipped and not quiet:
        shown += [listed("not compared", found.skipped), Text()]
    rest = f"; {len(found.unmatched):,} are not modelled and no error" if found.unmatched else ""
    told = f"{summary['matched']:,} of {summary['rows']:,} rows have a prediction{rest}.{_within(found)}"
    shown.append(Text(f"{LEGEND}\n{told}"))
    return shown


def _within(found: "StepComparison") -> str:
    """How many rows of what they state themselves lie in their intervals."""
    own = [row for row in found.rows if _plainly(row.metric) and row.low is not None and row.high is not None]
    inside = sum((row.low or 0.0) <= row.measured <= (row.high or 0.0) for row in own)
    return f" {inside / len(own):.0%} of {len(own):,} that state all lie in their intervals." if own else ""


def _plainly(metric: str) -> bool:
    """Is it a metric without a word of what was assumed, or of what else it is of?"""
    return "," not in metric or metric.endswith((", wall", ", board"))


def _metrics(by_metric: dict[str, Any]) -> Any:
    from fabric.cli.tables import new_table

    table = new_table("errors: the median of the groups' medians")
    table.add_column("metric", overflow="fold", ratio=1)
    for head in ("rows", "groups", "|error|"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, told in sorted(by_metric.items(), key=lambda item: (not _plainly(item[0]), -item[1]["rows"])):
        error = off(told["median_of_group_medians"], signed=False)
        table.add_row(name, f"{told['rows']:,}", f"{told['groups']:,}", error)
    return table


def _groups(by_group: dict[str, Any], every: bool) -> list[Any]:
    """Groups, the worst first: of what rows state themselves, and of what was assumed of them."""
    from rich.text import Text

    rows = [(group, metric, told) for group, metrics in by_group.items() for metric, told in metrics.items()]
    several = len({metric for _, metric, _ in rows}) > 1
    shown: list[Any] = []
    for title, plainly in (("", True), (" where something was assumed, or is another question", False)):
        chosen = [row for row in rows if _plainly(row[1]) == plainly]
        if chosen:
            shown += [_group_table(f"by accelerator and model{title}, the worst first", chosen, several, every), Text()]
    return shown


def _group_table(title: str, rows: Sequence[tuple[str, str, dict[str, Any]]], several: bool, every: bool) -> Any:
    from fabric.cli.tables import new_table

    table = new_table(title)
    table.add_column("group", overflow="fold", ratio=3)
    if several:
        table.add_column("metric", overflow="fold", ratio=2)
    for head in ("rows", "median\n|error|", "median\nerror"):
        table.add_column(head, justify="right", no_wrap=True)
    ordered = sorted(rows, key=lambda row: -_times_off(row[2]["median_abs_error"], row[2]["median_error"]))
    for group, metric, told in ordered if every else ordered[:WORST]:
        errors = off(told["median_abs_error"], signed=False), off(told["median_error"])
        table.add_row(group, *([metric] if several else []), f"{told['rows']:,}", *errors)
    if len(ordered) > WORST and not every:
        table.add_row(f"... {len(ordered) - WORST:,} more (-v)", *[""] * (len(table.columns) - 1))
    return table


def _times_off(size: float, signed: float) -> float:
    """How many times too slow, or too fast: a relative error of times that are too fast stays below 1."""
    return max(1 + size, 1 / (1 + signed)) if signed > -1 else 1 + size


def _worst(found: "StepComparison", every: bool) -> Any:
    """The worst row of each group, or every row."""
    from fabric.cli.tables import new_table

    table = new_table("every row, the worst first" if every else "worst rows, one of each group")
    for name in ("row", "measured", "predicted", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("what, and on what", overflow="fold", ratio=1)
    ordered = sorted(found.rows, key=lambda row: -_times_off(abs(row.error), row.error))
    first: dict[tuple[str, str], Any] = {}
    for row in ordered:
        first.setdefault((row.group, row.metric), row)
    for row in ordered if every else list(first.values())[:WORST]:
        said = [f"{row.group} on {row.spec}", *(row.said if every else ())]
        table.add_row(
            str(row.row), f"{row.measured:,.5g}", f"{row.predicted:,.5g}", off(row.error), row.unit, "; ".join(said)
        )
    return table


def _unmodelled(rows: "Sequence[Unmodelled]") -> Any:
    """Reasons, how many rows have each, and of which groups."""
    from collections import defaultdict

    from fabric.cli.tables import new_table

    table = new_table("not modelled, and why")
    for name in ("rows", "from"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold", ratio=3)
    table.add_column("of", overflow="fold", ratio=2)
    by_reason: dict[str, list[Unmodelled]] = defaultdict(list)
    for row in rows:
        by_reason[row.reason].append(row)
    for reason, those in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        groups = list(dict.fromkeys(row.group for row in those))
        more = [f"{len(groups) - NAMED} more"] if len(groups) > NAMED else []
        table.add_row(f"{len(those):,}", str(those[0].row), reason, "; ".join([*groups[:NAMED], *more]))
    return table
