"""Tables of `trace`: one fabric in depth, or several side by side."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import facts_table, new_table
from fabric.crossovers import named
from fabric.tracing.answer import Trace, link_text
from topologies.units import format_size, format_time_us

SHOWN_RANKS, SHOWN_NAMES, EXPLAINED_SEGMENTS = 5, 8, 30


def rendered(found: Trace, explain: bool, quiet: bool) -> list[Any]:
    """One fabric: facts, what is exposed, the critical path, the slowest ranks; explained: prices and what helps."""
    shown: list[Any] = [facts_table(_facts(found)), Text()]
    shown += [_exposed(found), Text()] if found.exposed else []
    shown += [_path(found), Text(), _by_operation(found)]
    shown += [Text(), _segments(found)] if explain else []
    shown += [Text(), _slowest(found)]
    if explain:
        shown += [Text(), _prices(found)] if found.prices else []
        shown += [Text(), *(Text(line) for line in found.help())]
    return shown + _notes(found.notes, quiet)


def compared(found: Sequence[Trace], width: int, quiet: bool) -> list[Any]:
    """Fabrics side by side, the fastest first."""
    best = found[0].makespan_s
    ends = [one.bottleneck for one in found]

    def column(head: str, name: str, cells: Sequence[str], leaves: int = 0, left: bool = False) -> Column:
        return Column(head, name, [Text(cell) for cell in cells], leaves, left)

    def exposed(one: Trace) -> float:
        return one.mean(one.times.exposed.sum(axis=1))

    marks = column("#", "#", [str(place) for place in range(1, len(found) + 1)])
    names = column("topology", "topology", [one.topology for one in found], left=True)
    critical = [one.critical_parts for one in found]
    columns = [
        column("makespan", "makespan", [_time(one.makespan_s) for one in found]),
        column("of the\nfastest", "of the fastest", [f"{one.makespan_s / best:.3f}" for one in found]),
        column("computes", "computes", [_mean(one, "compute") for one in found], 2),
        column("exposed", "exposed", [_share(exposed(one), one.makespan_s) for one in found]),
        column("idle", "idle", [_mean(one, "idle") for one in found], 2),
        *(
            column(f"path\n{part}", f"critical path: {part}", [_share(p[part], sum(p.values())) for p in critical], 1)
            for part in ("bandwidth", "latency", "waiting")
        ),
        column("binds", "binds", ["-" if end is None else link_text(end) for end in ends], 3, left=True),
    ]  # fmt: skip
    one = found[0]
    title = f"{one.file}, {one.format}: {one.ranks:,} ranks, {one.operations:,} operations"
    shown = laid_out(title, marks, names, columns, width)
    floors = {_time(one.floor_s) for one in found}
    if len(floors) == 1:
        shown += [Text(), Text(f"on links that cost no time: {floors.pop()}")]
    notes = list(dict.fromkeys(note for one in found for note in one.notes))
    return [*shown, *_notes(notes, quiet)]


def _notes(notes: Sequence[str], quiet: bool) -> list[Any]:
    if quiet or not notes:
        return []
    head = Text("stands on estimates and defaults (~):", style="dim")
    return [Text(), head, *(Text(f"  {line}", style="dim") for line in notes)]


def _time(seconds: float) -> str:
    return format_time_us(seconds * 1e6) if seconds > 0 else "0"


def _share(seconds: float, whole: float) -> str:
    return f"{seconds / whole:.1%}"


def _mean(found: Trace, name: str) -> str:
    return _share(found.mean(getattr(found.times, name)), found.makespan_s)


def _facts(found: Trace) -> list[tuple[str, Any]]:
    whole, mean = found.makespan_s, found.mean
    exposed = mean(found.times.exposed.sum(axis=1))
    hidden = mean(found.times.communication) - exposed
    end = found.bottleneck
    raw = " (raw rates, no library overhead)" if found.transport == "ideal" else ""
    floor = f", {_time(found.floor_s)} on links that cost no time" if found.floor_s > 0 else ""
    facts = [
        ("topology", found.topology),
        ("trace", f"{found.file}, {found.format}"),
        ("ranks", f"{found.ranks:,} of {found.accelerators:,} accelerators, {found.operations:,} operations"),
        ("fidelity", f"{found.fidelity}; routing {found.routing}, transport {found.transport}{raw}"),
        ("makespan", f"{_time(whole)}{floor}"),
        ("computation", f"{_time(mean(found.times.compute))}, {_share(mean(found.times.compute), whole)}"),
        ("exposed communication", f"{_time(exposed)}, {_share(exposed, whole)}"),
        ("hidden communication", _time(max(0.0, hidden) if hidden > 1e-9 * whole else 0.0)),
        ("idle", f"{_time(mean(found.times.idle))}, {_share(mean(found.times.idle), whole)}"),
    ]
    if end is not None:
        facts.append(("busiest link", f"{link_text(end)}, busy {end['utilisation']:.1%}"))
    return facts


def _exposed(found: Trace) -> Table:
    table = new_table("exposed communication, by kind")
    for head in ("kind", "on average", "of the time", "at most"):
        table.add_column(head, justify="left" if head == "kind" else "right", overflow="fold")
    for kind, (mean, most) in sorted(found.exposed.items(), key=lambda item: -item[1][0]):
        table.add_row(kind, _time(mean), _share(mean, found.makespan_s), _time(most))
    return table


def _path(found: Trace) -> Table:
    table = new_table("critical path, by part")
    for head in ("part", "time", "of the makespan"):
        table.add_column(head, justify="left" if head == "part" else "right")
    for part, seconds in found.critical_parts.items():
        table.add_row(part, _time(seconds), _share(seconds, found.makespan_s))
    return table


def _by_operation(found: Trace) -> Table:
    """The critical path by what operations are called."""
    rows, count = found.by_operation(), len(found.path)
    told = "" if len(rows) <= SHOWN_NAMES else f", {SHOWN_NAMES} of {len(rows):,}"
    table = new_table(f"critical path, by operation{told}")
    for head in ("operation", "kind", "times", "takes", "share", "waits"):
        table.add_column(head, justify="left" if head in ("operation", "kind") else "right", overflow="fold")
    for row in rows[:SHOWN_NAMES] if count else []:
        seconds = row["time_us"] * 1e-6
        cells = (_time(seconds), _share(seconds, found.makespan_s), _time(row["waiting_us"] * 1e-6))
        table.add_row(row["name"], row["kind"], f"{row['operations']:,}", *cells)
    return table


def _segments(found: Trace) -> Table:
    """The longest operations of the critical path, in their order."""
    segments = found.segments()
    longest = sorted(segments, key=lambda segment: segment["start_us"] - segment["end_us"])[:EXPLAINED_SEGMENTS]
    longest.sort(key=lambda segment: float(segment["start_us"]))
    told = "" if len(segments) <= len(longest) else f", the {len(longest)} longest of {len(segments):,} operations"
    table = new_table(f"critical path, in its order{told}")
    for head in ("rank", "operation", "kind", "from", "takes"):
        table.add_column(head, justify="right" if head in ("from", "takes") else "left", overflow="fold")
    for row in longest:
        name = row["name"] + ("" if row["to"] is None else f" to {row['to']}")
        took = (row["end_us"] - row["start_us"]) * 1e-6
        table.add_row(row["rank"], name, row["kind"], _time(row["start_us"] * 1e-6), _time(took))
    return table


def _slowest(found: Trace) -> Table:
    rows, times = found.slowest.tolist(), found.times
    table = new_table("slowest ranks" + ("" if len(rows) <= SHOWN_RANKS else f", {SHOWN_RANKS} of {len(rows):,}"))
    for head in ("rank", "acc.", "ends", "computes", "exposed", "idle"):
        table.add_column(head, justify="left" if head == "rank" else "right")
    for row in rows[:SHOWN_RANKS]:
        columns = (times.end, times.compute, times.exposed.sum(axis=1), times.idle)
        cells = (_time(float(column[row])) for column in columns)
        table.add_row(found.timeline.labels[row], f"{found.timeline.counts[row]:,}", *cells)
    return table


def _prices(found: Trace) -> Table:
    table = new_table("collectives of a rank, each in all groups at once")
    for head in ("groups", "collective", "size", "times", "each", "algorithm"):
        table.add_column(head, justify="right" if head in ("size", "times", "each") else "left", overflow="fold")
    for price in sorted(found.prices, key=lambda price: -price.times * price.outcome.time_s):
        own, outcome = price.exchanged, price.outcome
        groups = f"{own.group} {price.groups:,} x {price.ranks:,}"
        how = named(outcome.algorithm, outcome.protocol) + ("" if price.fidelity == found.fidelity else " (steady)")
        table.add_row(
            groups, own.collective, format_size(own.bytes), f"{price.times:,}", _time(outcome.time_s), how
        )  # fmt: skip
    return table
