"""Cases of published figures as their files state them, and what is wrong with such a file."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabric.validation.asking import COMBINE, SOLVE_NEEDS, SOLVE_TAKES, SUBJECTS, Compute, Value
from topologies.errors import ConfigError, closest
from topologies.toml_documents import read_toml

_TEXTS = ("id", "system", "kind", "quantity", "unit", "source")


@dataclass(frozen=True, slots=True)
class Boundary:
    """One reading of what a published figure counts, and what to ask of the program under it."""

    name: str
    compute: tuple[Compute, ...]


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
    boundaries: tuple[Boundary, ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A published figure that no model answers yet, and why."""

    id: str
    reason: str


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
    asked = "boundary" if "boundary" in row else "compute"
    _known_keys(row, (*_TEXTS, "expected", "tolerance", asked), ("confidence", "note"), where)
    expected = row["expected"]
    listed = expected if isinstance(expected, list) else [expected]
    if not listed or not all(map(_is_number, listed)):
        raise ConfigError(f"{where}: expected = {expected!r} is no number, and no list of numbers")
    computes = () if asked == "boundary" else _computes(row["compute"], where)
    boundaries = tuple(_boundary(table, where) for table in row["boundary"]) if asked == "boundary" else ()
    tolerance = _read_tolerance(row["tolerance"], where)
    texts = {key: _text(row, key, where) for key in _TEXTS}
    return Published(**texts, expected=expected, tolerance=tolerance, compute=computes, boundaries=boundaries)


def _computes(given: Any, where: str) -> tuple[Compute, ...]:
    computes = given if isinstance(given, list) else [given]
    for table in computes:
        _check_compute(table, f"{where}: compute")
    return tuple(computes)


def _boundary(table: Any, where: str) -> Boundary:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: boundary = {table!r} is no table; write [[case.boundary]] with name and compute")
    _known_keys(table, ("name", "compute"), (), f"{where}: boundary")
    if not isinstance(table["name"], str) or not table["name"]:
        raise ConfigError(f"{where}: boundary: name = {table['name']!r} is no text")
    return Boundary(table["name"], _computes(table["compute"], f"{where}: boundary '{table['name']}'"))


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
    subject = _one_of(table, tuple(SUBJECTS), where)
    question = _one_of(table, SUBJECTS[subject], where)
    needed = [subject, question, *(["rate_gbps"] if subject == "graph" else [])]
    needed += SOLVE_NEEDS if question == "solve" else ("element",) if question == "fail" else ()
    more = [
        *(["prices"] if subject == "topology" else []),
        *(["exclude"] if question in ("power", "capex") else []),
        "times",
        "divide_by",
        *COMBINE,
        *(SOLVE_TAKES if question == "solve" else ()),
    ]
    _known_keys(table, needed, more, where)
    for key, value in table.items():
        if key in COMBINE:
            _check_compute(value, f"{where}.{key}")
        elif not _fits(key, value, subject):
            raise ConfigError(f"{where}: {key} = {value!r} cannot be read")
    last = [key for key in COMBINE if key != "plus"]
    if sum(key in table for key in last) > 1:
        raise ConfigError(f"{where} has more than one of {', '.join(last)}; nest them")


def _fits(key: str, value: Any, subject: str) -> bool:
    """Is a key's value of the kind it takes?"""
    if key in ("rate_gbps", "ports_at_gbps", "reach_m_at_awg"):
        return _is_number(value) and value > 0
    if key in ("times", "divide_by"):
        return (value == "accelerators" and subject in ("topology", "graph")) or (_is_number(value) and value != 0)
    if key in ("shift", "seed"):
        return isinstance(value, int) and not isinstance(value, bool)
    if key in ("goodput", "decode_bound", "train"):
        return isinstance(value, dict)
    if key == "prices":
        return isinstance(value, dict) and bool(value) and all(_is_number(usd) and usd >= 0 for usd in value.values())
    if key == "exclude":
        return isinstance(value, list) and all(isinstance(name, str) for name in value)
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
