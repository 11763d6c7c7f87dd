"""Hierarchical: inside the scale-up domains, then across them, then inside again."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.groups import exchange
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.algorithms.tours import Tours
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def hierarchical(topology: Topology, collective: Collective) -> Schedule:
    """Reduce-scatter in the domain, the collective across domains on 1/g of the data by rings along each rail,
    all-gather in the domain; the parts that a collective does not need are left out.

    All-reduce of S on N domains of g: 2 (g-1)/g S inside, 2 (N-1)/N S/g across (Cho et al., BlueConnect, MLSys 2019).
    Pipelined by chunks, as libraries do; `phased` runs the three one after the other.
    """
    domains = np.array(equal_domains(topology))
    count, size = domains.shape
    n, name = collective.n, collective.name
    inside = Traffic.within(domains, n, 1 / size)
    rails = Tours.both_ways(domains.T)
    root = Traffic.pairs(n, domains[0, 0], domains[0, 1:], 1 / size)
    back = Traffic.pairs(n, domains[0, 1:], domains[0, 0], 1 / size)
    scatter, gather = Step("reduce-scatter in the domain", inside, 1), Step("all-gather in the domain", inside, 1)

    def across(halves: int) -> Step:
        rounds = halves * (count - 1)
        traffic = rails.traffic(n, rounds / n / 2)
        return Step("across domains", traffic, rounds, chain=True)

    def along(tours: Tours) -> Step:
        traffic = tours.traffic(n, 1 / size / 2, closed=False)
        return Step("across domains", traffic, count - 1, chain=True, whole=True)

    steps = {
        "all-reduce": (scatter, across(2), gather),
        "all-gather": (across(1), gather),
        "reduce-scatter": (scatter, across(1)),
        "broadcast": (Step("scatter in the domain", root, 1), along(rails), gather),
        "reduce": (scatter, along(rails.reversed), Step("gather in the domain", back, 1)),
    }
    if name not in steps:
        raise NotApplicable(f"hierarchical does {', '.join(steps)}, not {name}")
    messages = partial(_of_vector if name in ("broadcast", "reduce") else _of_blocks, domains, rails, name)
    return Schedule("hierarchical", "pipelined", steps[name], None, messages)


def _of_blocks(domains: Ids, rails: Tours, name: str, chunks: int) -> Messages:
    """Every rank's block in two halves, one for each way round its rail; a domain's shard s is all blocks of rail s."""
    count, size = domains.shape
    n = domains.size
    rail = np.zeros(n, np.int64)
    rail[domains] = np.arange(size)
    halves = [half for half in ("reduce-scatter", "all-gather") if name in (half, "all-reduce")]
    expected = len(halves) * n * (size + 2 * count)
    draft = Draft("hierarchical", n, 2 * n if name == "all-reduce" else 2, expected, chunks)

    def shards(rank: Ids) -> NDArray[np.int64]:
        blocks = domains[:, rail[rank]].T
        both: Ids = np.concatenate([2 * blocks, 2 * blocks + 1], axis=1)
        return both

    def halved(tour: Ids, place: Ids) -> NDArray[np.int64]:
        half: Ids = 2 * rails.order[tour, place] + tour // size
        return half[:, None]

    ready = None
    if "reduce-scatter" in halves:
        ready = exchange(draft, domains, "reduce-scatter", 1 / size, shards)
    ids, target = rails.rounds(draft, 1 / n / 2, halved, halves, ready=ready)
    if "all-gather" in halves:
        exchange(draft, domains, "all-gather", 1 / size, shards, draft.arrived(ids, target, also=ready))
    return draft.messages()


def _of_vector(domains: Ids, rails: Tours, name: str, chunks: int) -> Messages:
    """The vector in a shard for each rail, in two halves, one for each way along it."""
    n, size = domains.size, domains.shape[1]
    rail = np.zeros(n, np.int64)
    rail[domains] = np.arange(size)
    draft = Draft("hierarchical", n, 2 * size, n * (size + 3), chunks)
    root, peers = domains[0, :1], domains[0, 1:]

    def shards(rank: Ids) -> NDArray[np.int64]:
        return np.stack([rail[rank], size + rail[rank]], axis=1)

    def halved(tour: Ids, place: Ids) -> NDArray[np.int64]:
        return tour[:, None]

    if name == "broadcast":
        sent = draft.send(root, peers, 1 / size, partial(shards, peers))
        ready = draft.done(sent, np.full(len(peers), root[0]), peers)
        came = draft.arrived(*rails.along(draft, 1 / size / 2, halved, ready=ready), also=ready)
        exchange(draft, domains, "all-gather", 1 / size, shards, came)
    else:
        ready = exchange(draft, domains, "reduce-scatter", 1 / size, shards)
        came = draft.arrived(*rails.reversed.along(draft, 1 / size / 2, halved, reduces=True, ready=ready), also=ready)
        draft.send(peers, root, 1 / size, partial(shards, peers), after=[came[peers]])
    return draft.messages()
