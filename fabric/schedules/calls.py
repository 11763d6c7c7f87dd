"""Calls: the collectives that a trace names and leaves to an algorithm of ours, as flows or at their price."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms import ALGORITHMS
from fabric.algorithms.grouped import scheduled
from fabric.collectives import Collective
from fabric.flows import Flows
from fabric.groups import Groups
from fabric.patterns import pattern_of
from fabric.placement import Placement, placed
from fabric.schedules.program import Exchange, Program
from fabric.timing import Assumptions, Plan, choose, steady, unrolled
from topologies.errors import InfeasibleError
from topologies.graph import Topology

BARRIER = "barrier"

_Key = tuple[str, float, tuple[int, ...]]  # of a collective: its pattern, bytes and ranks


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What a collective comes to: flows between its ranks, or (steady) a computation of each as long as it takes, of
    which `latency_s` are latency."""

    collective: str
    flows: Flows
    latency_s: float = 0.0


def called(
    topology: Topology, made: Program, given: Assumptions, placement: Placement = "packed"
) -> tuple[list[Call], list[str]]:
    """Each collective that a program calls, in its order, and what was taken for granted; alike ones are one object.

    Its flows are between accelerators, of which rank r is the one that `placement` says. Under fidelity steady a
    collective has the time that `simulate` gives it, with the prices of its library, and ranks wait for the last one
    before it begins.
    """
    said: dict[str, None] = {}
    known: dict[_Key, Call] = {}
    first: dict[tuple[str, float, int], _First] = {}
    place = placed(topology, placement, given.options.seed)
    kind_of = _kinds(topology, made, place)
    for exchange in made.exchanges:
        key = _key(exchange)
        if key in known:
            continue
        own = place[list(exchange.members)].astype(np.int32)
        if exchange.collective == BARRIER or len(own) == 1:
            known[key] = Call(exchange.collective, _meeting(own, 0.0))
            said |= {"barriers cost no messages": None} if exchange.collective == BARRIER else {}
            continue
        alike = exchange.collective, exchange.bytes, kind_of[exchange.members]
        before, pattern = first.get(alike), _pattern(topology, exchange, placement, given)
        if before is not None and given.algorithm == "auto":
            said["of process groups that lie alike, all take the algorithm that is the fastest for the first"] = None
        if before is not None and given.fidelity == "fluid":
            known[key] = _again(topology, before, exchange, own, pattern)
            continue
        plan = _plan(topology, pattern, exchange.bytes, given, before)
        known[key], words = _call(plan, exchange, own, given)
        first.setdefault(alike, _First(plan, own, known[key].flows))
        said |= dict.fromkeys(words)
    if given.fidelity == "steady" and len({exchange.members for exchange in made.exchanges}) > 1:
        said["steady: a collective of some ranks shares no links with those of others"] = None
    return [known[_key(exchange)] for exchange in made.exchanges], list(said)


@dataclass(frozen=True, slots=True, eq=False)
class _First:
    """What the first of those ranks that lie alike do in a collective: their plan, accelerators, and flows."""

    plan: Plan
    own: NDArray[np.int32]
    flows: Flows


def _again(topology: Topology, before: _First, exchange: Exchange, own: NDArray[np.int32], pattern: Collective) -> Call:
    """The flows of the first for others that lie alike: the same between their own ranks; where switches take part,
    which are those of a group, the same algorithm."""
    place = np.full(len(topology.csr().ends), -1, np.int32)
    place[before.own] = own
    source, target = place[before.flows.source], place[before.flows.target]
    if min(source.min(initial=0), target.min(initial=0)) >= 0:
        return Call(exchange.collective, replace(before.flows, source=source, target=target))
    schedule = scheduled(ALGORITHMS[before.plan.schedule.algorithm], topology, pattern)
    overlap = before.plan.schedule.overlap
    schedule = schedule if schedule.overlap == overlap else schedule.overlapped(overlap)
    return Call(exchange.collective, unrolled(replace(before.plan, schedule=schedule), exchange.bytes)[0])


def _key(exchange: Exchange) -> _Key:
    return exchange.collective, exchange.bytes, exchange.members


def _kinds(topology: Topology, made: Program, place: NDArray[np.int64]) -> dict[tuple[int, ...], int]:
    """A number for each set of ranks that call a collective; those that look alike to an algorithm have the same."""
    found: dict[tuple[int, ...], int] = {}
    sets = dict.fromkeys(exchange.members for exchange in made.exchanges)
    for size in sorted({len(members) for members in sets}):
        own = [members for members in sets if len(members) == size]
        for rows in Groups(place[np.array(own)]).kinds(topology):
            number = len(found)
            found |= {own[row]: number for row in rows.tolist()}
    return found


def _pattern(topology: Topology, exchange: Exchange, placement: Placement, given: Assumptions) -> Collective:
    every = exchange.members == tuple(range(len(topology.accelerators)))
    ranks = None if every else exchange.members
    return pattern_of(topology, exchange.collective, ranks=ranks, placement=placement, seed=given.options.seed)


def _plan(topology: Topology, pattern: Collective, size: float, given: Assumptions, before: _First | None) -> Plan:
    """The fastest algorithm, or the one that is known to be it for ranks that lie alike, where it applies."""
    if before is not None:
        try:
            return choose(topology, pattern, size, replace(given, algorithm=before.plan.schedule.algorithm))
        except InfeasibleError:
            pass
    return choose(topology, pattern, size, given)


def _call(plan: Plan, exchange: Exchange, own: NDArray[np.int32], given: Assumptions) -> tuple[Call, list[str]]:
    name = exchange.collective
    if given.fidelity == "steady":
        outcome = steady(plan, exchange.bytes)
        how = f"{name} goes by {outcome.algorithm}, {outcome.overlap}"
        latency_s = min(outcome.latency_s, outcome.time_s)
        return Call(name, _meeting(own, outcome.time_s), latency_s), [*outcome.said, how]
    flows, overlap, said = unrolled(plan, exchange.bytes)
    return Call(name, flows), [*said, f"{name} goes by {plan.schedule.algorithm}, {overlap}"]


def _meeting(own: NDArray[np.int32], seconds: float) -> Flows:
    """Everybody arrives, then everybody takes so long, and leaves."""
    ranks = len(own)
    waits = np.concatenate([np.zeros(ranks, np.int64), [ranks], np.ones(ranks, np.int64)])
    nothing = np.zeros(2 * ranks + 1)
    duration = np.concatenate([np.zeros(ranks + 1), np.full(ranks, seconds)])
    place = np.concatenate([own, own[:1], own])
    pred = np.concatenate([np.arange(ranks), np.full(ranks, ranks)]).astype(np.int32)
    return Flows(place, place, nothing, nothing, duration, np.concatenate([[0], np.cumsum(waits)]), pred)
