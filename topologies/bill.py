"""Bill of materials of a topology: which catalogue parts, how many of each."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil

from topologies.errors import ConfigError
from topologies.graph import Topology, once
from topologies.parts import Accelerator, Cable, Optic, Part

CIRCULATOR = "circulator"


@dataclass(frozen=True, slots=True)
class BillRow:
    """A part and how many of it; a fraction where devices are shared with other fabrics."""

    part: Part
    quantity: float


@once
def bill_of_materials(topology: Topology) -> tuple[BillRow, ...]:
    """Parts of nodes, cables, modules and circuit switches, in the order of the catalogue.

    Modules are counted per face plate: ceil over the links of a `tray` (a node without one is its own) of what a module
    holds. They sit at both ends of a link; a circuit's ends are its two end nodes, its switch has none. A one-strand
    circuit has a circulator at either end. What a builder marks `counted=False` stays out.

    >>> from topologies.registry import build
    >>> {r.part.kind: r.quantity for r in bill_of_materials(build("nvl72"))}
    {'accelerator': 72, 'cable': 5184, 'switch': 18}
    """
    counts = _node_parts(topology) + _link_parts(topology)
    if topology.circuits is not None:
        counts[topology.circuits.part.name] += topology.circuits.devices * topology.circuits.share  # type: ignore[assignment]
    unknown = [name for name in counts if name not in topology.catalogue]
    if unknown:
        raise ConfigError(
            f"{topology.name} names the part '{unknown[0]}', which the catalogue does not have; --parts adds it"
        )
    order = {name: i for i, name in enumerate(topology.catalogue)}
    return tuple(BillRow(topology.catalogue[n], counts[n]) for n in sorted(counts, key=lambda n: order[n]) if counts[n])


def _node_parts(topology: Topology) -> Counter[str]:
    counts: Counter[str] = Counter()
    for _, attributes in topology.graph.nodes(data=True):
        if not attributes.get("counted", True):
            continue
        if attributes.get("part") is not None:
            counts[attributes["part"]] += 1
        for name, number in attributes.get("parts", {}).items():
            counts[name] += number
    return counts


def _link_parts(topology: Topology) -> Counter[str]:
    counts: Counter[str] = Counter()
    on_plate: Counter[tuple[Hashable, str, float]] = Counter()
    nodes = topology.graph.nodes
    for a, b, attributes in topology.graph.edges(data=True):
        if not attributes.get("counted", True):
            continue
        name, count, rate = attributes["cable"], attributes["count"], attributes["rate_gbps"]
        row = topology.catalogue.get(name)
        if isinstance(row, Cable):
            counts[name] += count * row.assemblies_per_link
        elif isinstance(row, Optic):
            for end in (a, b):
                on_plate[nodes[end].get("tray", end), name, rate] += count
            if row.bidirectional and attributes["medium"] == "circuit":
                counts[CIRCULATOR] += 2 * count
        else:
            counts[name] += count
    for (_, name, rate), links in on_plate.items():
        row = topology.catalogue[name]
        assert isinstance(row, Optic)
        counts[name] += modules(row, links, rate)
    return counts


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


def network_rows(topology: Topology) -> list[BillRow]:
    """The bill without accelerators: all that would not be there without the fabric."""
    return [row for row in bill_of_materials(topology) if not isinstance(row.part, Accelerator)]
