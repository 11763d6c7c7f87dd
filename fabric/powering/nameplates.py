"""Watts of one row of a bill: at no load, typical, at most, and by the sources' range."""

from dataclasses import dataclass

from topologies.bill import BillRow
from topologies.parts import Cable, Catalogue, CircuitSwitch, Component, Nic, Optic, Part, Switch
from topologies.power_kinds import PowerShare


@dataclass(frozen=True, slots=True)
class Watts:
    """Of something: while it carries nothing, typical (its nameplate, at full load), at most; `low` to `high` is the
    range of the typical value in the sources.

    >>> 2 * Watts(1, 2, 4, 2, 3) + Watts.constant(10)
    Watts(idle=12, typical=14, maximum=18, low=14, high=16)
    """

    idle: float
    typical: float
    maximum: float
    low: float
    high: float

    @classmethod
    def constant(cls, watts: float) -> "Watts":
        """The same at any load and in every source."""
        return cls(watts, watts, watts, watts, watts)

    def __add__(self, other: "Watts") -> "Watts":
        return Watts(
            self.idle + other.idle, self.typical + other.typical, self.maximum + other.maximum, self.low + other.low,
            self.high + other.high,
        )  # fmt: skip

    def __rmul__(self, times: float) -> "Watts":
        return Watts(times * self.idle, times * self.typical, times * self.maximum, times * self.low, times * self.high)

    def at(self, load: float) -> float:
        """Watts where a share of its full load is carried, 0 to 1: linear between idle and typical."""
        return self.idle + load * (self.typical - self.idle)

    def row(self) -> dict[str, float]:
        """Keys as JSON has them."""
        return {
            "idle_w": self.idle, "typical_w": self.typical, "max_w": self.maximum, "low_w": self.low,
            "high_w": self.high,
        }  # fmt: skip


NOTHING = Watts.constant(0.0)


def unit_power_w(part: Part) -> tuple[float, float, float] | None:
    """(typical, low, high) watts of one unit: both ends of a cable, one module, one switch; None where unknown.

    >>> from topologies.parts import part
    >>> unit_power_w(part("1600g-dr8"))
    (25.0, 25.0, 30.0)
    """
    if isinstance(part, Component):
        return (0.0, 0.0, 0.0) if part.power_typical_w is None else ranged(part, "power_typical_w")
    if isinstance(part, Cable):
        return None if part.power_w_per_end is None else ranged(part, "power_w_per_end", 2)
    if isinstance(part, Switch | Nic | Optic | CircuitSwitch) and part.power_typical_w is not None:
        return ranged(part, "power_typical_w")
    return None


def ranged(part: Part, key: str, factor: float = 1) -> tuple[float, float, float]:
    """(value, low, high) of a field, low and high the value where the sources agree."""
    value = float(getattr(part, key))
    low, high = part.ranges.get(key, (value, value))
    return value * factor, float(low) * factor, float(high) * factor


def row_power_w(row: BillRow) -> tuple[float, float, float] | None:
    """(typical, low, high) watts of one row of the bill; a switch without watts of its own is its base and its ports.

    >>> from topologies.parts import part
    >>> round(row_power_w(BillRow(part("jocn-switch"), 2, 32))[0], 3)  # 2 x 65.343 + 32 x 3.5018
    242.744
    """
    unit = unit_power_w(row.part)
    if unit is not None:
        return unit[0] * row.quantity, unit[1] * row.quantity, unit[2] * row.quantity
    part = row.part
    if isinstance(part, Switch) and part.power_w_per_port is not None and row.ports:
        watts = (part.power_base_w or 0.0) * row.quantity + part.power_w_per_port * row.ports
        return watts, watts, watts
    return None


def row_watts(row: BillRow, parts: Catalogue) -> Watts | None:
    """All watts of one row of the bill. At no load a device draws its base where its row states one, else what is left
    without the dynamic share of its kind (`share-switch` and the like); at most, its maximum, else its range's end.

    >>> from topologies.parts import catalogue, part
    >>> row_watts(BillRow(part("qm9700"), 1), catalogue())
    Watts(idle=687.24, typical=747.0, maximum=1720.0, low=747.0, high=1720.0)
    """
    watts = row_power_w(row)
    if watts is None:
        return None
    typical, low, high = watts
    most = getattr(row.part, "power_max_w", None)
    maximum = high if most is None else max(high, float(most) * row.quantity)
    return Watts(typical * (1 - dynamic_fraction(row.part, parts)), typical, maximum, low, high)


def dynamic_fraction(part: Part, parts: Catalogue) -> float:
    """Share of a part's typical power that is gone when it carries nothing; 0 where no source gives one."""
    if isinstance(part, CircuitSwitch) and part.power_base_w is not None and part.power_typical_w:
        return 1 - part.power_base_w / part.power_typical_w
    if isinstance(part, Switch) and part.power_typical_w is None:
        return 0.0  # a model by the port counts every port that the box has
    share = parts.get(f"share-{part.kind}")
    return (share.dynamic_fraction or 0.0) if isinstance(share, PowerShare) else 0.0


def power_key(part: Part) -> str:
    """The nameplate field that a part's power comes from."""
    return "power_w_per_end" if isinstance(part, Cable) else "power_typical_w"


def power_of(row: BillRow) -> float | None:
    """Typical watts of one row of the bill."""
    watts = row_power_w(row)
    return None if watts is None else watts[0]
