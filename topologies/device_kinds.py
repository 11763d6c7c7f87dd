"""Kinds of devices with ports: packet switches and their chips, network adapters, accelerators."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Part):
    """A packet switch, a box or a bare chip; power without pluggable optics."""

    kind: ClassVar[str] = "switch"

    technology: str | None = None
    capacity_gbps: float
    max_ports: int
    cages: int | None = None
    cage_gbps: float | None = None
    port_gbps: float | None = None
    asics: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    power_max_covers_optics: bool = False  # modules or active cables in its cages are within its maximum
    power_base_w: float | None = None  # of a cost model that goes by the port: with no port
    power_w_per_port: float | None = None  # on top, of every port that the box has
    power_with_optics_w: float | None = None
    energy_pj_per_bit: float | None = None
    latency_ns: float | None = None
    price_usd: float | None = None
    price_usd_per_port: float | None = None  # where no box has a price
    cooling: str | None = None
    units: int | None = None
    light_sources: int | None = None
    lasers: int | None = None
    optical_engines: int | None = None
    optical_channels: int | None = None
    reduces: bool = False
    multicasts: bool = False
    max_reduction_groups: int | None = None  # that it serves at a time
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
class SwitchChip(Part):
    """A packet switch chip without its box."""

    kind: ClassVar[str] = "switch-chip"

    capacity_gbps: float
    power_typical_w: float | None = None
    latency_ns: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic(Part):
    """A network adapter; power without pluggable optics."""

    kind: ClassVar[str] = "nic"

    rate_gbps: float
    ports: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    power_with_optics_w: float | None = None
    latency_ns: float | None = None
    price_usd: float | None = None
    integrated_optics: bool = False  # no module at its end of a link
    series: str | None = None  # of one maker, a faster of which stands in for a slower


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator(Part):
    """A GPU, TPU or the like: what it computes, remembers, draws, and what its own links cost in energy."""

    kind: ClassVar[str] = "accelerator"

    tdp_w: float | None = None
    dies: int | None = None  # of a package, which counts as one accelerator
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
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathLatency(Part):
    """A latency measured or modelled over a path or an operation, not that of one device."""

    kind: ClassVar[str] = "path-latency"

    latency_ns: float
