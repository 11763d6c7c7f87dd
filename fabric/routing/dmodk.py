"""D-mod-K: one path a pair, chosen at every node by the number of the destination."""

import numpy as np

from cext import single_path_loads
from fabric.routing.contraction import contract, refuse
from fabric.routing.parallel import gathered, separate
from fabric.routing.router import Loads, RoutingOptions
from fabric.traffic import Traffic
from topologies.graph import Topology


def dmodk(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads where each node takes next-hop link number (rank of the destination mod next-hop links).

    Zahavi et al., "Optimized InfiniBand fat-tree routing for shift all-to-all", CCPE 2010, section 4. Next hops are
    numbered in the order of the graph, each parallel link on its own. One tree a destination: n V picks besides the
    searches, never pair by pair.
    """
    small, links = contract(topology), separate(topology)
    nodes = len(small.indptr) - 1
    home = small.node_of_rank
    keys, where = np.unique(traffic.list_of * nodes + home[traffic.list_rank], return_inverse=True)
    amounts = np.bincount(where, traffic.list_amount, minlength=len(keys))
    order = np.lexsort((traffic.entry_target, home[traffic.entry_target]))
    targets = traffic.entry_target[order]
    first = np.flatnonzero(np.diff(targets, prepend=-1))
    loads, latency_s, lost = single_path_loads(
        links.indptr, links.heads, links.twin, small.forwards, links.latency, small.node_latency,
        home[targets[first]], targets[first],
        np.append(first, len(order)).astype(np.int64), traffic.entry_list[order], traffic.entry_scale[order],
        np.searchsorted(keys, np.arange(len(traffic.list_ptr)) * nodes).astype(np.int64),
        (keys % nodes).astype(np.int32), amounts, options.threads,
    )  # fmt: skip
    if lost[0] >= 0:
        refuse(topology, small, int(lost[0]), int(lost[1]))
    return gathered(topology, traffic, loads, latency_s, options)
