"""Kinds of how power is fed, how it follows load, what smooths it, and of networks that stand beside the fabric."""

from dataclasses import dataclass
from typing import ClassVar

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDelivery(Part):
    """A stage or a chain from the grid to the core: efficiency from one named boundary to another."""

    kind: ClassVar[str] = "power-delivery"

    efficiency: float | None = None  # of a stage
    side: str | None = None  # of a stage: upstream of the rack, or in it
    stages: str | None = None  # of a chain: its stages from the grid on, separated by blanks
    efficiency_grid_to_core: float | None = None
    efficiency_grid_to_board: float | None = None
    efficiency_grid_to_rack: float | None = None
    efficiency_gain: float | None = None  # over the chain it replaces, 0.01 is a point
    voltage_v: float | None = None
    current_a: float | None = None
    section_current_a: float | None = None
    copper_g_per_w: float | None = None
    busbar: str | None = None  # of a chain: the row whose copper its rack busbar is scaled from
    busbar_length_m: float | None = None
    resistivity_ohm_m: float | None = None
    density_kg_per_m3: float | None = None
    copper_reduction_fraction: float | None = None
    power_ratio_same_conductors: float | None = None
    power_ratio_same_gauge: float | None = None
    maintenance_reduction_fraction: float | None = None
    cost_reduction_fraction: float | None = None
    rating_w: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerShare(Part):
    """How the power of a kind of device divides: what follows its load, and what fans and lasers take of it."""

    kind: ClassVar[str] = "power-share"

    dynamic_fraction: float | None = None  # of the power at full load, gone when nothing is carried
    fan_fraction: float | None = None  # of a box cooled by air
    laser_fraction: float | None = None  # of an optical end
    host_fraction: float | None = None  # hosts, fans and conversion over the accelerators' TDP
    compute_fraction: float | None = None  # of an accelerator's TDP while it computes
    communication_fraction: float | None = None  # while it waits for a collective
    idle_fraction: float | None = None  # while no job runs
    optic: str | None = None  # the row whose watts stand for optics inside a box
    transition_ms: float | None = None  # from one level to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class SideNetwork(Part):
    """A network beside the fabric, as one published machine has it: scaled to others by their accelerators."""

    kind: ClassVar[str] = "side-network"

    scope: str
    accelerators: int  # of the machine that the counts are of
    switch: str | None = None
    switches: int
    switch_power_w: float | None = None  # where the catalogue has no row of the switch
    switch_price_usd: float | None = None
    nic: str | None = None
    nics: int = 0
    optic: str | None = None
    modules: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation(Part):
    """A way to generate power on the site."""

    kind: ClassVar[str] = "generation"

    efficiency: float  # electricity over the fuel's lower heating value
    unit_w: float  # electrical, one machine
    ramp_fraction_per_s: float | None = None  # of its rating
    usd_per_w: float | None = None  # installed


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyStorage(Part):
    """A class of storage that takes swings of the load: for how long, and what is built in."""

    kind: ClassVar[str] = "energy-storage"

    period_max_s: float  # of the swing that it follows for years
    energy_j_per_accelerator: float | None = None  # as sold
