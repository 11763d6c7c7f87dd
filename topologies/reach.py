"""What a cable of a technology, gauge, rate and length can carry: margin in dB."""

from dataclasses import dataclass

from topologies.errors import ReachError
from topologies.graph import Topology, once
from topologies.parts import Cable, Catalogue, CopperMode, Optic, Twinax

MARGINAL_DB = 1.0


@dataclass(frozen=True, slots=True)
class Reach:
    """The tightest copper cable of a fabric: its loss against what its mode allows."""

    cable: str
    length_m: float
    lane_gbps: float
    loss_db: float
    allowance_db: float
    estimated: bool
    sold_m: float | None = None

    @property
    def margin_db(self) -> float:
        """Allowance less loss; below zero the cable does not carry its rate."""
        return self.allowance_db - self.loss_db

    @property
    def state(self) -> str:
        """ok, marginal (under 1 dB) or over: no margin, or longer than anything specified or sold."""
        if self.margin_db < 0 or (self.sold_m is not None and self.length_m > self.sold_m):
            return "over"
        return "marginal" if self.margin_db < MARGINAL_DB else "ok"

    @property
    def why(self) -> str:
        """The budget in words."""
        return (
            f"{self.length_m:g} m of {self.cable} at {self.lane_gbps:g} Gb/s a lane loses {self.loss_db:.1f} dB "
            f"of {self.allowance_db:.1f} dB"
            + (f"; none is specified or sold above {self.sold_m:g} m" if self.sold_m is not None else "")
        )


def copper_reach(cable: Cable, length_m: float, parts: Catalogue) -> Reach | None:
    """Budget of one copper cable: allowance of its mode less length times loss per metre of its gauge at Nyquist.

    The loss model is the catalogue's (skin effect and foam dielectric, fitted to what is sold); None for a board, or a
    cable whose gauge or mode nobody states.

    >>> from topologies.parts import catalogue, part
    >>> round(copper_reach(part("nvlink5-cartridge", Cable), 1.0, catalogue()).margin_db, 1)
    3.7
    """
    if cable.copper_mode is None or cable.gauge_awg is None:
        return None
    mode = parts.part(cable.copper_mode, CopperMode)
    wire = parts.part(f"twinax-{cable.gauge_awg}awg", Twinax)
    loss = wire.loss_db_per_m.get(f"{mode.nyquist_ghz:g}")
    if loss is None:
        raise ReachError(
            f"{wire.name} has no loss at {mode.nyquist_ghz:g} GHz; it has {', '.join(wire.loss_db_per_m)} GHz"
        )
    reach = cable.ranges["reach_m"][1] if "reach_m" in cable.ranges else cable.reach_m
    sold = min((m for m in (mode.max_length_m, reach) if m is not None), default=None)
    return Reach(cable.name, length_m, mode.lane_gbps, loss * length_m, mode.allowance_db, bool(mode.estimates), sold)


def tightest_copper(topology: Topology) -> Reach | None:
    """The copper cable of least margin; None where the fabric has none that can be judged."""
    rows = [(topology.catalogue.get(name), length) for name, length in cable_lengths(topology)]
    budgets = [copper_reach(row, length, topology.catalogue) for row, length in rows if isinstance(row, Cable)]
    return min((b for b in budgets if b is not None), key=lambda b: (b.state != "over", b.margin_db), default=None)


def beyond_reach(topology: Topology) -> list[tuple[Cable | Optic, float]]:
    """Optics, and cables without a loss budget, whose links are longer than their reach; the longest first."""
    rows = [(topology.catalogue.get(name), length) for name, length in cable_lengths(topology)]
    long = [
        (row, length)
        for row, length in rows
        if (isinstance(row, Optic) or (isinstance(row, Cable) and row.copper_mode is None))
        and row.reach_m is not None
        and length > row.reach_m
    ]
    return sorted(long, key=lambda pair: -pair[1])


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
