"""A timeline: when each rank computes and communicates, after what, and what each operation's time is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PARTS = ("compute", "bandwidth", "latency", "waiting")
COMPUTE = "compute"
BUBBLE = "pipeline bubble"  # a rank waits for what another does: idle, though others compute meanwhile
ALIKE = 1e-12  # shares of the makespan below which idle time is rounding
MEETING = -1  # of an operation that takes no time and is nobody's work


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """O operations on R rows; a row is a rank, or stands for several that do the same (`counts` int64[R] of them).

    `kind` int16[O] is a place in `kinds`, MEETING for a mere meeting point; `row`, `peer` int32[O] are rows (-1: none,
    as of what a switch sends). An operation is `ready` when all that it waits for, pred[pred_ptr[o]:pred_ptr[o + 1]],
    is done, and ends at `finish`, float64[O] seconds; in between, `parts` float64[O, 4] are seconds of computation,
    bytes at the rate that a message's path has alone (of a collective: at the rate that its own messages leave each
    other), latency, and waiting for links that other messages use.
    """

    labels: Sequence[str]
    counts: NDArray[np.int64]
    kinds: tuple[str, ...]
    kind: NDArray[np.int16]
    row: NDArray[np.int32]
    peer: NDArray[np.int32]
    ready: NDArray[np.float64]
    finish: NDArray[np.float64]
    parts: NDArray[np.float64]
    pred_ptr: NDArray[np.int64]
    pred: NDArray[np.int32]
    name: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.finish)

    @property
    def makespan(self) -> float:
        """The last finish, seconds."""
        return float(self.finish.max(initial=0.0))

    def critical(self) -> NDArray[np.int64]:
        """int64[P]: the chain of operations that sets the makespan, first to last.

        Each is ready at the moment when the one before ends, so that their parts sum to the makespan. Of equal ones the
        first is taken.
        """
        if not len(self):
            return np.zeros(0, np.int64)
        at = int(np.argmax(self.finish))
        path = [at]
        while (awaited := self.pred[self.pred_ptr[at] : self.pred_ptr[at + 1]]).size:
            at = int(awaited[np.argmax(self.finish[awaited])])
            path.append(at)
        return np.array(path[::-1])


def ready_times(
    finish: NDArray[np.float64], pred_ptr: NDArray[np.int64], pred: NDArray[np.int32]
) -> NDArray[np.float64]:
    """float64[O]: the last finish of what each operation waits for, 0 where it waits for nothing.

    >>> ready_times(np.array([1.0, 3.0, 4.0]), np.array([0, 0, 0, 2]), np.array([0, 1], np.int32)).tolist()
    [0.0, 0.0, 3.0]
    """
    ready = np.zeros(len(finish))
    waits = np.flatnonzero(np.diff(pred_ptr))
    if waits.size:
        ready[waits] = np.maximum.reduceat(finish[pred], pred_ptr[waits])
    return ready


@dataclass(frozen=True, slots=True, eq=False)
class RowTimes:
    """Seconds of each row, float64[R]: computing, communicating (hidden behind computation or not), neither, and when
    it ends. `exposed` float64[R, K] is communication without computation, by kind; of kinds at once the first counts.
    """

    compute: NDArray[np.float64]
    communication: NDArray[np.float64]
    exposed: NDArray[np.float64]
    idle: NDArray[np.float64]
    end: NDArray[np.float64]


def row_times(timeline: Timeline) -> RowTimes:
    """What each row does all the time: events in order, and how many operations of a kind are under way after each.

    A message occupies both ends from when it is ready to be sent until it has arrived.
    """
    rows, kinds = len(timeline.labels), len(timeline.kinds)
    row, kind, start, end = _busy(timeline)
    at = np.concatenate([start, end])
    rows_at, kinds_at = np.tile(row, 2), np.tile(kind, 2)
    step = np.repeat(np.array([1, -1]), len(row))
    order = np.lexsort((at, rows_at))
    at, rows_at, kinds_at, step = at[order], rows_at[order], kinds_at[order], step[order]
    span = np.diff(at, append=0.0)
    span[np.diff(rows_at, append=-1) != 0] = 0.0
    idle = np.ones(len(at), bool)  # nothing counted yet
    busy = np.zeros((rows, kinds))
    communicates = np.zeros(len(at), bool)
    for k in range(kinds):
        active = np.cumsum(np.where(kinds_at == k, step, 0)) > 0
        busy[:, k] = np.bincount(rows_at, span * (active & idle), minlength=rows)
        idle &= ~active
        if k:
            communicates |= active
    communication = np.bincount(rows_at, span * communicates, minlength=rows).astype(np.float64)
    last = np.zeros(rows)
    np.maximum.at(last, row, end)
    left = timeline.makespan - busy.sum(axis=1)
    left[left < ALIKE * timeline.makespan] = 0.0
    return RowTimes(busy[:, 0], communication, busy * (np.arange(kinds) > 0), left, last)


def _busy(timeline: Timeline) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.float64], NDArray[np.float64]]:
    """Row, kind, start and end of everything that occupies a row; messages stand there for both ends."""
    idle = timeline.kinds.index(BUBBLE) if BUBBLE in timeline.kinds else MEETING
    works = (timeline.kind != MEETING) & (timeline.kind != idle) & (timeline.finish > timeline.ready)
    own = np.flatnonzero(works & (timeline.row >= 0))
    other = np.flatnonzero(works & (timeline.peer >= 0))
    both = np.concatenate([own, other])
    row = np.concatenate([timeline.row[own], timeline.peer[other]])
    return row, timeline.kind[both], timeline.ready[both], timeline.finish[both]
