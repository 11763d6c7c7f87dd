"""The limits a fabric meets: copper here, power, heat and memory to come."""

from fabric.results import Wall
from topologies.graph import Topology, once
from topologies.reach import beyond_reach, outside, tightest_copper


@once
def walls(topology: Topology) -> dict[str, Wall | None]:
    """The state of each wall; None where no model exists yet.

    >>> from topologies.registry import build
    >>> walls(build("nvl72"))["copper"]["state"]
    'ok'
    """
    return {"copper": _copper(topology), "power": None, "thermal": None, "memory": None}


def broken(found: dict[str, Wall | None]) -> str | None:
    """Why what is described cannot be built as given: the first wall that it is over; None where it can be.

    >>> from topologies.registry import build
    >>> broken(walls(build("nvl72"))) is None, "5 m of nvlink5-cartridge" in broken(walls(build("nvl72:length_m=5")))
    (True, True)
    """
    over = ((name, wall) for name, wall in found.items() if wall is not None and wall["state"] == "over")
    return next((f"over the {name} wall: {wall['why']}" for name, wall in over), None)


def _copper(topology: Topology) -> Wall:
    long = beyond_reach(topology)
    if long:
        cable, length = long[0]
        reach = float(cable.known("reach_m"))
        why = f"{length:g} m of {cable.name} exceed its reach of {reach:g} m; use another module or cable"
        return {
            "state": "over",
            "margin": reach - length,
            "limit": reach,
            "value": length,
            "unit": "m",
            "why": why + _unbilled(topology, cable.name, length),
        }
    tightest = tightest_copper(topology)
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


def _unbilled(topology: Topology, cable: str, length_m: float) -> str:
    """Says so where a wall stands on links that watts, dollars and the bill leave out."""
    layers = outside(topology, cable, length_m)
    return f"; these are the links of {' and '.join(layers)}, which the bill leaves out" if layers else ""
