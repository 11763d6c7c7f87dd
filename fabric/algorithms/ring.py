"""Rings: data passed from neighbour to neighbour, on as many rings at once as the fabric has room for."""

from math import gcd

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.lanes import Ring, around, chains
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.collectives import Collective
from topologies.graph import Topology


def ring(topology: Topology, collective: Collective) -> Schedule:
    """Ring collectives: n-1 steps of S/n each for all-gather and reduce-scatter, twice that for all-reduce, a pipelined
    chain for broadcast and reduce (Patarasu and Yuan, JPDC 2009).

    The data is split over rings in both directions: one through the ranks in order; on a grid one along a snake that
    closes; one along each tour that a family of circuits lays out; on a full mesh one for every stride without a common
    factor with n; on servers with rails one for each rail, entering and leaving a server by turns so that every adapter
    carries one ring (multi-rail).
    """
    n = collective.n
    hops = {
        "all-reduce": 2 * (n - 1),
        "all-gather": n - 1,
        "reduce-scatter": n - 1,
        "broadcast": n - 1,
        "reduce": n - 1,
    }
    if collective.name not in hops:
        raise NotApplicable(f"ring does {', '.join(hops)}, not {collective.name}")
    rings, relays = rings_of(topology)
    rings = [np.roll(order, -int(np.argmin(order))) for order in rings]  # rank 0, the root, starts each chain
    chain = collective.name in ("broadcast", "reduce")
    if chain:
        lanes = chains(rings, 1.0 / len(rings), reverse=collective.name == "reduce")
    else:
        lanes = around(rings, hops[collective.name] / n / len(rings), hops[collective.name])
    step = Step.along(lanes, "round the rings", n, hops[collective.name], chain=True)
    return Schedule("ring", "pipelined", (step,), relays)


def rings_of(topology: Topology) -> tuple[list[Ring], str | None]:
    """The rings that data goes round, each as its ranks in order, and whose accelerators pass on for others.

    >>> from topologies.registry import build
    >>> [order.tolist() for order in rings_of(build("full-mesh:n=5"))[0]]
    [[0, 1, 2, 3, 4], [0, 2, 4, 1, 3]]
    """
    n = len(topology.accelerators)
    if topology.tours:
        return list(topology.tours), None
    if topology.grid is not None:
        return [_snake(topology.grid.dims)], None
    if topology.family == "full-mesh":
        return [np.arange(n) * k % n for k in range(1, max(2, (n + 1) // 2)) if gcd(k, n) == 1], None
    try:
        return _rail_rings(np.array(equal_domains(topology)))
    except NotApplicable:
        return [np.arange(n)], None


def _rail_rings(domains: NDArray[np.int64]) -> tuple[list[Ring], str | None]:
    """One ring per rail: ring c enters even servers at accelerator c and leaves at c-1, odd ones the other way round.

    An odd number of servers does not close on one rail: the last server then passes on from c-1 to c before it sends.
    """
    count, size = domains.shape
    rings = []
    for c in range(size):
        path = np.roll(np.arange(size), -c)
        legs = [row[path if s % 2 == 0 else path[::-1]] for s, row in enumerate(domains)]
        if count % 2 and size > 1:
            legs.append(domains[-1, c : c + 1])
        rings.append(np.concatenate(legs))
    return rings, "one accelerator of the last server" if count % 2 and size > 1 else None


def _snake(dims: tuple[int, ...]) -> Ring:
    """A tour of the grid from neighbour to neighbour, closing by one wraparound where the last even dimension has one.

    >>> _snake((2, 2)).tolist()
    [0, 1, 3, 2]
    """
    strides = np.concatenate([[1], np.cumprod(dims)[:-1]]).astype(np.int64)
    axes = sorted(range(len(dims)), key=lambda i: (dims[i] % 2 == 0, i))  # slowest last: an even one closes the tour
    tour = np.zeros(1, np.int64)
    for axis in axes:
        turns = [tour if k % 2 == 0 else tour[::-1] for k in range(dims[axis])]
        tour = np.concatenate([turn + k * strides[axis] for k, turn in enumerate(turns)])
    return tour
