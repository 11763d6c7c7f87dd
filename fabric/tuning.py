"""Tuning: the best algorithm at every size, where the best one changes, and the bound beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from fabric.bounds import Bound, collective_bound
from fabric.collectives import Collective
from fabric.crossovers import Crossover, crossovers, fastest
from fabric.patterns import pattern_of
from fabric.placement import Placement
from fabric.results import accelerator_of
from fabric.routing.router import RoutingOptions
from fabric.simulation import time_estimates
from fabric.timing import Assumptions, Plan, candidates
from fabric.transports import IDEAL
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import topology_of
from topologies.units import parse_size_bytes

SIZES = "1KiB-16GiB"


@dataclass(frozen=True, slots=True)
class Choice:
    """An algorithm at one size, and how many times as long as the best it takes; `protocol` is None where the transport
    has none."""

    algorithm: str
    protocol: str | None
    time_us: float
    takes: float


@dataclass(frozen=True, slots=True)
class Row:
    """The best at one size, beside the next best algorithm (None where one alone applies), what the library takes by
    itself (None under raw rates) and the bound."""

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
    library: Choice | None


@dataclass(frozen=True, slots=True)
class Curve:
    """One algorithm at every size asked for, with its fastest protocol at each."""

    algorithm: str
    overlap: str
    relays: str | None
    time_us: tuple[float, ...]
    protocol: tuple[str | None, ...]
    busbw_gb_per_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """Every size's best, the crossovers between them, and the curves of all algorithms that apply.

    `library` are those of the plans that the library chooses from, and `library_crossovers` where its choice changes;
    none under raw rates.
    """

    topology: Topology
    pattern: Collective
    routing: str
    transport: str
    bound_why: str
    busbw_factor: float
    rows: tuple[Row, ...]
    crossovers: tuple[Crossover, ...]
    library_crossovers: tuple[Crossover, ...]
    curves: tuple[Curve, ...]
    plans: tuple[Plan, ...]
    library: tuple[Plan, ...]
    bound: Bound
    estimates: tuple[str, ...]

    @property
    def collective(self) -> str:
        """The name of the collective."""
        return self.pattern.name

    def best(self, size_bytes: float) -> Plan:
        """The fastest plan at a size; of equal ones the first."""
        return fastest(self.plans, size_bytes)

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
            "library_crossovers": [asdict(crossover) for crossover in self.library_crossovers],
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
    fidelity `steady`. Crossovers are exact to the byte. Under a library all algorithms have its costs; what it would
    take by itself stands beside the best.

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
    given = Assumptions(algorithm, routing, overlap, transport, options=options, tune="best")
    plans = candidates(topology, pattern, given)
    library = _of_library(plans) if algorithm == "auto" else []
    bound = collective_bound(topology, pattern, gap=None, threads=threads)
    pricing = plans[0].pricing
    return Tuning(
        topology=topology,
        pattern=pattern,
        routing=plans[0].routing,
        transport=IDEAL if pricing is None else pricing.name,
        bound_why=bound.why,
        busbw_factor=pattern.busbw_factor,
        rows=tuple(_row(plans, library, bound, size, pattern.busbw_factor) for size in asked),
        crossovers=tuple(crossovers(plans, asked[0], asked[-1])),
        library_crossovers=tuple(crossovers(library, asked[0], asked[-1]) if library else ()),
        curves=tuple(_curve(plan, asked, pattern.busbw_factor) for plan in plans),
        plans=tuple(plans),
        library=tuple(library),
        bound=bound,
        estimates=(*time_estimates(topology), *_of_pricing(plans)),
    )


def _of_library(plans: Sequence[Plan]) -> list[Plan]:
    """Those that the library takes by itself: of its menu, or all where none of that applies."""
    pricing = plans[0].pricing
    if pricing is None:
        return []
    menu = pricing.menu(plans[0].collective.name)
    return [plan for plan in plans if plan.schedule.algorithm in menu] or list(plans)


def _of_pricing(plans: Sequence[Plan]) -> list[str]:
    """What the costs of a library stand on; of what it does not do itself nobody has measured them."""
    pricing = plans[0].pricing
    if pricing is None:
        return []
    menu = pricing.menu(plans[0].collective.name)
    others = [plan.schedule.algorithm for plan in plans if plan.schedule.algorithm not in menu]
    costs = f"{', '.join(others)}: not of {pricing.name}, priced at its launch, hops and shares of line rates"
    return [*pricing.said, *([costs] if others else [])]


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


def _row(plans: Sequence[Plan], library: Sequence[Plan], bound: Bound, size: int, factor: float) -> Row:
    best = fastest(plans, size)
    others = [plan for plan in plans if plan is not best]
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
        next=_choice(others, size, time_s),
        library=_choice(library, size, time_s),
    )


def _choice(plans: Sequence[Plan], size: int, best_s: float) -> Choice | None:
    if not plans:
        return None
    plan = fastest(plans, size)
    time_s = plan.time_s(size)
    return Choice(plan.schedule.algorithm, plan.protocol(size), time_s * 1e6, time_s / best_s)


def _curve(plan: Plan, sizes: Sequence[int], factor: float) -> Curve:
    times = [plan.time_s(size) for size in sizes]
    return Curve(
        plan.schedule.algorithm, plan.schedule.overlap, plan.schedule.relays, tuple(t * 1e6 for t in times),
        tuple(plan.protocol(size) for size in sizes),
        tuple(size / time / 1e9 * factor for size, time in zip(sizes, times, strict=True)),
    )  # fmt: skip
