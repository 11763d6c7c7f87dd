"""Ladders: the fabrics of a spec from its smallest up, each built when it is asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from math import gcd, prod
from pathlib import Path
from typing import Any

from fabric.sizing.rules import Grid, Rule, counted, rule_of
from topologies.composition import compose
from topologies.errors import ConfigError
from topologies.families import System, build_family, family, systems
from topologies.graph import Topology
from topologies.parameters import Family, parse_value
from topologies.parts import Catalogue
from topologies.registry import build, is_file, named, with_parameters
from topologies.specfile import SIMPLE, build_toml
from topologies.toml_documents import read_toml

MIXED = ("racks", "sites")


@dataclass(frozen=True, slots=True)
class Ladder:
    """Candidates 0, 1, 2, ... below `length`, each larger than the one before, the size of candidate i about
    proportional to a power of `first` + i; `says` how they grow."""

    spec: str
    says: str
    length: int
    first: int
    name: Callable[[int], str]
    build: Callable[[int], Topology]


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a family starts from: what the user states, over what a ready-made system sets."""

    label: str
    family: Family
    given: Mapping[str, Any]
    system: System | None
    name: Callable[[Mapping[str, str]], str]

    @property
    def stated(self) -> dict[str, Any]:
        """What the system and the user state."""
        return {**(self.system.parameters if self.system else {}), **self.given}

    @property
    def every(self) -> dict[str, Any]:
        """That, over the family's defaults."""
        return {**{key: p.default for key, p in self.family.parameters.items() if not p.required}, **self.stated}


def ladder(spec: str, most: int, parts: Catalogue, scale_out: str | None = None) -> Ladder:
    """The fabrics that a spec grows into, up to about `most` accelerators: those of a family or a ready-made system
    along its row of growth.toml, those of a composition in whole multiples of its mix of racks, and of a scale-up
    domain as many as wanted on `scale_out` (the row's by default).

    ConfigError for a spec that nothing says how to grow.

    >>> from topologies.parts import catalogue
    >>> grown = ladder("tpu-v4-64", 4096, catalogue())
    >>> [grown.name(i) for i in (0, 1, 2, 3)][-1], len(grown.build(2).accelerators)
    ('tpu-v4-64:slice=8x8x8', 256)
    """
    text = spec.strip()
    if not is_file(text):
        found = named(text)
        start = _Start(text, found.family, found.given, found.system, lambda changed: with_parameters(text, changed))
        return _of_family(start, most, parts, scale_out)
    if not text.lower().endswith(".toml"):
        raise ConfigError(f"'{spec}' is one fabric as it stands; give a family, a ready-made system or a TOML file")
    path = Path(text)
    document = read_toml(path, "a TOML topology")
    if "family" not in document and set(document) & set(MIXED):
        _refuse_scale_out(text, scale_out)
        return _of_composition(text, document, path, most, parts)
    if set(document) - set(SIMPLE) or not isinstance(document.get("family"), str):
        build_toml(path, parts, build)  # says what is wrong
    base = systems().get(document["family"])
    given = document.get("parameters", {})

    def worded(changed: Mapping[str, str]) -> str:
        return f"{path.stem}:" + ",".join(f"{key}={value}" for key, value in changed.items())

    return _of_family(
        _Start(text, family(base.family if base else document["family"]), given, base, worded), most, parts, scale_out
    )


def _refuse_scale_out(spec: str, scale_out: str | None) -> None:
    if scale_out is not None:
        raise ConfigError(f"'{spec}' has a network of its own; --scale-out joins scale-up domains such as nvl72")


def _of_family(start: _Start, most: int, parts: Catalogue, scale_out: str | None) -> Ladder:
    rule = rule_of(start.family.name)
    if rule.compose is not None:
        return _of_domain(start.label, scale_out, rule.compose, most, parts)
    _refuse_scale_out(start.label, scale_out)
    changes, first, says = _changes(rule, start, most)
    freed = {k: "none" for k in rule.frees if k in start.stated and k not in start.given}
    says += f"; {', '.join(freed)} follow" if freed else ""

    def made(i: int) -> Topology:
        given = {**start.given, **freed, **changes[i]}
        return build_family(start.family, name(i), start.label, given, start.system, parts)

    def name(i: int) -> str:
        return start.name({**freed, **changes[i]})

    return Ladder(start.label, says, len(changes), first, name, made)


class _Multiples(Sequence[Mapping[str, str]]):
    """Changes of candidate i: every parameter so many times its multiple, written when asked for."""

    def __init__(self, multiples: Mapping[str, int], least: int, length: int) -> None:
        self.multiples, self.least, self.length = multiples, least, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, i: Any) -> Any:
        return {key: str((self.least + i) * each) for key, each in self.multiples.items()}


def _changes(rule: Rule, start: _Start, most: int) -> tuple[Sequence[Mapping[str, str]], int, str]:
    """What every candidate sets, the size of the first in steps, and how that reads."""
    if rule.grid is not None:
        shapes = _shapes(rule.grid, start, most)
        key, grid = rule.grid.parameter, rule.grid
        evenness = f"the longest at most {grid.aspect} x the shortest" if grid.aspect > 1 else "all alike"
        says = f"{key} from {shapes[0]} on, sides in steps of {grid.step}, {evenness}"
        return [{key: shape} for shape in shapes], 1, says
    if rule.values:
        ((key, values),) = rule.values.items()
        return [{key: str(value)} for value in values], values[0], f"{key} = {values[0]}, {values[1]}, ... {values[-1]}"
    multiples = {key: counted(each, start.every, f"{start.label}: {key}") for key, each in rule.sets.items()}
    least = counted(rule.least, start.every, start.label)
    says = ", ".join(f"{key} = {least * each}, {(least + 1) * each}, ..." for key, each in multiples.items())
    return _Multiples(multiples, least, most), least, says


def _shapes(grid: Grid, start: _Start, most: int) -> list[str]:
    """Shapes by size, of those alike in number the most even."""
    stated, parameter = start.stated.get(grid.parameter), start.family.parameters[grid.parameter]
    sides = grid.sides if stated is None else len(parse_value(parameter, stated, start.family.name))
    units = most // grid.step**sides
    if grid.twist is not None and str(start.stated.get(grid.twist, False)).lower() in ("true", "yes", "1"):
        boxes = _twisted(sides, units)
    else:
        boxes = _boxes(sides, units, grid.aspect, grid.least)
    return ["x".join(str(grid.step * side) for side in box) for box in boxes]


def _boxes(sides: int, most: int, aspect: int, least: int = 1) -> list[tuple[int, ...]]:
    """
    >>> _boxes(3, 8, 2)
    [(1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2)]
    """
    grown: list[tuple[int, ...]] = [(i,) for i in takewhile(lambda i: i**sides <= most, count(least))]
    for left in range(sides - 1, 0, -1):
        grown = [
            (*box, side)
            for box in grown
            for side in range(box[-1], aspect * box[0] + 1)
            if prod(box) * side**left <= most
        ]
    best: dict[int, tuple[int, ...]] = {}
    for box in sorted(grown, key=lambda box: (box[-1] / box[0], box)):
        best.setdefault(prod(box), box)
    return [best[size] for size in sorted(best)] or [(least,) * sides]


def _twisted(sides: int, most: int) -> list[tuple[int, ...]]:
    """Shapes of twisted tori by size: a x a x 2a and a x 2a x 2a, or a x 2a.

    >>> _twisted(3, 40)
    [(1, 1, 2), (1, 2, 2), (2, 2, 4), (2, 4, 4)]
    """
    shapes = [(1, 2)] if sides == 2 else [(1,) * (sides - 1) + (2,), (1, *(2,) * (sides - 1))]
    scaled = [tuple(a * side for side in shape) for a in range(1, max(2, most)) for shape in shapes]
    return [box for box in scaled[: 2 * most] if prod(box) <= most] or [shapes[0]]


def _of_domain(unit: str, scale_out: str | None, default: Mapping[str, Any], most: int, parts: Catalogue) -> Ladder:
    """Whole scale-up domains: one alone, then as many as wanted on the scale-out network."""
    network = default
    if scale_out is not None:
        if is_file(scale_out):
            raise ConfigError(f"--scale-out '{scale_out}' is a file; give a family like rail:rails=4")
        found = named(scale_out)
        network = {"family": found.family.name, "parameters": dict(found.stated)}
    nic = network["parameters"].get("nic")
    words = ",".join(f"{key}={value}" for key, value in network["parameters"].items())
    on = network["family"] + (f":{words}" if words else "")
    rest = {key: value for key, value in network["parameters"].items() if key != "nic"}

    def name(i: int) -> str:
        return unit if i == 0 else f"{i + 1} x {unit} on {on}"

    def made(i: int) -> Topology:
        if i == 0:
            return build(unit, parts)
        racks = {"unit": unit, "count": i + 1, **({} if nic is None else {"nic": nic})}
        document = {"racks": [racks], "scale_out": {"family": network["family"], "parameters": rest}}
        return compose(document, name(i), parts, build)

    return Ladder(unit, f"whole domains of {unit} on {on}, one more at a time", most, 1, name, made)


def _of_composition(spec: str, document: Mapping[str, Any], path: Path, most: int, parts: Catalogue) -> Ladder:
    """Whole multiples of the mix of racks that a file composes."""
    tables = [row for row in _rack_tables(document) if isinstance(row, dict)]
    counts = [row.get("count", 1) for row in tables]
    if not counts or not all(isinstance(each, int) and each > 0 for each in counts):
        build_toml(path, parts, build)  # says what is wrong
    mix = [each // gcd(*counts) for each in counts]
    least = 2 if sum(mix) == 1 else 1  # one domain alone has nothing to join

    def name(i: int) -> str:
        return f"{path.stem} with " + " + ".join(
            f"{(least + i) * each} x {row.get('unit')}" for each, row in zip(mix, tables, strict=True)
        )

    def made(i: int) -> Topology:
        scaled = iter([(least + i) * each for each in mix])
        return compose(_scaled(document, scaled), name(i), parts, build, path.parent)

    mixed = " + ".join(f"{each} x {row.get('unit')}" for each, row in zip(mix, tables, strict=True))
    says = f"whole multiples of {mixed}"
    return Ladder(spec, says, most, least, name, made)


def _rack_tables(document: Any) -> list[Any]:
    """Tables of racks of a file, then those of its sites."""
    racks = document.get("racks")
    found = list(racks) if isinstance(racks, list) else []
    for site in document.get("sites", ()) if isinstance(document.get("sites", ()), list) else ():
        found += site.get("racks") or [] if isinstance(site, dict) else []
    return found


def _scaled(document: Mapping[str, Any], counts: Any) -> dict[str, Any]:
    """The document with those counts of racks, in the order of `_rack_tables`."""

    def rows(tables: Any) -> Any:
        return [{**row, "count": next(counts)} for row in tables]

    scaled = dict(document)
    if "racks" in document:
        scaled["racks"] = rows(document["racks"])
    if "sites" in document:
        scaled["sites"] = [
            {**site, "racks": rows(site["racks"])} if site.get("racks") else dict(site) for site in document["sites"]
        ]
    scaled.pop("name", None)
    return scaled
