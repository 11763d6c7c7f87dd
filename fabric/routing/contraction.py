"""Contraction: accelerators folded into the switch they hang on, and traffic summed to the nodes that remain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology, once

MAX_PAIRS = 4_000_000

NodeDemand = tuple[
    NDArray[np.int32], NDArray[np.int64], NDArray[np.int32], NDArray[np.float64],
    NDArray[np.int64], NDArray[np.int32], NDArray[np.float64],
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Contracted:
    """The topology that searches walk: accelerators that hang on one switch by equal links are folded into it.

    `node_of_rank` int32[n] is where a rank's traffic starts (a position in the folded graph); `arcs` int64[A'] are the
    arcs that remain; `host_arc` int64[n] is each folded rank's own arc, -1 where it is not folded; `host_latency_s` is
    that of a folded rank's link. `place` int32[V] is where each node of the topology went, -1 where it was folded.
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
    place: NDArray[np.int32]

    @property
    def folded(self) -> bool:
        """Are the ranks folded? All are, or none."""
        return bool(self.host_arc[0] >= 0)


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
        place=np.where(gone, -1, new).astype(np.int32),
    )


def demand_at_nodes(traffic: Traffic, node_of_rank: NDArray[np.int32]) -> NodeDemand:
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


def node_pairs(
    traffic: Traffic, home: NDArray[np.int32], name: str
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """The traffic between nodes as distinct pairs."""
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand_at_nodes(traffic, home)
    sizes = np.diff(list_ptr)[entry_list]
    if sizes.sum() > MAX_PAIRS:
        raise InfeasibleError(
            f"{name}: {sizes.sum():,} pairs of switches exchange traffic; at most {MAX_PAIRS:,} are told apart; "
            "take --routing ecmp or ugal"
        )
    place = np.arange(sizes.sum()) + np.repeat(list_ptr[entry_list] - (np.cumsum(sizes) - sizes), sizes)
    nodes = int(home.max()) + 1
    target = np.repeat(np.repeat(targets, np.diff(entry_ptr)), sizes)
    keys, where = np.unique(list_node[place].astype(np.int64) * nodes + target, return_inverse=True)
    amount = np.bincount(where, list_amount[place] * np.repeat(entry_scale, sizes), minlength=len(keys))
    keep = (keys // nodes != keys % nodes) & (amount > 0)
    kept = keys[keep]
    return (kept // nodes).astype(np.int32), (kept % nodes).astype(np.int32), amount[keep]


def on_all_arcs(topology: Topology, traffic: Traffic, inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Loads of every arc: those of the folded graph, and what folded accelerators send and receive."""
    csr, small = topology.csr(), contract(topology)
    arcs = np.zeros(len(csr.heads))
    arcs[small.arcs] = inner
    if small.folded:
        arcs[small.host_arc] = traffic.sent
        arcs[csr.twin[small.host_arc]] = traffic.received
    return arcs


def from_end_to_end(topology: Topology, small: Contracted, inner_s: float, far: bool) -> float:
    """The longest latency of two accelerators from that of their switches; `far` if any two are on different ones."""
    if not small.folded:
        return inner_s
    csr = topology.csr()
    through = float(csr.node_latency[csr.heads[small.host_arc]].max())
    return inner_s + 2 * small.host_latency_s + (2 * through if far else through)


def refuse(topology: Topology, small: Contracted, source: int, target: int) -> None:
    """Raise InfeasibleError for two nodes of the folded graph that no path joins, by accelerators there."""
    of = {int(node): rank for rank, node in reversed(list(enumerate(small.node_of_rank.tolist())))}
    a, b = (topology.accelerators[of[node]] for node in (source, target))
    raise InfeasibleError(
        f"{topology.name}: no path from {a} to {b} that crosses switches only; relay inside the domain "
        "(--algorithm pxn or hierarchical) or join the rails"
    )
