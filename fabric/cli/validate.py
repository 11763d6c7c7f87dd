"""aifabric validate: published figures against our answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options, quiet_option, svg_option, verbose_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fabric.validation import Validation


@click.command("validate", context_settings=CONTEXT)
@click.argument("only", required=False, metavar="[ID]")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="TOML file of cases in place of ours.",
)
@click.option(
    "--measured",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="CSV file of collectives (ours without one), training steps or inference; ID: a system, log or group.",
)
@click.option("--csv", is_flag=True, help="--measured: the rows as CSV.")
@svg_option("--measured: predicted against measured times.")
@quiet_option
@verbose_option("List what is left out and why; --measured: every row, and what each system was taken for.")
@output_options
def command(
    only: str | None,
    files: tuple[Path, ...],
    measured: str | None,
    csv: bool,
    svg: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
) -> int:
    """Published figures against our answers, with error, tolerance and source. Exit code 1 where one misses.

    ID is a case, a system or a pattern (nvl72-*); -v lists what is left out and why. With --measured, rows of
    nccl-tests (system, gpus, nodes, collective, size_bytes, time_us, notes), of training steps (model, system, gpus,
    precision, TP, PP, tokens_s_gpu, ...) or of inference (accelerator, model, scenario, tp, input_len, output_len,
    metric, value, ...), against predictions; exit code 0.
    """
    from fabric.cli.output import console, emit_json, emit_tables
    from fabric.results import provenance
    from fabric.validation import validate
    from topologies.parts import catalogue

    one_form(out, csv)
    if measured is not None:
        from fabric.cli.measured import show_measured

        if files:
            raise click.UsageError("--file holds published cases, --measured measurements; give one")
        return show_measured(Path(measured) if measured else None, only, out, csv, svg, quiet, verbose)
    if csv or svg is not None:
        raise click.UsageError("--csv and --svg belong to --measured")
    found = validate(list(files) or None, only)
    if out.json:
        told = {"only": only, "files": [str(f) for f in files]}
        emit_json("validate", found.document(), provenance(told, catalogue().hash), out)
    else:
        emit_tables(_render(found, console(out.color).width, quiet, verbose), out)
    return 1 if found.summary["failed"] else 0


def _render(found: "Validation", width: int, quiet: bool, verbose: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.layout import Column, laid_out
    from fabric.cli.tables import new_table
    from fabric.cli.wall_tables import STYLE

    cases = found.cases
    held = [Text("ok", STYLE["ok"]) if case.ok else Text("MISS", STYLE["over"]) for case in cases]

    def column(name: str, cells: list[str], leaves: int = 0, left: bool = False) -> Column:
        return Column(name, name, [Text(cell) for cell in cells], leaves, left)

    columns = [
        column("expected", [_number(case.expected) for case in cases], 1),
        column("computed", [_number(case.computed) for case in cases], 2),
        column("error", ["-" if case.error is None else f"{case.error:.2%}" for case in cases]),
        column("tolerance", [_tolerance(case.tolerance) for case in cases], 4),
        column("unit", [case.unit for case in cases], 3, left=True),
    ]
    labels = [case.id if case.boundary is None else f"{case.id} ({case.boundary})" for case in cases]
    names = column("case", labels, left=True)
    title = "published figures against ours"
    shown: list[Any] = [*laid_out(title, Column("", "", held, left=True), names, columns, width), Text()]
    shown += [] if quiet else [_sources(found), Text()]
    summary = found.summary
    shown.append(
        Text(
            f"{summary['passed']} of {summary['cases']} cases hold; {summary['left_out']} are left out (-v lists them)"
        )
    )
    if verbose:
        left = new_table("left out")
        left.add_column("case", no_wrap=True)
        left.add_column("why", overflow="fold")
        for row in found.left_out:
            left.add_row(row.id, row.reason)
        shown += [Text(), left]
    return shown


def _sources(found: "Validation") -> Any:
    """Each source once, with its cases."""
    from fabric.cli.tables import new_table

    table = new_table("sources")
    table.add_column("source", overflow="fold", ratio=1)
    table.add_column("cases", overflow="fold", ratio=1)
    for source in dict.fromkeys(case.source for case in found.cases):
        table.add_row(source, ", ".join(case.id for case in found.cases if case.source == source))
    return table


def _tolerance(tolerance: "Mapping[str, float]") -> str:
    """How far an answer may lie from the published figure."""
    ((kind, limit),) = tolerance.items()
    if limit == 0 and kind in ("rel", "abs"):
        return "exact"
    if kind == "rel":
        return f"{100 * limit:g} %"
    return {"abs": "+-", "min": ">= ", "max": "<= "}[kind] + _number(limit)


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_number(v) for v in value)
    return (
        f"{value:,.5g}"
        if isinstance(value, int | float) and abs(value) < 1e5
        else f"{value:,.0f}"
        if isinstance(value, int | float)
        else str(value)
    )
