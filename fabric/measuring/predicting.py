"""Predicted times of many rows: each machine built once, each collective routed once for all sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from fabric.choices import check_choices
from fabric.collectives import collective
from fabric.intervals import interval
from fabric.measuring.machines import Machine
from fabric.timing import Assumptions, Plan, candidates
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.registry import build

IDEAL = "ideal"


@dataclass(frozen=True, slots=True)
class Prediction:
    """A time, and the interval in which nine of ten measurements lie where one is known."""

    time_us: float
    low_us: float | None = None
    high_us: float | None = None


def predict(machine: Machine, pattern: str, sizes: Sequence[int]) -> list[Prediction]:
    """Times of a collective on a machine at each size; FabricError where the machine cannot be built or served.

    >>> from fabric.measuring.machines import machine_of
    >>> from fabric.measuring.reading import read_rows
    >>> row = read_rows("system,gpus,collective,size_bytes,time_us\\nTrainium2,16,all_gather,1048576,99\\n")[0][0]
    >>> [round(p.time_us, 1) for p in predict(machine_of(row), "all-gather", [1 << 20, 1 << 30])]
    [2.5, 1966.6]
    """
    transport = modelled(machine.transport)
    plans = _plans(machine.spec, pattern, transport)
    times = [min(plan.time_s(size) for plan in plans) * 1e6 for size in sizes]
    if transport == IDEAL:
        return [Prediction(time) for time in times]
    kind, domains = machine.kind, machine.domains
    return [Prediction(t, *interval(t, size, kind, domains)) for t, size in zip(times, sizes, strict=True)]


@lru_cache(maxsize=256)
def modelled(transport: str) -> str:
    """The transport of a machine, or `ideal` where its library has no model; ConfigError for options that it has not.

    >>> modelled("no-such-library:net=tcp")
    'ideal'
    """
    try:
        check_choices(transport=transport.partition(":")[0])
    except ConfigError:
        return IDEAL
    check_choices(transport=transport)
    return transport


@lru_cache(maxsize=64)
def _topology(spec: str) -> Topology:
    return build(spec)


@lru_cache(maxsize=512)
def _plans(spec: str, pattern: str, transport: str) -> tuple[Plan, ...]:
    """Every algorithm that the library chooses from, routed; closed forms in the size."""
    topology = _topology(spec)
    given = Assumptions(transport=transport)
    return tuple(candidates(topology, collective(pattern, len(topology.accelerators)), given))
