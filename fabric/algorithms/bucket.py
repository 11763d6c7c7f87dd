"""Bucket: multi-dimensional reduce-scatter and all-gather on grids, all dimensions busy at once."""

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.schedule import NotApplicable, Schedule, Step
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
    return Schedule("bucket", "pipelined", tuple(steps[collective.name]))


def _stage(grid: Grid, axes: list[int], stage: int, name: str) -> Step:
    """Stage k of all copies: copy c is in dimension c + k, with what the dimensions before left of its share."""
    sources, targets, amounts = [], [], []
    rounds = 0
    for copy in range(len(axes)):
        order = axes[copy:] + axes[:copy]
        axis = order[stage]
        held = 1 / len(axes) / np.prod([grid.dims[i] for i in order[:stage]], dtype=float)
        source, target, amount = _neighbours(grid, axis, held, name)
        sources.append(source)
        targets.append(target)
        amounts.append(amount)
        rounds = max(rounds, grid.dims[axis] - 1)
    traffic = Traffic.pairs(
        int(np.prod(grid.dims)), np.concatenate(sources), np.concatenate(targets), np.concatenate(amounts)
    )
    return Step(f"{name}, dimension {stage + 1} of each copy", traffic, rounds)


def _neighbours(
    grid: Grid, axis: int, held: float, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """What every rank passes to both neighbours along a dimension in which each line holds `held` bytes per rank.

    Ring of a: held (a-1)/a, half each way. Line: a shard goes to every rank, so the link from place p to p+1 carries
    p+1 shards of held/a to the right, a-1-p to the left (reduce-scatter: the mirror).
    """
    size = grid.dims[axis]
    stride = int(np.prod(grid.dims[:axis], dtype=np.int64))
    rank = np.arange(int(np.prod(grid.dims)))
    place = rank // stride % size
    right = rank + np.where(place == size - 1, 1 - size, 1) * stride
    if grid.wrap[axis]:
        amount = np.full(len(rank), held * (size - 1) / size / 2)
        return np.concatenate([rank, right]), np.concatenate([right, rank]), np.concatenate([amount, amount])
    inner = place < size - 1
    up = held * (place[inner] + 1) / size
    down = held * (size - 1 - place[inner]) / size
    if name == "reduce-scatter":
        up, down = down, up
    return (
        np.concatenate([rank[inner], right[inner]]),
        np.concatenate([right[inner], rank[inner]]),
        np.concatenate([up, down]),
    )
