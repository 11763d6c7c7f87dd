"""The shape of a fat tree, read off its graph: how many below, how many above, level by level."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from topologies.graph import Topology

Nodes = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class FatTree:
    """An extended generalised fat tree (Öhring et al., IPPS 1995): `down[l]` nodes below each node of level l + 1,
    `up[l]` nodes above each of level l, `parallel[l]` links between any two that are joined."""

    down: tuple[int, ...]
    up: tuple[int, ...]
    parallel: tuple[int, ...]


def fat_tree_shape(topology: Topology) -> FatTree | None:
    """The shape where a fabric of switches is a fat tree of up to three levels with ranks in order, None elsewhere.

    Level by level the nodes below must stand in equal groups of neighbours in rank order, each group under the same
    switches. Ends with one switch each; three levels with every top switch over one switch of each pod.

    >>> from topologies.registry import build
    >>> fat_tree_shape(build("fat-tree:k=4"))
    FatTree(down=(2, 2, 4), up=(1, 2, 2), parallel=(1, 1, 1))
    >>> fat_tree_shape(build("ring:n=4")) is None
    True
    """
    levels = _levels(topology)
    if levels is None or not 2 <= len(levels) <= 4:
        return None
    parallel = _parallel(topology, levels)
    if parallel is None:
        return None
    rank = {node: i for i, node in enumerate(levels[0])}
    leaves = _above(topology, levels[0], set(levels[1]))
    if any(len(above) != 1 for above in leaves.values()):
        return None
    groups = [frozenset(n for n in topology.graph.adj[leaf] if n in rank) for leaf in levels[1]]
    first = _equal_blocks(sorted(sorted(rank[n] for n in group) for group in groups))
    if first is None:
        return None
    if len(levels) == 2:
        return FatTree((first,), (1,), parallel) if len(levels[1]) == 1 else None
    order = sorted(levels[1], key=lambda leaf: min(rank[n] for n in topology.graph.adj[leaf] if n in rank))
    place = {leaf: i for i, leaf in enumerate(order)}
    pods: dict[frozenset[Hashable], list[Hashable]] = {}
    for node in levels[2]:
        pods.setdefault(frozenset(n for n in topology.graph.adj[node] if n in place), []).append(node)
    second = _equal_blocks(sorted(sorted(place[n] for n in pod) for pod in pods))
    width = {len(members) for members in pods.values()}
    if second is None or len(width) != 1:
        return None
    up = width.pop()
    if len(levels) == 3:
        return FatTree((first, second), (1, up), parallel) if len(pods) == 1 else None
    return _three(topology, levels, list(pods.values()), FatTree((first, second), (1, up), parallel))


def _three(
    topology: Topology, levels: list[list[Hashable]], pods: list[list[Hashable]], lower: FatTree
) -> FatTree | None:
    """Top switches in as many equal sets as a pod has switches, each set over one switch of every pod."""
    pod_of = {node: i for i, members in enumerate(pods) for node in members}
    planes: dict[frozenset[Hashable], int] = {}
    for node in levels[3]:
        below = frozenset(n for n in topology.graph.adj[node] if n in pod_of)
        planes[below] = planes.get(below, 0) + 1
    covered = [node for below in planes for node in below]
    even = len(set(planes.values())) == 1 and len(covered) == len(set(covered)) == len(pod_of)
    if not even or any(len({pod_of[n] for n in below}) != len(pods) or len(below) != len(pods) for below in planes):
        return None
    return FatTree((*lower.down, len(pods)), (*lower.up, next(iter(planes.values()))), lower.parallel)


def _levels(topology: Topology) -> list[list[Hashable]] | None:
    """Nodes by distance from the end points, where links join neighbouring levels only and no end point forwards."""
    graph = topology.graph
    rows = dict(graph.nodes(data=True))
    if any((row["kind"] == "accelerator") == bool(row["forwards"]) for row in rows.values()):
        return None
    level = dict.fromkeys(topology.accelerators, 0)
    found = [list(topology.accelerators)]
    while True:
        new = list(dict.fromkeys(far for near in found[-1] for far in graph.adj[near] if far not in level))
        if not new:
            break
        level |= dict.fromkeys(new, len(found))
        found.append(new)
    flat = any(abs(level[a] - level[b]) != 1 for a, b in graph.edges)
    return None if flat or len(level) < len(graph) else found


def _parallel(topology: Topology, levels: list[list[Hashable]]) -> tuple[int, ...] | None:
    """Links of a joined pair between each two levels, None where pairs have different numbers."""
    level = {node: i for i, nodes in enumerate(levels) for node in nodes}
    counts: list[set[int]] = [set() for _ in levels[1:]]
    for a, b, edge in topology.edges:
        counts[min(level[a], level[b])].add(edge["count"])
    return tuple(c.pop() for c in counts) if all(len(c) == 1 for c in counts) else None


def _above(topology: Topology, nodes: Nodes, upper: set[Hashable]) -> Mapping[Hashable, list[Hashable]]:
    return {node: [n for n in topology.graph.adj[node] if n in upper] for node in nodes}


def _equal_blocks(groups: list[list[int]]) -> int | None:
    """The size of groups that are 0..m-1, m..2m-1, ..., None where they are not."""
    size = len(groups[0])
    whole = size > 0 and all(group == list(range(i * size, (i + 1) * size)) for i, group in enumerate(groups))
    return size if whole else None
