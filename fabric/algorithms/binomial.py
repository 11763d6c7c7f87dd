"""Binomial: broadcast and reduce in which those that have the vector double every round."""

from functools import partial

import numpy as np

from fabric.algorithms.draft import Ids
from fabric.algorithms.rounds import Round, log2_ceil, phased, whole
from fabric.algorithms.schedule import NotApplicable, Schedule
from fabric.collectives import Collective
from topologies.graph import Topology


def binomial(topology: Topology, collective: Collective) -> Schedule:
    """The whole vector in each of ceil(log2 n) rounds, the furthest half first; a reduce is the mirror.

    ceil(log2 n) (alpha + S beta), any n (Thakur, Rabenseifner, Gropp, IJHPCA 2005, section 4.3).
    """
    if collective.name not in ("broadcast", "reduce"):
        raise NotApplicable(f"binomial does broadcast and reduce, not {collective.name}")
    n, adds = collective.n, collective.name == "reduce"
    rounds = []
    for distance in distances(n):
        near, far = halves(n, distance)
        source, target = (far, near) if adds else (near, far)
        rounds.append(Round.of(f"distance {distance}", source, target, 1.0, partial(whole, len(near)), reduces=adds))
    return phased("binomial", n, 1, rounds[::-1] if adds else rounds)


def distances(n: int) -> list[int]:
    """Powers of two below n, the largest first.

    >>> distances(6)
    [4, 2, 1]
    """
    return [1 << bit for bit in reversed(range(log2_ceil(n)))]


def halves(n: int, distance: int) -> tuple[Ids, Ids]:
    """The ranks that lead 2 x distance ranks each, and those in the middle of these.

    >>> [side.tolist() for side in halves(7, 2)]
    [[0, 4], [2, 6]]
    """
    near = np.arange(0, n - distance, 2 * distance)
    return near, near + distance
