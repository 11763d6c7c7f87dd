"""Racks on a floor: where each stands, and how long a cable from one to another is."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from topologies.kinds import Floor


class Place(NamedTuple):
    """A rack's place: its row, and its column in that row."""

    row: int
    column: int


@dataclass(frozen=True, slots=True)
class FloorPlan:
    """Racks in rows of equal pitch under overhead trays; every value in metres, or a number of racks or switches."""

    rack_pitch_m: float
    row_pitch_m: float
    tray_height_m: float
    port_height_m: float
    in_rack_m: float
    slack_m: float
    racks_per_row: int
    switches_per_rack: int

    @classmethod
    def of(cls, row: Floor, **given: float | int | None) -> "FloorPlan":
        """A row of the catalogue with what the user states in its place."""
        own = {key: value for key, value in given.items() if value is not None}
        return cls(**{spec.name: own.get(spec.name, getattr(row, spec.name)) for spec in fields(cls)})

    def rack(self, index: int, width: int) -> Place:
        """Place of the compute rack of that index, where rows hold `width` of them."""
        return Place(*divmod(index, width))

    def width(self, racks: int) -> int:
        """Compute racks of a row: as many as a row holds, or all there are.

        >>> from topologies.parts import catalogue
        >>> plan = FloorPlan.of(catalogue().part("floor-600mm", Floor))
        >>> plan.width(8), plan.width(1400)
        (8, 16)
        """
        return min(self.racks_per_row, racks)

    def length_m(self, a: Place, b: Place) -> float:
        """Cable between two racks: up to the tray, along rows and across them (Manhattan), down, and the slack;
        within a rack its own length.

        >>> from topologies.parts import catalogue
        >>> plan = FloorPlan.of(catalogue().part("floor-600mm", Floor))
        >>> plan.length_m(Place(0, 0), Place(0, 0)), plan.length_m(Place(0, 0), Place(2, 5))
        (2.0, 12.0)
        """
        if a == b:
            return self.in_rack_m
        over = abs(a.row - b.row) * self.row_pitch_m + abs(a.column - b.column) * self.rack_pitch_m
        return round(over + 2 * (self.tray_height_m - self.port_height_m) + self.slack_m, 6)


def network_racks(
    plan: FloorPlan, width: int, rows: int, beside: Sequence[int], above: int
) -> tuple[list[Place], list[Place]]:
    """Places of switches: those that belong to a row stand at its end, in as many racks as they fill; the `above`
    others in rows of their own behind the last, from the same end on.

    `beside` has the row of each switch that belongs to one.

    >>> from topologies.parts import catalogue
    >>> plan = FloorPlan.of(catalogue().part("floor-600mm", Floor), switches_per_rack=1)
    >>> network_racks(plan, 8, 2, [0, 0, 1], 2)[0]
    [Place(row=0, column=8), Place(row=0, column=9), Place(row=1, column=8)]
    >>> network_racks(plan, 8, 2, [0, 0, 1], 2)[1]
    [Place(row=2, column=8), Place(row=2, column=7)]
    """
    standing = [0] * rows
    ends = []
    for row in beside:
        ends.append(Place(row, width + standing[row] // plan.switches_per_rack))
        standing[row] += 1
    behind = []
    for index in range(above):
        row, column = divmod(index // plan.switches_per_rack, width + 1)
        behind.append(Place(rows + row, width - column))
    return ends, behind
