"""aifabric parts: the device catalogue, with sources."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, load_parts, one_form, output_options, parts_option

if TYPE_CHECKING:
    from topologies.parts import Part


@click.command("parts", context_settings=CONTEXT)
@click.argument("name", required=False)
@click.option("--kind", help="cable, optic, ocs, switch, nic, accelerator, rack, component, copper-mode, twinax.")
@parts_option
@output_options
def command(
    name: str | None,
    kind: str | None,
    parts: Path | None,
    out: Output,
) -> None:
    """The device catalogue: all parts, those of a kind, or one with every value, range, source and estimate."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from topologies.errors import unknown
    from topologies.parts import KINDS, Part

    one_form(out)
    if kind is not None and kind not in KINDS:
        raise click.UsageError(unknown("kind of part", kind, KINDS))
    catalogue = load_parts(parts)
    if name is not None:
        found = [catalogue.part(name, Part if kind is None else KINDS[kind])]
    else:
        found = [part for part in catalogue.values() if kind is None or part.kind == kind]
    if out.json:
        told = {"name": name, "kind": kind}
        emit_json("parts", {"parts": [_document(p) for p in found]}, provenance(told, catalogue.hash), out)
    else:
        emit_tables(_list(found) if name is None else _one(found[0]), out)


def _document(part: "Part") -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "kind": part.kind,
        "values": {k: dict(v) if hasattr(v, "items") else v for k, v in part.values()},
        "ranges": {k: list(v) for k, v in part.ranges.items()},
        "source": part.source,
        "year": part.year,
        "confidence": part.confidence,
        "sources": dict(part.sources),
        "estimates": dict(part.estimates),
    }


def _list(parts: "list[Part]") -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table

    shown: list[Any] = []
    for kind in dict.fromkeys(p.kind for p in parts):
        table = new_table(kind)
        table.add_column("name", no_wrap=True)
        table.add_column("what", overflow="fold", ratio=3)
        table.add_column("confidence", no_wrap=True)
        table.add_column("source", overflow="fold", ratio=2)
        for part in parts:
            if part.kind == kind:
                table.add_row(part.name, part.title, part.confidence, f"{part.source} ({part.year})")
        shown += [table, Text()]
    return shown[:-1]


def _one(part: "Part") -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import facts_table, new_table

    head = facts_table([
        ("part", part.name), ("what", part.title), ("kind", part.kind),
        ("source", f"{part.source} ({part.year}), confidence {part.confidence}"),
    ])  # fmt: skip
    table = new_table()
    table.add_column("field", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("low to high", no_wrap=True)
    table.add_column("source, or ~ how it is estimated", overflow="fold")
    for key, value in part.values():
        low_high = f"{part.ranges[key][0]:g} to {part.ranges[key][1]:g}" if key in part.ranges else ""
        source = f"~ {part.estimates[key]}" if key in part.estimates else part.sources.get(key, "")
        table.add_row(key, _value(value), low_high, source)
    return [head, Text(), table]


def _value(value: Any) -> str:
    if hasattr(value, "items"):
        return ", ".join(f"{k}: {v:g}" for k, v in value.items())
    if isinstance(value, tuple):
        return ", ".join(f"{v:g}" for v in value)
    return f"{value:,.10g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
