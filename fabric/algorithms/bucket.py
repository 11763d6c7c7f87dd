"""Bucket: multi-dimensional reduce-scatter and all-gather on grids, all dimensions busy at once."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.algorithms.tours import Tours
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Grid, Topology


def bucket(topology: Topology, collective: Collective) -> Schedule:
    """d rotated copies of S/d, each going through the dimensions in its own order, rings in both directions.

    On a torus of equal sides the links carry 2 (n-1)/n S/(2 d b) for all-reduce (BlueConnect, Cho et al., MLSys 2019;
    TPU: Jouppi et al., ISCA 2023). On a dimension without wraparound shards travel the line both ways, which doubles
    the largest load of either half; both together load a line's links evenly, S each way.
    Stage k of every copy makes step k; copies of unequal sides load the dimensions unequally.
    """
    grid = topology.grid
    if grid is None or grid.twist:
        raise NotApplicable(f"bucket needs a regular grid; {topology.name} is none")
    if collective.name not in ("all-reduce", "all-gather", "reduce-scatter"):
        raise NotApplicable(f"bucket does all-reduce, all-gather and reduce-scatter, not {collective.name}")
    axes = [i for i, size in enumerate(grid.dims) if size > 1]
    scatter = [_stage(grid, axes, k, "reduce-scatter") for k in range(len(axes))]
    gather = [_stage(grid, axes, k, "all-gather") for k in reversed(range(len(axes)))]
    steps = {"all-reduce": scatter + gather, "reduce-scatter": scatter, "all-gather": gather}
    messages = partial(_messages, grid, axes, collective.name)
    return Schedule("bucket", "pipelined", tuple(steps[collective.name]), None, messages)


def _stage(grid: Grid, axes: list[int], stage: int, half: str) -> Step:
    """Stage k of all copies: copy c is in dimension c + k, with what the dimensions before left of its share."""
    n = int(np.prod(grid.dims))
    found = [_along(grid, order[stage], _held(grid, order, stage), half) for order in _orders(axes)]
    source, target, amount = (np.concatenate(column) for column in zip(*found, strict=True))
    rounds = max(grid.dims[axis] - 1 for axis in axes)
    return Step(f"{half}, dimension {stage + 1} of each copy", Traffic.pairs(n, source, target, amount), rounds)


def _orders(axes: list[int]) -> list[list[int]]:
    """The dimensions in the order in which each copy goes through them."""
    return [axes[copy:] + axes[:copy] for copy in range(len(axes))]


def _held(grid: Grid, order: list[int], stage: int) -> float:
    """Bytes that every rank of a line holds at a stage."""
    return float(1 / len(order) / np.prod([grid.dims[i] for i in order[:stage]], dtype=float))


def _lines(grid: Grid, axis: int) -> Ids:
    """The ranks of every line along a dimension, int64[lines, size]."""
    ranks = np.arange(int(np.prod(grid.dims))).reshape(grid.dims[::-1])
    lines: Ids = np.moveaxis(ranks, len(grid.dims) - 1 - axis, -1).reshape(-1, grid.dims[axis])
    return lines


def _along(grid: Grid, axis: int, held: float, half: str) -> tuple[Ids, Ids, NDArray[np.float64]]:
    """What every rank passes to both neighbours along a dimension in which each line holds `held` bytes per rank.

    Ring of a: held (a-1)/a, half each way. Line: a shard goes to every rank, so the link from place p to p+1 carries
    p+1 shards of held/a to the right, a-1-p to the left (reduce-scatter: the mirror, the sum for the far end first).
    """
    size, lines = grid.dims[axis], _lines(grid, axis)
    stop = size if grid.wrap[axis] else size - 1
    left, right = lines[:, :stop], np.roll(lines, -1, axis=1)[:, :stop]
    if grid.wrap[axis]:
        shards = np.full((2, stop), (size - 1) / 2)
    else:
        shards = np.array([np.arange(1, size), np.arange(size - 1, 0, -1)], np.float64)
        shards = shards if half == "all-gather" else size - shards
    amount = np.broadcast_to((held * shards / size)[:, None, :], (2, *left.shape))
    return np.stack([left, right]).ravel(), np.stack([right, left]).ravel(), amount.ravel()


def _messages(grid: Grid, axes: list[int], name: str, chunks: int) -> Messages:
    """Every rank's block is cut into two halves for each copy, one for each way round the rings; on a line both halves
    go both ways."""
    n, copies = int(np.prod(grid.dims)), len(axes)
    halves = [half for half in ("reduce-scatter", "all-gather") if name in (half, "all-reduce")]
    parts = 2 * copies * (n if name == "all-reduce" else 1)
    expected = len(halves) * copies * n * (2 * sum(grid.dims[i] - 1 for i in axes) + copies)
    draft = Draft("bucket", n, parts, expected, chunks)
    for copy, order in enumerate(_orders(axes)):
        ready = None
        for half in halves:
            for stage in range(copies) if half == "reduce-scatter" else reversed(range(copies)):
                ready = _pass_on(draft, grid, order, stage, half, copy, ready)
    return draft.messages()


def _pass_on(draft: Draft, grid: Grid, order: list[int], stage: int, half: str, copy: int, ready: Ids | None) -> Ids:
    """One stage of one copy; by rank, what to wait for until it is through."""
    n, axis, closed = int(np.prod(grid.dims)), order[stage], grid.wrap[order[stage]]
    lines = _lines(grid, axis)
    tours = Tours.both_ways(lines) if closed else Tours.lines(lines)
    free = _free(grid, order[stage + 1 :])

    def shards(tour: Ids, place: Ids) -> NDArray[np.int64]:
        rank = tours.order[tour, place]
        blocks = _first(grid, order[stage + 1 :], rank)[:, None] + free
        chunk = 2 * (len(order) * blocks + copy)
        if closed:
            return chunk + (tour >= len(lines))[:, None]
        return np.concatenate([chunk, chunk + 1], axis=1)

    amount = len(free) / n / len(order) / (2 if closed else 1)
    ids, target = tours.rounds(draft, amount, shards, [half], closed=closed, ready=ready)
    return draft.arrived(ids, target, also=ready)


def _free(grid: Grid, axes: list[int]) -> Ids:
    """Rank offsets of all places in these dimensions."""
    offsets = np.zeros(1, np.int64)
    for axis in axes:
        steps = np.arange(grid.dims[axis]) * int(np.prod(grid.dims[:axis], dtype=np.int64))
        offsets = (offsets[:, None] + steps).ravel()
    return offsets


def _first(grid: Grid, axes: list[int], rank: Ids) -> Ids:
    """The rank at place 0 of these dimensions that is with `rank` in all others."""
    for axis in axes:
        stride = int(np.prod(grid.dims[:axis], dtype=np.int64))
        rank = rank - rank // stride % grid.dims[axis] * stride
    return rank
