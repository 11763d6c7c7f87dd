"""By leaf: demand between scale-up domains sent to the leaves of its targets, of which there are far fewer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import MAX_PAIRS, NodeDemand, contract
from fabric.routing.leaves import leaves
from fabric.routing.separated import separate
from topologies.graph import Topology


@dataclass(frozen=True, slots=True, eq=False)
class ByLeaf:
    """Demand inside domains as it is, `near`; that between them towards leaves, `far`; and what it puts on the last
    links, `last` float64[A'] on the arcs of the folded graph, `last_s` further on its way."""

    near: NodeDemand
    far: NodeDemand
    last: NDArray[np.float64]
    last_s: float


def by_leaf(topology: Topology, demand: NodeDemand) -> ByLeaf | None:
    """A demand cut at the leaves: all shortest paths to a rank from other domains end on its one link (`leaves`), so
    that equal splits towards it are those towards its leaf. None where a fabric has no such leaves, or the pairs are
    too many to list.

    >>> from fabric.routing.contraction import demand_at_nodes
    >>> from fabric.traffic import Traffic
    >>> from topologies.registry import build
    >>> fabric = build("rail:servers=4,rails=1,gpus=2")
    >>> some = Traffic.pairs(8, [0, 0, 4], [1, 2, 3], 1.0)              # the first inside a server
    >>> cut = by_leaf(fabric, demand_at_nodes(some, contract(fabric).node_of_rank))
    >>> len(cut.near[0]), len(cut.far[0]), cut.last.sum()
    (1, 1, np.float64(2.0))
    """
    found, small = leaves(topology), contract(topology)
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand
    sizes = np.diff(list_ptr)[entry_list]
    if found is None or sizes.sum() > MAX_PAIRS:
        return None
    place = np.arange(sizes.sum()) + np.repeat(list_ptr[entry_list] - (np.cumsum(sizes) - sizes), sizes)
    source, target = list_node[place], np.repeat(np.repeat(targets, np.diff(entry_ptr)), sizes)
    amount = list_amount[place] * np.repeat(entry_scale, sizes)
    rank_of = np.zeros(len(small.forwards), np.int64)
    rank_of[small.node_of_rank] = np.arange(len(small.node_of_rank))
    to = rank_of[target]
    far = found.domain[rank_of[source]] != found.domain[to]
    arc = np.searchsorted(separate(topology).first, found.link[to[far]], side="right") - 1
    return ByLeaf(
        near=_of_pairs(source[~far], target[~far], amount[~far]),
        far=_of_pairs(source[far], found.leaf[to[far]], amount[far]),
        last=np.bincount(arc, amount[far], minlength=len(small.heads)).astype(np.float64),
        last_s=found.last_s,
    )


def _of_pairs(source: NDArray[np.int32], target: NDArray[np.int32], amount: NDArray[np.float64]) -> NodeDemand:
    """Pairs of nodes as the kernel takes them: a list of sources for each target."""
    keys, where = np.unique(target.astype(np.int64) << 32 | source, return_inverse=True)
    targets, first = np.unique(keys >> 32, return_index=True)
    each = np.arange(len(targets) + 1)
    return (
        targets.astype(np.int32), each, each[:-1].astype(np.int32), np.ones(len(targets)),
        np.append(first, len(keys)).astype(np.int64), (keys & 0xFFFFFFFF).astype(np.int32),
        np.bincount(where, amount, minlength=len(keys)).astype(np.float64),
    )  # fmt: skip
