"""aifabric topologies: what can be named, with parameters, defaults and sources."""

from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options

if TYPE_CHECKING:
    from topologies.families import System
    from topologies.parameters import Family


@click.command("topologies", context_settings=CONTEXT)
@click.argument("name", required=False)
@click.option("--tree", is_flag=True, help="Every family with its parameters, defaults, source and ready-made systems.")
@output_options
def command(
    name: str | None,
    tree: bool,
    out: Output,
) -> None:
    """What topologies can be named: families with their parameters, those of plugins too, and ready-made systems."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from topologies.families import FAMILIES, family, plugin_families, plugin_faults, systems
    from topologies.parts import catalogue

    one_form(out)
    faults: dict[tuple[str, str], str] = {}
    if name is not None:
        system = systems().get(name)
        families = [family(system.family if system else name)]
        ready = [system] if system else [s for s in systems().values() if s.family == name]
    else:
        faults = plugin_faults()
        families = [*(family(f) for f in FAMILIES), *plugin_families()]
        ready = list(systems().values())
    if out.json:
        document = {
            "families": [_family(f) for f in families], "systems": [_system(s) for s in ready],
            "unusable_plugins": [{"name": n, "origin": o, "why": why} for (n, o), why in faults.items()],
        }  # fmt: skip
        emit_json("topologies", document, provenance({"name": name}, catalogue().hash), out)
        return
    from fabric.cli.tree import tree_of

    shown = tree_of(families, ready) if tree else _render(families, ready, detailed=name is not None)
    emit_tables([*shown, *_unusable(faults)], out)


def _family(found: "Family") -> dict[str, Any]:
    return {
        "name": found.name,
        "summary": found.summary,
        "source": found.source,
        "origin": found.origin or "built in",
        "parameters": [
            {"name": p.name, "meaning": p.meaning, "default": _plain(p.default), "required": p.required}
            for p in found.parameters.values()
        ],
    }


def _system(found: "System") -> dict[str, Any]:
    return {
        "name": found.name, "title": found.title, "family": found.family,
        "parameters": dict(found.parameters), "source": found.source,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _unusable(faults: dict[tuple[str, str], str]) -> list[Any]:
    """A line on every plugin that cannot be used, and why."""
    from rich.text import Text

    lines = [Text(f"plugin '{name}' of {origin} is not used: {why}") for (name, origin), why in faults.items()]
    return [Text(), *lines] if lines else []


def _render(families: "list[Family]", ready: "list[System]", *, detailed: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table
    from fabric.cli.tree import default_of
    from topologies.parameters import example

    shown: list[Any] = []
    table = new_table("families")
    table.add_column("name", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("e.g.", no_wrap=True)
    for one in families:
        table.add_row(one.name, f"{one.summary} [{one.origin}]" if one.origin else one.summary, example(one))
    shown += [table, Text()]
    for one in families if detailed else []:
        detail = new_table(one.name)
        detail.add_column("parameter", no_wrap=True)
        detail.add_column("default", no_wrap=True)
        detail.add_column("meaning", overflow="fold")
        for p in one.parameters.values():
            detail.add_row(p.name, default_of(p), p.meaning)
        shown += [detail, Text()]
        shown += [Text(f"{one.name}: {one.source}", style="dim"), Text()] if one.source else []
    if ready:
        table = new_table("ready-made systems (the same parameters override: nvl72:technology=pluggable)")
        table.add_column("name", no_wrap=True)
        table.add_column("what", overflow="fold")
        for system in ready:
            table.add_row(system.name, system.title)
        shown.append(table)
        if detailed:
            shown += [Text(), *(Text(f"{s.name}: {s.source}", style="dim") for s in ready)]
    return shown
