"""Variants for the eye: the same fabric in each value, what it is built of, and why some cannot be built."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import capex_text, known, warning
from fabric.cli.wall_tables import first_text
from fabric.varying import Variant
from topologies.units import format_number, format_power_w


def variants_shown(variants: Sequence[Variant], width: int) -> list[Any]:
    """A table of all variants, and a line for each that cannot be built; nothing where there are none."""
    if not variants:
        return []

    def column(head: str, name: str, cells: Sequence[str | Text], leaves: int = 0, left: bool = False) -> Column:
        return Column(head, name, [Text(c) if isinstance(c, str) else c for c in cells], leaves, left)

    def counts(key: str) -> list[str]:
        return ["-" if v.inventory is None else format_number(getattr(v.inventory, key), 9) for v in variants]

    marks = column("", "", ["" if v.why is None else "!" for v in variants])
    names = column("variant", "variant", [v.spec for v in variants], left=True)
    columns = [
        column("acc.", "accelerators", ["-" if v.accelerators is None else f"{v.accelerators:,}" for v in variants], 1),
        column("tiers", "tiers", ["-" if v.tiers is None else f"{v.tiers}" for v in variants]),
        column("switches", "switches", counts("switches")),
        column("OCS", "OCS, circuit switches", counts("circuit_switches"), 2),
        column("modules", "modules", counts("modules"), 1),
        column("power", "network power", [known(v.network_power_w, format_power_w, False) for v in variants]),
        column("capex", "network capex", [capex_text(v.capex_usd, v.priced_usd, False) for v in variants]),
        column("first wall", "first wall", ["-" if v.walls is None else first_text(v.walls) for v in variants], 1,
               left=True),
    ]  # fmt: skip
    failing = [None if v.failures is None or v.failures.hard is None else v.failures.hard for v in variants]
    if any(failing):
        cells = ["-" if each is None else _ranged(each.value, each.low, each.high) for each in failing]
        columns.append(column("failures\na day", "failures of the network a day", cells, 2))
    reasons = [warning(f"! {v.spec}: {v.why}") for v in variants if v.why is not None]
    return [*laid_out("variants", marks, names, columns, width), *reasons, Text()]


def _ranged(value: float, low: float, high: float) -> str:
    """A number with the range of its sources, where there is one."""
    shown = format_number(value, 3)
    return shown if low == high else f"{shown} ({format_number(low, 2)} to {format_number(high, 2)})"
