"""Time-shared links: which share of the time they are up, how long one waits for them, and what to say about it."""

from dataclasses import dataclass

from topologies.bare import WAITS
from topologies.graph import Topology, once
from topologies.units import format_time_us


@dataclass(frozen=True, slots=True)
class Sharing:
    """The links of a fabric that are up part of the time: how many, the least and the largest share, and the wait for
    one at a random moment, mean and longest (s; None where some links give their share alone)."""

    links: int
    least_duty: float
    largest_duty: float
    mean_wait_s: float | None
    worst_wait_s: float | None


@once
def sharing(topology: Topology) -> Sharing | None:
    """What is time-shared on a topology; None where nothing is.

    The longest of the links' mean waits stands for all: those of one fabric are alike.

    >>> from topologies.registry import build
    >>> found = sharing(build("rotor:racks=8,uplinks=1,slot_us=200"))  # 7 slots, up 180 of 1,400 us
    >>> found.links, round(found.least_duty, 4), round(found.mean_wait_s * 1e6, 1), round(found.worst_wait_s * 1e6)
    (28, 0.1286, 531.6, 1220)
    """
    if all(edge["duty"] >= 1 for edge in topology.edge_kinds[0]):
        return None
    shared = [edge for _, _, edge in topology.edges if edge["duty"] < 1]
    duties = [edge["duty"] for edge in shared]
    known = all(key in edge for edge in shared for key in WAITS)
    mean, worst = (max(edge[key] for edge in shared) * 1e-9 if known else None for key in WAITS)
    return Sharing(int(sum(edge["count"] for edge in shared)), min(duties), max(duties), mean, worst)


def said(topology: Topology) -> list[str]:
    """What answers about a time-shared fabric stand on, for their reader."""
    found = sharing(topology)
    if found is None:
        return []
    least, largest = (f"{100 * duty:.3g} %" for duty in (found.least_duty, found.largest_duty))
    share = least if least == largest else f"{least} to {largest}"
    lines = [
        f"{found.links:,} links are up {share} of the time: rates are averages over their cycle, "
        "and distances count such a link as if it were there"
    ]
    if found.mean_wait_s is None or found.worst_wait_s is None:
        lines.append(
            f"no latency: of {found.links:,} time-shared links only the share of time is known "
            f"({' and '.join(WAITS)} of each would give it); times leave out the wait for them"
        )
    elif found.worst_wait_s > 0:
        mean, worst = (format_time_us(wait * 1e6) for wait in (found.mean_wait_s, found.worst_wait_s))
        lines.append(f"latency includes the mean wait for a link's slot, {mean}; at worst it is {worst}")
    return lines
