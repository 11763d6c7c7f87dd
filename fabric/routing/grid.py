"""Dimension order on regular grids: the short way round, x first."""

import numpy as np
from numpy.typing import NDArray

from cext import dor_loads, dor_uniform_loads
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Grid, Topology, once

MAX_PAIRS = 50_000_000


def dor(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under dimension order; half way round a ring half goes each way, or all in + with the tie positive."""
    assert topology.grid is not None
    return loads_of(topology, traffic, *_route_grid(topology, topology.grid, traffic, options.tie == "split"))


def _route_grid(topology: Topology, grid: Grid, traffic: Traffic, split: bool) -> tuple[NDArray[np.float64], float]:
    dims, wraps = np.array(grid.dims, np.int32), np.array(grid.wrap, np.uint8)
    if traffic.is_uniform:
        columns = dor_uniform_loads(dims, wraps, split) * (traffic.list_amount[0] * traffic.entry_scale[0])
        furthest = np.array([[d // 2 if w else d - 1 for d, w in zip(grid.dims, grid.wrap, strict=True)]])
    else:
        pairs = int(np.diff(traffic.list_ptr)[traffic.entry_list].sum())
        if pairs > MAX_PAIRS:
            raise InfeasibleError(f"dor of {pairs:,} distinct pairs is not aggregated; use --routing ecmp")
        source, target, amount = traffic.as_pairs()
        columns = dor_loads(dims, wraps, source, target, amount, split)
        furthest = _grid_hops(grid, source, target)
    arcs, latency = _grid_arcs(topology)
    links = len(topology.csr().heads)
    loads = np.bincount(arcs[arcs >= 0], columns[arcs >= 0], minlength=links).astype(np.float64)
    return loads, float((furthest * latency).sum(axis=1).max(initial=0.0))


def _grid_hops(grid: Grid, source: NDArray[np.int32], target: NDArray[np.int32]) -> NDArray[np.int64]:
    """Distinct hop counts per dimension of the pairs."""
    hops, stride = [], 1
    for size, wrap in zip(grid.dims, grid.wrap, strict=True):
        step = np.abs(source // stride % size - target // stride % size)
        hops.append(np.minimum(step, size - step) if wrap else step)
        stride *= size
    distinct: NDArray[np.int64] = np.unique(np.stack(hops, axis=1), axis=0)
    return distinct


@once
def _grid_arcs(topology: Topology) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """int64[n, 2k]: the arc that leaves each rank in + and - of each dimension, -1 at the end of a line; the largest
    latency of a hop in each dimension (s)."""
    csr, grid = topology.csr(), topology.grid
    assert grid is not None
    n = len(csr.indptr) - 1
    keys = csr.tails.astype(np.int64) * n + csr.heads
    order = np.argsort(keys)
    rank = np.arange(n)
    columns, latency, stride = [], [], 1
    for size, wrap in zip(grid.dims, grid.wrap, strict=True):
        place = rank // stride % size
        longest = 0.0
        for step, last in ((1, size - 1), (-1, 0)):
            neighbour = rank + ((place + step) % size - place) * stride
            arc = order[np.minimum(np.searchsorted(keys[order], rank * n + neighbour), len(keys) - 1)]
            there = (size > 1) & ((place != last) | bool(wrap))
            columns.append(np.where(there, arc, -1))
            longest = max(longest, float(csr.latency[arc[there]].max(initial=0.0)))
        latency.append(longest)
        stride *= size
    return np.stack(columns, axis=1), np.array(latency)
