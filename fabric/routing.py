"""Routing: traffic on a topology to the load of every arc, by aggregation in the kernels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import dor_loads, dor_uniform_loads, ecmp_loads
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Grid, Topology, once

ROUTINGS = ("auto", "ecmp", "dor")
TIES = ("split", "positive")
MAX_PAIRS = 50_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """What traffic puts on a topology: bytes on each arc (float64[A], in the units of the traffic), and the zero-load
    latency of the pairs that exchange any: the longest, and the mean of a byte (s)."""

    arcs: NDArray[np.float64]
    latency_s: float
    mean_latency_s: float


NodeDemand = tuple[
    NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.float64],
    NDArray[np.int64], NDArray[np.int32], NDArray[np.float64],
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Contracted:
    """The topology that searches walk: accelerators that hang on one switch by equal links are folded into it.

    `node_of_rank` int32[n] is where a rank's traffic starts (a position in the folded graph); `arcs` int64[A'] are the
    arcs that remain; `host_arc` int64[n] is each folded rank's own arc, -1 where it is not folded; `host_latency_s` is
    that of a folded rank's link.
    """

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    twin: NDArray[np.int32]
    links: NDArray[np.float64]
    latency: NDArray[np.float64]
    forwards: NDArray[np.uint8]
    node_latency: NDArray[np.float64]
    arcs: NDArray[np.int64]
    node_of_rank: NDArray[np.int32]
    host_arc: NDArray[np.int64]
    host_latency_s: float


def resolve(topology: Topology, routing: str) -> str:
    """The routing that `auto` stands for: dor on regular tori and meshes, ecmp elsewhere; ConfigError if unfit."""
    if routing not in ROUTINGS:
        raise ConfigError(unknown("routing", routing, ROUTINGS))
    regular = topology.grid is not None and not topology.grid.twist
    if routing == "dor" and not regular:
        why = "its wraparound is twisted" if topology.grid is not None else "it is no grid"
        raise ConfigError(f"dor orders the dimensions of a regular grid; {topology.name}: {why}; use ecmp")
    return ("dor" if regular else "ecmp") if routing == "auto" else routing


def route(topology: Topology, traffic: Traffic, routing: str, *, tie: str = "split", threads: int = 0) -> Loads:
    """Loads of the traffic under a routing; InfeasibleError names a pair that no path serves."""
    if tie not in TIES:
        raise ConfigError(f"tie '{tie}' is not one of {', '.join(TIES)}")
    routing = resolve(topology, routing)
    if not traffic.is_uniform:
        return _route(topology, traffic, routing, tie, threads)
    known, amount = _uniform_loads(topology), float(traffic.list_amount[0] * traffic.entry_scale[0])
    if (routing, tie) not in known:
        known[routing, tie] = _route(topology, Traffic.uniform(traffic.n, 1.0), routing, tie, threads)
    unit = known[routing, tie]
    return Loads(unit.arcs * amount, unit.latency_s, unit.mean_latency_s)


@once
def _uniform_loads(topology: Topology) -> dict[tuple[str, str], Loads]:
    """Loads of one byte between every two ranks, by routing and tie, as they become known."""
    return {}


def _route(topology: Topology, traffic: Traffic, routing: str, tie: str, threads: int) -> Loads:
    if routing == "dor":
        assert topology.grid is not None
        arcs, latency = _route_grid(topology, topology.grid, traffic, tie == "split")
    else:
        arcs, latency = _route_ecmp(topology, traffic, threads)
    csr = topology.csr()
    seconds = csr.latency + csr.node_latency[csr.heads]  # accelerators that forward add none
    total = traffic.total
    return Loads(arcs, latency, float(arcs @ seconds) / total if total else 0.0)


@once
def contract(topology: Topology) -> Contracted:
    """Fold single-homed accelerators into their switches; none where their links differ in latency, or others exist."""
    csr = topology.csr()
    nodes = len(csr.indptr) - 1
    degree = np.diff(csr.indptr)
    ranks = csr.accelerators
    first = csr.indptr[ranks]
    single = (degree[ranks] == 1) & (csr.forwards[ranks] == 0)
    home = np.where(single, csr.heads[np.minimum(first, len(csr.heads) - 1)], ranks)
    delay = csr.latency[np.minimum(first, len(csr.heads) - 1)]
    fold = single & (csr.forwards[home] == 1)
    if not fold.all() or np.ptp(delay) > 0 or np.ptp(csr.node_latency[home]) > 0:
        fold[:] = False
    gone = np.zeros(nodes, bool)
    gone[ranks[fold]] = True
    kept = np.flatnonzero(~(gone[csr.tails] | gone[csr.heads]))
    new = np.cumsum(~gone) - 1
    place = np.full(len(csr.heads), -1, np.int64)
    place[kept] = np.arange(len(kept))
    indptr = np.zeros(int((~gone).sum()) + 1, np.int64)
    np.cumsum(np.bincount(new[csr.tails[kept]], minlength=len(indptr) - 1), out=indptr[1:])
    return Contracted(
        indptr=indptr,
        heads=new[csr.heads[kept]].astype(np.int32),
        twin=place[csr.twin[kept]].astype(np.int32),
        links=csr.links[kept],
        latency=csr.latency[kept],
        forwards=csr.forwards[~gone],
        node_latency=csr.node_latency[~gone],
        arcs=kept,
        node_of_rank=new[np.where(fold, home, ranks)].astype(np.int32),
        host_arc=np.where(fold, first, -1),
        host_latency_s=float(csr.latency[first[0]]) if fold.any() else 0.0,
    )


def _route_ecmp(topology: Topology, traffic: Traffic, threads: int) -> tuple[NDArray[np.float64], float]:
    csr, small = topology.csr(), contract(topology)
    folded = small.host_arc[0] >= 0
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = _at_nodes(
        traffic, small.node_of_rank
    )
    inner, latency, hops, lost = ecmp_loads(
        small.indptr, small.heads, small.links, small.twin, small.forwards, small.latency, small.node_latency,
        targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount, threads,
    )  # fmt: skip
    if lost[0] >= 0:
        _refuse(topology, small, int(lost[0]), int(lost[1]))
    arcs = np.zeros(len(csr.heads))
    arcs[small.arcs] = inner
    if not folded:
        return arcs, latency
    arcs[small.host_arc] = traffic.sent
    arcs[csr.twin[small.host_arc]] = traffic.received
    through = float(csr.node_latency[csr.heads[small.host_arc]].max())
    return arcs, latency + 2 * small.host_latency_s + (2 * through if hops else through)


def _at_nodes(traffic: Traffic, node_of_rank: NDArray[np.int32]) -> NodeDemand:
    """The kernel's demand: traffic between ranks summed to traffic between the nodes that they start from."""
    nodes = int(node_of_rank.max()) + 1
    lists = len(traffic.list_ptr) - 1
    keys, where = np.unique(traffic.list_of * nodes + node_of_rank[traffic.list_rank], return_inverse=True)
    amounts = np.bincount(where, traffic.list_amount, minlength=len(keys))
    list_ptr = np.searchsorted(keys, np.arange(lists + 1) * nodes)
    entries, at = np.unique(
        node_of_rank[traffic.entry_target].astype(np.int64) * lists + traffic.entry_list, return_inverse=True
    )
    scales = np.bincount(at, traffic.entry_scale, minlength=len(entries))
    destinations, first = np.unique(entries // lists, return_index=True)
    return (
        destinations.astype(np.int32),
        np.append(first, len(entries)).astype(np.int64),
        (entries % lists).astype(np.int32),
        scales.astype(np.float64),
        list_ptr.astype(np.int64),
        (keys % nodes).astype(np.int32),
        amounts.astype(np.float64),
    )


def _refuse(topology: Topology, small: Contracted, source: int, target: int) -> None:
    of = {int(node): rank for rank, node in reversed(list(enumerate(small.node_of_rank.tolist())))}
    a, b = (topology.accelerators[of[node]] for node in (source, target))
    raise InfeasibleError(
        f"{topology.name}: no path from {a} to {b} that crosses switches only; relay inside the domain "
        "(--algorithm pxn or hierarchical) or join the rails"
    )


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
