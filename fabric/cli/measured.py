"""How `validate --measured` is shown: errors by band, system and collective, the worst rows, what has no prediction."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fabric.cli.options import Output
    from fabric.measuring.comparison import Comparison

WORST = 12  # rows that are named


def show_measured(
    file: Path | None, only: str | None, out: "Output", csv: bool, svg: Path | None, quiet: bool, verbose: bool
) -> int:
    """Compare and print; 0, whatever the errors: a report is an answer."""
    from dataclasses import asdict

    from fabric.cli.measured_steps import show_steps
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables, write_whole
    from fabric.measuring.comparing import compare_measured
    from fabric.measuring.steps import StepComparison
    from fabric.results import provenance
    from topologies.parts import catalogue

    found = compare_measured(file, only)
    if isinstance(found, StepComparison):
        return show_steps(found, file, only, out, csv, svg, quiet, verbose)
    if svg is not None:
        from fabric.drawing.scatter import draw_scatter

        write_whole(draw_scatter(found.rows), svg)
        click.echo(f"drawn into {svg}", err=True)
    if csv:
        emit_csv([asdict(row) for row in found.rows], out)
    elif out.json:
        told = {"only": only, "measured": "ours" if file is None else str(file)}
        emit_json("validate", found.document(), provenance(told, catalogue().hash), out)
    else:
        emit_tables(_render(found, console(out.color).width, quiet, verbose), out)
    return 0


def _render(found: "Comparison", width: int, quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import listed
    from fabric.measuring.comparison import bands

    summary = found.summary
    rows = [("every row", summary["by_band"]), ("median of the systems", summary["over_systems"])]
    simpler = {name: bands(judged) for name, judged in found.baselines.items()}
    beside = [(name, told["by_band"]) for name, told in simpler.items()]
    shown: list[Any] = [
        _table("measured against predicted: error of time in %", rows), Text(),
        _table("simpler models on the same rows", beside), Text(),
        _table("by system", list(summary["by_system"].items())), Text(),
        _table("by collective", list(summary["by_collective"].items())), Text(),
    ]  # fmt: skip
    shown = shown if found.judged else []
    shown += [] if quiet or not found.rows else [_worst(found, every=verbose), Text()]
    if found.unmatched:
        shown += [listed("without a prediction: an error of 100 % each", found.unmatched), Text()]
    if found.skipped and not quiet:
        shown += [listed("not compared", found.skipped), Text()]
    shown += [_machines(found), Text()] if verbose else []
    shown.append(Text(f"{summary['matched']:,} of {summary['rows']:,} rows have a prediction. {_standing(found)}"))
    return shown


def _standing(found: "Comparison") -> str:
    """How many rows lie in their intervals, and how many predictions lack a library."""
    from fabric.measuring.predicting import IDEAL

    raw = sum(machine.transport == IDEAL for machine in found.machines)
    ends = [(r.low_us, r.measured_us, r.high_us) for r in found.rows if r.low_us is not None and r.high_us is not None]
    told = [f"Of raw link rates, for want of a model of the library: {raw:,}."] if raw else []
    if ends:
        inside = sum(low <= measured <= high for low, measured, high in ends)
        told.append(f"{inside / len(ends):.0%} of {len(ends):,} lie in their 90 % intervals.")
    return " ".join(told)


def _table(title: str, rows: Sequence[tuple[str, Any]]) -> Any:
    from fabric.cli.tables import new_table

    table = new_table(title)
    table.add_column("", overflow="fold", ratio=1)
    for band in ("large", "small"):
        table.add_column(f"{band}\nrows", justify="right", no_wrap=True)
        for head in ("\nmedian", "\np90", "\nsigned"):
            table.add_column(head, justify="right", no_wrap=True)
    for name, told in rows:
        table.add_row(name, *[cell for band in ("large", "small") for cell in _cells(told[band])])
    return table


def _cells(told: dict[str, Any]) -> list[str]:
    if not told["rows"]:
        return ["-"] * 4
    median, p90, signed = (100 * told[key] for key in ("median_abs_error", "p90_abs_error", "median_error"))
    return [f"{told['rows']:,}", _percent(median), _percent(p90), _percent(signed, "+")]


def _percent(value: float, sign: str = "") -> str:
    return f"{value:{sign}.1f}" if abs(value) < 99.95 else f"{value:{sign},.0f}"


def _worst(found: "Comparison", every: bool) -> Any:
    """The worst row of each system and collective, or every row."""
    from fabric.cli.tables import new_table
    from topologies.units import format_size, format_time_us

    table = new_table("every row, the worst first" if every else "worst rows, one of each system and collective")
    for name in ("row", "size", "measured", "predicted", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("what, and what was assumed", overflow="fold", ratio=1)
    pairs = sorted(zip(found.rows, found.machines, strict=True), key=lambda pair: -abs(pair[0].error))
    first = list({(row.system, row.collective): (row, machine) for row, machine in reversed(pairs)}.values())[::-1]
    for row, machine in pairs if every else sorted(first, key=lambda pair: -abs(pair[0].error))[:WORST]:
        told = "; ".join([f"{row.collective} on {row.system}", *machine.said])
        table.add_row(
            str(row.row), format_size(row.size_bytes), format_time_us(row.measured_us),
            format_time_us(row.predicted_us), f"{_percent(100 * row.error, '+')} %", told,
        )  # fmt: skip
    return table


def _machines(found: "Comparison") -> Any:
    from fabric.cli.tables import new_table

    table = new_table("what systems were predicted as")
    table.add_column("system", overflow="fold", ratio=2)
    table.add_column("SPEC, transport and what was assumed", overflow="fold", ratio=5)
    for told in found.document()["machines"]:
        table.add_row(told["system"], "; ".join([told["spec"], told["transport"], *told["assumed"]]))
    return table
