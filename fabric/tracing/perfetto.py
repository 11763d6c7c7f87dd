"""A timeline in the Trace Event format, which Perfetto and chrome://tracing open: a process a row, a thread a kind."""

import json
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from fabric.tracing.timeline import MEETING, PARTS, Timeline
from topologies.errors import ConfigError

MOST_EVENTS = 2_000_000


def trace_events(timeline: Timeline, critical: NDArray[np.int64]) -> str:
    """The JSON text: complete events ("X") with ts and dur in microseconds, pid the row, tid the kind and a lane, so
    that what runs at once stands side by side; `args` has the parts in microseconds, the peer, and what is critical.

    ConfigError above 2 million operations that take time. Format: Trace Event Format, Google, 2016, "Complete Events",
    "Metadata Events".
    """
    takes = (timeline.kind != MEETING) & (timeline.finish > timeline.ready) & (timeline.row >= 0)
    shown = np.flatnonzero(takes)
    if len(shown) > MOST_EVENTS:
        raise ConfigError(f"{len(shown):,} operations; a trace for Perfetto holds {MOST_EVENTS:,}: give fewer ranks")
    order = shown[np.lexsort((timeline.ready[shown], timeline.row[shown]))]
    lane = _lanes(timeline, order)
    on_path = np.zeros(len(timeline), bool)
    on_path[critical] = True
    events = [_process(row, label) for row, label in enumerate(timeline.labels)]
    threads = dict.fromkeys(zip(timeline.row[order].tolist(), timeline.kind[order].tolist(), lane, strict=True))
    events += [_thread(timeline, row, kind, number) for row, kind, number in threads]
    events += [
        _event(timeline, operation, number, bool(on_path[operation]))
        for operation, number in zip(order.tolist(), lane, strict=True)
    ]
    return '{"displayTimeUnit":"ns","traceEvents":[\n' + ",\n".join(events) + "\n]}\n"


def _lanes(timeline: Timeline, order: NDArray[np.int64]) -> list[int]:
    """A lane for each operation, so that none of one row and kind overlaps another in its lane."""
    free: dict[tuple[int, int], list[int]] = {}
    busy: dict[tuple[int, int], list[tuple[float, int]]] = {}
    found = []
    columns = (timeline.row[order], timeline.kind[order], timeline.ready[order], timeline.finish[order])
    for row, kind, start, end in zip(*(column.tolist() for column in columns), strict=True):
        own, idle = busy.setdefault((row, kind), []), free.setdefault((row, kind), [])
        while own and own[0][0] <= start:
            heappush(idle, heappop(own)[1])
        lane = heappop(idle) if idle else len(own)
        heappush(own, (end, lane))
        found.append(lane)
    return found


def _tid(timeline: Timeline, kind: int, lane: int) -> int:
    return 1 + lane * len(timeline.kinds) + kind


def _process(row: int, label: str) -> str:
    return json.dumps({"ph": "M", "name": "process_name", "pid": row, "args": {"name": label}}, separators=(",", ":"))


def _thread(timeline: Timeline, row: int, kind: int, lane: int) -> str:
    name = timeline.kinds[kind] + (f" {lane + 1}" if lane else "")
    event = {"ph": "M", "name": "thread_name", "pid": row, "tid": _tid(timeline, kind, lane), "args": {"name": name}}
    return json.dumps(event, separators=(",", ":"))


def _event(timeline: Timeline, operation: int, lane: int, critical: bool) -> str:
    kind = int(timeline.kind[operation])
    start, end = float(timeline.ready[operation]) * 1e6, float(timeline.finish[operation]) * 1e6
    peer = int(timeline.peer[operation])
    parts = (timeline.parts[operation] * 1e6).round(6).tolist()
    args: dict[str, object] = {f"{part}_us": value for part, value in zip(PARTS, parts, strict=True) if value}
    args |= {} if peer < 0 else {"to": timeline.labels[peer]}
    args |= {"critical": True} if critical else {}
    event = {
        "ph": "X", "name": timeline.name(operation), "cat": timeline.kinds[kind], "pid": int(timeline.row[operation]),
        "tid": _tid(timeline, kind, lane), "ts": round(start, 6), "dur": round(end - start, 6), "args": args,
    }  # fmt: skip
    return json.dumps(event, separators=(",", ":"))
