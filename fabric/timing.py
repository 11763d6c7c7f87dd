"""How long a collective takes: by an algorithm's loads (steady), flow by flow (fluid), or at best (bound)."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms import ALGORITHMS, NotApplicable, Schedule, parse_overlap
from fabric.algorithms.floors import floor
from fabric.algorithms.grouped import scheduled
from fabric.algorithms.unrolling import unroll
from fabric.bounds import Bound, collective_bound
from fabric.collectives import Collective
from fabric.flows import Flows
from fabric.fluid import fluid_completion
from fabric.latency import round_s
from fabric.routing.paths import ROUTINGS as FLUID_ROUTINGS
from fabric.routing.registry import ANY, resolve, route
from fabric.routing.router import Loads, RoutingOptions
from fabric.transports import Pricing, Time, among, parse_transport, pricing
from fabric.transports.naming import KERNELS
from fabric.work import least_work, work_of
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Topology

FIDELITIES = ("bound", "steady", "fluid")
TUNES = ("library", "best")
CHUNKS = 8  # of a pipeline that fluid simulates, where none are given
MOST_CHUNKS = 1_000_000
SAME = 1e-12  # times closer than this are equal but for rounding
SPREADING = ("adaptive", "ugal", "minimal")  # routings that fluid takes for an even split over next hops


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What an answer takes for granted besides the topology, the collective and its size."""

    algorithm: str = "auto"
    routing: str = "auto"
    overlap: str = "auto"
    transport: str = "auto"
    fidelity: str = "steady"
    options: RoutingOptions = ANY
    tune: str = "library"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A schedule routed on a topology: everything but the size. `per_byte_s` is the bandwidth term of one byte.

    Where the size says how many chunks are best, this and `latency_s` are those of ever smaller chunks; each chunk
    costs `wait_s` after the first, and one chunk alone would take `fill_per_byte_s` more for each byte. `times` are
    what a library's protocols make of it, in microseconds of bytes; none under raw rates.
    """

    topology: Topology
    collective: Collective
    schedule: Schedule
    routing: str
    options: RoutingOptions
    loads: tuple[Loads, ...]
    per_byte_s: float
    latency_s: float
    binding_arc: int
    wait_s: float = 0.0
    fill_per_byte_s: float = 0.0
    pricing: Pricing | None = None
    times: Mapping[str, Time] = field(default_factory=dict)

    def time_s(self, size_bytes: float) -> float:
        """Latency chain plus bandwidth term; under a library the time of its fastest protocol, if that is longer."""
        chunks = self.chunks(size_bytes)
        per_byte_s = self.per_byte_s + self.fill_per_byte_s / chunks
        raw_s = self.latency_s + self.wait_s * (chunks - 1) + per_byte_s * size_bytes
        return max([raw_s, *([self._fastest(size_bytes)[0]] if self.times else [])])

    def chunks(self, size_bytes: float) -> int:
        """How many chunks are best at a size, where that is free: sqrt(fill x size / wait); 1 where it is not."""
        if self.fill_per_byte_s <= 0:
            return 1
        most = max(1, min(MOST_CHUNKS, int(size_bytes)))
        fill_s = self.fill_per_byte_s * size_bytes
        if fill_s >= self.wait_s * most**2:
            return most
        below = max(1, int(np.sqrt(fill_s / self.wait_s)))
        return min(below, below + 1, key=lambda chunks: self.wait_s * chunks + fill_s / chunks)

    def protocol(self, size_bytes: float) -> str | None:
        """The fastest protocol; None under raw rates, and where the library has but one."""
        return (self._fastest(size_bytes)[1] or None) if self.times else None

    def _fastest(self, size_bytes: float) -> tuple[float, str]:
        size = np.array(size_bytes, np.float64)
        return min((float(time(size)) * 1e-6, name) for name, time in self.times.items())

    @property
    def arcs(self) -> NDArray[np.float64]:
        """float64[A]: bytes on every arc per byte of size, all steps together, as if all its links were as full as its
        fullest."""
        total = self.loads[0].binding.copy()
        for load in self.loads[1:]:  # all of them side by side would be the largest array of an answer
            total += load.binding
        return total

    def busy(self, size_bytes: float) -> NDArray[np.float64]:
        """float64[A]: the share of the time that every arc is busy."""
        return self.arcs / self.topology.csr().capacity * size_bytes / self.time_s(size_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One collective's time and how it came about; `said` are the approximations behind it."""

    time_s: float
    latency_s: float
    algorithm: str
    overlap: str
    routing: str
    bottleneck: dict[str, Any] | None
    best_known_s: float
    relays: str | None = None
    said: list[str] = field(default_factory=list)
    protocol: str | None = None


def choose(topology: Topology, pattern: Collective, size_bytes: float, given: Assumptions) -> Plan:
    """The named algorithm routed, or with `auto` the fastest of those that apply at this size.

    An algorithm whose floor is above the best time so far cannot win and is not routed; ties go to the one that
    ALGORITHMS names first.
    """
    plans = _chosen_from(topology, pattern, given, size_bytes)
    times = [plan.time_s(size_bytes) for plan in plans]
    least = min(times) * (1 + SAME)
    return next(plan for plan, time in zip(plans, times, strict=True) if time <= least)


def candidates(topology: Topology, pattern: Collective, given: Assumptions) -> list[Plan]:
    """The named algorithm, or with `auto` every one that applies, each routed once; they serve all sizes.

    Under a library `auto` takes what it chooses from by itself, with `tune` best all algorithms at its costs.
    InfeasibleError where none does, with the reason that tells most.

    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> plans = candidates(build("switch:n=4"), collective("all-reduce", 4), Assumptions())
    >>> {"direct", "ring"} <= {plan.schedule.algorithm for plan in plans}
    True
    """
    return _chosen_from(topology, pattern, given, None)


def _chosen_from(
    topology: Topology, pattern: Collective, given: Assumptions, size_bytes: float | None
) -> list[Plan]:
    """All plans, or those that may be the fastest at a size."""
    if given.algorithm != "auto" and given.algorithm not in ALGORITHMS:
        raise ConfigError(unknown("algorithm", given.algorithm, ["auto", *ALGORITHMS]))
    if given.overlap != "auto":
        parse_overlap(given.overlap)
    if given.tune not in TUNES:
        raise ConfigError(f"tune '{given.tune}' is not one of {', '.join(TUNES)}")
    priced = priced_by(topology, pattern, given)
    reasons: list[InfeasibleError] = []
    for names in _menus(priced, given, pattern):
        if plans := _plans(topology, pattern, given, priced, names, size_bytes, reasons):
            return plans
    if given.algorithm != "auto":
        raise reasons[0]
    told = next((r for r in reasons if not isinstance(r, NotApplicable)), reasons[0])
    raise InfeasibleError(str(told))


def priced_by(topology: Topology, pattern: Collective, given: Assumptions) -> Pricing | None:
    """The library that prices algorithms on a topology; None under raw rates, which fluid and bound always have."""
    transport = parse_transport(given.transport, topology.catalogue)
    if pattern.moe is not None:  # their kernels have a model of their own: fabric.one_sided
        if not transport.default and transport.library != KERNELS:
            raise ConfigError(f"{transport.library} has no model of {pattern.name}; give transport one-sided or ideal")
        return None
    if given.fidelity != "steady":
        if not transport.default:
            raise ConfigError(f"--fidelity {given.fidelity} has raw rates: give --transport ideal, or steady")
        return None
    return pricing(transport, among(topology, pattern.groups), topology.name, topology.catalogue)


def _menus(priced: Pricing | None, given: Assumptions, pattern: Collective) -> list[list[str]]:
    """Names of algorithms to try, and what to try where none of them applies."""
    if given.algorithm != "auto":
        return [[given.algorithm]]
    every = list(ALGORITHMS)
    if priced is None or given.tune == "best":
        return [every]
    chosen = [name for name in every if name in priced.menu(pattern.name)]
    return [chosen, [name for name in every if name not in chosen]]


def _plans(
    topology: Topology, pattern: Collective, given: Assumptions, priced: Pricing | None, names: list[str],
    size_bytes: float | None, reasons: list[InfeasibleError],
) -> list[Plan]:  # fmt: skip
    """The named algorithms routed, in this order, but for those that cannot be the fastest at the size: what takes
    least at best goes first, until the best time is below all floors that are left."""
    routing = resolve(topology, given.routing)
    schedules = _schedules(topology, pattern, given, names, reasons)
    least = np.zeros(len(schedules))
    if size_bytes is not None and len(schedules) > 1:
        least = np.array([_least_s(topology, pattern, schedule, priced, size_bytes) for schedule in schedules])
    plans: dict[int, Plan] = {}
    times: dict[int, float] = {}
    for number in np.argsort(least, kind="stable").tolist():
        least_s = float(least[number])
        if least_s > min(times.values(), default=np.inf) * (1 + SAME):
            break
        if any(time_s <= least_s * (1 + SAME) for earlier, time_s in times.items() if earlier < number):
            continue  # at best it ties with one that is named before it
        try:
            plan = routed(topology, pattern, schedules[number], routing, given.options)
        except InfeasibleError as reason:
            reasons.append(reason)
            continue
        if priced is not None:
            work = work_of(topology, pattern, plan.schedule, plan.loads)
            plan = replace(plan, pricing=priced, times=priced.times(work))
        plans[number] = plan
        if size_bytes is not None:
            times[number] = plan.time_s(size_bytes)
    return [plan for _, plan in sorted(plans.items())]


def _least_s(
    topology: Topology, pattern: Collective, schedule: Schedule, priced: Pricing | None, size_bytes: float
) -> float:
    """The least time of a schedule at a size under any routing, at the costs of a library where one prices it."""
    least = floor(topology, schedule)
    raw_s = least.time_s(size_bytes)
    if priced is None:
        return raw_s
    times = priced.times(least_work(topology, pattern, schedule, least)).values()
    return max(raw_s, min((float(time(np.array(size_bytes, np.float64))) * 1e-6 for time in times), default=0.0))


def _schedules(
    topology: Topology, pattern: Collective, given: Assumptions, names: list[str], reasons: list[InfeasibleError]
) -> list[Schedule]:
    """What the named algorithms do where they apply; `reasons` gains why the others do not."""
    schedules = []
    for name in names:
        try:
            schedule = scheduled(ALGORITHMS[name], topology, pattern)
        except InfeasibleError as reason:
            reasons.append(reason)
            continue
        schedules.append(schedule if given.overlap == "auto" else schedule.overlapped(given.overlap))
    return schedules


def routed(
    topology: Topology, pattern: Collective, schedule: Schedule, routing: str, options: RoutingOptions
) -> Plan:
    """The loads of a schedule under a routing: everything but the size."""
    loads = tuple(route(topology, step.traffic, routing, options) for step in schedule.steps)
    latency = wait = 0.0
    for step, load in zip(schedule.steps, loads, strict=True):
        hop = round_s(topology, pattern.groups, step, load, routing)
        latency += step.rounds * hop
        wait = max(wait, hop if step.whole else step.rounds * hop)
    phased, pipelined, shares, alone = _bandwidth(schedule, loads, topology.csr().capacity)
    kind, chunks = parse_overlap(schedule.overlap)
    per_byte, fill = pipelined, 0.0
    if kind == "phased":
        per_byte, shares = phased, alone
    elif chunks == 0:
        fill = phased - pipelined
    elif kind == "chunked":
        per_byte += (phased - pipelined) / chunks
        latency += wait * (chunks - 1)
    binding = int(np.argmax(shares >= shares.max() * (1 - 1e-9)))  # the first of those that are equal but for rounding
    return Plan(topology, pattern, schedule, routing, options, loads, per_byte, latency, binding, wait, fill)


def _bandwidth(
    schedule: Schedule, loads: tuple[Loads, ...], capacity: NDArray[np.float64]
) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of a byte with steps one after the other and all at once, and the shares of a second that each arc is
    busy with a byte: in all steps, and in the longest.

    Of k chunks the first fills and the last drains phase by phase while the rest overlap. What goes through rank by
    rank (`whole`) takes for each hop what the busiest link takes.
    """
    phased, longest = 0.0, -np.inf
    together, alone = np.zeros(len(capacity)), np.zeros(len(capacity))
    for step, load in zip(schedule.steps, loads, strict=True):
        share = load.binding / capacity
        most = float(share.max())
        phased += most * (step.rounds if step.whole else 1)
        together += share
        if most > longest:
            longest, alone = most, share
    return phased, float(together.max()), together, alone


def steady(plan: Plan, size_bytes: float) -> Outcome:
    """From the loads of the algorithm's steps and its chain of latencies."""
    time_s = plan.time_s(size_bytes)
    gap = max(load.gap for load in plan.loads)
    said = [f"routing {plan.routing} lies within {gap:.2g} of its best split"] if gap > 0 else []
    said += [] if plan.pricing is None else plan.pricing.said
    overlap = plan.schedule.overlap
    return Outcome(
        time_s, plan.time_s(0.0), plan.schedule.algorithm,
        f"chunked:{plan.chunks(size_bytes)}" if overlap == "chunked" else overlap, plan.routing,
        fullest(plan.topology, plan.binding_arc, plan.arcs[plan.binding_arc] * size_bytes, time_s),
        plan.per_byte_s * size_bytes, plan.schedule.relays, said, plan.protocol(size_bytes),
    )  # fmt: skip


def fluid(plan: Plan, size_bytes: float) -> Outcome:
    """Every message of the schedule simulated under max-min fair shares of the links.

    A pipelined schedule of several steps goes through them in chunks, 8 where its overlap names no number.
    """
    routing, said = fluid_routing(plan.routing)
    flows, overlap, more = unrolled(plan, size_bytes)
    found = fluid_completion(
        plan.topology, flows, routing=routing, tie=plan.options.tie, seed=plan.options.seed,
        in_network=plan.schedule.ends > len(plan.topology.accelerators),
    )  # fmt: skip
    csr = plan.topology.csr()
    busiest = int(np.argmax(found.link_bytes / csr.capacity))
    return Outcome(
        found.makespan, plan.latency_s, plan.schedule.algorithm, overlap, routing,
        fullest(plan.topology, busiest, float(found.link_bytes[busiest]), found.makespan),
        plan.per_byte_s * size_bytes, plan.schedule.relays, [*said, *more],
    )  # fmt: skip


def unrolled(plan: Plan, size_bytes: float) -> tuple[Flows, str, list[str]]:
    """The flows of a plan at a size, the overlap that they have, and what was taken for granted."""
    said = []
    kind, chunks = parse_overlap(plan.schedule.overlap)
    steps = plan.schedule.steps
    if kind == "pipelined" and (len(steps) > 1 or steps[0].whole):
        kind, chunks = "chunked", CHUNKS
        said.append(f"fluid pipelines in {CHUNKS} chunks; --overlap chunked:k takes k")
    chunks = chunks or plan.chunks(size_bytes)
    flows = unroll(plan.schedule, size_bytes, chunks)
    return flows, f"chunked:{chunks}" if kind == "chunked" else kind, said


def fluid_routing(routing: str) -> tuple[str, list[str]]:
    """The paths that fluid takes for a routing, and in what they differ; InfeasibleError where it has none."""
    if routing in FLUID_ROUTINGS:
        return routing, []
    if routing in SPREADING:
        return "ecmp", [f"fluid takes an even split over next hops for {routing} routing"]
    raise InfeasibleError(f"fluid has no paths for routing '{routing}'; give --routing {', '.join(FLUID_ROUTINGS[1:])}")


def best(topology: Topology, pattern: Collective, size_bytes: float, options: RoutingOptions) -> tuple[Outcome, Bound]:
    """What no algorithm and no routing can beat, with the solver's certificate."""
    bound = collective_bound(topology, pattern, gap=options.gap, threads=options.threads)
    time_s = bound.time_s(size_bytes)
    said = ["the bound lets accelerators relay"] if bound.relays else []
    said += ["the bound lets switches reduce"] if bound.in_network else []
    outcome = Outcome(
        time_s, bound.latency_s, "any", "any", "optimal", {"cut": bound.why, "utilisation": 1.0},
        bound.per_byte_s * size_bytes / (1 - bound.gap) if bound.gap < 1 else np.inf, None, said,
    )  # fmt: skip
    return outcome, bound


def fullest(topology: Topology, arc: int, carried_bytes: float, time_s: float) -> dict[str, Any]:
    """The fullest arc: its ends, medium, and the share of the time that it is busy."""
    csr = topology.csr()
    nodes: list[Hashable] = topology.nodes
    a, b = nodes[csr.tails[arc]], nodes[csr.heads[arc]]
    busy = carried_bytes / csr.capacity[arc] / time_s
    return {"from": str(a), "to": str(b), "medium": topology.graph.edges[a, b]["medium"], "utilisation": float(busy)}
