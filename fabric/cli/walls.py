"""aifabric walls: which limit is met first, and where growth ends."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
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
    from fabric.limits import Check, Conditions, Wall
    from fabric.limits.growth import Growth
    from fabric.limits.under import Under
    from fabric.workloads.replicas import Load
    from fabric.workloads.steps.splits import Question
    from topologies.parts import Catalogue


@click.command("walls", context_settings=CONTEXT)
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@click.option("--scale", metavar="LIST", help="Domains so many times as large: 2,4,8.")
@click.option("--lane", metavar="LIST", help="Lanes of so many Gb/s: 112,224,448 (SerDes classes) or 100,200,400.")
@click.option("--density", metavar="LIST", help="So many times as much in a rack: 2,4.")
@click.option("--rack", help="The catalogue name of the rack; that of the accelerator by default.")
@click.option("--per-rack", type=click.IntRange(min=1), help="Accelerators of a rack; as many as it holds by default.")
@click.option("--cooling", help="air, rear-door, liquid or immersion; the rack's by default.")
@click.option("--supply", "supply_c", type=float, metavar="C", help="Supply temperature of the coolant.")
@click.option("--rise", "rise_k", type=float, metavar="K", help="Rise of the coolant.")
@click.option("--row-power", metavar="POWER", help="Feed of a row of racks: 1.2MW.")
@click.option("--site-power", metavar="POWER", help="Feed of the site, cooling included: 4MW.")
@click.option("--weights", metavar="SIZE", help="A model's weights: 140GB.")
@click.option("--kv", metavar="SIZE", help="Caches that are read with them: 40GB.")
@click.option("--shards", type=click.IntRange(min=1), help="Accelerators that share a model; a domain by default.")
@click.option("--read-ms", type=float, metavar="MS", help="Time in which all of it is read once.")
@click.option("--workload", metavar="MODEL", help="A model trained or served, as in workload: what it holds and draws.")
@workload_options
@parts_option
@quiet_option
@verbose_option("Every value that was held against a limit, not only the nearest of each wall.")
@output_options
def command(
    specs: tuple[str, ...],
    scale: str | None,
    lane: str | None,
    density: str | None,
    workload: str | None,
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
    **given: Any,
) -> int:
    """Which limit a fabric meets first: copper, power, heat or memory; with --scale, --lane or --density, where each is
    met. Racks draw the TDPs of their accelerators, hosts and network; with --workload what its step draws, and memory
    holds what the workload does: how many more users, how much longer a context, how much larger a model until it
    binds. Exit code 1 where a fabric itself is over a limit."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.limits import broken
    from fabric.results import provenance

    one_form(out)
    axes = {"scale": _numbers("--scale", scale), "lane": _numbers("--lane", lane)}
    axes["density"] = _numbers("--density", density)
    if len(specs) > 1 and any(axes.values()):
        raise click.UsageError("--scale, --lane and --density are of one fabric; give one SPEC")
    catalogue = load_parts(parts)
    conditions = _conditions(given, catalogue)
    asked = _asked(workload, given)
    found = [_answered(spec, conditions, axes, workload, asked, given, catalogue) for spec in specs]
    if out.json:
        told: dict[str, Any] = {"spec": specs[0]} if len(specs) == 1 else {"specs": list(specs)}
        told |= {**axes, **{name: getattr(conditions, name) for name in conditions.__slots__ if name != "duty"}}
        if asked is not None:
            told |= {"workload": workload, **told_workload(asked, {key: given[key] for key in WORKLOAD})}
        rows = [document(one, axes) for one in found]
        emit_json("walls", rows[0] if len(rows) == 1 else {"rows": rows}, provenance(told, catalogue.hash), out)
    else:
        emit_tables(_shown(found, quiet, verbose, out), out)
    return 0 if all(broken(one.found.walls) is None for one in found) else 1


def _conditions(given: dict[str, Any], catalogue: "Catalogue") -> "Conditions":
    """What is given of racks, feeds, coolant and model."""
    from fabric.limits import Conditions
    from topologies.errors import ConfigError
    from topologies.units import parse_power_w

    if given["weights"] is None and (given["kv"] or given["shards"] or given["read_ms"] is not None):
        raise click.UsageError("--kv, --shards and --read-ms belong to --weights; give the bytes of a model")
    try:
        powers = {key: None if given[key] is None else parse_power_w(given[key]) for key in ("row_power", "site_power")}
        found = Conditions(
            **{key: given[key] for key in ("rack", "per_rack", "cooling", "supply_c", "rise_k", "shards")},
            row_w=powers["row_power"], site_w=powers["site_power"], weights_bytes=_bytes("--weights", given["weights"]),
            kv_bytes=_bytes("--kv", given["kv"]) or 0.0,
            read_s=None if given["read_ms"] is None else given["read_ms"] / 1e3,
        )  # fmt: skip
        found.check(catalogue)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return found


def _bytes(option: str, text: str | None) -> int | None:
    """A size with its unit: a bare number is bytes, which nobody means of a model."""
    from topologies.units import parse_size_bytes

    if text is None:
        return None
    size = parse_size_bytes(text)
    if text.strip().replace(".", "").isdigit() and size:
        what = f"{option} {text} is {size:,} bytes; did you mean {text.strip()}GB?"
        raise click.UsageError(f"{what} write {size}B if not")
    return size


def _asked(workload: str | None, given: dict[str, Any]) -> "Question | Load | None":
    """The workload, where there is one."""
    if workload is None:
        refuse_workload_options("--workload MODEL")
        return None
    if given["weights"] is not None:
        raise click.UsageError("--weights and --workload both say what memory holds; give one")
    return asked_workload(given)


@dataclass(frozen=True, slots=True)
class Answered:
    """The walls of one fabric, what stands behind them, and the workload that they are under."""

    name: str
    found: "Growth"
    links: "list[tuple[str, Wall]]"
    asked: "dict[str, list[Check]]"
    estimates: list[str]
    under: "Under | None" = None


def _answered(
    spec: str, conditions: "Conditions", axes: dict[str, list[float]], workload: str | None,
    asked: "Question | Load | None", given: dict[str, Any], catalogue: "Catalogue",
) -> Answered:  # fmt: skip
    from fabric.limits import assumptions, checks, link_walls
    from fabric.limits.growth import APPROXIMATED, wall_growth
    from topologies.registry import build

    topology, under = build(spec, catalogue), None
    if workload is not None and asked is not None:
        from fabric.limits.under import walls_under

        way = {key: given[key] for key in ("layout", "transport", "routing")}
        under = walls_under(topology, workload, asked, conditions, **way)
        conditions = replace(conditions, duty=under.duty)
    found = wall_growth(topology, given=conditions, **axes)  # type: ignore[arg-type]
    estimates = assumptions(topology, conditions) + ([APPROXIMATED] if found.points else [])
    estimates += [] if under is None else list(under.said)
    return Answered(topology.name, found, link_walls(topology), checks(topology, conditions), estimates, under)


def document(one: Answered, axes: dict[str, list[float]]) -> dict[str, Any]:
    """One fabric as JSON has it."""
    from fabric.limits import first_wall
    from fabric.limits.growth import AXES

    found = one.found
    under = {} if one.under is None else {"workload": one.under.row()}
    return {
        "topology": one.name, "walls": dict(found.walls), "first": first_wall(found.walls), **under,
        "checks": {
            "copper": [{"check": name, **wall} for name, wall in one.links],
            **{name: [check.row() for check in each] for name, each in one.asked.items()},
        },
        "growth": [point.row() for point in found.points],
        "met": {a: {"first": _named(found.first(a)), "walls": found.hits(a)} for a in AXES if axes[a]},
        "estimates": one.estimates,
    }  # fmt: skip


def _numbers(option: str, text: str | None) -> list[float]:
    """Numbers between commas."""
    try:
        values = [] if text is None else [float(word) for word in text.split(",")]
    except ValueError:
        values = [float("nan")]
    if any(not 0 < value < float("inf") for value in values) or len(set(values)) < len(values):
        raise click.UsageError(f"{option} '{text}' is no list of different numbers above zero; write it like 2,4,8")
    return sorted(values)


def _named(met: tuple[str, str, float] | None) -> dict[str, Any] | None:
    return None if met is None else {"wall": met[0], "state": met[1], "at": met[2]}


def _every(
    links: "list[tuple[str, Wall]]", asked: "dict[str, list[Check]]"
) -> "list[tuple[str, Wall | None]]":
    """What stands behind each wall: its name, and before the reason that of the value."""
    every = {"copper": links, **{wall: [(check.name, check.wall()) for check in each] for wall, each in asked.items()}}
    rows: list[tuple[str, Wall | None]] = []
    for name, found in every.items():
        rows += [(name, {**wall, "why": f"{what}: {wall['why']}"}) for what, wall in found] or [(name, None)]
    return rows


def _shown(found: list[Answered], quiet: bool, verbose: bool, out: Output) -> list[Any]:
    """One fabric after the other, several of them first side by side."""
    from rich.text import Text

    from fabric.cli.output import console
    from fabric.cli.wall_tables import side_by_side

    width = console(out.color).width
    shown: list[Any] = []
    if len(found) > 1:
        shown = [*side_by_side([(one.name, one.found.walls) for one in found], width), Text()]
    for place, one in enumerate(found):
        shown += [Text()] * bool(place) + _rendered(one, quiet, verbose, width)
    return shown


def _rendered(one: Answered, quiet: bool, verbose: bool, width: int) -> list[Any]:
    from rich.text import Text

    from fabric.cli.tables import warning
    from fabric.cli.under_tables import under_lines
    from fabric.cli.wall_tables import growth_table, walls_table
    from fabric.limits import NO_MODEL, broken, first_wall
    from fabric.limits.growth import AXES

    found, first = one.found, first_wall(one.found.walls)
    rows = list(found.walls.items()) if not verbose else _every(one.links, one.asked)
    title = f"walls of {one.name}" + ("" if one.under is None else f" under {one.under.duty.workload}")
    shown: list[Any] = [Text(title + (f", {first} first" if first else ""), style="bold"), Text()]
    if why := broken(found.walls):
        shown[:0] = [warning(f"CANNOT BE BUILT AS GIVEN, {why}"), Text()]
    shown += walls_table(rows, {"copper": "no cable or circuit is judged", "memory": NO_MODEL})
    shown += [] if one.under is None else [Text(), *under_lines(one.under, found.walls, width)]
    for axis in AXES:
        points = [point for point in found.points if point.axis == axis]
        if points:
            shown += [Text(), *growth_table(axis, points, width), Text(_sentence(found, axis))]
    if one.estimates and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in one.estimates]
    return shown


def _sentence(found: "Growth", axis: str) -> str:
    """Which wall ends the growth along an axis, and what would move it."""
    met = found.first(axis)
    if met is None:
        return f"No wall that is known is met along {axis}."
    name, state, at = met
    point = next(p for p in found.points if p.axis == axis and p.at == at)
    wall = point.walls[name]
    assert wall is not None
    where = {"scale": f"{point.domain:,} accelerators a domain", "lane": f"{at:g} Gb/s a lane"}
    said = f"{name} is met first, {state} at {where.get(axis, f'{at:g} times the density')}: {wall['why']}."
    return said + (f" To move it: {wall['moves']}." if wall["moves"] else "")
