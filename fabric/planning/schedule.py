"""Schedules: when a step's phases are worth a switch of configuration, and up to which delay."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, inf, log2

import numpy as np
from numpy.typing import NDArray

from topologies.errors import InfeasibleError

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]
BATCH = 64  # delays looked at together
MANY = np.iinfo(np.int64).max
ALIKE = 1e-12  # relative difference of times that are the same but for rounding


@dataclass(frozen=True, slots=True)
class Walk:
    """A configuration for every phase; `seconds` of the step, of which `exposed_s` are spent on switching in the open.

    `switches` counts changes from one phase to the next and from the last to the first of the next step.
    """

    configurations: tuple[int, ...]
    seconds: float
    exposed_s: float
    switches: int


def closed_walk(cost_s: Matrix, switch_s: Matrix, idle_s: Vector) -> Walk:
    """The shortest closed walk of a step that repeats: least sum of cost(p, c) + max(0, switch(c, c') - idle before p).

    `cost_s` float64[P, C] is inf where a configuration does not serve a phase; `switch_s` float64[C, C]; `idle_s`
    float64[P] is the window before each phase, in which a switch is hidden; below zero what a switch there lays open.
    Exact, by a shortest path for each first configuration, O(P C^3); of equal walks the one with the fewest switches,
    then the lowest numbers. InfeasibleError for a phase that no configuration serves.

    >>> cost = np.array([[1.0, 2.0], [9.0, 2.0]])
    >>> walk = closed_walk(cost, np.array([[0, 0.5], [0.5, 0]]), np.array([0, 0.4]))
    >>> walk.configurations, round(walk.seconds, 3), walk.switches
    ((0, 1), 3.6, 2)
    """
    phases, number = cost_s.shape
    for lost in np.flatnonzero(~np.isfinite(cost_s).any(axis=1)):
        raise InfeasibleError(f"no configuration serves phase {lost + 1}; give one that joins its ranks")
    changed = (~np.eye(number, dtype=bool)).astype(np.int64)
    time = np.where(np.eye(number, dtype=bool), cost_s[0], inf)  # [first configuration, present one]
    count = np.zeros((number, number), np.int64)
    came = np.zeros((phases, number, number), np.int64)
    for p in range(1, phases):
        came[p], time, count = _next(time, count, np.maximum(0, switch_s - idle_s[p]) * changed, changed)
        time = time + cost_s[p]
    exposed = np.maximum(0, switch_s - idle_s[0]) * changed
    time, count = time + exposed.T, count + changed.T
    near = time <= time.min() * (1 + ALIKE)
    first, last = np.unravel_index(np.argmin(np.where(near, count, MANY)), time.shape)
    path = [int(last)]
    for p in range(phases - 1, 0, -1):
        path.append(int(came[p, first, path[-1]]))
    return _walk(path[::-1], cost_s, switch_s, idle_s)


def _next(
    time: Matrix, count: NDArray[np.int64], exposed: Matrix, changed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Matrix, NDArray[np.int64]]:
    """From where each configuration is reached best, [first, next], with time and switches."""
    times = time[:, :, None] + exposed
    counts = count[:, :, None] + changed
    near = times <= times.min(axis=1, keepdims=True) * (1 + ALIKE)
    best = np.argmin(np.where(near, counts, MANY), axis=1)
    at = best[:, None, :]
    return best, np.take_along_axis(times, at, 1)[:, 0], np.take_along_axis(counts, at, 1)[:, 0]


def _walk(path: Sequence[int], cost_s: Matrix, switch_s: Matrix, idle_s: Vector) -> Walk:
    before = np.roll(np.array(path), 1)
    exposed = sum(
        max(0.0, float(switch_s[a, b] - idle)) for a, b, idle in zip(before, path, idle_s, strict=True) if a != b
    )
    seconds = float(cost_s[np.arange(len(path)), path].sum()) + exposed
    return Walk(tuple(path), seconds, exposed, int((before != path).sum()))


def static(cost_s: Matrix) -> tuple[int | None, float]:
    """The best single configuration and its step time; None and inf where none serves every phase.

    >>> static(np.array([[1.0, 2.0], [9.0, 2.0]]))
    (1, 4.0)
    """
    totals = cost_s.sum(axis=0)
    best = int(np.argmin(totals))
    return (best, float(totals[best])) if np.isfinite(totals[best]) else (None, inf)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The best walk while the delay of a switch lies from `from_s` to `to_s` (inf: however long)."""

    from_s: float
    to_s: float
    walk: Walk


def stretches(cost_s: Matrix, idle_s: Vector) -> list[Stretch]:
    """The best walk for every delay that all switches have in common, from none upwards: where each switch disappears.

    Exact: between two idle windows the time of a walk is a line in the delay, and the least of lines is found by
    cutting them with each other, all cuts of a round at once.

    >>> cost = np.array([[1.0, 2.0], [9.0, 2.0]])
    >>> [(round(s.to_s, 6), s.walk.switches) for s in stretches(cost, np.array([0, 0.4]))]
    [(0.7, 2), (inf, 0)]
    """
    far = float(idle_s.max() + np.where(np.isfinite(cost_s), cost_s, 0).max(axis=1).sum() + 1)
    corners = np.unique(np.concatenate([[0.0, far], np.maximum(idle_s, 0)])).tolist()
    at = uniform_walks(cost_s, np.array(corners), idle_s)
    spans = [
        _Span(low, low, high, _line(left, low, cost_s, idle_s), _line(right, low, cost_s, idle_s))
        for (low, high), (left, right) in zip(pairwise(corners), pairwise(at), strict=True)
    ]
    found: list[Stretch] = []
    for span in sorted(_cut(spans, cost_s, idle_s), key=lambda span: span.start):
        if span.end - span.start <= ALIKE * far:
            continue
        walk = _walk(span.left.path, cost_s, _uniform(cost_s.shape[1], span.start), idle_s)
        if found and found[-1].walk.configurations == walk.configurations:
            found[-1] = Stretch(found[-1].from_s, span.end, found[-1].walk)
        else:
            found.append(Stretch(span.start, span.end, walk))
    found[-1] = Stretch(found[-1].from_s, inf, found[-1].walk)
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """The time of a walk from one corner on: at the corner, and by second of delay."""

    path: tuple[int, ...]
    seconds: float
    slope: int

    def at(self, beyond: float) -> float:
        return self.seconds + self.slope * beyond


@dataclass(frozen=True, slots=True)
class _Span:
    """Delays from `start` to `end`, with the best walks there, as lines from the corner `low` on."""

    low: float
    start: float
    end: float
    left: _Line
    right: _Line

    @property
    def cross(self) -> float | None:
        """Where the two lines cross inside; None where one of them is below all the way."""
        if self.left.path == self.right.path or self.left.slope <= self.right.slope:
            return None
        where = self.low + (self.right.seconds - self.left.seconds) / (self.left.slope - self.right.slope)
        return where if self.start < where < self.end else None


def _line(path: tuple[int, ...], low: float, cost_s: Matrix, idle_s: Vector) -> _Line:
    changed = np.roll(np.array(path), 1) != np.array(path)
    seconds = float(cost_s[np.arange(len(path)), path].sum() + np.maximum(0, low - idle_s)[changed].sum())
    return _Line(path, seconds, int((changed & (idle_s <= low)).sum()))


def _cut(spans: list[_Span], cost_s: Matrix, idle_s: Vector) -> Iterator[_Span]:
    """Spans with one best walk each: its line is `left`."""
    while spans:
        crossing = []
        for span in spans:
            where = span.cross
            if where is not None:
                crossing.append((span, where))
                continue
            halfway = (span.start + span.end) / 2 - span.low
            yield span if span.left.at(halfway) <= span.right.at(halfway) else replace(span, left=span.right)
        walks = uniform_walks(cost_s, np.array([where for _, where in crossing]), idle_s)
        spans = []
        for (span, where), path in zip(crossing, walks, strict=True):
            middle = _line(path, span.low, cost_s, idle_s)
            if middle.at(where - span.low) >= span.left.at(where - span.low) * (1 - ALIKE):
                yield replace(span, end=where)
                yield replace(span, start=where, left=span.right)
            else:
                spans += [replace(span, end=where, right=middle), replace(span, start=where, left=middle)]


def uniform_walks(cost_s: Matrix, delays_s: Vector, idle_s: Vector) -> list[tuple[int, ...]]:
    """The shortest closed walk at each of these delays, that all switches have in common: as `closed_walk`, many delays
    at once and O(P C^2) for each, since it does not matter which configuration a switch leaves."""
    return [path for n in range(0, len(delays_s), BATCH) for path in _walks(cost_s, delays_s[n : n + BATCH], idle_s)]


def _walks(cost_s: Matrix, delays_s: Vector, idle_s: Vector) -> list[tuple[int, ...]]:
    phases, number = cost_s.shape
    size = len(delays_s)
    own, first = np.arange(number), np.eye(number, dtype=bool)
    time = np.broadcast_to(np.where(first, cost_s[0], inf), (size, number, number)).copy()
    count = np.zeros(time.shape, np.int64)
    came = np.zeros((phases, *time.shape), np.int16)
    for p in range(1, phases):
        wait = np.maximum(0, delays_s - idle_s[p])[:, None, None]
        near = time <= time.min(axis=2, keepdims=True) * (1 + ALIKE)
        best = np.argmin(np.where(near, count, MANY), axis=2)[:, :, None]
        moved, hops = np.take_along_axis(time, best, 2) + wait, np.take_along_axis(count, best, 2) + 1
        stays = (time < moved * (1 - ALIKE)) | ((time <= moved * (1 + ALIKE)) & (count <= hops))
        came[p] = np.where(stays, own, best)
        time, count = np.where(stays, time, moved) + cost_s[p], np.where(stays, count, hops)
    time = time + np.where(first, 0.0, np.maximum(0, delays_s - idle_s[0])[:, None, None])
    count = count + ~first
    flat, hops = time.reshape(size, -1), count.reshape(size, -1)
    near = flat <= flat.min(axis=1, keepdims=True) * (1 + ALIKE)
    start, here = np.divmod(np.argmin(np.where(near, hops, MANY), axis=1), number)
    path = [here]
    for p in range(phases - 1, 0, -1):
        path.append(came[p, np.arange(size), start, path[-1]].astype(np.int64))
    return [tuple(row) for row in np.stack(path[::-1], axis=1).tolist()]


def _uniform(number: int, delay_s: float) -> Matrix:
    return delay_s * (1.0 - np.eye(number))


def pays_from_factor(cost_at: Callable[[float], Matrix], switch_s: Matrix, idle_s: Vector) -> float | None:
    """How many times as many bytes every phase must have for a switch to pay; None: never. `cost_at` gives the seconds
    of the phases with so many times as many.

    >>> cost = np.array([[1.0, 2.0], [9.0, 2.0]])
    >>> round(pays_from_factor(lambda factor: cost * factor, np.array([[0, 5.0], [5.0, 0]]), np.zeros(2)), 6)
    10.0
    """

    def pays(factor: float) -> bool:
        cost = cost_at(factor)
        walk = closed_walk(cost, switch_s, idle_s)
        return walk.switches > 0 and walk.seconds < static(cost)[1] * (1 - ALIKE)

    return least_factor(pays)


def least_factor(holds: Callable[[float], bool]) -> float | None:
    """The least factor from 1e-9 to 1e9 from which on something holds, to 1e-7 of it; None where it never does.

    >>> round(least_factor(lambda factor: factor**2 > 9), 5), least_factor(lambda factor: False)
    (3.0, None)
    """
    low, high = 1e-9, 1e9
    if not holds(high):
        return None
    if holds(low):
        return low
    while high / low > 1 + 1e-7:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def break_even_bytes(delay_s: float, before_bytes_per_s: float, after_bytes_per_s: float, idle_s: float = 0.0) -> float:
    """Bytes from which one switch pays: V (1/before - 1/after) = max(0, delay - idle); inf where it wins nothing.

    From half to all of a 400 Gb/s adapter at 10 us, 10 ms, 200 ms:

    >>> [float(f"{break_even_bytes(delay, 25e9, 50e9):.3g}") for delay in (10e-6, 10e-3, 0.2)]
    [500000.0, 500000000.0, 10000000000.0]
    """
    won = 1 / before_bytes_per_s - 1 / after_bytes_per_s
    wait = max(0.0, delay_s - idle_s)
    return inf if won <= 0 else wait / won


def partial_switch_s(
    size_bytes: float, before_bytes_per_s: float, after_bytes_per_s: float, delay_s: float, share: float
) -> float:
    """Seconds of a phase when a share of the planes switches while the others keep sending (SWOT, arXiv 2510.19322).

    V / (B (1 - f)) if that ends before the switch does, else delay + (V - B (1 - f) delay) / `after`.

    >>> round(partial_switch_s(10e9, 25e9, 50e9, 0.1, 0.5), 6), partial_switch_s(1e9, 25e9, 50e9, 0.1, 0.5)
    (0.275, 0.08)
    """
    meanwhile = before_bytes_per_s * (1 - share) * delay_s
    if size_bytes <= meanwhile:
        return size_bytes / (before_bytes_per_s * (1 - share))
    return delay_s + (size_bytes - meanwhile) / after_bytes_per_s


def best_share(
    size_bytes: float, before_bytes_per_s: float, after_bytes_per_s: float, delay_s: float, planes: int
) -> tuple[int, float]:
    """How many of the planes to switch, and the seconds of the phase then; planes that stay keep their old share of
    the bandwidth.

    >>> best_share(10e9, 25e9, 50e9, 0.1, 2)[0], best_share(1e9, 25e9, 50e9, 0.1, 2)
    (2, (0, 0.04))
    """
    times = []
    for switched in range(planes + 1):
        share = switched / planes
        rate = before_bytes_per_s * (1 - share) + after_bytes_per_s * share
        delay = delay_s if switched else 0.0
        times.append((partial_switch_s(size_bytes, before_bytes_per_s, rate, delay, share), switched))
    seconds, switched = min(times)
    return switched, seconds


def doubling_delay_s(ranks: int, step_s: float) -> float:
    """Delay below which recursive doubling, with a switch before every step, beats a static ring of latency-bound size:
    log2(n) (alpha + delay) = (n - 1) alpha. Bytes count alike: either way a rank sends (n - 1)/n of them.

    >>> round(doubling_delay_s(64, 1e-6) * 1e6, 3), doubling_delay_s(2, 1e-6)
    (9.5, 0.0)
    """
    return ((ranks - 1) / ceil(log2(ranks)) - 1) * step_s if ranks > 1 else 0.0


def break_even_run_s(stages: Sequence[tuple[float, float]], before: float, after: float) -> float:
    """How long a job must still run for a reconfiguration to pay: sum of (share lost x seconds) of its stages over the
    relative gain after/before - 1; inf where nothing is gained.

    >>> round(break_even_run_s([(0.1, 60), (0.05, 120)], 1.0, 1.2), 9)
    60.0
    """
    gain = after / before - 1
    lost = sum(share * seconds for share, seconds in stages)
    return inf if gain <= 0 else lost / gain
