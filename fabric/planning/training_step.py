"""The training step that circuits may follow: that of `workload`, phase by phase, with what of each phase shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite, prod

import numpy as np
from numpy.typing import NDArray

from fabric.planning.phase import Phase
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model as named
from fabric.workloads.steps.achieved import Achieved, achieved
from fabric.workloads.steps.compute import Compute, amounts, compute
from fabric.workloads.steps.least import spread
from fabric.workloads.steps.mix import DIMENSIONS, Exchange, mix
from fabric.workloads.steps.parallel import Parallel, parse_parallel
from fabric.workloads.steps.wiring import Wiring
from fabric.workloads.training import TRANSPORT, accelerator_with_rate, timeline, updated
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.units import format_size

MOST_PHASES = 20_000
ORDER = ("tp", "cp", "ep", "pp")  # within a micro-batch; the gradients of dp come once, at the end of the step
NOTES = (
    "the step is that of `workload`: a phase's time is what shows of it beside the computation that hides the rest; a "
    "dimension's collectives of a micro-batch are one phase, so that no switch falls between layers",
    "a switch hides in the computation of a micro-batch, as far as no communication on circuits hides there too; "
    "before later phases of it there is no window, and what hid behind computation shows (a negative window)",
    "sizes beside these: more bytes in the same computation",
)


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and a layout, complete for the accelerators of a fabric; what a rank computes."""

    model: Model
    parallel: Parallel
    parts: Compute
    achieved: Achieved

    def step_s(self, wire_s: Mapping[str, float]) -> float:
        """The step with so many seconds of communication by dimension, as `workload` has it."""
        busy, bubble, exposed = timeline(self.parts, self._all(wire_s), self.parallel, self.achieved)
        return busy + bubble + fsum(exposed.values())

    def shown_s(self, dimension: str, wire_s: float) -> float:
        """What a dimension adds to a step: its exposed time, and the bubble's growth by it."""
        return inf if not isfinite(wire_s) else self.step_s({dimension: wire_s}) - self.step_s({})

    def hidden_s(self, dimension: str, wire_s: float) -> float:
        """What of a dimension's communication runs beside computation."""
        _, _, exposed = timeline(self.parts, self._all({dimension: wire_s}), self.parallel, self.achieved)
        return max(0.0, wire_s - exposed[dimension])

    @staticmethod
    def _all(wire_s: Mapping[str, float]) -> dict[str, float]:
        return {name: wire_s.get(name, 0.0) for name in DIMENSIONS}


@dataclass(frozen=True, slots=True, eq=False)
class TrainingCosts:
    """Phases of a step and float64[P, C] seconds that each shows in every configuration; `base_s` is the rest of the
    step, which no configuration changes."""

    trained: Trained
    phases: tuple[Phase, ...]
    dimensions: tuple[str, ...]  # of each phase
    wire_s: Mapping[str, NDArray[np.float64]]  # of a step, by dimension and configuration
    base_s: float
    reasons: tuple[str, ...]

    def cost_s(self, factor: float = 1.0) -> NDArray[np.float64]:
        """Seconds that each phase shows, float64[P, C], with so many times as many bytes."""
        shares = {name: self.dimensions.count(name) for name in self.wire_s}
        rows = {
            name: np.array([self.trained.shown_s(name, factor * float(w)) for w in wire]) / shares[name]
            for name, wire in self.wire_s.items()
        }
        return np.array([rows[name] for name in self.dimensions])


def trained(model: str, parallel: str, topology: Topology) -> Trained:
    """A model and a layout for a fabric; ConfigError where they do not fit it."""
    shape = named(model)
    layout = parse_parallel(parallel).on(len(topology.accelerators), shape)
    row, a = accelerator_with_rate(topology), achieved()
    return Trained(shape, layout, compute(amounts(shape, layout), layout.precision, row, a, updated(shape, layout)), a)


def training_costs(
    one: Trained, topologies: Sequence[Topology], transport: str = TRANSPORT, routing: str = "auto"
) -> TrainingCosts:
    """The phases of a step whose dimensions leave scale-up domains, and what each shows in every configuration.

    In one configuration throughout their sum and `base_s` are the step of `workload`. ConfigError where no dimension
    leaves the domains, or the phases are too many.

    >>> from topologies.registry import build
    >>> rails = [build(f"photonic-rail:servers=8,ring={r},stride={s}") for r, s in ((4, 1), (2, 4))]
    >>> found = training_costs(trained("llama-3.1-8b", "tp=8,pp=2,batch=32,seq=8192", rails[0]), rails)
    >>> found.dimensions[-2:], [bool(t) for t in np.isfinite(found.cost_s()[-2])]  # gradients, and stages before them
    (('pp', 'dp'), [False, True])
    """
    wirings = [Wiring(topology, transport, routing) for topology in topologies]
    exchanges = mix(one.model, one.parallel)
    of = {name: [e for e in exchanges if e.dimension == name] for name in DIMENSIONS}
    inside = [name for name in DIMENSIONS if of[name] and all(_inside(w, of[name]) for w in wirings)]
    outside = [name for name in DIMENSIONS if of[name] and name not in inside]
    if not outside:
        raise ConfigError(f"{one.parallel.ranks:,} ranks exchange inside scale-up domains only: no circuit carries any")
    reasons: list[str] = []
    wire = {name: np.array([_wire_s(w, of[name], reasons) for w in wirings]) for name in outside}
    held = {name: _wire_s(wirings[0], of[name], reasons) for name in inside}
    dimensions = _in_order(one.parallel, outside)
    if len(dimensions) > MOST_PHASES:
        raise ConfigError(f"{len(dimensions):,} phases; give a layout of up to {MOST_PHASES:,}")
    windows = _windows(one, wire, held, dimensions)
    many = {name: dimensions.count(name) for name in outside}
    phases = tuple(
        _phase(of[name], many[name], window) for name, window in zip(dimensions, windows, strict=True)
    )
    return TrainingCosts(one, phases, tuple(dimensions), wire, one.step_s(held), tuple(dict.fromkeys(reasons)))


def _in_order(p: Parallel, outside: Sequence[str]) -> list[str]:
    """Dimensions by phase: those of a micro-batch as often as there are, then gradients; FSDP's come with each."""
    sharded = p.zero == 3
    within = [name for name in (("dp", *ORDER) if sharded else ORDER) if name in outside]
    return within * p.micro_batches + [name for name in outside if name == "dp" and not sharded]


def _windows(
    one: Trained, wire: Mapping[str, NDArray[np.float64]], held: Mapping[str, float], dimensions: Sequence[str]
) -> list[float]:
    """Seconds before each phase in which circuits carry nothing: before the first of a micro-batch its computation, and
    what domains exchange in the open; below zero what a switch takes out from behind computation."""
    m = one.parallel.micro_batches
    hidden = {name: _most([one.hidden_s(name, float(t)) for t in times if isfinite(t)]) for name, times in wire.items()}
    each = {name: seconds / dimensions.count(name) for name, seconds in hidden.items()}
    shown = one.step_s(held) - one.step_s({})
    free = one.parts.micro_batch_s + shown / m - fsum(each[name] for name in set(dimensions[: _first(dimensions)]))
    windows, first = [], dimensions[0]
    for place, name in enumerate(dimensions):
        own = max(0.0, free) if name == first else -each[name]
        windows.append(own + (one.parts.update_s if place == 0 else 0.0))
    return windows


def _first(dimensions: Sequence[str]) -> int:
    """How many phases there are before the first comes again."""
    again = [i for i, name in enumerate(dimensions) if name == dimensions[0] and i > 0]
    return again[0] if again else len([name for name in dimensions if name != "dp"]) or 1


def _most(values: Sequence[float]) -> float:
    return max(values, default=0.0)


def _inside(wiring: Wiring, exchanges: Sequence[Exchange]) -> bool:
    """Do all groups lie within scale-up domains?"""
    size = wiring.domain
    return size is not None and all(size % prod(spread(exchange)) == 0 for exchange in exchanges)


def _wire_s(wiring: Wiring, exchanges: Sequence[Exchange], reasons: list[str]) -> float:
    """Seconds of a step on the wire; inf where a configuration has no path for them, and why."""
    try:
        return fsum(wiring.wired(exchange).step_s for exchange in exchanges)
    except InfeasibleError as reason:
        reasons.append(f"{wiring.topology.name} does not serve {exchanges[0].dimension}: {reason}")
        return inf


def _phase(exchanges: Sequence[Exchange], many: int, window_s: float) -> Phase:
    """One of `many` phases of a dimension; where it has two kinds of groups (dense weights, experts) they are one."""
    first = exchanges[0]
    times = max(1, round(first.count / many))
    size = fsum(e.size_bytes * e.count for e in exchanges) / many / times
    name = "all-to-all" if first.moe is not None else first.collective
    sizes = {key: int(value) for key, _, value in (part.partition("=") for part in first.group.split(","))}
    both = "" if len(exchanges) == 1 else " and experts'"
    return Phase(
        name=f"{first.over}{both} {name} {format_size(round(size))}", idle_s=window_s, collective=name,
        size_bytes=max(1, round(size)), numbering=sizes, over=tuple(first.over.split(",")), times=times,
    )  # fmt: skip
