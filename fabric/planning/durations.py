"""Durations: how long each part of a stage takes, from the rows of its circuit switches and a table of defaults."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from topologies.errors import ConfigError
from topologies.parts import Catalogue, CircuitSwitch

PARTS = ("drain", "command", "switch", "settle", "link_up", "qualify", "undrain", "repair")


def default_times() -> dict[str, dict[str, Any]]:
    """Seconds and source of each part of a stage.

    >>> sorted(default_times()) == sorted(PARTS)
    True
    """
    found = tomllib.loads(files("fabric.planning").joinpath("times.toml").read_text(encoding="utf-8"))
    for name, row in found.items():
        if name not in PARTS or not row["seconds"] >= 0 or not row["source"]:
            raise ConfigError(f"times.toml: {name} needs seconds of zero or more, and a source")
    return found


def switching_s(part: str, moves: int, parts: Catalogue, times: Mapping[str, Mapping[str, Any]]) -> tuple[float, str]:
    """Seconds that a device takes for so many cross-connects, and where that is from: a robot takes one after the
    other, mirrors move together (bulk time where the row has one).

    >>> from topologies.parts import catalogue
    >>> switching_s("telescent-g4", 3, catalogue(), default_times())[0]
    360.0
    >>> switching_s("calient-s320", 100, catalogue(), default_times())[0]
    0.2
    """
    row = parts.part(part, CircuitSwitch) if part in parts else None
    if row is None or (row.switching_time_ms is None and row.switching_time_bulk_ms is None):
        return float(times["switch"]["seconds"]), str(times["switch"]["source"])
    source = f"catalogue row {part}"
    if row.technology == "robot" and row.switching_time_ms is not None:
        return moves * row.switching_time_ms / 1000, source
    each, bulk = row.switching_time_ms, row.switching_time_bulk_ms
    own = bulk if bulk is not None and (moves > 1 or each is None) else each
    return float(own or 0.0) / 1000, source


def stage_seconds(
    moves: Sequence[tuple[str, int]], adds: int, failing: float, parts: Catalogue
) -> tuple[dict[str, float], dict[str, str]]:
    """Seconds by part, and the source of each, of a stage with so many cross-connects on each device (part, moves):
    devices work side by side. With links expected to fail, a repair follows."""
    times = default_times()
    seconds = {name: float(times[name]["seconds"]) for name in PARTS}
    sources = {name: str(times[name]["source"]) for name in PARTS}
    slowest = [switching_s(part, number, parts, times) for part, number in moves]
    seconds["switch"], sources["switch"] = max(slowest, default=(0.0, sources["switch"]))
    if not adds:
        for name in ("settle", "link_up", "qualify"):
            seconds[name] = 0.0
    if not failing or not adds:
        del seconds["repair"], sources["repair"]
    return {name: round(value, 3) for name, value in seconds.items()}, sources
