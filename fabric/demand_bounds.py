"""Bounds on arbitrary traffic: cuts, lengths of paths, and concurrent flow where its solver is at hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cext import distance_profile, hop_distances, max_flow
from fabric.cuts import entering, partitions, whole_capacity
from fabric.routing import contract
from fabric.traffic import Traffic
from topologies.graph import Topology

SOURCES = 64  # sources of one-to-one traffic whose distances are searched
LONG_SEARCH = 2 * 10**10  # terminals times arcs


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A least time per byte (s), the relative gap to the best known schedule, whether that one reaches it, and why."""

    per_byte_s: float
    gap: float
    attained: bool
    cut: NDArray[np.uint8] | None = None
    why: str = ""


def demand_bound(topology: Topology, traffic: Traffic, *, gap: float, threads: int) -> Certificate:
    """The least time of traffic in bytes per byte of size: its narrowest known cut, its bytes times the links that they
    must cross, or the concurrent flow, whichever is longest."""
    best = max(_cuts(topology, traffic), key=lambda found: found.per_byte_s)
    paths = _paths(topology, traffic, threads)
    if paths.per_byte_s > best.per_byte_s * (1 + 1e-9):
        best = paths
    solved = _solved(topology, traffic, gap)
    if solved is None:
        return best
    upper = 1 / solved.throughput
    if 1 / solved.upper > best.per_byte_s * (1 + 1e-9):
        why = "the links together: no routing spreads this traffic better (concurrent flow)"
        best = Certificate(1 / solved.upper, 0.0, False, None, why)
    left = max(0.0, 1 - best.per_byte_s / upper)
    closed = left < 1e-9
    return Certificate(best.per_byte_s, 0.0 if closed else left, closed, best.cut, best.why)


def _solved(topology: Topology, traffic: Traffic, gap: float) -> Any:
    """The maximum concurrent flow, None without its solver: `throughput` and `upper`, in sizes per second."""
    try:
        solver = import_module("fabric.throughput")
    except ModuleNotFoundError:
        return None
    return solver.concurrent_flow(topology, traffic, gap=gap, relay=True)


def _cuts(topology: Topology, traffic: Traffic) -> Iterator[Certificate]:
    """Each group of each plain partition against the rest, and halves of the ranks."""
    csr, unit = topology.csr(), float(whole_capacity(topology)[1])
    for group in partitions(topology):
        crossing = _crossing(traffic, group[csr.accelerators])
        times = crossing / (entering(topology, group) * unit)
        worst = int(np.argmax(times))
        yield Certificate(float(times[worst]), 1.0, False, (group != worst).astype(np.uint8))
    for half in _halves(topology):
        crossing = _crossing(traffic, half.astype(np.int64))
        value, side = max_flow(
            csr.indptr, csr.heads, csr.twin, whole_capacity(topology)[0],
            csr.accelerators[~half], csr.accelerators[half],
        )  # fmt: skip
        yield Certificate(float(crossing[1] / (value * unit)), 1.0, False, side)


def _crossing(traffic: Traffic, group: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[groups]: bytes that enter each group of ranks from outside."""
    groups, lists = int(group.max()) + 1, len(traffic.list_ptr) - 1
    if traffic.is_uniform:
        sizes = np.bincount(group, minlength=groups)
        every: NDArray[np.float64] = sizes * (traffic.n - sizes) * traffic.list_amount[0] * traffic.entry_scale[0]
        return every
    sums = np.bincount(traffic.list_of, traffic.list_amount, minlength=lists)
    keys, where = np.unique(traffic.list_of * groups + group[traffic.list_rank], return_inverse=True)
    amounts = np.bincount(where, traffic.list_amount, minlength=len(keys))
    wanted = traffic.entry_list.astype(np.int64) * groups + group[traffic.entry_target]
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    own = np.where(keys[place] == wanted, amounts[place], 0.0)
    crossing = traffic.entry_scale * np.maximum(0.0, sums[traffic.entry_list] - own)
    return np.bincount(group[traffic.entry_target], crossing, minlength=groups).astype(np.float64)


def _halves(topology: Topology) -> list[NDArray[np.bool_]]:
    """Halves that the family names, or those of each dimension of a grid and of the rank order."""
    n, halves = len(topology.accelerators), list(topology.halves)
    ranks, stride = np.arange(n), 1
    for size in topology.grid.dims if topology.grid else ():
        if size > 1:
            halves.append(ranks // stride % size >= size // 2)
        stride *= size
    return halves or [ranks >= n // 2]


def _paths(topology: Topology, traffic: Traffic, threads: int) -> Certificate:
    """Bytes times the fewest links to their target, over all capacity; accelerators may relay."""
    csr = topology.csr()
    anywhere = np.ones(len(csr.forwards), np.uint8)
    if traffic.is_uniform:
        hops = _hop_sum(topology, threads) * traffic.list_amount[0] * traffic.entry_scale[0]
    else:
        source, target, amount = traffic.as_pairs()
        hops = amount.sum()  # one link at least, more for those that are searched
        starts = np.unique(source)
        for rank in starts[np.linspace(0, len(starts) - 1, min(SOURCES, len(starts))).astype(np.int64)]:
            mine = source == rank
            far = hop_distances(csr.indptr, csr.heads, anywhere, int(csr.accelerators[rank]))
            hops += float(amount[mine] @ (far[csr.accelerators[target[mine]]] - 1.0))
    return Certificate(
        float(hops / csr.capacity.sum()), 1.0, False, None, "all links together: the bytes times the links they cross"
    )


def _hop_sum(topology: Topology, threads: int) -> float:
    """Links on shortest paths between all ordered pairs; one each where that search would be long."""
    small, n = contract(topology), len(topology.accelerators)
    folded = bool(small.host_arc[0] >= 0)
    terminals, counts = np.unique(small.node_of_rank, return_counts=True)
    if len(terminals) * len(small.heads) > LONG_SEARCH:
        return float(n * (n - 1))
    hop_sum, _, _, _ = distance_profile(
        small.indptr, small.heads, small.twin, np.ones(len(small.forwards), np.uint8), terminals.astype(np.int32),
        counts.astype(np.float64), np.full(len(terminals), int(folded), np.int32), threads,
    )  # fmt: skip
    return float(hop_sum) + (2.0 * float((counts * (counts - 1)).sum()) if folded else 0.0)
