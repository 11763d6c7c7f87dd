"""Reduction trees: switches that add up what comes from below and multicast what comes from above."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from fabric.algorithms.schedule import NotApplicable, Step
from fabric.bounding.reduction import reducing_nodes
from fabric.traffic import Traffic
from topologies.graph import Topology, once
from topologies.parts import Switch

ROOTS = 4  # of the middles of a plane, that are tried as roots

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """What forwards, in parts that only accelerators join: `plane` int64[V], -1 of accelerators and of what does not
    forward; `scale_up` bool[P], whether a plane is of the switches inside a scale-up domain."""

    plane: Ints
    scale_up: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Edges of reduction trees: `child` sends to `parent` (ends of traffic, int64[E]) what all ranks `below` it add up.

    `depth` is that of the child (1 below the root), `below` counts the ranks at and under it. The data of a group of
    `size` ranks are cut into `pieces`; tree `tree` serves group `group` and carries `width` of them from `piece` on.
    `place` int64[ends] says where a rank stands in its group.
    """

    ends: int
    size: int
    child: Ints
    parent: Ints
    depth: Ints
    below: Ints
    tree: Ints
    group: Ints
    piece: Ints
    width: Ints
    pieces: int
    place: Ints

    @property
    def share(self) -> NDArray[np.float64]:
        """float64[E]: the part of its group's data that goes through each edge's tree."""
        return self.width / self.pieces

    @property
    def owned(self) -> NDArray[np.float64]:
        """float64[E]: the part of the data that the ranks at and under each child own, where a group shares it."""
        return self.below / self.size

    def up(self, name: str, weight: NDArray[np.float64] | float) -> list[Step]:
        """Steps from the leaves to the roots, an edge carrying `weight` of its share."""
        levels = range(int(self.depth.max()), 0, -1)
        return [self._level(name, level, self.child, self.parent, weight) for level in levels]

    def down(self, name: str, weight: NDArray[np.float64] | float) -> list[Step]:
        """Steps from the roots to the leaves."""
        levels = range(1, int(self.depth.max()) + 1)
        return [self._level(name, level, self.parent, self.child, weight) for level in levels]

    def _level(self, name: str, level: int, source: Ints, target: Ints, weight: NDArray[np.float64] | float) -> Step:
        here = self.depth == level
        amount = (self.share * weight)[here]
        said = f"{name}, level {level}" if self.depth.max() > 1 else name
        return Step(said, Traffic.pairs(self.ends, source[here], target[here], amount), 1)


def planes(topology: Topology) -> Planes:
    """The planes of a topology; those that hold a switch of tier 0 lie inside a scale-up domain.

    Where no switch has a tier (graphs of others), those that join accelerators of one domain only.
    """
    return _planes(topology if topology.whole is None else topology.whole)


@once
def _planes(topology: Topology) -> Planes:
    csr, nodes = topology.csr(), len(topology.nodes)
    inner = csr.forwards.astype(bool)
    inner[csr.accelerators] = False
    both = inner[csr.tails] & inner[csr.heads]
    graph = csr_array((np.ones(both.sum()), (csr.tails[both], csr.heads[both])), shape=(nodes, nodes))
    _, label = connected_components(graph)
    plane = np.full(nodes, -1)
    plane[inner] = np.unique(label[inner], return_inverse=True)[1]
    count, tiers = int(plane.max(initial=-1)) + 1, topology.attribute("tier")
    if any(tier is not None for tier in tiers):
        lowest = np.array([tier == 0 for tier in tiers]) & inner
        return Planes(plane, np.bincount(plane[lowest], minlength=count) > 0)
    domain = np.full(nodes, -1)
    for number, ranks in enumerate(topology.domains):
        domain[csr.accelerators[ranks]] = number
    from_rank = np.isin(csr.tails, csr.accelerators) & inner[csr.heads]
    joined, least, most = plane[csr.heads[from_rank]], np.full(count, nodes), np.full(count, -1)
    np.minimum.at(least, joined, domain[csr.tails[from_rank]])
    np.maximum.at(most, joined, domain[csr.tails[from_rank]])
    return Planes(plane, (least == most) & (most >= 0))


def reduction_trees(topology: Topology, groups: Sequence[Ints], *, scale_up: bool) -> Trees:
    """Trees for groups of ranks: one in every plane that joins a whole group, on the switches that reduce there.

    `groups` are equally large, and no rank is in two. Planes share the data of a group by the narrowest link from its
    ranks into them. The root lies in the middle of its plane, and groups take the middles by turns. NotApplicable where
    no switch reduces, or where one would serve more groups than its catalogue row allows (`max_reduction_groups`).
    """
    csr, n, found = topology.csr(), len(topology.accelerators), planes(topology)
    reducing = np.zeros(len(csr.forwards), bool)
    reducing[reducing_nodes(topology, None)] = True
    served = _served(topology, found, groups, reducing, scale_up)
    rank_of = np.full(len(csr.forwards), -1)
    rank_of[csr.accelerators] = np.arange(n)
    star = (np.bincount(found.plane[found.plane >= 0]) == 1)[served.plane][served.of]
    ranks, homes = rank_of[csr.tails[served.arc]], csr.heads[served.arc].astype(np.int64)
    one = np.ones(int(star.sum()), np.int64)
    rows = [(ranks[star], n + homes[star], one, one, served.of[star])]  # ranks below the only switch of their plane
    for turn, tree in enumerate(np.unique(served.of[~star]).tolist()):
        here = served.of == tree
        branches = _grown(topology, found.plane == served.plane[tree], homes[here], ranks[here], reducing, turn)
        rows.append((*branches, np.full(len(branches[0]), tree)))
    child, parent, depth, below, of = (np.concatenate(column) for column in zip(*rows, strict=True))
    place = np.zeros(n + len(csr.forwards), np.int64)
    place[np.concatenate(groups)] = np.tile(np.arange(len(groups[0])), len(groups))
    trees = Trees(
        len(place), len(groups[0]), child, parent, depth, below, of, served.group[of], served.piece[of],
        served.width[of], served.pieces, place,
    )  # fmt: skip
    _check_groups(topology, trees)
    return trees


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """Trees to grow, each for a `group` in a `plane` that joins all of it, with `width` of the `pieces` of the group's
    data from `piece` on; `arc` are the arcs from ranks into their planes, and `of` the tree that each belongs to."""

    group: Ints
    plane: Ints
    piece: Ints
    width: Ints
    pieces: int
    arc: Ints
    of: Ints


def _served(
    topology: Topology, found: Planes, groups: Sequence[Ints], reducing: NDArray[np.bool_], scale_up: bool
) -> _Served:
    """Planes that join a whole group and reduce; NotApplicable where a group has none."""
    csr, count = topology.csr(), max(len(found.scale_up), 1)
    group_of = np.full(len(csr.forwards), -1)
    for number, ranks in enumerate(groups):
        group_of[csr.accelerators[ranks]] = number
    arc = np.flatnonzero((group_of[csr.tails] >= 0) & (found.plane[csr.heads] >= 0))
    arc = arc[found.scale_up[found.plane[csr.heads[arc]]] == scale_up]
    keys, of = np.unique(group_of[csr.tails[arc]] * count + found.plane[csr.heads[arc]], return_inverse=True)
    joined = np.unique(of * len(csr.forwards) + csr.tails[arc]) // len(csr.forwards)
    able = np.zeros(count, bool)
    able[found.plane[reducing]] = True
    serves = (np.bincount(joined, minlength=len(keys)) == len(groups[0])) & able[keys % count]
    group, plane = keys[serves] // count, keys[serves] % count
    if len(np.unique(group)) < len(groups):
        where = "inside the scale-up domains" if scale_up else "in the network"
        raise NotApplicable(f"{topology.name} has no switch {where} that reduces and joins all ranks of a group")
    arc, of = arc[serves[of]], (np.cumsum(serves) - 1)[of[serves[of]]]
    narrowest = np.full(len(group), np.inf)
    np.minimum.at(narrowest, of, csr.capacity[arc])
    width = np.rint(narrowest).astype(np.int64)  # bytes/s
    total = np.bincount(group, width).astype(np.int64)  # of each group
    total //= (common := np.gcd.reduceat(width, np.searchsorted(group, np.arange(len(groups)))))
    pieces = int(np.lcm.reduce(np.unique(total)))
    width = width // common[group] * (pieces // total)[group]
    before = np.cumsum(width) - width
    return _Served(group, plane, before - before[np.searchsorted(group, group)], width, pieces, arc, of)


Branches = tuple[Ints, Ints, Ints, Ints]


def _grown(
    topology: Topology, inside: NDArray[np.bool_], homes: Ints, ranks: Ints, reducing: NDArray[np.bool_], turn: int
) -> Branches:
    """The tree of one group in a plane of several nodes: child, parent, depth and ranks below of every edge."""
    csr, nodes, n = topology.csr(), len(inside), len(topology.accelerators)
    kept = inside[csr.tails] & inside[csr.heads]
    graph = csr_array((np.ones(kept.sum()), (csr.tails[kept], csr.heads[kept])), shape=(nodes, nodes))
    hops, before = _from_middle(graph, np.flatnonzero(inside & reducing), homes, turn)
    order = np.lexsort((hops[homes], ranks))  # every rank hangs on the nearest of its nodes
    first = np.flatnonzero(np.diff(ranks[order], prepend=-1))
    ranks, homes = ranks[order][first], homes[order][first]
    needed = np.zeros(nodes, bool)
    front = np.unique(homes)
    while len(front):
        needed[front] = True
        front = np.unique(before[front])
        front = front[(front >= 0) & ~needed[front]]
    root = int(np.flatnonzero(needed & (hops == 0))[0])
    above = before.copy()
    above[root] = root
    while len(late := np.flatnonzero(needed & ~reducing[above])):  # what only passes on is no part of the tree
        above[late] = above[above[late]]
    own = np.where(reducing[homes], homes, above[homes])
    inner = np.flatnonzero(needed & reducing & (hops > 0))
    inner = inner[np.argsort(hops[inner], kind="stable")]
    depth, below = np.zeros(nodes, np.int64), np.bincount(own, minlength=nodes)
    levels = [inner[hops[inner] == level] for level in np.unique(hops[inner])]
    for level in levels:
        depth[level] = depth[above[level]] + 1
    for level in reversed(levels):
        np.add.at(below, above[level], below[level])
    return (
        np.concatenate([ranks, n + inner]),
        n + np.concatenate([own, above[inner]]),
        np.concatenate([depth[own] + 1, depth[inner]]),
        np.concatenate([np.ones(len(ranks), np.int64), below[inner]]),
    )


def _from_middle(graph: csr_array, able: Ints, homes: Ints, turn: int) -> tuple[Ints, Ints]:
    """Hops from a root in the middle of the homes, and the node before each on the way from it; -1 where there is none.

    Every end of a longest way between homes is as far from the middle as a home can be; of a few nodes that are nearest
    to both ends, taken by turns, the one with the shortest way to all homes is the root.
    """
    far = _search(graph, int(homes[0]))[0]
    other = int(homes[np.argmax(far[homes])])
    reach = np.maximum(far, _search(graph, other)[0])[able]
    middles = np.roll(able[reach == reach.min()], -turn)[:ROOTS]
    found = [_search(graph, int(middle)) for middle in middles]
    return min(found, key=lambda tree: int(tree[0][homes].max()))


def _search(graph: csr_array, start: int) -> tuple[Ints, Ints]:
    """Hops of every node from a start, and the node before it on the way there; -1 for the start."""
    order, before = breadth_first_order(graph, start)
    place = np.zeros(graph.shape[0], np.int64)
    place[order] = np.arange(len(order))
    parent = place[before[order[1:]]]  # rises, since children are met in the order of their parents
    hops, level, end = np.zeros(graph.shape[0], np.int64), 0, 1
    while end < len(order):
        level, start = level + 1, end
        end = 1 + int(np.searchsorted(parent, start))
        hops[order[start:end]] = level
    return hops, np.where(before < 0, -1, before).astype(np.int64)


def _check_groups(topology: Topology, trees: Trees) -> None:
    """NotApplicable where a switch would serve more groups at once than its row allows."""
    most = {row.name: row.max_reduction_groups for row in topology.catalogue.of_kind(Switch)}
    served = np.unique(np.stack([trees.parent, trees.group]), axis=1)
    node, groups = np.unique(served[0] - len(topology.accelerators), return_counts=True)
    parts = topology.attribute("part")
    for at, wanted in zip(node.tolist(), groups.tolist(), strict=True):
        allowed = most.get(parts[at])
        if allowed is not None and wanted > allowed:
            raise NotApplicable(
                f"{topology.nodes[at]} would serve {wanted} reduction groups; {parts[at]} takes {allowed} at a time"
            )
