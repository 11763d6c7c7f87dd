"""Bucket: multi-dimensional reduce-scatter and all-gather on grids, all dimensions busy at once."""

import numpy as np

from fabric.algorithms.lanes import Lanes
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.collectives import Collective
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
    return Schedule("bucket", "pipelined", tuple(steps[collective.name]))


def _stage(grid: Grid, axes: list[int], stage: int, name: str) -> Step:
    """Stage k of all copies: copy c is in dimension c + k, with what the dimensions before left of its share."""
    copies = []
    for copy in range(len(axes)):
        order = axes[copy:] + axes[:copy]
        held = 1 / len(axes) / np.prod([grid.dims[i] for i in order[:stage]], dtype=float)
        copies.append(_along(grid, order[stage], held, name))
    rounds = max(grid.dims[axis] - 1 for axis in axes)
    return Step.along(
        Lanes.joined(copies), f"{name}, dimension {stage + 1} of each copy", int(np.prod(grid.dims)), rounds
    )


def _along(grid: Grid, axis: int, held: float, name: str) -> Lanes:
    """What every rank passes to both neighbours along a dimension in which each line holds `held` bytes per rank.

    Ring of a: held (a-1)/a, half each way. Line: a shard goes to every rank, so the link from place p to p+1 carries
    p+1 shards of held/a to the right, a-1-p to the left (reduce-scatter: the mirror, the sum for the far end first).
    """
    size = grid.dims[axis]
    stride = int(np.prod(grid.dims[:axis], dtype=np.int64))
    rank = np.arange(int(np.prod(grid.dims)))
    place = rank // stride % size
    right = rank + np.where(place == size - 1, 1 - size, 1) * stride
    left = rank + np.where(place == 0, size - 1, -1) * stride
    n = len(rank)
    if grid.wrap[axis]:  # edge r leaves rank r to the right, edge n + r to the left
        amount = np.full(2 * n, held * (size - 1) / size / 2)
        feed = np.concatenate([left, n + right])
        return Lanes(np.tile(rank, 2), np.concatenate([right, left]), amount, np.full(2 * n, size - 1), feed,
                     np.ones(2 * n, np.int64))  # fmt: skip
    up, down = place < size - 1, place > 0
    shards = np.concatenate([place[up] + 1, size - place[down]])
    if name == "reduce-scatter":
        shards = size - shards
    edge = np.full((2, n), -1)
    edge[0, up] = np.arange(up.sum())
    edge[1, down] = up.sum() + np.arange(down.sum())
    feed = np.concatenate([edge[0, left[up]], edge[1, right[down]]])  # -1 at the end of a line
    lag = np.full(len(shards), 0 if name == "reduce-scatter" else 1)
    return Lanes(
        np.concatenate([rank[up], rank[down]]), np.concatenate([right[up], left[down]]), held * shards / size, shards,
        feed, lag,
    )  # fmt: skip
