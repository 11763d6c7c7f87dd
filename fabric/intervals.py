"""How sure a predicted time is: the interval in which nine of ten measurements of a machine of its kind lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log2
from pathlib import Path
from typing import TYPE_CHECKING, Any

from topologies.toml_documents import read_toml

if TYPE_CHECKING:
    from fabric.transports import Pricing

BANDS = ("large", "small")
LARGE_BYTES = 16 << 20
EVERY = "*"  # the kind that stands for all

_TABLE = Path(__file__).with_name("intervals.toml")


@dataclass(frozen=True, slots=True)
class Spread:
    """Logarithms of measured over predicted time that bound nine of ten rows of a kind in a band; `domains` is the
    largest number of scale-up domains among its rows."""

    band: str
    kind: str
    low: float
    high: float
    rows: int
    systems: int
    domains: int


@dataclass(frozen=True, slots=True)
class Table:
    """Spreads by band and kind, and how they widen: per doubling of domains beyond what was measured, by band for kinds
    that were not, and by band to what two testers of one machine differ by at `least`."""

    spreads: tuple[Spread, ...]
    per_doubling: float
    unseen: Mapping[str, float]
    least: Mapping[str, float]

    def factors(self, size_bytes: float, kind: str, domains: int = 1) -> tuple[float, float] | None:
        """What a predicted time is multiplied with for both ends of its interval; None where nothing was measured.

        >>> known = Spread("large", "switched:hopper", -0.1, 0.2, 50, 3, 1)
        >>> low, high = Table((known,), 0.1, {"large": 1.5}, {"large": 0.05}).factors(1 << 30, "switched:hopper")
        >>> round(low, 3), round(high, 3)
        (0.905, 1.221)
        """
        band = band_of(size_bytes)
        found = next((s for name in kinds(kind) for s in self.spreads if (s.band, s.kind) == (band, name)), None)
        if found is None:
            return None
        wider = 1.0 if found.kind == kind else self.unseen[band]
        wider *= 1 + self.per_doubling * max(0.0, log2(domains / found.domains))
        least = self.least[band]
        return exp(wider * min(found.low, -least)), exp(wider * max(found.high, least))


def interval(
    time_us: float, size_bytes: float, kind: str, domains: int = 1, table: Table | None = None
) -> tuple[float | None, float | None]:
    """Both ends in microseconds of the 90 % interval about a predicted time; None, None where nothing was measured.

    `kind` is what the evidence is of, "network:efa" across domains, else "switched:hopper", "pcie:ada", ...: a kind of
    its own where rows of at least two systems are known, else its class before the colon, else everything, wider then.

    >>> known = Spread("small", "*", -0.5, 0.5, 50, 3, 1)
    >>> interval(10, 1024, "switched:hopper", table=Table((known,), 0.1, {"small": 1.0}, {"small": 0.1}))
    (6.065306597126334, 16.487212707001284)
    """
    found = (shipped() if table is None else table).factors(size_bytes, kind, domains)
    return (None, None) if found is None else (time_us * found[0], time_us * found[1])


def band_of(size_bytes: float) -> str:
    """Large from 16 MiB up.

    >>> band_of(16 << 20), band_of(1024)
    ('large', 'small')
    """
    return "large" if size_bytes >= LARGE_BYTES else "small"


def evidence(priced: "Pricing") -> tuple[str, int]:
    """The kind of evidence behind a library's times on a machine, and on how many domains: what `interval` asks for."""
    found, rows = priced.machine, priced.constants
    network = None
    if found.domains > 1:
        known = None if rows is None or rows.network is None else rows.network.fabric
        network = priced.transport.net or known or "unstated"
    kind = kind_of(priced.library.name, found.accelerator or "unnamed", network, found.on_pcie)
    return kind, found.domains


def kind_of(library: str, accelerator: str, network: str | None = None, on_pcie: bool = False) -> str:
    """The kind of evidence behind a time: a library across a network, or links of a generation inside one domain.

    >>> kind_of("nccl", "h200-sxm"), kind_of("nccl", "h200-sxm", "efa"), kind_of("rccl", "mi300x", "roce")
    ('switched:hopper', 'network:efa', 'rccl:roce')
    >>> kind_of("nccl", "l40s", on_pcie=True), kind_of("nccl", "abacus")
    ('pcie:ada', 'unknown:abacus')
    """
    from fabric.measuring.matching import servers

    if network is not None:
        return f"{'network' if library == 'nccl' else library}:{network}"
    known = servers()["servers"]
    if accelerator not in known:
        return f"unknown:{accelerator}"
    usual = {**known["default"], **known[accelerator]}
    shape = "pcie" if on_pcie else "mesh" if usual["shape"] == "pcie" else usual["shape"]
    return f"{shape}:{usual['generation']}"


def kinds(kind: str) -> Sequence[str]:
    """A kind, its class and everything: what evidence is taken from, the nearest first.

    >>> kinds("network:efa")
    ('network:efa', 'network', '*')
    """
    return kind, kind.partition(":")[0], EVERY


@cache
def shipped() -> Table:
    """The table that comes with the program, of intervals.toml; empty where there is none."""
    return read_table(_TABLE) if _TABLE.exists() else Table((), 0.0, {}, {})


def read_table(path: Path) -> Table:
    """A table as benchmarks/intervals.py writes it."""
    told: dict[str, Any] = read_toml(path, "a table of intervals")
    spreads = tuple(Spread(**row) for row in told["interval"])
    return Table(spreads, **told["widening"])
