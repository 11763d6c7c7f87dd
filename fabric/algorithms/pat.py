"""PAT: all-gather and reduce-scatter by trees that all ranks are roots of, the far ranks first."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def pat(topology: Topology, collective: Collective) -> Schedule:
    """Parallel aggregated trees (Jeaugey, arXiv:2506.20252; NCCL 2.23): ceil(log2 n) steps of distances that halve.

    In an all-gather a rank sends 2^k ranks ahead all that it has and that does not lie n or more ahead of where it came
    from: one shard far away first, n/2 shards to its neighbour last, n-1 in all. A reduce-scatter is the mirror. Where
    accelerators share a scale-up domain NCCL does not use it.
    """
    name, n = collective.name, collective.n
    if name not in ("all-gather", "reduce-scatter"):
        raise NotApplicable(f"pat does all-gather and reduce-scatter, not {name}")
    if any(len(domain) > 1 for domain in topology.domains):
        raise NotApplicable(f"pat takes one accelerator a scale-up domain; {topology.name} has more")
    ranks, steps = np.arange(n), []
    for distance in _distances(n, name):
        ahead = (ranks + distance) % n
        source, target = (ranks, ahead) if name == "all-gather" else (ahead, ranks)
        traffic = Traffic.pairs(n, source, target, len(_held(n, distance)) / n)
        steps.append(Step(f"distance {distance}", traffic, 1, whole=True))
    return Schedule("pat", "phased", tuple(steps), None, partial(_messages, n, name))


def _distances(n: int, name: str) -> list[int]:
    """Far first in an all-gather, near first in a reduce-scatter.

    >>> _distances(6, "all-gather")
    [4, 2, 1]
    """
    powers = [1 << k for k in range((n - 1).bit_length())]
    return powers[::-1] if name == "all-gather" else powers


def _held(n: int, distance: int) -> NDArray[np.int64]:
    """How far behind a rank the shards began that it sends on over a distance in an all-gather.

    >>> _held(6, 2).tolist(), _held(6, 1).tolist()
    ([0], [0, 2, 4])
    """
    return np.arange(0, n - distance, 2 * distance)


def _messages(n: int, name: str, chunks: int) -> Messages:
    """Shard by shard a tree of its own; those that go the same way together are one message."""
    ranks, gathers = np.arange(n), name == "all-gather"
    draft = Draft("pat", n, 1, n * (n - 1).bit_length(), chunks)
    own = np.full(n, -1)

    def shards(distance: int) -> NDArray[np.int64]:
        """Of the rank behind, as it sends ahead."""
        found: NDArray[np.int64] = (ranks[:, None] - _held(n, distance)) % n
        return found

    for distance in _distances(n, name):
        ahead = (ranks + distance) % n
        source, target = (ranks, ahead) if gathers else (ahead, ranks)
        amount = len(_held(n, distance)) / n
        ids = draft.send(
            source, target, amount, partial(shards, distance), after=[own[source]], reduces=not gathers
        )
        own = draft.arrived(ids, target, also=own)
    return draft.messages()
