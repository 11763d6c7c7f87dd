"""Latency: how long a message of a step is on its way where nothing else is."""

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.schedule import Step
from fabric.groups import Groups
from fabric.routing.paths import flow_paths
from fabric.routing.router import Loads
from fabric.traffic import Traffic
from topologies.graph import Topology

SEARCHED = 5 * 10**8  # targets times arcs of the hops that are looked at one by one


def round_s(topology: Topology, groups: Groups | None, step: Step, load: Loads, routing: str) -> float:
    """Seconds of a round of a step: the mean hop of data that goes round a ring, else the longest.

    Of several groups the one whose hops are longest counts, not the mean over all.
    """
    if not step.chain:
        return load.latency_s
    if groups is None or len(groups) == 1:
        return load.mean_latency_s
    return max(load.mean_latency_s, float(_mean_of_groups(topology, groups, step.traffic, routing).max()))


def looked_at(topology: Topology, groups: Groups) -> NDArray[np.int64]:
    """Rows of the groups whose hops are looked at: all, or as many as seconds allow, evenly spaced."""
    afford = max(1, SEARCHED // len(topology.csr().heads) // groups.n)
    return np.unique(np.linspace(0, len(groups) - 1, min(afford, len(groups))).astype(np.int64))


def _mean_of_groups(topology: Topology, groups: Groups, traffic: Traffic, routing: str) -> NDArray[np.float64]:
    """float64[groups]: the mean hop of a byte in each group that is looked at, along shortest paths."""
    rows = looked_at(topology, groups)
    group = np.full(len(topology.accelerators), -1)
    group[groups.members[rows]] = np.arange(len(rows))[:, None]
    pairs = traffic.as_pairs()
    source, target, amount = (column[group[pairs[0]] >= 0] for column in pairs)
    way = "dor" if routing.startswith("dor") else "dmodk"
    paths = flow_paths(topology, source, target, way)
    spent = np.bincount(group[source], amount * paths.latency_s[paths.path_of], minlength=len(rows))
    means: NDArray[np.float64] = spent / np.bincount(group[source], amount, minlength=len(rows))
    return means
