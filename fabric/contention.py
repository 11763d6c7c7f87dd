"""Contention: which of the groups that run at once meet on the link that binds them all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.groups import Groups
from fabric.routing.registry import route
from fabric.routing.router import RoutingOptions
from fabric.timing import Plan
from fabric.traffic import Traffic
from topologies.graph import Topology

ONE_WAY = ("dor", "ecmp", "weighted", "minimal", "dmodk", "lft")  # what a group sends takes the ways it takes alone
MOST_LOOKS = 256  # routings of some of the groups
LEAST_LOOKS = 16
ARCS_LOOKED_AT = 30_000_000


@dataclass(frozen=True, slots=True)
class Sharers:
    """Groups (rows of `Groups.members`) on one link; `fold` is what all put on it over what the largest of them does.

    Where not `complete` there may be more of them, and `fold` counts those that were found.
    """

    groups: tuple[int, ...]
    of: int
    fold: float
    complete: bool

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"groups": list(self.groups), "of": self.of, "fold": self.fold, "complete": self.complete}


def sharers(plan: Plan) -> Sharers | None:
    """The groups whose traffic crosses the binding link of a plan, None where there is one group.

    Sets of groups are routed by themselves and halved until each that crosses the link stands alone. Where the routing
    spreads by what others do, by an even split over shortest paths.

    >>> from fabric.explaining import planned
    >>> from topologies.registry import build
    >>> tree = build("clos:hosts=8,leaf_hosts=4,uplinks=1,spines=1")
    >>> sharers(planned(tree, "all-to-all", 1e9, "direct", group="tp=4,dp=2", over="dp")).groups
    (0, 1, 2, 3)
    """
    groups = plan.collective.groups
    if groups is None or len(groups) < 2:
        return None
    group = np.full(len(plan.topology.accelerators), -1)
    group[groups.members] = np.arange(len(groups))[:, None]
    traffic = Traffic.joined([step.traffic for step in plan.schedule.steps])
    return _halved(plan.topology, traffic, group[traffic.entry_target], plan)


def _halved(topology: Topology, traffic: Traffic, of_entry: NDArray[np.int64], plan: Plan) -> Sharers:
    routing = plan.routing if plan.routing.partition(":")[0] in ONE_WAY else "ecmp"
    looks = int(np.clip(ARCS_LOOKED_AT // len(topology.csr().heads), LEAST_LOOKS, MOST_LOOKS))
    groups = int(of_entry.max()) + 1
    waiting, found = [(0, groups)], dict[int, float]()
    while waiting and looks:
        first, last = waiting.pop()
        looks -= 1
        carried = _carried(topology, traffic, (of_entry >= first) & (of_entry < last), routing, plan)
        if carried <= 0:
            continue
        if last - first == 1:
            found[first] = carried
        else:
            middle = (first + last) // 2
            waiting += [(middle, last), (first, middle)]
    fold = sum(found.values()) / max(found.values()) if found else 0.0
    return Sharers(tuple(found), groups, fold, not waiting)


def _carried(topology: Topology, traffic: Traffic, mine: NDArray[np.bool_], routing: str, plan: Plan) -> float:
    """What some of the entries put on the binding link."""
    some = replace(
        traffic, entry_target=traffic.entry_target[mine], entry_list=traffic.entry_list[mine],
        entry_scale=traffic.entry_scale[mine],
    )  # fmt: skip
    options: RoutingOptions = plan.options
    return float(route(topology, some, routing, options).binding[plan.binding_arc])


def told(found: Sharers, groups: Groups, link: Sequence[str]) -> str:
    """Who shares the link, in a sentence.

    >>> pairs = Groups(np.arange(8).reshape(4, 2))
    >>> told(Sharers((0, 3), 4, 2.0, True), pairs, ("leaf-0", "spine-0"))
    'Groups 0 and 3 of 4 (0: ranks 0 and 1) share the link leaf-0 > spine-0, twice what one of them puts on it.'
    """
    name = f"the link {link[0]} > {link[1]}"
    if not found.groups:
        return f"No group crosses {name} on its shortest paths: detours load it."
    shown = [str(group) for group in found.groups[:6]]
    if len(found.groups) > len(shown):
        shown.append(f"{len(found.groups) - len(shown):,} more")
    more = "" if found.complete else ", at least these,"
    first = f"({found.groups[0]}: {groups.named(found.groups[0])})"
    if len(found.groups) == 1 and found.complete:
        return f"Group {shown[0]} of {found.of:,} {first} has {name} for itself: no contention there."
    names = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    fold = "twice" if round(found.fold, 3) == 2 else f"{found.fold:.3g} times"
    return f"Groups {names} of {found.of:,} {first}{more} share {name}, {fold} what one of them puts on it."
