"""Published figures and measurements against our answers: which hold, and under which boundary."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fabric.validation.asking import Compute, Value, compute, topology_asked
from fabric.validation.reading import LeftOut, Published, read_cases
from topologies.errors import ConfigError, FabricError, unknown

_FOLDER = Path(__file__).parents[1] / "cases"
_ASKED = ("compute", "boundaries")
_COUNTED_IN = re.compile("power|usd|energy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A judged case. `error` is relative, absolute where 0 is expected, and of a list the largest. Where the program
    refused it is None, and `computed` the message. `boundary` is what watts and dollars count, where not all layers; of
    a figure that hangs on an unstated boundary the one that matches, and `ranges` what all of them span."""

    id: str
    system: str
    kind: str
    quantity: str
    expected: Value
    computed: Value | str
    unit: str
    error: float | None
    tolerance: Mapping[str, float]
    ok: bool
    source: str
    boundary: str | None = None
    ranges: tuple[tuple[float, float], ...] | None = None  # low and high of each number over all boundaries


@dataclass(frozen=True, slots=True)
class Validation:
    """All cases judged, and what is left out."""

    cases: tuple[Case, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def summary(self) -> dict[str, int]:
        """How many cases there are, passed, failed, and were left out."""
        passed = sum(case.ok for case in self.cases)
        failed = len(self.cases) - passed
        return {"cases": len(self.cases), "passed": passed, "failed": failed, "left_out": len(self.left_out)}

    def document(self) -> dict[str, Any]:
        """The keys that `validate --json` prints beside schema and provenance."""
        rows = [{spec.name: getattr(case, spec.name) for spec in fields(Case)} for case in self.cases]
        return {"cases": rows, "left_out": [asdict(row) for row in self.left_out], "summary": self.summary}


def validate(files: Sequence[Path] | None = None, only: str | None = None) -> Validation:
    """Every case of the files, or of those that come with the program, against our answer.

    `only` keeps the cases whose id or system it matches, `*` and `?` as in a shell. A case that the program
    refuses has missed. ConfigError for a file that cannot be read, an id that stands twice, or no match.

    >>> validate(only="nvl72-copper-cables").cases[0].computed
    5184
    """
    published: list[Published] = []
    left_out: list[LeftOut] = []
    for path in sorted(_FOLDER.glob("*.toml")) if files is None else files:
        cases, rows = read_cases(path)
        published += cases
        left_out += rows
    ids = [case.id for case in published] + [row.id for row in left_out]
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise ConfigError(f"case '{twice[0]}' stands twice; give every case an id of its own")
    if only is not None:
        published = [row for row in published if _matches(only, row.id, row.system)]
        left_out = [row for row in left_out if _matches(only, row.id)]
        if not published and not left_out:
            raise ConfigError(unknown("case", only, ids, "give an id, a system or a pattern, e.g. nvl72-*"))
    return Validation(tuple(_judge(case) for case in published), tuple(left_out))


def _matches(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for name in names)


def _judge(case: Published) -> Case:
    stated = {spec.name: getattr(case, spec.name) for spec in fields(case) if spec.name not in _ASKED}
    try:
        if case.boundaries:
            return _in_envelope(case, stated)
        values = _values(case, case.compute)
        boundary = next(filter(None, map(_boundary, case.compute)), None)
        ok = _holds(case, values)
        return Case(**stated, computed=_shaped(case, values), error=_error(case, values), ok=ok, boundary=boundary)
    except FabricError as reason:
        return Case(**stated, computed=str(reason), error=None, ok=False)


def _in_envelope(case: Published, stated: Mapping[str, Any]) -> Case:
    """A figure whose boundary is not stated: it holds where the boundaries' range contains it and one matches."""
    answers = [(boundary.name, _values(case, boundary.compute)) for boundary in case.boundaries]
    held = [answer for answer in answers if _holds(case, answer[1])]
    name, values = min(held or answers, key=lambda answer: _error(case, answer[1]))
    spans = list(zip(*(values for _, values in answers), strict=True))
    contained = all(
        min(span) - _slack(case, wanted) <= wanted <= max(span) + _slack(case, wanted)
        for span, wanted in zip(spans, _listed(case.expected), strict=True)
    )
    return Case(
        **stated, computed=_shaped(case, values), error=_error(case, values), ok=bool(held) and contained,
        boundary=name if held else f"none matches, nearest: {name}",
        ranges=tuple((min(span), max(span)) for span in spans),
    )  # fmt: skip


def _values(case: Published, computes: Sequence[Compute]) -> list[float]:
    values = [value for table in computes for value in compute(table)]
    wanted = len(_listed(case.expected))
    if len(values) != wanted:
        raise ConfigError(f"case '{case.id}' expects {wanted} numbers and computes {len(values)}")
    return values


def _listed(expected: Value) -> list[float]:
    return expected if isinstance(expected, list) else [expected]


def _shaped(case: Published, values: list[float]) -> Value:
    return values if isinstance(case.expected, list) else values[0]


def _error(case: Published, values: list[float]) -> float:
    pairs = zip(values, _listed(case.expected), strict=True)
    return max(abs(value - wanted) / (abs(wanted) or 1.0) for value, wanted in pairs)


def _holds(case: Published, values: list[float]) -> bool:
    pairs = zip(values, _listed(case.expected), strict=True)
    return all(_within(value, wanted, case.tolerance) for value, wanted in pairs)


def _slack(case: Published, wanted: float) -> float:
    """How far an end of a range may lie beside the figure."""
    ((kind, limit),) = case.tolerance.items()
    return {"rel": limit * abs(wanted), "abs": limit}.get(kind, 0.0)


def _boundary(table: Compute) -> str | None:
    """The boundary of a question about watts or dollars of a fabric that leaves layers out."""
    asked = str(table.get("describe", table.get("solve", "")))
    if "topology" not in table or not _COUNTED_IN.search(asked) or not (topology := topology_asked(table)).left_out:
        return None
    return str(topology.parameters.get("boundary") or f"without {', '.join(sorted(topology.left_out))}")


def _within(computed: float, expected: float, tolerance: Mapping[str, float]) -> bool:
    ((kind, limit),) = tolerance.items()
    rounding = 1e-9 * abs(expected)
    if kind == "min":
        return computed >= limit - rounding
    if kind == "max":
        return computed <= limit + rounding
    return abs(computed - expected) <= (limit if kind == "abs" else limit * abs(expected)) + rounding
