"""Programs as timelines: every message a flow that shares links (fluid), or each alone on its path (steady)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.flows import Flows
from fabric.fluid import FluidResult, fluid_completion
from fabric.placement import Placement, placed
from fabric.routing.paths import Paths, flow_paths
from fabric.routing.registry import resolve
from fabric.schedules import Recorded
from fabric.schedules.calls import Call, called
from fabric.schedules.program import COMPUTE as COMPUTES
from fabric.schedules.program import SEND, Program, by_waiting
from fabric.schedules.roofline import rated
from fabric.timing import Assumptions, fluid_routing, fullest
from fabric.tracing.timeline import COMPUTE, MEETING, Timeline, ready_times
from topologies.errors import ConfigError
from topologies.graph import Topology

MESSAGE = "send"
ROUNDING = 1e-12  # of the time, below which a wait for links is the rounding of a sum
MANY = 100_000  # flows from which it is worth saying what goes on


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """A timeline, the routing, the fullest link (None: nothing is known of links), what was taken for granted, and the
    seconds that no fabric is faster than: computations, and what waits for what."""

    timeline: Timeline
    routing: str
    bottleneck: dict[str, Any] | None
    said: list[str]
    floor_s: float


def program_timeline(
    topology: Topology, recorded: Recorded, size_bytes: float, given: Assumptions, *, placement: Placement = "packed",
    compute_scale: tuple[float, float] = (1.0, 1.0), progress: Callable[[str], None],
) -> Timed:  # fmt: skip
    """What a recorded schedule does on a fabric, rank r of the file on the accelerator that `placement` gives it.

    Fluid: all messages share links max-min fairly. Steady: a message takes the latency of its path and its bytes at the
    rate that the path has alone, whatever else is sent; a collective called by name takes what its library makes of it.
    Computations take `compute_scale` times as long as the file says, and as those of which it says what they do need.
    """
    ranks = len(topology.accelerators)
    if recorded.ranks > ranks:
        raise ConfigError(f"{recorded.name} has {recorded.ranks:,} ranks, {topology.name} {ranks:,} accelerators")
    routing, said = fluid_routing(resolve(topology, given.routing))
    made, timed = rated(topology, recorded.program(size_bytes), *compute_scale)
    ends, rank_of = _homes(topology, recorded, placement, given.options.seed)
    calls, more = called(topology, made, given, placement)
    inner = [replace(c.flows, source=rank_of[c.flows.source], target=rank_of[c.flows.target]) for c in calls]
    flows = made.flows(inner)
    physical = replace(flows, source=ends[flows.source], target=ends[flows.target])
    if len(flows) >= MANY:
        progress(f"{len(flows):,} operations of {recorded.ranks:,} ranks: paths")
    options = given.options
    paths = flow_paths(
        topology, physical.source, physical.target, routing, tie=options.tie, seed=options.seed, threads=options.threads
    )
    latency_s, alone_s = _alone(topology, physical, paths)
    if len(flows) >= MANY:
        progress(f"{len(flows):,} operations of {recorded.ranks:,} ranks: {given.fidelity}")
    run, ways = (physical, paths) if given.fidelity == "fluid" else _unshared(physical, latency_s + alone_s)
    found = fluid_completion(topology, run, paths=ways, in_network=True)
    busiest = int(np.argmax(found.link_bytes / topology.csr().capacity))
    end = None
    if found.link_bytes[busiest] > 0:
        end = fullest(topology, busiest, float(found.link_bytes[busiest]), found.makespan)
    if (np.array(made.kind) == SEND).any():
        said = [*said, "a send starts without waiting for its receive"]
    if given.fidelity != "fluid":
        shared = "steady: messages share no links with others; --fidelity fluid lets them"
        said = [*said, shared] if (flows.bytes > 0).any() else said
    if recorded.ranks < ranks:
        said.append(f"{recorded.ranks:,} of {ranks:,} accelerators take part")
    turns, delayed = _turns(flows, found)
    said += [f"computations on one processor take turns: {delayed:,} wait for theirs"] if delayed else []
    timeline = _timeline(made, turns, calls, found.finish, latency_s, alone_s)
    return Timed(timeline, routing, end, [*timed, *said, *more, *recorded.notes], _floor(topology, made, flows))


def _homes(
    topology: Topology, recorded: Recorded, placement: Placement, seed: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The accelerator of every rank, and the rank of every accelerator; those that no rank of the file runs on have
    the ranks behind. Switches, which are numbered behind accelerators, stay what they are."""
    own = placed(topology, placement, seed)
    n, every = len(topology.accelerators), len(topology.csr().ends)
    if len(own) < recorded.ranks:
        told = f"placement {placement} names {len(own):,} accelerators"
        raise ConfigError(f"{told}; {recorded.name} has {recorded.ranks:,} ranks")
    ends = np.arange(every, dtype=np.int32)
    ends[:n] = np.concatenate([own, np.setdiff1d(np.arange(n), own)])
    rank_of = np.empty_like(ends)
    rank_of[ends] = np.arange(every, dtype=np.int32)
    return ends, rank_of


def _floor(topology: Topology, made: Program, flows: Flows) -> float:
    """The makespan where messages and collectives take no time."""
    own = flows.duration.copy()
    own[len(made) :] = 0.0
    bare, ways = _unshared(replace(flows, duration=own), np.zeros(len(flows)))
    return fluid_completion(topology, bare, paths=ways, in_network=True).makespan


def _alone(topology: Topology, flows: Flows, paths: Paths) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latency of each flow's path, and seconds of its bytes at the rate that the path has alone."""
    capacity = topology.csr().capacity
    per_byte = np.zeros(len(paths.latency_s))
    np.maximum.at(per_byte, np.repeat(np.arange(len(per_byte)), np.diff(paths.ptr)), paths.shares / capacity[paths.arc])
    moves = flows.source != flows.target
    latency = np.where(moves, paths.latency_s[paths.path_of], 0.0)
    return latency, np.where(moves, per_byte[paths.path_of] * flows.bytes, 0.0)


def _unshared(flows: Flows, seconds: NDArray[np.float64]) -> tuple[Flows, Paths]:
    """The same with each message as a computation of its time alone: the longest chain through what waits for what."""
    none = np.zeros(len(flows))
    alike = Paths(np.zeros(2, np.int64), np.zeros(0, np.int32), None, np.zeros(1), np.zeros(len(flows), np.int32))
    return replace(flows, target=flows.source, bytes=none, duration=flows.duration + seconds), alike


def _turns(flows: Flows, found: FluidResult) -> tuple[Flows, int]:
    """The flows with each computation waiting for the one before it on its processor too, and how many have to."""
    if flows.processor is None:
        return flows, 0
    own = np.flatnonzero(flows.processor >= 0)
    own = own[np.lexsort((own, found.start[own], flows.processor[own]))]
    behind = np.flatnonzero(np.diff(flows.processor[own]) == 0)
    before, after = own[behind], own[behind + 1]
    held = found.start[after] > ready_times(found.finish, flows.pred_ptr, flows.pred)[after]
    before, after = before[held], after[held]
    waiting = np.concatenate([np.repeat(np.arange(len(flows)), np.diff(flows.pred_ptr)), after])
    pred_ptr, pred = by_waiting(waiting, np.concatenate([flows.pred.astype(np.int64), before]), len(flows))
    return replace(flows, pred_ptr=pred_ptr, pred=pred), len(after)


def _timeline(
    made: Program, flows: Flows, calls: Sequence[Call], finish: NDArray[np.float64], latency_s: NDArray[np.float64],
    alone_s: NDArray[np.float64],
) -> Timeline:  # fmt: skip
    """Operations in the order of the flows: those of the program, then those of each call."""
    kinds = (COMPUTE, MESSAGE, *dict.fromkeys(call.collective for call in calls))
    kind = np.full(len(flows), MEETING, np.int16)
    own = np.array(made.kind, np.int64)
    kind[: len(made)][own == SEND] = 1
    kind[: len(made)][(own == COMPUTES) & (np.array(made.seconds) > 0)] = 0
    starts = np.cumsum([len(made), *(len(call.flows) for call in calls)])
    called_latency = np.zeros(len(flows))
    for call, start in zip(calls, starts[:-1].tolist(), strict=True):
        kind[start : start + len(call.flows)] = kinds.index(call.collective)
        called_latency[start : start + len(call.flows)] = call.latency_s
    ready = ready_times(finish, flows.pred_ptr, flows.pred)
    parts = _parts(kind, flows, ready, finish, latency_s, alone_s, called_latency)
    ends = (flows.source < made.ranks), (flows.target < made.ranks)
    peer = np.where(ends[1] & (flows.target != flows.source), flows.target, -1).astype(np.int32)
    row = np.where(ends[0], flows.source, -1).astype(np.int32)

    def name(operation: int) -> str:
        if operation < len(made):
            return made.name[operation]
        call = int(np.searchsorted(starts, operation, side="right")) - 1
        return f"{calls[call].collective} {call + 1}"

    labels = [f"rank {rank}" for rank in range(made.ranks)]
    counts = np.ones(made.ranks, np.int64)
    return Timeline(labels, counts, kinds, kind, row, peer, ready, finish, parts, flows.pred_ptr, flows.pred, name)


def _parts(
    kind: NDArray[np.int16], flows: Flows, ready: NDArray[np.float64], finish: NDArray[np.float64],
    latency_s: NDArray[np.float64], alone_s: NDArray[np.float64], called_latency: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """What the time of each operation is made of; what a message has not for itself is waiting, so that parts sum up.

    The messages of one collective share links as its algorithm has it: that is what its bytes take.
    """
    spent = finish - ready
    parts = np.zeros((len(spent), 4))
    computes = kind == 0
    parts[computes, 0] = spent[computes]
    rest = np.where(computes, 0.0, np.maximum(spent, 0.0))
    parts[:, 2] = np.minimum(rest, np.where(flows.duration > 0, called_latency, latency_s))
    rest = rest - parts[:, 2]
    parts[:, 1] = np.where(kind == 1, np.minimum(rest, alone_s), rest)
    waits = rest - parts[:, 1]
    waits[waits < ROUNDING * (spent + finish)] = 0.0
    parts[:, 3] = waits
    return parts
