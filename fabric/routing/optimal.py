"""Best splits: over shortest paths, as adaptive hardware tends to, and over all paths."""

from dataclasses import replace

from fabric.bounding.throughput import certified, concurrent_flow
from fabric.routing.contraction import contract
from fabric.routing.ecmp import ecmp
from fabric.routing.router import Loads, RoutingOptions, loads_of, remembered
from fabric.traffic import Traffic
from topologies.graph import Topology

EFFORT = 3e9  # sources times arcs times rounds: a second or two
WORK = 50_000_000  # sources times arcs up to which adaptive's split is searched; a few seconds


def adaptive(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads of the split over shortest paths with the least largest utilisation.

    What per-packet adaptive routing tends to where every sender sees the queues (Quantum, NVSwitch, Spectrum-X). Equal
    splits are kept where a cut proves that nothing is better, and on fabrics too large to search; the latency is
    theirs. The gap says how far the largest load may lie above the best.
    """
    even, capacity = remembered(ecmp, topology, traffic, options), topology.csr().capacity
    if not even.arcs.any():
        return even
    known = certified(topology, traffic, threads=options.threads)
    small = contract(topology)
    if known.gap and len(set(small.node_of_rank.tolist())) * len(small.heads) <= WORK:
        known = concurrent_flow(
            topology, traffic, gap=options.gap, effort=EFFORT, shortest=True, threads=options.threads
        )
    busiest = float((even.arcs / capacity).max())
    if busiest * known.throughput <= 1 + 1e-9:
        return replace(even, gap=max(0.0, 1 - 1 / (busiest * known.upper)) if known.gap else 0.0)
    return loads_of(topology, traffic, known.loads, even.latency_s, known.gap)


def optimal(topology: Topology, traffic: Traffic, options: RoutingOptions) -> Loads:
    """Loads of the maximum concurrent flow: the best that any split over any paths can do. Latency as for ecmp."""
    even = remembered(ecmp, topology, traffic, options)
    if not even.arcs.any():
        return even
    found = concurrent_flow(topology, traffic, gap=options.gap, threads=options.threads)
    return loads_of(topology, traffic, found.loads, even.latency_s, found.gap)
