"""Bruck: all-gather and all-to-all in ceil(log2 n) rounds, for any number of ranks."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Ids
from fabric.algorithms.rounds import Round, log2_ceil, phased, spans
from fabric.algorithms.schedule import NotApplicable, Schedule
from fabric.collectives import Collective
from topologies.graph import Topology


def bruck(topology: Topology, collective: Collective) -> Schedule:
    """Round s of an all-gather brings the next 2^s blocks from rank + 2^s; round s of an all-to-all takes by 2^s what
    has bit s in the distance still to go.

    ceil(log2 n) alpha + (n-1)/n S beta, and about S beta / 2 in each round of an all-to-all (Bruck, Ho, Kipnis, Upfal,
    Weathersby, IEEE TPDS 1997).
    """
    n = collective.n
    made = {"all-gather": _blocks, "all-to-all": _shares}.get(collective.name)
    if made is None:
        raise NotApplicable(f"bruck does all-gather and all-to-all, not {collective.name}")
    return phased("bruck", n, 1, [made(n, 1 << bit) for bit in range(log2_ceil(n))])


def _blocks(n: int, distance: int) -> Round:
    rank = np.arange(n)
    count = min(distance, n - distance)
    carried = partial(spans, rank, np.full(n, count), n)
    return Round.of(f"distance {distance}", rank, (rank - distance) % n, count / n, carried)


def _shares(n: int, distance: int) -> Round:
    rank = np.arange(n)
    way = np.flatnonzero(rank & distance)  # what has this bit in its way
    carried = partial(_on_its_way, rank, way, distance)
    return Round.of(f"distance {distance}", rank, (rank + distance) % n, len(way) / n, carried)


def _on_its_way(rank: Ids, way: Ids, distance: int) -> NDArray[np.int64]:
    """What each rank has for others that are `way` from where it started, after the bits below this one."""
    n = len(rank)
    source = (rank[:, None] - way % distance) % n
    chunk: NDArray[np.int64] = source * n + (source + way) % n
    return chunk
