"""Dimension order on regular grids: the short way round, x first."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cext import dor_dense_loads, dor_loads, dor_turn_loads, dor_uniform_loads
from fabric.routing.router import Loads, RoutingOptions, loads_of
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Grid, Topology, once

WALKED = 1_000_000  # pairs that are walked one by one
MAX_PAIRS = 50_000_000  # the same, where sums over them do not fit
MAX_SUMS = 2**27
MAX_MATRIX = 2**26
FEW_LISTS = 256

List = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]


def dor(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads under dimension order; half way round a ring half goes each way, or all in + with the tie positive."""
    assert topology.grid is not None
    split = options.tie == "split"
    return loads_of(topology, traffic, *_route_grid(topology, topology.grid, traffic, split, options.threads))


def _route_grid(
    topology: Topology, grid: Grid, traffic: Traffic, split: bool, threads: int
) -> tuple[NDArray[np.float64], float]:
    dims, wraps = np.array(grid.dims, np.int32), np.array(grid.wrap, np.uint8)
    arcs, latency = grid_arcs(topology)
    pairs = int(np.diff(traffic.list_ptr)[traffic.entry_list].sum())
    if traffic.is_uniform:
        columns = dor_uniform_loads(dims, wraps, split) * (traffic.list_amount[0] * traffic.entry_scale[0])
        slowest = _diameter_s(grid, latency)
    elif pairs > WALKED and traffic.n * sum(grid.dims) <= MAX_SUMS:
        if len(traffic.list_ptr) > FEW_LISTS and traffic.n**2 <= min(4 * pairs, MAX_MATRIX):
            columns = dor_dense_loads(dims, wraps, _matrix(traffic), split, threads)
        else:
            columns = dor_turn_loads(dims, wraps, _turns(grid, traffic), split)
        slowest = _slowest_s(grid, latency, traffic)
    elif pairs > MAX_PAIRS:
        raise InfeasibleError(
            f"dor of {pairs:,} distinct pairs on {topology.name} takes too much memory; use --routing ecmp"
        )
    else:
        source, target, amount = traffic.as_pairs()
        columns = dor_loads(dims, wraps, source, target, amount, split)
        slowest = float(_between_s(grid, latency, source[amount > 0], target[amount > 0]).max(initial=0.0))
    links = len(topology.csr().heads)
    loads = np.bincount(arcs[arcs >= 0], columns[arcs >= 0], minlength=links).astype(np.float64)
    return loads, slowest


def _lists(traffic: Traffic) -> Iterator[List]:
    """Sources, amounts, targets and scales of every list that sends anything."""
    order = np.argsort(traffic.entry_list, kind="stable")
    bounds = np.searchsorted(traffic.entry_list[order], np.arange(len(traffic.list_ptr)))
    for k in range(len(traffic.list_ptr) - 1):
        here = slice(*traffic.list_ptr[k : k + 2])
        there = order[bounds[k] : bounds[k + 1]]
        some, any_ = traffic.list_amount[here] > 0, traffic.entry_scale[there] > 0
        if some.any() and any_.any():
            yield (
                traffic.list_rank[here][some], traffic.list_amount[here][some],
                traffic.entry_target[there][any_], traffic.entry_scale[there][any_],
            )  # fmt: skip


def _matrix(traffic: Traffic) -> NDArray[np.float64]:
    """float64[n, n]: what each rank (row) sends to each."""
    received = np.zeros((traffic.n, traffic.n))
    for sources, amounts, targets, scales in _lists(traffic):
        sent = np.bincount(sources, amounts, traffic.n)
        for target, scale in zip(targets.tolist(), scales.tolist(), strict=True):
            received[target] += scale * sent
    return np.ascontiguousarray(received.T)


def _turns(grid: Grid, traffic: Traffic) -> list[NDArray[np.float64]]:
    """What turns into each dimension, as dor_turn_loads takes it: an outer product a list and dimension."""
    strides = [1, *np.cumprod(grid.dims).tolist()]
    turns = [np.zeros((traffic.n // below, above)) for below, above in pairwise(strides)]
    for sources, amounts, targets, scales in _lists(traffic):
        for turn, below in zip(turns, strides, strict=False):
            sent = np.bincount(sources // below, amounts)
            asked = np.bincount(targets % turn.shape[1], scales)
            a, b = np.flatnonzero(sent), np.flatnonzero(asked)
            turn[np.ix_(a, b)] += np.outer(sent[a], asked[b])
    return [turn.ravel() for turn in turns]


def _hops(size: int, wrap: bool) -> NDArray[np.int64]:
    """int64[size, size]: hops from place to place of a line."""
    apart = np.abs(np.arange(size)[:, None] - np.arange(size))
    hops: NDArray[np.int64] = np.minimum(apart, size - apart) if wrap else apart
    return hops


def _diameter_s(grid: Grid, latency: NDArray[np.float64]) -> float:
    """Latency of the two ends that are furthest apart."""
    hops = [size // 2 if wrap else size - 1 for size, wrap in zip(grid.dims, grid.wrap, strict=True)]
    return float((np.array(hops) * latency).sum())


def _between_s(
    grid: Grid, latency: NDArray[np.float64], source: NDArray[np.int32], target: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Latency of every pair."""
    seconds, stride = np.zeros(len(source)), 1
    for size, wrap, hop in zip(grid.dims, grid.wrap, latency.tolist(), strict=True):
        apart = np.abs(source // stride % size - target // stride % size)
        seconds += hop * (np.minimum(apart, size - apart) if wrap else apart)
        stride *= size
    return seconds


def _slowest_s(grid: Grid, latency: NDArray[np.float64], traffic: Traffic) -> float:
    """Latency of the slowest pair, without pairs: for each list the latency of every rank's furthest source, found a
    dimension after the other."""
    slowest, most = 0.0, _diameter_s(grid, latency)
    for sources, _, targets, _ in _lists(traffic):
        if len(sources) * len(targets) < traffic.n:
            pairs = np.repeat(sources, len(targets)), np.tile(targets, len(sources))
            slowest = max(slowest, float(_between_s(grid, latency, *pairs).max()))
        else:
            furthest = np.full(traffic.n, -np.inf)
            furthest[sources] = 0.0
            stride = 1
            for size, wrap, hop in zip(grid.dims, grid.wrap, latency.tolist(), strict=True):
                lines = furthest.reshape(-1, size, stride)
                costs = hop * _hops(size, wrap)
                furthest = np.stack([(lines + cost[:, None]).max(axis=1) for cost in costs], axis=1).ravel()
                stride *= size
            slowest = max(slowest, float(furthest[targets].max()))
        if slowest >= most * (1 - 1e-12):
            break
    return slowest


@once
def grid_arcs(topology: Topology) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
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
