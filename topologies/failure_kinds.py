"""Kinds of what fails: how often, what stands on one host, and how long it takes to be back."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate(Part):
    """How often devices of a class fail, or failed in a published fleet; FIT are failures in 1e9 device-hours."""

    kind: ClassVar[str] = "failure-rate"

    component: str | None = None  # the class of components, or the technology of links, that takes this rate
    fit: float | None = None
    mtbf_h: float | None = None
    failures_per_year: float | None = None
    failures_per_month: float | None = None
    failures_per_node_day: float | None = None
    events: int | None = None
    accelerators: int | None = None
    hours: float | None = None
    accelerator_hours_per_event: float | None = None
    flaps_per_day: float | None = None  # of a link
    fleet_flaps_per_day: float | None = None
    flap_fit: float | None = None
    links_with_flap_fraction: float | None = None
    fraction_of_failures: float | None = None
    hard_fraction: float | None = None
    hours_between_flaps: float | None = None
    availability_gain: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host(Part):
    """Accelerators that one processor board serves: they go when it goes."""

    kind: ClassVar[str] = "host"

    accelerators: int
    shape: tuple[float, ...] = ()  # of them on a grid
    houses: tuple[str, ...] = ()  # the accelerators that stand on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery(Part):
    """How long a step between a failure and full speed takes."""

    kind: ClassVar[str] = "recovery"

    step: str  # checkpoint, restart, reroute, flap, replug, replace
    minutes: float
