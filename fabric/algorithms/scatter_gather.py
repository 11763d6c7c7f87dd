"""Scatter-gather: broadcast as a binomial scatter and a ring all-gather, reduce as their mirror."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.binomial import distances, halves
from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.messages import Messages
from fabric.algorithms.ring import rings_of
from fabric.algorithms.rounds import Round, follow, spans
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.algorithms.tours import Tours
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def scatter_gather(topology: Topology, collective: Collective) -> Schedule:
    """Each rank gets a block of S/n down a binomial tree, then all blocks go round the rings of this fabric.

    (ceil(log2 n) + n - 1) alpha + 2 (n-1)/n S beta (van de Geijn; Barnett et al., 1994); a reduce is a ring
    reduce-scatter and a binomial gather.
    """
    if collective.name not in ("broadcast", "reduce"):
        raise NotApplicable(f"scatter-gather does broadcast and reduce, not {collective.name}")
    n, adds = collective.n, collective.name == "reduce"
    rings, relays = rings_of(topology)
    tours = Tours.both_ways(rings)
    tree = [_scatter(n, len(tours), distance, adds=adds) for distance in distances(n)]
    tree = tree[::-1] if adds else tree
    steps = [Step(r.name, Traffic.pairs(n, r.source, r.target, r.amount), 1) for r in tree]
    ring = Step("round the rings", tours.traffic(n, (n - 1) / n / len(tours)), n - 1, chain=True)
    messages = partial(_messages, tours, tree, n, adds)
    return Schedule("scatter-gather", "phased", tuple([ring, *steps] if adds else [*steps, ring]), relays, messages)


def _scatter(n: int, parts: int, distance: int, *, adds: bool) -> Round:
    """The blocks of the far half to the rank that leads it, or from it."""
    near, far = halves(n, distance)
    blocks = np.minimum(far + distance, n) - far
    name = f"{'gather' if adds else 'scatter'}, distance {distance}"
    source, target = (far, near) if adds else (near, far)
    return Round.of(name, source, target, blocks / n, partial(spans, far, blocks, n, parts))


def _messages(tours: Tours, tree: list[Round], n: int, adds: bool, chunks: int) -> Messages:
    draft = Draft("scatter-gather", n, n * len(tours), len(tours) * (n + 1) * n, chunks)

    def shards(tour: Ids, place: Ids) -> NDArray[np.int64]:
        chunk: Ids = tours.order[tour, place] * len(tours) + tour
        return chunk[:, None]

    around = partial(tours.rounds, draft, 1 / n / len(tours), shards)
    if adds:
        follow(draft, tree, draft.arrived(*around(["reduce-scatter"])))
    else:
        around(["all-gather"], ready=follow(draft, tree))
    return draft.messages()
