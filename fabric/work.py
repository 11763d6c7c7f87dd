"""Work of a schedule as a library's model sees it: once it is routed, and the least that any routing makes of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.floors import Floor, borders
from fabric.algorithms.schedule import Schedule
from fabric.collectives import Collective
from fabric.routing.router import Loads
from fabric.transports import Work, among
from topologies.graph import Topology, once


def work_of(topology: Topology, pattern: Collective, schedule: Schedule, loads: Sequence[Loads]) -> Work:
    """A routed schedule: how long its bytes keep the fullest links busy, inside domains and between them."""
    found = among(topology, pattern.groups)
    own, inside = _own(topology), found.inside
    busy, rounds = np.zeros(len(inside)), [0, 0]
    for step, load in zip(schedule.steps, loads, strict=True):
        busy += load.binding
        rounds[bool((load.binding[~inside] > 0).any())] += step.rounds
    busy /= topology.csr().capacity
    return Work(
        machine=found,
        collective=pattern.name,
        algorithm=schedule.algorithm,
        inside_s=float(busy[inside].max(initial=0.0)),
        rank_s=float(busy[inside & own].max(initial=0.0)),
        outside_s=float(busy[~inside].max(initial=0.0)),
        rounds_inside=rounds[0],
        rounds_outside=rounds[1],
        messages=_messages(schedule),
    )


def least_work(topology: Topology, pattern: Collective, schedule: Schedule, least: Floor) -> Work:
    """What any routing makes of a schedule at least, so that no time of a library's model is below that of this: what
    crosses the borders of ranks and of domains, where all links there are inside or all outside domains.

    >>> from fabric.algorithms.direct import direct
    >>> from fabric.algorithms.floors import floor
    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> fabric, exchange = build("dgx-h100-superpod-256"), collective("all-to-all", 256)
    >>> schedule = direct(fabric, exchange)
    >>> least = least_work(fabric, exchange, schedule, floor(fabric, schedule))
    >>> round(least.outside_s * 400e9 * 256 / 8)                    # of 256 parts, to others than the own 8
    248
    """
    inside, outside = (
        max((busy for busy, at in zip(least.busy_s, _inside(topology), strict=True) if at is where), default=0.0)
        for where in (True, False)
    )
    return Work(
        machine=among(topology, pattern.groups),
        collective=pattern.name,
        algorithm=schedule.algorithm,
        inside_s=inside,
        rank_s=0.0,
        outside_s=outside,
        rounds_inside=0,
        rounds_outside=0,
        messages=_messages(schedule),
    )


def _messages(schedule: Schedule) -> int:
    """What the busiest rank sends at once, beyond one a round."""
    return sum(max(0, step.traffic.peers - 1) for step in schedule.steps if not step.chain)


@once
def _own(topology: Topology) -> NDArray[np.bool_]:
    """bool[A]: the arcs that leave ranks."""
    csr = topology.csr()
    return np.isin(csr.tails, csr.accelerators)


@once
def _inside(topology: Topology) -> tuple[bool | None, ...]:
    """Of every border, whether all links across it are inside domains (True), or none; None where some are."""
    csr, inside, found = topology.csr(), among(topology, None).inside, []
    for group in borders(topology):
        across = inside[group[csr.tails] != group[csr.heads]]
        found.append(None if across.any() != across.all() else bool(across.all()))
    return tuple(found)
