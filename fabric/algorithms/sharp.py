"""SHARP: reductions in the switches of the network."""

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.reduction_trees import reduction_trees
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
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
    steps = along_rails(topology, domains)
    if size > 1:
        inside = Traffic.within(domains, n, 1 / size)
        steps = [Step("reduce-scatter in the domain", inside, 1), *steps, Step("all-gather in the domain", inside, 1)]
    return Schedule("sharp", "pipelined", tuple(steps))


def along_rails(topology: Topology, domains: NDArray[np.int64]) -> list[Step]:
    """All-reduce in the network of each rank's part of its domain's data: a group for each place in the domains."""
    trees = reduction_trees(topology, list(domains.T), scale_up=False)
    part = 1 / domains.shape[1]
    return [*trees.up("reduce in the network", part), *trees.down("multicast by the network", part)]
