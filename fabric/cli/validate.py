"""aifabric validate: published figures against our answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, output_options

if TYPE_CHECKING:
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
@output_options
def command(
    only: str | None,
    files: tuple[Path, ...],
    out: Output,
) -> int:
    """Published figures against our answers: expected, computed, error, source. Exit code 1 where one misses.

    ID is a case, a system or a pattern (nvl72-*); -v gives whole sources, and what is left out and why.
    """
    from fabric.cli.output import console, emit_json, emit_tables
    from fabric.results import provenance
    from fabric.validation import validate
    from topologies.parts import catalogue

    found = validate(list(files) or None, only)
    if out.json:
        told = {"only": only, "files": [str(f) for f in files]}
        emit_json("validate", found.document(), provenance(told, catalogue().hash), out)
    else:
        emit_tables(_render(found, out, console(out.color).width), out)
    return 1 if found.summary["failed"] else 0


def _render(found: "Validation", out: Output, width: int) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import WIDE, new_table

    wide = width >= WIDE
    table = new_table("published figures against ours")
    table.add_column("", no_wrap=True)
    table.add_column("case", overflow="fold", min_width=22)
    for name in ("expected", "computed"):
        table.add_column(name, justify="right", overflow="fold", min_width=8)
    table.add_column("error", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    if wide:
        table.add_column("source", overflow="fold")
    for case in found.cases:
        mark = Text("ok", style="green") if case.ok else Text("MISS", style="red")
        error = "-" if case.error is None else f"{case.error:.2%}"
        numbers = _number(case.expected), _number(case.computed)
        table.add_row(mark, case.id, *numbers, error, case.unit, *([case.source] if wide else []))
    shown: list[Any] = [table, Text()]
    if not wide:
        shown += [_sources(found), Text()]
    summary = found.summary
    shown.append(
        Text(
            f"{summary['passed']} of {summary['cases']} cases hold; {summary['left_out']} are left out (-v lists them)"
        )
    )
    if out.verbose and not out.quiet:
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
