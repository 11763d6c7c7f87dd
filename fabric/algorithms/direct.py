"""Direct: every rank sends each other rank its share in one message."""

import numpy as np

from fabric.algorithms.schedule import Schedule, Step
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.graph import Topology


def direct(topology: Topology, collective: Collective) -> Schedule:
    """All collectives by messages between the ranks concerned, without relaying.

    All-reduce is reduce-scatter and all-gather; broadcast is scatter and all-gather, reduce its mirror (van de Geijn's
    scheme with direct messages): every rank sends S/n to every other in each. Bandwidth term on one switch of rate B:
    2 (n-1)/n S/B for all-reduce (Thakur, Rabenseifner, Gropp, IJHPCA 2005).
    """
    n = collective.n
    share = Traffic.uniform(n, 1 / n)
    others = np.arange(1, n)
    steps: dict[str, tuple[Step, ...]] = {
        "all-to-all": (Step("exchange", share, 1),),
        "all-gather": (Step("gather", share, 1),),
        "reduce-scatter": (Step("scatter", share, 1),),
        "all-reduce": (Step("reduce-scatter", share, 1), Step("all-gather", share, 1)),
        "broadcast": (Step("scatter", Traffic.pairs(n, 0, others, 1 / n), 1), Step("all-gather", share, 1)),
        "reduce": (Step("reduce-scatter", share, 1), Step("gather", Traffic.pairs(n, others, 0, 1 / n), 1)),
    }
    if collective.target is not None:
        moved = np.flatnonzero(collective.target != np.arange(n))
        traffic = Traffic.pairs(n, moved, collective.target[moved], 1.0)
        return Schedule("direct", "pipelined", (Step("send", traffic, 1),))
    return Schedule("direct", "pipelined", steps[collective.name])
