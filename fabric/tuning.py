"""Tuning: the best algorithm at every size, where the best one changes, and the bound beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from fabric.bounds import Bound, collective_bound
from fabric.collectives import Collective
from fabric.patterns import pattern_of
from fabric.placement import Placement
from fabric.results import accelerator_of
from fabric.routing import RoutingOptions
from fabric.simulation import time_estimates
from fabric.timing import Assumptions, Plan, candidates
from fabric.transports import IDEAL
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import topology_of
from topologies.units import format_size, parse_size_bytes

SIZES = "1KiB-16GiB"
STEPS = 8  # looked at in every doubling for a change of the best
SAME = 1e-12  # of a time: what rounding makes of equal ones


@dataclass(frozen=True, slots=True)
class Choice:
    """An algorithm at one size; `protocol` is None where the transport has none."""

    algorithm: str
    protocol: str | None
    time_us: float


@dataclass(frozen=True, slots=True)
class Row:
    """The best at one size, beside the next best (None where one algorithm alone applies) and the bound."""

    size_bytes: int
    algorithm: str
    protocol: str | None
    overlap: str
    time_us: float
    algbw_gb_per_s: float
    busbw_gb_per_s: float
    bound_time_us: float
    of_bound: float
    next: Choice | None


@dataclass(frozen=True, slots=True)
class Crossover:
    """From this size on `after` is best, one byte below it `before` is."""

    size_bytes: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One algorithm at every size asked for."""

    algorithm: str
    overlap: str
    relays: str | None
    time_us: tuple[float, ...]
    busbw_gb_per_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """Every size's best, the crossovers between them, and the curves of all algorithms that apply."""

    topology: Topology
    pattern: Collective
    routing: str
    transport: str
    bound_why: str
    busbw_factor: float
    rows: tuple[Row, ...]
    crossovers: tuple[Crossover, ...]
    curves: tuple[Curve, ...]
    plans: tuple[Plan, ...]
    bound: Bound
    estimates: tuple[str, ...]

    @property
    def collective(self) -> str:
        """The name of the collective."""
        return self.pattern.name

    def best(self, size_bytes: float) -> Plan:
        """The fastest plan at a size; of equal ones the first."""
        return _best(self.plans, size_bytes)

    def spans(self) -> list[tuple[int, int, Plan]]:
        """Sizes from and to which one algorithm is best, within those asked for."""
        starts = [self.rows[0].size_bytes, *(c.size_bytes for c in self.crossovers)]
        ends = [*(c.size_bytes - 1 for c in self.crossovers), self.rows[-1].size_bytes]
        return [(start, end, self.best(start)) for start, end in zip(starts, ends, strict=True)]

    def document(self) -> dict[str, Any]:
        """The tuning as JSON has it."""
        from dataclasses import asdict

        return {
            "topology": self.topology.name,
            "accelerators": self.pattern.n,
            "groups": self.pattern.together,
            "ranks": self.pattern.n * self.pattern.together,
            "placement": self.pattern.placement,
            "fabric_accelerators": len(self.topology.accelerators),
            "accelerator": accelerator_of(self.topology),
            "collective": self.collective,
            "routing": self.routing,
            "transport": self.transport,
            "fidelity": "steady",
            "bound_why": self.bound_why,
            "rows": [asdict(row) for row in self.rows],
            "crossovers": [asdict(crossover) for crossover in self.crossovers],
            "curves": [asdict(curve) for curve in self.curves],
            "estimates": list(self.estimates),
        }


def tune(
    topology: "Topology | nx.Graph | str | Path",
    collective_name: str = "all-reduce",
    sizes: "str | Sequence[str | float]" = SIZES,
    *,
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    tune: str = "library",
    overlap: str = "auto",
    tie: str = "split",
    seed: int = 0,
    flows_per_pair: int = 1,
    hedge: float = 0.0,
    shift: int | None = None,
    permutation: "Path | str | Sequence[int] | None" = None,
    ranks: "str | Sequence[int] | None" = None,
    group: "str | Mapping[str, int] | None" = None,
    over: "str | Sequence[str] | None" = None,
    placement: Placement = "packed",
    rate_gbps: float | None = None,
    parts: Catalogue | None = None,
    threads: int = 0,
) -> Tuning:
    """The best algorithm at every size: each that applies is routed once, which serves all sizes.

    `sizes` are FROM-TO, which doubles, or a list, in bytes or like "1KiB"; the rest as in `simulate`. Times are of
    fidelity `steady`. Crossovers are exact to the byte.

    Raises what `simulate` raises, and ConfigError for sizes that cannot be read.

    >>> tuned = tune("switch:n=8", "all-reduce", ["1KiB", "1GiB"])
    >>> [row.size_bytes for row in tuned.rows], round(tuned.rows[1].of_bound, 4)
    ([1024, 1073741824], 1.0)
    """
    topology = topology_of(topology, rate_gbps=rate_gbps, parts=parts)
    asked = parse_sizes(sizes)
    pattern = pattern_of(
        topology, collective_name, shift=shift, permutation=permutation, ranks=ranks, group=group, over=over,
        placement=placement, seed=seed,
    )  # fmt: skip
    if pattern.moe is not None:
        raise ConfigError(f"{collective_name} has one size, which follows from its tokens: solve answers it")
    if transport.partition(":")[0] == "one-sided":
        raise ConfigError("transport one-sided carries moe-dispatch and moe-combine; give another to tune")
    options = RoutingOptions(tie=tie, seed=seed, flows_per_pair=flows_per_pair, hedge=hedge, threads=threads)
    given = Assumptions(algorithm, routing, overlap, transport, options=options, tune=tune)
    plans = candidates(topology, pattern, given)
    bound = collective_bound(topology, pattern, gap=None, threads=threads)
    return Tuning(
        topology=topology,
        pattern=pattern,
        routing=plans[0].routing,
        transport=IDEAL if plans[0].pricing is None else plans[0].pricing.name,
        bound_why=bound.why,
        busbw_factor=pattern.busbw_factor,
        rows=tuple(_row(plans, bound, size, pattern.busbw_factor) for size in asked),
        crossovers=tuple(crossovers(plans, asked[0], asked[-1])),
        curves=tuple(_curve(plan, asked, pattern.busbw_factor) for plan in plans),
        plans=tuple(plans),
        bound=bound,
        estimates=tuple(time_estimates(topology)),
    )


def parse_sizes(sizes: "str | Sequence[str | float]") -> list[int]:
    """Rising sizes in bytes of FROM-TO, which doubles and ends with TO, or of a list, as text or as it is.

    >>> parse_sizes("1KiB-5KiB"), parse_sizes("3KiB,1KiB"), parse_sizes([512])
    ([1024, 2048, 4096, 5120], [1024, 3072], [512])
    """
    if not isinstance(sizes, str):
        words: list[str | float] = list(sizes)
    elif "-" in sizes:
        return _doubled(sizes)
    else:
        words = list(sizes.split(","))
    if not words:
        raise ConfigError(f"no sizes; give them like {SIZES} or 1KiB,1MiB")
    return sorted({parse_size_bytes(word) for word in words})


def _doubled(span: str) -> list[int]:
    first, _, last = span.partition("-")
    start, end = parse_size_bytes(first), parse_size_bytes(last)
    if start > end:
        raise ConfigError(f"sizes '{span}' run from the larger to the smaller; write them like {SIZES}")
    doubled = [start << k for k in range(64) if start << k < end]
    return [*doubled, end]


def _best(plans: Sequence[Plan], size_bytes: float) -> Plan:
    """The fastest at a size; the first of those that are equal but for rounding."""
    times = [plan.time_s(size_bytes) for plan in plans]
    least = min(times) * (1 + SAME)
    return next(plan for plan, time in zip(plans, times, strict=True) if time <= least)


def crossovers(plans: Sequence[Plan], first: int, last: int) -> list[Crossover]:
    """The sizes from `first` to `last` at which another plan becomes the best, each found by bisection to the byte.

    Between two that are looked at, eight a doubling, a plan that loses and wins again is not seen; straight lines
    never do that.
    """
    found = []
    size, best = first, _best(plans, first)
    for ahead in _looked_at(first, last):
        while _best(plans, ahead) is not best:
            size = _change(lambda middle, best=best: _best(plans, middle) is best, size, ahead)  # type: ignore[misc]
            after = _best(plans, size)
            found.append(Crossover(size, best.schedule.algorithm, after.schedule.algorithm))
            best = after
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


def _row(plans: Sequence[Plan], bound: Bound, size: int, factor: float) -> Row:
    best = _best(plans, size)
    others = [plan for plan in plans if plan is not best]
    second = _best(others, size) if others else None
    time_s, at_best_s = best.time_s(size), bound.time_s(size)
    algbw = size / time_s / 1e9
    return Row(
        size_bytes=size,
        algorithm=best.schedule.algorithm,
        protocol=best.protocol(size),
        overlap=best.schedule.overlap,
        time_us=time_s * 1e6,
        algbw_gb_per_s=algbw,
        busbw_gb_per_s=algbw * factor,
        bound_time_us=at_best_s * 1e6,
        of_bound=at_best_s / time_s,
        next=None if second is None else _choice(second, size),
    )


def _choice(plan: Plan, size: int) -> Choice:
    return Choice(plan.schedule.algorithm, plan.protocol(size), plan.time_s(size) * 1e6)


def _curve(plan: Plan, sizes: Sequence[int], factor: float) -> Curve:
    times = [plan.time_s(size) for size in sizes]
    busbw = tuple(size / time / 1e9 * factor for size, time in zip(sizes, times, strict=True))
    return Curve(
        plan.schedule.algorithm, plan.schedule.overlap, plan.schedule.relays, tuple(t * 1e6 for t in times), busbw
    )


def told(crossover: Crossover) -> str:
    """A crossover in words.

    >>> told(Crossover(123456, "direct", "ring"))
    'from 120.6 KiB (123,456 bytes) on, ring instead of direct'
    """
    size = f"{format_size(crossover.size_bytes)} ({crossover.size_bytes:,} bytes)"
    return f"from {size} on, {crossover.after} instead of {crossover.before}"
