"""Chain: broadcast and reduce from rank to rank, in as many chunks as the size is worth."""

from functools import partial

import numpy as np

from fabric.algorithms.draft import Draft
from fabric.algorithms.messages import Messages
from fabric.algorithms.ring import rings_of
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.algorithms.tours import Tours
from fabric.collectives import Collective
from topologies.graph import Topology


def chain(topology: Topology, collective: Collective) -> Schedule:
    """The vector goes from the root over n - 1 hops, chunk after chunk; a reduce comes the other way, adding up.

    k chunks take (n - 2 + k)(alpha + S beta / k), least at k = sqrt((n - 2) S beta / alpha) (van de Geijn and Watts,
    SUMMA, 1997: the pipelined broadcast). The order of ranks is that of the first ring of this fabric, on one channel.
    """
    if collective.name not in ("broadcast", "reduce"):
        raise NotApplicable(f"chain does broadcast and reduce, not {collective.name}")
    n, adds = collective.n, collective.name == "reduce"
    order = rings_of(topology)[0][0]
    both = Tours.both_ways([np.roll(order, -int(np.argmin(order)))])
    tours = Tours(both.order[:1], both.via[:1])
    tours = tours.reversed if adds else tours
    step = Step("along the chain", tours.traffic(n, 1.0, closed=False), n - 1, chain=True, whole=True)
    return Schedule("chain", "chunked", (step,), None, partial(_messages, tours, n, adds))


def _messages(tours: Tours, n: int, adds: bool, chunks: int) -> Messages:
    draft = Draft("chain", n, 1, 2 * n, chunks)
    tours.along(draft, 1.0, lambda tour, place: tour[:, None], reduces=adds)
    return draft.messages()
