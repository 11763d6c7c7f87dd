"""Fibre of optical links, and the labour of laying cables."""

from dataclasses import dataclass

from fabric.costing.dollars import NONE, Usd, field_range
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Cable, Optic

LAID = ("dac", "acc", "aec", "aoc")  # cables; cartridges, boards and backplanes come with their rack
FIBRE, LABOUR = "fibre-cable", "cable-laying"


@dataclass(frozen=True, slots=True)
class Cabling:
    """Cables to lay by hand, those of fibre among them and their length in all, and what fibre and labour cost."""

    cables: int
    fibres: int
    fibre_m: float
    fibre: Usd
    labour: Usd


@once
def cabling(topology: Topology) -> Cabling:
    """Every cable that is no part of a rack's own wiring: one a link, and one a strand of a circuit switch (half of
    its circuit's length). Copper is in the bill of materials already; fibre is not, and is priced here.

    >>> from topologies.registry import build
    >>> found = cabling(build("dgx-h100-superpod-256"))
    >>> found.cables, found.fibres
    (512, 512)
    """
    cables = fibres = 0
    length = 0.0
    for _, _, edge in topology.edges:
        if edge["medium"] == "circuit" or edge["technology"] in HOST_TECHNOLOGIES:
            continue
        if edge.get("layer") in topology.left_out:
            continue
        row = topology.catalogue.get(edge["cable"])
        if isinstance(row, Optic):
            fibres += edge["count"]
            length += edge["count"] * edge["length_m"]
        elif isinstance(row, Cable) and row.technology in LAID:
            cables += edge["count"] * row.assemblies_per_link
    layer = topology.circuits
    if layer is not None:
        strands = round(len(layer.strands))
        fibres += strands
        length += strands * layer.link["length_m"] / 2
    parts = topology.catalogue
    each, metre = field_range(parts[FIBRE], "offset_usd"), field_range(parts[FIBRE], "usd_per_m")
    laid = cables + fibres
    fibre = fibres * each + length * metre if fibres else NONE
    return Cabling(laid, fibres, length, fibre, laid * field_range(parts[LABOUR], "usd_per_cable"))
