"""What is bought before anything runs: a network's parts, fibre and labour, and the machines if wanted."""

from dataclasses import dataclass

from fabric.boundary import rows_within
from fabric.costing.cabling import Cabling, cabling
from fabric.costing.capital import Cost, capital_cost, cost_of
from fabric.costing.dollars import NONE, Usd, field_range
from fabric.powering import rack_of
from fabric.results import accelerator_of
from topologies.graph import Topology
from topologies.parts import Accelerator, Cable

IN_RACK_CABLES = ("cartridge", "board")


@dataclass(frozen=True, slots=True)
class Purchase:
    """Dollars of a network and, where asked for, of the machines on it; `missing` names what has no price and is in
    none of them."""

    parts: Cost
    machines: Usd
    cabling: Cabling
    missing: tuple[str, ...]

    @property
    def capex(self) -> Usd:
        """All that has a price."""
        return self.parts.priced + self.machines + self.cabling.fibre + self.cabling.labour


def purchase(topology: Topology, *, machine: bool = False) -> Purchase:
    """Parts, fibre and labour; with `machine` the racks of accelerators too, and then of the parts only what does not
    come with them (accelerators alone where only they have a price).

    >>> from topologies.registry import build
    >>> bought = purchase(build("nvl72"), machine=True)
    >>> bought.capex.value, bought.missing
    (3100000.0, ())
    """
    machines, unpriced = _machines(topology) if machine else (NONE, ())
    parts = _beside_machines(topology) if machine and not unpriced else capital_cost(topology)
    return Purchase(parts, machines, cabling(topology), (*parts.missing, *unpriced))


def _machines(topology: Topology) -> tuple[Usd, tuple[str, ...]]:
    """Racks of accelerators, or accelerators alone where only they have a price; and what has none."""
    rack, n = rack_of(topology), len(topology.accelerators)
    if rack is not None and rack.price_usd is not None and rack.accelerators:
        return n / rack.accelerators * field_range(rack, "price_usd"), ()
    named = "racks" if rack is None else f"rack {rack.name}"
    rows = [row for row in topology.catalogue.of_kind(Accelerator) if row.name == accelerator_of(topology)]
    if rows and rows[0].price_usd is not None:
        return n * field_range(rows[0], "price_usd"), (f"{named} but for its accelerators",)
    return NONE, (f"{n:,} accelerators", named)


def _beside_machines(topology: Topology) -> Cost:
    """The network without what comes with the racks: adapters, scale-up switches, cartridges and boards."""
    rows = rows_within(topology, ("nic", "scale-up"))
    own = [r for r in rows if not (isinstance(r.part, Cable) and r.part.technology in IN_RACK_CABLES)]
    return cost_of(own)
