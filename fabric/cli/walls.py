"""aifabric walls: which limit is met first, and where growth ends."""

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

if TYPE_CHECKING:
    from fabric.limits import Check, Wall
    from fabric.limits.growth import Growth


@click.command("walls", context_settings=CONTEXT)
@click.argument("spec")
@click.option("--scale", metavar="LIST", help="Domains so many times as large: 2,4,8.")
@click.option("--lane", metavar="LIST", help="Lanes of so many Gb/s: 112,224,448 (SerDes classes) or 100,200,400.")
@click.option("--density", metavar="LIST", help="So many times as much in a rack: 2,4.")
@click.option("--rack", help="The catalogue name of the rack; that of the accelerator by default.")
@click.option("--per-rack", type=click.IntRange(min=1), help="Accelerators of a rack; as many as it holds by default.")
@click.option("--cooling", help="air, rear-door, liquid or immersion; the rack's by default.")
@click.option("--supply", type=float, metavar="C", help="Supply temperature of the coolant.")
@click.option("--rise", type=float, metavar="K", help="Rise of the coolant.")
@click.option("--row-power", metavar="POWER", help="Feed of a row of racks: 1.2MW.")
@click.option("--site-power", metavar="POWER", help="Feed of the site, cooling included: 4MW.")
@click.option("--weights", metavar="SIZE", help="A model's weights: 140GB.")
@click.option("--kv", metavar="SIZE", help="Caches that are read with them: 40GB.")
@click.option("--shards", type=click.IntRange(min=1), help="Accelerators that share a model; a domain by default.")
@click.option("--read-ms", type=float, metavar="MS", help="Time in which all of it is read once.")
@parts_option
@quiet_option
@verbose_option("Every value that was held against a limit, not only the nearest of each wall.")
@output_options
def command(
    spec: str,
    scale: str | None,
    lane: str | None,
    density: str | None,
    rack: str | None,
    per_rack: int | None,
    cooling: str | None,
    supply: float | None,
    rise: float | None,
    row_power: str | None,
    site_power: str | None,
    weights: str | None,
    kv: str | None,
    shards: int | None,
    read_ms: float | None,
    parts: Path | None,
    quiet: bool,
    verbose: bool,
    out: Output,
) -> int:
    """Which limit a fabric meets first: copper, power, heat or memory; with --scale, --lane or --density, where each is
    met. Exit code 1 where the fabric itself is over one."""
    from fabric.cli.output import emit_json, emit_tables
    from fabric.limits import Conditions, assumptions, broken, checks, first_wall, link_walls
    from fabric.limits.growth import APPROXIMATED, AXES, wall_growth
    from fabric.results import provenance
    from topologies.errors import ConfigError
    from topologies.registry import build
    from topologies.units import parse_power_w, parse_size_bytes

    one_form(out)
    axes = {"scale": _numbers("--scale", scale), "lane": _numbers("--lane", lane)}
    axes["density"] = _numbers("--density", density)
    if weights is None and (kv or shards or read_ms is not None):
        raise click.UsageError("--kv, --shards and --read-ms belong to --weights; give the bytes of a model")
    catalogue = load_parts(parts)
    try:
        given = Conditions(
            rack=rack, per_rack=per_rack, cooling=cooling, supply_c=supply, rise_k=rise,
            row_w=None if row_power is None else parse_power_w(row_power),
            site_w=None if site_power is None else parse_power_w(site_power),
            weights_bytes=None if weights is None else parse_size_bytes(weights),
            kv_bytes=0.0 if kv is None else parse_size_bytes(kv), shards=shards,
            read_s=None if read_ms is None else read_ms / 1e3,
        )  # fmt: skip
        given.check(catalogue)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    topology = build(spec, catalogue)
    found = wall_growth(topology, given=given, **axes)  # type: ignore[arg-type]
    asked = checks(topology, given)
    estimates = assumptions(topology, given) + ([APPROXIMATED] if found.points else [])
    if out.json:
        document = {
            "topology": topology.name,
            "walls": dict(found.walls),
            "first": first_wall(found.walls),
            "checks": {
                "copper": [{"check": name, **wall} for name, wall in link_walls(topology)],
                **{name: [check.row() for check in each] for name, each in asked.items()},
            },
            "growth": [point.row() for point in found.points],
            "met": {a: {"first": _named(found.first(a)), "walls": found.hits(a)} for a in AXES if axes[a]},
            "estimates": estimates,
        }
        told = {"spec": spec, **axes, **{name: getattr(given, name) for name in given.__slots__}}
        emit_json("walls", document, provenance(told, catalogue.hash), out)
    else:
        rows = list(found.walls.items()) if not verbose else _every(link_walls(topology), asked)
        emit_tables(_render(topology.name, found, rows, [] if quiet else estimates, out), out)
    return 0 if broken(found.walls) is None else 1


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


def _render(
    name: str, found: "Growth", rows: "list[tuple[str, Wall | None]]", estimates: list[str], out: Output
) -> list[Any]:
    from rich.text import Text

    from fabric.cli.output import console
    from fabric.cli.tables import warning
    from fabric.cli.wall_tables import growth_table, walls_table
    from fabric.limits import NO_MODEL, broken, first_wall
    from fabric.limits.growth import AXES

    first = first_wall(found.walls)
    shown: list[Any] = [Text(f"walls of {name}" + (f", {first} first" if first else ""), style="bold"), Text()]
    if why := broken(found.walls):
        shown[:0] = [warning(f"CANNOT BE BUILT AS GIVEN, {why}"), Text()]
    shown += walls_table(rows, {"copper": "no cable or circuit is judged", "memory": NO_MODEL})
    width = console(out.color).width
    for axis in AXES:
        points = [point for point in found.points if point.axis == axis]
        if points:
            shown += [Text(), *growth_table(axis, points, width), Text(_sentence(found, axis))]
    if estimates:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in estimates]
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
