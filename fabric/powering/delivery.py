"""Power delivery from the grid to the core: stages, their losses, and the copper of the rack's busbar."""

from dataclasses import dataclass
from math import prod

from fabric.powering.nameplates import ranged
from topologies.parts import Catalogue
from topologies.power_kinds import PowerDelivery

BASELINE = "chain-54v"
REGULATOR = "stage-vrm"
CONDUCTOR = "copper-bar"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its efficiency with the sources' range, what it takes in and what it loses. `side` says where that
    loss is counted: `upstream` in the PUE, `rack` in the racks' watts."""

    name: str
    title: str
    side: str
    efficiency: float
    low: float
    high: float
    in_w: float
    loss_w: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """A chain under a load: its stages, efficiency from grid to core as their product and as published, what the grid
    gives more (or less, negative) than with the baseline chain, and the busbar of a rack."""

    chain: str
    stages: tuple[Stage, ...]
    grid_to_core: float
    grid_to_core_low: float
    grid_to_core_high: float
    published: float | None
    rack_input_w: float
    more_than_baseline_w: float
    voltage_v: float
    current_a: float  # of one rack
    busbar_kg: float  # of all racks
    busbar_loss_w: float  # of all racks

    @property
    def loss_w(self) -> float:
        """All that is lost between grid and core."""
        return sum(stage.loss_w for stage in self.stages)


def deliver(rack_input_w: float, racks: float, chain: str, parts: Catalogue) -> Delivery:
    """A chain's stages under the watts that racks of the baseline chain (54 V) take in, all of them through every
    stage. Another chain has the same watts at the board, the stages before it differ.

    The busbar is scaled from 54 V: copper in proportion to its current, at the same current density, so its loss too.

    >>> from topologies.parts import catalogue
    >>> d = deliver(120e3, 1, "chain-54v", catalogue())
    >>> round(d.grid_to_core, 3), round(d.current_a), round(d.busbar_kg), round(d.busbar_loss_w)
    (0.819, 2222, 24, 507)
    """
    row = parts.part(chain, PowerDelivery)
    rows = stages_of(row, parts)
    base = stages_of(parts.part(BASELINE, PowerDelivery), parts)
    board_w = rack_input_w * _product(base, "rack")
    taken_w = board_w / _product(rows, "rack")
    grid_w = taken_w / _product(rows, "upstream")
    more_w = 0.0 if chain == BASELINE else grid_w - rack_input_w / _product(base, "upstream")
    ends = [prod(ranged(stage, "efficiency")[i] for stage in rows) for i in range(3)]
    voltage, current, copper, lost = _busbar(row, taken_w, racks, parts)
    return Delivery(
        chain, _cascade(rows, grid_w), ends[0], ends[1], ends[2], row.efficiency_grid_to_core, taken_w,
        more_w, voltage, current, copper, lost,
    )  # fmt: skip


def stages_of(chain: PowerDelivery, parts: Catalogue) -> list[PowerDelivery]:
    """Rows of a chain's stages, from the grid on; ConfigError where the chain names none."""
    return [parts.part(name, PowerDelivery) for name in str(chain.known("stages")).split()]


def _product(stages: list[PowerDelivery], side: str) -> float:
    """Efficiency of the stages of a side; a regulator is behind the board's input."""
    return prod(float(s.known("efficiency")) for s in stages if s.side == side and s.name != REGULATOR)


def _cascade(stages: list[PowerDelivery], grid_w: float) -> tuple[Stage, ...]:
    found, flowing = [], grid_w
    for row in stages:
        value, low, high = ranged(row, "efficiency")
        lost = flowing * (1 - value)
        found.append(Stage(row.name, row.title, str(row.side), value, low, high, flowing, lost))
        flowing -= lost
    return tuple(found)


def _busbar(
    chain: PowerDelivery, rack_input_w: float, racks: float, parts: Catalogue
) -> tuple[float, float, float, float]:
    """Volts, amperes of a rack, kilograms and lost watts of all racks' busbars."""
    voltage = float(chain.known("voltage_v"))
    base = parts.part(str(chain.known("busbar")), PowerDelivery)
    bar = parts.part(CONDUCTOR, PowerDelivery)
    current = rack_input_w / racks / voltage
    per_w = float(base.known("copper_g_per_w")) * float(base.known("voltage_v")) / voltage
    kilograms = per_w * rack_input_w / 1e3
    along_m = 2 * float(base.known("busbar_length_m"))  # there and back
    section_m2 = kilograms / racks / float(bar.known("density_kg_per_m3")) / along_m
    resistance = float(bar.known("resistivity_ohm_m")) * along_m / section_m2 if section_m2 else 0.0
    return voltage, current, kilograms, racks * current**2 * resistance
