"""What a fabric without a spine saves against one with it, by what is counted and at equal delivered throughput."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from fabric.costing import capital_cost
from fabric.powering import network_power
from topologies.graph import Topology
from topologies.jupiter import within
from topologies.parts import Catalogue
from topologies.registry import build


@dataclass(frozen=True, slots=True)
class Saving:
    """One boundary: shares of power and capex saved, at equal uplinks and at equal delivered throughput; None where a
    part has no figure. `matches` names the published figures that lie within eight points at equal uplinks."""

    boundary: str
    power: float | None
    capex: float | None
    power_equal_throughput: float | None
    capex_equal_throughput: float | None
    matches: tuple[str, ...]


def savings(
    spec: str,
    against: str,
    boundaries: Sequence[str],
    stretch: float,
    published: Mapping[str, float],
    parts: Catalogue | None = None,
) -> list[Saving]:
    """The saving of `spec` against `against` under each boundary, from their bills of materials; what follows the comma
    of a boundary ("blocks+spine,stages=2") are parameters that both take.

    Where a share of the traffic crosses a transit block, a byte takes `stretch` uplinks on average: at equal delivered
    throughput the fabric has that many more uplinks, and blocks to carry them.
    """
    rows = []
    built: dict[str, tuple[Topology, ...]] = {}
    for boundary in boundaries:
        layers, _, changed = boundary.partition(",")
        if changed not in built:
            built[changed] = _three(_with(spec, changed), _with(against, changed), stretch, parts)
        counted, other, grown = (within(topology, layers) for topology in built[changed])
        power, capex = _saved(counted, other)
        close = tuple(
            name
            for name, value in (("power", power), ("capex", capex))
            if value is not None and name in published and abs(value - published[name]) <= 0.08
        )
        rows.append(Saving(boundary, power, capex, *_saved(grown, other), close))
    return rows


def _three(spec: str, against: str, stretch: float, parts: Catalogue | None) -> tuple[Topology, ...]:
    """The fabric, what it is held against, and the fabric with more uplinks for the same hosts."""
    alike = build(spec, parts)
    uplinks = int(alike.parameters["uplinks"])
    wider = f"uplinks={2 * ceil(uplinks * stretch / 2)},hosts={uplinks}"
    return alike, build(against, parts), build(_with(spec, wider), parts)


def _with(spec: str, more: str) -> str:
    return f"{spec}{',' if ':' in spec else ':'}{more}" if more else spec


def _saved(topology: Topology, base: Topology) -> tuple[float | None, float | None]:
    pairs = (
        (network_power(topology).total_w, network_power(base).total_w),
        (capital_cost(topology).capex_usd, capital_cost(base).capex_usd),
    )
    power, capex = (None if a is None or b is None else 1 - a / b for a, b in pairs)
    return power, capex
