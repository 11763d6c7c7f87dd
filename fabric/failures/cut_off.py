"""Cut off: which accelerators a failure leaves without a path to some that they reached before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """The networks of a fabric: nodes that traffic may cross and that are joined without crossing another accelerator
    that does not forward. `of_node` int64[V]; `ranks` and `networks` list which accelerators are on which."""

    of_node: NDArray[np.int64]
    ranks: NDArray[np.int64]
    networks: NDArray[np.int64]


@once
def _whole(topology: Topology) -> Networks:
    return networks(topology, topology.csr().links)


def networks(topology: Topology, left: NDArray[np.float64]) -> Networks:
    """The networks over arcs that have links left (float64[A]).

    >>> from topologies.registry import build
    >>> planes = build("nvl72"); len(set(networks(planes, planes.csr().links).networks.tolist()))
    18
    """
    csr = topology.csr()
    crossed = csr.forwards.astype(bool)
    up = left > 0
    inner = up & crossed[csr.tails] & crossed[csr.heads]
    arcs = coo_array((np.ones(int(inner.sum())), (csr.tails[inner], csr.heads[inner])), shape=(len(crossed),) * 2)
    of_node = connected_components(arcs, directed=False)[1].astype(np.int64)
    rank_of = np.full(len(crossed), -1)
    rank_of[csr.accelerators] = np.arange(len(csr.accelerators))
    reach = up & (rank_of[csr.tails] >= 0) & ~crossed[csr.tails] & crossed[csr.heads]
    own = np.flatnonzero(crossed[csr.accelerators])
    ranks = np.concatenate([rank_of[csr.tails[reach]], own])
    found = np.concatenate([of_node[csr.heads[reach]], of_node[csr.accelerators[own]]])
    keys = np.sort(ranks * (len(crossed) + 1) + found)
    keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique hashes, which takes ten times as long
    return Networks(of_node, keys // (len(crossed) + 1), keys % (len(crossed) + 1))


def cut_off(topology: Topology, left: NDArray[np.float64], dead: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[n]: accelerators that live but lost a network that no other one replaces.

    Of a network that falls apart its largest part counts as the one that stays. A network is replaced by another that
    joins its accelerator to all that stay on the first: planes replace each other, a scale-up domain does not replace
    the network between servers. Of accelerators whose remaining networks do not meet, the fewer are cut off.

    >>> from fabric.failures.damage import Loss, links_left
    >>> from topologies.registry import build
    >>> for spec in ("rail:servers=8,gpus=8", "dual-plane:servers=8"):
    ...     fabric = build(spec); leaf = next(i for i, tier in enumerate(fabric.attribute("tier")) if tier == 1)
    ...     loss = Loss.of_nodes([leaf]); gone = loss.dead(fabric)
    ...     int(cut_off(fabric, links_left(fabric, loss), gone).sum())
    8
    0
    """
    before, after, nodes = _whole(topology), networks(topology, left), len(topology.nodes)
    alive = ~dead[topology.csr().accelerators]
    up = alive[after.ranks]
    ranks, parts = after.ranks[up], after.networks[up]
    origin = np.full(nodes, -1)
    origin[after.of_node] = before.of_node  # a part lies in one network
    size = np.bincount(parts, minlength=nodes)
    order = np.lexsort((size, origin))
    largest = np.full(nodes, -1)
    largest[origin[order]] = order  # the last of each network wins: the part with most accelerators
    stays = largest[origin[parts]] == parts
    kept = ranks[stays] * nodes + origin[parts[stays]]  # (accelerator, network) that still hold
    had = before.ranks * nodes + before.networks
    lost = np.setdiff1d(had[alive[before.ranks]], kept, assume_unique=True)
    out = np.zeros(len(alive), bool)
    if len(lost):
        _replaced(np.sort(kept), lost, nodes, alive, out)
    return out


def _replaced(
    kept: NDArray[np.int64], lost: NDArray[np.int64], nodes: int, alive: NDArray[np.bool_], out: NDArray[np.bool_]
) -> None:
    """Mark in `out` the accelerators of (accelerator, network) keys `lost` that no kept network makes up for."""
    rank, held = kept // nodes, kept % nodes
    hurt = np.zeros(len(alive), bool)
    hurt[lost // nodes] = True
    whole = alive & ~hurt if (alive & ~hurt).any() else alive
    on_all = np.bincount(held[whole[rank]], minlength=nodes) == whole.sum()
    joined = hurt[rank] & on_all[held]
    pairs = list(zip(rank[joined].tolist(), held[joined].tolist(), strict=True))
    safe = np.zeros(len(alive), bool)
    safe[rank[joined]] = True
    rest = lost[~safe[lost // nodes]]
    for network in np.unique(rest % nodes).tolist():
        losers = rest[rest % nodes == network] // nodes
        there = rank[(held == network) & whole[rank]]
        wanted = there if len(there) else losers
        mine = np.isin(rank, losers)
        among = np.bincount(held[np.isin(rank, wanted)], minlength=nodes)
        choices = np.unique(held[mine])
        covering = mine & np.isin(held, choices[among[choices] == len(wanted)])
        out[np.setdiff1d(losers, rank[covering])] = True
        pairs += zip(rank[covering].tolist(), held[covering].tolist(), strict=True)
    _meet(pairs, out)


def _meet(relied: list[tuple[int, int]], out: NDArray[np.bool_]) -> None:
    """Keep, the most numerous first, groups of accelerators whose networks meet those of all that are kept."""
    on: dict[int, set[int]] = {}
    for rank, network in relied:
        on.setdefault(rank, set()).add(network)
    groups: dict[frozenset[int], list[int]] = {}
    for rank, networks_of in on.items():
        if not out[rank]:
            groups.setdefault(frozenset(networks_of), []).append(rank)
    accepted: list[frozenset[int]] = []
    for found, members in sorted(groups.items(), key=lambda item: (-len(item[1]), item[1])):
        if all(found & other for other in accepted):
            accepted.append(found)
        else:
            out[members] = True
