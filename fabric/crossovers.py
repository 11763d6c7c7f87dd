"""Crossovers: the sizes at which another algorithm, or another protocol of it, becomes the fastest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fabric.timing import Plan
from topologies.units import format_size

STEPS = 8  # looked at in every doubling for a change of the best
SAME = 1e-12  # of a time: what rounding makes of equal ones


@dataclass(frozen=True, slots=True)
class Crossover:
    """From this size on `after` is best, one byte below it `before` is: algorithms, with their protocols."""

    size_bytes: int
    before: str
    after: str


def fastest(plans: Sequence[Plan], size_bytes: float) -> Plan:
    """The fastest at a size; the first of those that are equal but for rounding."""
    times = [plan.time_s(size_bytes) for plan in plans]
    least = min(times) * (1 + SAME)
    return next(plan for plan, time in zip(plans, times, strict=True) if time <= least)


def named(algorithm: str, protocol: str | None) -> str:
    """An algorithm with its protocol.

    >>> named("ring", "LL128"), named("ring", None)
    ('ring LL128', 'ring')
    """
    return f"{algorithm} {protocol}" if protocol else algorithm


def crossovers(plans: Sequence[Plan], first: int, last: int) -> list[Crossover]:
    """The sizes from `first` to `last` at which another plan or protocol becomes the best, each found by bisection to
    the byte.

    Between two that are looked at, eight a doubling, one that loses and wins again is not seen; straight lines never do
    that.
    """

    def best(size: int) -> str:
        plan = fastest(plans, size)
        return named(plan.schedule.algorithm, plan.protocol(size))

    found = []
    size, before = first, best(first)
    for ahead in _looked_at(first, last):
        while best(ahead) != before:
            size = _change(lambda middle, before=before: best(middle) == before, size, ahead)  # type: ignore[misc]
            after = best(size)
            found.append(Crossover(size, before, after))
            before = after
        size = ahead
    return found


def _looked_at(first: int, last: int) -> list[int]:
    """Rising sizes above the first up to the last, eight a doubling."""
    sizes, k = [], 1
    while (size := int(first * 2 ** (k / STEPS))) < last:
        sizes.append(size)
        k += 1
    return sorted({*sizes, last} - {first})


def _change(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The least size above low at which what holds at low no longer does; it does not at high.

    >>> _change(lambda size: size < 37, 1, 1000)
    37
    """
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high


def told(crossover: Crossover) -> str:
    """A crossover in words.

    >>> told(Crossover(123456, "direct", "ring LL128"))
    'from 120.6 KiB (123,456 bytes) on, ring LL128 instead of direct'
    """
    size = f"{format_size(crossover.size_bytes)} ({crossover.size_bytes:,} bytes)"
    return f"from {size} on, {crossover.after} instead of {crossover.before}"
