"""aifabric import: read a fabric from a foreign format, write it in ours."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    Output,
    load_parts,
    output_options,
    parts_option,
    quiet_option,
    verbose_option,
)

if TYPE_CHECKING:
    from topologies.graph import Topology
    from topologies.parameters import Parameter


MOST_CLASSES = 20  # of links that the table lists; JSON has all


class Formats(click.Group):
    """One subcommand for each format that has a reader, its options those of the reader."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from topologies.formats import READERS

        return list(READERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from topologies.formats import READERS, format_options

        return _command(cmd_name, format_options(cmd_name)) if cmd_name in READERS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from topologies.errors import unknown
        from topologies.formats import READERS

        if args and args[0] not in READERS and not args[0].startswith("-"):
            raise click.UsageError(unknown("format", args[0], READERS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from topologies.formats import READERS

        with formatter.section("Formats"):
            formatter.write_dl([(name, reader.title) for name, reader in READERS.items()])


@click.group("import", cls=Formats, context_settings=CONTEXT)
def command() -> None:
    """Read a fabric from a foreign format and write it as a JSON file that every command takes as a SPEC.

    A file whose format its ending and first lines tell is a SPEC as it is.
    """


def _command(name: str, chosen: Any) -> click.Command:
    """The subcommand of a format."""
    from topologies.formats import READERS

    @click.command(name, context_settings=CONTEXT, short_help=READERS[name].title, help=chosen.summary)
    @click.argument("file", type=click.Path(path_type=Path))
    @parts_option
    @quiet_option
    @verbose_option("List each adapter.")
    @output_options
    def run(file: Path, parts: Path | None, quiet: bool, verbose: bool, out: Output, **options: Any) -> None:
        given = {key: value for key, value in options.items() if value is not None}
        _import(name, file, parts, given, quiet, verbose, out)

    run.params += [_option(parameter) for parameter in chosen.parameters.values()]
    return run


def _option(parameter: "Parameter") -> click.Option:
    """The option of a reader's parameter; its value is typed by the library."""
    default = "" if parameter.default is None else f"  [default: {parameter.default}]"
    meaning = f"{parameter.meaning[:1].upper()}{parameter.meaning[1:]}.{default}"
    flag = f"--{parameter.name.replace('_', '-')}"
    if parameter.type is bool:
        return click.Option([flag], is_flag=True, default=None, help=meaning)
    return click.Option([flag], type=str, default=None, help=meaning)


def _import(
    name: str, file: Path, parts: Path | None, given: dict[str, Any], quiet: bool, verbose: bool, out: Output
) -> None:
    from fabric.cli.output import emit_json, emit_tables
    from fabric.describing import contents
    from fabric.results import provenance
    from topologies.errors import ConfigError
    from topologies.formats import format_options, option_values, read_topology
    from topologies.formats.native import write_native

    try:
        option_values(format_options(name), given)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    catalogue = load_parts(parts)
    topology = read_topology(file, catalogue, name, given)
    adapters = _adapters(file) if name == "ibnetdiscover" else []
    if out.output is not None:
        write_native(topology, out.output)
    shown = replace(out, output=None)  # the file holds the fabric
    if out.json:
        document: dict[str, Any] = {
            "format": name,
            "accelerators": len(topology.accelerators),
            "switches": topology.attribute("kind").count("switch"),
            "links": topology.links,
            **contents(topology),
            "adapters": [
                {"description": a.description, "guid": a.guid, "class": a.role, "why": a.why} for a in adapters
            ],
            "notes": list(topology.notes),
        }
        told = {"file": str(file), "format": name, **given}
        emit_json("import", document, provenance(told, catalogue.hash), shown)
    else:
        emit_tables(_render(topology, contents(topology), adapters, out, quiet, verbose), shown)


def _adapters(file: Path) -> list[Any]:
    from topologies.formats.ibnetdiscover import read_adapters

    return list(read_adapters(file))


def _render(
    topology: "Topology", read: dict[str, Any], adapters: list[Any], out: Output, quiet: bool, verbose: bool
) -> list[Any]:
    from rich.text import Text

    shown: list[Any] = [_nodes(read["node_classes"]), Text(), _links(read["link_classes"])]
    if adapters:
        shown += [Text(), *_adapter_tables(adapters, verbose)]
    if not quiet:
        shown += [Text(), *(Text(f"  {note}") for note in topology.notes)]
    if out.output is not None:
        shown += [Text(), Text(f"{topology.links:,} links written to {out.output}")]
    return shown


def _nodes(classes: list[dict[str, Any]]) -> Any:
    from fabric.cli.tables import new_table

    table = new_table("nodes")
    for name in ("kind", "part", "number"):
        table.add_column(name, justify="right" if name == "number" else "left")
    for row in classes:
        table.add_row(row["kind"], row["part"] or "-", f"{row['nodes']:,}")
    return table


def _links(classes: list[dict[str, Any]]) -> Any:
    from fabric.cli.tables import new_table
    from topologies.units import format_number

    table = new_table("links")
    for name in ("between", "cable", "number", "Gb/s", "m", "ns"):
        table.add_column(name, justify="left" if name in ("between", "cable") else "right")

    def span(row: dict[str, Any], key: str) -> str:
        ends = [format_number(row[f"{key}_{end}"], 6) for end in ("low", "high")]
        return " to ".join(dict.fromkeys(ends))

    for row in classes[:MOST_CLASSES]:
        numbers = format_number(row["rate_gbps"], 6), span(row, "length_m"), span(row, "latency_ns")
        table.add_row(row["between"], row["cable"], f"{row['links']:,}", *numbers)
    if len(classes) > MOST_CLASSES:
        rest = sum(row["links"] for row in classes[MOST_CLASSES:])
        table.add_row(f"{len(classes) - MOST_CLASSES} more rates", "", f"{rest:,}", "", "", "")
    return table


def _adapter_tables(adapters: list[Any], verbose: bool) -> list[Any]:
    from collections import Counter

    from rich.text import Text

    from fabric.cli.tables import new_table

    table = new_table(f"{len(adapters)} adapters")
    for name in ("class", "number", "why"):
        table.add_column(name, justify="right" if name == "number" else "left", overflow="fold")
    by_neighbour = "no host name: as the named adapter on the nearest port of its switch (-v lists each)"
    reasons = Counter((a.role, a.why if a.named else by_neighbour) for a in adapters)
    for (role, why), number in sorted(reasons.items()):
        table.add_row(role, f"{number:,}", why)
    shown: list[Any] = [table]
    if verbose:
        each = new_table("each adapter")
        for name in ("class", "guid", "description", "why"):
            each.add_column(name, overflow="fold")
        for a in adapters:
            each.add_row(a.role, a.guid, a.description, a.why)
        shown += [Text(), each]
    return shown
