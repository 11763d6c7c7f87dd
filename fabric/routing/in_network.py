"""In the network: traffic between accelerators and the switches that reduce and multicast it."""

import numpy as np
from numpy.typing import NDArray

from fabric.routing.paths import flow_paths
from fabric.routing.router import Loads, RoutingOptions
from fabric.traffic import Traffic
from topologies.graph import Topology


def in_network(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads along reduction trees, whose links a manager sets, whatever the routing of other traffic.

    An edge of a tree is the link between its ends, all parallel ones alike, or where nodes lie between that only pass
    on (adapters, PCIe switches) an equal split over shortest paths. A switch that is sent to takes its latency. One
    search for each of those switches: a path down is the path up the other way round.
    """
    csr = topology.csr()
    source, target, amount = traffic.as_pairs()
    down = target < len(csr.accelerators)
    lower, upper = np.where(down, target, source), np.where(down, source, target)
    rows, arc, share, seconds = _upwards(topology, lower, upper)
    seconds = seconds + np.where(down, 0.0, csr.node_latency[csr.ends[upper]])
    arc = np.where(down[rows], csr.twin[arc], arc)
    loads = np.bincount(arc, amount[rows] * share, minlength=len(csr.heads)).astype(np.float64)
    sent = amount > 0
    mean = float(seconds @ amount) / float(amount.sum()) if sent.any() else 0.0
    return Loads.of(loads, float(seconds[sent].max(initial=0.0)), mean)


Paths = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


def _upwards(topology: Topology, lower: NDArray[np.int32], upper: NDArray[np.int32]) -> Paths:
    """The pairs and arcs of all paths from one end to another, the shares beside them, and the seconds of each pair."""
    csr = topology.csr()
    nodes = len(csr.forwards)
    key = csr.tails.astype(np.int64) * nodes + csr.heads
    order = np.argsort(key)
    wanted = csr.ends[lower].astype(np.int64) * nodes + csr.ends[upper]
    arc = order[np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)]
    joined = key[arc] == wanted
    pair, share, seconds = np.flatnonzero(joined), np.ones(int(joined.sum())), csr.latency[arc]
    arc = arc[joined]
    if not joined.all():
        far = np.flatnonzero(~joined)
        paths = flow_paths(topology, lower[far], upper[far], "ecmp")
        seconds[far] = paths.latency_s[paths.path_of] - csr.node_latency[csr.ends[upper[far]]]
        hops = np.diff(paths.ptr)[paths.path_of]
        place = np.arange(hops.sum()) + np.repeat(paths.ptr[paths.path_of] - (np.cumsum(hops) - hops), hops)
        pair = np.concatenate([pair, np.repeat(far, hops)])
        arc = np.concatenate([arc, paths.arc[place]])
        share = np.concatenate([share, paths.shares[place]])
    return pair, arc, share, seconds
