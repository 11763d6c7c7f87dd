"""Total cost of ownership: parts, cables, labour, electricity and upkeep over years, by what the network delivers."""

from dataclasses import dataclass

from fabric.costing.cabling import FIBRE, LABOUR, Cabling
from fabric.costing.capital import Cost
from fabric.costing.dollars import NONE, Usd, field_range
from fabric.costing.purchase import purchase
from fabric.powering import site_power
from fabric.powering.network import network_power
from fabric.powering.site import taken_pue
from fabric.simulation import simulate
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology

HOURS_PER_YEAR = 8760.0
SECONDS_PER_HOUR = 3600.0
ROWS = (LABOUR, FIBRE, "upkeep")  # of the catalogue, that the total stands on


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Dollars over `years`. `total` is None where a part has no price: `priced` is then the sum of what has one, the
    least that it can be. The last two are `total` (else `priced`) over what the fabric delivers."""

    accelerators: int
    years: float
    usd_per_kwh: Usd
    pue: float
    machine: bool
    parts: Cost
    machines: Usd
    cabling: Cabling
    power_w: float | None
    energy: Usd | None
    upkeep: Usd
    priced: Usd
    total: Usd | None
    missing: tuple[str, ...]
    estimates: tuple[str, ...]
    per_accelerator: Usd
    per_gb_per_s_all_to_all: Usd | None
    per_tb_all_reduced: Usd | None

    @property
    def capex(self) -> Usd:
        """Parts, machines, fibre and labour, what has a price."""
        return self.parts.priced + self.machines + self.cabling.fibre + self.cabling.labour


def total_cost_of_ownership(
    topology: Topology,
    *,
    years: float | None = None,
    usd_per_kwh: float | None = None,
    pue: float | None = None,
    machine: bool = False,
    size: str | float = "1GiB",
    transport: str = "auto",
) -> Ownership:
    """What a network costs to buy, lay, feed and keep for years; with `machine`, the racks of accelerators too.

    Electricity is the network's typical power (SerDes of accelerators with it) x PUE, of all racks with `machine`.
    Defaults are rows of the catalogue: `service-life`, `electricity`, `pue-liquid-hall`, `upkeep`. Dollars a GB/s are
    of what all accelerators together receive in an all-to-all, dollars a TB of an all-reduce that runs all the time.

    >>> from topologies.registry import build
    >>> own = total_cost_of_ownership(build("tpu-v4-64"), years=5)
    >>> own.total.low < own.total.value < own.total.high, own.missing
    (True, ())
    """
    catalogue, n = topology.catalogue, len(topology.accelerators)
    life = field_range(catalogue["service-life"], "years").value if years is None else years
    if not 0 < life <= 100:
        raise ConfigError(f"years = {life:g} is not above 0 and up to 100; give the years that it runs, e.g. 5")
    rate = field_range(catalogue["electricity"], "usd_per_kwh") if usd_per_kwh is None else _exact(usd_per_kwh)
    if not 0 <= rate.value < 100:
        raise ConfigError(f"power price {rate.value:g} is not dollars a kWh; write it like 0.08")
    bought = purchase(topology, machine=machine)
    factor = _pue(topology, pue)
    watts = _watts(topology, factor, machine)
    energy = None if watts is None else life * HOURS_PER_YEAR * watts.scaled(rate)
    parts, laid = bought.parts, bought.cabling
    upkeep = life * (parts.priced + bought.machines).scaled(field_range(catalogue["upkeep"], "fraction_of_capex"))
    missing = (*bought.missing, *(() if energy is not None else ("electricity: " + _unknown(topology),)))
    priced = bought.capex + upkeep + (energy if energy is not None else NONE)
    return Ownership(
        accelerators=n, years=life, usd_per_kwh=rate, pue=factor.value, machine=machine, parts=parts,
        machines=bought.machines, cabling=laid, power_w=None if watts is None else 1e3 * watts.value, energy=energy,
        upkeep=upkeep, priced=priced, total=None if missing else priced, missing=missing,
        estimates=_estimates(topology, parts), per_accelerator=1 / n * priced,
        per_gb_per_s_all_to_all=_per_gb_per_s(topology, priced, size, transport),
        per_tb_all_reduced=_per_tb(topology, priced, life, size, transport),
    )  # fmt: skip


def _estimates(topology: Topology, parts: Cost) -> tuple[str, ...]:
    """What stands on estimates: prices, watts, and the rows of labour and upkeep."""
    said = [f"price of {name}" for name in parts.estimates]
    said += [f"power of {name}" for name in network_power(topology).estimates]
    return (*said, *(f"{name} of the catalogue" for name in ROWS if topology.catalogue[name].estimates))


def _exact(value: float) -> Usd:
    return Usd(value, value, value)


def _pue(topology: Topology, pue: float | None) -> Usd:
    return Usd(*taken_pue(pue, topology.catalogue))


def _watts(topology: Topology, factor: Usd, machine: bool) -> Usd | None:
    """Kilowatts at the meter, with their range; None where a part has no watts."""
    if machine:
        it_w = site_power(topology).it_w
        return (1e-3 * Usd(it_w.typical, it_w.low, it_w.high)).scaled(factor)
    power = network_power(topology)
    if power.total_w is None or power.low_w is None or power.high_w is None:
        return None
    return (1e-3 * Usd(power.total_w, power.low_w, power.high_w)).scaled(factor)


def _unknown(topology: Topology) -> str:
    return f"no power of {', '.join(network_power(topology).missing)}"


def _per_gb_per_s(topology: Topology, cost: Usd, size: str | float, transport: str) -> Usd | None:
    try:
        result = simulate(topology, "all-to-all", size, transport=transport)
    except FabricError:
        return None
    return 1 / (result.busbw_gb_per_s * result.accelerators) * cost


def _per_tb(topology: Topology, cost: Usd, years: float, size: str | float, transport: str) -> Usd | None:
    try:
        result = simulate(topology, "all-reduce", size, transport=transport)
    except FabricError:
        return None
    return 1 / (result.algbw_gb_per_s * 1e-3 * years * HOURS_PER_YEAR * SECONDS_PER_HOUR) * cost
