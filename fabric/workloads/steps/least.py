"""Least: what an exchange takes at the very least, from rates of links alone, at every level of a fabric."""

from dataclasses import dataclass, field
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fabric.domains import domains_of_nodes
from fabric.moe import FORMATS, Moe
from fabric.workloads.steps.mix import Exchange
from topologies.graph import Topology
from topologies.kinds import NumberFormat

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Least:
    """Parts of a fabric that the ranks of a job lie in, level by level, and rates of the links that leave each part.

    `ranks` int64[n] are the accelerators of the job, rank 0 first. What an exchange has to send out of a part, by any
    algorithm and any routing, takes as long as these links need; the longest over all parts is the bound.
    """

    topology: Topology
    ranks: Ints
    _levels: list[tuple[Ints, Floats]] = field(default_factory=list)
    _per_byte: dict[tuple[object, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._levels = [_seen_by(label, self.topology, self.ranks) for label in levels(self.topology)]

    def seconds(self, exchange: Exchange) -> float:
        """One exchange of all groups at once, at least.

        >>> from topologies.registry import build
        >>> fabric = build("rail:servers=2,gpus=4,rate_gbps=400")
        >>> every = Exchange("dp", "reduce-scatter", 8, 8e9, 1, 0.0, "dp=8", "dp")
        >>> round(Least(fabric, np.arange(8)).seconds(every), 6)     # 4 x 4 / 8 of it out of a server by 4 x 50 GB/s
        0.02
        """
        moe, (stride, ranks) = exchange.moe, spread(exchange)
        choice = None if moe is None else (moe.count(ranks), moe.topk)
        key = (exchange.collective == "send-recv", stride, ranks, choice)
        if key not in self._per_byte:
            self._per_byte[key] = max(_per_byte_s(label, rate, *key) for label, rate in self._levels)
        size = exchange.size_bytes if moe is None else _token_bytes(moe, exchange.collective, self.topology)
        return self._per_byte[key] * size


def spread(exchange: Exchange) -> tuple[int, int]:
    """How far apart the ranks of a group lie, and how many there are.

    >>> spread(Exchange("dp", "all-reduce", 8, 1.0, 1, 1.0, "tp=4,cp=2,dp=4,pp=2", "cp,dp"))
    (4, 8)
    """
    over, stride, ranks = exchange.over.split(","), 1, 1
    for word in exchange.group.split(","):
        name, _, size = word.partition("=")
        if name in over:
            ranks *= int(size)
        elif ranks == 1:
            stride *= int(size)
    return stride, ranks


def levels(topology: Topology) -> list[Ints]:
    """int64[V] each: the part that a node is in, -1 for none: accelerators alone, scale-up domains, and what hangs
    together below every tier of switches.

    >>> from topologies.registry import build
    >>> [len(set(label) - {-1}) for label in levels(build("rail:servers=4,gpus=4"))]
    [16, 4]
    """
    csr = topology.csr()
    alone: Ints = np.full(len(csr.forwards), -1)
    alone[csr.accelerators] = np.arange(len(csr.accelerators))
    found = [alone, *([domains_of_nodes(topology)] if topology.domains else [])]
    tier = np.array([value or 0 for value in topology.attribute("tier")])
    found += [_below(topology, tier < top) for top in sorted(set(tier.tolist()) - {0})]
    kept: dict[int, Ints] = {}
    for label in found:
        kept.setdefault(len(np.unique(label[csr.accelerators])), label)
    return [label for parts, label in kept.items() if parts > 1]


def _below(topology: Topology, kept: NDArray[np.bool_]) -> Ints:
    """int64[V]: parts that hang together by the nodes that are kept."""
    csr = topology.csr()
    joins = kept[csr.tails] & kept[csr.heads]
    nodes = len(csr.forwards)
    arcs = coo_array((np.ones(int(joins.sum())), (csr.tails[joins], csr.heads[joins])), shape=(nodes, nodes))
    return np.where(kept, connected_components(arcs, directed=False)[1], -1)


def _seen_by(label: Ints, topology: Topology, ranks: Ints) -> tuple[Ints, Floats]:
    """int64[n]: the part of each rank, numbered from 0; float64[parts]: bytes/s of the links that leave each."""
    csr = topology.csr()
    nodes = csr.accelerators[ranks]
    single = label[nodes] < 0  # in no part: one of its own
    own = label.copy()
    own[nodes[single]] = label.max(initial=-1) + 1 + np.arange(int(single.sum()))
    leaves = (own[csr.tails] >= 0) & (own[csr.tails] != own[csr.heads])
    rates = np.bincount(own[csr.tails[leaves]], csr.capacity[leaves], minlength=int(own.max()) + 1)
    names, part = np.unique(own[nodes], return_inverse=True)
    return part.ravel().astype(np.int64), rates[names].astype(float)


def _per_byte_s(part: Ints, rate: Floats, ring: bool, stride: int, ranks: int, choice: tuple[int, int] | None) -> float:
    """Seconds a byte: of the vector of a rank, of what a rank sends its neighbour (`ring`), of the tokens of a rank
    where each chooses so many of so many experts.

    With c of n ranks in a part, (n - c) / n of the sum of its vectors is others'; for tokens of n - c other ranks it
    has one sum at least where any of its experts is chosen.
    """
    groups = part.reshape(-1, ranks, stride).transpose(0, 2, 1).reshape(-1, ranks)
    parts = len(rate)
    if ring:
        leaves = groups != np.roll(groups, -1, axis=1)
        sent = np.bincount(groups[leaves], minlength=parts).astype(float)
    else:
        held, members = _members(groups)
        sizes, place = np.unique(members, return_inverse=True)
        if choice is None:
            each = 1 - sizes / ranks
        else:
            each = (ranks - sizes) * np.array([_hit(*choice, int(size) * choice[0] // ranks) for size in sizes])
        sent = np.bincount(held, each[place.ravel()], minlength=parts)
    busy = sent > 0
    return float((sent[busy] / rate[busy]).max(initial=0.0)) if (rate[busy] > 0).all() else 0.0


def _members(groups: Ints) -> tuple[Ints, Ints]:
    """For groups [G, n] of parts: every part that a group has ranks in, and how many, group by group."""
    ordered = np.sort(groups, axis=1)
    new = np.ones(groups.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.flatnonzero(new)
    return ordered.ravel()[start], np.diff(np.append(start, groups.size))


def _hit(experts: int, topk: int, held: int) -> float:
    """How likely a token chooses any of so many held experts, every choice being as likely."""
    return 1 - comb(experts - held, topk) / comb(experts, topk)


def _token_bytes(moe: Moe, collective: str, topology: Topology) -> float:
    """Bytes of the tokens of a rank, less one: sizes are whole bytes."""
    form = topology.catalogue.part(moe.precision or FORMATS[collective], NumberFormat)
    return moe.tokens * form.row_bytes(moe.hidden) - 1
