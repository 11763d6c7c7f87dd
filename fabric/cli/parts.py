"""aifabric parts: the device catalogue, with sources."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, load_parts, one_form, output_options, parts_option

if TYPE_CHECKING:
    from topologies.parts import Catalogue, Part

TEXT = 16  # a longer text stands above the table of values


@click.command("parts", context_settings=CONTEXT)
@click.argument("name", required=False, metavar="[NAME|KIND|WORDS]")
@click.option("--kind", help="Only parts of a kind: accelerator, switch, optic, cable, ocs, ...; `parts` lists all.")
@parts_option
@output_options
def command(
    name: str | None,
    kind: str | None,
    parts: Path | None,
    out: Output,
) -> None:
    """The device catalogue: all parts, those of a kind, those whose name or title has some words, or one with every
    value, range, source and estimate."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from topologies.errors import unknown
    from topologies.parts import KINDS

    one_form(out)
    if kind is not None and kind not in KINDS:
        raise click.UsageError(unknown("kind of part", kind, KINDS))
    catalogue = load_parts(parts)
    found = _found(catalogue, name, kind)
    if out.json:
        told = {"name": name, "kind": kind}
        emit_json("parts", {"parts": [_document(p) for p in found]}, provenance(told, catalogue.hash), out)
    elif name is not None and len(found) == 1:
        emit_tables(_one(found[0]), out)
    else:
        emit_tables(_list(found, sources=name is not None or kind is not None), out)


def _found(catalogue: "Catalogue", name: str | None, kind: str | None) -> "list[Part]":
    """The part of a name; else the parts of a kind, or those with every whole word in name, title or kind; else all."""
    from topologies.parts import KINDS, Part

    of_kind = [part for part in catalogue.values() if kind is None or part.kind == kind]
    if name is None:
        return of_kind
    words = _words(name)
    if name not in catalogue and words:
        if kind is None and name in KINDS:
            return [part for part in of_kind if part.kind == name]
        hits = [p for p in of_kind if words <= _words(f"{p.name} {p.title} {p.kind}")]
        if hits:
            return hits
    return [catalogue.part(name, Part if kind is None else KINDS[kind])]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9.]+", text.lower()))


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


def _list(parts: "list[Part]", *, sources: bool) -> list[Any]:
    """A table of each kind; without sources one line a part, and what the kind is."""
    from rich.text import Text

    from fabric.cli.tables import new_table
    from topologies.parts import KINDS

    shown: list[Any] = []
    for kind, meaning in KINDS.items():
        rows = [part for part in parts if part.kind == kind]
        if not rows:
            continue
        summary = (meaning.__doc__ or "").splitlines()[0]
        table = new_table(kind if sources else f"{kind} ({len(rows)}): {summary}")
        table.add_column("name", no_wrap=True)
        table.add_column("what", overflow="fold", ratio=3)
        if sources:
            table.add_column("confidence", no_wrap=True)
            table.add_column("source", overflow="fold", ratio=2)
        for part in rows:
            told = (part.confidence, f"{part.source} ({part.year})") if sources else ()
            table.add_row(part.name, part.title, *told)
        shown += [table, Text()]
    return shown[:-1]


def _one(part: "Part") -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import facts_table, new_table

    values = [(key, value) for key, value in part.values() if value != ()]
    texts = [(key, value) for key, value in values if isinstance(value, str) and len(value) > TEXT]
    head = facts_table([
        ("part", part.name), ("what", part.title), ("kind", part.kind),
        ("source", f"{part.source} ({part.year}), confidence {part.confidence}"), *texts,
    ])  # fmt: skip
    table = new_table()
    table.add_column("field", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("low to high", no_wrap=True)
    table.add_column("source, or ~ how it is estimated", overflow="fold")
    for key, value in values:
        low_high = " to ".join(map(_value, part.ranges[key])) if key in part.ranges else ""
        source = f"~ {part.estimates[key]}" if key in part.estimates else part.sources.get(key, "")
        if (key, value) not in texts or source:
            table.add_row(key, "see above" if (key, value) in texts else _value(value), low_high, source)
    return [head, Text(), table]


def _value(value: Any) -> str:
    if hasattr(value, "items"):
        return ", ".join(f"{k}: {v:g}" for k, v in value.items())
    if isinstance(value, tuple):
        return ", ".join(v if isinstance(v, str) else f"{v:g}" for v in value)
    return f"{value:,.10g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
