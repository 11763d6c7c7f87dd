"""aifabric plan readback: where in a plan the switches stand, from files that they gave."""

from pathlib import Path

import click

from fabric.cli.options import CONTEXT, parts_option
from fabric.cli.planning.devices import debug_option, device_option, json_option, names_option


@click.command("readback", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, required=True, metavar="SWITCH=FILE...")
@device_option
@names_option
@parts_option
@json_option
@debug_option
def command(
    plan: Path,
    files: tuple[str, ...],
    devices: tuple[str, ...],
    names: Path | None,
    parts: Path | None,
    json: bool,
    debug: bool,
) -> int:
    """Where in PLAN the switches stand: each FILE is what a switch said of itself, a CONFIG_DB of SONiC-OCS as JSON or
    a NETCONF answer of a Polatis; its fingerprint is compared with those of the plan.

    Exit code 1 if a switch has cross-connects that no step of the plan expects, or they do not stand at the same step.
    """
    from fabric.cli.options import Output, load_parts
    from fabric.cli.output import emit_json
    from fabric.cli.planning.devices import files_by_switch, read_names_of
    from fabric.planning.export.reading import place_in_plan, read_state
    from fabric.planning.files import read_plan
    from fabric.results import provenance

    catalogue = load_parts(parts)
    read = read_plan(plan)
    own = read_names_of(read.switches, devices, names, catalogue)
    given = files_by_switch(files, own)
    rows = []
    common = set(range(len(read.stages) + 1))
    for switch, path in given.items():
        pairs = read_state(path, own[switch])
        places = place_in_plan(read, switch, pairs, own[switch].any_to_any)
        common &= set(places)
        rows.append((switch, len(pairs), places))
    left_out = sorted(set(own) - set(given))
    switches = [{"switch": name, "cross_connects": size, "after_stages": places} for name, size, places in rows]
    answer = {"switches": switches, "left_out": left_out, "after_stages": sorted(common), "stages": len(read.stages)}
    if json:
        told = {"plan": str(plan), "device": list(devices)}
        emit_json("plan-readback", answer, provenance(told, catalogue.hash), Output(True, None, None, debug))
    else:
        for row in rows:
            click.echo(f"{row[0]}: {row[1]} cross-connects, {_place(row[2])}")
        count = f"{len(rows)} of {len(own)} switches"
        click.echo(f"{count}: {_place(sorted(common))}" if common else f"{count}: not at one step of the plan")
    return 0 if common else 1


def _place(places: list[int]) -> str:
    if not places:
        return "as no step of the plan expects"
    return "as " + " or ".join("before the plan" if place == 0 else f"after stage {place}" for place in places)
