"""Bounds on experts' traffic: a token that goes to many ranks may be copied anywhere, its results summed anywhere."""

import numpy as np
from numpy.typing import NDArray

from fabric.bounding.demand import Certificate, demand_bound
from fabric.domains import domains_of_nodes
from fabric.moe import Exchange
from topologies.graph import Topology


def experts_bound(topology: Topology, exchange: Exchange, *, gap: float | None, threads: int) -> Certificate:
    """The least time per byte of size of dispatch or combine, the largest of what must hold.

    Into every rank, and into every scale-up domain, comes one copy of each token of others that goes there. And of a
    token on a tree to at most h ranks, 1/h may be counted towards each, which loads no link of the tree more than once:
    the concurrent flow of that. Combine is the same backwards, with partial sums for copies (multicast and reduction
    are mirror images). No schedule is known to attain it: gap 1.
    """
    apart = exchange.deduplicated()
    token = apart.moe.tokens * apart.copy_bytes / exchange.size_bytes  # one rank's tokens, per byte of size
    fan = min(apart.moe.topk, exchange.n)
    share = apart.traffic().scaled(apart.size_bytes / exchange.size_bytes / fan)
    found = demand_bound(topology, share, gap=gap, threads=threads)
    csr, n = topology.csr(), exchange.n
    label = np.full(len(csr.forwards), -1)
    label[csr.accelerators] = np.arange(n)
    at_rank = apart.gates.to_rank * (n - 1) * token / _into(topology, label, exchange.operation)
    rank = int(np.argmax(at_rank))
    ways = [
        (found.per_byte_s, found.why),
        (float(at_rank[rank]), f"the links of {topology.accelerators[rank]}, once for each token that goes there"),
    ]
    if topology.domains:
        count = len(topology.domains)
        outside = n - np.bincount(exchange.domain_of)[:count]
        into = _into(topology, domains_of_nodes(topology), exchange.operation)
        at_domain = apart.gates.to_domain[:count] * outside * token / into
        domain = int(np.argmax(at_domain))
        name = topology.accelerators[topology.domains[domain][0]]
        why = f"the links of the domain of {name}, once for each token that goes there"
        ways.append((float(at_domain[domain]), why))
    least, why = max(ways)
    return Certificate(least, 1.0, False, None, why)


def _into(topology: Topology, label: NDArray[np.int64], operation: str) -> NDArray[np.float64]:
    """Bytes/s that enter each labelled set of nodes, or for combine leave it; infinite where it is all there is."""
    csr = topology.csr()
    tail, head = label[csr.tails], label[csr.heads]
    end = head if operation == "moe-dispatch" else tail
    crosses = (tail != head) & (end >= 0)
    capacity = np.bincount(end[crosses], csr.capacity[crosses], minlength=int(label.max()) + 1)
    return np.where(capacity > 0, capacity, np.inf)
