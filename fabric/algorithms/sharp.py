"""SHARP: reductions in the switches of the network."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.groups import exchange
from fabric.algorithms.messages import Messages
from fabric.algorithms.reduction_trees import Trees, reduction_trees
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.algorithms.switch_messages import Passes
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def sharp(topology: Topology, collective: Collective) -> Schedule:
    """All-reduce by trees of the network's switches: S up and S down at once (Graham et al., COM-HPC 2016).

    With scale-up domains of g it is hierarchical, as NCCL's CollNet: reduce-scatter inside, a tree of its own for the
    S/g of each rail, all-gather inside. Trees are one per group and plane, so no link carries a group twice.
    """
    if collective.name != "all-reduce":
        raise NotApplicable(f"sharp does all-reduce, not {collective.name}")
    n = collective.n
    try:
        domains = np.array(equal_domains(topology))
    except NotApplicable:
        if any(len(domain) > 1 for domain in topology.domains):
            raise
        domains = np.arange(n)[:, None]
    size = domains.shape[1]
    trees = rail_trees(topology, domains)
    steps = network_steps(trees)
    if size > 1:
        inside = Traffic.within(domains, n, 1 / size)
        steps = [Step("reduce-scatter in the domain", inside, 1), *steps, Step("all-gather in the domain", inside, 1)]
    return Schedule("sharp", "pipelined", tuple(steps), None, partial(_messages, trees, domains))


def rail_trees(topology: Topology, domains: NDArray[np.int64]) -> Trees:
    """Trees in the network for the ranks with one place in every domain (int64[domains, size])."""
    return reduction_trees(topology, list(domains.T), scale_up=False)


def network_steps(trees: Trees) -> list[Step]:
    """All-reduce in the network, of as many parts of the data as there are groups."""
    part = 1 / (int(trees.group.max()) + 1)
    return [*trees.up("reduce in the network", part), *trees.down("multicast by the network", part)]


def _messages(trees: Trees, domains: NDArray[np.int64], chunks: int) -> Messages:
    """A shard of the vector for each rail, cut into the pieces of the planes."""
    size = domains.shape[1]
    parts, inner = size * trees.pieces, 2 * domains.size * (size - 1)
    draft = Draft("sharp", trees.ends, parts, 2 * len(trees.child) + inner, chunks)
    rail = np.zeros(domains.size, np.int64)
    rail[domains] = np.arange(size)

    def shards(rank: Ids) -> NDArray[np.int64]:
        return rail[rank][:, None] * trees.pieces + np.arange(trees.pieces)

    inside = partial(exchange, draft, domains, amount=1 / size, shards=shards)
    network = Passes(draft, trees, parts, 1, False)
    ready = inside("reduce-scatter") if size > 1 else None
    ready = network.down(network.up(ready, owned=False, adds=True), owned=False)
    if size > 1:
        inside("all-gather", ready=ready)
    return draft.messages()
