"""Kinds of optical parts: modules, circuit switches, what lies between them, link budgets."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Optic(Part):
    """A transceiver or optical engine; two of them and a fibre make a link, one and an OCS half of it."""

    kind: ClassVar[str] = "optic"

    technology: str
    medium: str = "optical"
    rate_gbps: float
    lane_gbps: float
    power_typical_w: float
    power_max_w: float | None = None
    propagation_ns_per_m: float = 4.9
    phy_latency_ns: float | None = None
    latency_ns: float | None = None
    reach_m: float | None = None
    channel_loss_db: float | None = None
    bidirectional: bool = False
    price_usd: float | None = None
    links_per_module: int | None = None
    single: str | None = None  # the module of one link, where only one ends on a face plate
    modules_per_end: int | None = None
    default_for_gbps: tuple[float, ...] = ()
    energy_pj_per_bit: float | None = None
    host_serdes_pj_per_bit: float | None = None
    dsp_power_fraction: float | None = None  # of the module's power
    pluggable_power_ratio: float | None = None  # a retimed pluggable's power over this one's
    tx_power_dbm: float | None = None  # average, a lane
    tx_oma_dbm: float | None = None  # outer, least
    rx_sensitivity_dbm: float | None = None  # OMA
    tdecq_db: float | None = None
    wavelengths: int | None = None
    dwdm_channels: int | None = None  # of its kind on one fibre pair
    relock_time_ms: float | None = None  # from light to link after a circuit has moved
    fit: float | None = None  # hard failures
    mtbf_h: float | None = None
    flaps_per_day: float | None = None
    flap_free_h: float | None = None

    @property
    def strand_gbps(self) -> float | None:
        """What one strand carries one way, all wavelengths together; None where their number is not stated."""
        return None if self.wavelengths is None else self.wavelengths * self.lane_gbps


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSwitch(Part):
    """An optical circuit switch: joins strands, looks at no packet."""

    kind: ClassVar[str] = "ocs"

    technology: str | None = None
    ports_per_side: int
    spare_ports_per_side: int = 0
    connectivity: str | None = None
    insertion_loss_db: float | None = None
    insertion_loss_mean_db: float | None = None
    insertion_loss_max_db: float | None = None
    insertion_loss_raw_db: float | None = None
    gain_db: float | None = None  # of its amplifiers
    return_loss_db: float | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    power_base_w: float | None = None  # with no circuit
    power_w_per_port: float | None = None  # of a port in use, on top
    price_usd_per_port: float | None = None
    switching_time_ms: float | None = None
    switching_time_device_ms: float | None = None
    switching_time_bulk_ms: float | None = None  # all ports at once
    moves_at_once: int | None = None  # circuits; any number where absent
    control: str | None = None
    mirrors: int | None = None

    @property
    def usable_ports(self) -> int:
        """Ports of a side that are not kept as spares."""
        return self.ports_per_side - self.spare_ports_per_side

    @property
    def any_to_any(self) -> bool:
        """Whether any two ports can be joined: they are then all on one side, and `ports_per_side` is all there are."""
        return self.connectivity == "any-to-any"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitTechnology(Part):
    """A way to switch light that is no box with known ports: research, announcements, price classes."""

    kind: ClassVar[str] = "ocs-technology"

    technology: str | None = None
    connectivity: str | None = None
    ports_per_side: int | None = None
    insertion_loss_db: float | None = None
    switching_time_ms: float | None = None
    guard_time_ns: float | None = None
    price_usd_per_port: float | None = None
    throughput_fraction: float | None = None
    power_saving_fraction: float | None = None
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitOperation(Part):
    """What surrounds a circuit's move, or bounds it: link bring-up, port activation, windows without traffic."""

    kind: ClassVar[str] = "ocs-operation"

    step: str | None = None  # of a change: command, settle, relock, link-up, routing, drain, qualify, undrain, repair
    time_ms: float | None = None
    failing_fraction: float | None = None  # of new links
    ports_per_unit: int | None = None  # duplex ports a rack unit
    strands_per_accelerator: float | None = None
    bulkhead_connectors: int | None = None
    control: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Part):
    """What sits between two optics: circulators, connectors, splices, fibre."""

    kind: ClassVar[str] = "component"

    insertion_loss_db: float | None = None
    insertion_loss_mean_db: float | None = None
    insertion_loss_p97_db: float | None = None
    return_loss_db: float | None = None
    isolation_db: float | None = None
    loss_db_per_km: float | None = None
    propagation_ns_per_m: float | None = None
    power_typical_w: float | None = None
    price_usd: float | None = None
    radix_factor: float | None = None  # times the links that a circuit switch carries


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalPath(Part):
    """What lies between two modules that a circuit switch joins: how many connectors and splices, and which."""

    kind: ClassVar[str] = "optical-path"

    connectors: int  # mated pairs, the switch's own within its loss
    splices: int
    connector: str
    splice: str
    fibre: str
    circulator: str
    extinction_ratio_db: float  # of modules


@dataclass(frozen=True, slots=True, kw_only=True)
class OpticalBudget(Part):
    """What a standard, or a measured module, allows between transmitter and receiver."""

    kind: ClassVar[str] = "optical-budget"

    lane_gbps: float | None = None
    reach_m: float | None = None
    channel_loss_db: float | None = None
    extra_channel_loss_db: float | None = None  # beyond the standard's
    tx_power_dbm: float | None = None
    tx_oma_dbm: float | None = None
    rx_sensitivity_dbm: float | None = None
    tdecq_db: float | None = None
    mpi_penalty_db: float | None = None
    wavelengths: int | None = None
    usable_band_fraction: float | None = None  # of the O band, inside the dispersion limit
