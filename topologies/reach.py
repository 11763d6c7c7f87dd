"""What a cable of a technology, gauge, rate and length can carry, asked of a whole fabric."""

from typing import TypeGuard

from topologies.cabling import check_cable, longest_m
from topologies.copper import Reach, copper_reach
from topologies.graph import Topology, once
from topologies.parts import Cable, Optic

__all__ = [
    "Reach", "beyond_reach", "cable_lengths", "copper_reach", "outside", "refuse_beyond_reach", "tightest_copper",
]  # fmt: skip


def tightest_copper(topology: Topology) -> Reach | None:
    """The copper cable of least margin; None where the fabric has none that can be judged."""
    rows = [(topology.catalogue.get(name), length) for name, length in cable_lengths(topology)]
    budgets = [copper_reach(row, length, topology.catalogue) for row, length in rows if isinstance(row, Cable)]
    return min((b for b in budgets if b is not None), key=lambda b: (b.state != "over", b.margin_db), default=None)


def beyond_reach(topology: Topology, *, nominal: bool = False) -> list[tuple[Cable | Optic, float]]:
    """Optics, and cables without a loss budget, whose links are longer than any source gives; with `nominal` than the
    catalogue's own value. The longest first."""
    rows = [(topology.catalogue.get(name), length) for name, length in cable_lengths(topology)]
    long = [
        (row, length)
        for row, length in rows
        if _judged_by_length(row) and length > ((row.reach_m if nominal else longest_m(row)) or length)
    ]
    return sorted(long, key=lambda pair: -pair[1])


def _judged_by_length(row: object) -> TypeGuard[Cable | Optic]:
    return isinstance(row, Optic) or (isinstance(row, Cable) and row.copper_mode is None)


def refuse_beyond_reach(topology: Topology, technology: str, key: str = "technology") -> None:
    """Raise ReachError where a technology that the user put in place of another, by the parameter `key`, cannot carry
    its links: with the margin in dB for copper, with the reach for optics."""
    classes = {
        (edge["cable"], edge["rate_gbps"], float(edge["length_m"]))
        for _, _, edge in topology.edges
        if edge["technology"] == technology and edge["medium"] in ("copper", "active-copper", "optical")
    }
    for name, rate, length in sorted(classes):
        row = topology.catalogue.get(name)
        if isinstance(row, Cable | Optic):
            check_cable(row, rate, length, topology.catalogue, f"{key}={technology}")


def outside(topology: Topology, cable: str, length_m: float) -> list[str]:
    """Layers of the links with that cable and length, where the bill of materials leaves all of them out; else none.

    >>> from topologies.registry import build
    >>> outside(build("jupiter:blocks=4,uplinks=6"), "dac-400g", 2.0)
    ['hosts']
    """
    alike = [e for _, _, e in topology.edges if e["cable"] == cable and float(e["length_m"]) == length_m]
    layers = {str(e.get("layer")) for e in alike}
    return sorted(layers) if layers and layers <= topology.left_out else []


@once
def cable_lengths(topology: Topology) -> list[tuple[str, float]]:
    """Every pair of cable and length that occurs."""
    return sorted({(e["cable"], float(e["length_m"])) for _, _, e in topology.edges})
