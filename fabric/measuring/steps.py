"""Measured steps of models against predicted ones: rows, groups of an accelerator and a model, errors by metric."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from statistics import median
from typing import Any, Protocol, TypeVar

from fabric.measuring.reading import Skipped
from topologies.errors import ConfigError, unknown


class Grouped(Protocol):
    """A row of a system in a group."""

    @property
    def system(self) -> str: ...
    @property
    def group(self) -> str: ...


R = TypeVar("R", bound=Grouped)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedStep:
    """A row with its prediction, both in `unit`; `error` is relative, of time, positive where we are too slow."""

    row: int
    group: str
    metric: str
    spec: str
    transport: str
    measured: float
    predicted: float
    unit: str
    error: float
    low: float | None = None
    high: float | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmodelled:
    """A row that has no prediction, and why: no error stands for it."""

    row: int
    group: str
    metric: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class StepComparison:
    """Every row of a file compared, not modelled, or left out."""

    rows: tuple[ComparedStep, ...]
    unmatched: tuple[Unmodelled, ...]
    skipped: tuple[Skipped, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """Errors of every group by metric, and over the groups: a metric's is the median of its groups' medians."""
        errors: dict[tuple[str, str], list[float]] = defaultdict(list)
        for row in self.rows:
            errors[row.group, row.metric].append(row.error)
        by_group: dict[str, dict[str, Any]] = defaultdict(dict)
        for (group, metric), found in errors.items():
            by_group[group][metric] = _told(found)
        metrics = dict.fromkeys(metric for _, metric in errors)
        return {
            "rows": len(self.rows) + len(self.unmatched),
            "matched": len(self.rows),
            "by_group": dict(by_group),
            "by_metric": {m: _over(told[m] for told in by_group.values() if m in told) for m in metrics},
        }

    def document(self) -> dict[str, Any]:
        """The keys that `validate --measured --json` prints beside schema and provenance."""
        return {
            "rows": [{**asdict(row), "said": list(row.said)} for row in self.rows],
            "unmatched": [asdict(why) for why in self.unmatched],
            "summary": self.summary,
            "skipped": [asdict(row) for row in self.skipped],
        }


def _told(errors: Sequence[float]) -> dict[str, Any]:
    return {
        "rows": len(errors), "median_abs_error": median(abs(error) for error in errors), "median_error": median(errors)
    }  # fmt: skip


def _over(groups: Iterable[dict[str, Any]]) -> dict[str, Any]:
    found = list(groups)
    return {
        "rows": sum(told["rows"] for told in found),
        "groups": len(found),
        "median_of_group_medians": median(told["median_abs_error"] for told in found),
    }


def chosen(rows: Sequence[R], only: str) -> list[R]:
    """Rows whose system or group a pattern matches, `*` and `?` as in a shell; ConfigError where it matches none."""
    wanted = only.lower()
    kept = [row for row in rows if any(fnmatchcase(name.lower(), wanted) for name in (row.system, row.group))]
    if not kept:
        names = list(dict.fromkeys(row.group for row in rows))
        raise ConfigError(unknown("system or group", only, names, "give a pattern, e.g. *gb200*"))
    return kept
