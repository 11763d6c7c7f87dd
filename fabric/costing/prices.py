"""A user's prices, in place of the catalogue's: a file of TOML or CSV."""

import csv
from collections.abc import Mapping
from dataclasses import fields, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

from fabric.costing.dollars import Usd
from topologies.errors import ConfigError, unknown
from topologies.formats.contents import read_text
from topologies.parts import Catalogue, CircuitSwitch, Part
from topologies.toml_documents import MAX_MIB, read_toml

WANTED = "prices, as TOML (qm9700 = 25000, or a table of price, low, high) or CSV (name,price,low,high)"
_KEYS = ("price", "low", "high")


def read_prices(path: Path) -> dict[str, Usd]:
    """Dollars of one unit by the name of a part; ConfigError names file, part and value of what is wrong."""
    rows = _csv(path) if path.suffix.lower() == ".csv" else _toml(path)
    if not rows:
        raise ConfigError(f"{path}: holds no price; give {WANTED}")
    return rows


def _toml(path: Path) -> dict[str, Usd]:
    found: dict[str, Usd] = {}
    for name, given in read_toml(path, WANTED).items():
        table = given if isinstance(given, dict) else {"price": given}
        for key in table:
            if key not in _KEYS:
                raise ConfigError(f"{path}: {name} has the key '{key}'; it takes {', '.join(_KEYS)}")
        found[name] = _range(table, f"{path}: {name}")
    return found


def _csv(path: Path) -> dict[str, Usd]:
    found: dict[str, Usd] = {}
    lines = csv.reader(read_text(path, WANTED, MAX_MIB).splitlines())
    for number, cells in enumerate(lines, start=1):
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#") or (number == 1 and cells[:2] == ["name", "price"]):
            continue
        if not 2 <= len(cells) <= 4:
            raise ConfigError(f"{path}, line {number}: {len(cells)} cells; write name,price or name,price,low,high")
        if cells[0] in found:
            raise ConfigError(f"{path}, line {number}: part '{cells[0]}' stands there twice")
        given = {key: _number(cell) for key, cell in zip(_KEYS, cells[1:], strict=False) if cell}
        found[cells[0]] = _range(given, f"{path}, line {number}: {cells[0]}")
    return found


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _range(given: Mapping[str, Any], where: str) -> Usd:
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
            raise ConfigError(f"{where}: {key} = {value!r} is no price; give dollars, zero or more")
    if "price" not in given:
        raise ConfigError(f"{where}: no price; give one, low and high beside it if wanted")
    price = float(given["price"])
    usd = Usd(price, float(given.get("low", price)), float(given.get("high", price)))
    if not usd.low <= usd.value <= usd.high:
        raise ConfigError(f"{where}: price {price:g} lies outside {usd.low:g} to {usd.high:g}")
    return usd


def priced(parts: Catalogue, prices: Mapping[str, Usd], source: str = "prices given") -> Catalogue:
    """The catalogue with those prices of one unit each (a circuit switch with all its ports) in place of its own.

    >>> from topologies.parts import catalogue
    >>> priced(catalogue(), {"qm9700": Usd(25000.0, 20000.0, 30000.0)})["qm9700"].ranges["price_usd"]
    (20000.0, 30000.0)
    """
    for name in prices:
        if name not in parts:
            raise ConfigError(unknown("part", name, parts, "aifabric parts lists them"))
    stated = {name: _with_price(parts[name], usd, source) for name, usd in prices.items()}
    digest = sha256(f"{parts.hash} {sorted(prices.items())}".encode()).hexdigest()[:16]
    return Catalogue({**parts, **stated}, digest)


def _with_price(part: Part, usd: Usd, source: str) -> Part:
    key, ports = "price_usd", 1
    if isinstance(part, CircuitSwitch):
        key, ports = "price_usd_per_port", part.ports_per_side
    if key not in {spec.name for spec in fields(part)}:
        raise ConfigError(f"prices: part '{part.name}' is of kind {part.kind}, which has no price")
    changed: dict[str, Any] = {
        key: usd.value / ports,
        "ranges": {**part.ranges, key: (usd.low / ports, usd.high / ports)},
        "sources": {**part.sources, key: source},
        "estimates": {k: v for k, v in part.estimates.items() if k != key},
    }
    return replace(part, **changed)
