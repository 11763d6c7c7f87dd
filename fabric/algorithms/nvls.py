"""NVLS: reductions and multicasts in the switch chips of a scale-up domain."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.binary_trees import across_rails, pass_on
from fabric.algorithms.draft import Draft
from fabric.algorithms.messages import Messages
from fabric.algorithms.reduction_trees import Trees, reduction_trees
from fabric.algorithms.schedule import NotApplicable, Schedule, Step, equal_domains
from fabric.algorithms.sharp import network_steps, rail_trees
from fabric.algorithms.switch_messages import Passes
from fabric.collectives import Collective
from topologies.graph import Topology

HALVES = {
    "all-reduce": ("reduce-scatter", "all-gather"),
    "reduce-scatter": ("reduce-scatter",),
    "all-gather": ("all-gather",),
}


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
    if collective.name not in HALVES or (several and collective.name != "all-reduce"):
        said = "all-reduce, and in one domain reduce-scatter and all-gather"
        raise NotApplicable(f"nvls does {said}, not {collective.name}")
    trees = reduction_trees(topology, list(domains), scale_up=True)
    rails = rail_trees(topology, domains) if several else None
    across = network_steps(rails) if rails else []
    steps = _steps(trees, collective.name, across)
    return Schedule("nvls", "pipelined", steps, None, partial(_messages, trees, rails, collective.name))


def nvls_tree(topology: Topology, collective: Collective) -> Schedule:
    """All-reduce by NVLS inside the scale-up domains and double binary trees across them, one along each rail.

    Inside: S (1 + 1/g) per rank and direction; across: at most 2 S/g, and S/g for two domains (NCCL 2.18).
    """
    if collective.name != "all-reduce":
        raise NotApplicable(f"nvls-tree does all-reduce, not {collective.name}")
    domains = np.array(equal_domains(topology))
    trees = reduction_trees(topology, list(domains), scale_up=True)
    steps = _steps(trees, "all-reduce", across_rails(domains, collective.n, 1 / domains.shape[1]))
    return Schedule("nvls-tree", "pipelined", steps, None, partial(_tree_messages, trees, domains))


def _steps(trees: Trees, name: str, across: list[Step]) -> tuple[Step, ...]:
    """All go up whole and each rank's part of the sum comes down to it; what lies between; each part goes up, and all
    parts come down to everyone."""
    halves = {
        "reduce-scatter": [*trees.up("reduce in the switches", 1.0), *trees.down("sums to their owners", trees.owned)],
        "all-gather": [*trees.up("parts to the switches", trees.owned), *trees.down("multicast by the switches", 1.0)],
    }
    first, *rest = (halves[half] for half in HALVES[name])
    return (*first, *across, *(step for half in rest for step in half))


def _messages(trees: Trees, rails: Trees | None, name: str, chunks: int) -> Messages:
    """A shard for each rank of a domain, cut into the pieces of the chips, and those into the pieces of the network."""
    fold = 1 if rails is None else rails.pieces
    parts = trees.size * trees.pieces * fold
    expected = 4 * len(trees.child) + (0 if rails is None else 2 * len(rails.child))
    draft = Draft("nvls", trees.ends, parts if name == "all-reduce" else trees.pieces, expected, chunks)
    inside, ready = Passes(draft, trees, parts, fold, True), None
    for half in HALVES[name]:
        scatters = half == "reduce-scatter"
        ready = inside.down(inside.up(ready, owned=not scatters, adds=scatters), owned=scatters)
        if rails is not None and scatters:
            network = Passes(draft, rails, parts, trees.pieces, False)
            ready = network.down(network.up(ready, owned=False, adds=True), owned=False)
    return draft.messages()


def _tree_messages(trees: Trees, domains: NDArray[np.int64], chunks: int) -> Messages:
    """A shard for each rank of a domain in two halves, one for each tree, cut into the pieces of the chips."""
    size, parts = trees.size, trees.size * trees.pieces * 2
    draft = Draft("nvls-tree", trees.ends, parts, 4 * len(trees.child) + 8 * domains.size, chunks)
    inside = Passes(draft, trees, parts, 2, True)
    ready = inside.down(inside.up(None, owned=False, adds=True), owned=True)

    def half(rail: NDArray[np.int64], tree: int) -> NDArray[np.int64]:
        return (rail * 2 + tree)[:, None] * trees.pieces + np.arange(trees.pieces)

    ready = pass_on(draft, domains.T, 1 / size, half, ("reduce", "broadcast"), ready, settled=True)
    inside.down(inside.up(ready, owned=True, adds=False), owned=False)
    return draft.messages()
