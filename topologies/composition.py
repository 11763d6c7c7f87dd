"""A composition: racks of scale-up domains on a floor joined by a scale-out, and sites joined by long fibre."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from topologies.cabling import LONG_HAUL, longest_m
from topologies.composition_model import Composition, Fibre, Site, read_composition
from topologies.errors import ConfigError, ReachError, unknown
from topologies.families import Build
from topologies.graph import Topology, limit_nodes, uncollected
from topologies.invariants import check
from topologies.links import LinkOptions
from topologies.parts import Catalogue, Optic, Switch
from topologies.scaleout import Joint, stated
from topologies.site import Built, add_site
from topologies.site_plan import SitePlan, read_units

# Ranks in order fill subtrees: half of them is a narrow cut in one site, or in two alike. Where sites differ, the
# bisection is bounded from both sides instead.
NESTED = ("switch", "clos", "fat-tree", "rail")


@dataclass(frozen=True, slots=True)
class Span:
    """Fibre between two sites: which, what is on it, and how many gateways it takes at either end."""

    ends: tuple[int, int]
    where: str
    fibre: Fibre
    optic: Optic
    switch: str | None
    boxes: int

    @property
    def channels(self) -> int:
        """Channels on all pairs."""
        return self.fibre.pairs * self.fibre.channels

    @property
    def gbps(self) -> float:
        """Rate of all channels together, one way."""
        return self.channels * self.optic.rate_gbps


def compose(document: Any, name: str, parts: Catalogue, build: Build, folder: Path = Path()) -> Topology:
    """The topology of a composition's document: its accelerators in the order of sites, racks and ranks in a unit.

    `build` builds the units; those that are files are looked for in `folder`, then as they are given.

    ConfigError and TopologyError name the path of the key, ReachError the link that no cable, or not the one that the
    file names, can carry.

    >>> from topologies.parts import catalogue
    >>> from topologies.registry import build
    >>> pod = {"racks": [{"unit": "nvl72", "count": 2}], "scale_out": {"family": "rail", "parameters": {"rails": 4}}}
    >>> t = compose(pod, "pod", catalogue(), build); len(t.accelerators), len(t.domains), t.attribute("tier").count(1)
    (144, 2, 8)
    """
    model = read_composition(document)
    plans = _plans(model, folder)
    spans = _spans(model, plans, parts)
    graph = nx.Graph()
    units = [read_units(plan, parts, build) for plan in plans]
    limit_nodes(name, sum(u.row.count * len(u.topology.nodes) for each in units for u in each))
    with uncollected():
        built = []
        for i, (plan, own) in enumerate(zip(plans, units, strict=True)):
            rate = float(stated(plan, "rate_gbps") or 0.0)
            joints = [_joint(span, model.sites, i, rate, plan) for span in spans if i in span.ends]
            built.append(add_site(graph, plan, own, joints, parts))
        _add_spans(graph, spans, built, parts)
        made = _topology(model, graph, model.name or name, built, spans, parts)
        check(made)
    return made


def _plans(model: Composition, folder: Path) -> list[SitePlan]:
    """The sites, one without a name where the file has none; what a site leaves out is the file's."""
    sites: list[Site | None] = list(model.sites) if model.sites is not None else [None]
    names = [site.name for site in sites if site is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"sites: two are named '{twice}'; give each a name of its own")
    plans = []
    for i, site in enumerate(sites):
        at = "" if site is None else f"sites[{i}]."
        racks = (site.racks if site is not None else None) or model.racks
        scale_out = (site.scale_out if site is not None else None) or model.scale_out
        floor = (site.floor if site is not None else None) or model.floor
        if racks is None:
            raise ConfigError(f"{at}racks is missing; give [[racks]] tables with unit and count")
        if scale_out is None:
            raise ConfigError(f"{at}scale_out is missing; give a table with family and parameters")
        own = frozenset() if site is None else frozenset(site.model_dump(exclude_none=True))
        plans.append(SitePlan(at, own, "" if site is None else f"{site.name}/", folder, racks, scale_out, floor))
    return plans


def _spans(model: Composition, plans: list[SitePlan], parts: Catalogue) -> list[Span]:
    """Fibre of every site, checked against its optic; sites that nothing joins are an error."""
    if model.sites is None:
        return []
    names = [site.name for site in model.sites]
    spans = []
    for i, site in enumerate(model.sites):
        for j, fibre in enumerate(site.fibres):
            where = f"sites[{i}].fibre" + (f"[{j}]" if isinstance(site.fibre, list) else "")
            to = fibre.to if fibre.to is not None else names[0]
            if to not in names:
                raise ConfigError(f"{where}.to: {unknown('site', to, names)}")
            if to == site.name:
                raise ConfigError(f"{where}.to = '{to}' leads to the site itself; give the name of another")
            spans.append(_span(where, (i, names.index(to)), fibre, stated(plans[i], "switch"), parts))
    joined = nx.Graph([span.ends for span in spans])
    joined.add_nodes_from(range(len(names)))
    lost = next((i for i in joined if not nx.has_path(joined, 0, i)), None)
    if lost is not None:
        raise ConfigError(f"sites[{lost}]: no fibre joins '{names[lost]}' to '{names[0]}'; give it [sites.fibre]")
    return spans


def _span(where: str, ends: tuple[int, int], fibre: Fibre, switch: Any, parts: Catalogue) -> Span:
    try:
        optic = parts.part(fibre.optic, Optic)
        part = fibre.switch or switch
        ports = parts.part(str(part), Switch).ports(optic.rate_gbps) if part is not None else None
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    length, longest = fibre.distance_km * 1e3, longest_m(optic)
    if longest is None or length > longest:
        coherent = ((row.name, longest_m(row)) for row in parts.of_kind(Optic) if row.technology == LONG_HAUL)
        far = ", ".join(f"{name} {reach / 1e3:g} km" for name, reach in coherent if reach is not None)
        reach = "of unstated reach" if longest is None else f"which reaches {longest / 1e3:g} km"
        what = f"{where}.distance_km = {fibre.distance_km:g} is too far for {optic.name}, {reach}"
        raise ReachError(f"{what}; there are {far}")
    most = optic.ranges.get("dwdm_channels", (0, optic.dwdm_channels or 1))[1]
    if fibre.channels > most:
        raise ConfigError(
            f"{where}.channels = {fibre.channels} exceed the {most:g} of {optic.name} on a pair; give more pairs"
        )
    half = None if ports is None else ports // 2
    if half is not None and half < 1:
        raise ConfigError(f"{where}.switch: {part} has no ports of {optic.rate_gbps:g} Gb/s; name another")
    boxes = 1 if half is None else ceil(fibre.pairs * fibre.channels / half)
    return Span(ends, where, fibre, optic, None if part is None else str(part), boxes)


def _joint(span: Span, sites: list[Site] | None, here: int, rate_gbps: float, plan: SitePlan) -> Joint:
    """The gateways of a span at one of its ends: as many ends of the scale-out as carry all channels."""
    assert sites is not None
    if not rate_gbps:
        raise ConfigError(f"{plan.path('scale_out')}: the family has no rate_gbps, which gateways need; use another")
    other = span.ends[1] if span.ends[0] == here else span.ends[0]
    ends = max(span.boxes, ceil(span.gbps / rate_gbps - 1e-9))
    return Joint(sites[other].name, span.boxes, span.switch, ends)


def _add_spans(graph: nx.Graph, spans: list[Span], built: list[Built], parts: Catalogue) -> None:
    """Join the gateways of two sites in turn, the channels dealt evenly."""
    used = [0] * len(built)
    for span in spans:
        here, there = (built[i].gateways[used[i]] for i in span.ends)
        for i in span.ends:
            used[i] += 1
        optic, length = span.optic, span.fibre.distance_km * 1e3
        attributes = LinkOptions(optic.rate_gbps, None, length, optic.technology, optic.name).attributes(parts)
        base, odd = divmod(span.channels, span.boxes)
        for i, (a, b) in enumerate(zip(here, there, strict=True)):
            graph.add_edge(a, b, **{**attributes, "count": base + (i < odd)})


def _topology(
    model: Composition, graph: nx.Graph, name: str, built: list[Built], spans: list[Span], parts: Catalogue
) -> Topology:
    networks = [site.scale_out for site in built]
    notes = [note for site in built for note in site.notes]
    if spans:
        pairs = sum(span.fibre.pairs for span in spans)
        notes.append(f"no power, no price: amplifiers and multiplexers of {pairs} fibre pairs between sites")
    racks = {rack: part for site in built for rack, part in site.racks.items()}
    n = sum(kind == "accelerator" for _, kind in graph.nodes(data="kind"))
    sizes = [sum(u.row.count * len(u.topology.accelerators) for u in site.units) for site in built]
    nested = all(network.family in NESTED for network in networks) and sizes in ([n], [n // 2, n // 2])
    return Topology(
        name=name,
        family="composition",
        parameters=_parameters(model, built, spans),
        graph=graph,
        catalogue=parts,
        circuits=built[0].circuits,
        halves=[np.arange(n) < n // 2] if nested and n % 2 == 0 else (),
        racks=racks,
        notes=tuple(dict.fromkeys(notes)),
        left_out=frozenset().union(*(t.left_out for s in built for t in [s.scale_out, *(u.topology for u in s.units)])),
    )


def _parameters(model: Composition, built: list[Built], spans: list[Span]) -> dict[str, Any]:
    """What the composition is, in text: for the reader and for provenance."""
    names = [site.name for site in model.sites or []] or [""]
    of = [f"{name}: " if name else "" for name in names]
    rows = [f"{at}{u.row.count} x {u.topology.name}" for at, site in zip(of, built, strict=True) for u in site.units]
    networks = [f"{at}{site.scale_out.family}" for at, site in zip(of, built, strict=True)]
    found: dict[str, Any] = {"racks": tuple(rows), "scale_out": tuple(networks)}
    if spans:
        found["fibre"] = tuple(
            f"{names[s.ends[0]]} - {names[s.ends[1]]}: {s.fibre.distance_km:g} km, {s.fibre.pairs} pairs of "
            f"{s.fibre.channels} x {s.optic.name}"
            for s in spans
        )
    return found
