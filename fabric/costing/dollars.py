"""Dollars with the range that the sources leave."""

from collections.abc import Iterable
from dataclasses import dataclass

from topologies.nameplate import Part


@dataclass(frozen=True, slots=True)
class Usd:
    """An amount, and how low and high the sources put it: sums add their ends, so that a range is never too narrow.

    >>> 2 * Usd(10, 5, 20) + Usd(1, 1, 1)
    Usd(value=21, low=11, high=41)
    """

    value: float
    low: float
    high: float

    def __add__(self, other: "Usd") -> "Usd":
        return Usd(self.value + other.value, self.low + other.low, self.high + other.high)

    def __rmul__(self, times: float) -> "Usd":
        return Usd(times * self.value, times * self.low, times * self.high)

    def scaled(self, factor: "Usd") -> "Usd":
        """Times a factor that has a range too; both are zero or more."""
        return Usd(self.value * factor.value, self.low * factor.low, self.high * factor.high)

    def row(self) -> dict[str, float]:
        """Keys as JSON has them."""
        return {"usd": self.value, "low_usd": self.low, "high_usd": self.high}


NONE = Usd(0.0, 0.0, 0.0)


def total(amounts: Iterable[Usd]) -> Usd:
    """Their sum."""
    return sum(amounts, NONE)


def field_range(part: Part, key: str) -> Usd:
    """A field of a catalogue row with its range; ConfigError where the row has none."""
    value = float(part.known(key))
    low, high = part.ranges.get(key, (value, value))
    return Usd(value, float(low), float(high))
