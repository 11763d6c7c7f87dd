"""Walls: copper, power, heat and memory limit a system together; a fabric is judged by the one that it meets first."""

from collections.abc import Mapping
from pathlib import Path

import networkx as nx

from fabric.limits.conditions import DEFAULT, Conditions
from fabric.limits.heat import heat_checks
from fabric.limits.judging import STATES, Check, worst
from fabric.limits.links import link_wall, link_walls
from fabric.limits.memory import memory_checks
from fabric.limits.power import power_checks
from fabric.limits.racks import hottest, rack_loads
from fabric.results import Wall
from topologies.graph import Topology, once
from topologies.parts import Catalogue
from topologies.registry import topology_of

__all__ = [
    "DEFAULT", "Check", "Conditions", "Wall", "assumptions", "broken", "checks", "first_wall",
    "link_walls", "walls",
]  # fmt: skip

NO_MODEL = "no model is given; `aifabric walls SPEC --workload llama-3.1-70b` judges one (--weights 140GB its bytes)"


def walls(
    topology: "Topology | nx.Graph | str | Path", given: Conditions = DEFAULT, *, parts: Catalogue | None = None
) -> dict[str, Wall | None]:
    """The state of each wall: copper, power, thermal, memory; memory is None where no model is given.

    Each is {state, margin, limit, value, unit, why, moves}: `state` is ok, marginal (the sources' ranges decide), over
    or unknown, `moves` what would move it. Raises ConfigError for conditions that name what does not exist, and as
    `build` does.

    >>> found = walls("nvl72")
    >>> found["copper"]["state"], found["power"]["state"], found["thermal"]["state"], found["memory"]
    ('ok', 'ok', 'ok', None)
    """
    built = topology_of(topology, parts=parts)
    return dict(_defaults(built)) if given == DEFAULT else _walls(built, given)


@once
def _defaults(topology: Topology) -> dict[str, Wall | None]:
    return _walls(topology, DEFAULT)


def _walls(topology: Topology, given: Conditions) -> dict[str, Wall | None]:
    found: dict[str, Wall | None] = {"copper": link_wall(topology)}
    for name, asked in checks(topology, given).items():
        found[name] = worst(asked).wall() if asked else None
    return found


def checks(topology: Topology, given: Conditions = DEFAULT) -> dict[str, list[Check]]:
    """What stands behind the walls of power, heat and memory: every value that was held against a limit.

    >>> from topologies.registry import build
    >>> [check.name for check in checks(build("nvl72"))["thermal"]]
    ['coolant flow', 'air beside the liquid', 'coolant supply', 'die heat flux']
    """
    given.check(topology.catalogue)
    loads = rack_loads(topology, given)
    return {
        "power": power_checks(topology, loads, given),
        "thermal": heat_checks(topology, loads, given),
        "memory": memory_checks(topology, given),
    }


def assumptions(topology: Topology, given: Conditions = DEFAULT) -> list[str]:
    """What the walls of power and heat take for granted: racks by default, feeds and hosts whose watts are estimates.

    >>> from topologies.registry import build
    >>> assumptions(build("hgx-h100"))
    ['walls: 8 h100-sxm in a rack (dgx-h100-rack); estimates: its watts of hosts, feed']
    """
    return [line for load in hottest(rack_loads(topology, given)) if (line := load.said)]


def broken(found: Mapping[str, Wall | None]) -> str | None:
    """Why what is described cannot be built as given: the first wall that it is over; None where it can be.

    >>> broken(walls("nvl72")) is None, "5 m of nvlink5-cartridge" in broken(walls("nvl72:length_m=5"))
    (True, True)
    """
    over = ((name, wall) for name, wall in found.items() if wall is not None and wall["state"] == "over")
    return next((f"over the {name} wall: {wall['why']}" for name, wall in over), None)


def first_wall(found: Mapping[str, Wall | None]) -> str | None:
    """The wall that is met first: the most severe state, then the largest share of the limit that is used.

    None where nothing is known of any.

    >>> first_wall(walls("nvl72")), first_wall(walls("nvl72:length_m=5"))
    ('thermal', 'copper')
    """
    known = {name: wall for name, wall in found.items() if wall is not None and wall["state"] != "unknown"}
    return max(known, key=lambda name: _severity(known[name]), default=None)


def _severity(wall: Wall) -> tuple[int, float]:
    used = 0.0 if wall["value"] is None or not wall["limit"] else wall["value"] / wall["limit"]
    return STATES.index(wall["state"]), used
