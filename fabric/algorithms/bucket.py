"""Bucket: multi-dimensional reduce-scatter and all-gather on grids, all dimensions busy at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import permutations
from math import lcm

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.lattice import Lattice
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.algorithms.tours import Tours
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology

HALVES = ("reduce-scatter", "all-gather")
ALL_ORDERS = 4  # dimensions up to which every order of them is weighed
FINEST = 100_000  # of the fractions by which copies share the data


@dataclass(frozen=True)
class Copy:
    """A copy goes through the dimensions in `order`, `lengths` places in each, with `parts` parts of the data, the
    first of which is `first`."""

    order: list[int]
    lengths: list[int]
    first: int
    parts: int


def bucket(topology: Topology, collective: Collective) -> Schedule:
    """Copies of the collective, each going through the dimensions in its own order, rings in both directions
    (BlueConnect, Cho et al., MLSys 2019; TPU: Jouppi et al., ISCA 2023).

    The copies share the data so that the fullest link is as empty as can be. Where all dimensions wrap, what an order
    puts on them is a vertex of the base polytope of F(A) = (ranks that A spans - 1) / n, which is supermodular (Shapley
    1971); it holds the point of equal loads, since 2^(d-k) >= d/k. So links carry (n-1)/n S/(2 d) in either half, the
    least there is, on sides however unequal. A twisted torus is a group of steps all the same: a ring of L places then
    need not close on itself, but on ranks that by that time have the same. On a dimension without wraparound shards
    travel the line both ways, which doubles the largest load of either half; both together load its links evenly.
    Stage k of every copy makes step k.
    """
    grid = topology.grid
    if grid is None:
        raise NotApplicable(f"bucket needs a grid; {topology.name} is none")
    if collective.name not in (*HALVES, "all-reduce"):
        raise NotApplicable(f"bucket does all-reduce, all-gather and reduce-scatter, not {collective.name}")
    lattice = Lattice(grid)
    halves = [half for half in HALVES if collective.name in (half, "all-reduce")]
    copies, parts = _copies(topology, lattice, halves)
    stages = range(len(copies[0].order))
    steps = [
        _stage(lattice, copies, parts, k, half)
        for half in halves
        for k in (stages if half == "reduce-scatter" else reversed(stages))
    ]
    messages = partial(_messages, lattice, copies, parts, collective.name, halves)
    return Schedule("bucket", "pipelined", tuple(steps), None, messages)


def _copies(topology: Topology, lattice: Lattice, halves: Sequence[str]) -> tuple[list[Copy], int]:
    """The copies, and how many parts the data are cut into."""
    axes = [i for i, size in enumerate(lattice.grid.dims) if size > 1]
    turned = [axes[i:] + axes[:i] for i in range(len(axes))]
    orders = turned
    if len(axes) <= ALL_ORDERS:
        orders = turned + [list(o) for o in permutations(axes) if list(o) not in turned]
    rates = _rates(topology, lattice, axes)
    loads = np.array([_fullest(lattice, order, halves)[axes] / rates for order in orders])
    even, best = len(turned), _balanced(loads)
    shares = [Fraction(int(i < even), even) for i in range(len(orders))]  # alike, unless others do better
    if (best @ loads).max() < loads[:even].mean(axis=0).max() * (1 - 1e-9):
        shares = [Fraction(float(share)).limit_denominator(FINEST) for share in best]
        shares[int(np.argmax(best))] += 1 - sum(shares)
    parts = lcm(*(share.denominator for share in shares))
    copies, first = [], 0
    for order, share in zip(orders, shares, strict=True):
        if share > 0:
            copies.append(Copy(order, lattice.lengths(order), first, int(share * parts)))
            first += copies[-1].parts
    return copies, parts


def _balanced(loads: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the orders under which the largest of the summed loads (float64[orders, dimensions]) is least."""
    from scipy.optimize import linprog

    orders, axes = loads.shape
    unit = loads.max()
    found = linprog(
        np.append(np.zeros(orders), 1.0),
        np.hstack([loads.T / unit, -np.ones((axes, 1))]),
        np.zeros(axes),
        np.append(np.ones(orders), 0.0)[None],
        [1.0],
        method="highs-ds",
    )
    shares: NDArray[np.float64] = np.maximum(found.x[:-1], 0.0)
    return shares


def _rates(topology: Topology, lattice: Lattice, axes: list[int]) -> NDArray[np.float64]:
    """The narrowest link along each dimension (bytes/s); all alike where neighbours are not joined, as in groups."""
    csr, ends = topology.csr(), topology.csr().accelerators.astype(np.int64)
    key = csr.tails.astype(np.int64) * len(csr.forwards) + csr.heads
    order = np.argsort(key)
    rates = []
    for axis in axes:
        left, right = _neighbours(lattice, axis)
        wanted = ends[left] * len(csr.forwards) + ends[right]
        arc = order[np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)]
        if (key[arc] != wanted).any():
            return np.ones(len(axes))
        rates.append(csr.capacity[arc].min())
    return np.array(rates)


def _neighbours(lattice: Lattice, axis: int) -> tuple[Ids, Ids]:
    """Every rank that has a neighbour in + along a dimension, and that neighbour."""
    lines = lattice.lines(axis)
    stop = lines.shape[1] - (not lattice.grid.wrap[axis])
    return lines[:, :stop].ravel(), np.roll(lines, -1, axis=1)[:, :stop].ravel()


def _fullest(lattice: Lattice, order: list[int], halves: Sequence[str]) -> NDArray[np.float64]:
    """float64[d]: what the fullest link of each dimension carries of a copy with all data."""
    found, held = np.zeros(len(lattice.grid.dims)), 1.0
    for axis, length in zip(order, lattice.lengths(order), strict=True):
        if lattice.grid.wrap[axis]:
            twice = 2 if lattice.grid.dims[axis] == 2 else 1  # both ways lead to one neighbour
            found[axis] = len(halves) * held * (length - 1) / length / 2 * twice
        else:
            found[axis] = held if len(halves) == 2 else held * (length - 1) / length
        held /= length
    return found


def _stage(lattice: Lattice, copies: list[Copy], parts: int, stage: int, half: str) -> Step:
    """Stage k of all copies, each with what the dimensions before left of its share."""
    found = []
    for copy in copies:
        held = copy.parts / parts / float(np.prod(copy.lengths[:stage], dtype=float))
        found.append(_along(lattice, copy.order[stage], copy.lengths[stage], held, half))
    source, target, amount = (np.concatenate(column) for column in zip(*found, strict=True))
    rounds = max(copy.lengths[stage] - 1 for copy in copies)
    traffic = Traffic.pairs(lattice.n, source, target, amount)
    return Step(f"{half}, dimension {stage + 1} of each copy", traffic, rounds)


def _along(lattice: Lattice, axis: int, length: int, held: float, half: str) -> tuple[Ids, Ids, NDArray[np.float64]]:
    """What every rank passes to both neighbours along a dimension in which each line holds `held` bytes per rank.

    Ring of a: held (a-1)/a, half each way. Line: a shard goes to every rank, so the link from place p to p+1 carries
    p+1 shards of held/a to the right, a-1-p to the left (reduce-scatter: the mirror, the sum for the far end first).
    """
    left, right = _neighbours(lattice, axis)
    if lattice.grid.wrap[axis]:
        shards = np.full((2, len(left)), (length - 1) / 2)
    else:
        lines = len(left) // (length - 1)
        shards = np.tile([np.arange(1, length), np.arange(length - 1, 0, -1)], lines).astype(np.float64)
        shards = shards if half == "all-gather" else length - shards
    return np.concatenate([left, right]), np.concatenate([right, left]), (held * shards / length).ravel()


def _messages(
    lattice: Lattice, copies: list[Copy], parts: int, name: str, halves: Sequence[str], chunks: int
) -> Messages:
    """Every rank's block is cut into parts, and those into two halves, one for each way round the rings; on a line both
    halves go both ways."""
    n = lattice.n
    expected = sum(len(halves) * n * (2 * sum(copy.lengths) + 1) for copy in copies)
    draft = Draft("bucket", n, 2 * parts * (n if name == "all-reduce" else 1), expected, chunks)
    for copy in copies:
        ready = None
        for half in halves:
            stages = range(len(copy.order))
            for stage in stages if half == "reduce-scatter" else reversed(stages):
                ready = _pass_on(draft, lattice, copy, parts, stage, half, ready)
    return draft.messages()


def _pass_on(
    draft: Draft, lattice: Lattice, copy: Copy, parts: int, stage: int, half: str, ready: Ids | None
) -> Ids:
    """One stage of one copy; by rank, what to wait for until it is through."""
    axis, after = copy.order[stage], copy.order[stage + 1 :]
    closed, lines = lattice.grid.wrap[axis], lattice.lines(axis)
    tours = Tours.both_ways(lines) if closed else Tours.lines(lines)

    def shards(tour: Ids, place: Ids) -> NDArray[np.int64]:
        blocks = lattice.around(after, tours.order[tour, place])
        first = 2 * (parts * blocks + copy.first)[:, :, None]
        if closed:
            own = first + (tour >= len(lines))[:, None, None] * copy.parts + np.arange(copy.parts)
        else:
            own = first + np.arange(2 * copy.parts)
        return own.reshape(len(tour), -1)

    spanned = int(np.prod(copy.lengths[stage + 1 :]))
    amount = spanned / lattice.n * copy.parts / parts / (2 if closed else 1)
    turns = copy.lengths[stage] - 1
    ids, target = tours.rounds(draft, amount, shards, [half], closed=closed, ready=ready, turns=turns)
    return draft.arrived(ids, target, also=ready)
