"""Predicted times of many rows: each machine built once, each collective routed once for all sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    [2.3, 1966.4]
    """
    plans = _plans(machine.spec, pattern, machine.transport)
    times = [min(plan.time_s(size) for plan in plans) * 1e6 for size in sizes]
    if machine.transport == IDEAL:
        return [Prediction(time) for time in times]
    kind, domains = machine.kind, machine.domains
    return [Prediction(t, *interval(t, size, kind, domains)) for t, size in zip(times, sizes, strict=True)]


def modelled(machine: Machine) -> Machine:
    """The machine with a transport that has a model of it: its own, or `ideal`, and then it says so."""
    if serves(machine.spec, machine.transport):
        return machine
    library = machine.transport.partition(":")[0]
    said = f"no model of {library} on it: raw link rates, no software"
    return replace(machine, transport=IDEAL, said=(*machine.said, said))


@lru_cache(maxsize=1024)
def serves(spec: str, transport: str) -> bool:
    """Is there a model of a transport on a fabric?

    >>> serves("switch:n=4", "ideal"), serves("switch:n=4", "no-such-library:net=tcp")
    (True, False)
    """
    try:
        check_choices(transport=transport)
        _plans(spec, "all-reduce", transport)
    except ConfigError:
        return False
    return True


@lru_cache(maxsize=64)
def _topology(spec: str) -> Topology:
    return build(spec)


@lru_cache(maxsize=512)
def _plans(spec: str, pattern: str, transport: str) -> tuple[Plan, ...]:
    """Every algorithm that the library chooses from, routed; closed forms in the size."""
    topology = _topology(spec)
    given = Assumptions(transport=transport)
    return tuple(candidates(topology, collective(pattern, len(topology.accelerators)), given))
