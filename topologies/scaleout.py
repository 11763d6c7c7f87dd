"""The scale-out network of a site: any family, its end points replaced by adapters and gateways, its links cabled."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, NamedTuple

import networkx as nx

from topologies.cabling import AUTO, OPTICS, check_cable, choose_cable
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError, FabricError, ReachError, TopologyError
from topologies.families import System, build_family, family, systems
from topologies.floor import FloorPlan, Place, network_racks
from topologies.graph import Topology
from topologies.links import LinkOptions
from topologies.parameters import Family, parse_value
from topologies.parts import Cable, Catalogue, Optic
from topologies.site_plan import SitePlan, Unit


class Attached(NamedTuple):
    """An adapter that takes an end point: its accelerator, where it stands, the adapter's part."""

    label: str
    place: Place
    nic: str | None


class Joint(NamedTuple):
    """What a fibre to another site needs here: gateways, their part, the end points they take together."""

    name: str
    boxes: int
    part: str | None
    ends: int


@dataclass(frozen=True, slots=True)
class Cabling:
    """How links are cabled: by reach, or with what the file names."""

    where: str
    technologies: frozenset[str]
    cable: str | None
    latency_ns: float | None
    parts: Catalogue

    def row(self, built: Mapping[str, Any], length_m: float, ends: str) -> Cable | Optic:
        """The cable of a link of a length; ReachError names both ends where nothing, or not what is named, reaches."""
        rate = float(built["rate_gbps"])
        named = built["technology"] in self.technologies or built["cable"] == self.cable
        try:
            if not named:
                return choose_cable(rate, length_m, self.parts)
            row = self.parts[built["cable"]]
            assert isinstance(row, Cable | Optic)
            told = f"cable = '{row.name}'" if self.cable is not None else f"technology = '{row.technology}'"
            check_cable(row, rate, length_m, self.parts, told)
        except ReachError as error:
            raise ReachError(f"{self.where}.parameters: {ends}: {error}") from error
        return row


def scale_out_family(plan: SitePlan) -> tuple[Family, System | None]:
    """The family of a site's scale-out, and the ready-made system that sets some of its parameters, if it names one."""
    base = systems().get(plan.scale_out.family)
    try:
        return family(base.family if base else plan.scale_out.family), base
    except ConfigError as error:
        raise ConfigError(f"{plan.path('scale_out')}.family: {error}") from error


def stated(plan: SitePlan, key: str) -> Any:
    """The value of one parameter of the scale-out before it is built: stated, a system's, or the default."""
    chosen, base = scale_out_family(plan)
    if key not in chosen.parameters:
        return None
    given, parameter = {**(base.parameters if base else {}), **plan.scale_out.parameters}, chosen.parameters[key]
    try:
        return parse_value(parameter, given[key], chosen.name) if key in given else parameter.default
    except ConfigError as error:
        raise ConfigError(f"{plan.path('scale_out')}.parameters: {error}") from error


def build_scale_out(plan: SitePlan, units: Sequence[Unit], joints: Sequence[Joint], parts: Catalogue) -> Topology:
    """The scale-out as its family builds it, with an end point for every adapter and what the gateways take."""
    chosen, system = scale_out_family(plan)
    where = f"{plan.path('scale_out')}.parameters"
    own = dict(plan.scale_out.parameters)
    for key in own:
        if key.endswith("length_m"):
            raise ConfigError(f"{where}.{key} has no effect: lengths follow from the floor; leave it out")
    if "cable" not in own:
        own |= {key: OPTICS for key, value in own.items() if key.endswith("technology") and value == AUTO}
    if "length_m" in chosen.parameters:
        own["length_m"] = 1.0
    if "technology" in chosen.parameters and "cable" not in own:
        own.setdefault("technology", OPTICS)
    own |= {key: value for key, value in _sizes(plan, chosen, units, joints).items() if key not in own}
    try:
        network = build_family(chosen, plan.scale_out.family, plan.scale_out.family, own, system, parts)
    except FabricError as error:
        raise type(error)(f"{where}: {error}") from error
    needed, ends = _needed(units) + sum(joint.ends for joint in joints), len(network.accelerators)
    direct = any(network.graph.nodes[end].get("forwards") for end in network.accelerators)
    if needed < ends and direct:
        raise TopologyError(
            f"{where}: {chosen.name} joins its {ends:,} end points to each other, the racks have {needed:,}; "
            "give parameters for exactly as many"
        )
    if needed > ends:
        raise TopologyError(
            f"{where}: {chosen.name} has {ends:,} end points, the racks need {needed:,}; give larger parameters"
        )
    return network


def joined_circuits(plan: SitePlan, network: Topology, labels: Sequence[str]) -> CircuitLayer | None:
    """The scale-out's circuit layer with the accelerators in the place of its end points."""
    layer = network.circuits
    if layer is None:
        return None
    if plan.prefix:
        raise ConfigError(f"{plan.path('scale_out')}: circuit switches stand in a single site; leave [[sites]] out")
    of = dict(zip(network.accelerators, labels, strict=False))
    missing = [end for end in layer.ends if end not in of and network.graph.nodes[end]["kind"] == "accelerator"]
    if missing:
        raise TopologyError(
            f"{plan.path('scale_out')}: {len(missing):,} end points of its circuits would stay free; "
            "give parameters for exactly as many"
        )
    return replace(layer, ends=[of.get(end, end) for end in layer.ends])


def _needed(units: Sequence[Unit]) -> int:
    return sum(unit.row.count * unit.row.nics * len(unit.topology.accelerators) for unit in units)


def _sizes(plan: SitePlan, chosen: Family, units: Sequence[Unit], joints: Sequence[Joint]) -> dict[str, Any]:
    """Parameters that follow from the racks: how many end points, and the adapter."""
    sizes: dict[str, Any] = {}
    needed, gates = _needed(units), sum(joint.ends for joint in joints)
    keys = chosen.parameters
    if "servers" in keys and "gpus" in keys:
        each = {unit.row.nics * len(unit.topology.accelerators) for unit in units}
        if len(each) > 1:
            raise ConfigError(
                f"{plan.path('racks')}: units of {' and '.join(map(str, sorted(each)))} adapters cannot share rails; "
                "give scale_out.family clos"
            )
        (gpus,) = each
        sizes = {"gpus": gpus, "servers": needed // gpus + ceil(gates / gpus)}
        if "scaleup_switch" in keys:
            sizes["scaleup_switch"] = "none"
    elif "hosts" in keys and keys["hosts"].required:
        sizes = {"hosts": needed + gates}
    elif chosen.name == "switch":
        sizes = {"n": needed + gates}
    if "nic" in keys:
        sizes["nic"] = units[0].row.nic
    return sizes


def add_scale_out(
    graph: nx.Graph,
    plan: SitePlan,
    network: Topology,
    attached: Sequence[Attached],
    joints: Sequence[Joint],
    floor: FloorPlan,
    size: tuple[int, int],
    parts: Catalogue,
    racks: dict[str, str],
) -> list[list[str]]:
    """Add the switches, gateways and links of the scale-out; the labels of the gateways of each joint.

    `size` is how many compute racks a row holds and how many there are.
    """
    ends = network.accelerators
    of: dict[Hashable, Attached] = dict(zip(ends, attached, strict=False))
    gateways = [[f"{plan.prefix}gateway-{joint.name}-{i}" for i in range(joint.boxes)] for joint in joints]
    gates = [names[i * len(names) // joint.ends] for joint, names in zip(joints, gateways, strict=True)
             for i in range(joint.ends)]  # fmt: skip
    gate_of = dict(zip(ends[len(attached) :], gates, strict=False))
    places, behind = _places(network, of, set(ends), floor, size, plan.scale_out.leaves, sum(map(len, gateways)))
    for label, attributes in network.graph.nodes(data=True):
        if attributes["kind"] != "accelerator":
            place = places[label]
            graph.add_node(f"{plan.prefix}{label}", **{**attributes, "rack": _rack(plan, place, racks)})
    every = [(name, joint.part) for joint, names in zip(joints, gateways, strict=True) for name in names]
    for (name, part), place in zip(every, behind, strict=True):
        graph.add_node(name, kind="switch", forwards=True, part=part, tier=4, rack=_rack(plan, place, racks))
    standing = dict(zip((name for name, _ in every), behind, strict=True))
    for end, gate in gate_of.items():
        of[end] = Attached(gate, standing[gate], None)
    forwarding = [of[end].label for end in ends if end in of and network.graph.nodes[end].get("forwards")]
    for label in forwarding:
        graph.nodes[label]["forwards"] = True
    cabling = _cabling(plan, network, parts)
    for attributes, pairs in _cabled(plan, network, of, set(ends), places, floor, cabling):
        graph.add_edges_from(pairs, **attributes)
    return gateways


def _rack(plan: SitePlan, place: Place, racks: dict[str, str]) -> str:
    name = f"{plan.prefix}rack-{place.row}-{place.column}"
    racks.setdefault(name, "")
    return name


def _cabling(plan: SitePlan, network: Topology, parts: Catalogue) -> Cabling:
    given = plan.scale_out.parameters
    named = {str(value) for key, value in given.items() if key.endswith("technology") and value != AUTO}
    cable, latency = given.get("cable", "none"), network.parameters.get("latency_ns")
    return Cabling(plan.path("scale_out"), frozenset(named), None if cable == "none" else str(cable), latency, parts)


def _places(
    network: Topology,
    of: Mapping[Hashable, Attached],
    ends: set[Hashable],
    floor: FloorPlan,
    size: tuple[int, int],
    leaves: str,
    gateways: int,
) -> tuple[dict[Hashable, Place], list[Place]]:
    """Where every switch and shared adapter stands, and the gateways behind them.

    A switch with accelerators stands at the end of the row of its middle one, or in the rack of the most of them; an
    adapter in the rack of its first; all others behind.
    """
    width, total = size
    near = network.graph.adj
    places: dict[Hashable, Place] = {}
    for label, kind in network.graph.nodes(data="kind"):
        if kind in ("nic", "host"):
            places[label] = next((of[n].place for n in near[label] if n in of), Place(0, 0))
    rows: list[int] = []
    beside: list[Hashable] = []
    above: list[Hashable] = []
    for label, kind in network.graph.nodes(data="kind"):
        if label in ends or label in places:
            continue
        hosts = [of[n].place if n in of else places.get(n) for n in near[label] if n in of or n in places]
        standing = [place for place in hosts if place is not None]
        if not standing or kind != "switch":
            above.append(label)
        elif leaves == "rack":
            places[label] = Counter(standing).most_common(1)[0][0]
        else:
            rows.append(sorted(standing)[len(standing) // 2].row)
            beside.append(label)
    at_ends, behind = network_racks(floor, width, ceil(total / width), rows, len(above) + gateways)
    places |= dict(zip(beside, at_ends, strict=True))
    places |= dict(zip(above, behind[: len(above)], strict=True))
    return places, behind[len(above) :]


def _cabled(
    plan: SitePlan,
    network: Topology,
    of: Mapping[Hashable, Attached],
    ends: set[Hashable],
    places: Mapping[Hashable, Place],
    floor: FloorPlan,
    cabling: Cabling,
) -> Iterable[tuple[dict[str, Any], list[tuple[str, str]]]]:
    """Links of the scale-out by their attributes: same rate and number, length from the floor, cable by reach."""
    lengths: dict[tuple[Place, Place], float] = {}
    kinds: dict[Any, dict[str, Any]] = {}
    counts: dict[tuple[str, str], tuple[Any, int]] = {}
    for a, b, built in network.edges:
        if (a in ends and a not in of) or (b in ends and b not in of):
            continue  # an end point that stays free
        at, bt = of.get(a), of.get(b)
        pair = (at.label if at else f"{plan.prefix}{a}", bt.label if bt else f"{plan.prefix}{b}")
        here, there = at.place if at else places[a], bt.place if bt else places[b]
        length = lengths.get((here, there))
        if length is None:
            length = lengths.setdefault((here, there), floor.length_m(here, there))
        nic = (at.nic if at else None) or (bt.nic if bt else None)
        key = (built["cable"], built["rate_gbps"], length, nic, built.get("hops"), built.get("layer"), built["medium"])
        if key not in kinds:
            kinds[key] = _attributes(built, length, nic, cabling, f"{pair[0]} - {pair[1]}")
        other, count = counts.get(pair, (key, 0))
        if other != key:
            raise TopologyError(f"{plan.path('scale_out')}: links of two kinds join {pair[0]} and {pair[1]}")
        counts[pair] = key, count + built["count"]
    classes: dict[Any, list[tuple[str, str]]] = {}
    for pair, alike in counts.items():
        classes.setdefault(alike, []).append(pair)
    return [({**kinds[key], "count": count}, pairs) for (key, count), pairs in classes.items()]


def _attributes(
    built: Mapping[str, Any], length_m: float, nic: str | None, cabling: Cabling, ends: str
) -> dict[str, Any]:
    if built["technology"] in cabling.technologies and built["medium"] == "board":
        raise ReachError(f"{cabling.where}.parameters: {ends}: a board ends at its edge, not {length_m:g} m on")
    if built["medium"] in ("board", "circuit"):
        return dict(built)
    row = cabling.row(built, length_m, ends)
    link = LinkOptions(float(built["rate_gbps"]), cabling.latency_ns, length_m, row.technology, row.name)
    kept = {key: built[key] for key in ("hops", "layer") if key in built}
    return {**link.attributes(cabling.parts, nic=nic), **kept}
