"""A fabric under a workload for the eye: its walls at TDP and as it draws, what it holds, how far it can grow."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import facts_table, known
from fabric.cli.wall_tables import wall_text
from fabric.results import Wall
from topologies.units import format_number, format_power_w

if TYPE_CHECKING:
    from fabric.limits.room import Room
    from fabric.limits.under import Under


def under_lines(under: "Under", walls: Mapping[str, Wall | None], width: int) -> list[Any]:
    """The workload's own: the walls at TDP and as it draws, what it holds and draws, and how far it can grow."""
    def column(head: str, cells: list[Text], left: bool = False) -> Column:
        return Column(head, head, cells, 0, left)

    names = column("wall", [Text(name) for name in walls], True)
    columns = [
        column("at TDP", [wall_text(under.at_tdp[name]) for name in walls], True),
        column("as it draws", [wall_text(wall) for wall in walls.values()], True),
        column("of the limit", [Text(_used(wall)) for wall in walls.values()]),
    ]
    lines = laid_out("under the workload", column("", [Text("") for _ in walls]), names, columns, width)
    rate = f"{format_number(under.tokens_per_s)} tokens/s"
    joule = known(under.drawn.tokens_per_joule, lambda v: f", {format_number(v, 3)} tokens/J at the site", False)
    site = known(under.drawn.facility_w, format_power_w, False)
    facts: list[tuple[str, Any]] = [
        ("layout", under.layout), ("step", f"{rate}, {under.binds} binds"), ("memory", _held(under)),
        ("draws", f"{under.drawn.share:.0%} of TDP: {under.drawn.why}"),
    ]  # fmt: skip
    if under.drawn.facility_w is not None:
        facts.append(("site", f"{site} by typical nameplates, accelerators as they draw{joule}"))
    facts += [("room" if i == 0 else "", _room(room)) for i, room in enumerate(under.rooms)]
    return [*lines, Text(), facts_table(facts)]


def _held(under: "Under") -> str:
    """What an accelerator holds, by what it is."""
    held = ", ".join(f"{what} {format_number(gb)} GB" for what, gb in under.duty.held_gb if gb > 0)
    return f"{held} an accelerator"


def _used(wall: Wall | None) -> str:
    """The share of a limit that is used; no share of a temperature makes sense."""
    if wall is None or wall["value"] is None or not wall["limit"] or wall["unit"] == "C":
        return "-"
    return f"{wall['value'] / wall['limit']:.0%}"


def _room(room: "Room") -> str:
    """How far one measure can grow alone."""
    unit, each = (" B", 1e9) if room.now > 1e8 else ("", 1.0)
    now = format_number(room.now / each, 4) + unit
    if room.most is None or room.times is None:
        return f"{room.measure}: memory never binds (now {now})"
    most = format_number(room.most / each, 4) + unit
    return f"{room.measure}: up to {most}, {format_number(room.times, 3)} times the {now} of now"
