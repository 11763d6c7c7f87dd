"""Kinds of electrical parts: cables, their loss and reach, backplanes, SerDes, error correction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable(Part):
    """A copper or active cable, a fibre cable with its ends, or traces on a board."""

    kind: ClassVar[str] = "cable"

    technology: str
    medium: str
    rate_gbps: float
    lane_gbps: float
    power_w_per_end: float | None = None
    energy_pj_per_bit: float | None = None
    propagation_ns_per_m: float
    phy_latency_ns: float
    retimer_latency_ns: float | None = None  # within phy_latency_ns
    gauge_awg: int | None = None
    copper_mode: str | None = None
    reach_m: float | None = None
    reach_claimed_m: float | None = None  # by its vendor, beyond standards and what is sold
    length_m: float | None = None
    price_usd: float | None = None
    links_per_module: int | None = None
    modules_per_end: int | None = None
    assemblies_per_link: int = 1
    default_for_gbps: tuple[float, ...] = ()
    mtbf_h: float | None = None
    fit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopperMode(Part):
    """How much cable loss a lane rate and its equaliser allow; source and fit in the row."""

    kind: ClassVar[str] = "copper-mode"

    lane_gbps: float
    nyquist_ghz: float
    allowance_db: float
    max_length_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Twinax(Part):
    """Loss per metre of a wire gauge, by frequency in GHz."""

    kind: ClassVar[str] = "twinax"

    gauge_awg: int
    diameter_mm: float
    loss_db_per_m: Mapping[str, float]
    loss_db_per_m_low: Mapping[str, float] = field(default_factory=dict)
    loss_db_per_m_high: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Part):
    """An electrical channel: the loss that a standard allows or a material has, at a frequency, up to a reach."""

    kind: ClassVar[str] = "channel"

    lane_gbps: float | None = None
    frequency_ghz: float | None = None
    insertion_loss_db: float | None = None
    planes: str | None = None  # from where to where the loss counts
    reach_m: float | None = None
    loss_db_per_m: float | None = None
    loss_db_per_inch: float | None = None
    loss_scale: float | None = None  # times the loss of the gauge's twinax row
    package_fraction: float | None = None  # of the loss that the packages take


@dataclass(frozen=True, slots=True, kw_only=True)
class Backplane(Part):
    """The cables or boards that join a rack's accelerators and switches, as one."""

    kind: ClassVar[str] = "backplane"

    interconnect: str | None = None
    cables: int | None = None
    cartridges: int | None = None
    total_length_m: float | None = None
    mean_length_m: float | None = None
    lane_gbps: float | None = None
    accelerator_gbps: float | None = None  # one way
    aggregate_gbps: float | None = None  # one way
    price_usd: float | None = None
    optics_modules: int | None = None  # that would take its place
    optics_power_w: float | None = None
    optics_price_usd: float | None = None
    fit: float | None = None  # of a link


@dataclass(frozen=True, slots=True, kw_only=True)
class Serdes(Part):
    """A serialiser of a class: energy of one link end, transmitter and receiver of that side, per one-way bit."""

    kind: ClassVar[str] = "serdes"

    energy_pj_per_bit: float | None = None
    rate_gbps: float | None = None  # of the whole port, one way


@dataclass(frozen=True, slots=True, kw_only=True)
class Fec(Part):
    """Forward error correction: what filling a block and decoding it take."""

    kind: ClassVar[str] = "fec"

    rate_gbps: float | None = None
    block_fill_ns: float | None = None
    decode_ns: float | None = None
    latency_ns: float | None = None  # of a whole leg
    latency_ratio_to_kp4: float | None = None
