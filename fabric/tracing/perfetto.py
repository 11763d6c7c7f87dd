"""A timeline in the Trace Event format, which Perfetto and chrome://tracing open: a process a row, a thread a kind."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fabric.tracing.timeline import MEETING, PARTS, Timeline

MOST_SLICES = 250_000  # of one file, 100 MB

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Slices:
    """S slices in the order of rows and time: of `operation` int64[S] at its `row`, or (`arrives`) at its peer's; each
    on a `lane` of its row and kind, so that what runs at once stands side by side."""

    operation: NDArray[np.int64]
    row: NDArray[np.int64]
    arrives: NDArray[np.bool_]
    lane: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What a file holds of a timeline: rows, rising, and what begins before a moment in seconds."""

    rows: Rows
    until_s: float


def shown(
    timeline: Timeline, critical: NDArray[np.int64], slowest: Rows, rows: Rows | None = None, most: int = MOST_SLICES
) -> Shown:
    """Rows that a file can hold: those that are given; else all, or of too many first those of the critical path, those
    that it spends most time on first, and then the slowest. What of one row is too much is cut off behind."""
    count = _slice_counts(timeline)
    if rows is None and count.sum() > most:
        on_path = critical[timeline.row[critical] >= 0]
        spent = timeline.finish[on_path] - timeline.ready[on_path]
        share = np.bincount(timeline.row[on_path], spent, len(timeline.labels))
        wanted = np.concatenate([np.argsort(-share, kind="stable")[: np.count_nonzero(share)], slowest])
        wanted = wanted[np.sort(np.unique(wanted, return_index=True)[1])]
        rows = wanted[: max(1, int(np.searchsorted(np.cumsum(count[wanted]), most, side="right")))]
    found = np.arange(len(timeline.labels)) if rows is None else np.sort(rows)
    begins = timeline.ready[_at(timeline, found)[0]]
    end = timeline.makespan if len(begins) <= most else float(np.partition(begins, most)[most])
    return Shown(found, end)


def trace_events(timeline: Timeline, critical: NDArray[np.int64], part: Shown) -> str:
    """The JSON text of some rows: complete events ("X") with ts and dur in microseconds, pid the row, tid the kind and
    a lane; `args` has the parts in microseconds, the other end, and what is critical. A message stands at both ends,
    and an arrow ("s", "f") leads from the one to the other, and from each operation of the critical path to the next.

    Format: Trace Event Format, Google, 2016: "Complete Events", "Flow Events", "Metadata Events".
    """
    made = _slices(timeline, part)
    on_path = np.zeros(len(timeline), bool)
    on_path[critical] = True
    events = list(_names(timeline, made, part.rows))
    events += [_event(timeline, made, i, bool(on_path[made.operation[i]])) for i in range(len(made.lane))]
    events += _arrows(timeline, made, critical)
    return '{"displayTimeUnit":"ns","traceEvents":[\n' + ",\n".join(events) + "\n]}\n"


def _takes(timeline: Timeline) -> NDArray[np.bool_]:
    takes: NDArray[np.bool_] = (timeline.kind != MEETING) & (timeline.finish > timeline.ready)
    return takes


def _slice_counts(timeline: Timeline) -> Rows:
    """int64[R]: slices of each row, its own and what arrives there."""
    takes, rows = _takes(timeline), len(timeline.labels)
    ends = (column[takes & (column >= 0)] for column in (timeline.row, timeline.peer))
    return sum((np.bincount(end, minlength=rows) for end in ends), np.zeros(rows, np.int64))


def _at(timeline: Timeline, rows: Rows) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """Operation, row, and whether it arrives there, of every slice of some rows."""
    wanted = np.zeros(len(timeline.labels) + 1, bool)  # the last: no row
    wanted[rows] = True
    takes = _takes(timeline)
    own, other = np.flatnonzero(takes & wanted[timeline.row]), np.flatnonzero(takes & wanted[timeline.peer])
    operation = np.concatenate([own, other])
    row = np.concatenate([timeline.row[own], timeline.peer[other]]).astype(np.int64)
    return operation, row, np.arange(len(operation)) >= len(own)


def _slices(timeline: Timeline, part: Shown) -> _Slices:
    operation, row, arrives = _at(timeline, part.rows)
    early = timeline.ready[operation] < part.until_s
    operation, row, arrives = operation[early], row[early], arrives[early]
    order = np.lexsort((operation, timeline.ready[operation], row))
    operation, row, arrives = operation[order], row[order], arrives[order]
    return _Slices(operation, row, arrives, _lanes(timeline, operation, row, arrives))


def _lanes(timeline: Timeline, operation: Rows, row: Rows, arrives: NDArray[np.bool_]) -> list[int]:
    """A lane for each slice, so that none of one row and kind overlaps another in its lane."""
    free: dict[tuple[int, int, bool], list[int]] = {}
    busy: dict[tuple[int, int, bool], list[tuple[float, int]]] = {}
    found = []
    columns = (row, timeline.kind[operation], arrives, timeline.ready[operation], timeline.finish[operation])
    for at, kind, comes, start, end in zip(*(column.tolist() for column in columns), strict=True):
        own, idle = busy.setdefault((at, kind, comes), []), free.setdefault((at, kind, comes), [])
        while own and own[0][0] <= start:
            heappush(idle, heappop(own)[1])
        lane = heappop(idle) if idle else len(own)
        heappush(own, (end, lane))
        found.append(lane)
    return found


def _tid(timeline: Timeline, made: _Slices, i: int) -> int:
    kinds = len(timeline.kinds)
    kind = int(timeline.kind[made.operation[i]]) + kinds * bool(made.arrives[i])
    return 1 + made.lane[i] * 2 * kinds + kind


def _names(timeline: Timeline, made: _Slices, rows: Sequence[int] | Rows) -> Iterator[str]:
    """Metadata: processes in the order of rows, and what each thread holds."""
    for row in map(int, rows):
        yield _text({"ph": "M", "name": "process_name", "pid": row, "args": {"name": timeline.labels[row]}})
        yield _text({"ph": "M", "name": "process_sort_index", "pid": row, "args": {"sort_index": row}})
    threads: dict[tuple[int, int], str] = {}
    for i, lane in enumerate(made.lane):
        key = int(made.row[i]), _tid(timeline, made, i)
        if key not in threads:
            kind = timeline.kinds[timeline.kind[made.operation[i]]] + (", arriving" if made.arrives[i] else "")
            threads[key] = kind + (f" {lane + 1}" if lane else "")
    for (row, tid), name in threads.items():
        yield _text({"ph": "M", "name": "thread_name", "pid": row, "tid": tid, "args": {"name": name}})


def _event(timeline: Timeline, made: _Slices, i: int, critical: bool) -> str:
    operation = int(made.operation[i])
    start, end = float(timeline.ready[operation]) * 1e6, float(timeline.finish[operation]) * 1e6
    other = int((timeline.row if made.arrives[i] else timeline.peer)[operation])
    parts = (timeline.parts[operation] * 1e6).round(6).tolist()
    args: dict[str, object] = {f"{part}_us": value for part, value in zip(PARTS, parts, strict=True) if value}
    args |= {} if other < 0 else {"from" if made.arrives[i] else "to": timeline.labels[other]}
    args |= {"critical": True} if critical else {}
    return _text({
        "ph": "X", "name": timeline.name(operation), "cat": timeline.kinds[timeline.kind[operation]],
        "pid": int(made.row[i]), "tid": _tid(timeline, made, i), "ts": round(start, 6), "dur": round(end - start, 6),
        "args": args,
    })  # fmt: skip


def _arrows(timeline: Timeline, made: _Slices, critical: NDArray[np.int64]) -> Iterator[str]:
    """Pairs of flow events: each within its slice, the first as it begins, the second half way, where none ends."""
    departs = {int(made.operation[i]): i for i in np.flatnonzero(~made.arrives).tolist()}
    pairs = [("message", departs[o], i) for i in np.flatnonzero(made.arrives).tolist()
             if (o := int(made.operation[i])) in departs]  # fmt: skip
    path = [departs[o] for o in critical.tolist() if o in departs]
    pairs += [("critical path", a, b) for a, b in pairwise(path)]
    for number, (name, before, after) in enumerate(pairs, start=1):
        head = {"name": name, "cat": name, "id": number}
        for phase, i, share in (("s", before, 0.0), ("f", after, 0.5)):
            operation = int(made.operation[i])
            start, end = float(timeline.ready[operation]), float(timeline.finish[operation])
            at = {"pid": int(made.row[i]), "tid": _tid(timeline, made, i)}
            bound = {"bp": "e"} if phase == "f" else {}
            yield _text({"ph": phase, **head, **at, "ts": round((start + share * (end - start)) * 1e6, 6), **bound})


def _text(event: dict[str, object]) -> str:
    return json.dumps(event, separators=(",", ":"))
