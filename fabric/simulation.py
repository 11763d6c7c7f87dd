"""A collective on a topology, at steady fidelity: time, bandwidths, the binding link, watts and dollars."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from fabric.algorithms import ALGORITHMS, OVERLAPS, NotApplicable, Schedule
from fabric.collectives import Collective, collective
from fabric.costing import capital_cost
from fabric.powering import network_power
from fabric.results import Result, accelerator_of
from fabric.routing import ANY, Loads, RoutingOptions, resolve, route
from fabric.transport import resolve_transport
from fabric.walls import walls
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.graph import Topology
from topologies.parts import Cable, Catalogue, Optic
from topologies.reach import cable_lengths
from topologies.registry import topology_of
from topologies.units import parse_size_bytes

FIDELITIES = ("steady",)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A schedule routed on a topology: everything but the size. `per_byte_s` is the bandwidth term of one byte."""

    topology: Topology
    collective: Collective
    schedule: Schedule
    routing: str
    loads: tuple[Loads, ...]
    per_byte_s: float
    latency_s: float
    binding_arc: int

    def time_s(self, size_bytes: float) -> float:
        """Latency chain plus bandwidth term."""
        return self.latency_s + self.per_byte_s * size_bytes


def simulate(
    topology: "Topology | nx.Graph | str | Path",
    collective_name: str = "all-reduce",
    size: "str | float" = "1GiB",
    *,
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    fidelity: str = "steady",
    overlap: str = "auto",
    tie: str = "split",
    seed: int = 0,
    flows_per_pair: int = 1,
    hedge: float = 0.0,
    shift: int | None = None,
    permutation: "Path | str | Sequence[int] | None" = None,
    rate_gbps: float | None = None,
    parts: Catalogue | None = None,
    threads: int = 0,
) -> Result:
    """Time of one collective on one fabric, and what it draws and costs.

    `topology` is a Topology, a spec ("torus:dims=4x4x8", "nvl72"), or any networkx.Graph, whose links without
    `rate_gbps` take the one given here. `size` is in the nccl-tests convention, in bytes or "1GiB". Steady fidelity:
    the algorithm's loads on links under the routing over their capacity, plus its chain of zero-load latencies.

    Raises ConfigError for what cannot be read, TopologyError for a broken graph, InfeasibleError where no path or
    no algorithm serves the collective.

    >>> r = simulate("ring:n=8,rate_gbps=400", "all-reduce", "1GiB")
    >>> r.algorithm, round(r.busbw_gb_per_s, 1)
    ('bucket', 100.0)
    """
    topology = topology_of(topology, rate_gbps=rate_gbps, parts=parts)
    check_fidelity(fidelity)
    size_bytes = parse_size_bytes(size)
    pattern = collective(collective_name, len(topology.accelerators), shift=shift, permutation=permutation)
    options = RoutingOptions(tie=tie, seed=seed, flows_per_pair=flows_per_pair, hedge=hedge, threads=threads)
    plan = choose(topology, pattern, size_bytes, algorithm, routing, options, overlap=overlap)
    return evaluate(plan, size_bytes, resolve_transport(transport), fidelity)


def check_fidelity(fidelity: str) -> None:
    """Refuse a fidelity that has no model yet."""
    if fidelity not in FIDELITIES:
        raise ConfigError(f"fidelity '{fidelity}' has no model yet; there is {', '.join(FIDELITIES)}")


def choose(
    topology: Topology,
    pattern: Collective,
    size_bytes: float,
    algorithm: str = "auto",
    routing: str = "auto",
    options: RoutingOptions = ANY,
    *,
    overlap: str = "auto",
) -> Plan:
    """The named algorithm routed, or with `auto` the fastest of those that apply at this size."""
    if algorithm != "auto" and algorithm not in ALGORITHMS:
        raise ConfigError(unknown("algorithm", algorithm, ["auto", *ALGORITHMS]))
    if overlap != "auto" and overlap not in OVERLAPS:
        raise ConfigError(f"overlap '{overlap}' is not one of auto, {', '.join(OVERLAPS)}")
    routing = resolve(topology, routing)
    plans, reasons = [], []
    for name in ALGORITHMS if algorithm == "auto" else [algorithm]:
        try:
            schedule = ALGORITHMS[name](topology, pattern)
            if overlap != "auto":
                schedule = schedule.overlapped(overlap)
            plans.append(_plan(topology, pattern, schedule, routing, options))
        except InfeasibleError as reason:
            if algorithm != "auto":
                raise
            reasons.append(reason)
    if not plans:
        told = next((r for r in reasons if not isinstance(r, NotApplicable)), reasons[0])
        raise InfeasibleError(str(told))
    return min(plans, key=lambda plan: plan.time_s(size_bytes))


def _plan(
    topology: Topology, pattern: Collective, schedule: Schedule, routing: str, options: RoutingOptions
) -> Plan:
    loads = tuple(route(topology, step.traffic, routing, options) for step in schedule.steps)
    capacity = topology.csr().capacity
    if schedule.overlap == "pipelined":
        shares = np.sum([load.binding for load in loads], axis=0) / capacity
        per_byte = float(shares.max())
    else:
        per_step = [load.binding / capacity for load in loads]
        per_byte = float(sum(share.max() for share in per_step))
        shares = max(per_step, key=lambda share: float(share.max()))
    binding = int(np.argmax(shares >= shares.max() * (1 - 1e-9)))  # the first of those that are equal but for rounding
    latency = sum(
        step.rounds * (load.mean_latency_s if step.chain else load.latency_s)
        for step, load in zip(schedule.steps, loads, strict=True)
    )
    return Plan(topology, pattern, schedule, routing, loads, per_byte, latency, binding)


def evaluate(plan: Plan, size_bytes: int, transport: str = "ideal", fidelity: str = "steady") -> Result:
    """The answer of a plan at one size: a sweep over sizes costs one plan."""
    topology, pattern = plan.topology, plan.collective
    time_s = plan.time_s(size_bytes)
    algbw = size_bytes / time_s / 1e9
    power, cost = network_power(topology), capital_cost(topology)
    watts = power.total_w
    bits = pattern.received * size_bytes * 8
    return Result(
        topology=topology.name,
        accelerators=len(topology.accelerators),
        collective=pattern.name,
        size_bytes=size_bytes,
        algorithm=plan.schedule.algorithm,
        overlap=plan.schedule.overlap,
        routing=plan.routing,
        transport=transport,
        fidelity=fidelity,
        time_us=time_s * 1e6,
        latency_us=plan.latency_s * 1e6,
        algbw_gb_per_s=algbw,
        busbw_gb_per_s=algbw * pattern.busbw_factor,
        bottleneck=_bottleneck(plan, size_bytes, time_s),
        network_power_w=watts,
        network_power_external_w=power.external_w,
        network_power_in_accelerator_w=power.in_accelerator_w,
        network_power_w_per_accelerator=None if watts is None else watts / len(topology.accelerators),
        energy_j=None if watts is None else watts * time_s,
        energy_pj_per_bit=None if watts is None else watts * time_s / bits * 1e12,
        capex_usd=cost.capex_usd,
        priced_usd=cost.priced_usd,
        walls=walls(topology),
        estimates=estimates(topology),
        relays=plan.schedule.relays,
        accelerator=accelerator_of(topology),
        left_out=sorted(topology.left_out),
    )


def estimates(topology: Topology) -> list[str]:
    """What an answer about this topology stands on beside published figures: parts, in what they are estimated or
    missing, and the assumptions of the build."""
    power, cost = network_power(topology), capital_cost(topology)
    said = [f"power of {name}" for name in power.estimates]
    said += [f"no power: {name}" for name in power.missing]
    said += [f"price of {name}" for name in cost.estimates]
    said += [f"no price: {name}" for name in cost.missing]
    said += _of_cables(topology)
    if topology.circuits is not None and topology.circuits.share < 1:
        layer = topology.circuits
        said.append(f"circuit switches counted at this slice's share, {layer.share:g} of {layer.devices}")
    if topology.left_out:
        boundary = topology.parameters.get("boundary")
        within = "" if boundary is None else f"boundary {boundary}: "
        said.append(f"{within}watts and dollars leave out {' and '.join(sorted(topology.left_out))}")
    return [*said, *topology.notes]


def _of_cables(topology: Topology) -> list[str]:
    """Lengths that a cable's row estimates, and what co-packaged optics leave as it was."""
    said, engines = [], []
    for name, length in cable_lengths(topology):
        row = topology.catalogue.get(name)
        if isinstance(row, Cable) and row.length_m == length and "length_m" in row.estimates:
            said.append(f"length of {name}: {length:g} m, {row.estimates['length_m']}")
        if isinstance(row, Optic) and row.host_serdes_pj_per_bit is not None:
            engines.append(name)
    return said + [
        f"{name} lowers the SerDes energy of the accelerators' ends only; switches keep their power" for name in engines
    ]


def _bottleneck(plan: Plan, size_bytes: float, time_s: float) -> dict[str, Any] | None:
    """The fullest arc: its ends, medium, and the share of the time that it is busy."""
    csr = plan.topology.csr()
    nodes: list[Hashable] = plan.topology.nodes
    a, b = nodes[csr.tails[plan.binding_arc]], nodes[csr.heads[plan.binding_arc]]
    busy = arc_loads(plan)[plan.binding_arc] / csr.capacity[plan.binding_arc] * size_bytes / time_s
    medium = plan.topology.graph.edges[a, b]["medium"]
    return {"from": str(a), "to": str(b), "medium": medium, "utilisation": float(busy)}


def arc_loads(plan: Plan) -> NDArray[np.float64]:
    """float64[A]: bytes on every arc per byte of size, all steps together, as if its links were all like the fullest."""
    total: NDArray[np.float64] = np.sum([load.binding for load in plan.loads], axis=0)
    return total
