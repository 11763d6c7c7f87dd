"""Comparison: configurations in comparable sets, ranked within each, with Pareto marks and a sentence each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from fabric.collectives import collective
from fabric.results import Result
from fabric.routing import RoutingOptions
from fabric.simulation import choose, evaluate
from fabric.transport import resolve_transport
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build
from topologies.units import format_power_w, format_size, format_time_us, format_usd, parse_size_bytes

SAME_TIME = 0.005  # times within half a per cent are ranked by power, then by capex


@dataclass(frozen=True, slots=True)
class Row:
    """A result in its comparable set; rank and pareto are None where it stands alone."""

    result: Result
    set: str
    rank: int | None
    pareto: bool | None

    def document(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {**self.result.row(), "set": self.set, "rank": self.rank, "pareto": self.pareto}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows in the order of their sets, the best of each first; one sentence a set."""

    rows: tuple[Row, ...]
    sentences: dict[str, str]

    @property
    def sets(self) -> dict[str, list[Row]]:
        """Rows by set, in order."""
        sets: dict[str, list[Row]] = {}
        for row in self.rows:
            sets.setdefault(row.set, []).append(row)
        return sets


def compare(
    specs: "Sequence[str | Topology | nx.Graph]",
    collectives: Sequence[str] = ("all-reduce", "all-to-all"),
    size: "str | float" = "1GiB",
    *,
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    overlap: str = "auto",
    tie: str = "split",
    seed: int = 0,
    flows_per_pair: int = 1,
    hedge: float = 0.0,
    rank_all: bool = False,
    parts: Catalogue | None = None,
    threads: int = 0,
) -> Comparison:
    """Each configuration under each collective, in comparable sets.

    A set has the same accelerator, number of accelerators, collective, size and transport; with `rank_all` the
    collective, size and transport alone, and watts and dollars count per accelerator.

    >>> c = compare(["torus:dims=4x4x8", "torus:dims=4x4x8,twist=true"], ["all-to-all"])
    >>> [(r.result.topology, r.rank) for r in c.rows]
    [('torus:dims=4x4x8,twist=true', 1), ('torus:dims=4x4x8', 2)]
    """
    if not specs:
        raise ConfigError("nothing to compare; give topology specs, e.g. nvl72 nvl72:technology=pluggable")
    texts = [spec for spec in specs if isinstance(spec, str)]
    twice = [name for names in (texts, list(collectives)) for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"'{twice[0]}' is given twice; nothing is compared with itself")
    size_bytes, named = parse_size_bytes(size), resolve_transport(transport)
    options = RoutingOptions(tie=tie, seed=seed, flows_per_pair=flows_per_pair, hedge=hedge, threads=threads)
    results = []
    for spec in specs:
        topology = spec if isinstance(spec, Topology) else _topology(spec, parts)
        for name in collectives:
            pattern = collective(name, len(topology.accelerators))
            plan = choose(topology, pattern, size_bytes, algorithm, routing, options, overlap=overlap)
            results.append(evaluate(plan, size_bytes, named))
    return rank(results, rank_all=rank_all)


def _topology(spec: "str | nx.Graph", parts: Catalogue | None) -> Topology:
    return build(spec, parts) if isinstance(spec, str) else Topology.from_graph(spec, parts=parts)


def rank(results: Sequence[Result], *, rank_all: bool = False) -> Comparison:
    """Put results into comparable sets and rank them in each."""
    members: dict[str, list[Result]] = {}
    for result in results:
        members.setdefault(_set_of(result, rank_all), []).append(result)
    rows: list[Row] = []
    sentences = {}
    for name, group in members.items():
        ordered = _ordered(group, rank_all)
        front = _pareto(ordered, rank_all)
        alone = len(ordered) == 1
        rows += [
            Row(result, name, None if alone else i + 1, None if alone else front[i]) for i, result in enumerate(ordered)
        ]
        sentences[name] = _sentence(ordered, rank_all)
    return Comparison(tuple(rows), sentences)


def _set_of(result: Result, rank_all: bool) -> str:
    what = f"{result.collective} of {format_size(result.size_bytes)}, {result.transport} transport"
    return what if rank_all else f"{result.accelerators:,} x {result.accelerator or 'mixed'}, {what}"


def _per(result: Result, value: float | None, rank_all: bool) -> float | None:
    return value / result.accelerators if rank_all and value is not None else value


def _ordered(group: Sequence[Result], rank_all: bool) -> list[Result]:
    """By time; those within half a per cent of the fastest left, by power, then capex; unknown ones last."""

    def second(result: Result) -> tuple[float, float, str]:
        watts, usd = (_per(result, v, rank_all) for v in (result.network_power_w, result.capex_usd))
        return (
            float("inf") if watts is None else watts,
            float("inf") if usd is None else usd,
            result.topology,
        )

    left = sorted(group, key=lambda r: r.time_us)
    ordered: list[Result] = []
    while left:
        level = [r for r in left if r.time_us <= left[0].time_us * (1 + SAME_TIME)]
        ordered += sorted(level, key=second)
        left = left[len(level) :]
    return ordered


def _pareto(group: Sequence[Result], rank_all: bool) -> list[bool]:
    """Is no other as good in time (within half a per cent), power and capex and better in one? An unknown measure beats
    no known one."""
    unknown = float("inf")
    points = []
    for r in group:
        watts, usd = (_per(r, v, rank_all) for v in (r.network_power_w, r.capex_usd))
        points.append((r.time_us, unknown if watts is None else watts, unknown if usd is None else usd))
    return [not any(_dominates(q, p) for q in points) for p in points]


def _dominates(q: tuple[float, float, float], p: tuple[float, float, float]) -> bool:
    no_worse = q[0] <= p[0] * (1 + SAME_TIME) and q[1] <= p[1] and q[2] <= p[2]
    return no_worse and (q[0] * (1 + SAME_TIME) < p[0] or q[1] < p[1] or q[2] < p[2])


def _sentence(ordered: Sequence[Result], rank_all: bool) -> str:
    """What the set shows: who is fastest, by how much, and who draws or costs least."""
    best = ordered[0]
    if len(ordered) == 1:
        return f"{best.topology} stands alone: nothing else here has its accelerators, number, collective and size."
    last = max(ordered, key=lambda r: r.time_us)
    if last.time_us <= best.time_us * (1 + SAME_TIME):
        said = f"All take {format_time_us(best.time_us)}, within half a per cent"
    else:
        faster = last.time_us / best.time_us
        said = f"{best.topology} is fastest: {format_time_us(best.time_us)}, {faster:.3g}x faster than {last.topology}"
    said += _least(ordered, "network_power_w", "draws", format_power_w, rank_all)
    said += _least(ordered, "capex_usd", "costs", format_usd, rank_all)
    return said + (" (watts and dollars per accelerator)." if rank_all else ".")


def _least(ordered: Sequence[Result], key: str, verb: str, show: Any, rank_all: bool) -> str:
    known = [(value, r.topology) for r in ordered if (value := _per(r, getattr(r, key), rank_all)) is not None]
    if len(known) < len(ordered):
        return ""
    (low, least), (high, most) = min(known), max(known)
    if high - low <= 1e-9 * high:
        return f"; each {verb} {show(low)}"
    return f"; {least} {verb} least, {show(low)}, {show(high - low)} less than {most}"
