"""Growth rules: which parameter of a family makes a larger fabric of it, and in which steps."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError, unknown

_ROWS = Path(__file__).with_name("growth.toml")
Count = int | str  # a number, or one that follows from a parameter of the spec: "degree+1"


@dataclass(frozen=True, slots=True)
class Grid:
    """Boxes whose sides grow together, in multiples of `step` from `least` of them on, none longer than `aspect` times
    the shortest; `twist` names the parameter that asks for the shapes of twisted tori."""

    parameter: str
    step: int
    aspect: int
    sides: int
    least: int = 1
    twist: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: `sets`, `grid`, `values` or `compose`, and what follows from the size. See growth.toml."""

    family: str
    spec: str
    sets: Mapping[str, Count]
    least: Count
    grid: Grid | None
    values: Mapping[str, tuple[int, ...]]
    compose: Mapping[str, Any] | None
    frees: tuple[str, ...]


@cache
def rules() -> Mapping[str, Rule]:
    """All rows, by family."""
    found = {}
    for row in tomllib.loads(_ROWS.read_text(encoding="utf-8"))["growth"]:
        found[row["family"]] = Rule(
            family=row["family"], spec=row["spec"], sets=row.get("sets", {}), least=row.get("least", 1),
            grid=Grid(**row["grid"]) if "grid" in row else None,
            values={key: tuple(values) for key, values in row.get("values", {}).items()},
            compose=row.get("compose"), frees=tuple(row.get("frees", ())),
        )  # fmt: skip
    return found


def rule_of(family: str) -> Rule:
    """How a family grows; ConfigError where no row says.

    >>> rule_of("fat-tree").sets, rule_of("tpu-pod").grid.step
    ({'k': 2}, 4)
    """
    if family not in rules():
        raise ConfigError(unknown("family with a rule of growth", family, rules()))
    return rules()[family]


def counted(count: Count, stated: Mapping[str, Any], where: str) -> int:
    """The number that a row means, with the parameters of a spec.

    >>> counted(2, {}, "k"), counted("degree+1", {"degree": "32"}, "n"), counted("degree/2+1", {"degree": 33}, "n")
    (2, 33, 17)
    """
    if isinstance(count, int):
        return count
    name, _, plus = count.partition("+")
    name, _, over = name.partition("/")
    try:
        return int(stated[name]) // int(over or 1) + int(plus or 0)
    except (KeyError, ValueError):
        raise ConfigError(f"{where} grows by {count}; give {name} as a whole number") from None
