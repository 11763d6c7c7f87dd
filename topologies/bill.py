"""Bill of materials of a topology: which catalogue parts, how many of each."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Accelerator, Cable, Catalogue, Nic, Optic, Part, Switch

CIRCULATOR = "circulator"


@dataclass(frozen=True, slots=True)
class BillRow:
    """A part and how many of it; a fraction where devices are shared with other fabrics. `ports` are those of all of
    them together, where the watts or dollars of a switch go by the port."""

    part: Part
    quantity: float
    ports: int = 0


@once
def bill_of_materials(topology: Topology) -> tuple[BillRow, ...]:
    """Parts of nodes, cables, modules and circuit switches, in the order of the catalogue.

    Modules are counted per face plate: ceil over the links of a `tray` (a node without one is its own) of what a module
    holds; a link that ends there alone has the `single` module of its row. They sit at both ends of a link, and at the
    end node of every strand to a circuit switch, lit or dark; a strand that carries both ways has a circulator too. An
    adapter or a switch with integrated optics has none at its end.
    What has a `layer` that the topology leaves out is not counted.

    >>> from topologies.registry import build
    >>> {r.part.kind: r.quantity for r in bill_of_materials(build("nvl72"))}
    {'accelerator': 72, 'cable': 5184, 'switch': 18}
    """
    counts = _node_parts(topology) + _link_parts(topology)
    if topology.circuits is not None:
        layer = topology.circuits
        for name, number in Counter(layer.model(device).name for device in range(layer.devices)).items():
            counts[name] += number * layer.share  # type: ignore[assignment]
    unknown = [name for name in counts if name not in topology.catalogue]
    if unknown:
        raise ConfigError(
            f"{topology.name} names the part '{unknown[0]}', which the catalogue does not have; --parts adds it"
        )
    order = {name: i for i, name in enumerate(topology.catalogue)}
    ports = _switch_ports(topology)
    return tuple(
        BillRow(topology.catalogue[n], counts[n], ports[n]) for n in sorted(counts, key=lambda n: order[n]) if counts[n]
    )


def _node_parts(topology: Topology) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, attributes in topology.graph.nodes(data=True):
        if attributes.get("layer") in topology.left_out:
            continue
        if attributes.get("part") is not None:
            counts[attributes["part"]] += 1
        for name, number in attributes.get("parts", {}).items():
            counts[name] += number
    return counts


def _switch_ports(topology: Topology) -> Counter[str]:
    """Ports of the boxes whose row has watts or dollars by the port: the node's `ports`, else those in use."""
    by_port = {row.name for row in topology.catalogue.of_kind(Switch) if goes_by_port(row)}
    ports: Counter[str] = Counter()
    if not by_port:
        return ports
    strands: Counter[Hashable] = Counter()
    if topology.circuits is not None:
        layer = topology.circuits
        strands = Counter(layer.ends[end] for end in layer.strands[:, 3].tolist())
    for node, attributes in topology.graph.nodes(data=True):
        if attributes.get("part") in by_port and attributes.get("layer") not in topology.left_out:
            joined = topology.graph.edges(node, data=True)
            used = sum(edge["count"] for _, _, edge in joined if edge["medium"] != "circuit") + strands[node]
            ports[attributes["part"]] += attributes.get("ports", used)
    return ports


def goes_by_port(row: Part) -> bool:
    """Does a switch's row give watts or dollars by the port?"""
    return isinstance(row, Switch) and (row.power_w_per_port is not None or row.price_usd_per_port is not None)


Plates = Counter[tuple[Hashable, str, float]]


def _link_parts(topology: Topology) -> Counter[str]:
    counts: Counter[str] = Counter()
    on_plate: Plates = Counter()
    no_cage = {row.name for row in topology.catalogue.of_kind(Switch) if row.integrated_optics}
    for a, b, attributes in _counted(topology):
        name, count = attributes["cable"], attributes["count"]
        row = topology.catalogue.get(name)
        if isinstance(row, Optic):
            for end in _caged(topology, (a, b), attributes, no_cage):
                on_plate[topology.graph.nodes[end].get("tray", end), name, attributes["rate_gbps"]] += count
        else:
            counts[name] += count * (row.assemblies_per_link if isinstance(row, Cable) else 1)
    if topology.circuits is not None:
        counts += _strand_parts(topology, topology.circuits, on_plate)
    return counts + _modules(topology, on_plate)


def _counted(topology: Topology) -> Iterator[tuple[Hashable, Hashable, dict[str, Any]]]:
    """Links of cables and modules: no circuits, nothing inside hosts, no layer that is left out."""
    for a, b, attributes in topology.edges:
        if attributes.get("layer") in topology.left_out or attributes["medium"] == "circuit":
            continue
        if attributes["technology"] not in HOST_TECHNOLOGIES:
            yield a, b, attributes


def _caged(
    topology: Topology, ends: tuple[Hashable, Hashable], attributes: Mapping[str, Any], no_cage: set[str]
) -> Iterator[Hashable]:
    """The ends of an optical link that hold a module: optics of an adapter or a switch are its own."""
    nodes = topology.graph.nodes
    nic = topology.catalogue.get(attributes.get("nic") or "")
    for end in ends:
        own = nodes[end]["kind"] == "accelerator" and isinstance(nic, Nic) and nic.integrated_optics
        if not own and nodes[end].get("part") not in no_cage:
            yield end


def _modules(topology: Topology, on_plate: Plates) -> Counter[str]:
    """Modules of all face plates, by name."""
    counts: Counter[str] = Counter()
    for (_, name, rate), links in on_plate.items():
        row = topology.catalogue[name]
        assert isinstance(row, Optic)
        alone = _single(row, links, rate, topology.catalogue)
        counts[alone or name] += 1 if alone else modules(row, links, rate)
    return counts


@once
def host_ends(topology: Topology) -> Counter[str]:
    """What of the bill sits at accelerators, adapters and hosts rather than at switches.

    >>> from topologies.registry import build
    >>> host_ends(build("dgx-h100-superpod-256"))["800g-2xdr4"], host_ends(build("nvl72"))["nvlink5-cartridge"]
    (128, 2592.0)
    """
    return ends_at(topology, lambda attributes: attributes["kind"] != "switch")


def ends_at(topology: Topology, chosen: Callable[[Mapping[str, Any]], bool]) -> Counter[str]:
    """Modules of the bill at the nodes whose attributes are `chosen`, and cables by how many of their two ends are
    there (0.5 for one)."""
    nodes = topology.graph.nodes
    here = {node for node, attributes in nodes(data=True) if chosen(attributes)}
    no_cage = {row.name for row in topology.catalogue.of_kind(Switch) if row.integrated_optics}
    counts: Counter[str] = Counter()
    on_plate: Plates = Counter()
    for a, b, attributes in _counted(topology):
        if a not in here and b not in here:
            continue
        name, count = attributes["cable"], attributes["count"]
        row = topology.catalogue.get(name)
        if isinstance(row, Optic):
            for end in _caged(topology, (a, b), attributes, no_cage):
                if end in here:
                    on_plate[nodes[end].get("tray", end), name, attributes["rate_gbps"]] += count
        else:
            each = count * (row.assemblies_per_link if isinstance(row, Cable) else 1)
            counts[name] += each * ((a in here) + (b in here)) / 2
    if topology.circuits is not None:
        _strand_parts(topology, topology.circuits, on_plate, here)
    return counts + _modules(topology, on_plate)


def _strand_parts(
    topology: Topology, layer: CircuitLayer, on_plate: Plates, here: set[Hashable] | None = None
) -> Counter[str]:
    """Strands, one or two a link, have their modules, lit or dark; one that carries both ways its circulator."""
    links, generation = layer.end_links
    nodes = topology.graph.nodes
    circulators = 0
    for end, strands in Counter(layer.strands[:, 3].tolist()).items():
        label, link = layer.ends[end], links[int(generation[end])]
        if here is not None and label not in here:
            continue
        row = topology.catalogue.get(link["cable"])
        rate = layer.lanes * row.strand_gbps if isinstance(row, Optic) and row.strand_gbps else 0.0
        ending = ceil(strands / layer.strands_per_link)
        on_plate[nodes[label].get("tray", label), link["cable"], max(rate, link["rate_gbps"])] += ending
        circulators += strands if isinstance(row, Optic) and row.bidirectional else 0
    return Counter({CIRCULATOR: circulators})


def modules(optic: Optic, links: int, rate_gbps: float) -> int:
    """Modules that one face plate needs for so many links.

    >>> from topologies.parts import part
    >>> modules(part("1600g-dr8", Optic), 72, 400.0), modules(part("800g-2xdr4", Optic), 8, 400.0)
    (18, 4)
    """
    per_module = optic.links_per_module or int(optic.rate_gbps / rate_gbps + 1e-9)
    if per_module >= 1:
        return ceil(links / per_module)
    return links * (optic.modules_per_end or ceil(rate_gbps / optic.rate_gbps - 1e-9))


def _single(optic: Optic, links: int, rate_gbps: float, parts: Catalogue) -> str | None:
    """The module of a link that is alone on its face plate, where a module of several would be bought for it."""
    row = parts.get(optic.single) if optic.single is not None and links == 1 else None
    return row.name if isinstance(row, Optic) and row.rate_gbps >= rate_gbps else None


def network_rows(topology: Topology) -> list[BillRow]:
    """The bill without accelerators: all that would not be there without the fabric."""
    return [row for row in bill_of_materials(topology) if not isinstance(row.part, Accelerator)]
