"""Double binary trees: two trees that split the data, the inner nodes of the one the leaves of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology

Ints = NDArray[np.int64]
Shards = Callable[[Ints, int], Ints]


@dataclass(frozen=True, slots=True, eq=False)
class BinaryTree:
    """Places 1 to m below place 0: `parent` int64[m] of each, and its `depth` int64[m], 1 of the only child of 0."""

    place: Ints
    parent: Ints
    depth: Ints


def double_binary_tree(topology: Topology, collective: Collective) -> Schedule:
    """All-reduce, broadcast and reduce over two trees with S/2 each, pipelined in chunks.

    A rank that is an inner node of one tree is a leaf of the other, so that it sends at most S in a broadcast or reduce
    and 2 S in an all-reduce (Sanders, Speck, Traff, Parallel Computing 2009). Rank 0 is the root of both.
    """
    n = collective.n
    ranks = np.arange(n)[None, :]
    up, down = _up(ranks, n, 1.0), _down(ranks, n, 1.0)
    steps = {"all-reduce": up + down, "broadcast": down, "reduce": up}
    if collective.name not in steps:
        raise NotApplicable(f"double-binary-tree does {', '.join(steps)}, not {collective.name}")
    messages = partial(_messages, ranks, collective.name)
    return Schedule("double-binary-tree", "pipelined", tuple(steps[collective.name]), None, messages)


def _messages(ranks: Ints, name: str, chunks: int) -> Messages:
    halves = ("reduce", "broadcast") if name == "all-reduce" else (name,)
    draft = Draft("double-binary-tree", ranks.size, 2, 4 * len(halves) * ranks.size, chunks)
    pass_on(draft, ranks, 1.0, lambda group, tree: np.full((len(group), 1), tree), halves)
    return draft.messages()


def pass_on(
    draft: Draft,
    groups: Ints,
    amount: float,
    shards: Shards,
    halves: Sequence[str],
    ready: Ids | None = None,
    *,
    settled: bool = False,
) -> Ids:
    """Messages of `amount` up and down both trees on every row of ranks (int64[groups, count]); by rank, what to wait
    for until it has all (and has passed it on, if `settled`). `shards(group, tree)` gives the chunks of one tree's
    half, int64[m, chunks]."""
    begin = np.full(draft.nodes, -1) if ready is None else ready
    waits: list[tuple[Ids, Ids]] = []
    for index, tree in enumerate(both_trees(groups.shape[1])):
        own = begin
        levels = [np.flatnonzero(tree.depth == k) for k in range(1, int(tree.depth.max()) + 1)]
        for half in halves:
            adds = half == "reduce"
            for here in reversed(levels) if adds else levels:
                lower, upper = groups[:, tree.place[here]].ravel(), groups[:, tree.parent[here]].ravel()
                source, target = (lower, upper) if adds else (upper, lower)
                carried = partial(shards, np.repeat(np.arange(len(groups)), len(here)), index)
                after = [own[source], begin[target]]  # what is added to has to be there
                ids = draft.send(source, target, amount / 2, carried, after=after, reduces=adds)
                own = draft.arrived(ids, target, also=own if adds else _without(own, target))
                waits += [(ids, source)] if settled else []
        nodes = np.flatnonzero(own >= 0)
        waits.append((own[nodes], nodes))
    return draft.arrived(*(np.concatenate(column) for column in zip(*waits, strict=True)))


def _without(ids: Ids, nodes: Ids) -> Ids:
    """What is stored anew comes after all that was there before: there is nothing else to wait for."""
    left = ids.copy()
    left[nodes] = -1
    return left


def across_rails(domains: Ints, n: int, amount: float) -> list[Step]:
    """All-reduce of `amount` on each rail, the ranks with one place in every domain (int64[domains, size])."""
    return _up(domains.T, n, amount) + _down(domains.T, n, amount)


def both_trees(count: int) -> tuple[BinaryTree, BinaryTree]:
    """Two trees over places 0 to count - 1, in which no place but 0 is an inner node twice.

    Places in order make a tree whose odd places are leaves (as NCCL's btree); the second tree reads them from the other
    end where count is odd, and shifted by one where it is even, which makes the even places leaves.

    >>> first, second = both_trees(5)
    >>> first.parent.tolist(), second.parent.tolist()
    ([2, 4, 2, 0], [0, 3, 1, 3])
    """
    place = np.arange(1, count)
    other = count - place if count % 2 else place % (count - 1) + 1
    parent = _parents(count)
    depth = _depths(parent)
    back = np.zeros(count, np.int64)
    back[other] = place
    return (
        BinaryTree(place, parent[place], depth[place]),
        BinaryTree(place, back[parent[other]], depth[other]),
    )


def _parents(count: int) -> Ints:
    """The parent of each place in order: the lowest set bit says how high it stands; -1 of place 0."""
    place = np.arange(count)
    bit = place & -place
    above = (place ^ bit) | (bit << 1)
    parent = np.where(above < count, above, place ^ bit)
    parent[0] = -1
    return parent


def _depths(parent: Ints) -> Ints:
    depth, at = np.zeros(len(parent), np.int64), np.arange(len(parent))
    while (at > 0).any():
        depth += at > 0
        at = np.where(at > 0, parent[at], 0)
    return depth


def _up(groups: Ints, n: int, amount: float) -> list[Step]:
    """Reduce on every row of ranks to its first, from the furthest level on."""
    lower, upper, level = _edges(groups)
    levels = range(int(level.max()), 0, -1)
    return [_level(f"reduce, level {k}", lower, upper, level == k, n, amount) for k in levels]


def _down(groups: Ints, n: int, amount: float) -> list[Step]:
    """Broadcast on every row of ranks from its first."""
    lower, upper, level = _edges(groups)
    levels = range(1, int(level.max()) + 1)
    return [_level(f"broadcast, level {k}", upper, lower, level == k, n, amount) for k in levels]


def _level(name: str, source: Ints, target: Ints, here: NDArray[np.bool_], n: int, amount: float) -> Step:
    return Step(name, Traffic.pairs(n, source[:, here].ravel(), target[:, here].ravel(), amount / 2), 1)


def _edges(groups: Ints) -> tuple[Ints, Ints, Ints]:
    """Children and parents, int64[groups, edges of both trees], and the levels of the children, int64[edges]."""
    trees = both_trees(groups.shape[1])
    place = np.concatenate([tree.place for tree in trees])
    parent = np.concatenate([tree.parent for tree in trees])
    return groups[:, place], groups[:, parent], np.concatenate([tree.depth for tree in trees])
