"""How `validate --measured` shows steps of models: errors by accelerator and model, the worst rows, what has none."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fabric.cli.options import Output
    from fabric.measuring.steps import StepComparison

WORST = 12  # rows that are named


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


def _render(found: "StepComparison", quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import listed

    summary = found.summary
    shown: list[Any] = [_metrics(summary["by_metric"]), Text(), _groups(summary["by_group"]), Text()]
    shown += [] if quiet or not found.rows else [_worst(found, every=verbose), Text()]
    if found.unmatched:
        shown += [listed("without a prediction: an error of 100 % each", found.unmatched), Text()]
    if found.skipped and not quiet:
        shown += [listed("not compared", found.skipped), Text()]
    shown.append(Text(f"{summary['matched']:,} of {summary['rows']:,} rows have a prediction."))
    return shown


def _metrics(by_metric: dict[str, Any]) -> Any:
    from fabric.cli.tables import new_table

    table = new_table("measured against predicted: error of time, the median of the groups' medians")
    table.add_column("metric", no_wrap=True)
    for head in ("rows", "groups", "error in %"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, told in by_metric.items():
        table.add_row(
            name, f"{told['rows']:,}", f"{told['groups']:,}", f"{100 * told['median_of_group_medians']:.1f}"
        )  # fmt: skip
    return table


def _groups(by_group: dict[str, Any]) -> Any:
    from fabric.cli.tables import new_table

    several = len({metric for told in by_group.values() for metric in told}) > 1
    table = new_table("by accelerator and model, the worst first")
    table.add_column("group", overflow="fold", ratio=1)
    if several:
        table.add_column("metric", no_wrap=True)
    for head in ("rows", "median\n|error| %", "median\nerror %"):
        table.add_column(head, justify="right", no_wrap=True)
    rows = [(group, metric, told) for group, metrics in by_group.items() for metric, told in metrics.items()]
    for group, metric, told in sorted(rows, key=lambda row: -row[2]["median_abs_error"]):
        error, signed = 100 * told["median_abs_error"], 100 * told["median_error"]
        table.add_row(group, *([metric] if several else []), f"{told['rows']:,}", f"{error:.1f}", f"{signed:+.1f}")
    return table


def _worst(found: "StepComparison", every: bool) -> Any:
    """The worst row of each group, or every row."""
    from fabric.cli.tables import new_table

    table = new_table("every row, the worst first" if every else "worst rows, one of each group")
    for name in ("row", "measured", "predicted", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("what, and on what", overflow="fold", ratio=1)
    ordered = sorted(found.rows, key=lambda row: -abs(row.error))
    first = list({(row.group, row.metric): row for row in reversed(ordered)}.values())[::-1]
    for row in ordered if every else sorted(first, key=lambda row: -abs(row.error))[:WORST]:
        said = [f"{row.group} on {row.spec}", *(row.said if every else ())]
        table.add_row(
            str(row.row), f"{row.measured:,.5g}", f"{row.predicted:,.5g}", f"{100 * row.error:+.1f} %", row.unit,
            "; ".join(said),
        )  # fmt: skip
    return table
