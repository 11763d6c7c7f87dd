"""The link of a scale-up domain as it is, and at another length or lane rate: what copper would lose there."""

from dataclasses import dataclass, replace

from fabric.limits.boards import board_wall
from fabric.limits.judging import Check, Span
from fabric.limits.links import reach_wall
from fabric.limits.racks import IN_RACK_TIER
from fabric.results import Wall
from topologies.cabling import longest_m
from topologies.copper import copper_reach
from topologies.errors import ReachError
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Cable, Catalogue, CopperMode, Optic

PASSIVE = "passive"  # what takes the place of a mode that nobody has at a lane rate


@dataclass(frozen=True, slots=True)
class ScaleUpLink:
    """The most strained class of links of the scale-up domains; of all links where there is none, and then not
    `grows`: a larger fabric has more of them, not longer ones."""

    row: Cable | Optic
    length_m: float
    grows: bool = True

    @property
    def on_board(self) -> bool:
        """Is it traces, or a cable that only spans a board?"""
        return isinstance(self.row, Cable) and self.row.medium == "board"


@once
def scale_up_link(topology: Topology) -> ScaleUpLink | None:
    """The tightest by its budget, else the longest on a board or in light; None where no link has a catalogue row.

    >>> from topologies.registry import build
    >>> scale_up_link(build("dgx-h100-superpod-256")).row.name, scale_up_link(build("nvl72")).length_m
    ('nvlink4-board', 1.0)
    """
    nodes = topology.graph.nodes(data=True)
    inside = {n for n, own in nodes if own["kind"] == "switch" and own.get("tier", 1) == IN_RACK_TIER}
    grows = bool(inside) or "switch" not in topology.attribute("kind")
    classes = {
        (edge["cable"], float(edge["length_m"]))
        for a, b, edge in topology.edges
        if edge["technology"] not in HOST_TECHNOLOGIES and edge["medium"] != "circuit"
        and (not inside or a in inside or b in inside)
    }  # fmt: skip
    links = [
        ScaleUpLink(row, length, grows)
        for cable, length in sorted(classes)
        if isinstance(row := topology.catalogue.get(cable), Cable | Optic)
    ]

    def strain(link: ScaleUpLink) -> tuple[bool, float]:
        budget = copper_reach(link.row, link.length_m, topology.catalogue) if isinstance(link.row, Cable) else None
        return budget is not None, link.length_m if budget is None else -budget.margin_db

    return max(links, key=strain, default=None)


def mode_of(name: str, lane_gbps: float, parts: Catalogue) -> CopperMode | None:
    """The mode of the same kind at a lane rate, else the passive one; a SerDes class counts as the payload that it
    carries: 112 as 100, 224 as 200, 448 as 400. None where the catalogue has none.

    >>> from topologies.parts import catalogue
    >>> mode_of("cartridge-200g", 112, catalogue()).name, mode_of("aec-100g", 448, catalogue()).name
    ('passive-100g', 'passive-400g')
    """
    rows = [row for row in parts.of_kind(CopperMode) if row.lane_gbps <= lane_gbps < 2 * row.lane_gbps]
    kind = name.partition("-")[0]
    for wanted in (kind, PASSIVE):
        found = [row for row in rows if row.name.startswith(f"{wanted}-")]
        if found:
            return max(found, key=lambda row: row.lane_gbps)
    return None


def judged(link: ScaleUpLink, parts: Catalogue, *, length_m: float, lane_gbps: float | None = None) -> Wall:
    """The link at a length and a lane rate; its own where none is given."""
    row = link.row
    if isinstance(row, Optic):
        return _optic(row, length_m, lane_gbps)
    if link.on_board and length_m <= link.length_m:
        same = lane_gbps is None or row.lane_gbps <= lane_gbps < 2 * row.lane_gbps
        board = board_wall(row, length_m, parts) if same else None
        if board is not None:
            return board
        return _unknown("traces on boards, whose layers no source states, are not judged", "ok" if same else "unknown")
    cable = row
    if row.copper_mode is None:
        substitute = _default(row.lane_gbps, parts)
        if substitute is None:
            return _unknown(f"no source states the gauge or mode of {row.name}")
        cable = replace(substitute, rate_gbps=row.rate_gbps)
    if lane_gbps is not None:
        mode = mode_of(cable.copper_mode or PASSIVE, lane_gbps, parts)
        if mode is None:
            return _unknown(f"no source says what copper carries at {lane_gbps:g} Gb/s a lane")
        if mode.lane_gbps != cable.lane_gbps:
            cable = _at_lane(cable, mode)
    budget = copper_reach(cable, length_m, parts)
    if budget is None:
        return _unknown(f"no source states the gauge or mode of {cable.name}")
    return reach_wall(cable, budget, parts)


def _at_lane(cable: Cable, mode: CopperMode) -> Cable:
    """The same wire with other lanes on it: what is sold of the old ones says nothing of it."""
    rate = cable.rate_gbps * mode.lane_gbps / cable.lane_gbps
    ranges = {key: bounds for key, bounds in cable.ranges.items() if key != "reach_m"}
    return replace(cable, copper_mode=mode.name, lane_gbps=mode.lane_gbps, rate_gbps=rate, reach_m=None, ranges=ranges)


def _default(lane_gbps: float, parts: Catalogue) -> Cable | None:
    """The first ordinary passive cable of lanes that fast: what leaves a board."""
    rows = [row for row in parts.of_kind(Cable) if row.technology == "dac" and row.default_for_gbps]
    return next((row for row in rows if row.lane_gbps == lane_gbps and row.copper_mode is not None), None)


def _optic(row: Optic, length_m: float, lane_gbps: float | None) -> Wall:
    if lane_gbps is not None and not row.lane_gbps <= lane_gbps < 2 * row.lane_gbps:
        return _unknown(f"{row.name} has lanes of {row.lane_gbps:g} Gb/s; name another module with cable=")
    reach = longest_m(row)
    limit = None if reach is None else Span.exact(reach)
    why = f"{length_m:g} m of {row.name}" + ("" if reach is None else f", which reaches {reach:g} m")
    return Check("reach", Span.exact(length_m), limit, "m", why, "" if limit is None else "another module").wall() | (
        {} if reach is not None and length_m > reach else {"moves": None}
    )


def _unknown(why: str, state: str = "unknown") -> Wall:
    return {"state": state, "margin": None, "limit": None, "value": None, "unit": "dB", "why": why, "moves": None}


def lane_of(link: ScaleUpLink, lane_gbps: float, parts: Catalogue) -> float:
    """A lane rate over the link's own, both as payload."""
    mode = mode_of(PASSIVE, lane_gbps, parts)
    if mode is None:
        known = ", ".join(f"{row.lane_gbps:g}" for row in parts.of_kind(CopperMode) if row.name.startswith(PASSIVE))
        raise ReachError(f"no copper mode has lanes of {lane_gbps:g} Gb/s; there are {known}")
    return mode.lane_gbps / link.row.lane_gbps
