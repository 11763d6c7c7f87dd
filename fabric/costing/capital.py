"""Capital cost of the network, from the bill of materials."""

from dataclasses import dataclass

from fabric.costing.dollars import Usd, field_range, total
from topologies.bill import BillRow, network_rows
from topologies.graph import Topology, once
from topologies.parts import Cable, CircuitSwitch, Component, Nic, Optic, Part, Switch


@dataclass(frozen=True, slots=True)
class Cost:
    """Dollars of a whole network; None where a part has no price. `priced_usd` is the sum of those that have one,
    `low_usd` to `high_usd` the range of that sum in the sources."""

    capex_usd: float | None
    priced_usd: float
    missing: tuple[str, ...]
    estimates: tuple[str, ...]
    low_usd: float = 0.0
    high_usd: float = 0.0

    @property
    def priced(self) -> Usd:
        """What has a price, with its range."""
        return Usd(self.priced_usd, self.low_usd, self.high_usd)


def unit_price_usd(part: Part) -> float | None:
    """Dollars of one unit: one cable assembly, one module, one switch, all ports of a circuit switch.

    >>> from topologies.parts import part
    >>> unit_price_usd(part("palomar-136"))
    47600.0
    """
    price = _unit_price(part)
    return None if price is None else price.value


def _unit_price(part: Part) -> Usd | None:
    if isinstance(part, CircuitSwitch):
        return (
            None if part.price_usd_per_port is None else part.ports_per_side * field_range(part, "price_usd_per_port")
        )
    if isinstance(part, Cable | Optic | Switch | Nic | Component) and part.price_usd is not None:
        return field_range(part, "price_usd")
    return None


def row_price(row: BillRow) -> Usd | None:
    """Dollars of one row of the bill with their range; a switch without a price of its own costs its ports.

    >>> from topologies.parts import part
    >>> row_price(BillRow(part("1600g-dr8"), 10))
    Usd(value=8500.0, low=8500.0, high=33950.0)
    """
    unit = _unit_price(row.part)
    if unit is not None:
        return row.quantity * unit
    if isinstance(row.part, Switch) and row.part.price_usd_per_port is not None and row.ports:
        return row.ports * field_range(row.part, "price_usd_per_port")
    return None


def price_of(row: BillRow) -> float | None:
    """Dollars of one row of the bill."""
    price = row_price(row)
    return None if price is None else price.value


@once
def capital_cost(topology: Topology) -> Cost:
    """Capex of switches, adapters, cables, modules and circuit switches; what has no price is listed, never zero.

    >>> from topologies.registry import build
    >>> cost = capital_cost(build("tpu-v4-64"))
    >>> round(cost.low_usd), round(cost.capex_usd), round(cost.high_usd)
    (94884, 157140, 294336)
    """
    return cost_of(network_rows(topology), _without_part(topology))


def cost_of(rows: list[BillRow], unnamed: bool = False) -> Cost:
    """Dollars of some rows of a bill; `unnamed` says that a switch has no part at all."""
    priced = [(row, row_price(row)) for row in rows]
    missing = [row.part.name for row, usd in priced if usd is None]
    if unnamed:
        missing.append("switches without a part")
    known = total(usd for _, usd in priced if usd is not None)
    guesses = [r.part.name for r in rows if {"price_usd", "price_usd_per_port"} & set(r.part.estimates)]
    whole = None if missing else known.value
    return Cost(whole, known.value, tuple(missing), tuple(guesses), known.low, known.high)


def _without_part(topology: Topology) -> bool:
    return any(
        d["kind"] == "switch" and not d.get("part") and not d.get("parts") for _, d in topology.graph.nodes(data=True)
    )
