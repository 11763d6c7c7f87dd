"""Grouped: the schedules of several groups of ranks that run at once, merged into one of the whole fabric."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import MAX_FLOWS
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import Algorithm, NotApplicable, Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.selection import with_ranks

Maker = Callable[[int], Messages]


def scheduled(algorithm: Algorithm, topology: Topology, collective: Collective) -> Schedule:
    """What an algorithm does on a topology: on all ranks, or in every group of the collective's at once.

    Each group runs the schedule of its own ranks; groups that look alike to an algorithm (`Groups.kinds`) are given one
    that is built once. Step k of all of them is one step: phases of groups that differ keep pace with each other.
    NotApplicable where the algorithm does not serve one of the groups.

    >>> from fabric.algorithms.ring import ring
    >>> from fabric.collectives import collective
    >>> from fabric.groups import Groups
    >>> from topologies.registry import build
    >>> pairs = Groups(np.arange(8).reshape(4, 2))
    >>> scheduled(ring, build("ring:n=8"), collective("all-reduce", 2, groups=pairs)).steps[0].traffic.total
    8.0
    """
    groups = collective.groups
    if groups is None:
        return algorithm(topology, collective)
    alone, ranks = replace(collective, groups=None), len(topology.accelerators)
    parts = []
    for rows in groups.kinds(topology):
        schedule = algorithm(with_ranks(topology, groups.members[rows[0]]), alone)
        if schedule.ends == groups.n:
            parts.append(_over(schedule, groups.members[rows], ranks))
            continue
        for row in rows.tolist():  # each group has its own switches, which ranks alone do not tell
            own = groups.members[row : row + 1]
            parts.append(_over(algorithm(with_ranks(topology, own[0]), alone), own, ranks))
    return parts[0] if len(parts) == 1 else _merged(parts)


def _over(schedule: Schedule, members: NDArray[np.int64], ranks: int) -> Schedule:
    """A schedule in every group at once, between the ranks of the whole."""
    traffic = {id(step.traffic): step.traffic.over(members, ranks) for step in schedule.steps}  # one where one was
    steps = [replace(step, traffic=traffic[id(step.traffic)]) for step in schedule.steps]
    return replace(schedule, steps=tuple(steps), messages=_all(schedule, members, ranks))


def _all(schedule: Schedule, members: NDArray[np.int64], ranks: int) -> Maker | None:
    """The messages of all groups; InfeasibleError above as many as fluid takes."""
    made = schedule.messages
    if made is None:
        return None

    def every(chunks: int) -> Messages:
        one = made(chunks)
        if len(one) * len(members) > MAX_FLOWS:
            count = f"{schedule.algorithm} in {len(members):,} groups has {len(one) * len(members):,} flows"
            raise InfeasibleError(f"{count}; fluid takes at most {MAX_FLOWS:,}: use --fidelity steady")
        return one.over(members, ranks)

    return every


def _merged(parts: Sequence[Schedule]) -> Schedule:
    """Schedules of one algorithm side by side, step by step; one with fewer steps is done earlier."""
    overlaps = {part.overlap for part in parts}
    if len(overlaps) > 1:
        raise NotApplicable(f"{parts[0].algorithm} overlaps its steps in other ways from group to group")
    steps = [_together([step for step in row if step]) for row in zip_longest(*(part.steps for part in parts))]
    relays = dict.fromkeys(part.relays for part in parts if part.relays)
    makers = [part.messages for part in parts if part.messages is not None]

    def messages(chunks: int) -> Messages:
        return Messages.joined([make(chunks) for make in makers])

    return replace(
        parts[0],
        steps=tuple(steps),
        relays=", ".join(relays) or None,
        messages=messages if len(makers) == len(parts) else None,
    )


def _together(steps: Sequence[Step]) -> Step:
    """Steps at once, as long as the longest."""
    return Step(
        " and ".join(dict.fromkeys(step.name for step in steps)),
        Traffic.joined([step.traffic for step in steps]),
        max(step.rounds for step in steps),
        all(step.chain for step in steps),
        any(step.whole for step in steps),
    )
