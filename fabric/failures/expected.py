"""Expected failures of a network: hard ones and flaps a day, of everything but accelerators and their hosts."""

from dataclasses import dataclass

from fabric.failures.components import components
from fabric.failures.rates import Events, flaps, hard_failures, total
from topologies.graph import Topology

MACHINES = ("accelerator", "host")


@dataclass(frozen=True, slots=True)
class Expected:
    """Failures and flaps a day, None where no source gives a rate of any class; `unrated` names classes without one."""

    hard: Events | None
    flaps: Events | None
    unrated: tuple[str, ...]


def expected_failures(topology: Topology) -> Expected:
    """What fails in the network each day, by the rates of its links, adapters, switches and circuits.

    >>> from topologies.registry import build
    >>> found = [expected_failures(build(f"nvl72:technology={name}")).hard.value for name in ("dac", "pluggable")]
    >>> found[0] < found[1]
    True
    """
    rows = [each for each in components(topology) if each.kind not in MACHINES]
    rated = [(each.name, hard_failures(each, topology.catalogue)) for each in rows]
    unstable = [found for each in rows if (found := flaps(each, topology.catalogue)) is not None]
    known = [events for _, events in rated if events is not None]
    return Expected(
        total(known) if known else None, total(unstable) if unstable else None,
        tuple(name for name, events in rated if events is None),
    )  # fmt: skip
