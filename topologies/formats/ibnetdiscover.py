"""A running InfiniBand cluster as a fabric: the switches and compute adapters that `ibnetdiscover` prints."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import networkx as nx

from topologies.errors import ConfigError, TopologyError
from topologies.formats.adapters import ROLES, Adapter, adapters
from topologies.formats.devices import part_of_device, part_of_name
from topologies.formats.draft import Draft
from topologies.formats.scaleup import ScaleUp, add_scaleup
from topologies.formats.servers import Grouping, places
from topologies.formats.subnet import Device, read_devices
from topologies.graph import Topology
from topologies.invariants import check
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue, Nic, Switch

ASSUMED_LENGTH_M = 30.0
MELLANOX = "0x15b3"  # PCI vendor of the device ids in the file
_MANAGED = re.compile(r"MF0;([^:]+):([^/]*)")  # MF0;host name:model/unit
_CALLED = {"aggregation": "SHARP aggregation nodes"}


def read_adapters(path: Path) -> list[Adapter]:
    """Every adapter of an `ibnetdiscover` file with its role and the reason, in the order of the file.

    ConfigError and TopologyError as from `read_ibnetdiscover`.

    >>> for adapter in read_adapters(Path("cluster.out")):  # doctest: +SKIP
    ...     print(adapter.guid, adapter.role, adapter.why)
    """
    return adapters(read_devices(path))


def read_ibnetdiscover(
    path: Path,
    parts: Catalogue,
    accelerator: Annotated[
        str | None, "catalogue name of what stands behind each compute adapter; adds its scale-up links"
    ] = None,
    scaleup: Annotated[Literal["auto", "none"], "links inside a domain: those of the accelerator's systems"] = "auto",
    grouping: Grouping = Grouping(),
) -> Topology:
    """The data path of an `ibnetdiscover` file: switches, and one accelerator per compute adapter.

    Both forms are read, the topology and the ports report (-p). Adapters of one server share a `domain` and a `tray`
    and have a `rail`, where the file tells it or `grouping` states it. No link inside a server is in the file: they are
    added where `accelerator` is stated.

    Ranks follow the file, which lists adapters switch by switch. Parallel links of two switches are one edge
    with their count; where they run at different speeds, it has their mean rate. `notes` say what is assumed
    and what the file leaves open.

    ConfigError for a file that cannot be read, is cut off or is something else; TopologyError for links whose
    ends do not agree and for a graph that is not a fabric. Both name the line where there is one.

    >>> from topologies.parts import catalogue
    >>> read_ibnetdiscover(Path("cluster.out"), catalogue()).links  # doctest: +SKIP
    1070
    """
    devices = read_devices(path)
    found = adapters(devices)
    role = {f"H-{adapter.guid}": adapter.role for adapter in found}
    kept = {key: device for key, device in devices.items() if role.get(key, "compute") == "compute"}
    labels = _labels(kept, str(path))
    graph = nx.Graph()
    for key, device in kept.items():
        if not device.is_switch:
            graph.add_node(labels[key], **_accelerator(device, parts))
    for key, device in kept.items():
        if device.is_switch:
            reduces = any(role.get(port.peer) == "aggregation" for port in device.ports.values())
            graph.add_node(labels[key], **_switch(device, reduces, parts))
    for key, device in kept.items():
        graph.nodes[labels[key]].update(_addresses(device, labels))
    mixed = _add_links(graph, kept, labels, parts)
    _add_tiers(graph, str(path))
    left_out = sum(len(devices[key].ports) for key in role if key not in kept)
    notes = [*_notes(found, left_out, mixed), *_group(graph, devices, found, grouping, labels, path)]
    if accelerator is not None:
        draft = Draft(path, "ibnetdiscover", parts, graph)
        notes += _state(draft, ScaleUp(accelerator, 1, scaleup))
    else:
        notes.append(
            "the file does not say what accelerators stand behind the adapters: each compute adapter is one generic "
            "accelerator, without links inside the server; accelerator= states them"
        )
    topology = Topology(path.name, "ibnetdiscover", {}, graph, parts, notes=tuple(notes))
    check(topology)
    return topology


def _group(
    graph: nx.Graph,
    devices: Mapping[str, Device],
    found: Sequence[Adapter],
    grouping: Grouping,
    labels: Mapping[str, str],
    path: Path,
) -> list[str]:
    """Give accelerators the server, rail and domain of their adapter; what the notes say about it."""
    known, notes = places(devices, found, grouping, path)
    for key, place in known.items():
        node = graph.nodes[labels[key]]
        node.update(domain=place.domain, tray=place.server)
        if place.rail is not None:
            node["rail"] = place.rail
    rails = len({place.rail for place in known.values()} - {None})
    return [*notes, f"{rails} rails, by device numbers and leaves"] if rails else notes


def _state(draft: Draft, inside: ScaleUp) -> list[str]:
    """Name the accelerators and join those of a domain."""
    assert inside.accelerator is not None
    draft.parts.part(inside.accelerator, Accelerator)
    for end in draft.ends():
        draft.graph.nodes[end]["part"] = inside.accelerator
    return [f"each compute adapter is one {inside.accelerator}, as stated", *add_scaleup(draft, inside)]


def _accelerator(device: Device, parts: Catalogue) -> dict[str, Any]:
    attributes = {"kind": "accelerator", "forwards": False, "part": "generic"}
    nic = _nic(device, parts)
    return attributes if nic is None else attributes | {"parts": {nic: 1}}


def _addresses(device: Device, labels: Mapping[str, str]) -> dict[str, Any]:
    """What forwarding tables know a device by: GUID (of an adapter's first port), LID, and where each port leads."""
    guid = device.guid if device.is_switch else device.ports[min(device.ports)].guid or device.guid
    ports = {str(number): labels[port.peer] for number, port in sorted(device.ports.items()) if port.peer in labels}
    return {"guid": guid, "ports": ports} | ({} if device.lid is None else {"lid": device.lid})


def _switch(device: Device, reduces: bool, parts: Catalogue) -> dict[str, Any]:
    managed = _MANAGED.match(device.description)
    part = part_of_name(managed[2], Switch, parts) if managed else None
    attributes = {"kind": "switch", "forwards": True, "part": part}
    return attributes | {"reduces": True} if reduces else attributes


def _nic(device: Device, parts: Catalogue) -> str | None:
    return part_of_device(MELLANOX, f"{device.devid:#06x}", Nic, parts)


def _labels(devices: Mapping[str, Device], path: str) -> dict[str, str]:
    """A switch's host name, an adapter's description; with the GUID where several have the same."""
    names: dict[str, str] = {}
    for key, device in devices.items():
        managed = _MANAGED.match(device.description)
        names[key] = (managed[1] if managed else "") if device.is_switch else device.description
    times = Counter(names.values())
    labels: dict[str, str] = {}
    for key, name in names.items():
        device = devices[key]
        port_guid = device.ports[min(device.ports)].guid or device.guid
        if name and times[name] == 1:
            labels[key] = name
        else:
            labels[key] = device.guid if device.is_switch else f"{name} {port_guid}".strip()
    twice = next((label for label, n in Counter(labels.values()).items() if n > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}: two devices are both named {twice[:60]!r}; rename one and run it again")
    return labels


def _add_links(graph: nx.Graph, devices: Mapping[str, Device], labels: Mapping[str, str], parts: Catalogue) -> int:
    """Add the links between devices, parallel ones as one edge; how many edges have several speeds."""
    rates: dict[tuple[str, str], list[float]] = {}
    for key, device in devices.items():
        for number, port in device.ports.items():
            if port.peer not in devices or (port.peer, port.peer_port) < (key, number):
                continue
            rates.setdefault((min(key, port.peer), max(key, port.peer)), []).append(port.rate_gbps)
    kinds: dict[tuple[float, str | None], dict[str, Any]] = {}
    for (a, b), parallel in rates.items():
        nic = next((_nic(devices[end], parts) for end in (a, b) if not devices[end].is_switch), None)
        kind = max(parallel), nic
        if kind not in kinds:
            link = LinkOptions(rate_gbps=kind[0], technology="pluggable", length_m=ASSUMED_LENGTH_M)
            kinds[kind] = link.attributes(parts, nic=nic)
        own = {"rate_gbps": sum(parallel) / len(parallel), "count": len(parallel)}
        graph.add_edge(labels[a], labels[b], **kinds[kind] | own)
    return sum(len(set(parallel)) > 1 for parallel in rates.values())


def _add_tiers(graph: nx.Graph, path: str) -> None:
    """Tier 1 are switches with end points, each next tier one hop further from them."""
    kind = dict(graph.nodes(data="kind"))
    ends = [node for node in graph if kind[node] == "accelerator"]
    layer = {s: None for end in ends for s in graph[end] if kind[s] == "switch"}
    tier = 1
    while layer:
        for node in layer:
            graph.nodes[node]["tier"] = tier
        above = {s: None for node in layer for s in graph[node] if kind[s] == "switch"}
        layer = {s: None for s in above if "tier" not in graph.nodes[s]}
        tier += 1
    lost = next((n for n in graph if kind[n] == "switch" and "tier" not in graph.nodes[n]), None)
    if lost is not None and ends:
        raise TopologyError(f"{path}: switch {lost} reaches no compute adapter; is the file cut off?")


def _notes(found: Sequence[Adapter], left_out: int, mixed: int) -> tuple[str, ...]:
    counts = Counter(adapter.role for adapter in found)
    classes = ", ".join(f"{counts[role]} {_CALLED.get(role, role)}" for role in ROLES if counts[role])
    notes = [f"{len(found)} adapters: {classes}; end points are the compute ones"]
    unnamed = [adapter for adapter in found if adapter.role == "compute" and not adapter.named]
    if unnamed:
        names = Counter(adapter.description for adapter in unnamed)
        listed = ", ".join(f"{n} {name or '(blank)'}" for name, n in names.items())
        notes.append(
            f"{len(unnamed)} compute adapters have no host name ({listed}); they are taken as compute "
            "because the named adapter on the nearest port of the switch is, or none there has a name"
        )
    if left_out:
        notes.append(f"{left_out} links to adapters that are no end points are left out")
    if mixed:
        notes.append(f"{mixed} edges join parallel links of several speeds; each link has their mean")
    notes.append(
        f"cable lengths and modules are not in the file: {ASSUMED_LENGTH_M:g} m of fibre between pluggable "
        "optics is assumed for every link"
    )
    return tuple(notes)
