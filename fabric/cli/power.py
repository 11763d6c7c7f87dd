"""aifabric power: what a network and its site draw, how it gets there, and how it swings."""

from pathlib import Path
from typing import Any

import click

from fabric.cli.options import (
    CONTEXT,
    PUE,
    Number,
    Output,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
    svg_option,
    verbose_option,
)


@click.command("power", context_settings=CONTEXT)
@click.argument("spec")
@click.option(
    "--exclude", default="", metavar="LIST", help="nic, host-ends, scale-up, serdes: left out of the network."
)
@click.option(
    "--scope", default="compute", show_default=True, metavar="LIST", help="compute,storage,inband,oob: what counts."
)
@click.option("--load", type=Number(0, 1), default=1.0, show_default=True, help="Share of capacity in use.")
@click.option("--pue", type=PUE, help="Facility power over IT power; 1.15.")
@click.option("--delivery", default="chain-54v", show_default=True, metavar="CHAIN", help="Or chain-800vdc, ...")
@click.option("--rack", metavar="PART", help="The rack that houses the accelerators; by default the first for them.")
@click.option("--generation", metavar="PART", help="On-site: gas-turbine, gas-engine, combined-cycle, fuel-cell.")
@click.option("--compute-ms", type=float, help="Computation of one step, for the trace.")
@click.option("-c", "--collective", "collectives", multiple=True, metavar="NAME[:SIZE]", help="Of a step; repeatable.")
@click.option("-s", "--size", default="1GiB", show_default=True, help="Of a collective without one of its own.")
@click.option("--transport", default="auto", show_default=True, help="Of the collectives.")
@parts_option
@quiet_option
@verbose_option("List stages of delivery, and what is the same at any load.")
@svg_option("Draw the trace of a step into FILE.")
@output_options
def command(
    spec: str,
    exclude: str,
    scope: str,
    size: str,
    collectives: tuple[str, ...],
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    svg: Path | None,
    out: Output,
    **asked: Any,
) -> None:
    """Watts of a network at no load, typical and at most, by kind; of its racks and site; of a step of training.

    Pumps, coolant distribution and the stages before the racks are in the PUE, once; fans and supplies of racks in
    the racks' watts. SerDes inside accelerators are within their TDP: shown with the network, not added to the site.
    """
    from fabric.cli.output import console, emit_json, emit_tables, write_whole
    from fabric.drawing.trace import draw_trace
    from fabric.powering.report import Asked, check_asked, report
    from fabric.results import provenance
    from topologies.errors import ConfigError
    from topologies.registry import build

    one_form(out)
    catalogue = load_parts(parts)
    steps = tuple(_step(text, size) for text in collectives)
    if svg is not None and asked["compute_ms"] is None and not steps:
        raise click.UsageError("--svg draws the trace of a step; give --compute-ms or --collective")
    wanted = Asked(exclude=_listed(exclude), scope=_listed(scope), collectives=steps, **asked)
    try:
        check_asked(wanted, catalogue)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    found = report(build(spec, catalogue), wanted)
    if svg is not None:
        write_whole(draw_trace(found["topology"], found["trace"]), svg)
        click.echo(f"drawn into {svg}", err=True)
    if out.json:
        told = {"spec": spec, "exclude": list(wanted.exclude), "scope": list(wanted.scope), **asked}
        emit_json("power", {"power": found}, provenance(told, catalogue.hash), out)
    else:
        from fabric.cli.power_tables import render

        emit_tables(render(found, quiet, verbose, console(out.color).width), out)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _step(text: str, size: str) -> tuple[str, str]:
    name, _, own = text.partition(":")
    return name, own or size
