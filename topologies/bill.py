"""Bill of materials of a topology: which catalogue parts, how many of each."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil

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


def _link_parts(topology: Topology) -> Counter[str]:
    counts: Counter[str] = Counter()
    on_plate: Counter[tuple[Hashable, str, float]] = Counter()
    nodes = dict(topology.graph.nodes(data=True))
    built_in = {row.name for row in topology.catalogue.of_kind(Nic) if row.integrated_optics}
    no_cage = {row.name for row in topology.catalogue.of_kind(Switch) if row.integrated_optics}
    for a, b, attributes in topology.edges:
        if attributes.get("layer") in topology.left_out or attributes["medium"] == "circuit":
            continue
        if attributes["technology"] in HOST_TECHNOLOGIES:
            continue
        name, count, rate = attributes["cable"], attributes["count"], attributes["rate_gbps"]
        row = topology.catalogue.get(name)
        if isinstance(row, Optic):
            for end in (a, b):
                own = nodes[end]["kind"] == "accelerator" and attributes.get("nic") in built_in
                if not own and nodes[end].get("part") not in no_cage:
                    on_plate[nodes[end].get("tray", end), name, rate] += count
        else:
            counts[name] += count * (row.assemblies_per_link if isinstance(row, Cable) else 1)
    if topology.circuits is not None:
        counts += _strand_parts(topology, topology.circuits, on_plate)
    for (_, name, rate), links in on_plate.items():
        row = topology.catalogue[name]
        assert isinstance(row, Optic)
        alone = _single(row, links, rate, topology.catalogue)
        counts[alone or name] += 1 if alone else modules(row, links, rate)
    return counts


def _strand_parts(
    topology: Topology, layer: CircuitLayer, on_plate: Counter[tuple[Hashable, str, float]]
) -> Counter[str]:
    """Strands, one or two a link, have their modules, lit or dark; one that carries both ways its circulator."""
    links, generation = layer.end_links
    nodes = topology.graph.nodes
    circulators = 0
    for end, strands in Counter(layer.strands[:, 3].tolist()).items():
        label, link = layer.ends[end], links[int(generation[end])]
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
