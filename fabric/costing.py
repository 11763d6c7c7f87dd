"""Capital cost of the network, from the bill of materials."""

from dataclasses import dataclass

from topologies.bill import BillRow, network_rows
from topologies.graph import Topology, once
from topologies.parts import Cable, CircuitSwitch, Component, Nic, Optic, Part, Switch


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars of a whole network; None where a part has no price. `priced_usd` is the sum of those that have one."""

    capex_usd: float | None
    priced_usd: float
    missing: tuple[str, ...]
    estimates: tuple[str, ...]


def unit_price_usd(part: Part) -> float | None:
    """Dollars of one unit: one cable assembly, one module, one switch, all ports of a circuit switch.

    >>> from topologies.parts import part
    >>> unit_price_usd(part("palomar-136"))
    47600.0
    """
    if isinstance(part, CircuitSwitch):
        per_port = part.price_usd_per_port
        return None if per_port is None else float(per_port * part.ports_per_side)
    if isinstance(part, Cable | Optic | Switch | Nic | Component):
        return part.price_usd
    return None


def price_of(row: BillRow) -> float | None:
    """Dollars of one row of the bill; a switch without a price of its own costs its ports."""
    unit = unit_price_usd(row.part)
    by_port = row.part.price_usd_per_port if isinstance(row.part, Switch) else None
    if unit is None and by_port is not None and row.ports:
        return row.ports * by_port
    return None if unit is None else row.quantity * unit


@once
def capital_cost(topology: Topology) -> Cost:
    """Capex of switches, adapters, cables, modules and circuit switches; what has no price is listed, never zero."""
    rows = network_rows(topology)
    priced = [(row, price_of(row)) for row in rows]
    missing = [row.part.name for row, usd in priced if usd is None]
    if any(
        d["kind"] == "switch" and not d.get("part") and not d.get("parts") for _, d in topology.graph.nodes(data=True)
    ):
        missing.append("switches without a part")
    known = sum(usd for _, usd in priced if usd is not None)
    guesses = [r.part.name for r in rows if {"price_usd", "price_usd_per_port"} & set(r.part.estimates)]
    return Cost(None if missing else known, known, tuple(missing), tuple(guesses))
