"""D-mod-K: one path a pair, chosen at every node by the number of the destination."""

import numpy as np
from numpy.typing import NDArray

from cext import single_path_loads
from fabric.routing.contraction import contract, refuse
from fabric.routing.parallel import gathered, scale_up
from fabric.routing.router import Loads, RoutingOptions
from fabric.routing.separated import separate
from fabric.traffic import Traffic
from topologies.graph import Topology, once


def dmodk(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads where each node takes next-hop link number (rank of the destination / divisor) mod next-hop links.

    The divisor of a stage is the product of the uplinks of the stages below it, so that no stage repeats the choice
    of the one before (Zahavi et al., "Optimized InfiniBand fat-tree routing for shift all-to-all communication
    patterns", CCPE 2010); it is 1 where there are no stages. Next hops are numbered in the order of the graph, each
    parallel link on its own. One tree a destination: n V picks besides the searches, never pair by pair.
    """
    small, links = contract(topology), separate(topology)
    nodes = len(small.indptr) - 1
    home = small.node_of_rank
    keys, where = np.unique(traffic.list_of * nodes + home[traffic.list_rank], return_inverse=True)
    amounts = np.bincount(where, traffic.list_amount, minlength=len(keys)).astype(np.float64)
    order = np.lexsort((traffic.entry_target, home[traffic.entry_target]))
    targets = traffic.entry_target[order]
    first = np.flatnonzero(np.diff(targets, prepend=-1))
    loads, latency_s, lost = single_path_loads(
        links.indptr, links.heads, links.twin, small.forwards, links.latency, small.node_latency,
        np.repeat(divisors(topology), np.diff(links.first)),
        home[targets[first]], targets[first],
        np.append(first, len(order)).astype(np.int64), traffic.entry_list[order], traffic.entry_scale[order],
        np.searchsorted(keys, np.arange(len(traffic.list_ptr)) * nodes).astype(np.int64),
        (keys % nodes).astype(np.int32), amounts, options.threads,
    )  # fmt: skip
    if lost[0] >= 0:
        refuse(topology, small, int(lost[0]), int(lost[1]))
    return gathered(topology, traffic, loads, latency_s, options)


@once
def divisors(topology: Topology) -> NDArray[np.int32]:
    """int32 of each arc of the folded graph: the uplinks of a node of each stage below its lower end, multiplied.

    Stages are hops from the nearest end point; scale-up switches are none.
    """
    csr, small, inside = topology.csr(), contract(topology), scale_up(topology)
    tails, heads, links = (column[~inside] for column in (csr.tails, csr.heads, csr.links))
    stage = np.full(len(topology.nodes), -1)
    stage[csr.accelerators] = 0
    step, below = 0, [1]
    while True:
        new = heads[(stage[tails] == step) & (stage[heads] < 0)]
        if not len(new):
            break
        stage[new] = step + 1
        up = (stage[tails] == step) & (stage[heads] == step + 1)
        below.append(min(below[-1] * int(np.bincount(tails[up], links[up]).max()), 2**31 - 1))
        step += 1
    lower = np.maximum(np.minimum(stage[csr.tails], stage[csr.heads]), 0)
    divisor: NDArray[np.int32] = np.array(below, np.int32)[lower[small.arcs]]
    return divisor
