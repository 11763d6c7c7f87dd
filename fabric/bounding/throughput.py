"""Throughput: the largest multiple of a traffic that the links can carry, with a proof from either side."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cext import distance_profile, hop_distances, path_concurrent, tree_concurrent
from fabric.bounding.certificates import cut_bounds, length_bound
from fabric.bounding.linear import reduced_lp
from fabric.routing.contraction import Contracted, contract, node_pairs, on_all_arcs, refuse
from fabric.routing.ecmp import ecmp
from fabric.routing.grid import dor
from fabric.routing.minimal import counts_hops, minimal
from fabric.routing.router import RoutingOptions, remembered
from fabric.symmetry import symmetry
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology

EXACT = 1e-9  # relative: bounds this close are one value but for rounding
LP_COLUMNS = 40_000  # of a linear program that HiGHS solves in a second or two
SPARSE_PAIRS = 200_000  # up to which flow is kept path by path
MIN_ROUNDS = 20  # of Frank-Wolfe, whatever the effort
DENSE_NODES = 4096  # whose matrix of demand is held
LONG_SEARCH = 2 * 10**10  # terminals times arcs, beyond which hops are not summed


@dataclass(frozen=True, slots=True, eq=False)
class ConcurrentFlow:
    """Between `throughput` and `upper` lies the largest multiple of the traffic that fits, per second.

    `loads` float64[A] is a flow of the traffic as given that reaches `throughput`, on the arcs of `topology.csr()`;
    `method` how it was found, `why` what proves `upper`.
    """

    throughput: float
    upper: float
    loads: NDArray[np.float64]
    method: str
    why: str

    @property
    def gap(self) -> float:
        """How far `throughput` may lie below the optimum, as a share of `upper`; 0 where they meet but for rounding."""
        gap = 1 - self.throughput / self.upper
        return 0.0 if gap < EXACT else gap


def concurrent_flow(
    topology: Topology,
    traffic: Traffic,
    *,
    gap: float = 0.01,
    time_limit_s: float = 60.0,
    effort: float = 1e12,
    relay: bool = False,
    shortest: bool = False,
    threads: int = 0,
) -> ConcurrentFlow:
    """Maximum concurrent flow of traffic (bytes) on a topology, to a relative gap, valid however early it stops.

    Free certificates first: equal splits and dimension order against cuts and path lengths. Where they do not meet, an
    exact linear program over the orbits of symmetry where that is small, else flow path by path for few pairs or block
    Frank-Wolfe for many; both bounds are recomputed in float64. With `relay` accelerators pass on what is not theirs;
    with `shortest` flow keeps to paths of fewest hops. `effort` is a budget of Frank-Wolfe's rounds times sources times
    arcs. InfeasibleError where a pair has no path. A time limit that is met makes the gap, not the validity, depend on
    the machine.

    >>> from topologies.registry import build
    >>> found = concurrent_flow(build("ring:n=4,rate_gbps=8"), Traffic.uniform(4, 1e9))
    >>> round(found.throughput, 9), found.gap, found.method
    (0.5, 0.0, 'dimension order')
    """
    best = certified(topology, traffic, relay=relay, threads=threads)
    if best.throughput >= best.upper * (1 - max(EXACT, gap / 1000)):
        return best
    small = contract(topology)
    forwards = np.ones_like(small.forwards) if relay else small.forwards
    for found in _solved(topology, traffic, small, forwards, best, gap, time_limit_s, effort, shortest, threads):
        inner, upper, why = found
        loads = on_all_arcs(topology, traffic, inner)
        rate = float(1 / np.max(loads / topology.csr().capacity))
        if upper < best.upper:
            best = replace(best, upper=upper, why="the links together: no routing spreads this traffic better")
        if rate > best.throughput:
            best = replace(best, throughput=rate, loads=loads, method=why)
    if best.throughput > best.upper:
        if best.throughput > best.upper * (1 + 1e-6):
            raise RuntimeError(f"flow of {best.throughput} above its bound {best.upper}: a bug of the solver")
        best = replace(best, upper=best.throughput)
    return best


def certified(topology: Topology, traffic: Traffic, *, relay: bool = False, threads: int = 0) -> ConcurrentFlow:
    """What costs next to nothing: oblivious splits from below; cuts and lengths from above."""
    options = RoutingOptions(threads=threads)
    capacity = topology.csr().capacity
    narrowest = min(cut_bounds(topology, traffic), key=lambda bound: bound.value)
    best = ConcurrentFlow(0.0, narrowest.value, np.zeros(len(capacity)), "none", narrowest.why)
    grid = topology.grid
    ways = [("equal splits", ecmp)]
    if counts_hops(topology):
        ways.append(("minimal routing", minimal))
    if grid is not None and not grid.twist:
        ways.insert(0, ("dimension order", dor))
    for method, router in ways:
        try:
            arcs = remembered(router, topology, traffic, options).arcs
        except InfeasibleError:
            if not relay:
                raise
            continue
        rate = float(1 / np.max(arcs / capacity))
        if rate > best.throughput * (1 + EXACT):
            best = replace(best, throughput=rate, loads=arcs, method=method)
        if best.gap == 0:
            return best
    if traffic.is_uniform:
        crossings = _hop_sum(topology, relay) * float(traffic.list_amount[0] * traffic.entry_scale[0])
        lengths = length_bound(topology, crossings)
        if lengths is not None and lengths.value < best.upper:
            best = replace(best, upper=lengths.value, why=lengths.why)
    return best


def _hop_sum(topology: Topology, relay: bool) -> float:
    """Links on shortest paths between all ordered pairs of ranks; one each where that search would be long."""
    small, n = contract(topology), len(topology.accelerators)
    terminals, counts = np.unique(small.node_of_rank, return_counts=True)
    if len(terminals) * len(small.heads) > LONG_SEARCH:
        return float(n * (n - 1))
    forwards = np.ones_like(small.forwards) if relay else small.forwards
    hop_sum, _, _, lost = distance_profile(
        small.indptr, small.heads, small.twin, forwards, terminals.astype(np.int32), counts.astype(np.float64),
        np.full(len(terminals), int(small.folded), np.int32),
    )  # fmt: skip
    if lost[0] >= 0:
        refuse(topology, small, int(lost[0]), int(lost[1]))
    return float(hop_sum) + (2.0 * float((counts * (counts - 1)).sum()) if small.folded else 0.0)


Found = tuple[NDArray[np.float64], float, str]


def _solved(
    topology: Topology,
    traffic: Traffic,
    small: Contracted,
    forwards: NDArray[np.uint8],
    known: ConcurrentFlow,
    gap: float,
    time_limit_s: float,
    effort: float,
    shortest: bool,
    threads: int,
) -> Iterator[Found]:
    """Loads of the folded arcs, an upper bound and the method, by the solver that suits the traffic."""
    capacity = topology.csr().capacity[small.arcs]
    network = (small.indptr, small.heads, small.twin, capacity, forwards)
    if traffic.is_uniform:
        terminals, counts = np.unique(small.node_of_rank, return_counts=True)
        amount = float(traffic.list_amount[0] * traffic.entry_scale[0])
        destinations, amounts, arc_orbit = _one_of_each_orbit(topology, terminals, counts, amount, len(forwards))
        if len(destinations) * len(small.heads) <= LP_COLUMNS:
            yield _exact(small, capacity, forwards, destinations, amounts, arc_orbit, shortest)
            return
        nodes, sent = terminals.astype(np.int32), counts.astype(np.float64) * amount
        received, demand = counts.astype(np.float64), None
    else:
        source, target, amounts = node_pairs(traffic, small.node_of_rank, topology.name)
        destinations, place = np.unique(target, return_inverse=True)
        if len(destinations) * len(small.heads) <= LP_COLUMNS:
            table = np.zeros((len(destinations), len(forwards)))
            np.add.at(table, (place, source), amounts)
            own = np.arange(len(small.heads), dtype=np.int32)
            yield _exact(small, capacity, forwards, destinations.astype(np.int32), table, own, shortest)
            return
        if len(source) <= SPARSE_PAIRS and not shortest:
            flow = path_concurrent(
                *network, source, target, amounts, gap=gap, time_limit_s=time_limit_s, threads=threads
            )
            if flow.unreachable[0] >= 0:
                refuse(topology, small, *flow.unreachable)
            yield flow.load, flow.ub, "flow on paths"
            return
        nodes = np.union1d(source, target).astype(np.int32)
        if len(nodes) > DENSE_NODES:
            raise InfeasibleError(
                f"{topology.name}: demand between {len(nodes):,} switches is too large a matrix; "
                f"at most {DENSE_NODES:,} are solved"
            )
        demand = np.zeros((len(nodes),) * 2)
        demand[np.searchsorted(nodes, source), np.searchsorted(nodes, target)] = amounts
        sent = received = np.ones(len(nodes))
    loads, _, upper, _, _ = tree_concurrent(
        *network, nodes, sent, received, demand, dag=shortest, gap=gap, upper=known.upper, time_limit_s=time_limit_s,
        max_rounds=int(max(MIN_ROUNDS, effort // (len(nodes) * len(small.heads)))), threads=threads,
    )  # fmt: skip
    yield loads, upper, "Frank-Wolfe over shortest paths" if shortest else "Frank-Wolfe"


def _one_of_each_orbit(
    topology: Topology, terminals: NDArray[np.int32], counts: NDArray[np.int64], amount: float, nodes: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32]]:
    """Uniform traffic to one destination of each orbit, times the size of the orbit, and the orbits of arcs."""
    found = symmetry(topology)
    _, first, sizes = np.unique(found.inner_node_orbit[terminals], return_index=True, return_counts=True)
    amounts = np.zeros((len(first), nodes))
    amounts[:, terminals] = amount * counts[None, :] * (counts[first] * sizes)[:, None]
    amounts[np.arange(len(first)), terminals[first]] = 0.0
    return terminals[first].astype(np.int32), amounts, found.inner_arc_orbit


def _exact(
    small: Contracted,
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
    destinations: NDArray[np.int32],
    amounts: NDArray[np.float64],
    arc_orbit: NDArray[np.int32],
    shortest: bool,
) -> Found:
    tails = np.repeat(np.arange(len(small.indptr) - 1), np.diff(small.indptr)).astype(np.int32)
    allowed = None
    if shortest:  # hops are the same both ways
        hops = np.array([hop_distances(small.indptr, small.heads, forwards, int(d)) for d in destinations])
        allowed = hops[:, tails] == hops[:, small.heads] + 1
    _, upper, loads, _ = reduced_lp(
        tails, small.heads, capacity, forwards, destinations, amounts, arc_orbit, allowed
    )
    return loads, upper, "exact linear program"
