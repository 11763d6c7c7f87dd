"""Swing: ranks of a torus exchange halves with peers that swing from side to side."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology

HALVES = {
    "all-reduce": ("reduce-scatter", "all-gather"),
    "reduce-scatter": ("reduce-scatter",),
    "all-gather": ("all-gather",),
}


def swing(topology: Topology, collective: Collective) -> Schedule:
    """Halving and doubling whose step s goes over rho_s = (1 - (-2)^(s+1)) / 3 places: 1, -1, 3, -5, 11, ... ahead for
    even places, behind for odd ones, so that distances grow by less than a doubling (De Sensi et al., NSDI 2024).

    On d dimensions the steps take the dimensions by turns; 2 d copies of S/(2 d), which start with each dimension and
    with either sign, use all links at once. Fabrics that are no torus are one dimension. As in the paper a dimension
    of 2^k places is halved k times; others would send some data twice, and are left to other algorithms.
    """
    if collective.name not in HALVES:
        raise NotApplicable(f"swing does {', '.join(HALVES)}, not {collective.name}")
    grid = topology.grid
    if grid is not None and (grid.twist or not all(np.array(grid.wrap) | (np.array(grid.dims) < 3))):
        raise NotApplicable(f"swing needs every dimension of a grid wrapped and none twisted; {topology.name} is not")
    dims = (collective.n,) if grid is None else tuple(size for size in grid.dims if size > 1)
    if any(size & (size - 1) for size in dims):
        given = "x".join(map(str, dims))
        raise NotApplicable(f"swing halves dimensions of 2^k accelerators without waste; {given} is none")
    copies = [_peers(dims, start, sign) for start in range(len(dims)) for sign in (1, -1)]
    halves, n = HALVES[collective.name], collective.n
    steps = []
    for half in halves:
        order = range(len(copies[0]))
        for s in order if half == "reduce-scatter" else reversed(order):
            target = np.concatenate([peers[s] for peers in copies])
            traffic = Traffic.pairs(n, np.tile(np.arange(n), len(copies)), target, 0.5 ** (s + 1) / len(copies))
            steps.append(Step(f"{half}, step {s + 1}", traffic, 1, whole=True))
    return Schedule("swing", "phased", tuple(steps), None, partial(_messages, copies, n, halves))


def _peers(dims: Sequence[int], start: int, sign: int) -> list[NDArray[np.int64]]:
    """int64[n] for each step: whom every rank exchanges with.

    >>> [peers.tolist() for peers in _peers((8,), 0, 1)]
    [[1, 0, 3, 2, 5, 4, 7, 6], [7, 2, 1, 4, 3, 6, 5, 0], [3, 6, 5, 0, 7, 2, 1, 4]]
    """
    ranks, stride = np.arange(int(np.prod(dims))), np.cumprod([1, *dims[:-1]])
    left, done, found, axis = [size.bit_length() - 1 for size in dims], [0] * len(dims), [], start
    while any(left):
        if left[axis]:
            place = ranks // stride[axis] % dims[axis]
            rho = sign * (1 - (-2) ** (done[axis] + 1)) // 3
            peer = (place + np.where(place % 2 == 0, rho, -rho)) % dims[axis]
            found.append(ranks + (peer - place) * stride[axis])
            left[axis] -= 1
            done[axis] += 1
        axis = (axis + 1) % len(dims)
    return found


def _messages(copies: list[list[NDArray[np.int64]]], n: int, halves: Sequence[str], chunks: int) -> Messages:
    """A part of every block for each copy; step s sends the blocks that its peer is to have, or those that it has."""
    count, steps = len(copies), len(copies[0])
    parts = count * (n if len(halves) == 2 else 1)
    draft = Draft("swing", n, parts, n * steps * count * (len(halves) + 1), chunks)
    for copy, peers in enumerate(copies):
        own = np.full(n, -1)
        for half in halves:
            adds = half == "reduce-scatter"
            for s in range(steps) if adds else reversed(range(steps)):
                carried = partial(_carried, peers, s, copy, count, peers[s] if adds else np.arange(n))
                sent = draft.send(np.arange(n), peers[s], 0.5 ** (s + 1) / count, carried, after=[own], reduces=adds)
                own = draft.arrived(sent, peers[s], also=own)
    return draft.messages()


def _carried(
    peers: list[NDArray[np.int64]], step: int, copy: int, count: int, of: NDArray[np.int64]
) -> NDArray[np.int64]:
    """int64[n, n / 2^(step + 1)]: the copy's chunks of the blocks that end, or began, where `of` leads after a step."""
    reached = of[:, None]
    for peer in peers[step + 1 :]:
        reached = np.concatenate([reached, peer[reached]], axis=1)
    return reached * count + copy
