"""What a trace comes to on a fabric: the makespan and why, rank by rank, in numbers for a reader or as JSON."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.membership import chosen_ranks
from fabric.tracing.layers import Price
from fabric.tracing.perfetto import Shown, shown, trace_events
from fabric.tracing.timeline import BUBBLE, MEETING, PARTS, RowTimes, Timeline

MOST_SEGMENTS = 1000  # of the critical path, in JSON
MOST_RANKS = MOST_NAMES = 64
LEAST_SHARE = 0.0005  # of the makespan: what is told in tenths of a per cent


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The answer of `fabric.trace`; times in seconds, of an accelerator on average where nothing else is said. On links
    that cost no time it would take `floor_s`: computations, and what waits for what."""

    topology: str
    accelerators: int
    file: str
    format: str
    ranks: int
    fidelity: str
    transport: str
    routing: str
    timeline: Timeline
    path: NDArray[np.int64]
    times: RowTimes
    prices: Sequence[Price]
    bottleneck: dict[str, Any] | None
    floor_s: float
    notes: Sequence[str]

    @property
    def makespan_s(self) -> float:
        """When the last operation ends."""
        return self.timeline.makespan

    @property
    def operations(self) -> int:
        """How many operations take time."""
        return int(np.count_nonzero((self.timeline.kind != MEETING) & (self.timeline.finish > self.timeline.ready)))

    @property
    def critical_parts(self) -> dict[str, float]:
        """Seconds of the critical path by part; they sum to the makespan."""
        sums = self.timeline.parts[self.path].sum(axis=0)
        return dict(zip(PARTS, sums.tolist(), strict=True))

    def mean(self, seconds: NDArray[np.float64]) -> float:
        """The mean over accelerators of what each row has."""
        return float(np.average(seconds, weights=self.timeline.counts))

    @property
    def exposed(self) -> dict[str, tuple[float, float]]:
        """By kind of communication what computation does not hide, on average and of the row that has most of it."""
        kinds = enumerate(self.timeline.kinds)
        there = set(np.unique(self.timeline.kind).tolist())
        found = {name: self.times.exposed[:, k] for k, name in kinds if k in there - {0} and name != BUBBLE}
        return {name: (self.mean(column), float(column.max(initial=0.0))) for name, column in found.items()}

    @property
    def slowest(self) -> NDArray[np.int64]:
        """Rows, the last to end first; of those that end together the busiest."""
        return np.lexsort((self.times.idle, -self.times.end))

    def segments(self) -> list[dict[str, Any]]:
        """The critical path, operation by operation; meeting points, which take no time, left out."""
        timeline = self.timeline
        found = []
        for at in self.path.tolist():
            if timeline.finish[at] <= timeline.ready[at]:
                continue
            parts = dict(zip(PARTS, timeline.parts[at].tolist(), strict=True))
            row, peer = int(timeline.row[at]), int(timeline.peer[at])
            found.append({
                "rank": timeline.labels[row] if row >= 0 else "switch",
                "to": timeline.labels[peer] if peer >= 0 else None,
                "name": timeline.name(at), "kind": timeline.kinds[timeline.kind[at]],
                "start_us": float(timeline.ready[at]) * 1e6, "end_us": float(timeline.finish[at]) * 1e6,
                **{f"{part}_us": value * 1e6 for part, value in parts.items()},
            })  # fmt: skip
        return found

    def help(self) -> list[str]:
        """What would shorten the step, from what its critical path is made of."""
        whole, parts = self.makespan_s, self.critical_parts
        said = [f"on links that cost no time the step would take {self.floor_s / whole:.1%} of this"]
        if parts["bandwidth"] > 0:
            saved = parts["bandwidth"] / 2 / whole
            said.append(f"links of twice the rate would save at most {saved:.1%} along this path")
        for part, told in (("waiting", "without other messages on its links"), ("latency", "without latency")):
            if parts[part] >= LEAST_SHARE * whole:
                said.append(f"{told} this path would be {parts[part] / whole:.1%} shorter")
        return said

    def shown(self, ranks: "str | Sequence[int] | None" = None) -> Shown:
        """What a file for Perfetto holds: the rows of a list such as "0-7,64" (of layers: stages), None for all or as
        many as fit. ConfigError for a rank that there is not."""
        rows = None if ranks is None else chosen_ranks(ranks, len(self.timeline.labels))
        return shown(self.timeline, self.path, self.slowest, rows)

    def perfetto(self, ranks: "str | Sequence[int] | None" = None) -> str:
        """The timeline of some ranks as JSON text that Perfetto opens."""
        return trace_events(self.timeline, self.path, self.shown(ranks))

    def by_operation(self) -> list[dict[str, Any]]:
        """The critical path by kind and name of operations, numbers in names left out; what takes longest first."""
        sums: dict[tuple[str, str], list[float]] = {}
        for segment in self.segments():
            key = segment["kind"], re.sub(r"[0-9]+", "#", segment["name"])
            own = sums.setdefault(key, [0, 0.0, 0.0])
            own[0], own[1] = own[0] + 1, own[1] + _length(segment)
            own[2] += segment["waiting_us"]
        ordered = sorted(sums.items(), key=lambda item: -item[1][1])
        return [
            {"kind": kind, "name": name, "operations": int(count), "time_us": time_us, "waiting_us": waiting_us}
            for (kind, name), (count, time_us, waiting_us) in ordered
        ]

    def row(self) -> dict[str, Any]:
        """The keys of a fabric among several, in one level."""
        whole, path = self.makespan_s, self.critical_parts
        end = self.bottleneck
        return {
            "topology": self.topology, "accelerators": self.accelerators, "ranks": self.ranks,
            "fidelity": self.fidelity, "transport": self.transport, "routing": self.routing,
            "makespan_us": whole * 1e6, "floor_us": self.floor_s * 1e6,
            "compute_us": self.mean(self.times.compute) * 1e6,
            "exposed_us": self.mean(self.times.exposed.sum(axis=1)) * 1e6, "idle_us": self.mean(self.times.idle) * 1e6,
            **{f"critical_{part}_us": seconds * 1e6 for part, seconds in path.items()},
            "bottleneck": None if end is None else link_text(end),
        }  # fmt: skip

    def document(self, explain: bool = False) -> dict[str, Any]:
        """The keys of the JSON answer."""
        segments = self.segments()
        longest = sorted(sorted(range(len(segments)), key=lambda i: _length(segments[i]))[-MOST_SEGMENTS:])
        made: dict[str, Any] = {
            "topology": self.topology, "accelerators": self.accelerators, "file": self.file, "format": self.format,
            "ranks": self.ranks, "fidelity": self.fidelity, "transport": self.transport, "routing": self.routing,
            "operations": self.operations, "makespan_us": self.makespan_s * 1e6, "floor_us": self.floor_s * 1e6,
            "compute_us": self.mean(self.times.compute) * 1e6,
            "communication_us": self.mean(self.times.communication) * 1e6,
            "exposed_us": self.mean(self.times.exposed.sum(axis=1)) * 1e6, "idle_us": self.mean(self.times.idle) * 1e6,
            "exposed_by_kind": {
                kind: {"mean_us": mean * 1e6, "max_us": most * 1e6} for kind, (mean, most) in self.exposed.items()
            },
            "critical_path": {
                "operations": len(segments), **{f"{part}_us": s * 1e6 for part, s in self.critical_parts.items()},
                "by_operation": self.by_operation()[:MOST_NAMES],
                "longest": [segments[i] for i in longest], "left_out": len(segments) - len(longest),
            },
            "slowest_ranks": [self._row(row) for row in self.slowest[:MOST_RANKS].tolist()],
            "collectives": [_price(price) for price in self.prices],
            "bottleneck": self.bottleneck, "estimates": list(self.notes),
        }  # fmt: skip
        return {"trace": made, **({"explain": self.help()} if explain else {})}

    def _row(self, row: int) -> dict[str, Any]:
        times = self.times
        return {
            "rank": self.timeline.labels[row], "accelerators": int(self.timeline.counts[row]),
            "end_us": float(times.end[row]) * 1e6, "compute_us": float(times.compute[row]) * 1e6,
            "communication_us": float(times.communication[row]) * 1e6,
            "exposed_us": float(times.exposed[row].sum()) * 1e6, "idle_us": float(times.idle[row]) * 1e6,
        }  # fmt: skip


def link_text(end: dict[str, Any]) -> str:
    """A link that binds, or a cut, and of layers the collective in which it does.

    >>> link_text({"from": "gpu-0", "to": "leaf-0", "medium": "optical", "during": "EP all-to-all"})
    'optical gpu-0 > leaf-0 in EP all-to-all'
    """
    told = str(end["cut"]) if "cut" in end else f"{end['medium']} {end['from']} > {end['to']}"
    return f"{told} in {end['during']}" if "during" in end else told


def _length(segment: dict[str, Any]) -> float:
    return float(segment["end_us"] - segment["start_us"])


def _price(price: Price) -> dict[str, Any]:
    return {
        "group": price.exchanged.group, "collective": price.exchanged.collective, "size_bytes": price.exchanged.bytes,
        "ranks": price.ranks, "groups": price.groups, "times": price.times, "time_us": price.outcome.time_s * 1e6,
        "latency_us": price.outcome.latency_s * 1e6, "algorithm": price.outcome.algorithm,
        "protocol": price.outcome.protocol, "fidelity": price.fidelity, "bottleneck": price.outcome.bottleneck,
    }  # fmt: skip
