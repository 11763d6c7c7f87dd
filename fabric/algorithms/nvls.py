"""NVLS: reductions and multicasts in the switch chips of a scale-up domain."""

import numpy as np

from fabric.algorithms.binary_trees import across_rails
from fabric.algorithms.reduction_trees import Trees, reduction_trees
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.algorithms.sharp import along_rails
from fabric.collectives import Collective
from topologies.graph import Topology


def nvls(topology: Topology, collective: Collective) -> Schedule:
    """Collectives in the chips of a scale-up domain, each chip taking its share of the data.

    Reduce-scatter: all ranks send S, and each receives the sum of its S/n. All-gather: each sends S/n, which comes back
    to all. All-reduce is both: S (1 + 1/n) per rank and direction (Klenk et al., ISCA 2020; NCCL 2.17). Across domains
    an all-reduce goes on in the network's switches, where they reduce too: S/g up and S/g down for each rank.
    """
    several = len(topology.domains) > 1
    domains = np.array(equal_domains(topology) if several else [np.arange(collective.n)])
    if not several and list(map(len, topology.domains)) != [collective.n]:
        raise NotApplicable(f"{topology.name} is no scale-up domain with switch chips; nvls works in one")
    trees = reduction_trees(topology, list(domains), scale_up=True)
    scatter, gather = scattered(trees), gathered(trees)
    across = along_rails(topology, domains) if several and collective.name == "all-reduce" else []
    steps = {"all-reduce": [*scatter, *across, *gather], "reduce-scatter": scatter, "all-gather": gather}
    if collective.name not in (("all-reduce",) if several else steps):
        said = "all-reduce, and in one domain reduce-scatter and all-gather"
        raise NotApplicable(f"nvls does {said}, not {collective.name}")
    return Schedule("nvls", "pipelined", tuple(steps[collective.name]))


def nvls_tree(topology: Topology, collective: Collective) -> Schedule:
    """All-reduce by NVLS inside the scale-up domains and double binary trees across them, one along each rail.

    Inside: S (1 + 1/g) per rank and direction; across: at most 2 S/g, and S/g for two domains (NCCL 2.18).
    """
    if collective.name != "all-reduce":
        raise NotApplicable(f"nvls-tree does all-reduce, not {collective.name}")
    domains = np.array(equal_domains(topology))
    trees = reduction_trees(topology, list(domains), scale_up=True)
    across = across_rails(domains, collective.n, 1 / domains.shape[1])
    return Schedule("nvls-tree", "pipelined", (*scattered(trees), *across, *gathered(trees)))


def scattered(trees: Trees) -> list[Step]:
    """Reduce-scatter in the switches: all go up whole, and each rank's part of the sum comes down to it."""
    return [*trees.up("reduce in the switches", 1.0), *trees.down("sums to their owners", trees.owned)]


def gathered(trees: Trees) -> list[Step]:
    """All-gather in the switches: each rank's part goes up, and all parts come down to everyone."""
    return [*trees.up("parts to the switches", trees.owned), *trees.down("multicast by the switches", 1.0)]
