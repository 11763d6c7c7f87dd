"""Walls for the eye: the first of a fabric, the others, and all with what would move them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from fabric.limits import first_wall
from fabric.limits.growth import Point
from fabric.results import Wall
from topologies.units import format_number

STYLE = {"ok": "green", "marginal": "yellow", "over": "red", "unknown": "dim"}
INDENT = "  "
TITLES = {"scale": "a larger domain, over racks side by side", "lane": "faster lanes on the same links",
          "density": "more in a rack of the same feed and cooling"}  # fmt: skip
HEADS = {"scale": "domain in racks", "lane": "a lane", "density": "accelerators"}


def wall_text(wall: Wall | None) -> Text:
    """The state of a wall, with its margin."""
    if wall is None:
        return Text("-")
    margin = "" if wall["margin"] is None else f" {wall['margin']:+.1f} {wall['unit']}"
    return Text(f"{wall['state']}{margin}", style=STYLE[wall["state"]])


def first_text(walls: Mapping[str, Wall | None]) -> Text:
    """The wall that is met first, with its state and margin."""
    name = first_wall(walls)
    return Text("-") if name is None else Text(f"{name} ") + wall_text(walls[name])


def walls_facts(walls: Mapping[str, Wall | None]) -> list[tuple[str, Any]]:
    """The first wall with its reason, and the state of the others."""
    name = first_wall(walls)
    first = walls[name] if name is not None else None
    others = [Text(f"{other} ") + wall_text(wall) for other, wall in walls.items() if other != name]
    why = [] if first is None else [("", first["why"] + (f"; {first['moves']}" if first["moves"] else ""))]
    return [("first wall", first_text(walls)), *why, ("other walls", Text(", ").join(others))]


def walls_table(rows: Iterable[tuple[str, Wall | None]], none: Mapping[str, str]) -> list[Any]:
    """Every wall with value, limit and margin, its reason below it, and what would move it; `none` says why there is
    none, by the wall's name."""
    from rich.padding import Padding

    from fabric.cli.layout import Column, laid_out

    listed = list(rows)
    found = [wall or {} for _, wall in listed]
    shown: list[Any] = []

    def column(head: str, cells: list[Text], left: bool = False) -> Column:
        return Column(head, head, cells, 0, left)

    names = column("wall", [Text(name) for name, _ in listed], True)
    state = column("state", [Text(w.get("state", "-"), style=STYLE.get(w.get("state", ""), "")) for w in found], True)
    numbers = [column(key, [Text(_measure(w, key)) for w in found]) for key in ("value", "limit", "margin")]
    marks = column("", [Text("") for _ in listed])
    lines = laid_out("walls", marks, names, [state, *numbers], 10**4)
    shown += lines[:3]
    for line, (name, wall) in zip(lines[3:], listed, strict=True):
        said = none.get(name, "unknown") if wall is None else wall["why"]
        said += f". To move it: {wall['moves']}" if wall is not None and wall["moves"] else ""
        shown += [line, Padding(Text(said, style="dim"), (0, 0, 0, len(INDENT)))]
    return shown


def _measure(wall: Mapping[str, Any], key: str) -> str:
    value = wall.get(key)
    if value is None:
        return "-"
    sign = "+" if key == "margin" and value >= 0 else ""
    return f"{sign}{format_number(value)} {wall['unit']}"


def growth_table(axis: str, points: Sequence[Point], width: int) -> list[Any]:
    """The walls at every step along an axis."""
    from fabric.cli.layout import Column, laid_out

    def column(head: str, cells: list[Text], left: bool = False) -> Column:
        return Column(head, head, cells, 0, left)

    sign = "" if axis == "lane" else "x"
    marks = column("", [Text(f"{sign}{point.at:g}") for point in points])
    names = column(HEADS[axis], [Text(_there(point)) for point in points], True)
    columns = [column(name, [wall_text(p.walls[name]) for p in points], True) for name in points[0].walls]
    return laid_out(TITLES[axis], marks, names, columns, width)


def _there(point: Point) -> str:
    """A step in words: the domain and its racks, the lane, or the rack."""
    if point.axis == "lane":
        return f"{point.at:g} Gb/s"
    if point.axis == "density":
        return "-" if point.per_rack is None else f"{point.per_rack:,} a rack"
    racks = "" if point.racks is None else f" in {point.racks:,}"
    return f"{point.domain:,}{racks}" + ("" if point.length_m is None else f", {format_number(point.length_m)} m")


def side_by_side(fabrics: Sequence[tuple[str, Mapping[str, Wall | None]]], width: int) -> list[Any]:
    """The walls of several fabrics, a row each, with the one that is met first."""
    from fabric.cli.layout import Column, laid_out

    marks = Column("", "", [Text("") for _ in fabrics])
    names = Column("topology", "topology", [Text(name) for name, _ in fabrics], 0, True)
    columns = [Column(wall, wall, [wall_text(found[wall]) for _, found in fabrics], 1, True) for wall in fabrics[0][1]]
    first = Column("first", "first", [Text(first_wall(found) or "-") for _, found in fabrics], 0, True)
    return laid_out("walls side by side", marks, names, [*columns, first], width)
