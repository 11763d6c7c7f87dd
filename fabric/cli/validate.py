"""aifabric validate: published figures against our answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import output_options

if TYPE_CHECKING:
    from fabric.validation import Validation


@click.command("validate", context_settings={"help_option_names": ["-h", "--help"]})
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
    as_json: bool,
    output: Path | None,
    color: bool | None,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> int:
    """Published figures against our answers: expected, computed, error, source. Exit code 1 where one misses.

    ID is a case, a system or a pattern (nvl72-*); -v gives whole sources, and what is left out and why.
    """
    from fabric.cli.output import console, emit_json, emit_tables
    from fabric.results import provenance
    from fabric.validation import validate
    from topologies.parts import catalogue

    found = validate(list(files) or None, only)
    if as_json:
        told = {"only": only, "files": [str(f) for f in files]}
        emit_json("validate", found.document(), provenance(told, catalogue().hash), output)
    else:
        emit_tables(_render(found, quiet, verbose, console(color).width), output, color)
    return 1 if found.summary["failed"] else 0


def _render(found: "Validation", quiet: bool, verbose: bool, width: int) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import WIDE, new_table

    table = new_table("published figures against ours")
    table.add_column("", no_wrap=True)
    table.add_column("case", no_wrap=True)
    for name in ("expected", "computed"):
        table.add_column(name, justify="right", overflow="fold", min_width=12)
    table.add_column("error", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    sources = verbose or width >= WIDE
    if sources:
        table.add_column(
            "source", overflow="fold" if verbose else "ellipsis", no_wrap=not verbose, max_width=None if verbose else 36
        )
    for case in found.cases:
        mark = Text("ok", style="green") if case.ok else Text("MISS", style="red")
        error = "-" if case.error is None else f"{case.error:.2%}"
        cells: list[str | Text] = [mark, case.id, _number(case.expected), _number(case.computed), error, case.unit]
        table.add_row(*cells, *([case.source] if sources else []))
    shown: list[Any] = [table, Text()]
    summary = found.summary
    shown.append(
        Text(
            f"{summary['passed']} of {summary['cases']} cases hold; {summary['left_out']} are left out (-v lists them)"
        )
    )
    if verbose and not quiet:
        left = new_table("left out")
        left.add_column("case", no_wrap=True)
        left.add_column("why", overflow="fold")
        for row in found.left_out:
            left.add_row(row.id, row.reason)
        shown += [Text(), left]
    return shown


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
