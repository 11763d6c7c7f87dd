"""Hierarchical: inside the scale-up domains, then across them, then inside again."""

import numpy as np

from fabric.algorithms.lanes import around, chains
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
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
    n = collective.n
    inside = Traffic.within(domains, n, 1 / size)
    rails = list(domains.T)

    def across(share: float, rounds: int) -> Step:
        return Step.along(around(rails, share / size, rounds), "across domains", n, rounds, chain=True)

    def down(*, reverse: bool = False) -> Step:
        return Step.along(chains(rails, 1 / size, reverse=reverse), "across domains", n, count - 1, chain=True)

    gather, scatter = (
        Step("all-gather in the domain", inside, 1),
        Step("reduce-scatter in the domain", inside, 1),
    )
    once = (count - 1) / count
    root = Traffic.pairs(n, domains[0, 0], domains[0, 1:], 1 / size)
    back = Traffic.pairs(n, domains[0, 1:], domains[0, 0], 1 / size)
    steps = {
        "all-reduce": (scatter, across(2 * once, 2 * (count - 1)), gather),
        "all-gather": (across(once, count - 1), gather),
        "reduce-scatter": (scatter, across(once, count - 1)),
        "broadcast": (Step("scatter in the domain", root, 1), down(), gather),
        "reduce": (scatter, down(reverse=True), Step("gather in the domain", back, 1)),
    }
    if collective.name not in steps:
        raise NotApplicable(f"hierarchical does {', '.join(steps)}, not {collective.name}")
    return Schedule("hierarchical", "pipelined", steps[collective.name])
