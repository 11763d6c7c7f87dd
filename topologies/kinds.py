"""Part kinds as frozen dataclasses: nameplate values with the unit in the key."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from topologies.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A catalogue row: nameplate values with the unit in the key, ranges, sources, and the method of each estimate."""

    name: str
    title: str
    source: str
    year: int
    confidence: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    estimates: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind as the catalogue spells it: cable, optic, switch, ..."""
        return KIND_OF[type(self)]

    def values(self) -> Iterator[tuple[str, Any]]:
        """(field, value) of what is known about the part beyond its name, in the order of its kind."""
        for spec in fields(self)[len(fields(Part)) :]:
            value = getattr(self, spec.name)
            if value is not None:
                yield spec.name, value

    def known(self, key: str) -> Any:
        """A value that the question cannot do without; ConfigError names the part and the key where it is absent."""
        value = getattr(self, key)
        if value is None:
            raise ConfigError(f"part '{self.name}' has no {key}; add it with --parts FILE")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable(Part):
    """A copper or active cable, a fibre cable with its ends, or traces on a board."""

    technology: str
    medium: str
    rate_gbps: float
    lane_gbps: float
    power_w_per_end: float | None = None
    propagation_ns_per_m: float
    phy_latency_ns: float
    gauge_awg: int | None = None
    copper_mode: str | None = None
    reach_m: float | None = None
    length_m: float | None = None
    price_usd: float | None = None
    links_per_module: int | None = None
    modules_per_end: int | None = None
    assemblies_per_link: int = 1
    default_for_gbps: tuple[float, ...] = ()
    mtbf_h: float | None = None
    fit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Optic(Part):
    """A transceiver or optical engine; two of them and a fibre make a link, one and an OCS half of it."""

    technology: str
    medium: str = "optical"
    rate_gbps: float
    lane_gbps: float
    power_typical_w: float
    propagation_ns_per_m: float = 4.9
    phy_latency_ns: float
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSwitch(Part):
    """An optical circuit switch: joins strands, looks at no packet."""

    technology: str | None = None
    ports_per_side: int
    spare_ports_per_side: int = 0
    connectivity: str
    insertion_loss_db: float | None = None
    insertion_loss_mean_db: float | None = None
    insertion_loss_max_db: float | None = None
    insertion_loss_raw_db: float | None = None
    return_loss_db: float | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    price_usd_per_port: float | None = None
    switching_time_ms: float | None = None
    switching_time_device_ms: float | None = None

    @property
    def usable_ports(self) -> int:
        """Ports of a side that are not kept as spares."""
        return self.ports_per_side - self.spare_ports_per_side


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Part):
    """A packet switch, a box or a bare chip; power without pluggable optics."""

    technology: str | None = None
    capacity_gbps: float
    max_ports: int
    cages: int | None = None
    cage_gbps: float | None = None
    port_gbps: float | None = None
    asics: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    latency_ns: float | None = None
    price_usd: float | None = None
    cooling: str | None = None
    reduces: bool = False
    multicasts: bool = False
    adaptive_routing: bool = False
    integrated_optics: bool = False

    def ports(self, rate_gbps: float) -> int:
        """Ports of that rate: floor(capacity / rate), within what the cages hold and the box addresses.

        >>> from topologies.parts import part
        >>> part("qm9700").ports(400), part("qm9700").ports(200), part("sn5600").ports(400)
        (64, 128, 128)
        """
        if self.cages is None and self.port_gbps is not None and rate_gbps > self.port_gbps:
            return 0
        ports = min(int(self.capacity_gbps / rate_gbps + 1e-9), self.max_ports)
        if self.cages is not None and self.cage_gbps is not None:
            ports = min(ports, self.cages * int(self.cage_gbps / rate_gbps + 1e-9))
        return ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic(Part):
    """A network adapter; power without pluggable optics."""

    rate_gbps: float
    ports: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    latency_ns: float | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator(Part):
    """A GPU, TPU or the like: what it computes, remembers, draws, and what its own links cost in energy."""

    tdp_w: float | None = None
    memory_gb: float | None = None
    memory_bandwidth_tb_per_s: float | None = None
    bf16_tflops: float | None = None
    fp16_tflops: float | None = None
    fp8_tflops: float | None = None
    fp4_tflops: float | None = None
    int8_tops: float | None = None
    sram_mb: float | None = None
    scaleup_links: int | None = None
    scaleup_link_gbps: float | None = None
    scaleup_gbps: float | None = None
    nic_gbps: float | None = None
    serdes_pj_per_bit: float | None = None
    heat_flux_w_per_cm2: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack(Part):
    """A rack: what it holds, draws and carries away."""

    units: int | None = None
    accelerators: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    cooling: str | None = None
    liquid_fraction: float | None = None
    busbar_voltage_v: float | None = None
    busbar_current_a: float | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Part):
    """What sits between two optics: circulators, connectors, splices, fibre."""

    insertion_loss_db: float | None = None
    insertion_loss_mean_db: float | None = None
    insertion_loss_p97_db: float | None = None
    return_loss_db: float | None = None
    isolation_db: float | None = None
    loss_db_per_km: float | None = None
    propagation_ns_per_m: float | None = None
    power_typical_w: float | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopperMode(Part):
    """How much cable loss a lane rate and its equaliser allow; source and fit in the row."""

    lane_gbps: float
    nyquist_ghz: float
    allowance_db: float
    max_length_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Twinax(Part):
    """Loss per metre of a wire gauge, by frequency in GHz."""

    gauge_awg: int
    diameter_mm: float
    loss_db_per_m: Mapping[str, float]
    loss_db_per_m_low: Mapping[str, float] = field(default_factory=dict)
    loss_db_per_m_high: Mapping[str, float] = field(default_factory=dict)


KINDS: dict[str, type[Part]] = {
    "cable": Cable,
    "optic": Optic,
    "ocs": CircuitSwitch,
    "switch": Switch,
    "nic": Nic,
    "accelerator": Accelerator,
    "rack": Rack,
    "component": Component,
    "copper-mode": CopperMode,
    "twinax": Twinax,
}
KIND_OF = {cls: kind for kind, cls in KINDS.items()}
