"""aifabric plan simulate: every stage replayed through the solver."""

from pathlib import Path
from typing import Any

import click

from fabric.cli.options import CONTEXT, Output, load_parts, one_form, output_options, parts_option, svg_option


@click.command("simulate", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("base")
@click.argument("to", required=False)
@parts_option
@svg_option("Draw the throughput over time into FILE.")
@output_options
def command(plan: Path, base: str, to: str | None, parts: Path | None, svg: Path | None, out: Output) -> None:
    """Replay every stage of PLAN on the state BASE (a spec, state file or .npz) and solve what stays up. TO is
    needed where it adds blocks."""
    from dataclasses import asdict

    from fabric.cli.output import emit_json, emit_tables, write_whole
    from fabric.planning.files import read_plan
    from fabric.planning.states import read_base
    from fabric.planning.timeline import timeline, timeline_svg
    from fabric.results import provenance

    one_form(out)
    catalogue, read = load_parts(parts), read_plan(plan)
    spans = timeline(read, read_base(base, catalogue, to))
    if svg is not None:
        write_whole(timeline_svg(spans, read.floor.get("throughput")), svg)
        click.echo(f"drawn into {svg}", err=True)
    if out.json:
        told = provenance({"plan": str(plan), "base": base}, catalogue.hash)
        emit_json("plan-simulate", {"timeline": [asdict(span) for span in spans]}, told, out)
    else:
        emit_tables([_table(spans)], out)


def _table(spans: list[Any]) -> Any:
    from fabric.cli.tables import known, new_table
    from topologies.units import format_number

    table = new_table()
    for name in ("", "at, minutes", "minutes", "links", "throughput", "at most"):
        table.add_column(name, justify="left" if not name else "right")
    for span in spans:
        table.add_row(
            span.what, f"{span.start_s / 60:.1f}", f"{span.seconds / 60:.1f}", f"{span.links:,}",
            *(known(value, lambda v: format_number(v, 5), False) for value in (span.low, span.high)),
        )  # fmt: skip
    return table
