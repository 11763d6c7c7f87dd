"""What a compute table asks of the program: its subject, its question, and what becomes of the answer."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from inspect import signature
from typing import Any

import networkx as nx

from fabric.boundary import rows_within
from fabric.bounding.regular import all_to_all_links
from fabric.costing.capital import cost_of
from fabric.costing.dollars import Usd
from fabric.costing.prices import priced
from fabric.describing import describe
from fabric.failures.published import FAILURE_QUESTIONS, failure_answer
from fabric.metrics import TIERS
from fabric.powering.report import Asked, report
from fabric.simulation import simulate
from fabric.workloads.published import MODEL_QUESTIONS, STEP_QUESTIONS, model_answer, step_answer
from topologies.bill import bill_of_materials
from topologies.copper import copper_budget
from topologies.errors import ConfigError, closest
from topologies.graph import Topology
from topologies.links import MEDIA
from topologies.parts import CopperMode, Part, Switch, Twinax, catalogue
from topologies.registry import build

Value = float | list[float]
Compute = Mapping[str, Any]

COMBINE: dict[str, Callable[[float, float], float]] = {  # in the order in which they apply
    "plus": lambda a, b: a + b,
    "over": lambda a, b: a / b,
    "minus": lambda a, b: a - b,
    "saving_over": lambda a, b: 1 - a / b,
    "excess_over": lambda a, b: a / b - 1,
}
SUBJECTS = {
    "topology": ("describe", "bill", "solve", "limit", "power", "capex", *FAILURE_QUESTIONS, *STEP_QUESTIONS),
    "graph": ("describe", "bill", "solve"),
    "part": ("nameplate", "ports_at_gbps"),
    "mode": ("reach_m_at_awg",),
    "model": MODEL_QUESTIONS,
}
SOLVE_NEEDS = ("collective", "size", "transport")
SOLVE_TAKES = ("algorithm", "routing", "overlap", "tie", "shift", "permutation", "seed", "fidelity")
_COUNTED = {"switches_by_tier": tuple(TIERS.values()), "links_by_medium": MEDIA}
_GENERATOR = re.compile(r"networkx:([a-z_]\w*_graph)(?:\((\d+(?:, *\d+)*)\))?")


def compute(table: Compute) -> list[float]:
    """What the program answers to one compute table; FabricError where it refuses.

    >>> compute({"topology": "torus:dims=4x4x4", "describe": ["links", "diameter"], "divide_by": 2})
    [96.0, 3.0]
    """
    values = _asked(table)
    if "times" in table:
        values = [value * _factor(table, "times") for value in values]
    if "divide_by" in table:
        values = [value / _factor(table, "divide_by") for value in values]
    for name, combine in COMBINE.items():
        if name in table:
            others = compute(table[name])
            if len(others) not in (1, len(values)):
                raise ConfigError(f"{name} gives {len(others)} numbers for {len(values)}")
            if name.endswith("over") and 0 in others:
                raise ConfigError(f"{name} divides by zero")
            others = others * (len(values) // len(others))
            values = [combine(a, b) for a, b in zip(values, others, strict=True)]
    return values


def _factor(table: Compute, key: str) -> float:
    return float(len(topology_asked(table).accelerators) if table[key] == "accelerators" else table[key])


def _asked(table: Compute) -> list[float]:
    if "part" in table:
        return [_of_part(table)]
    if "mode" in table:
        return [_reach_m(table["mode"], table["reach_m_at_awg"])]
    if "model" in table:
        return [model_answer(table)]
    topology = topology_asked(table)
    if "power" in table:
        return [_powered(topology, table)]
    if "capex" in table:
        cost = cost_of(rows_within(topology, table.get("exclude", ())))
        if cost.missing:
            raise ConfigError(f"capex: no price of {', '.join(cost.missing)}")
        return [_at(cost.priced.row(), table["capex"], "capex")]
    if "bill" in table:
        wanted = topology.catalogue.part(table["bill"], Part)
        return [sum(row.quantity for row in bill_of_materials(topology) if row.part is wanted)]
    if "solve" in table:
        return [_solved(topology, table)]
    if any(question in table for question in FAILURE_QUESTIONS):
        return [failure_answer(topology, table)]
    if any(question in table for question in STEP_QUESTIONS):
        return [step_answer(topology, table)]
    if "limit" in table:
        return [_at({"all_to_all_links": all_to_all_links(topology)}, table["limit"], "limit")]
    paths = table["describe"] if isinstance(table["describe"], list) else [table["describe"]]
    return [_at(_described(topology), path, "describe") for path in paths]


def _of_part(table: Compute) -> float:
    parts = catalogue()
    if "ports_at_gbps" in table:
        return parts.part(table["part"], Switch).ports(table["ports_at_gbps"])
    return _at(dict(parts.part(table["part"], Part).values()), table["nameplate"], table["part"])


def _reach_m(name: str, gauge_awg: float) -> float:
    """Metres that use up a mode's allowance in a wire of a gauge."""
    parts = catalogue()
    mode, wire = parts.part(name, CopperMode), parts.part(f"twinax-{gauge_awg:g}awg", Twinax)
    return mode.allowance_db / copper_budget(name, mode, wire, 1.0).loss_db


def _powered(topology: Topology, table: Compute) -> float:
    found = report(topology, Asked(exclude=table.get("exclude", ())))
    answer = {**found, "by_kind": {row["kind"]: row for row in found["by_kind"]}}
    return _at(answer, table["power"], "power")


def _solved(topology: Topology, table: Compute) -> float:
    options = {key: table[key] for key in ("transport", *SOLVE_TAKES) if key in table}
    result = simulate(topology, table["collective"], table["size"], **options)
    n = result.accelerators
    return _at({**result.row(), "whole_array_us": result.time_us * n / (n - 1)}, table["solve"], "solve")


def _at(answer: Mapping[str, Any], path: str, where: str) -> float:
    """The number at a path a.b.c of an answer."""
    value: Any = answer
    steps = path.split(".")
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            if step is not steps[0] and step in _COUNTED.get(steps[0], ()):
                return 0
            names = list(value) if isinstance(value, Mapping) else []
            raise ConfigError(f"{where} has no '{path}'{closest(step, names)}")
        value = value[step]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: '{path}' is {'unknown' if value is None else 'no number'} here")
    return value


def topology_asked(table: Compute) -> Topology:
    """The fabric that a table is about."""
    if "topology" in table:
        return _built(table["topology"], tuple(table.get("prices", {}).items()))
    return _generated(table["graph"], float(table["rate_gbps"]))


@lru_cache(maxsize=2)
def _built(spec: str, prices: tuple[tuple[str, float], ...]) -> Topology:
    parts = catalogue()
    if not prices:
        return build(spec, parts)
    return build(spec, priced(parts, {name: Usd(usd, usd, usd) for name, usd in prices}))


@lru_cache(maxsize=2)
def _generated(text: str, rate_gbps: float) -> Topology:
    match = _GENERATOR.fullmatch(text)
    generator = getattr(nx, match.group(1), None) if match else None
    if match is None or generator is None:
        raise ConfigError(f"graph '{text}' names no generator; write it like networkx:hypercube_graph(6)")
    seed = {"seed": 0} if "seed" in signature(generator).parameters else {}
    try:
        graph = generator(*(int(number) for number in re.findall(r"\d+", match.group(2) or "")), **seed)
    except (TypeError, ValueError, AttributeError, nx.NetworkXException) as error:
        raise ConfigError(f"graph '{text}': {error}; write it like networkx:hypercube_graph(6)") from None
    return Topology.from_graph(graph, rate_gbps=rate_gbps, name=text)


@lru_cache(maxsize=2)
def _described(topology: Topology) -> Mapping[str, Any]:
    return describe(topology)
