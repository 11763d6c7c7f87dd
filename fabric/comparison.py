"""Comparison: configurations in comparable sets, ranked within each, with Pareto marks and a sentence each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx

from fabric.choices import check_choices
from fabric.limits import broken
from fabric.patterns import bytes_of, pattern_of
from fabric.placement import Placement
from fabric.results import Result
from fabric.routing.router import RoutingOptions
from fabric.simulation import answer
from fabric.timing import Assumptions
from fabric.varying import Variant, variant, varied_specs
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import topology_of
from topologies.units import format_power_w, format_size, format_time_us, format_usd, parse_size_bytes

SAME_TIME = 0.005  # times within half a per cent are ranked by power, then by capex


@dataclass(frozen=True, slots=True)
class Row:
    """A result in its comparable set; rank and pareto are None where it stands alone, or where it cannot be built as
    given: `unranked` then says why."""

    result: Result
    set: str
    rank: int | None
    pareto: bool | None
    unranked: str | None = None

    def document(self) -> dict[str, Any]:
        """The row as JSON has it."""
        place = {"set": self.set, "rank": self.rank, "pareto": self.pareto, "unranked": self.unranked}
        return {**self.result.row(), **place}


@dataclass(frozen=True, slots=True)
class Infeasible:
    """What has no answer, and why in one line."""

    topology: str
    collective: str
    error: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows in the order of their sets, the best of each first; one sentence a set, the measures of its front, what has
    no answer, and what each variant is built of, where there are variants."""

    rows: tuple[Row, ...]
    sentences: dict[str, str]
    measures: dict[str, str]
    infeasible: tuple[Infeasible, ...] = ()
    variants: tuple[Variant, ...] = ()

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
    tune: str = "library",
    fidelity: str = "steady",
    overlap: str = "auto",
    tie: str = "split",
    seed: int = 0,
    flows_per_pair: int = 1,
    hedge: float = 0.0,
    ranks: "str | Sequence[int] | None" = None,
    group: "str | Mapping[str, int] | None" = None,
    over: "str | Sequence[str] | None" = None,
    placement: Placement = "packed",
    rank_all: bool = False,
    vary: Sequence[str] = (),
    parts: Catalogue | None = None,
    threads: int = 0,
) -> Comparison:
    """Each configuration under each collective, in comparable sets.

    A set has the same accelerator, number of accelerators, groups, collective, size and transport, and counts the same
    layers;
    with `rank_all` the collective, size, transport and layers alone, and watts and dollars count per accelerator.
    `vary`, texts like "technology=dac,cpo", puts each spec there in each of those values, or in each combination; a
    variant that cannot be built stands in `variants` with the reason, and in no set.
    A fabric that has no answer under these options (no path, no algorithm, no grid for its routing) stands in
    `infeasible`; the others are compared.

    >>> c = compare(["torus:dims=4x4x8", "torus:dims=4x4x8,twist=true"], ["all-to-all"])
    >>> [(r.result.topology, r.rank) for r in c.rows]
    [('torus:dims=4x4x8,twist=true', 1), ('torus:dims=4x4x8', 2)]
    """
    if isinstance(specs, str | Topology | nx.Graph):
        raise ConfigError("compare takes a list of fabrics, e.g. ['nvl72', 'nvl72:technology=pluggable']")
    if not specs:
        raise ConfigError("nothing to compare; give topology specs, e.g. nvl72 nvl72:technology=pluggable")
    texts = [spec for spec in specs if isinstance(spec, str)]
    twice = [name for names in (texts, list(collectives)) for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"'{twice[0]}' is given twice; nothing is compared with itself")
    check_choices(
        collectives=collectives, size=size, algorithm=algorithm, routing=routing, transport=transport,
        overlap=overlap, tie=tie, fidelity=fidelity, tune=tune, parts=parts,
    )  # fmt: skip
    size_bytes = parse_size_bytes(size)
    options = RoutingOptions(tie=tie, seed=seed, flows_per_pair=flows_per_pair, hedge=hedge, threads=threads)
    given = Assumptions(algorithm, routing, overlap, transport, fidelity, options, tune)
    results, infeasible = [], []
    built = [variant(one, parts) for one in varied_specs(texts, vary, parts)] if vary else []
    if vary and len(texts) < len(specs):
        raise ConfigError("vary changes the parameters of specs; give texts like 'nvl72', no graphs")
    fabrics = [made for _, made in built if made is not None] if vary else specs
    for spec in fabrics:
        topology = topology_of(spec, parts=parts)
        for name in collectives:
            try:
                pattern = pattern_of(
                    topology, name, ranks=ranks, group=group, over=over, placement=placement, seed=seed
                )
                results.append(answer(topology, pattern, bytes_of(topology, pattern, size_bytes), given))
            except FabricError as error:
                infeasible.append(Infeasible(topology.name, name, str(error)))
    variants = tuple(row for row, _ in built)
    return replace(rank(results, rank_all=rank_all), infeasible=tuple(infeasible), variants=variants)


def rank(results: Sequence[Result], *, rank_all: bool = False) -> Comparison:
    """Put results into comparable sets and rank them in each."""
    members: dict[str, list[Result]] = {}
    for result in results:
        members.setdefault(_set_of(result, rank_all), []).append(result)
    rows: list[Row] = []
    sentences, measures = {}, {}
    for name, group in members.items():
        why = {id(result): broken(result.walls) for result in group}
        ordered = _ordered([result for result in group if why[id(result)] is None], rank_all)
        if len(ordered) == 1:
            rows.append(Row(ordered[0], name, None, None))
        else:
            front = _pareto(ordered, rank_all)
            rows += [Row(result, name, i + 1, front[i]) for i, result in enumerate(ordered)]
        rows += [Row(result, name, None, None, why[id(result)]) for result in group if why[id(result)]]
        sentences[name] = _sentence(ordered, rank_all)
        if len(ordered) > 1:
            measures[name] = _measures(ordered)
    return Comparison(tuple(rows), sentences, measures)


def _set_of(result: Result, rank_all: bool) -> str:
    what = f"{result.collective} of {format_size(result.size_bytes)}, {result.transport} transport"
    if result.left_out:
        what += f", watts and dollars without {' and '.join(result.left_out)}"
    counted = f"{result.accelerators:,} x {result.accelerator or 'mixed'}"
    if result.groups > 1:
        counted = f"{result.groups:,} groups of {counted}"
    return what if rank_all else f"{counted}, {what}"


def _per(result: Result, value: float | None, rank_all: bool) -> float | None:
    return value / result.fabric_accelerators if rank_all and value is not None else value


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


def _measures(group: Sequence[Result]) -> str:
    """What the Pareto front of a set is in: time, and of power and capex what is known."""
    known = {
        "power": [r.network_power_w is not None for r in group],
        "capex": [r.capex_usd is not None for r in group],
    }
    used = ["time", *(name if all(has) else f"{name} where known" for name, has in known.items() if any(has))]
    return " and ".join([", ".join(used[:-1]), used[-1]] if len(used) > 1 else used)


def _dominates(q: tuple[float, float, float], p: tuple[float, float, float]) -> bool:
    no_worse = q[0] <= p[0] * (1 + SAME_TIME) and q[1] <= p[1] and q[2] <= p[2]
    return no_worse and (q[0] * (1 + SAME_TIME) < p[0] or q[1] < p[1] or q[2] < p[2])


def _sentence(ordered: Sequence[Result], rank_all: bool) -> str:
    """What the set shows: who is fastest, by how much, and who draws or costs least."""
    if not ordered:
        return "Nothing here can be built as given."
    best = ordered[0]
    if len(ordered) == 1:
        counted = " or counts the same layers" if best.left_out else ""
        alike = "its accelerators, number, collective and size"
        return f"{best.topology} stands alone: nothing else here has {alike}{counted}."
    last = max(ordered, key=lambda r: r.time_us)
    if last.time_us <= best.time_us * (1 + SAME_TIME):
        times = {format_time_us(r.time_us) for r in ordered}
        about = "about " if len(times) > 1 else ""
        said = f"All take {about}{format_time_us(best.time_us)}, within half a per cent"
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
    if show(low) == show(high):
        return f"; each {verb} about {show(low)}"
    return f"; {least} {verb} least, {show(low)}, {show(high - low)} less than {most}"
