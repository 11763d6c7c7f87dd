"""Selection: some of a fabric's accelerators, in an order of their own, as the ranks of a collective."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Grid, Topology


def with_ranks(topology: Topology, ranks: NDArray[np.int64]) -> Topology:
    """The fabric as the chosen accelerators see it: rank i is accelerator ranks[i] (int64[n], each once) of `topology`.

    All other accelerators stay as nodes that take no part. Domains hold what of them is chosen; a grid remains where
    the choice is one (`subgrid`), tours where all accelerators are chosen.

    >>> from topologies.registry import build
    >>> some = with_ranks(build("torus:dims=4x4"), np.array([0, 1, 2, 3, 8, 9, 10, 11]))
    >>> some.grid, some.accelerators[4]
    (Grid(dims=(4, 2), wrap=(True, True), twist=False), '0-2')
    """
    ranks = np.ascontiguousarray(ranks, np.int64)
    n = len(topology.accelerators)
    if len(ranks) == n and np.array_equal(ranks, np.arange(n)):
        return topology
    place = np.full(n, -1)
    place[ranks] = np.arange(len(ranks))
    return replace(
        topology,
        grid=None if topology.grid is None else subgrid(topology.grid, coordinates(topology.grid, ranks)),
        halves=(),
        tours=[place[tour] for tour in topology.tours] if len(ranks) == n else (),
        whole=topology,
        chosen=ranks,
    )


def coordinates(grid: Grid, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of ranks in every dimension, int64[..., d], seen from the first (of each row): round the wraparound where
    there is one.

    >>> coordinates(Grid((4, 4), (True, False)), np.array([7, 4, 8])).tolist()
    [[0, 0], [1, 0], [1, 1]]
    """
    strides = np.concatenate([[1], np.cumprod(grid.dims)[:-1]]).astype(np.int64)
    place = ranks[..., None] // strides % np.array(grid.dims)
    apart: NDArray[np.int64] = place - place[..., :1, :]
    return np.where(grid.wrap, apart % np.array(grid.dims), apart)


def subgrid(grid: Grid, places: NDArray[np.int64]) -> Grid | None:
    """The grid that places int64[n, d] (of `coordinates`) form in their order, None where they form none.

    Every dimension of it lies along one of the whole, at a constant stride: neighbours at stride s are s links apart.
    It wraps where it takes all of a dimension that does.

    >>> ring = Grid((8,), (True,))
    >>> subgrid(ring, coordinates(ring, np.arange(0, 8, 2))), subgrid(ring, coordinates(ring, np.array([0, 1, 3])))
    (Grid(dims=(4,), wrap=(True,), twist=False), None)
    """
    if grid.twist:
        return None
    n, stride = len(places), 1
    axes: list[int] = []
    dims: list[int] = []
    wrap: list[bool] = []
    rebuilt = np.zeros_like(places)
    while stride < n:
        moved = np.flatnonzero(places[stride])
        if len(moved) != 1 or (axis := int(moved[0])) in axes or (step := int(places[stride, axis])) < 1:
            return None
        line = places[::stride, axis]
        same = line == step * np.arange(len(line))
        size = len(line) if same.all() else int(np.argmin(same))
        if n % (stride * size):
            return None
        rebuilt[:, axis] = step * (np.arange(n) // stride % size)
        axes.append(axis)
        dims.append(size)
        wrap.append(grid.wrap[axis] and step * size == grid.dims[axis])
        stride *= size
    return Grid(tuple(dims), tuple(wrap)) if np.array_equal(rebuilt, places) else None
