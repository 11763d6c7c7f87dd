"""Failures: what each class of components takes with it, how often, how long, and what training keeps of its time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.failures.bandwidth import SPLIT_WORK, Left, bandwidth_left, work
from fabric.failures.checkpoints import effective_share, interval_s
from fabric.failures.components import components
from fabric.failures.cut_off import cut_off
from fabric.failures.damage import Loss, links_left
from fabric.failures.elements import parse, scenarios
from fabric.failures.kinds import Components
from fabric.failures.rates import Events, class_rate, flaps, hard_failures, row_rate, total
from fabric.failures.recovery import Way, repair, spare_ports, step, way_back
from fabric.failures.slices import goodput, pod_of
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build

__all__ = ["Failures", "Goodput", "Outcome", "Span", "fail"]

MINUTES_A_DAY = 1440.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One failure: accelerators that died with it and that it cut off, jobs that hold one of these, and what is left
    to all others; `share` is how likely it is among those of its class."""

    dead: int
    cut_off: int
    jobs_lost: int
    left: Left | None
    share: float


@dataclass(frozen=True, slots=True)
class Span:
    """Of several outcomes the mean, by how likely each is, and the worst."""

    mean: float
    worst: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A class of components, or what was asked: single components, outcomes, events a day, the way back."""

    name: str
    kind: str
    count: int
    outcomes: tuple[Outcome, ...]
    exact: bool
    proven: bool
    per_day: Events | None
    flaps_per_day: Events | None
    recovery: Way
    repair: Way
    spares: int | None = None

    @property
    def lost(self) -> Span:
        """Accelerators that are gone: dead and cut off."""
        return self._span(lambda o: float(o.dead + o.cut_off), max)

    @property
    def jobs(self) -> Span:
        """Jobs that stop."""
        return self._span(lambda o: float(o.jobs_lost), max)

    @property
    def interrupts(self) -> float:
        """How likely one failure stops a job."""
        return sum(o.share for o in self.outcomes if o.jobs_lost)

    def left(self, what: str) -> Span | None:
        """A measure of `Left` over the outcomes that leave two accelerators or more; None where none does."""
        known = [(getattr(o.left, what), o.share) for o in self.outcomes if o.left is not None]
        found = [(value, share) for value, share in known if value is not None]
        if not found:
            return None
        return Span(sum(v * s for v, s in found) / sum(s for _, s in found), min(v for v, _ in found))

    def _span(self, of: Any, worst: Any) -> Span:
        return Span(sum(of(o) * o.share for o in self.outcomes), worst(of(o) for o in self.outcomes))


@dataclass(frozen=True, slots=True)
class Goodput:
    """Training of one job through its failures: interruptions a day with their range, seconds of work between
    checkpoints (Young and Daly), and the share of the time that counts, at the expected, the worst and the best
    rates."""

    per_day: Events
    interval_s: float
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slices:
    """The share of a pod that works in whole slices when hosts are up so much of the time: of any cubes that are up, as
    circuits allow, and of fixed ones."""

    host_availability: float
    reconfigurable: float
    fixed: float


@dataclass(frozen=True, slots=True)
class Failures:
    """What fails in a fabric: a row for each class of components, what was asked for, and what a job keeps."""

    topology: Topology
    job: int
    jobs: int
    classes: tuple[Answer, ...]
    asked: Answer | None
    software: Events | None
    goodput: Goodput | None
    slices: tuple[Slices, ...] = ()
    estimates: list[str] = field(default_factory=list)


def fail(
    spec: Topology | str,
    elements: Sequence[str] = (),
    *,
    job: int | None = None,
    samples: int = 20,
    seed: int = 0,
    gap: float | None = None,
    checkpoint_minutes: float | None = None,
    host_availabilities: Sequence[float] = (0.99, 0.995, 0.999),
    parts: Catalogue | None = None,
) -> Failures:
    """Every class of components of a fabric, one failing at a time; or, with `elements`, what these take together.

    `elements` are words such as leaf:3, links=0.5%, ocs=1 or a node's name; all fail at once, `samples` drawings by the
    `seed` where they are random. `job` accelerators make a job, in rank order; one job on all of them by default. `gap`
    solves for the best routing to within it, in place of equal splits. ConfigError for what the fabric has not.

    >>> for spec in ("rail:servers=8,gpus=8", "dual-plane:servers=8"):
    ...     fail(spec, ["leaf:0"]).asked.lost.worst
    8.0
    0.0
    """
    topology = build(spec, parts) if isinstance(spec, str) and parts else build(spec) if isinstance(spec, str) else spec
    n = len(topology.accelerators)
    size = n if job is None else job
    if not 0 < size <= n:
        raise ConfigError(f"a job of {size:,} accelerators does not fit {topology.name} with {n:,}; give 1 to {n:,}")
    if samples < 1:
        raise ConfigError(f"samples = {samples} draws nothing; give at least 1")
    if gap is not None and not 0 < gap < 1:
        raise ConfigError(f"gap = {gap} is not a share between 0 and 1, such as 0.01")
    judge = _Judge(topology, size, gap)
    if elements:
        asked = _asked(topology, elements, judge, samples, seed)
        return Failures(topology, size, -(-n // size), (), asked, None, None, (), _estimates(topology, (asked,), None))
    rows = components(topology)
    plans = [_orbits(each, samples, seed) for each in rows]
    judge.plan(sum(len(losses) for losses, _, _ in plans))
    classes = tuple(_answer(topology, each, judge, *plan) for each, plan in zip(rows, plans, strict=True))
    software = _software(topology)
    kept = _goodput(topology, classes, software, size, checkpoint_minutes)
    return Failures(
        topology, size, -(-n // size), classes, None, software, kept, _slices(topology, host_availabilities),
        _estimates(topology, classes, kept),
    )  # fmt: skip


def _asked(topology: Topology, elements: Sequence[str], judge: "_Judge", samples: int, seed: int) -> Answer:
    """All elements at once."""
    parsed = [parse(topology, text) for text in elements]
    losses, shares, exact = scenarios(parsed, samples, seed)
    judge.plan(len(losses))
    outcomes = judge.outcomes(losses, shares)
    kind = parsed[0].pools[0].kind if parsed[0].pools else ""
    back = way_back(topology, kind, any(o.jobs_lost for o in outcomes))
    count = sum(element.number for element in parsed)
    return Answer(" with ".join(elements), "asked", count, outcomes, exact, True, None, None, back,
                  repair(topology, kind))  # fmt: skip


def _slices(topology: Topology, availabilities: Sequence[float]) -> tuple[Slices, ...]:
    """Goodput of a pod in slices as large as this one, made of any cubes and fixed ones."""
    pod, n = pod_of(topology), len(topology.accelerators)
    if pod is None:
        return ()
    return tuple(
        Slices(a, goodput(pod, n, a), goodput(pod, n, a, reconfigurable=False)) for a in availabilities
    )  # fmt: skip


@dataclass(slots=True)
class _Judge:
    """What judges failures of one fabric; equal splits are computed where all that is planned costs some seconds."""

    topology: Topology
    job: int
    gap: float | None
    splits: bool = False

    def plan(self, number: int) -> None:
        self.splits = number * work(self.topology) <= SPLIT_WORK

    def outcomes(self, losses: Sequence[Loss], shares: NDArray[np.float64]) -> tuple[Outcome, ...]:
        return tuple(self.outcome(loss, float(share)) for loss, share in zip(losses, shares, strict=True))

    def outcome(self, loss: Loss, share: float) -> Outcome:
        topology = self.topology
        dead, left = loss.dead(topology), links_left(topology, loss)
        off = cut_off(topology, left, dead)
        gone = dead[topology.csr().accelerators]
        out = off | gone
        kept = bandwidth_left(topology, left, out, splits=self.splits, gap=self.gap)
        jobs = len(np.unique(np.flatnonzero(out) // self.job))
        return Outcome(int(gone.sum()), int(off.sum()), jobs, kept, share)


def _orbits(each: Components, samples: int, seed: int) -> tuple[list[Loss], NDArray[np.float64], bool]:
    """One failure of every orbit with its share, or of as many as the samples where there are more, drawn by weight."""
    places, weights = each.representatives()
    exact = len(places) <= samples
    if not exact:
        drawn = np.random.default_rng(seed).choice(each.count, min(samples, each.count), replace=False)
        places, weights = each.place_of(drawn), np.ones(len(drawn), np.int64)
    return [each.loss(place) for place in places.tolist()], weights / weights.sum(), exact


def _answer(
    topology: Topology, each: Components, judge: _Judge, losses: list[Loss], shares: NDArray[np.float64], exact: bool
) -> Answer:
    outcomes = judge.outcomes(losses, shares)
    parts, layer = topology.catalogue, topology.circuits
    free = spare_ports(layer) if layer is not None and each.kind == "ocs-port" else None
    return Answer(
        each.name, each.kind, each.count, outcomes, exact, each.proven, hard_failures(each, parts), flaps(each, parts),
        way_back(topology, each.kind, any(o.jobs_lost for o in outcomes)), repair(topology, each.kind), free,
    )  # fmt: skip


def _software(topology: Topology) -> Events | None:
    """Interruptions a day whose cause is no part that breaks."""
    row = class_rate("software", topology.catalogue)
    rate = None if row is None else row_rate(row)
    return None if rate is None else rate.times(len(topology.accelerators))


def _goodput(
    topology: Topology, classes: Sequence[Answer], software: Events | None, job: int, checkpoint: float | None
) -> Goodput:
    """One job's share of the time: interruptions of classes that take accelerators, software and all."""
    jobs = len(topology.accelerators) / job
    stops = [each.per_day.times(each.jobs.mean / jobs) for each in classes if each.per_day and each.jobs.mean]
    rate = total([*stops, None if software is None else software.times(1 / jobs)])
    write, back = step("checkpoint", topology.catalogue), step("restart", topology.catalogue)
    minutes = (write.minutes, write.low, write.high) if checkpoint is None else (checkpoint,) * 3

    def kept(per_day: float, written: float, restart: float) -> float:
        between = inf if per_day <= 0 else MINUTES_A_DAY / per_day
        return effective_share(written, restart, between)

    between_s = inf if rate.value <= 0 else MINUTES_A_DAY * 60 / rate.value
    return Goodput(
        rate, interval_s(minutes[0] * 60, between_s), kept(rate.value, minutes[0], back.minutes),
        kept(rate.high, minutes[2], back.high), kept(rate.low, minutes[1], back.low),
    )  # fmt: skip


def _estimates(topology: Topology, answers: Sequence[Answer], kept: Goodput | None) -> list[str]:
    """What the answer stands on beside published figures, each once."""
    said = list(topology.notes)
    for each in answers:
        for events in (each.per_day, each.flaps_per_day):
            said += events.estimates if events else ()
        said += each.recovery.estimates + each.repair.estimates
    if kept is not None:
        said += kept.per_day.estimates
        for name in ("checkpoint", "restart"):
            said += step(name, topology.catalogue).estimates
    return list(dict.fromkeys(said))
