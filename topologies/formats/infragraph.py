"""An InfraGraph (the infrastructure schema of ASTRA-sim 3): devices of components, instances of devices, links."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from topologies.errors import ConfigError
from topologies.formats.contents import name_of, positive, short, whole
from topologies.formats.devices import nvlink_of, part_of_name, pcie_gbps
from topologies.formats.draft import Cabling, Draft
from topologies.formats.hosts import add_domains
from topologies.formats.infragraph_edges import Counts, Edge, Place, from_row, from_text
from topologies.formats.yaml_documents import read_yaml, rows, table
from topologies.graph import Topology
from topologies.invariants import MAX_NODES
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, Nic

WANTED = "an InfraGraph"
BOARD_M = 0.3
_KINDS = {"xpu": "accelerator", "npu": "accelerator", "gpu": "accelerator", "nic": "nic", "cpu": "host", "port": "port"}
_SWITCH = re.compile(r"sw(itch)?($|[^a-z])|sw$|switch|leaf|spine|core|tor($|[^a-z])|agg", re.I)
_NIC = re.compile(r"nic|hca|cx-?[0-9]|connectx|bluefield|adapter", re.I)
_PCIE = re.compile(r"pcie?|pci express", re.I)
_GENERATION = re.compile(r"(?:pcie?|pci express)?[ _-]*(?:gen)?[ _-]*([3-6])(?:\.0)?\b", re.I)
_NVLINK = re.compile(r"nvl|nvsw|nvswitch", re.I)
_SPEEDS = {3: "8.0 GT/s", 4: "16.0 GT/s", 5: "32.0 GT/s", 6: "64.0 GT/s"}


@dataclass(frozen=True, slots=True)
class _Component:
    kind: str
    count: int
    text: str


@dataclass(slots=True)
class _Device:
    """Components by name; `box` is the kind of node that the whole device is, None where its components are nodes."""

    name: str
    components: dict[str, _Component] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    box: str | None = None


@dataclass(slots=True)
class _Infrastructure:
    draft: Draft
    devices: dict[str, _Device]
    instances: dict[str, tuple[_Device, int]]
    links: dict[str, dict[str, Any]]
    cabling: Cabling
    rate_gbps: float
    assumed: Counter[str] = field(default_factory=Counter)


def read_infragraph(
    path: Path,
    rate_gbps: Annotated[float, "of links whose bandwidth the file does not state"] = 400.0,
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """An InfraGraph: its devices, instances and connections or edges; a file of one device is one instance of it.

    A device with accelerators is taken apart into its components, any other is one node: a switch or an adapter. In a
    file without accelerators each adapter of a server is an end point. PCIe and the links between processors are in
    the graph, not in `links`.

    ConfigError names the connection that cannot be read.
    """
    whole_file = table(read_yaml(path, WANTED), str(path), "the file")
    document = table(whole_file.get("infrastructure", whole_file), str(path), "infrastructure")
    found = _read(document, Draft(path, "infragraph", parts), cabling, rate_gbps)
    edges = _edges(document, found)
    labels = _add_nodes(found, edges)
    for edge in edges:
        a, b = (labels[_spot(found, place)] for place in (edge.a, edge.b))
        if a != b:
            found.draft.link(a, b, edge.where, _link(found, edge, a, b))
    notes = [f"{n} {what}" for what, n in found.assumed.items()]
    found.draft.add_tiers()
    devices = [device for device, _ in found.instances.values()]
    if any(component.kind == "accelerator" for device in devices for component in device.components.values()):
        notes += add_domains(found.draft, "scaleup")
    return found.draft.topology([*notes, cabling.note()])


def _read(document: dict[str, Any], draft: Draft, cabling: Cabling, rate_gbps: float) -> _Infrastructure:
    """Devices and instances; a document that is one device is one instance of it."""
    path = str(draft.path)
    devices: dict[str, _Device] = {}
    if "components" in document:
        document = {"devices": [document], "instances": [{"name": "server", "device": document.get("name", "server")}]}
    for number, row in enumerate(rows(document.get("devices") or [], path, "devices"), start=1):
        device = _device(table(row, f"{path}: device {number}", "it"), f"{path}: device {number}")
        if device.name in devices:
            raise ConfigError(f"{path}: device '{device.name[:60]}' stands there twice")
        devices[device.name] = device
    instances: dict[str, tuple[_Device, int]] = {}
    for number, row in enumerate(rows(document.get("instances") or [], path, "instances"), start=1):
        where = f"{path}: instance {number}"
        given = table(row, where, "it")
        name = name_of(given.get("name"), where, "name")
        kind = name_of(given.get("device", name), where, "device")
        if name in instances:
            raise ConfigError(f"{where}: '{name[:60]}' stands there twice")
        device = devices.get(kind) or _unknown_device(f"{name} {kind}")
        instances[name] = device, whole(given.get("count", 0), where, "count", least=0)
    return _Infrastructure(draft, devices, instances, _link_rows(document, path), cabling, rate_gbps)


def _link_rows(document: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    found = {}
    for row in rows(document.get("links") or [], where, "links"):
        link = table(row, where, "a link")
        found[name_of(link.get("name"), where, "a link's name")] = link
    return found


def _device(row: dict[str, Any], where: str) -> _Device:
    device = _Device(name_of(row.get("name"), where, "name"))
    for item in rows(row.get("components") or [], where, "components"):
        given = table(item, where, "a component")
        name = name_of(given.get("name"), where, "a component's name")
        text = f"{name} {given.get('description') or ''}"
        kind = str(given.get("choice", given.get("type", "custom")))
        count = whole(given.get("count", 0), where, f"count of {name[:40]}", least=0, most=1_000_000)
        device.components[name] = _Component(_component_kind(kind, text), count, text)
    device.links = _link_rows(row, where)
    counts = Counts({}, {None: {name: c.count for name, c in device.components.items()}})
    for number, item in enumerate(rows(row.get("connections") or [], where, "connections"), start=1):
        device.edges.append(from_text(item, f"{where}: connection {number}"))
    for number, item in enumerate(rows(row.get("edges") or [], where, "edges"), start=1):
        device.edges += from_row(item, f"{where}: edge {number}", counts)
    if not any(c.kind == "accelerator" for c in device.components.values()):
        device.box = _box(f"{device.name} {row.get('description') or ''}")
        if device.box is None and any(c.kind == "nic" for c in device.components.values()):
            device.box = None if any(c.kind == "host" for c in device.components.values()) else "nic"
    return device


def _unknown_device(text: str) -> _Device:
    return _Device(text, box=_box(text))


def _box(text: str) -> str | None:
    """What a device without accelerators is as a whole, by its name."""
    return "switch" if _SWITCH.search(text) else "nic" if _NIC.search(text) else None


def _component_kind(kind: str, text: str) -> str:
    if kind in _KINDS:
        return _KINDS[kind]
    if _PCIE.search(text):
        return "host"
    if kind == "switch" or _NVLINK.search(text) or _SWITCH.search(text):
        return "switch"
    return "nic" if _NIC.search(text) else "host"


def _edges(document: dict[str, Any], found: _Infrastructure) -> list[Edge]:
    """Connections between instances, then those inside every instance."""
    path = str(found.draft.path)
    outer = [
        from_text(item, f"{path}: connection {number}")
        for number, item in enumerate(rows(document.get("connections") or [], path, "connections"), start=1)
    ]
    of: dict[str | None, dict[str, int]] = {}
    for name, (device, _) in found.instances.items():
        of[name] = {component: row.count for component, row in device.components.items()}
    counts = Counts({name: max(1, count) for name, (_, count) in found.instances.items()}, of)
    for number, row in enumerate(rows(document.get("edges") or [], path, "edges"), start=1):
        if "components" not in document:
            outer += from_row(row, f"{path}: edge {number}", counts)
    for edge in outer:
        for place in (edge.a, edge.b):
            _meet(found, place, edge.where)
    inner = []
    for name, (device, count) in found.instances.items():
        for i in range(max(1, count)):
            inner += [_inside(edge, (name, i)) for edge in device.edges]
    return [*inner, *outer]


def _inside(edge: Edge, instance: tuple[str, int]) -> Edge:
    return Edge(Place(instance, edge.a.component), Place(instance, edge.b.component), edge.link, edge.where)


def _meet(found: _Infrastructure, place: Place, where: str) -> None:
    """An instance that only connections name: of the one device that has its component and no instance."""
    if place.instance is None:
        raise ConfigError(f"{where}: a connection between instances has 9 words between its dots")
    name, number = place.instance
    if name not in found.instances:
        used = {device.name for device, _ in found.instances.values()}
        free = [d for d in found.devices.values() if d.name not in used and place.component[0] in d.components]
        device = free[0] if len(free) == 1 else _unknown_device(name)
        found.instances[name] = device, 0
        taken = f"device {device.name}" if len(free) == 1 else "what its name says"
        found.assumed[f"instance '{name}' is not declared: taken as {taken}"] += 1
    device, count = found.instances[name]
    found.instances[name] = device, max(count, number + 1)


def _spot(found: _Infrastructure, place: Place) -> tuple[str, int, str, int] | tuple[str, int]:
    """A component's own node, or the box that holds it."""
    assert place.instance is not None
    device, _ = found.instances[place.instance[0]]
    component = device.components.get(place.component[0])
    if device.box is not None or (component is not None and component.kind == "port"):
        return place.instance
    return (*place.instance, *place.component)


def _add_nodes(found: _Infrastructure, edges: list[Edge]) -> dict[tuple[Any, ...], str]:
    """A node for every place: accelerators first."""
    spots: dict[tuple[Any, ...], Place] = {}
    for place in _declared(found):
        spots.setdefault(_spot(found, place), place)
    for edge in edges:
        for place in (edge.a, edge.b):
            spots.setdefault(_spot(found, place), place)
            if len(spots) > MAX_NODES:
                raise ConfigError(f"{found.draft.path}: more than {MAX_NODES:,} nodes")
    kinds = {spot: _kind(found, spot, place) for spot, place in spots.items()}
    if "accelerator" not in kinds.values():
        servers = [spot for spot, kind in kinds.items() if kind == "nic" and len(spot) == 4]
        if servers:
            found.assumed["adapters of servers are the end points: the file has no accelerators"] += len(servers)
            kinds |= dict.fromkeys(servers, "accelerator")
    labels = {}
    for wanted in ("accelerator", "switch", "nic", "host"):
        for spot in (spot for spot, kind in kinds.items() if kind == wanted):
            labels[spot] = ".".join(map(str, spot))
            _add_node(found, labels[spot], wanted, spot, spots[spot])
    return labels


def _declared(found: _Infrastructure) -> Iterator[Place]:
    """Every component of every instance, and every box."""
    for name, (device, count) in found.instances.items():
        for i in range(max(1, count)):
            for component, row in device.components.items():
                for j in range(row.count):
                    if row.kind != "port" or device.box is not None:
                        yield Place((name, i), (component, j))
                        if device.box is not None:
                            break


def _kind(found: _Infrastructure, spot: tuple[Any, ...], place: Place) -> str:
    device, _ = found.instances[spot[0]]
    if len(spot) == 2:
        return device.box or "nic"
    component = device.components.get(place.component[0])
    return component.kind if component is not None else _component_kind("custom", place.component[0])


def _add_node(found: _Infrastructure, label: str, kind: str, spot: tuple[Any, ...], place: Place) -> None:
    draft, where = found.draft, str(found.draft.path)
    device, _ = found.instances[spot[0]]
    component = device.components.get(place.component[0])
    text = component.text if component is not None and len(spot) == 4 else device.name
    tray = f"{spot[0]}.{spot[1]}"
    if kind == "accelerator":
        part = part_of_name(text, Accelerator, draft.parts)
        if part is not None:
            found.assumed[f"accelerators are taken as {part}, by the file's description"] += 1
        draft.accelerator(label, where, part, tray=tray)
    elif kind == "switch":
        draft.switch(label, where)
        if len(spot) == 4:
            draft.graph.nodes[label]["tier"] = 0  # inside a server
    elif kind == "nic":
        draft.node(label, where, kind="nic", forwards=True, part=part_of_name(text, Nic, draft.parts), tray=tray)
    else:
        draft.node(label, where, kind="host", forwards=True)


def _link(found: _Infrastructure, edge: Edge, a: str, b: str) -> LinkOptions:
    """The link of an edge: what the file states, else what its name and its ends say."""
    assert edge.a.instance is not None
    device, _ = found.instances[edge.a.instance[0]]
    row = device.links.get(edge.link) or found.links.get(edge.link) or {}
    text = f"{edge.link} {row.get('description') or ''}"
    kinds = {found.draft.graph.nodes[end]["kind"] for end in (a, b)}
    rate = _rate(row, edge.where, found)
    if kinds == {"host"} and not _PCIE.search(text):
        if rate is None:
            found.assumed["links between processors state no rate: 128 Gb/s is assumed"] += 1
        return LinkOptions(rate or 128.0, None, BOARD_M, "socket", "socket")
    if "host" in kinds or (_PCIE.search(text) and "switch" not in kinds):
        return LinkOptions(rate or _pcie_rate(text, found), None, BOARD_M, "pcie", "pcie")
    ends = [found.draft.graph.nodes[end] for end in (a, b)]
    part = next((found.draft.parts[n["part"]] for n in ends if n["kind"] == "accelerator"), None)
    if rate is None and isinstance(part, Accelerator) and part.scaleup_link_gbps is not None and len(a.split(".")) == 4:
        generation = nvlink_of(part) or {}
        cable = generation.get("cable", "board-generic")
        return LinkOptions(part.scaleup_link_gbps, None, BOARD_M, "board", cable)
    if rate is None:
        found.assumed[f"links state no bandwidth: {found.rate_gbps:g} Gb/s is assumed"] += 1
    return found.cabling.link(rate or found.rate_gbps)


def _pcie_rate(text: str, found: _Infrastructure) -> float:
    match = _GENERATION.search(_PCIE.sub("", text))
    generation = int(match[1]) if match else 4
    what = f"PCIe links state no bandwidth: generation {generation}, 16 lanes, is assumed"
    found.assumed[what] += 1
    return pcie_gbps(_SPEEDS[generation], "16") or 0.0


def _rate(row: Mapping[str, Any], where: str, found: _Infrastructure) -> float | None:
    """Gb/s of a link's `bandwidth`, of its own or of its `physical`; None where it states none."""
    physical = row.get("physical")
    given = row.get("bandwidth", physical.get("bandwidth") if isinstance(physical, dict) else None)
    if given is None:
        return None
    stated = table(given, where, "bandwidth")
    for key, value in stated.items():
        if key in ("gigabits_per_second", "gbps"):
            return positive(value, where, key)
        if key in ("gigabytes_per_second", "gBs"):
            return 8 * positive(value, where, key)
        if key in ("gigatransfers_per_second", "gts"):
            transfers = positive(value, where, key)
            found.assumed["links state GT/s: taken as 16 lanes where PCIe has that rate, else as Gb/s"] += 1
            return pcie_gbps(f"{transfers:g} GT/s", "16") or transfers
    raise ConfigError(f"{where}: bandwidth {short(stated)} has no gigabits_per_second or gigabytes_per_second")
