"""Phases of a step and the configurations of the fabric that could serve them, from a file, with the time of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms import Schedule, Step
from fabric.algorithms.tours import Tours
from fabric.collectives import COLLECTIVES, Collective, collective
from fabric.planning.demand import read_demand
from fabric.planning.operations import DELAY
from fabric.routing import resolve
from fabric.timing import Assumptions, Plan, choose, routed
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build
from topologies.toml_documents import read_toml
from topologies.units import parse_size_bytes

PHASE = ("name", "collective", "size", "group", "stride", "demand", "idle_ms", "times_ms")
CONFIGURATION = ("name", "spec", "state")
SWITCHING = ("delay_ms", "ocs", "optic", "steps", "moves", "planes")
USUAL = Assumptions()
LONGEST_MS = 1e12  # a generation: what a file says, not what time is
GROUPED = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-recv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What is sent at once, after `idle_s` without traffic: a collective of all ranks or of groups of ranks that are
    `stride` apart, or a matrix of bytes between ranks; `times_s` are measured times by configuration, used as given."""

    name: str
    idle_s: float = 0.0
    collective: str | None = None
    size_bytes: int | None = None
    group: int | None = None
    stride: int = 1
    demand: Path | None = None
    times_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A fabric, or a state of its circuit switches (int32[M, 3] in an .npy file)."""

    name: str
    spec: str | None
    state: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """What a switch from one configuration to another takes: a delay, or the steps of a device; `moves` circuits a
    device where they cannot be counted, `planes` that may switch one by one."""

    delay_s: float | None = None
    ocs: str | None = None
    optic: str | None = None
    steps: Sequence[str] = DELAY
    moves: int | None = None
    planes: int = 1


@dataclass(frozen=True, slots=True)
class Iteration:
    """A repeating step: its phases in order, the configurations, and how switches between them happen."""

    phases: Sequence[Phase]
    configurations: Sequence[Configuration]
    switching: Switching


def read_iteration(path: Path) -> Iteration:
    """A step from a TOML file of [[phase]], [[configuration]] and [switching] tables; ConfigError in one line."""
    document = read_toml(path, "a TOML file of phases")
    try:
        return _step(document, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _step(document: Mapping[str, Any], folder: Path) -> Iteration:
    _known("the file", document, ("phase", "configuration", "switching"))
    phases = [_phase(row, n, folder) for n, row in enumerate(_tables(document, "phase"), 1)]
    rows = _tables(document, "configuration")
    configurations = [_configuration(row, n, folder) for n, row in enumerate(rows, 1)]
    for what, things in (("phase", phases), ("configuration", configurations)):
        names = [thing.name for thing in things]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"two tables [[{what}]] are named '{twice}'; give each a name of its own")
    own = [configuration.name for configuration in configurations]
    for phase in phases:
        for name in phase.times_s:
            if name not in own:
                raise ConfigError(f"phase '{phase.name}', times_ms: {unknown('configuration', name, own)}")
        for configuration in configurations:
            if configuration.spec is None and configuration.name not in phase.times_s:
                raise ConfigError(
                    f"configuration '{configuration.name}' has no spec and phase '{phase.name}' no times_ms for it; "
                    "give one of them"
                )
            if phase.collective is None and phase.demand is None and configuration.name not in phase.times_s:
                raise ConfigError(f"phase '{phase.name}' has neither collective nor demand; give one, or times_ms")
    return Iteration(phases, configurations, _switching(document.get("switching", {})))


def _tables(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = document.get(name)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"no [[{name}]] table; give at least one")
    return rows


def _known(where: str, row: Mapping[str, Any], keys: Sequence[str]) -> None:
    for key in row:
        if key not in keys:
            raise ConfigError(f"{where}: {unknown('key', key, keys)}")


def _text(where: str, row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip() or not value.isprintable()):
        raise ConfigError(f"{where}: {key} = {value!r:.40} is not text of one line")
    return value


def _ms(where: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_MS:
        raise ConfigError(f"{where}: {key} = {value!r:.40} is not a number of milliseconds from 0 to {LONGEST_MS:g}")
    return float(value) / 1e3


def _whole(where: str, row: Mapping[str, Any], key: str, least: int) -> int | None:
    value = row.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ConfigError(f"{where}: {key} = {value!r:.40} is not a whole number from {least} on")
    return value


def _phase(row: Mapping[str, Any], number: int, folder: Path) -> Phase:
    name = _text(f"phase {number}", row, "name") or f"phase {number}"
    where = f"phase '{name}'"
    _known(where, row, PHASE)
    what, demand = _text(where, row, "collective"), _text(where, row, "demand")
    if what is not None and demand is not None:
        raise ConfigError(f"{where} has a collective and a demand; give one of them")
    if what is not None and what not in COLLECTIVES:
        raise ConfigError(f"{where}: {unknown('collective', what, COLLECTIVES)}")
    group = _whole(where, row, "group", 2)
    if group is not None and what not in GROUPED:
        raise ConfigError(f"{where}: group goes with {', '.join(GROUPED)}, not with {what or 'a demand'}")
    if "stride" in row and group is None:
        raise ConfigError(f"{where}: stride says how far ranks of a group are apart; give group as well")
    if what is not None and "size" not in row:
        raise ConfigError(f"{where} has no size; write it like 1GiB, 8MB or 512")
    times = row.get("times_ms", {})
    if not isinstance(times, dict):
        raise ConfigError(f"{where}: times_ms = {times!r:.40} is not a table of configuration = milliseconds")
    return Phase(
        name=name, idle_s=_ms(where, "idle_ms", row.get("idle_ms", 0)), collective=what,
        size_bytes=parse_size_bytes(row["size"]) if "size" in row else None, group=group,
        stride=_whole(where, row, "stride", 1) or 1, demand=None if demand is None else folder / demand,
        times_s={key: _ms(where, f"times_ms.{key}", value) for key, value in times.items()},
    )  # fmt: skip


def _configuration(row: Mapping[str, Any], number: int, folder: Path) -> Configuration:
    where = f"configuration {number}"
    _known(where, row, CONFIGURATION)
    spec, state = _text(where, row, "spec"), _text(where, row, "state")
    name = _text(where, row, "name") or spec
    if name is None:
        raise ConfigError(f"{where} has neither name nor spec; give at least one")
    if state is not None and spec is None:
        raise ConfigError(f"configuration '{name}' has a state of no fabric; give its spec as well")
    return Configuration(name, spec, None if state is None else folder / state)


def _switching(row: Any) -> Switching:
    if not isinstance(row, dict):
        raise ConfigError("[switching] is a table; give delay_ms or ocs in it")
    _known("[switching]", row, SWITCHING)
    if "delay_ms" in row and "ocs" in row:
        raise ConfigError("[switching] has delay_ms and ocs; give one of them")
    steps = row.get("steps", list(DELAY))
    if not isinstance(steps, list) or not steps:
        raise ConfigError(f"[switching]: steps = {steps!r:.40} is not a list of {', '.join(DELAY)}")
    for step in steps:
        if step not in DELAY:
            raise ConfigError(f"[switching]: {unknown('step', str(step), DELAY)}")
    return Switching(
        delay_s=_ms("[switching]", "delay_ms", row["delay_ms"]) if "delay_ms" in row else None,
        ocs=_text("[switching]", row, "ocs"), optic=_text("[switching]", row, "optic"),
        steps=[step for step in DELAY if step in steps], moves=_whole("[switching]", row, "moves", 1),
        planes=_whole("[switching]", row, "planes", 1) or 1,
    )  # fmt: skip


def fabrics(step: Iteration, parts: Catalogue) -> list[Topology | None]:
    """The topology of every configuration; None where only measured times stand for it."""
    built: dict[str, Topology] = {}
    found: list[Topology | None] = []
    for own in step.configurations:
        if own.spec is None:
            found.append(None)
            continue
        if own.spec not in built:
            built[own.spec] = build(own.spec, parts)
        topology = built[own.spec]
        found.append(topology if own.state is None else topology.with_state(_state(own.state)))
    sizes = {len(topology.accelerators): topology.name for topology in found if topology is not None}
    if len(sizes) > 1:
        told = ", ".join(f"{name} has {n:,}" for n, name in sorted(sizes.items()))
        raise ConfigError(f"configurations of one fabric have as many accelerators each; {told}")
    return found


def _state(path: Path) -> NDArray[np.int32]:
    try:
        array = np.asarray(np.load(path, allow_pickle=False))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'not an .npy file'}; give a state of circuits") from None
    except (ValueError, EOFError, AttributeError, SyntaxError):
        raise ConfigError(f"{path}: not an .npy file of whole numbers") from None
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iu":
        raise ConfigError(f"{path}: a state is whole numbers in rows of device and two ports; give an .npy of [M, 3]")
    return array.astype(np.int32)


def cost_s(
    step: Iteration, topologies: Sequence[Topology | None], given: Assumptions = USUAL
) -> tuple[NDArray[np.float64], list[str]]:
    """Seconds of every phase in every configuration, float64[P, C], as `simulate` has them; inf where a configuration
    does not serve the phase, and why."""
    costs, reasons = np.full((len(step.phases), len(step.configurations)), inf), []
    for p, phase in enumerate(step.phases):
        for c, (own, topology) in enumerate(zip(step.configurations, topologies, strict=True)):
            if own.name in phase.times_s:
                costs[p, c] = phase.times_s[own.name]
                continue
            try:
                costs[p, c] = phase_s(phase, topology, given) if topology is not None else inf
            except InfeasibleError as reason:
                reasons.append(f"{own.name} does not serve {phase.name}: {reason}")
    return costs, reasons


def phase_s(phase: Phase, topology: Topology, given: Assumptions = USUAL) -> float:
    """Seconds of one phase on one fabric; InfeasibleError where no path serves it.

    >>> whole = Phase(name="all", collective="all-to-all", size_bytes=2**20)
    >>> halves = Phase(name="halves", collective="all-to-all", size_bytes=2**20, group=4)
    >>> ring = build("ring:n=8")
    >>> phase_s(halves, ring) < phase_s(whole, ring)
    True
    """
    n = len(topology.accelerators)
    if phase.demand is not None:
        matrix = read_demand(phase.demand, list(map(str, topology.accelerators)), what="accelerator", unit="bytes")
        source, target = np.nonzero(matrix)
        traffic = Traffic.pairs(n, source, target, matrix[source, target])
        return _timed(topology, Schedule("direct", "pipelined", (Step("send", traffic, 1),)), given).time_s(1)
    name, size = str(phase.collective), phase.size_bytes or 0
    if phase.group is None or (phase.group == n and phase.stride == 1):
        return choose(topology, collective(name, n), size, given).time_s(size)
    groups = grouped(n, phase.group, phase.stride)
    return min(_timed(topology, schedule, given).time_s(size) for schedule in _in_groups(name, n, groups))


def grouped(n: int, size: int, stride: int = 1) -> NDArray[np.int64]:
    """Ranks by group, int64[groups, size]; ConfigError where they do not divide.

    >>> grouped(8, 2, 2).tolist()
    [[0, 2], [1, 3], [4, 6], [5, 7]]
    """
    if n % (size * stride):
        raise ConfigError(f"{n:,} ranks are no groups of {size} that are {stride} apart; give a divisor")
    rows: NDArray[np.int64] = np.arange(n).reshape(-1, size, stride).transpose(0, 2, 1).reshape(-1, size)
    return rows


def _in_groups(name: str, n: int, groups: NDArray[np.int64]) -> list[Schedule]:
    """Direct exchange within groups, and round a ring of each where that does."""
    size = groups.shape[1]
    if name == "send-recv":
        traffic = Traffic.pairs(n, groups.ravel(), np.roll(groups, -1, axis=1).ravel(), 1.0)
        return [Schedule("direct", "pipelined", (Step("send", traffic, 1),))]
    twice = 2 if name == "all-reduce" else 1
    exchange = Step("exchange", Traffic.within(groups, n, 1 / size), 1)
    found = [Schedule("direct", "pipelined", (exchange,) * twice)]
    if name != "all-to-all":
        hops = twice * (size - 1)
        traffic = Tours.both_ways(groups).traffic(n, hops / size / 2)
        found.append(Schedule("ring", "pipelined", (Step("round the rings", traffic, hops, chain=True),)))
    return found


def _timed(topology: Topology, schedule: Schedule, given: Assumptions) -> Plan:
    n = len(topology.accelerators)
    return routed(topology, Collective("all-to-all", n), schedule, resolve(topology, given.routing), given.options)
