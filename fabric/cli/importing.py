"""aifabric import: read a fabric from a foreign format, write it in ours."""

from pathlib import Path
from typing import Any

import click

from fabric.cli.options import load_parts, parts_option


@click.group("import", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Read a fabric from a foreign format and write it as a JSON file that every command takes as a SPEC."""


@command.command("ibnetdiscover")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="JSON file to write.")
@click.option("-v", "--verbose", is_flag=True, help="Every adapter with its class.")
@click.option("-q", "--quiet", is_flag=True, help="No notes.")
@click.option("--json", "as_json", is_flag=True, help="How each adapter was classed, as JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@parts_option
def ibnetdiscover(
    file: Path,
    output: Path | None,
    verbose: bool,
    quiet: bool,
    as_json: bool,
    debug: bool,
    parts_file: Path | None,
) -> None:
    """The output of ibnetdiscover on an InfiniBand fabric; prints how each kind of adapter was classed."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from topologies.formats.ibnetdiscover import read_adapters, read_ibnetdiscover
    from topologies.formats.native import write_native

    parts = load_parts(parts_file)
    topology = read_ibnetdiscover(file, parts)
    adapters = read_adapters(file)
    if output is not None:
        write_native(topology, output)
    if as_json:
        document: dict[str, Any] = {
            "accelerators": len(topology.accelerators),
            "switches": topology.attribute("kind").count("switch"),
            "links": topology.links,
            "adapters": [
                {"description": a.description, "guid": a.guid, "class": a.role, "why": a.why} for a in adapters
            ],
            "notes": list(topology.notes),
        }
        emit_json("import", document, provenance({"file": str(file)}, parts.hash), None)
    else:
        emit_tables(_render(topology, adapters, verbose, quiet, output), None, None)


def _render(topology: Any, adapters: list[Any], verbose: bool, quiet: bool, output: Path | None) -> list[Any]:
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
    if not quiet:
        shown += [Text(), *(Text(f"  {note}") for note in topology.notes)]
    if output is not None:
        shown += [Text(), Text(f"{topology.links:,} links written to {output}")]
    return shown
