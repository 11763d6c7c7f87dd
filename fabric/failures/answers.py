"""Answers: what one failure does, what a class of components does, and what a job keeps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from fabric.failures.bandwidth import Left
from fabric.failures.rates import Events
from fabric.failures.recovery import Way
from topologies.graph import Topology


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

    def _span(self, of: Callable[[Outcome], float], worst: Callable[[Iterable[float]], float]) -> Span:
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
