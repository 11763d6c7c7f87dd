"""aifabric topologies: what can be named, with parameters, defaults and sources."""

from typing import Any

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options


@click.command("topologies", context_settings=CONTEXT)
@click.argument("name", required=False)
@click.option("--tree", is_flag=True, help="Every family with its parameters.")
@output_options
def command(
    name: str | None,
    tree: bool,
    out: Output,
) -> None:
    """What topologies can be named: families with their parameters, and ready-made systems."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.results import provenance
    from topologies.parts import catalogue
    from topologies.registry import FAMILIES, family, systems

    one_form(out)
    if name is not None:
        system = systems().get(name)
        families = [family(system.family if system else name)]
        ready = [system] if system else [s for s in systems().values() if s.family == name]
    else:
        families = [family(f) for f in FAMILIES]
        ready = list(systems().values())
    if out.json:
        document = {"families": [_family(f) for f in families], "systems": [_system(s) for s in ready]}
        emit_json("topologies", document, provenance({"name": name}, catalogue().hash), out)
    else:
        emit_tables(_render(families, ready, tree or name is not None), out)


def _family(found: Any) -> dict[str, Any]:
    return {
        "name": found.name,
        "summary": found.summary,
        "parameters": [
            {"name": p.name, "meaning": p.meaning, "default": _plain(p.default), "required": p.required}
            for p in found.parameters.values()
        ],
    }


def _system(found: Any) -> dict[str, Any]:
    return {
        "name": found.name, "title": found.title, "family": found.family,
        "parameters": dict(found.parameters), "source": found.source,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(str(v).lower() for v in value)
    return (
        "none"
        if value is None
        else f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )


def _render(families: list[Any], ready: list[Any], tree: bool) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import new_table
    from topologies.parameters import example

    shown: list[Any] = []
    table = new_table("families")
    table.add_column("name", no_wrap=True)
    table.add_column("what", overflow="fold")
    table.add_column("e.g.", no_wrap=True)
    for one in families:
        table.add_row(one.name, one.summary, example(one))
    shown += [table, Text()]
    for one in families if tree else []:
        detail = new_table(one.name)
        detail.add_column("parameter", no_wrap=True)
        detail.add_column("default", no_wrap=True)
        detail.add_column("meaning", overflow="fold")
        for p in one.parameters.values():
            detail.add_row(p.name, "required" if p.required else _shown(p.default), p.meaning)
        shown += [detail, Text()]
    if ready:
        systems = new_table("ready-made systems (the same parameters override: nvl72:technology=pluggable)")
        systems.add_column("name", no_wrap=True)
        systems.add_column("what", overflow="fold")
        for system in ready:
            systems.add_row(system.name, system.title)
        shown.append(systems)
        if tree:
            shown += [Text(), *(Text(f"{s.name}: {s.source}", style="dim") for s in ready)]
    return shown
