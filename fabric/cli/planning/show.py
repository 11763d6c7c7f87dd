"""aifabric plan show: what a plan does, stage by stage."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, Output, output_options, verbose_option


@click.command("show", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@verbose_option("List every cross-connect.")
@output_options
def command(plan: Path, verbose: bool, out: Output) -> None:
    """What a plan does, stage by stage; the last line counts it up."""
    from fabric.cli.options import one_form
    from fabric.cli.output import emit_json, emit_tables
    from fabric.cli.planning.text import plan_lines
    from fabric.planning.files import document_of, read_plan
    from fabric.results import provenance
    from topologies.parts import catalogue

    one_form(out)
    read = read_plan(plan)
    if out.json:
        emit_json("plan", document_of(read), provenance({"plan": str(plan)}, catalogue().hash, read.seed), out)
    else:
        emit_tables(plan_lines(read, verbose), out)
