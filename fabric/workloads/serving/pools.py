"""Pools: replicas that only prefill beside those that decode, and how many of each keep one another busy."""

from dataclasses import dataclass

from fabric.domains import blocks_beside
from fabric.workloads.serving.layout import Layout
from topologies.graph import Topology


@dataclass(frozen=True, slots=True)
class Pool:
    """Replicas that prefill only."""

    layout: Layout
    replicas: int


def balanced(topology: Topology, layout: Layout, before: Layout, prefill_rate: float, decode_rate: float) -> int:
    """How many replicas of `before` let most tokens a second through, where one prefills for `prefill_rate` of them and
    one of `layout` decodes `decode_rate`; 0 where not one of each has room.

    >>> from topologies.registry import build
    >>> balanced(build("nvl72"), Layout(dp=16), Layout(tp=8), 100.0, 100.0)  # three of 16 beside three of 8
    3
    """
    low, high = 1, len(topology.accelerators) // before.accelerators

    def decoding(replicas: int) -> int:
        return blocks_beside(topology, layout.accelerators, replicas, before.accelerators)

    def rate(replicas: int) -> float:
        return min(replicas * prefill_rate, decoding(replicas) * decode_rate)

    while low < high:  # to the first that is no limit, or leaves nothing
        middle = (low + high) // 2
        if middle * prefill_rate >= decoding(middle) * decode_rate:
            high = middle
        else:
            low = middle + 1
    best = max((max(low - 1, 1), low), key=rate)
    return best if rate(best) > 0 else 0
