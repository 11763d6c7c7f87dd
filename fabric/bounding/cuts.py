"""Cuts of a topology: its capacities as whole numbers, groups of ranks to cut off, and what a cut is called."""

from fractions import Fraction
from math import gcd, lcm

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Csr, Topology, once

DENOMINATOR = 10**6  # rates and duties are read as fractions up to this


@once
def whole_capacity(topology: Topology) -> tuple[NDArray[np.int64], Fraction]:
    """Capacity of every arc as a whole number, int64[A], and the unit in bytes/s.

    Rates are read as fractions of Gb/s with denominators up to 10^6, to within 1e-12. Where these have no common unit
    that fits, they are rounded up by at most a part in 10^9 of the widest link, which can only lower a bound on time.

    >>> from topologies.registry import build
    >>> whole, unit = whole_capacity(build("ring:n=3,rate_gbps=12.5")); whole.tolist(), unit * 8 / 10**9
    ([1, 1, 1, 1, 1, 1], Fraction(25, 2))
    """
    capacity = topology.csr().capacity * 8
    rates, where = np.unique(capacity, return_inverse=True)
    exact = [Fraction(rate / 1e9).limit_denominator(DENOMINATOR) for rate in rates.tolist()]
    common = lcm(*(rate.denominator for rate in exact))
    steps = [int(rate * common) for rate in exact]
    shared = gcd(*steps)
    top = 2**60 // max(len(capacity), len(topology.accelerators)) - 1  # the kernel's sums stay within int64
    close = all(abs(float(f) * 1e9 - rate) <= 1e-12 * rate for f, rate in zip(exact, rates.tolist(), strict=True))
    if close and shared and max(steps) // shared <= top:
        return np.array([step // shared for step in steps], np.int64)[where], Fraction(shared, common) * 10**9 / 8
    unit = Fraction(float(rates[-1])) / min(top, 10**9)
    return np.array([-(-Fraction(rate) // unit) for rate in rates.tolist()], np.int64)[where], unit / 8


def is_balanced(topology: Topology) -> bool:
    """Has every node that is no accelerator as much capacity in as out? Trees then attain the cut bounds."""
    csr, whole = topology.csr(), whole_capacity(topology)[0]
    out, into = (flow_sum(ends, whole, len(csr.forwards)) for ends in (csr.tails, csr.heads))
    relays = np.ones(len(csr.forwards), bool)
    relays[csr.accelerators] = False
    return bool((out == into)[relays].all())


def flow_sum(ends: NDArray[np.int32], whole: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """int64[size]: exact sums of whole capacities by node or group."""
    total = np.zeros(size, np.int64)
    np.add.at(total, ends, whole)
    return total


def entering(topology: Topology, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[groups]: whole capacity into each group of nodes; group int64[V], -1 where a node is in none."""
    csr, whole = topology.csr(), whole_capacity(topology)[0]
    crosses = (group[csr.heads] >= 0) & (group[csr.heads] != group[csr.tails])
    return flow_sum(group[csr.heads[crosses]].astype(np.int32), whole[crosses], int(group.max()) + 1)


@once
def partitions(topology: Topology) -> list[NDArray[np.int64]]:
    """Ways to group all accelerators, int64[V] each: one by one, by scale-up domain, by leaf; a switch belongs to the
    group that holds more than half of its capacity, or to none (-1)."""
    csr = topology.csr()
    n = len(csr.accelerators)
    ways = [np.arange(n)]
    if len(topology.domains) > 1 and sum(map(len, topology.domains)) == n:
        domain = np.empty(n, np.int64)
        for i, ranks in enumerate(topology.domains):
            domain[ranks] = i
        ways.append(domain)
    degree = np.diff(csr.indptr)[csr.accelerators]
    if (degree == 1).all():
        homes, leaf = np.unique(csr.heads[csr.indptr[csr.accelerators]], return_inverse=True)
        if 1 < len(homes) < n:
            ways.append(leaf)
    return [grown(topology, way) for way in ways]


def grown(topology: Topology, of_rank: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[V]: the group of each accelerator, and of switches that lean on one group by more than half."""
    csr, whole = topology.csr(), whole_capacity(topology)[0]
    nodes = len(csr.forwards)
    group = np.full(nodes, -1, np.int64)
    group[csr.accelerators] = of_rank
    groups = int(of_rank.max()) + 1
    out = flow_sum(csr.tails, whole, nodes)
    for _ in range(3):  # tiers of switches
        leans = (group[csr.tails] < 0) & (group[csr.heads] >= 0)
        keys, where = np.unique(csr.tails[leans] * np.int64(groups) + group[csr.heads[leans]], return_inverse=True)
        held = flow_sum(where.astype(np.int32), whole[leans], len(keys))
        most = held * 2 > out[keys // groups]
        if not most.any():
            break
        group[keys[most] // groups] = keys[most] % groups
    return group


def cut_name(topology: Topology, cut: NDArray[np.uint8]) -> str:
    """What the links across a cut are to whoever runs the fabric.

    >>> import numpy as np
    >>> from topologies.registry import build
    >>> cut_name(build("ring:n=8"), np.array([1, 1, 1, 0, 1, 1, 1, 1], np.uint8))
    "accelerator 3's own 2 links, 100 GB/s each way"
    """
    csr = topology.csr()
    ranks = cut[csr.accelerators]
    held, nodes = int(ranks.sum()), int(cut.sum())  # the smaller side is named: in ranks, then in nodes
    side = int((2 * held, 2 * nodes) <= (len(ranks), len(cut)))
    inside = cut == side
    members = np.flatnonzero(ranks == side)
    across = inside[csr.tails] & ~inside[csr.heads]
    links = int(csr.links[across].sum())
    rate = f"{links} link{'s' * (links > 1)}, {csr.capacity[across].sum() / 1e9:g} GB/s each way"
    return f"{_owner(topology, csr, inside, members, across)} {rate}"


def _owner(
    topology: Topology, csr: Csr, inside: NDArray[np.bool_], members: NDArray[np.int64], across: NDArray[np.bool_]
) -> str:
    labels, n = topology.nodes, len(csr.accelerators)
    if len(members) == 1:
        return f"accelerator {members[0]}'s own"
    for ranks in topology.domains:
        if len(ranks) == len(members) and ranks[0] == members[0] and np.array_equal(ranks, members):
            name = topology.graph.nodes[topology.accelerators[ranks[0]]]["domain"]
            ends = np.unique(csr.tails[across])
            adapters = np.isin(ends, csr.accelerators).all() and (csr.forwards[ends] == 0).all()
            return f"the adapters of {name}:" if adapters else f"the uplinks of {name}:"
    gates = np.unique(csr.tails[across])
    if len(gates) == 1 and gates[0] not in csr.accelerators:
        return f"{labels[gates[0]]}'s uplinks:"
    slab = _slab(topology, members)
    if slab is not None:
        return slab
    first, last = (topology.accelerators[members[i]] for i in (0, -1))
    return f"between {len(members)} accelerators ({first} to {last}) and the other {n - len(members)}:"


def _slab(topology: Topology, members: NDArray[np.int64]) -> str | None:
    """A part of a grid that is cut off across one dimension."""
    if topology.grid is None:
        return None
    stride, dims = 1, topology.grid.dims
    for axis, size in enumerate(dims):
        layers = np.unique(members // stride % size)
        if len(layers) * (len(topology.accelerators) // size) == len(members) and len(layers) < size:
            part = "half" if 2 * len(layers) == size else f"{len(layers)} of {size} layers"
            name = "xyz"[axis] if len(dims) <= 3 else str(axis)
            return f"{part} of the {topology.family} across dimension {name}:"
        stride *= size
    return None
