"""aifabric plan rollback: the plan that leads back."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, Output, output_options, verbose_option


@click.command("rollback", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@verbose_option("List every cross-connect.")
@output_options
def command(plan: Path, verbose: bool, out: Output) -> None:
    """The plan that undoes PLAN, from the state that it ends in; -o FILE.json writes it."""
    from fabric.cli.planning.text import emit_plan, plan_lines
    from fabric.planning.files import read_plan
    from topologies.parts import catalogue

    back = read_plan(plan).reversed()
    emit_plan(back, plan_lines(back, verbose), out, {"plan": str(plan)}, catalogue().hash)
