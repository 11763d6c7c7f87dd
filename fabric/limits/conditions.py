"""What the walls are asked under: racks, cooling, feeds, and the model or workload that memory has to hold."""

from dataclasses import dataclass, fields

from topologies.errors import ConfigError
from topologies.kinds import Facility, Rack
from topologies.parts import Catalogue

ABSOLUTE_ZERO_C = -273.15
TINY = 1e-9
LEAST = {"kv_bytes": 0.0, "supply_c": ABSOLUTE_ZERO_C}


@dataclass(frozen=True, slots=True)
class Duty:
    """What a workload asks of each accelerator: GB it holds, by what they are, within a share `usable` of its memory;
    `drawn` of its TDP, the mean over a step; and, where a time of a token is asked for, that and the time it takes."""

    workload: str
    held_gb: tuple[tuple[str, float], ...]
    usable: float = 1.0
    drawn: float = 1.0
    token_s: float | None = None
    asked_s: float | None = None

    @property
    def total_gb(self) -> float:
        """All that is held."""
        return sum(gb for _, gb in self.held_gb)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is given; None takes what the catalogue says of the rack.

    `rack` and `cooling` name a rack and a way of cooling; `per_rack` is accelerators of a rack, `supply_c` and `rise_k`
    those of the coolant, `row_w` and `site_w` the feeds of a row and of the site. `weights_bytes` and `kv_bytes` are a
    model and the caches that are read with it, spread over `shards` accelerators (a scale-up domain by default) and
    read once in `read_s` seconds where that is asked for; `duty` is a workload in their place.
    """

    rack: str | None = None
    per_rack: int | None = None
    cooling: str | None = None
    supply_c: float | None = None
    rise_k: float | None = None
    row_w: float | None = None
    site_w: float | None = None
    weights_bytes: float | None = None
    kv_bytes: float = 0.0
    holding: str = "weights and caches"  # what these bytes are, for a reader
    shards: int | None = None
    read_s: float | None = None
    duty: Duty | None = None

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if not isinstance(value, int | float):
                continue
            if not LEAST.get(spec.name, TINY) <= value < float("inf"):
                above = f" above {ABSOLUTE_ZERO_C:g}" if spec.name == "supply_c" else " above zero"
                raise ConfigError(f"{spec.name} = {value:g} is not a number{above}; give one, or leave it out")

    def check(self, parts: Catalogue) -> None:
        """Raise ConfigError for a rack or a way of cooling that the catalogue does not have."""
        if self.rack is not None:
            parts.part(self.rack, Rack)
        ways = cooling_ways(parts)
        if self.cooling is not None and self.cooling not in ways:
            raise ConfigError(f"no cooling is named '{self.cooling}'; there are {', '.join(ways)}")


def cooling_ways(parts: Catalogue) -> dict[str, Facility]:
    """The classes of cooling by the names that racks use.

    >>> from topologies.parts import catalogue
    >>> list(cooling_ways(catalogue()))
    ['air', 'rear-door', 'liquid', 'immersion']
    """
    return {row.cooling: row for row in parts.of_kind(Facility) if row.cooling is not None}


DEFAULT = Conditions()
