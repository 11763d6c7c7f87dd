"""aifabric import: read a fabric from a foreign format, write it in ours."""

from dataclasses import replace
from pathlib import Path
from typing import Any

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


@click.group("import", context_settings=CONTEXT)
def command() -> None:
    """Read a fabric from a foreign format and write it as a JSON file that every command takes as a SPEC."""


@command.command("ibnetdiscover", context_settings=CONTEXT, short_help="The output of ibnetdiscover (InfiniBand).")
@click.argument("file", type=click.Path(path_type=Path))
@parts_option
@quiet_option
@verbose_option("List each adapter.")
@output_options
def ibnetdiscover(file: Path, parts: Path | None, quiet: bool, verbose: bool, out: Output) -> None:
    """The output of ibnetdiscover on an InfiniBand fabric; prints how each kind of adapter was classed."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from topologies.formats.ibnetdiscover import read_adapters, read_ibnetdiscover
    from topologies.formats.native import write_native

    catalogue = load_parts(parts)
    topology = read_ibnetdiscover(file, catalogue)
    adapters = read_adapters(file)
    if out.output is not None:
        write_native(topology, out.output)
    shown = replace(out, output=None)  # the file holds the fabric
    if out.json:
        document: dict[str, Any] = {
            "accelerators": len(topology.accelerators),
            "switches": topology.attribute("kind").count("switch"),
            "links": topology.links,
            "adapters": [
                {"description": a.description, "guid": a.guid, "class": a.role, "why": a.why} for a in adapters
            ],
            "notes": list(topology.notes),
        }
        emit_json("import", document, provenance({"file": str(file)}, catalogue.hash), shown)
    else:
        emit_tables(_render(topology, adapters, out, quiet, verbose), shown)


def _render(topology: Any, adapters: list[Any], out: Output, quiet: bool, verbose: bool) -> list[Any]:
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
    if out.output is not None:
        shown += [Text(), Text(f"{topology.links:,} links written to {out.output}")]
    return shown
