"""Paths: the arcs that each flow uses, and which share of it uses them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cext import grid_routes, shortest_routes
from fabric.routing.grid import grid_arcs
from fabric.routing.home import home
from fabric.routing.policy import TIES, preferred, refuse_no_grid
from topologies.errors import ConfigError, InfeasibleError, TopologyError, unknown
from topologies.graph import Csr, Topology

ROUTINGS = ("auto", "dor", "ecmp", "weighted", "dmodk", "hash")
Routes = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64] | None, NDArray[np.float64]]
MAX_ENTRIES = 2**31 - 1  # of arcs, over all path sets


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """P path sets on the arcs of `topology.csr()`, and the one that each of F flows takes.

    Path set p uses arcs arc[ptr[p]:ptr[p + 1]], each once; of a flow's bytes the `share` beside it crosses that arc.
    `share` is None where every flow takes one path (all shares are 1). ptr int64[P + 1], arc int32, share float64,
    latency_s float64[P] (the longest branch), path_of int32[F].
    """

    ptr: NDArray[np.int64]
    arc: NDArray[np.int32]
    share: NDArray[np.float64] | None
    latency_s: NDArray[np.float64]
    path_of: NDArray[np.int32]

    @property
    def shares(self) -> NDArray[np.float64]:
        """`share`, ones where it is None."""
        return np.ones(len(self.arc)) if self.share is None else self.share

    def loads(self, amounts: NDArray[np.float64], arcs: int) -> NDArray[np.float64]:
        """What crosses each of so many arcs when every flow sends its amount, float64[arcs]."""
        carried = np.bincount(self.path_of, amounts, minlength=len(self.latency_s))
        each = np.repeat(carried, np.diff(self.ptr))
        crossing = each if self.share is None else each * self.share
        return np.bincount(self.arc, crossing, minlength=arcs).astype(np.float64)

    def merged(self) -> "Paths":
        """The same with equal single paths listed once, so that flows on one path form one group."""
        lengths = np.diff(self.ptr)
        if self.share is not None or not self.arc.size:
            return self
        salt = np.random.SeedSequence(len(self.arc)).generate_state(int(self.arc.max()) + 1, np.uint64)
        total = np.concatenate([[np.uint64(0)], np.cumsum(salt[self.arc])])
        marks = (total[self.ptr[1:]] - total[self.ptr[:-1]]).astype(np.uint64)
        _, first, place = np.unique(marks, return_index=True, return_inverse=True)
        keep, of = first, place
        if len(keep) == len(lengths):
            return self
        like = keep[of]  # the first path with the same mark: the same arcs, unless marks collide
        equal = lengths[like] == lengths
        offset = np.arange(len(self.arc)) - np.repeat(self.ptr[:-1], lengths)
        there = np.minimum(np.repeat(self.ptr[like], lengths) + offset, len(self.arc) - 1)
        np.logical_and.at(equal, np.repeat(np.arange(len(lengths)), lengths), self.arc[there] == self.arc)
        if not equal.all():
            return self
        rows = lengths[keep]
        ptr = np.concatenate([[0], np.cumsum(rows)])
        arc = self.arc[np.repeat(self.ptr[keep] - ptr[:-1], rows) + np.arange(ptr[-1])]
        return Paths(ptr, arc, None, self.latency_s[keep], of.astype(np.int32)[self.path_of])


def flow_paths(
    topology: Topology,
    source: ArrayLike,
    target: ArrayLike,
    routing: str = "auto",
    *,
    tie: str = "split",
    seed: int = 0,
    threads: int = 0,
) -> Paths:
    """Paths of flows between ranks under a routing; a pair of ranks is enumerated once, except under `hash`.

    `dor` orders the dimensions of a regular grid (`tie`: at half way round, half each way or all in +); `ecmp` splits
    equally over the next-hop links of all shortest paths, `weighted` by their capacity; `dmodk` takes the next-hop
    link with index (target rank mod next-hop links), in the order of arcs; `hash` takes one shortest path at random,
    links weighing alike at every hop, which depends on the seed, the pair, and how many flows of the pair stand before.
    A flow to its own rank has no arcs. Ends from n on are nodes, as in `Csr.ends`: a path to a switch includes its
    latency. InfeasibleError names a pair that no path serves.

    >>> from topologies.registry import build
    >>> flow_paths(build("ring:n=4"), [0], [2], "dor").shares.tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    if routing not in ROUTINGS:
        raise ConfigError(unknown("routing", routing, ROUTINGS))
    if tie not in TIES:
        raise ConfigError(f"tie '{tie}' is not one of {', '.join(TIES)}")
    if routing == "auto":
        routing = preferred(topology)
    elif routing == "dor":
        refuse_no_grid(topology)
    s, t = np.asarray(source, np.int64), np.asarray(target, np.int64)
    csr = topology.csr()
    in_network = max(s.max(initial=0), t.max(initial=0)) >= len(csr.accelerators)
    ends = csr.ends if in_network else csr.accelerators
    ranks = len(ends)
    pairs = s * ranks + t
    if routing == "hash":
        keys = _flow_keys(pairs, seed)
        path_of = np.arange(len(pairs), dtype=np.int32)
    else:
        pairs, path_of = _distinct(pairs, ranks)
        keys = (pairs % ranks).astype(np.uint64)
    from_rank, to_rank = (pairs // ranks).astype(np.int32), (pairs % ranks).astype(np.int32)
    if routing == "dor":
        return Paths(*_grid_paths(topology, from_rank, to_rank, tie == "split"), path_of)
    found, n = home(topology), len(csr.accelerators)
    if found is None:
        routes, place = _shortest(topology, csr, ends[from_rank], ends[to_rank], keys, routing, threads), None
    else:  # what stays in a domain keeps to its links
        domain = np.concatenate([found.domain, np.full(ranks - n, -1)])
        stays = (domain[from_rank] == domain[to_rank]) & (domain[from_rank] >= 0)
        near, far = (
            _shortest(topology, over, ends[from_rank[some]], ends[to_rank[some]], keys[some], routing, threads)
            for over, some in ((found.fabric.csr(), stays), (csr, ~stays))
        )
        routes = _one_after_the_other((near[0], found.arcs[near[1]].astype(np.int32), *near[2:]), far)
        place = np.argsort(np.argsort(~stays, kind="stable")).astype(np.int32)
    ptr, arc, share, seconds = routes
    if place is not None:
        path_of, to_rank = place[path_of], to_rank[np.argsort(place)]
    if in_network:  # a switch that is sent to takes its time to forward, or to reduce
        seconds = seconds + np.where(to_rank >= n, csr.node_latency[ends[to_rank]], 0.0)
    return Paths(ptr, arc, share, seconds, path_of)


def _shortest(
    topology: Topology, csr: Csr, source: NDArray[np.int32], target: NDArray[np.int32], keys: NDArray[np.uint64],
    routing: str, threads: int,
) -> Routes:  # fmt: skip
    """Shortest paths between pairs of nodes over the arcs of a csr."""
    ptr, arc, share, seconds, lost = shortest_routes(
        csr.indptr, csr.heads, csr.capacity if routing == "weighted" else csr.links, csr.twin, csr.forwards,
        csr.latency, csr.node_latency, source, target, keys,
        {"dmodk": "modulo", "hash": "random"}.get(routing, "split"), threads,
    )  # fmt: skip
    if lost >= 0:
        a, b = (topology.nodes[side[lost]] for side in (source, target))
        raise InfeasibleError(f"{topology.name}: no path from {a} to {b} that crosses switches only; relay in flows")
    return ptr, arc, share, seconds


def _one_after_the_other(first: Routes, second: Routes) -> Routes:
    """The paths of both, in this order."""
    share = None
    if first[2] is not None or second[2] is not None:
        share = np.concatenate([np.ones(len(arc)) if s is None else s for _, arc, s, _ in (first, second)])
    return (
        np.concatenate([first[0], second[0][1:] + first[0][-1]]),
        np.concatenate([first[1], second[1]]),
        share,
        np.concatenate([first[3], second[3]]),
    )


def given_paths(topology: Topology, ptr: ArrayLike, node: ArrayLike) -> Paths:
    """Paths along given nodes (positions in `topology.nodes`): flow f takes node[ptr[f]:ptr[f + 1]], alike ones once.

    ConfigError names the flow that steps where no link is, crosses a node that does not forward, or an arc twice.

    >>> from topologies.registry import build
    >>> given_paths(build("ring:n=4"), [0, 3], [0, 3, 2]).arc.tolist()
    [1, 7]
    """
    csr = topology.csr()
    rows, nodes = np.ascontiguousarray(ptr, np.int64), np.ascontiguousarray(node, np.int32)
    if rows.ndim != 1 or not len(rows) or rows[0] != 0 or rows[-1] != len(nodes) or (np.diff(rows) < 1).any():
        raise ConfigError(f"paths: ptr must climb from 0 to {len(nodes)}, each path with at least one node")
    if len(nodes) and (nodes.min() < 0 or nodes.max() >= len(topology.nodes)):
        raise ConfigError(f"paths: nodes are positions 0 to {len(topology.nodes) - 1} in topology.nodes")
    flow = np.repeat(np.arange(len(rows) - 1), np.diff(rows))
    step = np.flatnonzero(flow[1:] == flow[:-1])
    n = len(topology.nodes)
    keys = csr.tails.astype(np.int64) * n + csr.heads
    order = np.argsort(keys)
    wanted = nodes[step].astype(np.int64) * n + nodes[step + 1]
    arc = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
    inner = np.flatnonzero((flow[1:-1] == flow[:-2]) & (flow[1:-1] == flow[2:])) + 1
    pairs = np.sort(flow[step] * len(keys) + arc)
    for wrong, what in (
        (step[keys[arc] != wanted], "takes a step that no link joins"),
        (inner[csr.forwards[nodes[inner]] == 0], "crosses a node that does not forward"),
    ):
        if wrong.size:
            at = int(wrong[0])
            names = f"{topology.nodes[nodes[at]]} to {topology.nodes[nodes[at + 1]]}"
            raise ConfigError(f"paths: the path of flow {flow[at]} {what}, at {names}")
    twice = np.flatnonzero(pairs[1:] == pairs[:-1])
    if twice.size:
        raise ConfigError(f"paths: the path of flow {pairs[twice[0]] // len(keys)} crosses a link twice")
    starts = rows - np.arange(len(rows))
    cost = csr.latency[arc] + np.where(np.isin(step, inner), csr.node_latency[nodes[step]], 0.0)
    latency = np.bincount(flow[step], cost, minlength=len(rows) - 1).astype(np.float64)
    return Paths(starts, arc.astype(np.int32), None, latency, np.arange(len(rows) - 1, dtype=np.int32))


def _distinct(pairs: NDArray[np.int64], ranks: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Distinct pairs in rising order and the place of each flow's among them; by counting where the table is small."""
    if ranks * ranks > 8 * len(pairs) + 1024:
        found, place = np.unique(pairs, return_inverse=True)
        return found, place.astype(np.int32)
    used = np.zeros(ranks * ranks, bool)
    used[pairs] = True
    return np.flatnonzero(used), (np.cumsum(used, dtype=np.int32) - 1)[pairs]


def _flow_keys(pairs: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A number for each flow: of the seed, its pair, and how many flows of the pair stand before it."""
    order = np.argsort(pairs, kind="stable")
    first = np.flatnonzero(np.diff(pairs[order], prepend=-1))
    nth = np.empty(len(pairs), np.uint64)
    nth[order] = np.arange(len(pairs)) - np.repeat(first, np.diff(first, append=len(pairs)))
    salt = np.random.SeedSequence(seed).generate_state(3, np.uint64)
    odd = salt | np.uint64(1)
    keys: NDArray[np.uint64] = (pairs.astype(np.uint64) * odd[0] + nth * odd[1]) ^ salt[2]
    return keys


def _grid_paths(
    topology: Topology, source: NDArray[np.int32], target: NDArray[np.int32], split: bool
) -> tuple[Any, Any, Any, Any]:
    csr, grid = topology.csr(), topology.grid
    assert grid is not None
    arcs, _ = grid_arcs(topology)
    ptr, arc, share, seconds = grid_routes(
        np.array(grid.dims, np.int32), np.array(grid.wrap, np.uint8), np.ascontiguousarray(arcs, np.int32),
        csr.latency + csr.node_latency[csr.heads], source, target, split,
    )  # fmt: skip
    if arc.size and arc.min() < 0:
        raise TopologyError(f"{topology.name}: a link of the grid is missing; use ecmp")
    end = np.where(np.diff(ptr) > 0, csr.node_latency[csr.accelerators[target]], 0.0)
    return ptr, arc, share, seconds - end
