"""Published figures and measurements against our answers: reads cases, asks the program, judges what it says.

A case is a [[case]] row of a TOML file: `id`, `system`, `kind`, `quantity`, `expected` (a number or a list),
`unit`, `tolerance` (of one key: rel, abs, min or max), `source`; `confidence` and `note` if wanted.
Its [case.compute] table says what to ask of the program, and holds nothing derived from `expected`.

What is asked about:
    topology = "SPEC"                      a spec as on the command line; `prices` = {PART = dollars} in the
                                           place of the catalogue's
    graph = "networkx:hypercube_graph(6)"  a generator of NetworkX with whole numbers, links of `rate_gbps`
    part = "NAME"                          a row of the catalogue
What is asked:
    describe = "links_by_medium.copper"    a key of `show`, a.b for a key inside; a list of keys gives a list;
                                           a tier or medium that a fabric has none of counts 0
    bill = "PART"                          how many of a part the bill of materials holds
    solve = "busbw_gb_per_s"               a key of a result, with `collective`, `size`, `transport` and, if
                                           it matters, `algorithm`, `routing`, `overlap`, `tie`, `shift`,
                                           `permutation`, `seed`, `fidelity`;
                                           `whole_array_us`: time n/(n-1), as if a rank's own share moved too
    limit = "all_to_all_links"             a bound on any wiring of as many switches (fabric/bounding/regular.py)
    nameplate = "memory_gb"                a field of a part
    ports_at_gbps = 800                    how many ports of that rate a switch has
What becomes of it, in this order:
    times = 2, divide_by = "accelerators"  constants of units and counts, or the number of accelerators
    over, minus, saving_over = {...}       another compute table: this / that, this - that, 1 - this / that

[[case.compute]] several times gives a list. [[left_out]] rows, `id` and `reason`, name what has no model yet.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

import networkx as nx

from fabric.bounding.regular import all_to_all_links
from fabric.describing import describe
from fabric.metrics import TIERS
from fabric.simulation import simulate
from topologies.bill import bill_of_materials
from topologies.errors import ConfigError, FabricError, closest, unknown
from topologies.graph import Topology
from topologies.links import MEDIA
from topologies.parts import Catalogue, Part, Switch, catalogue
from topologies.registry import build
from topologies.toml_documents import read_toml

Value = float | list[float]
Compute = Mapping[str, Any]

_FOLDER = Path(__file__).with_name("cases")
_TEXTS = ("id", "system", "kind", "quantity", "unit", "source")
_COMBINE: dict[str, Callable[[float, float], float]] = {
    "over": lambda a, b: a / b,
    "minus": lambda a, b: a - b,
    "saving_over": lambda a, b: 1 - a / b,
}
_SUBJECTS = {
    "topology": ("describe", "bill", "solve", "limit"),
    "graph": ("describe", "bill", "solve"),
    "part": ("nameplate", "ports_at_gbps"),
}
_SOLVE_NEEDS = ("collective", "size", "transport")
_SOLVE_TAKES = ("algorithm", "routing", "overlap", "tie", "shift", "permutation", "seed", "fidelity")
_COUNTED = {"switches_by_tier": tuple(TIERS.values()), "links_by_medium": MEDIA}
_COUNTED_IN = re.compile("power|usd|energy")
_GENERATOR = re.compile(r"networkx:([a-z_]\w*_graph)(?:\((\d+(?:, *\d+)*)\))?")


@dataclass(frozen=True, slots=True)
class Published:
    """A case as its file states it."""

    id: str
    system: str
    kind: str
    quantity: str
    expected: Value
    unit: str
    tolerance: Mapping[str, float]
    source: str
    compute: tuple[Compute, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A judged case. `error` is relative, absolute where 0 is expected, and of a list the largest. Where the program
    refused it is None, and `computed` the message. `boundary` is what watts and dollars count, where not all layers."""

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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A published figure that no model answers yet, and why."""

    id: str
    reason: str


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
        keys = [spec.name for spec in fields(Case) if spec.name != "boundary"]
        rows = [{key: getattr(case, key) for key in keys} for case in self.cases]
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
    computed: Value | str
    error, ok, boundary = None, False, None
    try:
        values = [value for table in case.compute for value in compute(table)]
        expected = case.expected if isinstance(case.expected, list) else [case.expected]
        if len(values) != len(expected):
            raise ConfigError(f"case '{case.id}' expects {len(expected)} numbers and computes {len(values)}")
        computed = values if isinstance(case.expected, list) else values[0]
        pairs = list(zip(values, expected, strict=True))
        error = max(abs(value - wanted) / (abs(wanted) or 1.0) for value, wanted in pairs)
        ok = all(_within(value, wanted, case.tolerance) for value, wanted in pairs)
        boundary = next(filter(None, map(_boundary, case.compute)), None)
    except FabricError as reason:
        computed = str(reason)
    stated = {spec.name: getattr(case, spec.name) for spec in fields(case) if spec.name != "compute"}
    return Case(**stated, computed=computed, error=error, ok=ok, boundary=boundary)


def _boundary(table: Compute) -> str | None:
    """The boundary of a question about watts or dollars of a fabric that leaves layers out."""
    asked = str(table.get("describe", table.get("solve", "")))
    if "topology" not in table or not _COUNTED_IN.search(asked) or not (topology := _topology(table)).left_out:
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


def compute(table: Compute) -> list[float]:
    """What the program answers to one compute table; FabricError where it refuses.

    >>> compute({"topology": "torus:dims=4x4x4", "describe": ["links", "diameter"], "divide_by": 2})
    [96.0, 3.0]
    """
    values = _asked(table)
    if "times" in table:
        values = [value * _factor(table, "times") for value in values]
    if "divide_by" in table:
        values = [value / _factor(table, "divide_by") for value in values]
    for name, combine in _COMBINE.items():
        if name in table:
            others = compute(table[name])
            if len(others) not in (1, len(values)):
                raise ConfigError(f"{name} gives {len(others)} numbers for {len(values)}")
            if name != "minus" and 0 in others:
                raise ConfigError(f"{name} divides by zero")
            others = others * (len(values) // len(others))
            values = [combine(a, b) for a, b in zip(values, others, strict=True)]
    return values


def _factor(table: Compute, key: str) -> float:
    return float(len(_topology(table).accelerators) if table[key] == "accelerators" else table[key])


def _asked(table: Compute) -> list[float]:
    if "part" in table:
        return [_of_part(table)]
    topology = _topology(table)
    if "bill" in table:
        wanted = topology.catalogue.part(table["bill"], Part)
        return [sum(row.quantity for row in bill_of_materials(topology) if row.part is wanted)]
    if "solve" in table:
        return [_solved(topology, table)]
    if "limit" in table:
        return [_at({"all_to_all_links": all_to_all_links(topology)}, table["limit"], "limit")]
    paths = table["describe"] if isinstance(table["describe"], list) else [table["describe"]]
    return [_at(_described(topology), path, "describe") for path in paths]


def _of_part(table: Compute) -> float:
    parts = catalogue()
    if "ports_at_gbps" in table:
        return parts.part(table["part"], Switch).ports(table["ports_at_gbps"])
    return _at(dict(parts.part(table["part"], Part).values()), table["nameplate"], table["part"])


def _solved(topology: Topology, table: Compute) -> float:
    options = {key: table[key] for key in ("transport", *_SOLVE_TAKES) if key in table}
    result = simulate(topology, table["collective"], table["size"], **options)
    n = result.accelerators
    return _at({**result.row(), "whole_array_us": result.time_us * n / (n - 1)}, table["solve"], "solve")


def _at(answer: Mapping[str, Any], path: str, where: str) -> float:
    """The number at a path a.b of an answer."""
    value: Any = answer
    steps = path.split(".", 1)
    for step in steps:
        if not isinstance(value, Mapping) or step not in value:
            if step is not steps[0] and step in _COUNTED.get(steps[0], ()):
                return 0
            names = list(value) if isinstance(value, Mapping) else []
            raise ConfigError(f"{where} has no '{path}'{closest(step, names)}")
        value = value[step]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: '{path}' is {'unknown' if value is None else 'no number'} here")
    return value


def _topology(table: Compute) -> Topology:
    if "topology" in table:
        return _built(table["topology"], tuple(table.get("prices", {}).items()))
    return _generated(table["graph"], float(table["rate_gbps"]))


@lru_cache(maxsize=2)
def _built(spec: str, prices: tuple[tuple[str, float], ...]) -> Topology:
    parts = catalogue()
    if not prices:
        return build(spec, parts)
    rows = {name: parts.part(name, Part) for name, _ in prices}
    unpriced = next((name for name, row in rows.items() if not hasattr(row, "price_usd")), None)
    if unpriced is not None:
        raise ConfigError(f"prices: part '{unpriced}' is of kind {rows[unpriced].kind}, which has no price")
    stated = {name: replace(rows[name], price_usd=dollars) for name, dollars in prices}  # type: ignore[call-arg]
    return build(spec, Catalogue({**parts, **stated}, parts.hash))


@lru_cache(maxsize=2)
def _generated(text: str, rate_gbps: float) -> Topology:
    match = _GENERATOR.fullmatch(text)
    generator = getattr(nx, match.group(1), None) if match else None
    if match is None or generator is None:
        raise ConfigError(f"graph '{text}' names no generator; write it like networkx:hypercube_graph(6)")
    seed = {"seed": 0} if "seed" in signature(generator).parameters else {}
    try:
        graph = generator(*(int(number) for number in re.findall(r"\d+", match.group(2) or "")), **seed)
    except (TypeError, ValueError, AttributeError, nx.NetworkXException) as error:
        raise ConfigError(f"graph '{text}': {error}; write it like networkx:hypercube_graph(6)") from None
    return Topology.from_graph(graph, rate_gbps=rate_gbps, name=text)


@lru_cache(maxsize=2)
def _described(topology: Topology) -> Mapping[str, Any]:
    return describe(topology)


def read_cases(path: Path) -> tuple[list[Published], list[LeftOut]]:
    """Cases and left-out rows of one file; ConfigError names file, case and key of what is wrong."""
    document = read_toml(path, "a TOML file of [[case]] tables")
    if not document or set(document) - {"case", "left_out"}:
        raise ConfigError(f"{path}: holds {', '.join(document) or 'nothing'}; give [[case]], [[left_out]]")
    cases = [_read_case(row, where) for row, where in _rows(document, "case", path)]
    left_out = []
    for row, where in _rows(document, "left_out", path):
        _known_keys(row, ("id", "reason"), (), where)
        left_out.append(LeftOut(_text(row, "id", where), _text(row, "reason", where)))
    return cases, left_out


def _rows(document: Mapping[str, Any], key: str, path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Rows of an array of tables, each with the words that name it in an error."""
    rows = document.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path}: {key} is no array of tables; write [[{key}]]")
    for number, row in enumerate(rows, start=1):
        yield row, f"{path.name}: {key} " + (f"'{row['id']}'" if row.get("id") else f"number {number}")


def _read_case(row: Mapping[str, Any], where: str) -> Published:
    _known_keys(row, (*_TEXTS, "expected", "tolerance", "compute"), ("confidence", "note"), where)
    expected = row["expected"]
    listed = expected if isinstance(expected, list) else [expected]
    if not listed or not all(map(_is_number, listed)):
        raise ConfigError(f"{where}: expected = {expected!r} is no number, and no list of numbers")
    computes = row["compute"] if isinstance(row["compute"], list) else [row["compute"]]
    for table in computes:
        _check_compute(table, f"{where}: compute")
    tolerance = _read_tolerance(row["tolerance"], where)
    texts = {key: _text(row, key, where) for key in _TEXTS}
    return Published(**texts, expected=expected, tolerance=tolerance, compute=tuple(computes))


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    if not isinstance(row[key], str) or (key in ("id", "reason") and not row[key]):
        raise ConfigError(f"{where}: {key} = {row[key]!r} is no text")
    return str(row[key])


def _known_keys(row: Mapping[str, Any], needed: Sequence[str], more: Sequence[str], where: str) -> None:
    unknown = next((key for key in row if key not in (*needed, *more)), None)
    if unknown is not None:
        hint = closest(unknown, [*needed, *more])
        raise ConfigError(f"{where}: unknown key '{unknown}'{hint}; it takes {', '.join((*needed, *more))}")
    missing = [key for key in needed if key not in row]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _read_tolerance(given: Any, where: str) -> Mapping[str, float]:
    if isinstance(given, dict) and len(given) == 1:
        ((kind, limit),) = given.items()
        if _is_number(limit) and (kind in ("min", "max") or (kind in ("rel", "abs") and limit >= 0)):
            return {kind: limit}
    raise ConfigError(f"{where}: tolerance = {given!r} cannot be read; write {{rel = 0.01}}, abs, min or max")


def _check_compute(table: Any, where: str) -> None:
    """Raise ConfigError unless a table has one subject, one question of it, and what that question takes."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where} = {table!r} is no table")
    subject = _one_of(table, tuple(_SUBJECTS), where)
    question = _one_of(table, _SUBJECTS[subject], where)
    needed = [subject, question, *(["rate_gbps"] if subject == "graph" else [])]
    needed += _SOLVE_NEEDS if question == "solve" else ()
    more = [
        *(["prices"] if subject == "topology" else []),
        "times",
        "divide_by",
        *_COMBINE,
        *(_SOLVE_TAKES if question == "solve" else ()),
    ]
    _known_keys(table, needed, more, where)
    for key, value in table.items():
        if key in _COMBINE:
            _check_compute(value, f"{where}.{key}")
        elif not _fits(key, value, subject):
            raise ConfigError(f"{where}: {key} = {value!r} cannot be read")
    if sum(key in table for key in _COMBINE) > 1:
        raise ConfigError(f"{where} has more than one of {', '.join(_COMBINE)}; nest them")


def _fits(key: str, value: Any, subject: str) -> bool:
    """Is a key's value of the kind it takes?"""
    if key in ("rate_gbps", "ports_at_gbps"):
        return _is_number(value) and value > 0
    if key in ("times", "divide_by"):
        return (value == "accelerators" and subject != "part") or (_is_number(value) and value != 0)
    if key in ("shift", "seed"):
        return isinstance(value, int) and not isinstance(value, bool)
    if key == "prices":
        return isinstance(value, dict) and bool(value) and all(_is_number(usd) and usd >= 0 for usd in value.values())
    if key == "size" and _is_number(value):
        return True
    if key == "describe" and isinstance(value, list):
        return bool(value) and all(isinstance(path, str) for path in value)
    return isinstance(value, str)


def _one_of(table: Mapping[str, Any], keys: Sequence[str], where: str) -> str:
    given = [key for key in keys if key in table]
    if len(given) != 1:
        raise ConfigError(f"{where} has {' and '.join(given) or 'none'} of {', '.join(keys)}; give one")
    return given[0]
