"""Rings: data passed from neighbour to neighbour, on as many rings at once as the fabric has room for."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.algorithms.tours import Ring, Tours
from fabric.collectives import Collective
from topologies.graph import Topology

HALVES = {
    "all-reduce": ("reduce-scatter", "all-gather"),
    "all-gather": ("all-gather",),
    "reduce-scatter": ("reduce-scatter",),
    "broadcast": (),
    "reduce": (),
}


def ring(topology: Topology, collective: Collective) -> Schedule:
    """Ring collectives: n-1 steps of S/n each for all-gather and reduce-scatter, twice that for all-reduce, a pipelined
    chain for broadcast and reduce (Patarasu and Yuan, JPDC 2009).

    The data is split over rings in both directions: one through the ranks in order; on a grid one along a snake that
    closes; one along each tour that a family of circuits lays out; on a full mesh as many as load all links alike; on
    servers with rails one for each rail, entering and leaving a server by turns so that every adapter carries one ring
    (multi-rail).
    """
    if collective.name not in HALVES:
        raise NotApplicable(f"ring does {', '.join(HALVES)}, not {collective.name}")
    n, name = collective.n, collective.name
    rings, relays = rings_of(topology)
    tours = Tours.both_ways([np.roll(order, -int(np.argmin(order))) for order in rings])  # each from rank 0, the root
    rounds = len(HALVES[name]) * (n - 1) or n - 1
    messages: Callable[[int], Messages]
    if HALVES[name]:
        traffic = tours.traffic(n, rounds / n / len(tours))
        messages = partial(_rounds, tours, n, name)
    else:
        tours = tours.reversed if name == "reduce" else tours
        traffic = tours.traffic(n, 1 / len(tours), closed=False)
        messages = partial(_along, tours, n, name)
    step = Step("round the rings", traffic, rounds, chain=True, whole=not HALVES[name])
    return Schedule("ring", "pipelined", (step,), relays, messages)


def _rounds(tours: Tours, n: int, name: str, chunks: int) -> Messages:
    """The data of every rank is cut into one part for each tour, which goes round it."""
    halves, hops = HALVES[name], len(tours) * (n + 1)
    parts = len(tours) * (n if name == "all-reduce" else 1)
    draft = Draft("ring", n, parts, hops * (n - 1) * len(halves), chunks)

    def shards(tour: Ids, place: Ids) -> NDArray[np.int64]:
        return (tours.order[tour, place] * len(tours) + tour)[:, None]

    tours.rounds(draft, 1 / n / len(tours), shards, halves)
    return draft.messages()


def _along(tours: Tours, n: int, name: str, chunks: int) -> Messages:
    draft = Draft("ring", n, len(tours), len(tours) * n, chunks)
    tours.along(draft, 1 / len(tours), lambda tour, place: tour[:, None], reduces=name == "reduce")
    return draft.messages()


def rings_of(topology: Topology) -> tuple[list[Ring], str | None]:
    """The rings that data goes round, each as its ranks in order, and whose accelerators pass on for others.

    >>> from topologies.registry import build
    >>> [order.tolist() for order in rings_of(build("full-mesh:n=5"))[0]]
    [[0, 1, 3, 2, 4], [1, 2, 0, 3, 4]]
    """
    n = len(topology.accelerators)
    if topology.tours:
        return list(topology.tours), None
    if topology.grid is not None:
        return [_snake(topology.grid.dims)], None
    if topology.family == "full-mesh":
        return _mesh_rings(n), None
    domains = [np.asarray(ranks) for ranks in topology.domains]
    if len(domains) < 2 or sum(map(len, domains)) < n:
        return [np.arange(n)], None
    return _rail_rings(domains)


def _mesh_rings(n: int) -> list[Ring]:
    """Hamiltonian cycles that together cover every link of a full mesh alike: once for odd n, twice for even n, for
    which no such cycles cover every link once (Walecki; Alspach, "The wonderful Walecki construction", 2008).

    Each zigzags over n - 1 ranks in a circle, 0, 1, -1, 2, -2, ..., turned by one place from the one before, and comes
    back by the last rank.

    >>> [order.tolist() for order in _mesh_rings(4)]
    [[0, 1, 2, 3], [1, 2, 0, 3], [2, 0, 1, 3]]
    """
    others = n - 1
    steps = np.arange(others)
    zigzag = np.where(steps % 2, (steps + 1) // 2, -(steps // 2))
    turns = others if others % 2 else others // 2
    return [np.append((zigzag + turn) % others, others) for turn in range(turns)]


def _rail_rings(domains: Sequence[Ring]) -> tuple[list[Ring], str | None]:
    """One ring per rail: ring c enters even servers at accelerator c and leaves at c-1, odd ones the other way round.

    Of servers that are not alike the smallest says how many. An odd number of servers does not close on one rail: the
    last server then passes on from c-1 to c before it sends.

    >>> [order.tolist() for order in _rail_rings([np.array([0, 1]), np.array([2, 3, 4])])[0]]
    [[0, 1, 4, 3, 2], [1, 0, 2, 4, 3]]
    """
    smallest = min(len(row) for row in domains)
    odd = len(domains) % 2 == 1 and smallest > 1
    rings = []
    for c in range(smallest):
        legs = []
        for s, row in enumerate(domains):
            path = np.roll(np.arange(len(row)), -c)
            legs.append(row[path if s % 2 == 0 else path[::-1]])
        if odd:
            legs.append(domains[-1][c : c + 1])
        rings.append(np.concatenate(legs))
    return rings, "one accelerator of the last server" if odd else None


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
