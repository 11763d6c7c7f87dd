"""What switching between the phases of a step is worth: the best walk, its limits, and one sentence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.circuit_states import states_of
from fabric.planning.operations import DELAY, operations
from fabric.planning.phase import Phase
from fabric.planning.phase_times import USUAL, cost_s, fabrics, pattern
from fabric.planning.phases import Iteration, Switching
from fabric.planning.schedule import (
    Stretch,
    Walk,
    best_share,
    break_even_bytes,
    closed_walk,
    doubling_delay_s,
    least_factor,
    pays_from_factor,
    static,
    stretches,
)
from fabric.planning.switch_delays import SOME_MOVES, delays
from fabric.planning.training_step import NOTES, TrainingCosts, trained, training_costs
from fabric.timing import Assumptions, choose
from fabric.workloads.models.zoo import model as named
from fabric.workloads.steps.parallel import parse_parallel
from fabric.workloads.training import TRANSPORT
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.parts import Catalogue, CircuitSwitch
from topologies.registry import build
from topologies.units import format_number, format_size, format_time_us

# Delays of the break-even table: from a rotor or silicon photonics to mirrors, a link that comes up, and a robot.
DELAYS_S = {"10 us": 10e-6, "10 ms": 10e-3, "25 ms": 25e-3, "100 ms": 0.1, "200 ms": 0.2, "1 s": 1.0,
            "robot, 60 s": 60.0}  # fmt: skip
DEVICE_STEPS = {"optics": ("settle",), "relock": DELAY[:3], "link-up": DELAY}
UNCOMMANDED = ("rotor",)  # technologies whose switches go through states of their own
RINGS = ("all-reduce", "all-gather", "reduce-scatter")


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """An iteration with its times and what follows from them; `cost_s` float64[P, C], `switch_s` float64[C, C];
    `base_s` of the step no configuration changes (computation, where the step is a model's): walks come on top."""

    iteration: Iteration
    base_s: float
    cost_s: NDArray[np.float64]
    switch_s: NDArray[np.float64]
    static: int | None
    static_s: float
    walk: Walk
    stretches: Sequence[Stretch]
    pays_below_s: float
    factor: float | None
    break_even: Sequence[Mapping[str, Any]]
    inside: Sequence[Mapping[str, Any]]
    devices: Sequence[Mapping[str, Any]]
    job: Mapping[str, Any] | None
    delay: Mapping[str, Any]
    notes: Sequence[str]

    @property
    def pays(self) -> bool:
        """Whether the best walk switches, and is faster for it than any one configuration."""
        return self.walk.switches > 0

    @property
    def step_s(self) -> float:
        """The step along the best walk."""
        return self.base_s + self.walk.seconds

    @property
    def answer(self) -> str:
        """Does reconfiguring pay, and up to which delay or from which size?"""
        delay, step = _time(self.delay["seconds"]), _time(self.step_s)
        own = self.iteration.configurations
        if self.static is None:
            return (
                f"No one configuration serves every phase: the step switches {self.walk.switches} times and takes "
                f"{step} at {delay} a switch{self._over_none}."
            )
        alone = f"{_time(self.base_s + self.static_s)} in '{own[self.static].name}' throughout"
        if self.pays:
            gain = format_number((self.base_s + self.static_s) / self.step_s, 3)
            least = (
                ""
                if not self.factor or self.factor < 1e-8
                else (f", and down to {format_number(self.factor, 3)} times these sizes")
            )
            return (
                f"Reconfiguring pays at {delay} a switch: {step} a step with {self.walk.switches} switches against "
                f"{alone} ({gain} times as fast); it pays up to {_time(self.pays_below_s)} a switch{least}."
            )
        if self.factor is None:
            return f"Reconfiguring never pays: '{own[self.static].name}' is as fast as any in every phase ({step})."
        below = f"below {_time(self.pays_below_s)} a switch"
        below = below if self.pays_below_s > 0 else "at no delay with these sizes"
        return (
            f"Reconfiguring does not pay at {delay} a switch: a step takes {alone}; it pays {below}, or from "
            f"{format_number(self.factor, 3)} times these sizes on."
        )

    @property
    def overhead(self) -> float:
        """What switching costs: the step over that of switches that take no time, less one."""
        return self.step_s / (self.base_s + self.stretches[0].walk.seconds) - 1

    @property
    def _over_none(self) -> str:
        return f", {format_number(100 * self.overhead, 2)} % more than with switches that take no time"

    def document(self) -> dict[str, Any]:
        """The keys of the JSON answer; a time that has no end is null."""
        own, phases = [c.name for c in self.iteration.configurations], self.iteration.phases
        return {
            "answer": self.answer,
            "pays": self.pays,
            "phases": [
                {"name": p.name, "collective": p.collective, "size_bytes": p.size_bytes, "group": p.ranks,
                 "times": p.times, "idle_ms": p.idle_s * 1e3,
                 "times_ms": {name: _finite(t * 1e3) for name, t in zip(own, row, strict=True)}}
                for p, row in zip(phases, self.cost_s.tolist(), strict=True)
            ],
            "base_ms": self.base_s * 1e3, "overhead": self.overhead,
            "delay": dict(self.delay),
            "static": None if self.static is None else
            {"configuration": own[self.static], "step_ms": (self.base_s + self.static_s) * 1e3},
            "schedule": self._walk(self.walk),
            "stretches": [
                {"from_ms": s.from_s * 1e3, "to_ms": _finite(s.to_s * 1e3), "switches": s.walk.switches,
                 "configurations": [own[c] for c in s.walk.configurations]}
                for s in self.stretches
            ],
            "pays_below_ms": _finite(self.pays_below_s * 1e3),
            "pays_from_times_these_sizes": self.factor,
            "break_even": [dict(row) for row in self.break_even],
            "inside_collectives": [dict(row) for row in self.inside],
            "devices": [dict(row) for row in self.devices],
            "job": None if self.job is None else dict(self.job),
            "notes": list(self.notes),
        }  # fmt: skip

    def _walk(self, walk: Walk) -> dict[str, Any]:
        own = [c.name for c in self.iteration.configurations]
        return {
            "step_ms": (self.base_s + walk.seconds) * 1e3, "exposed_ms": walk.exposed_s * 1e3,
            "switches": walk.switches,
            "configurations": [own[c] for c in walk.configurations],
        }  # fmt: skip


def worth(
    iteration: Iteration,
    parts: Catalogue,
    *,
    given: Assumptions = USUAL,
    delay_s: float | None = None,
    ocs: str | None = None,
    transport: str = TRANSPORT,
) -> Worth:
    """Times of every phase in every configuration, the best walk through them, and from which delay or size on it is no
    walk at all. `delay_s` or `ocs` take the place of what the file says about a switch; `transport` is of the step of a
    model, as in `workload`.

    ConfigError for a file that does not fit its fabrics, InfeasibleError for a phase that no configuration serves.
    """
    topologies = fabrics(iteration, parts)
    iteration, costs = _costs(iteration, topologies, given, transport)
    cost, notes = costs.cost_s(1.0), costs.reasons
    for phase, times in zip(iteration.phases, cost, strict=True):
        if not np.isfinite(times).any():
            first = next((why for why in notes if f" does not serve {phase.name}: " in why), "no fabric is given")
            raise InfeasibleError(f"no configuration serves phase '{phase.name}': {first}")
    idle = np.array([phase.idle_s for phase in iteration.phases])
    switch, delay, more = delays(iteration, topologies, parts, delay_s, ocs)
    walk, (best, alone) = closed_walk(cost, switch, idle), static(cost)
    found = stretches(cost, idle)
    below = found[-1].from_s if found[-1].walk.switches == 0 else inf
    return Worth(
        iteration, costs.base_s, cost, switch, best, alone, walk, found, below,
        pays_from_factor(costs.cost_s, switch, idle) if best is not None else None,
        _break_even(iteration, costs, best, float(delay["seconds"])), _inside(iteration, cost, topologies, given),
        _devices(iteration, costs, idle, parts), _job(iteration, costs, best, float(delay["seconds"])), delay,
        [*notes, *more, *iteration.notes, *_said(iteration)],
    )  # fmt: skip


def plan_phases(
    specs: Sequence[str],
    model: str,
    parallel: str,
    parts: Catalogue,
    delay_s: float | None = None,
    *,
    given: Assumptions = USUAL,
    ocs: str | None = None,
    transport: str = TRANSPORT,
) -> Worth:
    """What switching among states of circuits is worth in the training step of a model; `specs` are the states, or one
    fabric whose family has some for the layout (`fabric.planning.circuit_states`).

    >>> from topologies.parts import catalogue
    >>> found = plan_phases(["photonic-rail:servers=8"], "llama-3.1-8b", "tp=8,pp=2,batch=32", catalogue(), 0.025)
    >>> found.static, found.walk.switches, 0 < found.overhead < 0.06  # rings of stages, and of copies for gradients
    (None, 2, True)
    """
    shape, layout = named(model), parse_parallel(parallel)
    complete = layout.on(len(build(specs[0], parts).accelerators), shape)
    states = states_of(specs, shape, complete, parts)
    step = Iteration([], states, Switching(), model=model, parallel=parallel)
    return worth(step, parts, given=given, delay_s=delay_s, ocs=ocs, transport=transport)


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """Times of phases that a file writes out: in proportion to their bytes, with nothing beside them."""

    times_s: NDArray[np.float64]
    reasons: Sequence[str]
    base_s: float = 0.0

    def cost_s(self, factor: float) -> NDArray[np.float64]:
        return self.times_s * factor


def _costs(
    iteration: Iteration, topologies: Sequence[Topology | None], given: Assumptions, transport: str
) -> tuple[Iteration, _Written | TrainingCosts]:
    """The phases and what each takes in every configuration: of a model's step those of `workload`."""
    if iteration.model is None:
        return iteration, _Written(*cost_s(iteration, topologies, given))
    built = [topology for topology in topologies if topology is not None]
    one = trained(iteration.model, iteration.parallel, built[0])
    costs = training_costs(one, built, transport, given.routing)
    return replace(iteration, phases=costs.phases, notes=[*iteration.notes, *NOTES]), costs


def _once(
    iteration: Iteration, cost: NDArray[np.float64]
) -> Iterator[tuple[int, tuple[Phase, NDArray[np.float64]]]]:
    """Places of phases, and these with their times; those of one name once."""
    seen: set[str] = set()
    for place, (phase, row) in enumerate(zip(iteration.phases, cost, strict=True)):
        if phase.name not in seen:
            seen.add(phase.name)
            yield place, (phase, row)


def _break_even(
    iteration: Iteration, costs: _Written | TrainingCosts, alone: int | None, delay: float
) -> list[dict[str, Any]]:
    """For each phase that the best single configuration does not serve best: bytes from which one switch pays."""
    rows = []
    for place, (phase, row) in _once(iteration, costs.cost_s(1.0)):
        best = int(np.argmin(row))
        if alone is None or not row[best] < row[alone] or not phase.whole_bytes or not row[best] > 0:
            continue
        before, after = phase.whole_bytes / row[alone], phase.whole_bytes / row[best]
        planes = iteration.switching.planes
        share, seconds = best_share(phase.whole_bytes, before, after, delay, planes)
        rows.append({
            "phase": phase.name, "from": iteration.configurations[alone].name,
            "to": iteration.configurations[best].name, "size_bytes": phase.whole_bytes,
            "bytes": {name: _bytes_from(costs, place, (alone, best), phase, d) for name, d in DELAYS_S.items()},
            "delay_ms": (row[alone] - row[best] + phase.idle_s) * 1e3,
            "planes": planes, "planes_to_switch": share, "phase_ms": seconds * 1e3,
        })  # fmt: skip
    return rows


def _bytes_from(
    costs: _Written | TrainingCosts, place: int, pair: tuple[int, int], phase: Phase, delay_s: float
) -> float:
    """Bytes of a phase from which one switch from the first configuration of a pair to the second pays."""
    before, after = (float(costs.cost_s(1.0)[place, c]) for c in pair)
    if isinstance(costs, _Written):
        return break_even_bytes(delay_s, phase.whole_bytes / before, phase.whole_bytes / after, phase.idle_s)
    wire = costs.wire_s[costs.dimensions[place]]
    many = costs.dimensions.count(costs.dimensions[place])

    def wins(factor: float) -> float:
        shown = [costs.trained.shown_s(costs.dimensions[place], factor * float(wire[c])) for c in pair]
        return (shown[0] - shown[1]) / many

    factor = least_factor(lambda f: wins(f) >= max(0.0, delay_s - phase.idle_s))
    return inf if factor is None else factor * phase.whole_bytes


def _inside(
    iteration: Iteration, cost: NDArray[np.float64], topologies: Sequence[Topology | None], given: Assumptions
) -> list[dict[str, Any]]:
    """For each collective that goes round rings: the delay below which a switch before every step of recursive doubling
    beats them, at sizes that latency binds; a step is the zero-load latency of a message to the next rank."""
    rows: list[dict[str, Any]] = []
    known: dict[tuple[object, ...], float | None] = {}
    for _, (phase, row) in _once(iteration, cost):
        topology = topologies[int(np.argmin(row))]
        if phase.collective not in RINGS or topology is None:
            continue
        ranks = phase.ranks or len(topology.accelerators)
        key = id(topology), phase.group, phase.stride, tuple((phase.numbering or {}).items()), phase.over
        if key not in known:
            known[key] = _message_s(phase, topology, given)
        alpha = known[key]
        if alpha is None or doubling_delay_s(ranks, alpha) == 0:
            continue
        rows.append({"phase": phase.name, "ranks": ranks, "step_us": alpha * 1e6,
                     "delay_us": doubling_delay_s(ranks, alpha) * 1e6})  # fmt: skip
    return rows


def _message_s(phase: Phase, topology: Topology, given: Assumptions) -> float | None:
    """Latency of a message from each rank of a group to the next; None where no path leads there."""
    try:
        return choose(topology, pattern(replace(phase, collective="send-recv"), topology), 1, given).latency_s
    except InfeasibleError:
        return None


def _devices(
    iteration: Iteration, costs: _Written | TrainingCosts, idle: NDArray[np.float64], parts: Catalogue
) -> list[dict[str, Any]]:
    """Every circuit switch whose speed is known: its delay as more of the way to a link is counted, and the step."""
    rows: list[dict[str, Any]] = []
    cost = costs.cost_s(1.0)
    moves = iteration.switching.moves or SOME_MOVES
    apart = 1.0 - np.eye(cost.shape[1])
    for row in parts.of_kind(CircuitSwitch):
        if row.switching_time_ms is None or row.technology in UNCOMMANDED:
            continue
        own = operations(row, parts)
        entry: dict[str, Any] = {"switch": row.name, "source": own.steps["settle"].source}
        for name, steps in DEVICE_STEPS.items():
            delay = own.delay_s(moves, steps)
            walk = closed_walk(cost, delay * apart, idle)
            entry[name] = {"delay_ms": delay * 1e3, "step_ms": (costs.base_s + walk.seconds) * 1e3,
                           "switches": walk.switches}  # fmt: skip
        rows.append(entry)
    return sorted(rows, key=lambda entry: (entry["optics"]["delay_ms"], entry["switch"]))


def _job(
    iteration: Iteration, costs: _Written | TrainingCosts, best: int | None, delay: float
) -> dict[str, Any] | None:
    """One switch for the whole job, from the first configuration to the best: how long it must run to pay."""
    totals = costs.base_s + costs.cost_s(1.0).sum(axis=0)
    if best is None or best == 0 or not isfinite(totals[0]) or not totals[best] < totals[0]:
        return None
    steps = delay / float(totals[0] - totals[best])
    idle = 0.0 if costs.base_s else sum(phase.idle_s for phase in iteration.phases)  # a model's step has it all
    return {
        "from": iteration.configurations[0].name, "to": iteration.configurations[best].name,
        "step_before_ms": float(totals[0]) * 1e3, "step_after_ms": float(totals[best]) * 1e3, "steps": steps,
        "run_s": steps * (float(totals[best]) + idle) + delay,
    }  # fmt: skip


def _said(iteration: Iteration) -> list[str]:
    measured = [p.name for p in iteration.phases if p.times_s]
    grows = "" if iteration.model is not None else "a phase's time in proportion to its bytes, and "
    said = [f"the table of bytes takes {grows}one switch; a switch back costs the same again where no window hides it"]
    if measured:
        said.append(f"times of {', '.join(measured)} are given, not computed")
    return said


def described(phase: Phase) -> str:
    """A phase in a few words."""
    if phase.collective is None:
        return "demand" if phase.demand is not None else "given"
    size = format_size(phase.size_bytes or 0)
    told = f"{phase.collective} {size}" + (f" in groups of {phase.ranks}" if phase.ranks else "")
    return told + (f", {phase.times:,} times" if phase.times > 1 else "")


def _time(seconds: float) -> str:
    return "any delay" if not isfinite(seconds) else format_time_us(seconds * 1e6)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
