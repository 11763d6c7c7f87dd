"""Kinds of what houses and feeds a fabric, and of what it costs."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack(Part):
    """A rack: what it holds, draws and carries away."""

    kind: ClassVar[str] = "rack"

    units: int | None = None
    form: str | None = None
    accelerators: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    power_per_compute_tray_w: float | None = None
    power_per_switch_tray_w: float | None = None
    power_switches_w: float | None = None  # of all its switch trays
    power_feed: str | None = None
    power_feed_w: float | None = None  # what it gives with its redundancy
    power_host_w: float | None = None  # of an accelerator's share: processors, memory, drives, fans
    power_stage: str | None = None  # the conversion inside it, a row of power delivery
    houses: tuple[str, ...] = ()  # accelerators that stand in it where nothing else is said; the first rack counts
    power_shelves: int | None = None
    power_shelf_w: float | None = None
    cooling: str | None = None
    liquid_fraction: float | None = None
    coolant_flow_l_per_min: float | None = None
    coolant_supply_max_c: float | None = None
    coolant_return_max_c: float | None = None
    airflow_cfm: float | None = None
    busbar_voltage_v: float | None = None
    busbar_current_a: float | None = None
    hold_up_ms: float | None = None
    distribution_drop_fraction: float | None = None
    battery_w: float | None = None
    copper_reach_m: float | None = None
    interconnect: str | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility(Part):
    """A hall, a whole machine, or a class of cooling: what it carries away, what it needs on top."""

    kind: ClassVar[str] = "facility"

    accelerators: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    power_usage_effectiveness: float | None = None
    cooling: str | None = None  # the way that racks name: air, rear-door, liquid, immersion
    coolant: str | None = None
    heat_flux_w_per_cm2: float | None = None  # that it takes off a die
    coolant_rise_k: float | None = None
    coolant_supply_max_c: float | None = None
    coolant_return_max_c: float | None = None
    coolant_supply_c: float | None = None
    coolant_flow_l_per_min_kw: float | None = None
    network_power_fraction: float | None = None
    bf16_tflops: float | None = None  # of all its accelerators


@dataclass(frozen=True, slots=True, kw_only=True)
class Coolant(Part):
    """What carries heat away: air, water, a mixture, an oil; at about 35 C."""

    kind: ClassVar[str] = "coolant"

    density_kg_per_l: float
    heat_capacity_j_per_kg_k: float

    @property
    def heat_j_per_l_k(self) -> float:
        """Heat that a litre takes up for each kelvin."""
        return self.density_kg_per_l * self.heat_capacity_j_per_kg_k


@dataclass(frozen=True, slots=True, kw_only=True)
class Cage(Part):
    """A cage of a face plate: the fastest module it takes, and the heat it carries off it."""

    kind: ClassVar[str] = "cage"

    rate_gbps: float
    power_max_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor(Part):
    """A floor of racks in rows under overhead trays: what cable lengths follow from."""

    kind: ClassVar[str] = "floor"

    rack_pitch_m: float
    row_pitch_m: float
    tray_height_m: float
    port_height_m: float
    in_rack_m: float
    slack_m: float
    racks_per_row: int
    switches_per_rack: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Part):
    """A price or a line of a cost model that is no price of one part."""

    kind: ClassVar[str] = "price"

    price_usd: float | None = None
    usd_per_port: float | None = None
    usd_per_gbps: float | None = None
    usd_per_gbps_m: float | None = None
    offset_usd_per_gbps: float | None = None
    offset_usd: float | None = None
    usd_per_w: float | None = None
    usd_per_kwh: float | None = None
    usd_per_m: float | None = None
    usd_per_cable: float | None = None
    years: float | None = None
    crossover_m: float | None = None
    fraction_of_capex: float | None = None
    saving_fraction: float | None = None
    capex_ratio_to_clos: float | None = None
    power_ratio_to_clos: float | None = None
