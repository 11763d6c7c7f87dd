"""Unrolling: the messages of a schedule as flows at a size."""

import numpy as np

from fabric.algorithms.schedule import Schedule
from fabric.flows import Flows
from topologies.errors import InfeasibleError


def unroll(schedule: Schedule, size_bytes: float, chunks: int = 1) -> Flows:
    """The flows of a schedule; of `chunks` equal parts of the data each goes through the algorithm by itself.

    A message waits for all that it needs and, where the data is cut, for its connection to have sent the chunk before.
    InfeasibleError above 30 million flows, and where a schedule has no messages.

    >>> from fabric.algorithms import ALGORITHMS
    >>> from fabric.collectives import collective
    >>> from topologies.registry import build
    >>> ring = ALGORITHMS["ring"](build("ring:n=4"), collective("all-reduce", 4))
    >>> len(unroll(ring, 1e6))                           # 6 rounds, 4 ranks, both ways round
    48
    """
    if schedule.messages is None:
        raise InfeasibleError(f"{schedule.algorithm} is known by its loads alone; use --fidelity steady")
    made = schedule.messages(chunks)
    none = np.zeros(len(made))
    return Flows(made.source, made.target, made.amount * size_bytes, none, none, made.pred_ptr, made.pred)
