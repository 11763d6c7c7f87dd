"""Growth: at which size of a domain, lane rate or density of a rack each wall is met, and which first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import networkx as nx

from fabric.limits import walls
from fabric.limits.conditions import DEFAULT, Conditions
from fabric.limits.heat import heat_checks
from fabric.limits.judging import Span, worst
from fabric.limits.lanes import ScaleUpLink, judged, lane_of, scale_up_link
from fabric.limits.memory import domain_size, memory_checks
from fabric.limits.power import FLOOR, power_checks
from fabric.limits.racks import RackLoad, rack_loads
from fabric.powering import network_power
from fabric.results import Wall
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.kinds import Floor
from topologies.parts import Catalogue
from topologies.registry import topology_of

AXES = ("scale", "lane", "density")
APPROXIMATED = (
    "growth: a domain beyond its rack takes racks side by side, cabled the shortest way to switches in their middle; "
    "faster lanes cost the joules a bit of today's; a denser rack repeats what it holds"
)


@dataclass(frozen=True, slots=True)
class Point:
    """One step along an axis: `at` is what was asked for; walls as they are there. `racks` are those of a domain, None
    where nobody says how many accelerators stand in one."""

    axis: str
    at: float
    domain: int
    racks: int | None
    per_rack: int | None
    length_m: float | None
    lane_gbps: float | None
    walls: Mapping[str, Wall | None]

    def row(self) -> dict[str, Any]:
        """Keys as JSON has them."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Growth:
    """The walls of a fabric, and those of its variants along each axis that was asked for."""

    walls: Mapping[str, Wall | None]
    points: tuple[Point, ...]

    def hits(self, axis: str) -> dict[str, dict[str, float | None]]:
        """Of every wall along an axis: the least value at which it is marginal, and at which it is over."""
        steps = sorted((point for point in self.points if point.axis == axis), key=lambda point: point.at)
        return {
            name: {f"{state}_at": next((p.at for p in steps if _state(p, name) == state), None)
                   for state in ("marginal", "over")}
            for name in self.walls
        }  # fmt: skip

    def first(self, axis: str) -> tuple[str, str, float] | None:
        """The wall that ends growth along an axis, its state, and where: over before marginal; None where none does."""
        for state in ("over", "marginal"):
            met = {name: hit[f"{state}_at"] for name, hit in self.hits(axis).items()}
            known = {name: at for name, at in met.items() if at is not None}
            if known:
                name = min(known, key=lambda wall: known[wall])
                return name, state, known[name]
        return None


def _state(point: Point, name: str) -> str | None:
    wall = point.walls[name]
    return None if wall is None else str(wall["state"])


def wall_growth(
    topology: "Topology | nx.Graph | str | Path",
    *,
    scale: Sequence[float] = (),
    lane: Sequence[float] = (),
    density: Sequence[float] = (),
    given: Conditions = DEFAULT,
    parts: Catalogue | None = None,
) -> Growth:
    """Walls at domains `scale` times as large (over as many racks more), at lanes of so many Gb/s (112, 224 and 448 are
    SerDes classes of 100, 200 and 400), and with `density` times as much in a rack.

    ConfigError for factors that are not above zero, ReachError for a lane rate that no mode of copper has.

    >>> found = wall_growth("nvl72", scale=[2, 4], density=[2])
    >>> found.first("scale"), found.first("density")
    (('copper', 'over', 4), ('thermal', 'over', 2))
    """
    built = topology_of(topology, parts=parts)
    asked = {"scale": scale, "lane": lane, "density": density}
    for axis, values in asked.items():
        wrong = next((v for v in values if not (isfinite(v) and v > 0)), None)
        if wrong is not None:
            raise ConfigError(f"{axis} = {wrong:g} is not above zero; give factors like 2,4,8 or lanes like 112,224")
    steps = {"scale": _scaled, "lane": _laned, "density": _denser}
    now = walls(built, given)
    return Growth(now, tuple(steps[axis](built, at, given) for axis in AXES for at in asked[axis]))


def _answer(
    topology: Topology, loads: Sequence[RackLoad], given: Conditions, copper: Wall | None, scale: float = 1.0
) -> dict[str, Wall | None]:
    checks = {
        "power": power_checks(topology, loads, given),
        "thermal": heat_checks(topology, loads, given),
        "memory": memory_checks(topology, given, scale),
    }
    rest = {name: worst(asked).wall() if asked else None for name, asked in checks.items()}
    return {"copper": copper, **rest}


def _scaled(topology: Topology, at: float, given: Conditions) -> Point:
    """A domain so many times as large: it fills its rack, then goes on into racks beside it."""
    loads, link, before = rack_loads(topology, given), scale_up_link(topology), domain_size(topology)
    domain, holds = max(1, round(before * at)), _holds(loads, given)
    full = loads if holds is None else [load.times(max(1.0, min(holds, domain) / load.accelerators)) for load in loads]
    copper, length = None, None
    if link is not None:
        racks = ceil(before / (holds or before)), ceil(domain / (holds or before))
        length = _length(link, domain > before, racks, topology.catalogue) if link.grows else link.length_m
        copper = judged(link, topology.catalogue, length_m=length)
    walls_there = _answer(topology, full, given, copper, at)
    return Point("scale", at, domain, *_racks(domain, full, given), length, _lane(link), walls_there)


def _racks(domain: int, loads: Sequence[RackLoad], given: Conditions) -> tuple[int | None, int | None]:
    """Racks of a domain, and accelerators of the fullest."""
    if _holds(loads, given) is None:
        return None, None
    per_rack = max(load.accelerators for load in loads)
    return ceil(domain / per_rack), per_rack


def _holds(loads: Sequence[RackLoad], given: Conditions) -> int | None:
    """Accelerators of a full rack; None where nobody says."""
    if given.per_rack is not None or not loads:
        return given.per_rack
    rack = loads[0].rack
    return None if rack is None or rack.accelerators is None else max(rack.accelerators, loads[0].accelerators)


def _length(link: ScaleUpLink, grown: bool, racks: tuple[int, int], parts: Catalogue) -> float:
    """The longest link of a domain of so many racks, before and after: what leaves a board crosses the rack, then every
    rack on the way to the middle adds a pitch."""
    floor = parts.part(FLOOR, Floor)
    within = max(link.length_m, floor.in_rack_m) if link.on_board and grown else link.length_m
    return within + floor.rack_pitch_m * max(0, racks[1] // 2 - racks[0] // 2)


def _laned(topology: Topology, at: float, given: Conditions) -> Point:
    """Lanes of another rate on the same links: copper loses more, SerDes and switches draw more."""
    loads, link, domain = rack_loads(topology, given), scale_up_link(topology), domain_size(topology)
    if link is None:
        raise ConfigError(f"{topology.name} has no link of the catalogue whose lanes could be faster")
    ratio = lane_of(link, at, topology.catalogue)
    serdes = network_power(topology).in_accelerator_w or 0.0
    each = serdes / len(topology.accelerators) * (ratio - 1)
    faster = [
        replace(
            load,
            chips_w=None if load.chips_w is None else load.chips_w.plus(Span.exact(each * load.accelerators)),
            network_w=load.network_w.times(ratio),
        )
        for load in loads
    ]
    copper = judged(link, topology.catalogue, length_m=link.length_m, lane_gbps=at)
    walls_there = _answer(topology, faster, given, copper)
    return Point("lane", at, domain, *_racks(domain, loads, given), link.length_m, at, walls_there)


def _denser(topology: Topology, at: float, given: Conditions) -> Point:
    """So many times as much in a rack of the same feed, cooling and cables."""
    link, domain = scale_up_link(topology), domain_size(topology)
    denser = [load.times(at) for load in rack_loads(topology, given)]
    walls_there = _answer(topology, denser, given, walls(topology, given)["copper"])
    length = None if link is None else link.length_m
    return Point("density", at, domain, *_racks(domain, denser, given), length, _lane(link), walls_there)


def _lane(link: ScaleUpLink | None) -> float | None:
    return None if link is None else link.row.lane_gbps
