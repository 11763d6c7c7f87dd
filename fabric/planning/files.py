"""Plan files: versioned JSON, the same bytes for the same plan, read back strictly, written whole or not at all."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from fabric.planning.plan import FORMAT, Change, Links, Plan, Stage, Switch
from topologies.errors import ConfigError
from topologies.formats.writing import write_whole

FLOOR_KEYS = ("share", "of", "throughput", "before", "after", "demand", "routing")
COUNTED = ("down", "up", "kept", "lower_bound_down", "stages", "stage_lower_bound", "minutes")
MEASURED = ("throughput_before", "throughput_during_min", "throughput_after")  # null where there is no demand
DEPTH = 4  # levels of a document that stand on lines of their own


def plan_text(plan: Plan) -> str:
    """A plan as JSON: one switch's change a line; `digest` is the SHA-256 of all the rest.

    >>> from fabric.planning.planner import plan
    >>> text = plan_text(plan("tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true"))
    >>> text == plan_text(plan_of(json.loads(text)))
    True
    """
    return "".join(_lines(document_of(plan), 0)) + "\n"


def document_of(plan: Plan) -> dict[str, Any]:
    """The JSON object of a plan, with its digest."""
    document: dict[str, Any] = json.loads(json.dumps(plan.document(), allow_nan=False))
    document["digest"] = digest(document)
    return document


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of a plan's document without its own digest, and what --json puts round it."""
    rest = {key: value for key, value in document.items() if key not in ("digest", "schema", "provenance")}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan; ConfigError where that fails, and what stood there stays."""
    write_whole(plan_text(plan), path)


def read_plan(path: Path) -> Plan:
    """The plan of a file; ConfigError where it is none."""
    return plan_of(read_document(path))


def read_document(path: Path) -> dict[str, Any]:
    """The JSON object of a plan file, of a version that this program reads."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a file that 'plan -o' wrote") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON ({error}); give a file that 'plan -o' wrote") from None
    if not isinstance(document, dict) or not isinstance(document.get("format_version"), str):
        raise ConfigError(f'{path}: no "format_version"; give a file that \'plan -o\' wrote')
    version, known = document["format_version"].split("."), FORMAT.split(".")
    if version[0] != known[0]:
        raise ConfigError(f"{path}: format_version {'.'.join(version)[:20]}; this program reads {known[0]}.x")
    return document


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan of a document; keys that a later minor version may have added are left alone.

    ConfigError for what is missing or of another type.
    """
    where = "the plan"
    floor, summary = (_get(document, key, dict, where) for key in ("floor", "summary"))
    for key in COUNTED:
        _get(summary, key, (int, float), "the summary")
    for key in MEASURED:
        _get(summary, key, (int, float, type(None)), "the summary")
    missing = next((key for key in FLOOR_KEYS if key not in floor), None)
    if missing is not None:
        raise ConfigError(f"the floor: '{missing}' is missing; give a file that 'plan -o' wrote")
    _get(floor, "share", (int, float), "the floor")
    for key in ("before", "after"):
        ends = _get(floor, key, list, "the floor")
        if len(ends) != 2 or not all(end is None or type(end) in (int, float) for end in ends):
            raise ConfigError(f"the floor: {key} is not a lower and an upper value")
    stages = [_stage(row, f"stage {number}") for number, row in enumerate(_get(document, "stages", list, where), 1)]
    return Plan(
        wiring=_get(document, "wiring", str, where), blocks=_texts(document, "blocks", where),
        switches=[Switch(_get(row, "name", str, "a switch"), _get(row, "part", str, "a switch"),
                         _get(row, "domain", int, "a switch")) for row in _get(document, "switches", list, where)],
        base=_table(document, "base", where), after=_table(document, "after", where),
        target=_links(document, "target", where), floor=floor, summary=summary, stages=stages,
        inputs=_table(document, "inputs", where) if "inputs" in document else {},
        seed=_get(document, "seed", int, where), warnings=_texts(document, "warnings", where),
        times=_table(document, "times", where) if "times" in document else {},
        engineered=_get(document, "engineered", dict, where) if "engineered" in document else {},
    )  # fmt: skip


def _stage(row: Any, where: str) -> Stage:
    starts = row.get("starts") if isinstance(row, dict) else None
    throughput = _get(row, "throughput", (int, float, type(None)), where)
    seconds = _get(row, "seconds", dict, where)
    if not all(isinstance(value, int | float) and value >= 0 for value in seconds.values()):
        raise ConfigError(f"{where}: seconds are not all numbers of zero or more")
    return Stage(
        id=_get(row, "id", int, where), reason=_get(row, "reason", str, where), drain=_links(row, "drain", where),
        changes=changes_of(_get(row, "changes", list, where), where), undrain=_links(row, "undrain", where),
        throughput=throughput, certificate=_get(row, "certificate", dict, where), seconds=seconds,
        prechecks=_texts(row, "prechecks", where), postchecks=_texts(row, "postchecks", where), starts=starts,
    )  # fmt: skip


def changes_of(rows: Any, where: str) -> list[Change]:
    """Changes of a document."""
    if not isinstance(rows, list):
        raise ConfigError(f"{where}: changes are not a list")
    return [
        Change(_get(row, "switch", str, where), _pairs(row, "delete", where), _pairs(row, "add", where),
               _get(row, "before", str, where), _get(row, "after", str, where))
        for row in rows
    ]  # fmt: skip


def _get(row: Any, key: str, kind: Any, where: str) -> Any:
    if not isinstance(row, dict) or key not in row:
        raise ConfigError(f"{where}: '{key}' is missing; give a file that 'plan -o' wrote")
    value = row[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigError(f"{where}: {key} = {str(value)[:40]!r} is of another type than a plan has there")
    return value


def _texts(row: Any, key: str, where: str) -> list[str]:
    found: list[str] = _get(row, key, list, where)
    if not all(isinstance(text, str) for text in found):
        raise ConfigError(f"{where}: {key} is not a list of text")
    return found


def _table(row: Any, key: str, where: str) -> dict[str, str]:
    found: dict[str, str] = _get(row, key, dict, where)
    if not all(isinstance(text, str) for text in found.values()):
        raise ConfigError(f"{where}: {key} is not an object of text")
    return found


def _links(row: Any, key: str, where: str) -> list[Links]:
    found = _get(row, key, list, where)
    return [Links(_get(one, "a", str, where), _get(one, "b", str, where), _get(one, "number", int, where))
            for one in found]  # fmt: skip


def _pairs(row: Any, key: str, where: str) -> list[tuple[int, int]]:
    found = _get(row, key, list, where)
    for pair in found:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(port) is int and port >= 0 for port in pair)
        if not whole:
            raise ConfigError(f"{where}: {key} holds {str(pair)[:40]!r}, not a pair of ports")
    return [(a, b) for a, b in found]


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _lines(value: Any, depth: int) -> Iterator[str]:
    """JSON with objects and lists opened up to a depth."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if depth >= DEPTH or not any(isinstance(item, dict | list) for item in items):
        yield json.dumps(value, ensure_ascii=False)
        return
    pad = " " * (depth + 1)
    is_object = isinstance(value, dict)
    yield "{" if is_object else "["
    for number, item in enumerate(value.items() if is_object else value):
        yield f"{',' if number else ''}\n{pad}"
        if is_object:
            yield f"{json.dumps(item[0], ensure_ascii=False)}: "
        yield from _lines(item[1] if is_object else item, depth + 1)
    yield f"\n{' ' * depth}{'}' if is_object else ']'}"
