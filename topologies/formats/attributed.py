"""A graph of nodes and edges with attributes of any name as a fabric: which attribute says what."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from topologies.errors import ConfigError, unknown
from topologies.formats.contents import name_of, not_negative, positive, short, whole
from topologies.formats.draft import UNSTATED, Cabling, Draft
from topologies.graph import Topology
from topologies.invariants import NODE_KINDS
from topologies.links import LinkOptions

RATE_UNITS_GBPS = {
    "b/s": 1e-9, "kb/s": 1e-6, "Mb/s": 1e-3, "Gb/s": 1.0, "Tb/s": 1e3,
    "B/s": 8e-9, "kB/s": 8e-6, "MB/s": 8e-3, "GB/s": 8.0, "TB/s": 8e3,
}  # fmt: skip
LENGTH_UNITS_M = {"cm": 0.01, "m": 1.0, "km": 1e3}
TIME_UNITS_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_KEPT = ("domain", "tier", "tray", "rack", "rail")
_ENDS = re.compile(r"^(accelerator|gpu|npu|xpu|tpu|server|host|end ?point|end ?host|terminal|compute)s?$", re.I)
_SWITCHES = re.compile(r"^(.*switch.*|router|leaf|spine|core|tor|aggregation|access|edge)s?$", re.I)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which attribute of nodes and edges says what, and in which unit."""

    rate: Annotated[str, "edge attribute of the rate"] = "rate_gbps"
    rate_unit: Annotated[str, "its unit, when it has none itself: Gb/s, Mb/s, b/s, GB/s, ..."] = "Gb/s"
    rate_gbps: Annotated[float, "of edges without it, Gb/s"] = 400.0
    length: Annotated[str, "edge attribute of the length"] = "length_m"
    length_unit: Annotated[str, "its unit: m, km, cm"] = "m"
    latency: Annotated[str, "edge attribute of the latency"] = "latency_ns"
    latency_unit: Annotated[str, "its unit: ns, us, ms, s"] = "ns"
    count: Annotated[str, "edge attribute of the number of parallel links"] = "count"
    kind: Annotated[str, "node attribute of the kind"] = "kind"
    ends: Annotated[str | None, "values of it that are end points, between commas; all others are switches"] = None


Rows = Iterable[tuple[Any, Mapping[str, Any], str]]
EdgeRows = Iterable[tuple[Any, Any, Mapping[str, Any], str]]


def fabric(draft: Draft, nodes: Rows, edges: EdgeRows, columns: Columns, cabling: Cabling, directed: bool) -> Topology:
    """The topology of node rows (id, attributes, place) and edge rows (both ids, attributes, place).

    Attributes under our own names are taken as they are: `forwards`, `part`, `parts`, `cable`, `technology`, `duty`.
    Without any kind all nodes are accelerators that forward. An arc of a directed graph and its way back are one link.

    ConfigError names the node or edge whose attribute cannot be read.
    """
    units = _units(columns)
    rows = [(name_of(node, where, "id"), attributes, where) for node, attributes, where in nodes]
    stated = Counter(str(attributes[columns.kind]) for _, attributes, _ in rows if columns.kind in attributes)
    for node, attributes, where in rows:
        _add_node(draft, node, attributes, where, columns, bare=not stated, ours="accelerator" in stated)
    seen: Counter[frozenset[str]] = Counter()
    lacking: Counter[str] = Counter()
    arcs = 0
    for a, b, attributes, where in edges:
        ends = name_of(a, where, "an end"), name_of(b, where, "an end")
        arcs += 1
        if directed:
            seen[frozenset(ends)] += 1
            if seen[frozenset(ends)] == 2 and ends[0] != ends[1] and draft.graph.has_edge(*ends):
                continue
        _add_edge(draft, ends, attributes, where, columns, units, cabling, lacking)
    notes = [f"{n:,} of {arcs:,} edges {what}" for what, n in lacking.items()]
    if not stated:
        notes.append(f"no node has a {columns.kind}: all {len(rows):,} are accelerators that forward; kind= names one")
    if directed:
        single = sum(n == 1 for n in seen.values())
        notes.append(f"directed: an arc and its way back are one full-duplex link; {single:,} have no way back")
    draft.add_tiers()
    return draft.topology([*notes, cabling.note()])


def _units(columns: Columns) -> tuple[float, float, float]:
    given = (
        ("rate_unit", columns.rate_unit, RATE_UNITS_GBPS),
        ("length_unit", columns.length_unit, LENGTH_UNITS_M),
        ("latency_unit", columns.latency_unit, TIME_UNITS_NS),
    )
    factors = []
    for key, unit, units in given:
        if unit not in units:
            raise ConfigError(f"{key}: {unknown('unit', unit, units)}")
        factors.append(units[unit])
    return factors[0], factors[1], factors[2]


def _add_node(
    draft: Draft, node: str, attributes: Mapping[str, Any], where: str, columns: Columns, *, bare: bool, ours: bool
) -> None:
    kind = "accelerator" if bare else _kind(attributes.get(columns.kind), where, columns, ours)
    kept = {key: attributes[key] for key in _KEPT if isinstance(attributes.get(key), str | int)}
    if isinstance(attributes.get("parts"), str | dict):
        kept["parts"] = _parts(attributes["parts"], draft, where)
    part = attributes.get("part")
    if part is not None and str(part) not in draft.parts:
        raise ConfigError(f"{where}: no part is named {short(part)}; add it with --parts FILE")
    if kind == "accelerator":
        draft.accelerator(node, where, None if part is None else str(part), **kept)
    else:
        draft.node(node, where, kind=kind, forwards=True, part=part, **kept)
    forwards = attributes.get("forwards", bare or kind != "accelerator")
    if not isinstance(forwards, bool):
        raise ConfigError(f"{where}: forwards = {short(forwards)} is neither true nor false")
    draft.graph.nodes[node]["forwards"] = forwards


def _kind(value: Any, where: str, columns: Columns, ours: bool) -> str:
    """One of our kinds: by its own name, by what `ends` lists, else by what such values are called.

    A host is an end point, but beside accelerators it is what they are plugged into.
    """
    text = "" if value is None else str(value).strip()
    if columns.ends is not None:
        return "accelerator" if text in [word.strip() for word in columns.ends.split(",")] else "switch"
    if text in NODE_KINDS and (ours or text != "host"):
        return text
    if _ENDS.match(text):
        return "accelerator"
    if _SWITCHES.match(text):
        return "switch"
    raise ConfigError(f"{where}: {columns.kind} = {short(value)} is no kind of node; ends= lists those of end points")


def _parts(value: Any, draft: Draft, where: str) -> dict[str, int]:
    """Parts and how many of each, of a table or of its JSON text."""
    try:
        table = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        table = None
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: parts = {short(value)} is no table of names and numbers")
    for name in table:
        if name not in draft.parts:
            raise ConfigError(f"{where}: no part is named {short(name)}; add it with --parts FILE")
    return {name: whole(number, where, f"parts: {name[:40]}") for name, number in table.items()}


def _add_edge(
    draft: Draft,
    ends: tuple[str, str],
    attributes: Mapping[str, Any],
    where: str,
    columns: Columns,
    units: tuple[float, float, float],
    cabling: Cabling,
    lacking: Counter[str],
) -> None:
    rate = length = latency = None
    if columns.rate in attributes:
        rate = _rate(attributes[columns.rate], units[0], where, columns.rate)
    else:
        lacking[f"have no {columns.rate}: {columns.rate_gbps:g} Gb/s is assumed"] += 1
    if columns.length in attributes:
        length = units[1] * not_negative(attributes[columns.length], where, columns.length)
    if columns.latency in attributes:
        latency = units[2] * not_negative(attributes[columns.latency], where, columns.latency)
    count = whole(attributes.get(columns.count, 1), where, columns.count, most=2**31 - 1)
    link = _link(attributes, rate or columns.rate_gbps, length, latency, cabling)
    nic = attributes.get("nic")
    draft.link(*ends, where, link, count, nic=nic if nic in draft.parts else None)
    if "duty" in attributes:
        duty = positive(attributes["duty"], where, "duty", "0.5")
        if duty > 1:
            raise ConfigError(f"{where}: duty = {duty:g} is a share of time; give at most 1")
        draft.graph.edges[ends]["duty"] = duty


def _link(
    attributes: Mapping[str, Any], rate: float, length: float | None, latency: float | None, cabling: Cabling
) -> LinkOptions:
    """The edge's own cable and technology where it has them under our names and nothing else is asked for."""
    plain = cabling.link(rate, length, latency)
    own = attributes.get("cable"), attributes.get("technology")
    if cabling.technology == UNSTATED and cabling.cable is None and any(isinstance(name, str) for name in own):
        technology = own[1] if isinstance(own[1], str) else plain.technology
        cable = own[0] if isinstance(own[0], str) else None
        return LinkOptions(rate, latency, plain.length_m, technology, cable)
    return plain


def _rate(value: Any, unit: float, where: str, what: str) -> float:
    """Gb/s of a number in the unit given, or of text with a unit of its own."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9.eE+-]{1,30})\s*([kMGTPi]{0,2}[bB](?:it)?)(?:/s|ps)\s*", value)
        if match is not None:
            unit = RATE_UNITS_GBPS.get(f"{match[2].replace('it', '')}/s", 0.0)
            value = match[1]
            if not unit:
                raise ConfigError(f"{where}: {what} = {short(value)} has a unit that is not read")
    return unit * positive(value, where, what)
