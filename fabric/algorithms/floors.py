"""Floors: what a schedule takes at least, from what its ranks send and receive, before any of it is routed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.schedule import Schedule, parse_overlap
from fabric.traffic import Traffic
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True)
class Floor:
    """No routing brings a schedule below `latency_s` + `per_byte_s` x size.

    `busy_s`: how long a byte keeps the links across each of the `borders` busy, all steps together, at least.
    """

    latency_s: float
    per_byte_s: float
    busy_s: tuple[float, ...]

    def time_s(self, size_bytes: float) -> float:
        """Least seconds at a size."""
        return self.latency_s + self.per_byte_s * size_bytes


def floor(topology: Topology, schedule: Schedule) -> Floor:
    """What a schedule takes at least: all that a rank sends leaves by its own links, of which one is as full as their
    mean at least; the same for what it receives, and for what leaves and enters each scale-up domain. Every round takes
    the least latency there is between two ranks.

    >>> from fabric.algorithms.direct import direct
    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> switch = build("switch:n=4,rate_gbps=400")
    >>> floor(switch, direct(switch, collective("all-to-all", 4))).per_byte_s * 50e9         # 3/4 at 50 GB/s
    0.75
    """
    ends = _ends(topology)
    known: dict[int, tuple[NDArray[np.float64], ...]] = {}
    together = [np.zeros(2 * len(border.out_bytes_per_s)) for border in ends.borders]
    after_each_other = 0.0
    for step in schedule.steps:
        if id(step.traffic) not in known:
            known[id(step.traffic)] = tuple(border.shares(step.traffic) for border in ends.borders)
        for total, shares in zip(together, known[id(step.traffic)], strict=True):
            total += shares
        after_each_other += max(float(shares.max()) for shares in known[id(step.traffic)])
    least_s = ends.least_latency_s if schedule.ends == len(topology.accelerators) else 0.0  # switches may be next door
    latency_s = least_s * sum(step.rounds for step in schedule.steps)
    most = tuple(float(total.max()) for total in together)
    phased = parse_overlap(schedule.overlap)[0] == "phased"
    per_byte_s = after_each_other if phased else max(most)  # chunks make it no less than pipelined steps
    return Floor(latency_s, per_byte_s, most)


def borders(topology: Topology) -> list[NDArray[np.int64]]:
    """The groups of nodes whose borders a floor looks at, int64[V] each, one more group for nodes in none."""
    return [border.group[len(topology.accelerators) :] for border in _ends(topology).borders]


@dataclass(frozen=True, slots=True, eq=False)
class _Border:
    """Groups, `group` int64[n + V] of ranks and then of nodes, switches that are ends of traffic among them, and what
    the links between each and the rest carry, out and in, bytes/s; one more group for all that is in none."""

    group: NDArray[np.int64]
    out_bytes_per_s: NDArray[np.float64]
    in_bytes_per_s: NDArray[np.float64]

    def shares(self, traffic: Traffic) -> NDArray[np.float64]:
        """Seconds for which what leaves each group, and what enters it, keeps its links busy."""
        groups = len(self.out_bytes_per_s)
        left, entered = traffic.crossing(self.group, groups + 1)
        shares = np.zeros(2 * groups)
        crossing = np.concatenate([left[:groups], entered[:groups]])
        rate = np.concatenate([self.out_bytes_per_s, self.in_bytes_per_s])
        np.divide(crossing, rate, out=shares, where=rate > 0)
        return shares


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """Borders round ranks and round domains, and the least latency between two ranks."""

    borders: tuple[_Border, ...]
    least_latency_s: float


@once
def _ends(topology: Topology) -> _Ends:
    csr = topology.csr()
    ranks, nodes = csr.accelerators, len(topology.nodes)
    alone = np.full(nodes, -1)
    alone[ranks] = np.arange(len(ranks))
    borders = [_border(topology, alone, ranks)]
    domains = topology.domains
    if sum(map(len, domains)) == len(ranks):
        borders.append(_border(topology, _inside(topology, domains), ranks))
    leaves, arrives = alone[csr.tails] >= 0, alone[csr.heads] >= 0
    least = csr.latency[leaves | arrives].min(initial=np.inf)
    hops = 1 if (leaves & arrives).any() else 2  # from a rank to a switch, from a switch to a rank
    return _Ends(tuple(borders), float(hops * least))


def _inside(topology: Topology, domains: list[list[int]]) -> NDArray[np.int64]:
    """The domain of every node, int64[V]: of its ranks, and of switches all of whose neighbours are in it; else -1."""
    csr = topology.csr()
    group = np.full(len(topology.nodes), -1)
    for number, domain in enumerate(domains):
        group[csr.accelerators[domain]] = number
    while True:
        low, high = np.full((2, len(group)), [[len(domains)], [-1]])
        np.minimum.at(low, csr.heads, group[csr.tails])
        np.maximum.at(high, csr.heads, group[csr.tails])
        found = (group < 0) & (low == high) & (low >= 0)
        if not found.any():
            return group
        group[found] = low[found]


def _border(topology: Topology, group: NDArray[np.int64], ranks: NDArray[np.int32]) -> _Border:
    """Round the groups of all nodes, int64[V], -1 outside of any."""
    csr, groups = topology.csr(), int(group.max()) + 1
    tail, head = group[csr.tails], group[csr.heads]
    apart = tail != head
    out = np.bincount(tail[apart & (tail >= 0)], csr.capacity[apart & (tail >= 0)], minlength=groups)
    into = np.bincount(head[apart & (head >= 0)], csr.capacity[apart & (head >= 0)], minlength=groups)
    ends = np.concatenate([group[ranks], group])
    return _Border(np.where(ends < 0, groups, ends), out.astype(np.float64), into.astype(np.float64))
