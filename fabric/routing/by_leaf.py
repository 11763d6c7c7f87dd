"""By leaf: demand between scale-up domains taken from leaf to leaf, of which there are far fewer than ranks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import MAX_PAIRS, Contracted, NodeDemand, contract
from fabric.routing.leaves import Leaves, leaves
from fabric.routing.separated import separate
from topologies.graph import Topology

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_LEAF_PAIRS = 100_000_000  # that are held; a few gigabytes
MAX_COUNTED = 1_000_000_000  # pairs of leaves, over all lists: some seconds


@dataclass(frozen=True, slots=True, eq=False)
class ByLeaf:
    """Demand inside domains as it is, `near`; that between them, `far`, through the network alone, where one rank
    stands for all at its leaf by links as long. `ends` float64[A'], on the arcs of the folded graph: what goes to and
    from each rank there. Pairs with one stand-in for both take `least_s`. All is so many times `amount`."""

    near: NodeDemand
    far: NodeDemand
    ends: NDArray[np.float64]
    least_s: float
    amount: float = 1.0


def by_leaf(topology: Topology, demand: NodeDemand) -> ByLeaf | None:
    """A demand cut at the leaves: all shortest paths to a rank from other domains end on its one link, and leave by
    that of their source (`leaves`), so that equal splits of them are those from leaf to leaf. None where a fabric has
    no such leaves, or the pairs are too many to list and not alike.

    >>> from fabric.routing.contraction import demand_at_nodes
    >>> from fabric.traffic import Traffic
    >>> from topologies.registry import build
    >>> fabric = build("rail:servers=4,rails=1,gpus=2")
    >>> some = Traffic.pairs(8, [0, 0, 4], [1, 2, 3], 1.0)              # the first inside a server
    >>> cut = by_leaf(fabric, demand_at_nodes(some, contract(fabric).node_of_rank))
    >>> len(cut.near[0]), len(cut.far[0]), cut.ends.sum()
    (1, 1, np.float64(4.0))
    """
    found, small = leaves(topology), contract(topology)
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand
    sizes = np.diff(list_ptr)[entry_list]
    if found is None:
        return None
    if sizes.sum() > MAX_PAIRS:
        return leaf_to_leaf(topology, demand)
    place = np.arange(sizes.sum()) + np.repeat(list_ptr[entry_list] - (np.cumsum(sizes) - sizes), sizes)
    source, target = list_node[place], np.repeat(np.repeat(targets, np.diff(entry_ptr)), sizes)
    amount = list_amount[place] * np.repeat(entry_scale, sizes)
    rank_of, n = _rank_of(small), len(small.node_of_rank)
    far = found.domain[rank_of[source]] != found.domain[rank_of[target]]
    from_rank, to_rank, moved = rank_of[source[far]], rank_of[target[far]], amount[far]
    sent, received = (np.bincount(rank, moved, n).astype(np.float64) for rank in (from_rank, to_rank))
    start, end = found.stand_in[found.place[from_rank]], found.stand_in[found.place[to_rank]]
    return ByLeaf(
        near=_of_pairs(source[~far], target[~far], amount[~far]),
        far=_of_pairs(small.node_of_rank[start], small.node_of_rank[end], moved),
        ends=_ends(topology, found, sent, received),
        least_s=float(found.turn_s[start[start == end]].max(initial=0.0)),
    )


def leaf_to_leaf(topology: Topology, demand: NodeDemand) -> ByLeaf | None:
    """The same for pairs of one amount, however many, which are counted; inside domains the demand keeps its targets.
    None where a fabric has no leaves, amounts differ, or pairs of leaves are above 100 million.

    >>> from fabric.routing.contraction import demand_at_nodes
    >>> from fabric.traffic import Traffic
    >>> from topologies.registry import build
    >>> fabric = build("rail:servers=8,gpus=2,leaf_hosts=4")           # two rails of two leaves, four servers at each
    >>> all_to_all = demand_at_nodes(Traffic.uniform(16, 1.0), contract(fabric).node_of_rank)
    >>> cut = leaf_to_leaf(fabric, all_to_all)
    >>> sorted(set(cut.far[-1].tolist()))                              # 4 x 3 where servers are the same, else 4 x 4
    [12.0, 16.0]
    """
    found, small = leaves(topology), contract(topology)
    targets, entry_ptr, entry_list, entry_scale, list_ptr, list_node, list_amount = demand
    if found is None or not len(entry_list) or np.ptp(entry_scale) > 0 or np.ptp(list_amount) > 0:
        return None
    rank_of, domains, lists = _rank_of(small), int(found.domain.max()) + 1, len(list_ptr) - 1
    source, target = rank_of[list_node], rank_of[np.repeat(targets, np.diff(entry_ptr))]
    list_of = np.repeat(np.arange(lists), np.diff(list_ptr))
    of_source = list_of * domains + found.domain[source]
    parts, part, members = np.unique(of_source, return_inverse=True, return_counts=True)  # of lists, by domain
    wanted = entry_list.astype(np.int64) * domains + found.domain[target]
    own = np.minimum(np.searchsorted(parts, wanted), len(parts) - 1)
    inside = np.flatnonzero(parts[own] == wanted)
    own = own[inside]
    every = _counted(found, (list_of, source), (entry_list, target), lists)
    stays = _counted(found, (part, source), (own, target[inside]), len(parts))
    if every is None or stays is None:
        return None
    far = (every - stays).tocsr()
    del every
    far.eliminate_zeros()
    nodes = small.node_of_rank[found.stand_in]
    n, fan = len(small.node_of_rank), np.bincount(entry_list, minlength=lists)
    sent = np.bincount(source, fan[list_of] - np.bincount(own, minlength=len(parts))[part], n)
    received = np.bincount(target, np.diff(list_ptr)[entry_list], n) - np.bincount(target[inside], members[own], n)
    each = np.arange(len(nodes) + 1)
    return ByLeaf(
        near=(
            targets, np.searchsorted(inside, entry_ptr).astype(np.int64), own.astype(np.int32), np.ones(len(own)),
            np.append(0, np.cumsum(members)).astype(np.int64), list_node[np.argsort(of_source, kind="stable")],
            np.ones(len(source)),
        ),
        far=(
            nodes, each, each[:-1].astype(np.int32), np.ones(len(nodes)),
            far.indptr.astype(np.int64), nodes[far.indices], far.data,
        ),
        ends=_ends(topology, found, sent.astype(np.float64), received.astype(np.float64)),
        least_s=float(found.turn_s[found.stand_in[far.diagonal() > 0]].max(initial=0.0)),
        amount=float(entry_scale[0] * list_amount[0]),
    )  # fmt: skip


def _counted(
    found: Leaves, sources: tuple[NDArray[np.int64], NDArray[np.int64]],
    targets: tuple[NDArray[np.integer], NDArray[np.int64]], lists: int,
) -> "csr_array | None":  # fmt: skip
    """Pairs of a rank on a list and a rank that the list goes to, by the places of the target and of the source; None
    where they are too many."""
    from scipy.sparse import coo_array

    places, at = len(found.stand_in), found.place
    rows, columns = (
        coo_array((np.ones(len(of)), (of, at[rank])), shape=(lists, places)).tocsr() for of, rank in (targets, sources)
    )
    pairs = int(np.diff(rows.indptr).astype(np.int64) @ np.diff(columns.indptr))
    if pairs > MAX_COUNTED or min(pairs, places**2) > MAX_LEAF_PAIRS:
        return None
    return (rows.T.tocsr() @ columns).tocsr()


def _ends(
    topology: Topology, found: Leaves, sent: NDArray[np.float64], received: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What ranks send and receive, on the arcs of the folded graph between them and their leaves."""
    small = contract(topology)
    last = np.searchsorted(separate(topology).first, found.link, side="right") - 1
    ends = np.zeros(len(small.heads))
    ends[last], ends[small.twin[last]] = received, sent
    return ends


def _rank_of(small: Contracted) -> NDArray[np.int64]:
    """The rank at each node of the folded graph, 0 where there is none."""
    rank_of = np.zeros(len(small.forwards), np.int64)
    rank_of[small.node_of_rank] = np.arange(len(small.node_of_rank))
    return rank_of


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
