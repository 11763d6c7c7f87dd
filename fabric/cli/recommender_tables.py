"""Tables of a recommender's step: fabrics side by side, and each of them by part."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import facts_table, new_table
from fabric.workloads.recommending import RecommenderStep
from topologies.units import format_number, format_power_w, format_size, format_time_us


def rendered_steps(
    steps: Sequence[RecommenderStep], lost: Sequence[tuple[str, str]], width: int, *, explain: bool, quiet: bool
) -> list[Any]:
    """The table of all, fabrics without an answer and why, with `explain` each by part; then what they stand on."""
    shown: list[Any] = _side_by_side(steps, width)
    shown += [Text(f"{name}: {why}", style="bold red") for name, why in lost]
    shown += [Text(f"{s.topology}: does not fit into memory", style="bold red") for s in steps if s.fits is False]
    if explain:
        for step in steps:
            shown += [Text(), Text(step.topology, style="bold"), _times(step), Text(), facts_table(_facts(step))]
    if not quiet:
        said = dict.fromkeys(line for step in steps for line in step.said)
        shown += [Text(), Text("stands on", style="bold"), *(Text(f"  {line}") for line in said)]
    return shown


def _side_by_side(steps: Sequence[RecommenderStep], width: int) -> list[Any]:
    def column(head: str, name: str, cells: list[str], leaves: int = 0) -> Column:
        return Column(head, name, [Text(cell) for cell in cells], leaves, False)

    if not steps:
        return []
    marks = column("#", "#", [str(i) for i in range(1, len(steps) + 1)])
    names = Column("topology", "topology", [Text(s.topology) for s in steps], 0, True)
    columns = [
        column("accel-\nerators", "accelerators", [f"{s.accelerators:,}" for s in steps], 1),
        column("step", "step", [format_time_us(s.step_s * 1e6) for s in steps]),
        column("samples/s", "samples/s", [format_number(s.samples_per_s, 4) for s in steps]),
        column("exposed", "exposed communication", [f"{100 * s.exposed_share:.1f} %" for s in steps]),
        column("memory\nGB", "memory in GB", [_memory(s) for s in steps], 1),
        column("samples/J\nsite", "samples/J of the site", [_rate(s.samples_per_joule) for s in steps], 1),
        column("samples/J\nnetwork", "samples/J of the network",
               [_rate(s.samples_per_joule_network) for s in steps], 2),
        column("network\nshare", "network's share of energy",
               ["-" if s.network_share is None else f"{100 * s.network_share:.1f} %" for s in steps], 2),
    ]  # fmt: skip
    shape = steps[0].recommender
    return laid_out(f"a step of training, {shape.title}, {shape.batch:,} samples", marks, names, columns, width)


def _rate(value: float | None) -> str:
    return "-" if value is None else format_number(value, 3)


def _memory(step: RecommenderStep) -> str:
    limit = "" if step.memory_limit_bytes is None else f"/{step.memory_limit_bytes / 1e9:.0f}"
    return f"{step.memory_bytes / 1e9:.1f}{limit}"


def _times(step: RecommenderStep) -> Any:
    work, once = step.work, {w.exchange.dimension: w.one_s for w in step.exchanges}
    rows = [
        ("rows read", work.lookup_s, "bottom network, with their exchange"),
        ("rows exchanged", once.get("ep", 0.0), "bottom network, with their reading"),
        ("networks, forward and backward", 3 * (work.bottom_s + work.top_s), ""),
        ("gradients of rows exchanged", once.get("ep", 0.0), "backward of the bottom network, gradients of networks"),
        ("rows updated", work.update_s, "the same, with their exchange"),
        ("gradients of networks", once.get("dp", 0.0), "gradients of rows, and their update"),
    ]
    table = new_table()
    for head, justify in (("part", "left"), ("alone", "right"), ("runs beside", "left")):
        table.add_column(head, justify=justify)  # type: ignore[arg-type]
    for name, seconds, beside in rows:
        table.add_row(name, format_time_us(seconds * 1e6), beside)
    return table


def _facts(step: RecommenderStep) -> list[tuple[str, str]]:
    exposed = ", ".join(f"{name} {format_time_us(s * 1e6)}" for name, s in step.exposed_s.items())
    facts = [("computes", format_time_us(step.compute_s * 1e6)), ("shows", exposed)]
    facts += [
        (f"{w.exchange.dimension} {w.exchange.collective}",
         f"{w.exchange.ranks} ranks, {format_size(w.exchange.size_bytes)}, {w.exchange.count:g} times, {w.algorithm}")
        for w in step.exchanges
    ]  # fmt: skip
    power = [(name, watts) for name, watts in (("network", step.network_power_w), ("site", step.facility_power_w))]
    told = ", ".join(f"{name} {format_power_w(watts)}" for name, watts in power if watts is not None)
    return [*facts, ("power", told or "unknown")]
