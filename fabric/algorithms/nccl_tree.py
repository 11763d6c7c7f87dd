"""Tree as NCCL builds it: chains inside the scale-up domains, double binary trees across them."""

import numpy as np

from fabric.algorithms.binary_trees import across_rails
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def nccl_tree(topology: Topology, collective: Collective) -> Schedule:
    """All-reduce in g parts, one for each rail: a chain through the domain ends on it, and a double binary tree joins
    the domains along it (Hu et al., Demystifying NCCL, arXiv:2507.04786).

    Per rank 2 (g-1)/g S inside and at most 2 S/g across; for two domains S/g, where a ring crosses with
    2 (n-1)/n S/g.
    """
    if collective.name != "all-reduce":
        raise NotApplicable(f"tree does all-reduce, not {collective.name}")
    domains = np.array(equal_domains(topology))
    size, n = domains.shape[1], collective.n
    ranks, following = domains.ravel(), np.roll(domains, -1, axis=1).ravel()
    passed = (size - 1) / size  # an edge of all chains but the one that ends above it
    up = Step("chains to the rails", Traffic.pairs(n, following, ranks, passed), size - 1)
    down = Step("chains from the rails", Traffic.pairs(n, ranks, following, passed), size - 1)
    return Schedule("tree", "pipelined", (up, *across_rails(domains, n, 1 / size), down))
