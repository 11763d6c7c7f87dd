"""What no wiring of so many switches with so many ports can beat: the least mean distance, and so the most traffic."""

import numpy as np

from topologies.errors import TopologyError
from topologies.graph import Topology


def least_mean_distance(n: int, degree: int) -> float:
    """The least mean distance between n nodes of at most that degree: r nodes at one hop, r (r - 1) at two, and so on
    until none are left (Cerf, Cowan, Mullin and Stanton, Networks 4, 1974).

    >>> least_mean_distance(9, 5), least_mean_distance(50, 7)  # Hoffman and Singleton's graph reaches the second
    (1.375, 1.8571428571428572)
    """
    if n < 2 or degree < 1 or (degree == 1 and n > 2):
        raise ValueError(f"{n} nodes of degree {degree} cannot be joined")
    left, hops, reached, total = n - 1, 1, degree, 0
    while left:
        near = min(left, reached)
        total += hops * near
        left, hops, reached = left - near, hops + 1, reached * max(degree - 1, 1)
    return total / (n - 1)


def router_degree(topology: Topology) -> int:
    """The most links of a node that forwards to others that do.

    >>> from topologies.registry import build
    >>> router_degree(build("slim-fly:q=5")), router_degree(build("torus:dims=4x4x4"))
    (7, 6)
    """
    csr = topology.csr()
    between = csr.forwards[csr.tails].astype(bool) & csr.forwards[csr.heads].astype(bool)
    links = np.bincount(csr.tails[between], csr.links[between], minlength=1)
    return int(links.max())


def all_to_all_links(topology: Topology) -> float:
    """The most that a switch can send in an even all-to-all between switches, in links: r over the least mean distance
    of any wiring of these switches with r links each (Singla, Godfrey and Kolla, NSDI 2014, theorem 1).

    TopologyError where some switches have no accelerators: then not all of them send.

    >>> from topologies.registry import build
    >>> round(all_to_all_links(build("jellyfish:n=9,degree=5,p=1")), 6)
    3.636364
    """
    csr = topology.csr()
    routers = np.flatnonzero(csr.forwards)
    ends = np.zeros(len(csr.forwards), bool)
    ends[csr.accelerators] = True
    beside = np.zeros(len(csr.forwards), bool)
    beside[csr.tails[ends[csr.heads]]] = True
    if not (ends | beside)[routers].all():
        raise TopologyError(f"{topology.name}: some switches have no accelerators, so the bound is not theirs")
    degree = router_degree(topology)
    return degree / least_mean_distance(len(routers), degree)
