"""What a topology is: counts, diameter, distances, bisection, bill, watts, dollars."""

from collections import Counter
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cext import distance_profile
from fabric.bounding.connectivity import bisection_interval
from fabric.bounding.regular import router_degree
from fabric.costing import capital_cost, price_of
from fabric.limits import walls
from fabric.optics import optics
from fabric.powering import network_power, power_of
from fabric.routing.contraction import contract
from fabric.simulation import estimates
from topologies.bill import bill_of_materials
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Accelerator

TIERED = (  # ranks in order fill subtrees
    "switch", "fat-tree", "clos", "nvl", "rail", "jupiter", "full-mesh", "multi-plane", "dual-plane", "cloudmatrix",
    "server",
)  # fmt: skip
TIERS = {0: "scale-up", 1: "leaf", 2: "spine", 3: "core", 4: "gateway"}


def describe(topology: Topology) -> dict[str, Any]:
    """Everything that `show` prints, by the keys of its JSON.

    >>> from topologies.registry import build
    >>> d = describe(build("tpu-v5e-256")); d["bisection_gb_per_s"], d["diameter"]
    (1600.0, 16)
    """
    power, cost = network_power(topology), capital_cost(topology)
    diameter, average, routers = distances(topology)
    narrowest, widest = bisection(topology)
    layer = topology.circuits
    per_switch = None if layer is None else int(layer.strands_per_device.max())
    return {
        "name": topology.name,
        "family": topology.family,
        "parameters": {k: list(v) if isinstance(v, tuple) else v for k, v in topology.parameters.items()},
        "accelerators": len(topology.accelerators),
        "dies": dies(topology),
        "switches": topology.attribute("kind").count("switch"),
        "switches_by_tier": switches_by_tier(topology),
        "links": topology.links,
        "links_by_medium": _links_by_medium(topology),
        "circuit_switches": 0 if layer is None else layer.devices,
        "strands": 0 if layer is None else len(layer.strands),
        "strands_per_circuit_switch": per_switch,
        "ports_per_side": None if layer is None else int(layer.ports_per_side.max()),
        "sides_of_circuit_switch": None if layer is None else int(layer.last_side.max()) + 1,
        "circuits": None if layer is None else layer.circuits,
        "diameter": diameter,
        "router_diameter": routers,
        "router_degree": router_degree(topology) or None,
        "average_distance": average,
        "bisection_gb_per_s": widest,
        "bisection_low_gb_per_s": narrowest,
        "injection_gb_per_s": injection_gb_per_s(topology),
        "network_power_w": power.total_w,
        "network_power_external_w": power.external_w,
        "network_power_in_accelerator_w": power.in_accelerator_w,
        "network_power_low_w": power.low_w,
        "network_power_high_w": power.high_w,
        "capex_usd": cost.capex_usd,
        "priced_usd": cost.priced_usd,
        "walls": walls(topology),
        "optics": optics(topology),
        "bill_of_materials": [
            {
                "part": row.part.name,
                "kind": row.part.kind,
                "quantity": row.quantity,
                "power_w": None if isinstance(row.part, Accelerator) else power_of(row),
                "price_usd": None if isinstance(row.part, Accelerator) else price_of(row),
                "source": row.part.source,
            }
            for row in bill_of_materials(topology)
        ],
        "estimates": estimates(topology),
    }


def dies(topology: Topology) -> int | None:
    """Dies of all accelerators, each a package; None where the catalogue does not say of one how many it has.

    >>> from topologies.registry import build
    >>> dies(build("rubin-ultra-nvl144")), dies(build("hgx-h100"))
    (576, None)
    """
    rows = [(row.part, row.quantity) for row in bill_of_materials(topology) if isinstance(row.part, Accelerator)]
    counts = [None if part.dies is None else part.dies * int(quantity) for part, quantity in rows]
    return None if not counts or None in counts else sum(count for count in counts if count is not None)


def switches_by_tier(topology: Topology) -> dict[str, int]:
    """Boxes or chips by tier, from the host upwards; a node of several boxes counts as one.

    >>> from topologies.registry import build
    >>> switches_by_tier(build("dgx-b200-superpod-4096"))
    {'scale-up': 1024, 'leaf': 128, 'spine': 128, 'core': 64}
    """
    tiers = Counter(d.get("tier", 1) for _, d in topology.graph.nodes(data=True) if d["kind"] == "switch")
    return {TIERS.get(tier, f"tier {tier}"): tiers[tier] for tier in sorted(tiers)}


def _links_by_medium(topology: Topology) -> dict[str, int]:
    links: Counter[str] = Counter()
    kinds, kind = topology.edge_kinds
    for edge, edges in zip(kinds, np.bincount(kind, minlength=len(kinds)).tolist(), strict=True):
        if edge["technology"] not in HOST_TECHNOLOGIES:
            links[edge["medium"]] += edges * int(edge["count"])
    return dict(sorted(links.items()))


def distances(topology: Topology) -> tuple[int | None, float | None, int | None]:
    """Diameter and average distance between end points, in links, and the diameter between their switches.

    None where some pairs have no path that crosses forwarding nodes only (rails that nothing joins).
    """
    grid = topology.grid
    if grid is not None and not grid.twist:
        return _grid_distances(grid.dims, grid.wrap)
    small = contract(topology)
    terminals, counts = np.unique(small.node_of_rank, return_counts=True)
    folded = small.host_arc[0] >= 0
    hop_sum, pairs, diameter, lost = distance_profile(
        small.indptr, small.heads, small.twin, small.forwards, terminals.astype(np.int32), counts.astype(np.float64),
        np.full(len(terminals), int(folded), np.int32),
    )  # fmt: skip
    if lost[0] >= 0:
        return None, None, None
    together = float((counts * (counts - 1)).sum()) if folded else 0.0
    widest = max(diameter, 2 if together else 0)
    return widest, (hop_sum + 2 * together) / (pairs + together), max(0, widest - 2) if folded else None


def _grid_distances(dims: tuple[int, ...], wraps: tuple[bool, ...]) -> tuple[int, float, None]:
    """Sums over dimensions: a ring of a has mean distance floor(a^2/4)/a over all offsets, a line (a^2-1)/(3a)."""
    diameter = sum(d // 2 if w else d - 1 for d, w in zip(dims, wraps, strict=True))
    mean = sum(d * d // 4 / d if w else (d * d - 1) / (3 * d) for d, w in zip(dims, wraps, strict=True))
    n = prod(dims)
    return diameter, mean * n / (n - 1), None


def injection_gb_per_s(topology: Topology) -> float:
    """Sum over end points of what their links carry out, GB/s."""
    csr = topology.csr()
    ends = np.zeros(len(csr.forwards), bool)
    ends[csr.accelerators] = True
    return float(csr.capacity[ends[csr.tails]].sum() / 1e9)


def bisection(topology: Topology) -> tuple[float | None, float | None]:
    """A certified interval of the bisection (GB/s): one value where the family knows its narrowest halves.

    Blocks that circuits join do not all have as many links to each other: halves of the rank order need not be the
    narrowest.

    >>> from topologies.registry import build
    >>> [round(value) for value in bisection(build("jupiter:blocks=8,uplinks=64"))]
    [6413, 7200]
    """
    known = bisection_gb_per_s(topology)
    meshed = topology.family == "jupiter" and topology.circuits is not None
    if known is None or topology.halves or (topology.family in TIERED and not meshed):
        return known, known
    return bisection_interval(topology)


def bisection_gb_per_s(topology: Topology) -> float | None:
    """Capacity, one direction, between two halves of the end points: the least over the halves that the family names,
    else the halves of the rank order; switches lie where the cut is smallest (max-flow). None for an odd number of end
    points.

    >>> from topologies.registry import build
    >>> bisection_gb_per_s(build("torus:dims=4x4x8,rate_gbps=400")), bisection_gb_per_s(build("fat-tree:k=4"))
    (1600.0, 400.0)
    """
    n = len(topology.accelerators)
    if n % 2:
        return None
    halves = topology.halves or [np.arange(n) < n // 2]
    return min(_cut_gb_per_s(topology, half) for half in halves)


def _cut_gb_per_s(topology: Topology, half: NDArray[np.bool_]) -> float:
    csr = topology.csr()
    if len(csr.accelerators) == len(csr.forwards):
        crossing = half[csr.tails] & ~half[csr.heads]
        return float(csr.capacity[crossing].sum() / 1e9)
    return _max_flow_gb_per_s(topology, half)


def _max_flow_gb_per_s(topology: Topology, half: NDArray[np.bool_]) -> float:
    """Max-flow from one half to the other; end points that do not forward are merged into their side."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import maximum_flow

    csr = topology.csr()
    nodes = len(csr.forwards)
    place = np.arange(nodes)
    place[csr.accelerators] = np.where(half, nodes, nodes + 1)
    gbps = csr.capacity * 8e-9
    unit = _unit(gbps)
    whole = np.rint(gbps / unit).astype(np.int64)
    outer = place[csr.tails] != place[csr.heads]
    matrix = coo_array(
        (whole[outer], (place[csr.tails[outer]], place[csr.heads[outer]])), shape=(nodes + 2,) * 2
    ).tocsr()
    if matrix.sum() >= 2**31:
        raise InfeasibleError(
            f"{topology.name}: rates of {gbps.min():g} to {gbps.max():g} Gb/s are too far apart to cut exactly"
        )
    flow = maximum_flow(matrix.astype(np.int32), nodes, nodes + 1).flow_value
    return float(flow * unit / 8)


def _unit(gbps: NDArray[np.float64]) -> float:
    """The largest rate that divides all rates, to a thousandth of a Gb/s."""
    return float(np.gcd.reduce(np.rint(np.unique(gbps) * 1000).astype(np.int64))) / 1000
