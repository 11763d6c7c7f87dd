"""Tree as NCCL builds it: chains inside the scale-up domains, double binary trees across them."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.binary_trees import across_rails, pass_on
from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.messages import Messages
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def nccl_tree(topology: Topology, collective: Collective) -> Schedule:
    """All-reduce in g parts, one for each rail: a chain through the domain ends on it, and a double binary tree joins
    the domains along it (Hu et al., Demystifying NCCL, arXiv:2507.04786).

    Per rank 2 (g-1)/g S inside and at most 2 S/g across; for two domains S/g, where a ring crosses with
    2 (n-1)/n S/g. Domains of one accelerator have no chain.
    """
    if collective.name != "all-reduce":
        raise NotApplicable(f"tree does all-reduce, not {collective.name}")
    domains = np.array(equal_domains(topology, least=1))
    size, n = domains.shape[1], collective.n
    across = across_rails(domains, n, 1 / size)
    if size == 1:
        return Schedule("tree", "pipelined", tuple(across), None, partial(_messages, domains))
    ranks, following = domains.ravel(), np.roll(domains, -1, axis=1).ravel()
    passed = (size - 1) / size  # an edge of all chains but the one that ends above it
    up = Step("chains to the rails", Traffic.pairs(n, following, ranks, passed), size - 1)
    down = Step("chains from the rails", Traffic.pairs(n, ranks, following, passed), size - 1)
    steps = (up, *across, down)
    return Schedule("tree", "pipelined", steps, None, partial(_messages, domains))


def _messages(domains: NDArray[np.int64], chunks: int) -> Messages:
    """The vector in two parts for each rail, one for each tree; a chain carries both."""
    count, size = domains.shape
    draft = Draft("tree", domains.size, 2 * size, 2 * domains.size * (size + 3), chunks)
    rail = np.tile(np.arange(size), count)

    def passed(start: int, step: int, after: Ids, *, reduces: bool) -> Ids:
        """From so many places behind every rail one place on."""
        source, target = (domains[:, (np.arange(size) + place) % size].ravel() for place in (start, start + step))
        return draft.send(
            source, target, 1 / size, lambda: np.stack([2 * rail, 2 * rail + 1], axis=1), after=[after], reduces=reduces
        )

    came = np.full(domains.size, -1)
    for place in range(size - 1, 0, -1):
        came = passed(place, -1, came, reduces=True)
    ready = np.full(domains.size, -1)
    ready[domains.ravel()] = came
    ready = pass_on(
        draft, domains.T, 1 / size, lambda rail, tree: (2 * rail + tree)[:, None], ("reduce", "broadcast"), ready
    )
    came = ready[domains.ravel()]
    for place in range(size - 1):
        came = passed(place, 1, came, reduces=False)
    return draft.messages()
