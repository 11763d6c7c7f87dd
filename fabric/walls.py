"""The limits a fabric meets: copper here, power, heat and memory to come."""

from fabric.optics import optical_wall
from fabric.results import Wall
from topologies.cabling import longest_m
from topologies.graph import Topology, once
from topologies.optical_budget import STATES
from topologies.parts import Cable, Optic
from topologies.reach import beyond_reach, outside, tightest_copper


@once
def walls(topology: Topology) -> dict[str, Wall | None]:
    """The state of each wall; None where no model exists yet.

    >>> from topologies.registry import build
    >>> walls(build("nvl72"))["copper"]["state"]
    'ok'
    """
    return {"copper": _links(topology), "power": None, "thermal": None, "memory": None}


def broken(found: dict[str, Wall | None]) -> str | None:
    """Why what is described cannot be built as given: the first wall that it is over; None where it can be.

    >>> from topologies.registry import build
    >>> broken(walls(build("nvl72"))) is None, "5 m of nvlink5-cartridge" in broken(walls(build("nvl72:length_m=5")))
    (True, True)
    """
    over = ((name, wall) for name, wall in found.items() if wall is not None and wall["state"] == "over")
    return next((f"over the {name} wall: {wall['why']}" for name, wall in over), None)


def _links(topology: Topology) -> Wall:
    """Copper and circuits, whichever is nearer to what it can carry."""
    copper, circuits = _copper(topology), optical_wall(topology)
    if circuits is None:
        return copper
    if copper["margin"] is None and copper["state"] == "ok":
        return circuits
    return max(copper, circuits, key=lambda wall: STATES.index(wall["state"]))


def _copper(topology: Topology) -> Wall:
    tightest = tightest_copper(topology)
    if long := beyond_reach(topology):
        return _too_long(topology, *long[0], "over")
    strained = beyond_reach(topology, nominal=True)
    if strained and (tightest is None or tightest.state != "over"):
        return _too_long(topology, *strained[0], "marginal")
    if tightest is None:
        media = {edge["medium"] for _, _, edge in topology.edges}
        why = "no copper cable; optics within their reach"
        if "unstated" in media:
            why = "links of a file that states no medium"
        if media & {"copper", "active-copper"}:
            why = "copper cables of unstated gauge or mode"
        state = "unknown" if media & {"copper", "active-copper", "unstated"} else "ok"
        return {"state": state, "margin": None, "limit": None, "value": None, "unit": "dB", "why": why}
    return {
        "state": tightest.state,
        "margin": tightest.margin_db,
        "limit": tightest.allowance_db,
        "value": tightest.loss_db,
        "unit": "dB",
        "why": tightest.why + _unbilled(topology, tightest.cable, tightest.length_m),
    }


def _too_long(topology: Topology, cable: Cable | Optic, length: float, state: str) -> Wall:
    """The wall of a cable that is judged by its length: over what any source gives, or over the catalogue's value."""
    reach = float((longest_m(cable) if state == "over" else cable.reach_m) or 0.0)
    why = f"{length:g} m of {cable.name} exceed its reach of {reach:g} m"
    why += "; use another module or cable" if state == "over" else f", which one source puts at {longest_m(cable):g} m"
    return {
        "state": state, "margin": reach - length, "limit": reach, "value": length, "unit": "m",
        "why": why + _unbilled(topology, cable.name, length),
    }  # fmt: skip


def _unbilled(topology: Topology, cable: str, length_m: float) -> str:
    """Says so where a wall stands on links that watts, dollars and the bill leave out."""
    layers = outside(topology, cable, length_m)
    return f"; these are the links of {' and '.join(layers)}, which the bill leaves out" if layers else ""
