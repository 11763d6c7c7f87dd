"""Bill of materials of a topology: which catalogue parts, how many of each."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    plates = Plates(topology)
    counts = _cables(topology, plates)
    if topology.circuits is not None:
        counts += _strand_parts(topology, topology.circuits, plates)
    return counts + plates.modules()


def _cables(topology: Topology, plates: "Plates", here: NDArray[np.bool_] | None = None) -> Counter[str]:
    """Cables, or of those how many of their two ends are at the nodes in `here` (bool[V]), 0.5 for one; the modules of
    optics there go onto their face plates."""
    counts: Counter[str] = Counter()
    kinds, kind = topology.edge_kinds
    parts, ends, whole = topology.catalogue, topology.edge_ends, here is None
    here = np.ones(len(topology.nodes), bool) if here is None else here
    caged, accelerator = _caged(topology) & here, np.array([k == "accelerator" for k in topology.attribute("kind")])
    for attributes, edges in zip(kinds, _by_kind(kind, len(kinds)), strict=True):
        touched = int(np.count_nonzero(here[ends[:, edges]]))
        if not touched or not _counted(topology, attributes):
            continue
        name, count = attributes["cable"], attributes["count"]
        row, nic = parts.get(name), parts.get(attributes.get("nic") or "")
        if isinstance(row, Optic):
            node = ends[:, edges].T.ravel()
            held = caged[node] & ~accelerator[node] if isinstance(nic, Nic) and nic.integrated_optics else caged[node]
            plates.add(node[held], 2 * np.repeat(edges, 2)[held], name, attributes["rate_gbps"], count)
        else:
            each = count * (row.assemblies_per_link if isinstance(row, Cable) else 1)
            counts[name] += len(edges) * each if whole else each * touched / 2
    return counts


def _by_kind(kind: NDArray[np.int32], kinds: int) -> list[NDArray[np.int64]]:
    """The edges of each kind, in order."""
    order = np.argsort(kind, kind="stable")
    return np.split(order, np.searchsorted(kind[order], np.arange(1, kinds)))


def _counted(topology: Topology, attributes: Mapping[str, Any]) -> bool:
    """Is this a link of cables or modules: no circuit, nothing inside hosts, no layer that is left out?"""
    if attributes.get("layer") in topology.left_out or attributes["medium"] == "circuit":
        return False
    return attributes["technology"] not in HOST_TECHNOLOGIES


def _caged(topology: Topology) -> NDArray[np.bool_]:
    """bool[V]: nodes that hold modules; a switch with integrated optics has its own."""
    no_cage = {row.name for row in topology.catalogue.of_kind(Switch) if row.integrated_optics}
    return np.array([part not in no_cage for part in topology.attribute("part")])


@once
def _plates(topology: Topology) -> NDArray[np.int64]:
    """The face plate of every node, int64[V]: that of its tray, or its own."""
    known: dict[Hashable, int] = {}
    trays = (attributes.get("tray", node) for node, attributes in topology.graph.nodes(data=True))
    return np.fromiter((known.setdefault(tray, len(known)) for tray in trays), np.int64)


class Plates:
    """Links on face plates: those of a tray, or of a node without one, by module and rate."""

    def __init__(self, topology: Topology) -> None:
        self._catalogue = topology.catalogue
        self._plate = _plates(topology)
        self._rows: list[tuple[NDArray[np.int64], NDArray[np.int64], int, int]] = []
        self._classes: dict[tuple[str, float], int] = {}

    def add(self, node: NDArray[np.int32], place: NDArray[np.int64], name: str, rate: float, links: int) -> None:
        """So many links of a module and rate end at each of these nodes; `place` orders what is added."""
        number = self._classes.setdefault((name, rate), len(self._classes))
        self._rows.append((self._plate[node] * 2**20 + number, place, len(node), links))

    def modules(self) -> Counter[str]:
        """Modules of all face plates, by name, in the order in which plates that need them were added."""
        counts: Counter[str] = Counter()
        if not self._rows:
            return counts
        keys, places, sizes, links = zip(*self._rows, strict=True)
        order = np.argsort(np.concatenate(places), kind="stable")
        weights = np.repeat(np.array(links, np.float64), sizes)[order]
        distinct, first, where = np.unique(np.concatenate(keys)[order], return_index=True, return_inverse=True)
        held = np.bincount(where, weights)
        seen = np.argsort(first)
        alike = Counter(zip((distinct[seen] % 2**20).tolist(), held[seen].tolist(), strict=True))
        classes = list(self._classes)
        for (number, some), plates in alike.items():
            (name, rate), ending = classes[number], int(some)
            row = self._catalogue[name]
            assert isinstance(row, Optic)
            alone = _single(row, ending, rate, self._catalogue)
            counts[alone or name] += plates * (1 if alone else modules(row, ending, rate))
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
    here = np.array([chosen(attributes) for _, attributes in topology.graph.nodes(data=True)], bool)
    plates = Plates(topology)
    counts = _cables(topology, plates, here)
    if topology.circuits is not None:
        _strand_parts(topology, topology.circuits, plates, here)
    return counts + plates.modules()


def _strand_parts(
    topology: Topology, layer: CircuitLayer, plates: Plates, here: NDArray[np.bool_] | None = None
) -> Counter[str]:
    """Strands, one or two a link, have their modules, lit or dark; one that carries both ways its circulator."""
    links, generation = layer.end_links
    circulators, behind = 0, 2 * len(topology.edges)  # after all links
    for end, strands in Counter(layer.strands[:, 3].tolist()).items():
        node, link = topology.index[layer.ends[end]], links[int(generation[end])]
        if here is not None and not here[node]:
            continue
        row = topology.catalogue.get(link["cable"])
        rate = layer.lanes * row.strand_gbps if isinstance(row, Optic) and row.strand_gbps else 0.0
        ending = ceil(strands / layer.strands_per_link)
        at = np.array([node], np.int32), np.array([behind])
        plates.add(*at, link["cable"], max(rate, link["rate_gbps"]), ending)
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
