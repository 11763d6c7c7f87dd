"""Bounds on experts' traffic: a token that goes to many ranks may be copied anywhere, its results summed anywhere."""

import numpy as np
from numpy.typing import NDArray

from fabric.bounding.demand import Certificate, demand_bound
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
    inside = _with_their_switches(topology, exchange.domain_of)
    outside = n - np.bincount(exchange.domain_of)
    at_domain = apart.gates.to_domain * outside * token / _into(topology, inside, exchange.operation)
    rank, domain = int(np.argmax(at_rank)), int(np.argmax(at_domain))
    name = topology.accelerators[int(np.argmax(exchange.domain_of == domain))]
    least, why = max(
        (found.per_byte_s, found.why),
        (float(at_rank[rank]), f"the links of {topology.accelerators[rank]}, once for each token that goes there"),
        (float(at_domain[domain]), f"the links of the domain of {name}, once for each token that goes there"),
    )
    return Certificate(least, 1.0, False, None, why)


def _with_their_switches(topology: Topology, domain_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[V]: the domain of each rank, and of the nodes that join ranks of one domain only; -1 for the others."""
    csr = topology.csr()
    label = np.full(len(csr.forwards), -1)
    label[csr.accelerators] = domain_of
    lowest, highest = np.full(len(label), np.iinfo(np.int64).max), np.full(len(label), -1)
    np.minimum.at(lowest, csr.tails, label[csr.heads])
    np.maximum.at(highest, csr.tails, label[csr.heads])
    return np.where((label < 0) & (lowest == highest), highest, label)


def _into(topology: Topology, label: NDArray[np.int64], operation: str) -> NDArray[np.float64]:
    """Bytes/s that enter each labelled set of nodes, or for combine leave it; infinite where it is all there is."""
    csr = topology.csr()
    tail, head = label[csr.tails], label[csr.heads]
    end = head if operation == "moe-dispatch" else tail
    crosses = (tail != head) & (end >= 0)
    capacity = np.bincount(end[crosses], csr.capacity[crosses], minlength=int(label.max()) + 1)
    return np.where(capacity > 0, capacity, np.inf)
