"""Calls: the collectives that a trace names and leaves to an algorithm of ours, as flows or at their price."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.flows import Flows
from fabric.patterns import pattern_of
from fabric.placement import Placement, placed
from fabric.schedules.program import Exchange, Program
from fabric.timing import Assumptions, choose, steady, unrolled
from topologies.graph import Topology

BARRIER = "barrier"


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
    known: dict[tuple[str, float, tuple[int, ...]], Call] = {}
    for exchange in made.exchanges:
        key = exchange.collective, exchange.bytes, exchange.members
        if key not in known:
            known[key], words = _call(topology, exchange, given, placement)
            said |= dict.fromkeys(words)
    calls = [known[exchange.collective, exchange.bytes, exchange.members] for exchange in made.exchanges]
    if given.fidelity == "steady" and len({exchange.members for exchange in made.exchanges}) > 1:
        said["steady: a collective of some ranks shares no links with those of others"] = None
    return calls, list(said)


def _call(
    topology: Topology, exchange: Exchange, given: Assumptions, placement: Placement
) -> tuple[Call, list[str]]:  # fmt: skip
    name, members = exchange.collective, exchange.members
    own = placed(topology, placement, given.options.seed)[list(members)].astype(np.int32)
    if name == BARRIER or len(members) == 1:
        return Call(name, _meeting(own, 0.0)), ["barriers cost no messages"] if name == BARRIER else []
    ranks = None if members == tuple(range(len(topology.accelerators))) else members
    pattern = pattern_of(topology, name, ranks=ranks, placement=placement, seed=given.options.seed)
    plan = choose(topology, pattern, exchange.bytes, given)
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
