"""Phases of a step and the configurations of the fabric that could serve them, from a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabric.collectives import COLLECTIVES
from fabric.membership import sizes_of
from fabric.planning.operations import DELAY
from fabric.planning.phase import Phase
from fabric.workloads.models.zoo import model as named
from fabric.workloads.steps.parallel import parse_parallel
from topologies.errors import ConfigError, unknown
from topologies.toml_documents import read_toml
from topologies.units import parse_size_bytes

STEP = ("group", "layers", "model", "parallel")
STEP_NOTES = {"layers": "phases follow one another, those of gradients too, which computation may hide in truth"}
PHASE = ("name", "collective", "size", "group", "stride", "over", "times", "demand", "idle_ms", "times_ms")
CONFIGURATION = ("name", "spec", "state")
SWITCHING = ("delay_ms", "ocs", "optic", "steps", "moves", "planes")
LONGEST_MS = 1e12  # a generation: what a file says, not what time is
GROUPED = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "send-recv")


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
    """A repeating step: its phases in order, the configurations, how switches between them happen, and what the phases
    take for granted; or in place of phases a `model` and the layout of its training step, which say them."""

    phases: Sequence[Phase]
    configurations: Sequence[Configuration]
    switching: Switching
    notes: Sequence[str] = ()
    model: str | None = None
    parallel: str = ""


def read_iteration(path: Path) -> Iteration:
    """A step from a TOML file of [[phase]], [[configuration]] and [switching] tables; ConfigError in one line.

    [step] says how ranks are numbered (`group`, as `--group`), so that a phase names the dimensions it is `over`; or it
    stands for all phases: `layers`, a workload of SimAI, or `model` and `parallel`, as training takes them.
    """
    document = read_toml(path, "a TOML file of phases")
    try:
        return _iteration(document, path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _iteration(document: Mapping[str, Any], folder: Path) -> Iteration:
    _known("the file", document, ("step", "phase", "configuration", "switching"))
    step = _step(document)
    phases = [] if step["model"] is not None else _phases(document, folder, step)
    rows = _tables(document, "configuration")
    configurations = [_configuration(row, n, folder) for n, row in enumerate(rows, 1)]
    written = phases if "phase" in document else []
    for what, things in (("phase", written), ("configuration", configurations)):
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
    notes = [note for key, note in STEP_NOTES.items() if key in document.get("step", {})]
    switching = _switching(document.get("switching", {}))
    return Iteration(phases, configurations, switching, notes, step["model"], step["parallel"] or "")


def _step(document: Mapping[str, Any]) -> dict[str, str | None]:
    """What [step] says."""
    step = document.get("step", {})
    if not isinstance(step, dict):
        raise ConfigError("[step] is a table; give group, layers, or model and parallel in it")
    _known("[step]", step, STEP)
    told = {key: _text("[step]", step, key) for key in STEP}
    if (told["model"] is None) != (told["parallel"] is None):
        raise ConfigError("[step]: model and parallel go together; give both")
    made = [key for key in ("layers", "model") if told[key] is not None]
    if made and ("phase" in document or told["group"] is not None or len(made) > 1):
        raise ConfigError(f"[step] {made[0]} says all phases; leave the others out")
    if told["model"] is not None and told["parallel"] is not None:
        named(told["model"])
        parse_parallel(told["parallel"])
        if any("spec" not in row for row in _tables(document, "configuration")):
            raise ConfigError("[step] model: a configuration has no spec; give one")
    return told


def _phases(document: Mapping[str, Any], folder: Path, told: Mapping[str, str | None]) -> list[Phase]:
    """Those that the file writes out, or those of the layers that it names."""
    if told["layers"] is not None:
        from fabric.planning.steps import phases_of_layers

        return phases_of_layers(folder / told["layers"])
    numbering = None if told["group"] is None else sizes_of(told["group"])
    return [_phase(row, n, folder, numbering) for n, row in enumerate(_tables(document, "phase"), 1)]


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


def _phase(row: Mapping[str, Any], number: int, folder: Path, numbering: Mapping[str, int] | None = None) -> Phase:
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
    over = _over(where, row, numbering)
    if over and (group is not None or what not in GROUPED):
        raise ConfigError(f"{where}: over goes with {', '.join(GROUPED)}, and without group; leave one out")
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
        numbering=numbering if over else None, over=over, times=_whole(where, row, "times", 1) or 1,
    )  # fmt: skip


def _over(where: str, row: Mapping[str, Any], numbering: Mapping[str, int] | None) -> tuple[str, ...]:
    """The dimensions that the groups of a phase extend over."""
    text = _text(where, row, "over")
    if text is None:
        return ()
    if numbering is None:
        raise ConfigError(f'{where}: over names dimensions of the step; give [step] group, e.g. "tp=8,dp=16"')
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in numbering:
            raise ConfigError(f"{where}: {unknown('dimension', name, numbering)}")
    return names


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
