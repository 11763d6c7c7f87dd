"""One site of a composition: units in racks on a floor, and the scale-out network that joins their adapters."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from topologies.circuits import CircuitLayer
from topologies.clos import adapter
from topologies.errors import ConfigError
from topologies.floor import FloorPlan
from topologies.graph import Topology, once
from topologies.kinds import Floor
from topologies.parts import Catalogue
from topologies.scaleout import Attached, Joint, add_scale_out, build_scale_out, joined_circuits
from topologies.site_plan import SitePlan, Unit


@dataclass(slots=True)
class Built:
    """What has been added of a site: its scale-out, the labels of its gateways by joint, racks, notes."""

    scale_out: Topology
    units: list[Unit]
    circuits: CircuitLayer | None = None
    gateways: list[list[str]] = field(default_factory=list)
    racks: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def add_site(
    graph: nx.Graph, plan: SitePlan, units: Sequence[Unit], joints: Sequence[Joint], parts: Catalogue
) -> Built:
    """Add the units, the scale-out and the gateways of a site to the graph."""
    floor = floor_plan(plan, parts)
    network = build_scale_out(plan, units, joints, parts)
    built = Built(network, list(units))
    own_adapters = "nic" in set(network.attribute("kind"))
    total = sum(-(-unit.row.count // unit.row.units_per_rack) for unit in units)
    width = floor.width(total)
    attached: list[Attached] = []
    first = number = 0
    for unit in units:
        nic = None if own_adapters else _adapter(unit, network, parts)
        for i in range(unit.row.count):
            place = floor.rack(first + i // unit.row.units_per_rack, width)
            rack = f"{plan.prefix}rack-{place.row}-{place.column}"
            built.racks[rack] = unit.row.rack or ""
            labels = _add_unit(graph, unit, f"{plan.prefix}u{number}", rack, nic)
            attached += [Attached(label, place, nic) for label in labels for _ in range(unit.row.nics)]
            number += 1
        first += -(-unit.row.count // unit.row.units_per_rack)
    built.circuits = joined_circuits(plan, network, [each.label for each in attached])
    built.gateways = add_scale_out(graph, plan, network, attached, joints, floor, (width, total), parts, built.racks)
    built.notes = list(_notes(plan, units, network, len(attached), joints, parts))
    return built


def _adapter(unit: Unit, network: Topology, parts: Catalogue) -> str:
    """The adapter of a unit's accelerators, which carries what one end point of the scale-out may send."""
    try:
        return adapter(parts, unit.row.nic, float(network.parameters.get("rate_gbps") or 0.0))
    except ConfigError as error:
        raise ConfigError(f"{unit.where}.nic: {error}") from error


def floor_plan(plan: SitePlan, parts: Catalogue) -> FloorPlan:
    """The floor of a site: a row of the catalogue, and what the file states in its place."""
    row = parts.part(plan.floor.plan, Floor)
    floor = FloorPlan.of(row, **plan.floor.model_dump(exclude={"plan"}))
    if floor.port_height_m > floor.tray_height_m:
        raise ConfigError(
            f"{plan.path('floor')}.port_height_m = {floor.port_height_m:g} is above the tray at "
            f"{floor.tray_height_m:g} m; give a lower port or a higher tray"
        )
    return floor


def _add_unit(graph: nx.Graph, unit: Unit, name: str, rack: str, nic: str | None) -> Iterator[str]:
    """Add one unit, its labels behind its name; yields those of its accelerators in rank order."""
    topology, nics = unit.topology, unit.row.nics
    labels: dict[Hashable, str] = {label: f"{name}/{label}" for label in topology.nodes}
    graph.add_nodes_from(
        (labels[label], _node(attributes, name, rack, nic, nics))
        for label, attributes in topology.graph.nodes(data=True)
    )
    for attributes, ends in _edge_classes(topology):
        graph.add_edges_from(((labels[a], labels[b]) for a, b in ends), **attributes)
    return (labels[label] for label in topology.accelerators)


def _node(attributes: Mapping[str, Any], name: str, rack: str, nic: str | None, nics: int) -> dict[str, Any]:
    own = {**attributes, "rack": rack}
    if own.get("tray") is not None:
        own["tray"] = f"{name}/{own['tray']}"
    if own["kind"] == "accelerator":
        domain = own.get("domain")
        own["domain"] = name if domain is None else f"{name}/{domain}"
        if nic is not None:
            held = dict(own.get("parts") or {})
            own["parts"] = {**held, nic: held.get(nic, 0) + nics}
    return own


@once
def _edge_classes(topology: Topology) -> list[tuple[dict[str, Any], list[tuple[Hashable, Hashable]]]]:
    """Links with the same attributes together, in their order."""
    classes: dict[Any, tuple[dict[str, Any], list[tuple[Hashable, Hashable]]]] = {}
    for a, b, attributes in topology.edges:
        key = tuple((name, str(value)) for name, value in attributes.items())
        classes.setdefault(key, (attributes, []))[1].append((a, b))
    return list(classes.values())


def _notes(
    plan: SitePlan, units: Sequence[Unit], network: Topology, ends: int, joints: Sequence[Joint], parts: Catalogue
) -> Iterator[str]:
    """What the site takes for granted: of its units, of its scale-out, of its floor."""
    for unit in units:
        yield from (f"{unit.row.unit}: {note}" for note in unit.topology.notes)
    yield from (f"scale-out: {note}" for note in network.notes if not note.startswith("default: "))  # its lengths
    free = len(network.accelerators) - ends - sum(joint.ends for joint in joints)
    if free:
        yield f"scale-out: {free:,} of {len(network.accelerators):,} end points stay free"
    row = parts.part(plan.floor.plan, Floor)
    stated = plan.floor.model_dump(exclude={"plan"}, exclude_none=True)
    assumed = [f"{key} {value:g}" for key, value in row.values() if key not in stated]
    if assumed:
        yield f"default: floor {row.name}: {', '.join(assumed)}"
