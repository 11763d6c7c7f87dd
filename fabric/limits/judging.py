"""One question to a limit: a value against what is allowed, each with the range that the sources leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fabric.results import Wall
from topologies.parts import Part
from topologies.units import format_number

CELSIUS = "C"  # of whose values no share makes sense
STATES = ("unknown", "ok", "marginal", "over")  # from the least to the most severe


class Span(NamedTuple):
    """A value between the lowest and the highest that the sources leave."""

    low: float
    value: float
    high: float

    @classmethod
    def exact(cls, value: float) -> "Span":
        """A value that is given, without a range."""
        return cls(value, value, value)

    @classmethod
    def of(cls, part: Part, key: str) -> "Span | None":
        """A nameplate value of a part with its range; None where the part has none."""
        value = getattr(part, key)
        if value is None:
            return None
        low, high = part.ranges.get(key, (value, value))
        return cls(float(low), float(value), float(high))

    def plus(self, other: "Span") -> "Span":
        """The sum; the ends of both ranges together."""
        return Span(self.low + other.low, self.value + other.value, self.high + other.high)

    def times(self, factor: float) -> "Span":
        """So many of it, of zero or more."""
        return Span(self.low * factor, self.value * factor, self.high * factor)

    def over(self, other: "Span") -> "Span":
        """The quotient of positive spans.

        >>> Span(90, 100, 108).over(Span(0.9, 1.0, 1.0))
        Span(low=90.0, value=100.0, high=120.0)
        """
        return Span(self.low / other.high, self.value / other.value, self.high / other.low)


NOTHING = Span(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Check:
    """A value that must not exceed a limit; None where no source says.

    `moves` says what would move it, empty where nothing has to.
    """

    name: str
    value: Span | None
    limit: Span | None
    unit: str
    why: str
    moves: str = ""

    @property
    def state(self) -> str:
        """ok: within the limit at nominal values. over: beyond it even where every source is at its best end.
        marginal: the sources decide.

        >>> [Check("c", Span.exact(v), Span(9, 10, 12), "W", "").state for v in (10, 11, 13)]
        ['ok', 'marginal', 'over']
        """
        if self.value is None or self.limit is None:
            return "unknown"
        if self.value.low > self.limit.high:
            return "over"
        return "ok" if self.value.value <= self.limit.value else "marginal"

    @property
    def margin(self) -> float | None:
        """Limit less value, both nominal."""
        return None if self.value is None or self.limit is None else self.limit.value - self.value.value

    @property
    def tightness(self) -> tuple[int, float]:
        """How near the limit is: by state, then by the share of it that is used."""
        if self.value is None or self.limit is None:
            return 0, 0.0
        share = 0.0 if self.unit == CELSIUS else self.value.value / self.limit.value if self.limit.value > 0 else 1.0
        return STATES.index(self.state), share

    def row(self) -> dict[str, Any]:
        """The keys of a wall, and the check's name."""
        return {"check": self.name, **self.wall()}

    def wall(self) -> Wall:
        """The check as a wall."""
        return {
            "state": self.state,
            "margin": self.margin,
            "limit": None if self.limit is None else self.limit.value,
            "value": None if self.value is None else self.value.value,
            "unit": self.unit,
            "why": self.why,
            "moves": self.moves or None,
        }


def worst(checks: Sequence[Check]) -> Check:
    """The check that decides a wall: the first where it is unknown and no other is strained, else the nearest to its
    limit.

    >>> ok, no = Check("a", Span.exact(1), Span.exact(2), "W", ""), Check("b", None, None, "W", "")
    >>> worst([ok, no]).name, worst([no, ok]).name
    ('a', 'b')
    """
    nearest = max(checks, key=lambda check: check.tightness)
    if checks[0].state == "unknown" and nearest.state in ("unknown", "ok"):
        return checks[0]
    return nearest


def kilowatts(watts: float) -> str:
    """Watts as engineers speak of racks.

    >>> kilowatts(118643.7)
    '118.6 kW'
    """
    return f"{format_number(watts / 1e3)} kW"
