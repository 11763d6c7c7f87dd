"""Intervals from residuals: quantiles of measured over predicted time, scaled until they cover systems left out.

Rows of one system are not independent, so whole systems are left out and each weighs the same. The scale is the least
with which the intervals of the others hold nine of ten rows of the system that is left out: conformal prediction by
groups (Vovk et al., "Algorithmic Learning in a Random World", 2005; Barber et al., "Predictive inference with the
jackknife+", 2021).
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.intervals import BANDS, EVERY, LARGE_BYTES, Spread, Table, band_of, kinds
from fabric.measuring.comparison import Comparison
from topologies.errors import ConfigError
from topologies.formats.contents import read_text
from topologies.toml_documents import read_toml

TARGET = 0.9
LEAST_SIDE = 0.2  # of the whole interval, on either side of the prediction
WIDENING = ("per_doubling", "unseen", "least")
LEAST_SYSTEMS = 2  # of a kind that has a spread of its own


@dataclass(frozen=True, slots=True)
class Residual:
    """Logarithm of measured over predicted time of a row, its prediction made without its system."""

    system: str
    kind: str
    band: str
    domains: int
    log_ratio: float


def residuals(found: Comparison, left_out: Mapping[int, float] | None = None) -> list[Residual]:
    """Of every row with a prediction: that of `left_out`, microseconds by row number, or else the model's own.

    A system is what its rows call it, at every number of accelerators.
    """
    made = []
    for row, machine in zip(found.rows, found.machines, strict=True):
        predicted = row.predicted_us if left_out is None else left_out.get(row.row)
        if predicted is not None and predicted > 0:
            ratio = math.log(row.measured_us / predicted)
            made.append(Residual(row.system, machine.kind, band_of(row.size_bytes), machine.domains, ratio))
    return made


def read_left_out(path: Path) -> dict[int, float]:
    """Predictions in microseconds by row number of the file of measurements, from a CSV file of row, predicted_us.

    ConfigError for a file that is not one.
    """
    wanted = "a CSV file with the columns row and predicted_us"
    reader = csv.DictReader(io.StringIO(read_text(path, wanted, 256)))
    if not {"row", "predicted_us"} <= set(reader.fieldnames or ()):
        raise ConfigError(f"{path}: no columns row and predicted_us; give {wanted}")
    try:
        return {int(row["row"]): float(row["predicted_us"]) for row in reader}
    except (TypeError, ValueError):
        raise ConfigError(f"{path}, line {reader.line_num}: not two numbers; give {wanted}") from None


def spread(pool: Sequence[Residual], share: float = TARGET) -> tuple[float, float]:
    """The logarithms between which a share of the rows lies, every system weighing the same; at least a fifth of the
    way between them lies to either side of 0, where the prediction is.

    >>> pool = [Residual("a", "x", "large", 1, v / 10) for v in range(-5, 6)]
    >>> spread(pool, 0.8)
    (-0.4, 0.4)
    """
    counts = Counter(residual.system for residual in pool)
    values = np.array([residual.log_ratio for residual in pool])
    weights = np.array([1 / counts[residual.system] for residual in pool])
    order = np.argsort(values, kind="stable")
    values, below = values[order], np.cumsum(weights[order]) / weights.sum()
    tail = (1 - share) / 2
    low = float(values[np.searchsorted(below, tail - 1e-12)])
    high = float(values[min(int(np.searchsorted(below, 1 - tail - 1e-12)), len(values) - 1)])
    least = LEAST_SIDE * (high - low)
    return min(low, -least), max(high, least)


def evidence(every: Sequence[Residual], band: str, kind: str) -> tuple[str, list[Residual]]:
    """The nearest kind of which rows of two systems are known in a band, and those rows; a class counts where it has
    two kinds, for one generation does not speak for the next."""
    rows = [residual for residual in every if residual.band == band]
    for name in kinds(kind)[:-1]:
        pool = [r for r in rows if name in kinds(r.kind)[:2]]
        several = name == kind or len({r.kind for r in pool}) > 1
        if several and len({r.system for r in pool}) >= LEAST_SYSTEMS:
            return name, pool
    return EVERY, rows


def table(every: Sequence[Residual], scale: Mapping[str, float], widening: Mapping[str, Any]) -> Table:
    """Spreads of every kind, class and everything that has rows of two systems, times the scale of their band."""
    made = []
    for band in BANDS:
        names = dict.fromkeys(name for r in every if r.band == band for name in reversed(kinds(r.kind)))
        for name in names:
            asked = name if ":" in name or name == EVERY else f"{name}:"  # a class: as an unknown kind of it
            own, pool = evidence(every, band, asked)
            if own == name and len({r.system for r in pool}) >= LEAST_SYSTEMS:
                low, high = (scale[band] * end for end in spread(pool))
                systems, domains = len({r.system for r in pool}), max(r.domains for r in pool)
                made.append(Spread(band, name, low, high, len(pool), systems, domains))
    return Table(tuple(made), **{key: widening[key] for key in WIDENING})


def strains(every: Sequence[Residual], widening: Mapping[str, Any], band: str) -> NDArray[np.float64]:
    """float64[R]: what the interval that the other systems give would have to be multiplied with to reach each row; 0
    within what two testers of one machine differ by."""
    rows = [residual for residual in every if residual.band == band]
    size = LARGE_BYTES if band == BANDS[0] else 1
    found = []
    for system in dict.fromkeys(r.system for r in rows):
        others = [r for r in rows if r.system != system]
        bare = table(others, dict.fromkeys(BANDS, 1.0), {**widening, "least": dict.fromkeys(BANDS, 0.0)})
        least = table(others, dict.fromkeys(BANDS, 0.0), widening)
        for row in (r for r in rows if r.system == system):
            end, near = (_end(made, size, row) for made in (bare, least))
            within = near != 0 and row.log_ratio / near <= 1
            found.append(0.0 if within else row.log_ratio / end if end else math.inf)
    return np.array(found)


def _end(made: Table, size_bytes: int, row: Residual) -> float:
    """The logarithm of that end of a row's interval to which its residual lies; 0 where there is no interval."""
    ends = made.factors(size_bytes, row.kind, row.domains)
    return 0.0 if ends is None else math.log(ends[row.log_ratio > 0])


def calibrated(every: Sequence[Residual], widening: Mapping[str, Any]) -> dict[str, float]:
    """By band the scale with which the intervals of the other systems hold nine of ten rows of one left out."""
    scale = {}
    for band in BANDS:
        needed = np.sort(strains(every, widening, band))
        place = math.ceil(TARGET * (len(needed) + 1)) - 1
        scale[band] = float(needed[min(place, len(needed) - 1)]) if len(needed) else 1.0
    return scale


def coverage(every: Sequence[Residual], scale: float, widening: Mapping[str, Any], band: str) -> float:
    """The share of a band's rows that lie in the scaled intervals that the other systems' rows give."""
    return float(np.mean(strains(every, widening, band) <= scale * (1 + 1e-12)))


def written(made: Table, how: Mapping[str, Any]) -> str:
    """The table as TOML, with how it came about first."""
    lines = ["# Logarithms of measured over predicted time; written by benchmarks/intervals.py, not by hand."]
    lines += ["", "[how]"]
    lines += [f"{key} = {_toml(value)}" for key, value in how.items()]
    lines += ["", "[widening]", *(f"{key} = {_toml(getattr(made, key))}" for key in WIDENING)]
    for row in made.spreads:
        lines += [
            "", "[[interval]]", f'band = "{row.band}"', f'kind = "{row.kind}"', f"low = {row.low:.4f}",
            f"high = {row.high:.4f}", f"rows = {row.rows}", f"systems = {row.systems}", f"domains = {row.domains}",
        ]  # fmt: skip
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(v)}" for key, v in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)


def widening() -> dict[str, Any]:
    """How intervals widen beyond what was measured, with the sources, from widening.toml."""
    return read_toml(Path(__file__).with_name("widening.toml"), "how intervals widen")
