"""aifabric plan diff: what one plan changes and another does not."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, Output, one_form, output_options


@click.command("diff", context_settings=CONTEXT)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@output_options
def command(a: Path, b: Path, out: Output) -> int:
    """What plan B changes and plan A does not (+), and the other way round (-); exit 1 where they differ."""
    from rich.text import Text

    from fabric.cli.output import emit_json, emit_tables
    from fabric.planning.differing import difference
    from fabric.planning.files import read_plan
    from fabric.results import provenance
    from topologies.parts import catalogue

    one_form(out)
    found = difference(read_plan(a), read_plan(b))
    if out.json:
        emit_json("plan-diff", {"diff": found}, provenance({"a": str(a), "b": str(b)}, catalogue().hash), out)
        return int(not found["same"])
    lines = [Text(f"{key}: {one} in A, {two} in B") for key, (one, two) in found["summary"].items()]
    for name, rows in found["switches"].items():
        lines.append(Text(f"~ {name}", style="yellow"))
        for mark, style, key in (("-", "red", "only_a"), ("+", "green", "only_b")):
            lines += [Text(f"  {mark} {text}", style=style) for text in rows[key]]
    lines.append(Text("the same plan" if found["same"] else
                      "the same base state" if found["same_base"] else "plans of different base states"))  # fmt: skip
    emit_tables(lines, out)
    return int(not found["same"])
