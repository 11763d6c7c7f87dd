"""Printing: JSON, CSV and tables; files written whole or not at all."""

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console, RenderableType

    from fabric.cli.options import Output
    from topologies.graph import Topology

PIPE_WIDTH = 120
LEAST_WIDTH = 20


def emit_json(command: str, document: dict[str, Any], provenance: dict[str, Any], out: "Output") -> None:
    """The answer as JSON, schema first and provenance last."""
    whole = {"schema": f"aifabric.{command}/1", **document, "provenance": provenance}
    emit(json.dumps(whole, indent=2, allow_nan=False, ensure_ascii=False) + "\n", out)


def emit_csv(rows: Sequence[dict[str, Any]], out: "Output") -> None:
    """Rows as CSV; nested values as compact JSON in their cell, unknown ones empty."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})
    emit(text.getvalue(), out)


def emit(text: str, out: "Output") -> None:
    """Text to stdout, or to a file that is written whole or not at all."""
    if out.output is None:
        click.echo(text, nl=False)
    else:
        write_whole(text, out.output)


def write_whole(text: str, path: Path) -> None:
    """A file that is written whole or not at all; UsageError where the name cannot be one."""
    from topologies.formats.writing import write_whole as write

    check_file(path)
    write(text, path)


def check_file(path: Path) -> None:
    """UsageError where the name cannot be one of a file that is written; before work that would be lost."""
    folder = path.parent
    if not path.name or path.is_dir():
        raise click.UsageError(f"'{path if path.name else ''}' is no file to write into; give a file name")
    if not folder.is_dir():
        raise click.UsageError(f"no folder '{folder}' to write {path.name} into; create it first")


def write_svg(topology: "Topology", path: Path, busy: "NDArray[np.float64] | None" = None) -> None:
    """A picture of the fabric, with the load of its arcs where `busy` gives it; stderr says where it went."""
    from fabric.drawing import draw

    write_whole(draw(topology, busy), path)
    click.echo(f"drawn into {path}", err=True)


def emit_tables(parts: "Sequence[RenderableType]", out: "Output") -> None:
    """Rich tables and text: coloured and as wide as the terminal, or plain and 120 wide where piped."""
    if out.output is None:
        _render(console(out.color), parts)
        return
    text = io.StringIO()
    _render(console(False, text), parts)
    write_whole(text.getvalue(), out.output)


def console(color: bool | None, file: Any = None) -> "Console":
    """A console on stdout or a file."""
    from rich.console import Console

    stream = file or sys.stdout
    terminal = stream.isatty() if hasattr(stream, "isatty") else False
    told = os.environ.get("COLUMNS", "")
    wanted = int(told) if told.isascii() and told.isdigit() and len(told) < 6 else 0
    width = wanted if wanted >= LEAST_WIDTH else None if terminal else PIPE_WIDTH
    plain = color is False or (color is None and (not terminal or bool(os.environ.get("NO_COLOR"))))
    return Console(
        file=stream, width=width, no_color=plain, force_terminal=True if color else None, highlight=False,
        soft_wrap=False, emoji=False, markup=False,
    )  # fmt: skip


def _render(target: "Console", parts: "Sequence[RenderableType]") -> None:
    """Print without the blanks that fill a line up to the width."""
    with target.capture() as captured:
        for part in parts:
            _fold(part, target)
            target.print(part)
    text = "\n".join(line.rstrip() for line in captured.get().split("\n"))
    click.echo(text, nl=False, file=target.file, color=True)


def _fold(part: "RenderableType", target: "Console") -> None:
    """Let a table fold its cells rather than cut them, words and names too where they do not fit otherwise."""
    from rich.table import Table

    if not isinstance(part, Table):
        return
    unbounded = target.options.update(max_width=10 * PIPE_WIDTH)  # a measure is cut at the width that it is given
    narrow = target.measure(part, options=unbounded).minimum > target.width
    for column in part.columns:
        column.overflow = "fold"
        column.no_wrap = column.no_wrap and not narrow
