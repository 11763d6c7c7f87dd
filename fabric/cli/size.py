"""aifabric size: how many accelerators a site holds, by fabric, and what binds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    PUE,
    Output,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
    verbose_option,
)
from fabric.cli.workload_options import (
    WORKLOAD,
    asked_workload,
    refuse_workload_options,
    told_workload,
    workload_options,
)

if TYPE_CHECKING:
    from fabric.sizing import Sizes
    from fabric.workloads.replicas import Load
    from fabric.workloads.steps.splits import Question
    from topologies.parts import Catalogue


@click.command("size", context_settings=CONTEXT)
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--power", metavar="POWER", help="At the meter of the site, cooling included: 4MW.")
@click.option("--budget", metavar="DOLLARS", help="Machines, network, fibre and labour: 200M$.")
@click.option("--racks", type=click.IntRange(min=1), help="Racks of accelerators.")
@click.option("--pue", type=PUE, help="Facility power over IT power; the catalogue's pue-liquid-hall by default.")
@click.option("--draw", default="maximum", show_default=True, help="Which watts must fit: maximum or typical.")
@click.option("--family", "families", multiple=True, metavar="NAME", help="A family from its smallest up; or all.")
@click.option(
    "--objective", help="Rank by accelerators (default), bandwidth (bisection), train:MODEL or serve:MODEL (tokens/s)."
)
@click.option("-c", "--collective", help="Rank by what all accelerators together get in this collective.")
@click.option("-s", "--size", "message", default="1GiB", show_default=True, help="--collective: size.")
@click.option("--scale-out", metavar="SPEC", help="What joins whole domains such as nvl72; rail:rails=4 by default.")
@click.option("--vary", multiple=True, metavar="KEY=A,B,...", help="Each SPEC with each value; several make a grid.")
@click.option("--most", type=click.IntRange(min=1), help="Accelerators of the largest candidate; 262,144 by default.")
@workload_options
@click.option("-j", "--jobs", type=click.IntRange(min=0), default=0, help="Processes; 0 takes all cores.")
@parts_option
@quiet_option
@verbose_option("Every candidate that was built, all parts without a price, and what stands on an estimate.")
@output_options
def command(
    specs: tuple[str, ...],
    power: str | None,
    budget: str | None,
    racks: int | None,
    pue: float | None,
    draw: str,
    families: tuple[str, ...],
    objective: str | None,
    collective: str | None,
    message: str,
    scale_out: str | None,
    vary: tuple[str, ...],
    most: int | None,
    jobs: int,
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
    **given: Any,
) -> int:
    """The largest number of accelerators of each fabric within a site's power, budget and racks; what binds, what one
    more would take, the last candidate that fits and the first that does not.

    A SPEC grows along one parameter of its family (servers, blocks, slice, k, ...), a scale-up domain such as nvl72 by
    whole domains on --scale-out, a TOML composition by whole multiples of its racks. Without a SPEC copper, co-packaged
    and circuit-switched fabrics stand side by side. With train:MODEL or serve:MODEL what fits is ranked by its tokens a
    second, under the options of workload. Exit code 4 where nothing fits.
    """
    from fabric.cli.output import console, emit_json, emit_tables
    from fabric.cli.size_tables import rendered
    from fabric.results import provenance
    from fabric.sizing.limits import MOST
    from topologies.errors import ConfigError

    one_form(out)
    catalogue = load_parts(parts)
    if objective is not None and collective is not None:
        raise click.UsageError("--objective and --collective are two rankings; give one")
    asked = _workload(objective, given)
    told: dict[str, Any] = {
        "specs": list(specs), "families": list(families), "racks": racks, "pue": pue, "draw": draw,
        "objective": objective or "accelerators", "collective": collective, "message": message,
        "transport": given["transport"], "scale_out": scale_out, "vary": list(vary), "most": most or MOST,
    }  # fmt: skip
    try:
        told |= _limits(power, budget)
        wanted = _asked(told, catalogue, asked)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    way = {} if asked is None else {key: given[key] for key in ("layout", "routing")}
    found = _sizes({**wanted, "asked": asked, **way}, catalogue, jobs)
    if asked is not None:
        told |= told_workload(asked, {key: given[key] for key in WORKLOAD})
    if out.json:
        emit_json("size", _document(found), provenance(told, catalogue.hash), out)
    else:
        emit_tables(rendered(found, console(out.color).width, quiet, verbose), out)
    return 0 if any(row.accelerators for row in found.rows) else 4


def _workload(objective: str | None, given: dict[str, Any]) -> "Question | Load | None":
    """What is asked of the workload that is the objective."""
    from fabric.sizing.objectives import SERVING, TRAINING

    kind = (objective or "").partition(":")[0]
    if kind not in (TRAINING, SERVING):
        refuse_workload_options("--objective train:MODEL or serve:MODEL", but=("transport",))
        return None
    if given["mode"] not in (None, kind):
        raise click.UsageError(f"--mode {given['mode']} and --objective {objective} differ; leave --mode out")
    return asked_workload(given, kind)


def _limits(power: str | None, budget: str | None) -> dict[str, Any]:
    from topologies.units import parse_power_w, parse_usd

    return {
        "facility_w": None if power is None else parse_power_w(power),
        "usd": None if budget is None else parse_usd(budget),
    }


def _asked(told: dict[str, Any], catalogue: "Catalogue", workload: "Question | Load | None") -> dict[str, Any]:
    """Arguments of the library, checked as far as they can be before anything is built."""
    from fabric.choices import check_choices
    from fabric.sizing.limits import Limits
    from fabric.sizing.objectives import objective_of
    from fabric.sizing.rules import rule_of
    from fabric.varying import varied_specs

    asked = {key: value for key, value in told.items() if key != "vary"}
    keys = ("facility_w", "usd", "racks", "pue", "draw", "most")
    Limits(**{key: told[key] for key in keys}).check()
    collectives = [] if told["collective"] is None else [told["collective"]]
    check_choices(collectives=collectives, size=told["message"], transport=told["transport"], parts=catalogue)
    objective_of(told["objective"], told["collective"], told["message"], told["transport"], asked=workload)
    for name in told["families"]:
        if name != "all":
            rule_of(name)
    if told["vary"]:
        asked["specs"] = [one.spec for one in varied_specs(told["specs"], told["vary"])]
    return asked


def _sizes(asked: dict[str, Any], catalogue: "Catalogue", jobs: int) -> "Sizes":
    from fabric.sizing import size

    return size(parts=catalogue, workers=jobs, **asked)


def _document(found: "Sizes") -> dict[str, Any]:
    return {
        "objective": {"name": found.objective, "unit": found.unit},
        "limits": dict(found.limits.given),
        "rows": [row.row() for row in found.rows],
    }
