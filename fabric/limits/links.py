"""The copper wall: every cable and circuit against what it can carry, and what would carry more."""

from fabric.limits.boards import board_wall
from fabric.limits.racks import end_power_w
from fabric.optics import optical_wall
from fabric.results import Wall
from topologies.cabling import choose_cable, longest_m
from topologies.copper import MARGINAL_DB, Reach, copper_budget, copper_reach
from topologies.errors import ReachError
from topologies.graph import Topology, once
from topologies.optical_budget import STATES
from topologies.parts import Cable, Catalogue, CopperMode, Optic, Part, Twinax
from topologies.reach import beyond_reach, cable_lengths, outside, tightest_copper
from topologies.units import format_number

MODULE_LANES = 8  # of the module that takes the place of cables whose lanes no slower one carries


@once
def link_wall(topology: Topology) -> Wall:
    """Copper and circuits, whichever is nearer to what it can carry.

    >>> from topologies.registry import build
    >>> link_wall(build("nvl72:length_m=1.6"))["moves"]
    '2.0 dB short: 26AWG leaves +0.5 dB, or acc-1600g at +1.6 W an end'
    """
    copper, circuits = _copper(topology), optical_wall(topology)
    if circuits is None:
        return copper
    circuits = {**circuits, "moves": _brighter(circuits)}
    if copper["margin"] is None and copper["state"] == "ok":
        return circuits
    return max(copper, circuits, key=lambda wall: STATES.index(wall["state"]))


def link_walls(topology: Topology) -> list[tuple[str, Wall]]:
    """Every cable at the longest that it is used, then the circuits: its gauge and length, and its wall. Traces on
    boards are judged where a source gives their loss at the lane rate.

    >>> from topologies.registry import build
    >>> [(name, round(wall["margin"], 1), wall["unit"]) for name, wall in link_walls(build("tpu-v4-512"))]
    [('ici-v4-copper 28AWG 1 m', 8.7, 'dB'), ('circuits', 1.5, 'dB')]
    """
    rows = [
        (f"{name}{_gauge(row)} {length:g} m", wall)
        for name, length in dict(cable_lengths(topology)).items()  # sorted: the longest of each cable stays
        if (row := topology.catalogue.get(name)) is not None
        and (wall := _of_cable(row, length, topology.catalogue)) is not None
    ]
    circuits = optical_wall(topology)
    return rows if circuits is None else [*rows, ("circuits", {**circuits, "moves": _brighter(circuits)})]


def _gauge(row: Part) -> str:
    return f" {row.gauge_awg}AWG" if isinstance(row, Cable) and row.gauge_awg is not None else ""


def _of_cable(row: Part, length: float, parts: Catalogue) -> Wall | None:
    """By its loss budget, else by its reach; None for traces on a board, and for modules of circuits."""
    budget = copper_reach(row, length, parts) if isinstance(row, Cable) else None
    if budget is not None and isinstance(row, Cable):
        return reach_wall(row, budget, parts)
    if isinstance(row, Cable) and row.medium == "board":
        return board_wall(row, length, parts)
    if not isinstance(row, Cable | Optic) or (isinstance(row, Optic) and row.bidirectional):
        return None
    reach = longest_m(row)
    state = "unknown" if reach is None or row.reach_m is None else "over" if length > reach else "ok"
    if state == "ok" and length > (row.reach_m or 0.0):
        state = "marginal"
    why = f"{length:g} m of {row.name}" + (f", which reaches {row.reach_m:g} m" if row.reach_m is not None else "")
    return {
        "state": state, "margin": None if row.reach_m is None else row.reach_m - length, "limit": row.reach_m,
        "value": length, "unit": "m", "why": why if row.reach_m is not None else f"{why}, whose reach no source states",
        "moves": _farther(row, length, parts) if state in ("marginal", "over") else None,
    }  # fmt: skip


def _brighter(wall: Wall) -> str | None:
    """What gives circuits that are strained more margin."""
    if wall["state"] not in ("marginal", "over"):
        return None
    return f"{_lacking(wall['margin'])}: modules of a higher budget, a switch of lower loss, or fewer connectors"


def _lacking(margin: float) -> str:
    return f"{-margin:.1f} dB short" if margin < 0 else f"{margin:.1f} dB left"


def _copper(topology: Topology) -> Wall:
    tightest = tightest_copper(topology)
    if long := beyond_reach(topology):
        return _too_long(topology, *long[0], "over")
    strained = beyond_reach(topology, nominal=True)
    if strained and (tightest is None or tightest.state != "over"):
        return _too_long(topology, *strained[0], "marginal")
    boards = (
        [wall for wall in _boards(topology) if wall["state"] != "ok"] if tightest is not None else _boards(topology)
    )
    if boards and (tightest is None or tightest.state == "ok"):
        return max(boards, key=lambda wall: wall["value"] / wall["limit"])
    if tightest is None:
        return _unjudged(topology)
    row = topology.catalogue.part(tightest.cable, Cable)
    wall = reach_wall(row, tightest, topology.catalogue)
    return {**wall, "why": wall["why"] + _unbilled(topology, tightest.cable, tightest.length_m)}


def _boards(topology: Topology) -> list[Wall]:
    """The walls of traces that a source lets us judge."""
    rows = [(topology.catalogue.get(name), length) for name, length in cable_lengths(topology)]
    walls = [board_wall(row, length, topology.catalogue) for row, length in rows if isinstance(row, Cable)]
    return [wall for wall in walls if wall is not None]


def _unjudged(topology: Topology) -> Wall:
    """No cable has a loss budget."""
    media = {edge["medium"] for _, _, edge in topology.edges}
    why = "no copper cable; optics within their reach"
    if media == {"board"}:
        why = "traces on boards, whose layers no source states, are not judged"
    if "unstated" in media:
        why = "links of a file that states no medium"
    if media & {"copper", "active-copper"}:
        why = "copper cables of unstated gauge or mode"
    state = "unknown" if media & {"copper", "active-copper", "unstated"} else "ok"
    return {"state": state, "margin": None, "limit": None, "value": None, "unit": "dB", "why": why, "moves": None}


def reach_wall(row: Cable, reach: Reach, parts: Catalogue) -> Wall:
    """The budget of a copper cable as a wall."""
    return {
        "state": reach.state,
        "margin": reach.margin_db,
        "limit": reach.allowance_db,
        "value": reach.loss_db,
        "unit": "dB",
        "why": reach.why,
        "moves": None if reach.state == "ok" else _instead(row, reach, parts),
    }


def _instead(row: Cable, reach: Reach, parts: Catalogue) -> str:
    """A thicker gauge of the same mode, or the first active cable or module that reaches, with its watts."""
    ways, sold = [], reach.sold_m
    mode = parts.part(row.copper_mode or "", CopperMode)
    for wire in sorted(parts.of_kind(Twinax), key=lambda wire: -wire.gauge_awg):
        thicker = copper_budget(row.name, mode, wire, reach.length_m, sold)
        if wire.gauge_awg < (row.gauge_awg or 0) and thicker.closes:
            ways.append(f"{wire.gauge_awg}AWG leaves {thicker.margin_db:+.1f} dB")
            break
    try:
        other = choose_cable(row.rate_gbps, reach.length_m, parts)
        if other.lane_gbps < reach.lane_gbps:
            other = choose_cable(MODULE_LANES * reach.lane_gbps, reach.length_m, parts)
        if other.name != row.name:
            more = end_power_w(other, row.rate_gbps) * (row.rate_gbps / other.rate_gbps if _whole(other) else 1)
            more -= row.power_w_per_end or 0.0
            ways.append(f"{other.name} at {more:+.1f} W an end")
    except ReachError:
        ways.append("a shorter cable")
    margin = reach.margin_db
    if margin < MARGINAL_DB:
        return f"{_lacking(margin)}: {', or '.join(ways) or 'a shorter cable'}"
    return f"{format_number(reach.length_m - (sold or 0.0))} m longer than any sold: {', or '.join(ways)}"


def _whole(row: Cable | Optic) -> bool:
    """Are the watts of its row those of an end of the whole cable, which several links may share?"""
    return isinstance(row, Cable)


def _too_long(topology: Topology, cable: Cable | Optic, length: float, state: str) -> Wall:
    """The wall of a cable that is judged by its length: over what any source gives, or over the catalogue's value."""
    reach = float((longest_m(cable) if state == "over" else cable.reach_m) or 0.0)
    why = f"{length:g} m of {cable.name} exceed its reach of {reach:g} m"
    why += "; use another module or cable" if state == "over" else f", which one source puts at {longest_m(cable):g} m"
    return {
        "state": state, "margin": reach - length, "limit": reach, "value": length, "unit": "m",
        "why": why + _unbilled(topology, cable.name, length), "moves": _farther(cable, length, topology.catalogue),
    }  # fmt: skip


def _farther(cable: Cable | Optic, length_m: float, parts: Catalogue) -> str:
    """What reaches so far at the same rate."""
    try:
        return f"{length_m:g} m at {cable.rate_gbps:g} Gb/s: {choose_cable(cable.rate_gbps, length_m, parts).name}"
    except ReachError:
        return "a shorter link"


def _unbilled(topology: Topology, cable: str, length_m: float) -> str:
    """Says so where a wall stands on links that watts, dollars and the bill leave out."""
    layers = outside(topology, cable, length_m)
    return f"; these are the links of {' and '.join(layers)}, which the bill leaves out" if layers else ""
