"""Measured times beside predicted ones, and what the errors come to by band, system and collective."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fabric.intervals import BANDS, band_of
from fabric.measuring.machines import Machine
from fabric.measuring.reading import Skipped

NO_PREDICTION = -1.0  # the error of a row without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A row with its prediction. Times in microseconds; `error` is (predicted - measured)/measured."""

    row: int
    system: str
    spec: str
    collective: str
    size_bytes: int
    measured_us: float
    predicted_us: float
    low_us: float | None
    high_us: float | None
    error: float


@dataclass(frozen=True, slots=True)
class Judged:
    """An error beside what it is an error of, for statistics; a row without a prediction has one of -1."""

    system: str
    collective: str
    size_bytes: int
    error: float

    @property
    def band(self) -> str:
        """Large from 16 MiB up."""
        return band_of(self.size_bytes)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Every row of a file compared, without a prediction, or left out; `machines` is what rows were predicted with, in
    the order of `rows`. `baselines` are errors of simpler models on the same rows, by name."""

    rows: tuple[Compared, ...]
    machines: tuple[Machine, ...]
    unmatched: tuple[Skipped, ...]
    skipped: tuple[Skipped, ...]
    judged: tuple[Judged, ...]
    baselines: dict[str, tuple[Judged, ...]]

    @property
    def summary(self) -> dict[str, Any]:
        """Errors by band, over systems, by system and by collective."""
        judged = self.judged
        return {
            "rows": len(judged),
            "matched": len(self.rows),
            **bands(judged),
            "by_system": _split(judged, lambda j: j.system),
            "by_collective": _split(judged, lambda j: j.collective),
        }

    def document(self) -> dict[str, Any]:
        """The keys that `validate --measured --json` prints beside schema and provenance."""
        machines = {(row.system, m.spec, m.transport): m for row, m in zip(self.rows, self.machines, strict=True)}
        return {
            "rows": [asdict(row) for row in self.rows],
            "unmatched": [asdict(row) for row in self.unmatched],
            "summary": self.summary,
            "skipped": [asdict(row) for row in self.skipped],
            "baselines": {name: bands(judged) for name, judged in self.baselines.items()},
            "machines": [
                {"system": system, "spec": spec, "transport": transport, "assumed": list(machine.said)}
                for (system, spec, transport), machine in machines.items()
            ],
        }  # fmt: skip


def bands(judged: Sequence[Judged]) -> dict[str, dict[str, Any]]:
    """Figures of both bands over rows, and over systems: the median of the systems' own figures."""
    systems = _split(judged, lambda j: j.system).values()
    over = {}
    for band in BANDS:
        figures = [system[band] for system in systems if system[band]["rows"]]
        keys = ("median_abs_error", "p90_abs_error", "median_error")
        medians = {key: float(np.median([f[key] for f in figures])) if figures else None for key in keys}
        over[band] = {"rows": len(figures), **medians}
    return {"by_band": _of_bands(judged), "over_systems": over}


def _split(judged: Iterable[Judged], key: Callable[[Judged], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Judged]] = defaultdict(list)
    for row in judged:
        groups[key(row)].append(row)
    return {name: _of_bands(members) for name, members in groups.items()}


def _of_bands(judged: Iterable[Judged]) -> dict[str, Any]:
    rows = list(judged)
    return {band: figures([row.error for row in rows if row.band == band]) for band in BANDS}


def figures(errors: Sequence[float]) -> dict[str, Any]:
    """Number, median and 90th percentile of the absolute errors, and the median signed one; None of no rows.

    >>> figures([0.1, -0.3, 0.2])
    {'rows': 3, 'median_abs_error': 0.2, 'p90_abs_error': 0.28, 'median_error': 0.1}
    """
    if not errors:
        return {"rows": 0, "median_abs_error": None, "p90_abs_error": None, "median_error": None}
    size = np.abs(errors)
    median, p90 = (round(float(np.quantile(size, q)), 12) for q in (0.5, 0.9))
    return {
        "rows": len(errors), "median_abs_error": median, "p90_abs_error": p90,
        "median_error": round(float(np.median(errors)), 12),
    }  # fmt: skip
