"""Sizes: what fits of each fabric under the limits of a site, ranked by what is wanted of them."""

import tomllib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler
from os import cpu_count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fabric.results import accelerator_of
from fabric.sizing.answers import Sized, answered
from fabric.sizing.ladders import ladder
from fabric.sizing.limits import MOST, Limits
from fabric.sizing.objectives import Objective, objective_of, tokens_per_s
from fabric.sizing.rules import rule_of, rules
from fabric.sizing.search import search
from fabric.sizing.working import worked
from fabric.workloads.replicas import Load
from fabric.workloads.steps.splits import Question
from topologies.errors import ConfigError, FabricError
from topologies.parts import Catalogue, catalogue

PAYS_FROM = 20_000  # accelerators in all from which processes cost less than they save
STANDING = Path(__file__).with_name("standing.toml")
ALL = "all"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Answers in the order of their rank, those without one last; `objective` is what they are ranked by."""

    rows: tuple[Sized, ...]
    objective: str
    unit: str
    limits: Limits


def size(
    specs: Sequence[str] = (),
    *,
    families: Sequence[str] = (),
    facility_w: float | None = None,
    usd: float | None = None,
    racks: int | None = None,
    pue: float | None = None,
    draw: Any = "maximum",
    objective: str | Objective = "accelerators",
    collective: str | None = None,
    message: str | float = "1GiB",
    transport: str = "auto",
    asked: Question | Load | None = None,
    layout: str = "auto",
    routing: str = "auto",
    scale_out: str | None = None,
    most: int = MOST,
    parts: Catalogue | None = None,
    workers: int = 1,
) -> Sizes:
    """The largest number of accelerators of each fabric under facility watts, dollars and racks, what binds, and what
    one more would take.

    `specs` grow as growth.toml says; `families` start from its own specs ("all": every one); without either the
    standing fabrics are taken. Ranked by `objective`, or by what all together get in a `collective` of `message`
    bytes; of "train:MODEL" and "serve:MODEL" `asked` says the step or the load, `layout` how it is split. A fabric
    without an answer has its `error`. `workers` above one are processes, 0 takes all cores, and the answer is the same.
    ConfigError for limits, names and objectives that cannot be.

    >>> answer = size(["nvl72"], facility_w=4e6, pue=1.15)
    >>> row = answer.rows[0]
    >>> row.before_network, row.weight.racks, row.binding
    ({'racks': 26, 'accelerators': 1872}, 25, ('power',))
    """
    if isinstance(specs, str):
        raise ConfigError("size takes a list of fabrics, e.g. ['nvl72', 'tpu-v4-64']")
    limits = Limits(facility_w, usd, racks, pue, draw, most)
    limits.check()
    wanted = objective_of(objective, collective, message, transport, asked=asked, layout=layout, routing=routing)
    named = _named(specs, families)
    parts = catalogue() if parts is None else parts
    for spec in named:
        ladder(spec, limits.most, parts, scale_out)  # what grows nowhere is no row of an answer
    one = partial(size_one, limits=limits, objective=wanted, scale_out=scale_out, parts=parts)
    return Sizes(_ranked(_answers(one, named, limits, cpu_count() or 1 if workers == 0 else workers)),
                 wanted.name, wanted.unit, limits)  # fmt: skip


def standing() -> list[str]:
    """The fabrics that are put side by side where none is named."""
    return list(_standing()["specs"])


@cache
def _standing() -> dict[str, Any]:
    return tomllib.loads(STANDING.read_text(encoding="utf-8"))


def _named(specs: Sequence[str], families: Sequence[str]) -> list[str]:
    every = list(rules()) if ALL in families else families
    named = [*specs, *(rule_of(name).spec for name in every)] or standing()
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"'{twice}' is given twice; it has one size")
    return named


def size_one(
    spec: str, *, limits: Limits, objective: Objective, parts: Catalogue, scale_out: str | None = None
) -> Sized:
    """The answer for one spec; with its `error` where it has none. ConfigError for a spec that nothing says how to
    grow."""
    rungs = ladder(spec, limits.most, parts, scale_out)
    try:
        found = search(rungs, limits)
    except FabricError as error:
        return Sized(spec, error=str(error))
    sized = Sized(spec, rungs.says, **answered(found, limits))
    if found.topology is None:
        return sized
    sized = replace(sized, accelerator=accelerator_of(found.topology))
    try:
        if objective.run is None:
            return replace(sized, objective=objective.evaluate(found.topology))
        answer = objective.run.answer(found.topology)
        return replace(sized, objective=tokens_per_s(answer), worked=worked(answer, sized.weight))
    except FabricError as error:
        return replace(sized, error=f"{objective.name}: {error}")


def _answers(one: "partial[Sized]", specs: Sequence[str], limits: Limits, workers: int) -> list[Sized]:
    """One after the other, or in processes where the fabrics are many and large."""
    if workers < 2 or len(specs) < 2 or _expected(limits) * len(specs) < PAYS_FROM:
        return [one(spec) for spec in specs]
    ForkingPickler.register(MappingProxyType, _as_dict)  # which catalogues hold, and pickle does not know by itself
    with ProcessPoolExecutor(min(workers, len(specs)), get_context("spawn")) as pool:
        return list(pool.map(one, specs))


def _expected(limits: Limits) -> float:
    """About how many accelerators fit: enough to tell whether processes pay."""
    each: dict[str, float] = _standing()["rough"]
    return min(given / each[name] for name, given in limits.given.items())


def _as_dict(proxy: "MappingProxyType[Any, Any]") -> tuple[Any, ...]:
    return _read_only, (dict(proxy),)


def _read_only(values: dict[Any, Any]) -> "MappingProxyType[Any, Any]":
    return MappingProxyType(values)


def _ranked(rows: Sequence[Sized]) -> tuple[Sized, ...]:
    """By the objective, most first; as they were given where that is alike."""
    known = [row for row in rows if row.error is None and row.objective is not None]
    ordered = sorted(known, key=lambda row: -(row.objective or 0.0))
    rest = [row for row in rows if row.error is not None or row.objective is None]
    placed = [replace(row, rank=i + 1) for i, row in enumerate(ordered)] if len(ordered) > 1 else ordered
    return (*placed, *rest)
