"""The catalogue of parts: loads and checks rows, every one with its source."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from topologies.errors import ConfigError, closest, unknown
from topologies.kinds import (
    KINDS,
    Accelerator,
    Cable,
    CircuitSwitch,
    Component,
    CopperMode,
    Nic,
    Optic,
    OpticalPath,
    Part,
    Rack,
    Switch,
    Twinax,
)
from topologies.toml_documents import read_toml

__all__ = [
    "KINDS", "Accelerator", "Cable", "Catalogue", "CircuitSwitch", "Component", "CopperMode", "Nic", "Optic",
    "OpticalPath", "Part", "Rack", "Switch", "Twinax", "catalogue", "part", "read_parts",
]  # fmt: skip

_FOLDER = Path(__file__).with_name("catalogue")
CHOICES = {
    "confidence": ("high", "medium", "low"),
    "medium": ("copper", "active-copper", "optical", "board", "unstated"),
    "connectivity": ("two-sided", "any-to-any", "wavelength-routed", "fixed-matchings"),
}
_SIGNED = ("_db", "_dbm", "offset_usd", "offset_usd_per_gbps")  # keys whose values may be negative
P = TypeVar("P", bound=Part)


class Catalogue(Mapping[str, Part]):
    """Parts by name, in the order of their files; `hash` goes into every answer's provenance."""

    def __init__(self, parts: Mapping[str, Part], digest: str) -> None:
        self._parts = MappingProxyType(dict(parts))
        self.hash = digest

    def __getitem__(self, name: str) -> Part:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def part(self, name: str, kind: type[P]) -> P:
        """The part of that name and kind; ConfigError with the nearest name where there is none."""
        found = self._parts.get(name)
        if found is None:
            names = [n for n, p in self._parts.items() if isinstance(p, kind)]
            raise ConfigError(unknown(kind.kind, name, names, "aifabric parts lists them"))
        if not isinstance(found, kind):
            raise ConfigError(f"part '{name}' is of kind {found.kind}; a part of kind {kind.kind} is needed here")
        return found

    def of_kind(self, kind: type[P]) -> list[P]:
        """All parts of a kind, in the order of the catalogue."""
        return [p for p in self._parts.values() if isinstance(p, kind)]

    def default_cable(self, technology: str, rate_gbps: float) -> "Cable | Optic":
        """The row that a technology uses for links of a rate; ConfigError lists what there is.

        >>> catalogue().default_cable("pluggable", 400).name
        '800g-2xdr4'
        """
        every: list[Cable | Optic] = [*self.of_kind(Cable), *self.of_kind(Optic)]
        rows = [c for c in every if c.technology == technology]
        for row in rows:
            if rate_gbps in row.default_for_gbps:
                return row
        known = sorted({c.technology for c in every})
        if not rows:
            raise ConfigError(f"no technology is named '{technology}'; there are {', '.join(known)}")
        larger = sorted({r for row in rows for r in row.default_for_gbps if r >= rate_gbps})
        if not larger:
            rates = ", ".join(f"{r:g}" for r in sorted({r for row in rows for r in row.default_for_gbps}))
            raise ConfigError(
                f"no default {technology} cable carries {rate_gbps:g} Gb/s; there are {rates or 'none'}; give cable="
            )
        return self.default_cable(technology, larger[0])


def _read_part(row: Any, where: str, known: Mapping[str, Part]) -> Part:
    """A part of a row; one of a name that is known changes what the row states and keeps the rest."""
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: {row!r} is not a [[part]] table")
    name = row.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: a part has no name")
    where = f"{where}: part '{name}'"
    base = known.get(name)
    spelt = row.get("kind", base.kind if base is not None else None)
    kind = KINDS.get(str(spelt))
    if kind is None:
        raise ConfigError(f"{where}: kind '{spelt}' is unknown; there are {', '.join(KINDS)}")
    if base is not None and base.kind != spelt:
        raise ConfigError(f"{where} is of kind {base.kind} in the catalogue, not {spelt}; give it another name")
    keys = {spec.name: spec for spec in fields(kind)}
    values, bounds = _stated(row, keys, where)
    missing = [k for k, s in keys.items() if s.default is MISSING and s.default_factory is MISSING and k not in values]
    if missing and base is None:
        raise ConfigError(f"{where}: {', '.join(missing)} missing")
    for key, allowed in CHOICES.items():
        if key in values and values[key] not in allowed:
            raise ConfigError(f"{where}: {key} '{values[key]}' is not one of {', '.join(allowed)}")
    own = {k: _range(k, b, values.get(k, getattr(base, k, None)), where) for k, b in bounds.items()}
    if base is None:
        return kind(**values, ranges=own)
    return _changed(base, values, own, where)


def _stated(
    row: Mapping[str, Any], keys: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Typed values of a row, and the bounds of its ranges."""
    values: dict[str, Any] = {}
    bounds: dict[str, list[float]] = {}
    for key, value in row.items():
        stem, _, end = key.rpartition("_")
        if key == "kind":
            continue
        if key in keys and key != "ranges":
            values[key] = _typed(value, _spelt(keys[key].type), f"{where}: {key}")
        elif end in ("low", "high") and stem in keys:
            bounds.setdefault(stem, [float("nan"), float("nan")])[end == "high"] = _number(value, f"{where}: {key}")
        else:
            raise ConfigError(f"{where}: unknown key '{key}'{closest(key, list(keys))}")
    return values, bounds


def _changed(base: Part, values: dict[str, Any], ranges: Mapping[str, tuple[float, float]], where: str) -> Part:
    """A known part with some values of its own; a value that changes leaves its range, source and estimate behind."""
    about = ("name", "title", "source", "year", "confidence", "sources", "estimates")
    new = {key for key in values if key not in about}
    source = values.pop("source", None) or where
    told = {"sources": dict.fromkeys(new, source) | dict(values.pop("sources", {}))}
    told["estimates"] = dict(values.pop("estimates", {}))
    for key, stated in told.items():
        values[key] = {k: v for k, v in getattr(base, key).items() if k not in new} | stated
    kept = {key: bounds for key, bounds in base.ranges.items() if key not in new | ranges.keys()}
    return replace(base, **{**values, "ranges": {**kept, **ranges}})


def _range(key: str, bounds: list[float], value: float | None, where: str) -> tuple[float, float]:
    low, high = (value if b != b and value is not None else b for b in bounds)
    if not low <= high or (value is not None and not low <= value <= high):
        raise ConfigError(f"{where}: {key} = {value} lies outside its range {low} to {high}")
    return low, high


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise ConfigError(f"{where} = {value!r} is not a finite number")
    return value


def _spelt(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _typed(value: Any, annotation: str, where: str) -> Any:
    if annotation.startswith(("float", "int")):
        number = _number(value, where)
        if number < 0 and not where.endswith(_SIGNED):
            raise ConfigError(f"{where} = {value} is negative")
        if annotation.startswith("int") and number != int(number):
            raise ConfigError(f"{where} = {value} is not a whole number")
        return number
    if annotation.startswith("bool") and not isinstance(value, bool):
        raise ConfigError(f"{where} = {value!r} is not true or false")
    if annotation.startswith("str") and not isinstance(value, str):
        raise ConfigError(f"{where} = {value!r} is not text")
    if annotation.startswith("tuple"):
        if not isinstance(value, list):
            raise ConfigError(f"{where} = {value!r} is not an array")
        if annotation.startswith("tuple[str"):
            return tuple(_typed(v, "str", where) for v in value)
        return tuple(_number(v, where) for v in value)
    if "Mapping" in annotation:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} = {value!r} is not a table")
        return MappingProxyType(dict(value))
    return value


def read_parts(path: Path, known: Mapping[str, Part] = MappingProxyType({})) -> dict[str, Part]:
    """Parts of one TOML file of [[part]] tables, by name; ConfigError names file, part and key of what is wrong.

    A row that bears the name of a known part states what differs, and the rest stays: `name` and one value do. Its
    `source` becomes the source of what it states; a range or an estimate of a value that changes is gone with it.
    """
    document = read_toml(path, "a TOML file of [[part]] tables")
    rows = document.get("part")
    if not isinstance(rows, list) or len(document) != 1:
        raise ConfigError(f"{path}: holds {', '.join(document) or 'nothing'}; give [[part]] tables")
    parts: dict[str, Part] = {}
    for row in rows:
        read = _read_part(row, str(path.name), known)
        if read.name in parts:
            raise ConfigError(f"{path.name}: part '{read.name}' stands there twice")
        parts[read.name] = read
    return parts


@cache
def catalogue(*extra: Path) -> Catalogue:
    """The catalogue that comes with the program; each extra file adds rows, or changes values of those it names."""
    parts: dict[str, Part] = {}
    digest = sha256()
    for path in [*sorted(_FOLDER.glob("*.toml")), *extra]:
        read = read_parts(path) if path.parent == _FOLDER else read_parts(path, parts)
        repeated = set(parts) & set(read) if path.parent == _FOLDER else set()
        if repeated:
            raise ConfigError(f"{path.name}: parts {', '.join(sorted(repeated))} stand in another file too")
        parts |= read
        digest.update(path.read_bytes())
    return Catalogue(parts, digest.hexdigest()[:16])


def part(name: str, kind: type[P] = Part) -> P:  # type: ignore[assignment]
    """A part of the catalogue that comes with the program.

    >>> part("palomar-136").kind
    'ocs'
    """
    return catalogue().part(name, kind)
