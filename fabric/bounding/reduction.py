"""All-reduce: an interval for its least time, and when both ends of it meet."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from cext import cut_ratio
from fabric.bounding.cuts import entering, grown, is_balanced, partitions, whole_capacity
from fabric.bounding.demand import Certificate
from topologies.graph import Topology
from topologies.parts import Switch

GROUPS = 64  # tight sets that are looked for, one max-flow each


def reducing_nodes(topology: Topology, in_network: bool | None) -> NDArray[np.int64]:
    """Switches that may reduce: all or none as told, else those that say so themselves or whose part does."""
    kinds = topology.attribute("kind")
    if in_network is not None:
        return np.flatnonzero([kind == "switch" and in_network for kind in kinds])
    able = {row.name for row in topology.catalogue.of_kind(Switch) if row.reduces}
    own = topology.attribute("reduces")
    parts = topology.attribute("part")
    return np.flatnonzero(
        [k == "switch" and (p in able if r is None else bool(r)) for k, p, r in zip(kinds, parts, own, strict=True)]
    )


def all_reduce_interval(
    topology: Topology,
    ratio: Fraction,
    inside: NDArray[np.uint8],
    root: Fraction,
    side: NDArray[np.uint8],
    reducing: NDArray[np.int64],
) -> Certificate:
    """The least time per byte of an all-reduce, and how far above it the best known schedule is.

    Below: (a) a byte must cross every cut both ways; (b) where k disjoint groups hold all ranks and all that reduces,
    every byte enters groups 2 (k-1) times: up to the moment when some group first knows all, k-1 messages lead there
    in a tree, and after it each other group gets one more. So T >= 2 (k-1) S / (capacity into the groups). This extends
    Patarasu and Yuan (JPDC 2009), where groups are single ranks, to any graph.
    Above: reduce-scatter and all-gather at the narrowest cut, 2 S / (n x*); reduce and broadcast; trees through
    reducing switches. Both meet where the sets at the narrowest cut tile the ranks, as they do wherever a symmetry
    moves any rank to any other: two smallest tight sets that share a rank would leave a smaller one (uncrossing).

    ratio, root (bytes/s) and their sets are those of the all-gather and of the broadcast from rank 0.
    """
    n, unit = len(topology.accelerators), whole_capacity(topology)[1]
    best = Certificate(float(1 / root), 0.0, False, side)
    for group in _groupings(topology, inside):
        if not (group[reducing] >= 0).all():
            continue
        k = int(group.max()) + 1
        into = entering(topology, group)
        time = float(2 * (k - 1) / (int(into.sum()) * unit))
        if time > best.per_byte_s:
            widest = int(np.argmin(into))
            best = Certificate(time, 0.0, False, (group != widest).astype(np.uint8))
    ways = [2 / root, 2 / (n * ratio)] if is_balanced(topology) else []
    tree = _tree_rate(topology, reducing)
    upper = float(min([*ways, *([1 / (tree * unit)] if tree else [])], default=0))
    if upper == 0:
        return replace(best, gap=1.0)
    gap = max(0.0, 1 - best.per_byte_s / upper)
    closed = gap < 1e-12
    return replace(best, gap=0.0 if closed else gap, attained=closed)


def _groupings(topology: Topology, inside: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """The plain partitions of the ranks, and the one by sets at the narrowest cut, where those tile them."""
    csr = topology.csr()
    ways = partitions(topology)
    first = inside[csr.accelerators] == 0
    if first.sum() == 1 or any(_is_group(way[csr.accelerators], first) for way in ways):
        return ways
    whole = whole_capacity(topology)[0]
    of_rank = np.where(first, 0, -1)
    for k in range(1, GROUPS):
        left = np.flatnonzero(of_rank < 0)
        if len(left) == 0:
            return [*ways, grown(topology, of_rank)]
        sink = csr.accelerators[left[:1]]
        cut = cut_ratio(csr.indptr, csr.heads, csr.twin, whole, csr.accelerators, sink)[2]
        own = cut[csr.accelerators] == 0
        if (of_rank[own] >= 0).any():
            return ways
        of_rank[own] = k
    return ways


def _is_group(way: NDArray[np.int64], ranks: NDArray[np.bool_]) -> bool:
    return bool(np.array_equal(way == way[np.argmax(ranks)], ranks))


def _tree_rate(topology: Topology, reducing: NDArray[np.int64]) -> int:
    """Whole capacity of trees of reducing switches to all ranks, one tree in each connected set of them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    csr, whole = topology.csr(), whole_capacity(topology)[0]
    n, nodes = len(csr.accelerators), len(csr.forwards)
    if len(reducing) == 0:
        return 0
    reduces = np.zeros(nodes, bool)
    reduces[reducing] = True
    both = np.minimum(whole, whole[csr.twin])
    inner = reduces[csr.tails] & reduces[csr.heads]
    shape = (nodes, nodes)
    _, plane = connected_components(coo_array((both[inner], (csr.tails[inner], csr.heads[inner])), shape=shape))
    rank = np.full(nodes, -1)
    rank[csr.accelerators] = np.arange(n)
    down = reduces[csr.tails] & (rank[csr.heads] >= 0)
    keys, where = np.unique(plane[csr.tails[down]].astype(np.int64) * n + rank[csr.heads[down]], return_inverse=True)
    widest = np.zeros(len(keys), np.int64)
    np.maximum.at(widest, where, both[down])
    total = 0
    planes, first, met = np.unique(keys // n, return_index=True, return_counts=True)
    for name, start in zip(planes[met == n].tolist(), first[met == n].tolist(), strict=True):
        mine = inner & (plane[csr.tails] == name)
        spanning = minimum_spanning_tree(
            coo_array((-both[mine].astype(np.float64), (csr.tails[mine], csr.heads[mine])), shape=shape)
        )
        links = -spanning.data
        total += int(min([*widest[start : start + n].tolist(), *links.tolist()]))
    return total
