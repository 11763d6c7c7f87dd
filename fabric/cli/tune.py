"""aifabric tune: the best algorithm at every message size."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    Members,
    Model,
    Output,
    Pattern,
    check_members,
    check_usage,
    csv_option,
    is_given,
    load_parts,
    member_options,
    model_options,
    one_form,
    output_options,
    parts_option,
    pattern_options,
    quiet_option,
    svg_option,
)

if TYPE_CHECKING:
    from fabric.tuning import Choice, Row, Tuning


@click.command("tune", context_settings=CONTEXT)
@click.argument("spec")
@pattern_options
@click.option(
    "--sizes", default="1KiB-16GiB", show_default=True, help="FROM-TO, which doubles, or a list: 1KiB,1MiB,3MiB."
)
@click.option(
    "--msccl",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write MSCCL algorithms: the best at --size into a file, else that of every span of sizes into a new folder.",
)
@member_options
@model_options
@csv_option
@parts_option
@quiet_option
@svg_option("Draw busbw against size into FILE: all algorithms, best, library, bound.")
@output_options
def command(
    spec: str,
    sizes: str,
    msccl: Path | None,
    pattern: Pattern,
    members: Members,
    model: Model,
    csv: bool,
    parts: Path | None,
    quiet: bool,
    svg: Path | None,
    out: Output,
) -> None:
    """The best algorithm at every size, beside the library's choice or the next best, and the bound; where the best
    changes, to the byte."""
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables, write_whole
    from fabric.results import provenance
    from fabric.tuning import tune

    one_form(out, csv)
    catalogue = load_parts(parts)
    check_usage(model, [pattern.collective], catalogue)
    _check_usage(model, sizes)
    choice = pattern.choice() | model.choice() | members.told()
    check_members(members)
    _check_size(model, msccl)
    tuned = tune(
        spec, pattern.collective, sizes, algorithm=model.algorithm, transport=model.transport, parts=catalogue,
        **choice,
    )  # fmt: skip
    if svg is not None:
        from fabric.drawing.speeds import draw_speeds

        write_whole(draw_speeds(tuned), svg)
        click.echo(f"drawn into {svg}", err=True)
    if msccl is not None:
        _write_msccl(tuned, msccl, model.size if is_given("size") else None)
    if out.json:
        told = {"spec": spec, **pattern.told(), "sizes": sizes, **members.told()}
        told |= {key: value for key, value in model.told().items() if key not in ("size", "tune")}
        emit_json("tune", tuned.document(), provenance(told, catalogue.hash, model.seed), out)
    elif csv:
        emit_csv([_flat(row) for row in tuned.rows], out)
    else:
        emit_tables(_render(tuned, console(out.color).width, quiet), out)


def _check_usage(model: Model, sizes: str) -> None:
    """Refuse options without effect, and sizes that cannot be read."""
    from fabric.tuning import parse_sizes
    from topologies.errors import ConfigError

    if is_given("tune"):
        raise click.UsageError("--tune has no effect on tune: it shows the best and the library's choice; leave it out")
    if model.fidelity != "steady":
        raise click.UsageError(f"tune answers in steady fidelity; --fidelity {model.fidelity} belongs to solve")
    try:
        parse_sizes(sizes)
    except ConfigError as error:
        raise click.UsageError(f"--sizes: {error}") from None


def _check_size(model: Model, msccl: Path | None) -> None:
    """--size is that of an MSCCL file, and of nothing else here."""
    if is_given("size") and msccl is None:
        raise click.UsageError(f"--size has no effect without --msccl; give --sizes, such as --sizes {model.size}")
    if msccl is not None and not is_given("size") and msccl.exists():
        what = "stands there" if msccl.is_dir() else "is a file"
        raise click.UsageError(f"--msccl '{msccl}' {what}; name a new folder, or give --size to write one file")


def _write_msccl(tuned: "Tuning", path: Path, size: str | None) -> None:
    """One file at a size, or a folder of those of all spans; stderr says where they went and what to know of them."""
    from fabric.cli.output import write_whole
    from fabric.schedules.tuned import best_file, files_of_spans
    from topologies.formats.writing import write_folder
    from topologies.units import parse_size_bytes

    if size is not None:
        made = {path.name: best_file(tuned, parse_size_bytes(size))}
        write_whole(made[path.name].text, path)
    else:
        made = files_of_spans(tuned)
        write_folder({name: one.text for name, one in made.items()}, path)
    click.echo(f"written into {path}" + ("" if size else f": {', '.join(made)}"), err=True)
    for name, one in made.items():
        for note in one.notes:
            click.echo(f"note: {name}: {note}", err=True)


def _flat(row: "Row") -> dict[str, Any]:
    """A row as CSV has it: the next best and the library's choice in columns of their own."""
    from dataclasses import asdict

    cells = asdict(row)
    for name in ("next", "library"):
        other = cells.pop(name) or dict.fromkeys(("algorithm", "protocol", "time_us", "takes"))
        cells |= {f"{name}_{key}": value for key, value in other.items()}
    return cells


def _render(tuned: "Tuning", width: int, quiet: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import ranks_text
    from fabric.crossovers import told
    from fabric.results import accelerator_of

    topology = tuned.topology
    counted = ranks_text(
        tuned.pattern.n, tuned.pattern.together, accelerator_of(topology), len(topology.accelerators),
        tuned.pattern.placement,
    )  # fmt: skip
    raw = " (raw rates, no library overhead)" if not tuned.library and tuned.transport == "ideal" else ""
    shown: list[Any] = [
        Text(f"{tuned.collective} on {topology.name}, {counted}", style="bold"),
        Text(f"{tuned.routing} routing, {tuned.transport} transport{raw}; steady", style="dim"),
        *_table(tuned.rows, width),
        Text(),
    ]
    if not tuned.crossovers:
        shown.append(Text(f"No crossover: {_named(tuned.rows[0])} is best at every size."))
    shown += [Text(f"Crossover: {told(crossover)}.") for crossover in tuned.crossovers]
    shown += [Text(f"The library: {told(crossover)}.") for crossover in tuned.library_crossovers]
    shown.append(Text(f"Bound: {tuned.bound_why}."))
    if not quiet and tuned.estimates:
        shown += [Text(), Text("stands on estimates and defaults:", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in tuned.estimates]
    return shown


def _named(choice: "Row | Choice") -> str:
    from fabric.crossovers import named

    return named(choice.algorithm, choice.protocol)


def _table(rows: "tuple[Row, ...]", width: int) -> list[Any]:
    """Sizes with the best, and beside it what the library takes, or under raw rates the next best."""
    from rich.text import Text

    from fabric.cli.layout import Column, laid_out
    from topologies.units import format_number, format_size, format_time_us

    def column(head: str, name: str, cells: list[str], leaves: int = 0, left: bool = False) -> Column:
        return Column(head, name, [Text(cell) for cell in cells], leaves, left)

    sizes = column("size", "size", [format_size(row.size_bytes) for row in rows])
    names = column("best", "best", [_named(row) for row in rows], left=True)
    of_library = any(row.library for row in rows)
    other = "library" if of_library else "next best"
    others = [row.library if of_library else row.next for row in rows]
    columns = [
        column("time", "time", [format_time_us(row.time_us) for row in rows]),
        column("busbw\nGB/s", "busbw in GB/s", [format_number(row.busbw_gb_per_s) for row in rows]),
        column("of\nbound", "of bound", [f"{row.of_bound:.1%}" for row in rows], 1),
        column(other, other, [_named(choice) if choice else "-" for choice in others], 2, left=True),
        column("takes", "takes", [f"{format_number(choice.takes, 3)}x" if choice else "-" for choice in others], 2),
    ]
    return laid_out("", sizes, names, columns, width)
