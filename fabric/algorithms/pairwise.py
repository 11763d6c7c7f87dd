"""Pairwise: all-to-all in n - 1 rounds, each with one partner."""

from functools import partial

import numpy as np

from fabric.algorithms.draft import Draft
from fabric.algorithms.messages import Messages
from fabric.algorithms.rounds import Round, follow
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def pairwise(topology: Topology, collective: Collective) -> Schedule:
    """In round k rank r exchanges with r XOR k where n is a power of two; otherwise it sends to r + k and receives from
    r - k.

    (n-1) alpha + (n-1)/n S beta (Thakur, Rabenseifner, Gropp, IJHPCA 2005, section 4.4). Ranks do not wait for the
    slowest of a round, only for their partners, so the loads of all rounds together bind.
    """
    if collective.name != "all-to-all":
        raise NotApplicable(f"pairwise does all-to-all, not {collective.name}")
    n = collective.n
    step = Step("exchange, partner by partner", Traffic.uniform(n, 1 / n), n - 1, chain=True)
    return Schedule("pairwise", "pipelined", (step,), None, partial(_messages, n))


def _messages(n: int, chunks: int) -> Messages:
    draft = Draft("pairwise", n, 1, n * (n - 1), chunks)
    follow(draft, [_exchange(n, k) for k in range(1, n)])
    return draft.messages()


def _exchange(n: int, k: int) -> Round:
    rank = np.arange(n)
    partner = rank ^ k if n & (n - 1) == 0 else (rank + k) % n
    return Round.of(f"round {k}", rank, partner, 1 / n, lambda: (rank * n + partner)[:, None])
