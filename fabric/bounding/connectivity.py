"""Connectivity: how many links must fail to part the end points, how many ways there are, how narrow the middle is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cext import max_flow, min_connectivity
from fabric.bounding.cuts import whole_capacity
from fabric.traffic import Traffic
from topologies.graph import Topology

STARTS = 4  # random halves that the search for a narrow one begins with, besides the named and the spectral
LARGEST = 512  # end points, and switches, up to which halves are searched for with dense algebra


@dataclass(frozen=True, slots=True)
class Diversity:
    """Link-disjoint paths between pairs of end points: the fewest, the mean, and how many pairs were looked at."""

    least: int
    mean: float
    pairs: int


def edge_connectivity(topology: Topology) -> int:
    """The fewest links whose loss parts some accelerator from another; parallel links count each. Every node may be
    crossed. Exact, by max-flow.

    >>> from topologies.registry import build
    >>> edge_connectivity(build("torus:dims=4x4x4")), edge_connectivity(build("fat-tree:k=4"))
    (6, 1)
    """
    csr = topology.csr()
    links = np.rint(csr.links).astype(np.int64)
    root, others = int(csr.accelerators[0]), csr.accelerators[1:]
    return min_connectivity(csr.indptr, csr.heads, csr.twin, links, root, others)[0]


def path_diversity(topology: Topology, pairs: int = 200, seed: int = 0) -> Diversity:
    """Link-disjoint paths between pairs of accelerators, that cross no node that does not forward: of all pairs where
    these are few, else of that many drawn by the seed (so `least` may be above that of all pairs).

    >>> from topologies.registry import build
    >>> path_diversity(build("torus:dims=4x4"))
    Diversity(least=4, mean=4.0, pairs=120)
    """
    csr = topology.csr()
    n = len(csr.accelerators)
    source, target = np.triu_indices(n, 1) if n * (n - 1) // 2 <= pairs else _drawn(n, pairs, seed)
    links = np.rint(csr.links).astype(np.int64)
    crossed = csr.forwards.astype(bool)
    values = []
    for a, b in zip(csr.accelerators[source], csr.accelerators[target], strict=True):
        usable = crossed.copy()
        usable[[a, b]] = True
        open_links = np.where(usable[csr.tails] & usable[csr.heads], links, 0)
        values.append(
            max_flow(csr.indptr, csr.heads, csr.twin, open_links, np.array([a], np.int32), np.array([b], np.int32))[0]
        )
    return Diversity(min(values), float(np.mean(values)), len(values))


def _drawn(n: int, pairs: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    source = rng.integers(n, size=pairs)
    return source, (source + rng.integers(1, n, size=pairs)) % n


def bisection_interval(topology: Topology, seed: int = 0, threads: int = 0) -> tuple[float, float]:
    """The least capacity, one direction, between two halves of the accelerators lies in this interval, GB/s.

    Above: the narrowest of the halves that the family names, those along a grid's dimensions and the rank order; up to
    512 accelerators also of the spectral order and of seeded random ones, improved by swaps. Switches lie where the
    cut is smallest. Below: the algebraic connectivity of the capacities, lambda2 n / 4 (Mohar 1991), for fabrics of
    accelerators alone; else what a uniform all-to-all on shortest paths carries across any halves, which is half of the
    truth where accelerators have one link each. Halves of an odd number differ by one.

    >>> from topologies.registry import build
    >>> low, high = bisection_interval(build("full-mesh:n=8,rate_gbps=400")); round(low, 6), high
    (800.0, 800.0)
    """
    high = min(_width(topology, half) for half in _candidates(topology, seed))
    low = max(_spectral_low(topology), _routed_low(topology, threads))
    return min(low, high), high


def _width(topology: Topology, half: NDArray[np.bool_]) -> float:
    csr = topology.csr()
    whole, unit = whole_capacity(topology)
    a, b = csr.accelerators[half], csr.accelerators[~half]
    value, _ = max_flow(csr.indptr, csr.heads, csr.twin, whole, a, b)
    return float(value * unit) / 1e9


def _candidates(topology: Topology, seed: int) -> list[NDArray[np.bool_]]:
    n, halves = len(topology.accelerators), list(topology.halves)
    order, stride = np.arange(n), 1
    for size in topology.grid.dims if topology.grid else ():
        if size % 2 == 0:
            halves.append(order // stride % size < size // 2)
        stride *= size
    halves.append(order < n // 2)
    closeness = _closeness(topology)
    if closeness is None:
        return halves
    vectors = _low_vectors(closeness)
    rng = np.random.default_rng(seed)
    starts = [np.argsort(np.argsort(v, kind="stable"), kind="stable") < n // 2 for v in vectors.T]
    starts += [rng.permutation(n) < n // 2 for _ in range(STARTS)]
    return [*halves, *(_swapped(closeness, half) for half in starts)]


def _closeness(topology: Topology) -> NDArray[np.float64] | None:
    """float64[n, n]: capacity between accelerators, that through switches shared out over who hangs on them; None where
    there are too many."""
    csr = topology.csr()
    n, nodes = len(csr.accelerators), len(csr.forwards)
    if n > LARGEST or nodes - n > LARGEST:
        return None
    full = np.zeros((nodes, nodes))
    np.add.at(full, (csr.tails, csr.heads), csr.capacity / 1e9)
    full = (full + full.T) / 2
    rest = np.diff(csr.indptr) > 0  # not what traffic cannot cross
    rest[csr.accelerators] = False
    ends = full[np.ix_(csr.accelerators, csr.accelerators)]
    if not rest.any():
        return ends
    inner = np.diag(full[rest].sum(axis=1)) - full[np.ix_(rest, rest)]  # Kron reduction: the switches' Schur complement
    across = full[np.ix_(csr.accelerators, rest)]
    reduced: NDArray[np.float64] = ends + across @ np.linalg.solve(inner, across.T)
    np.fill_diagonal(reduced, 0.0)
    return reduced


def _low_vectors(closeness: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvectors of the two lowest frequencies of the Laplacian: smooth orders of the accelerators."""
    vectors: NDArray[np.float64] = np.linalg.eigh(_laplacian(closeness))[1][:, 1:3]
    return vectors


def _laplacian(closeness: NDArray[np.float64]) -> NDArray[np.float64]:
    laplacian: NDArray[np.float64] = np.diag(closeness.sum(axis=1)) - closeness
    return laplacian


def _swapped(closeness: NDArray[np.float64], half: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Swap the best pair across while that narrows the cut (Kernighan and Lin 1970, without their look-ahead)."""
    half = half.copy()
    outside = np.where(half, closeness @ ~half, closeness @ half)
    gain = 2 * outside - closeness.sum(axis=1)
    for _ in range(len(half)):
        a, b = np.flatnonzero(half), np.flatnonzero(~half)
        i = a[np.argmax(gain[a])]
        j = b[np.argmax(gain[b] - 2 * closeness[i, b])]
        if gain[i] + gain[j] - 2 * closeness[i, j] <= 1e-9 * closeness.max():
            break
        half[i], half[j] = False, True
        for moved in (i, j):  # who was with the mover now gains by following; the mover's own sign turns
            gain += np.where(half == half[moved], -2.0, 2.0) * closeness[moved]
            gain[moved] = 2 * (closeness[moved] @ (half != half[moved])) - closeness[moved].sum()
    return half


def _spectral_low(topology: Topology) -> float:
    """lambda2 |A| |B| / n of the accelerators' own graph, 0 where switches join them or they are many."""
    csr = topology.csr()
    n = len(csr.accelerators)
    closeness = _closeness(topology) if n == len(csr.forwards) else None
    if closeness is None:
        return 0.0
    return float(np.linalg.eigvalsh(_laplacian(closeness))[1]) * (n // 2) * (n - n // 2) / n


def _routed_low(topology: Topology, threads: int) -> float:
    """A uniform all-to-all that shortest paths carry crosses every halves: what its fullest link lets through."""
    from fabric.routing.registry import route
    from fabric.routing.router import RoutingOptions
    from topologies.errors import InfeasibleError

    n = len(topology.accelerators)
    try:
        loads = route(topology, Traffic.uniform(n, 1.0), "ecmp", RoutingOptions(threads=threads))
    except InfeasibleError:  # rails that nothing joins
        return 0.0
    busiest = float((loads.arcs / topology.csr().capacity).max())
    return (n // 2) * (n - n // 2) / busiest / 1e9
