"""A collective on a topology: time, bandwidths, the binding link, the bound, watts and dollars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx

from fabric.bounds import Bound, collective_bound
from fabric.collectives import Collective
from fabric.costing import capital_cost
from fabric.intervals import evidence, interval
from fabric.limits import assumptions, walls
from fabric.moe import Moe
from fabric.one_sided import NAME as ONE_SIDED
from fabric.one_sided import one_sided
from fabric.optics import optics
from fabric.patterns import assumed, bytes_of, pattern_of
from fabric.placement import Placement
from fabric.powering import network_power
from fabric.results import Result, accelerator_of
from fabric.routing.router import RoutingOptions
from fabric.sharing import said as time_shared
from fabric.sharing import sharing
from fabric.timing import FIDELITIES, Assumptions, Outcome, best, choose, fluid, priced_by, steady
from fabric.transports import IDEAL
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Cable, Catalogue, Optic
from topologies.reach import cable_lengths
from topologies.registry import topology_of


def simulate(
    topology: "Topology | nx.Graph | str | Path",
    collective_name: str = "all-reduce",
    size: "str | float | None" = None,
    *,
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    tune: str = "library",
    fidelity: str = "steady",
    overlap: str = "auto",
    tie: str = "split",
    seed: int = 0,
    flows_per_pair: int = 1,
    hedge: float = 0.0,
    shift: int | None = None,
    permutation: "Path | str | Sequence[int] | None" = None,
    ranks: "str | Sequence[int] | None" = None,
    group: "str | Mapping[str, int] | None" = None,
    over: "str | Sequence[str] | None" = None,
    placement: Placement = "packed",
    moe: Moe | None = None,
    rate_gbps: float | None = None,
    parts: Catalogue | None = None,
    threads: int = 0,
) -> Result:
    """Time of one collective on one fabric, and what it draws and costs.

    `topology` is a Topology, a spec ("torus:dims=4x4x8", "nvl72"), or any networkx.Graph, whose links without
    `rate_gbps` take the one given here. `size` is in the nccl-tests convention, in bytes or "1GiB" (the default);
    that of moe-dispatch and moe-combine follows from `moe`, a layer of experts. Fidelity `steady`: the algorithm's
    loads on links under the routing over their capacity, plus its chain of zero-load latencies; `fluid`: every message
    simulated under max-min fair shares; `bound`: what no algorithm and no routing can beat.

    `ranks` ("0-7,16-23") take part alone; `group` ("tp=8,dp=16") and `over` ("tp") let all groups of a parallelism run
    at once, each with `size` of its own; `placement` (packed, striped, random, a file or the nodes themselves) puts
    ranks on accelerators: see `fabric.membership`.

    Raises ConfigError for what cannot be read, TopologyError for a broken graph, InfeasibleError where no path or
    no algorithm serves the collective.

    >>> r = simulate("ring:n=8,rate_gbps=400", "all-reduce", "1GiB")
    >>> r.algorithm, round(r.busbw_gb_per_s, 1)
    ('bucket', 100.0)
    """
    topology = topology_of(topology, rate_gbps=rate_gbps, parts=parts)
    pattern = pattern_of(
        topology, collective_name, shift=shift, permutation=permutation, ranks=ranks, group=group, over=over,
        placement=placement, moe=moe, seed=seed,
    )  # fmt: skip
    if pattern.moe is not None and size is not None:
        raise ConfigError(f"size has no effect: that of {collective_name} follows from its tokens; leave it out")
    options = RoutingOptions(tie=tie, seed=seed, flows_per_pair=flows_per_pair, hedge=hedge, threads=threads)
    given = Assumptions(algorithm, routing, overlap, transport, fidelity, options, tune)
    return answer(topology, pattern, bytes_of(topology, pattern, size), given)


def answer(topology: Topology, pattern: Collective, size_bytes: int, given: Assumptions) -> Result:
    """One collective on one topology at one size, under the assumptions given, beside the bound."""
    if given.fidelity not in FIDELITIES:
        raise ConfigError(f"fidelity '{given.fidelity}' is not one of {', '.join(FIDELITIES)}")
    kernels = given.transport.partition(":")[0] == ONE_SIDED
    priced = None if kernels else priced_by(topology, pattern, given)
    transport = given.transport if kernels else IDEAL if priced is None else priced.name
    plan = None
    low_us = high_us = None
    if given.fidelity == "bound":
        outcome, bound = best(topology, pattern, size_bytes, given.options)
    elif kernels:
        found = one_sided(topology, pattern, given)
        pattern, size_bytes, outcome = found.pattern, found.size_bytes, found.outcome
        low_us, high_us = found.low_us, found.high_us
        bound = collective_bound(topology, pattern, gap=None, threads=given.options.threads)
    else:
        plan = choose(topology, pattern, size_bytes, given)
        outcome = (steady if given.fidelity == "steady" else fluid)(plan, size_bytes)
        bound = collective_bound(topology, pattern, gap=None, threads=given.options.threads)
    if pattern.moe is not None:
        raw = ["raw rates; transport one-sided has the times of kernels"] if given.transport == "auto" else []
        outcome = replace(outcome, said=[*outcome.said, *raw, *pattern.moe.said(pattern.name)])
    outcome = replace(outcome, said=[*outcome.said, *assumed(topology, pattern, plan)])
    bits = pattern.received * pattern.together * size_bytes * 8
    told = Told(
        pattern.name, size_bytes, bits, pattern.busbw_factor, transport, given.fidelity, bound, pattern.n,
        pattern.together, pattern.placement,
    )  # fmt: skip
    if priced is not None:
        low_us, high_us = interval(outcome.time_s * 1e6, size_bytes, *evidence(priced))
    return replace(told_result(topology, outcome, told), time_low_us=low_us, time_high_us=high_us)


@dataclass(frozen=True, slots=True)
class Told:
    """What a row says beside its outcome: `bits` that ranks had to receive, a bound where there is one; ranks of a
    group (None: all accelerators), how many groups, and where their ranks were placed."""

    collective: str
    size_bytes: int
    bits: float
    busbw_factor: float
    transport: str
    fidelity: str
    bound: Bound | None
    ranks: int | None = None
    groups: int = 1
    placement: str = "packed"


def told_result(topology: Topology, outcome: Outcome, told: Told) -> Result:
    """The row of an outcome: bandwidths, the bound beside it, watts, joules, dollars and walls of the fabric."""
    algbw = told.size_bytes / outcome.time_s / 1e9
    power, cost = network_power(topology), capital_cost(topology)
    watts, bound = power.total_w, told.bound
    at_best_s = None if bound is None else bound.time_s(told.size_bytes)
    ranks = len(topology.accelerators) if told.ranks is None else told.ranks
    return Result(
        topology=topology.name,
        accelerators=ranks,
        groups=told.groups,
        ranks=ranks * told.groups,
        placement=told.placement,
        fabric_accelerators=len(topology.accelerators),
        collective=told.collective,
        size_bytes=told.size_bytes,
        algorithm=outcome.algorithm,
        overlap=outcome.overlap,
        routing=outcome.routing,
        transport=told.transport,
        protocol=outcome.protocol,
        fidelity=told.fidelity,
        time_us=outcome.time_s * 1e6,
        latency_us=_latency_us(topology, outcome, told.fidelity),
        algbw_gb_per_s=algbw,
        busbw_gb_per_s=algbw * told.busbw_factor,
        bound_time_us=None if at_best_s is None else at_best_s * 1e6,
        bound_gap=None if bound is None else _gap(bound, told.size_bytes, outcome),
        of_bound=None if at_best_s is None else at_best_s / outcome.time_s,
        bound_why=None if bound is None else bound.why,
        bottleneck=outcome.bottleneck,
        network_power_w=watts,
        network_power_external_w=power.external_w,
        network_power_in_accelerator_w=power.in_accelerator_w,
        network_power_w_per_accelerator=None if watts is None else watts / len(topology.accelerators),
        energy_j=None if watts is None else watts * outcome.time_s,
        energy_pj_per_bit=None if watts is None or not told.bits else watts * outcome.time_s / told.bits * 1e12,
        capex_usd=cost.capex_usd,
        priced_usd=cost.priced_usd,
        walls=walls(topology),
        estimates=[*outcome.said, *estimates(topology)],
        relays=outcome.relays,
        accelerator=accelerator_of(topology),
        left_out=sorted(topology.left_out),
    )


def _latency_us(topology: Topology, outcome: Outcome, fidelity: str) -> float | None:
    """None where links are time-shared and nothing says how long one waits for them; a bound does not wait."""
    shared = sharing(topology)
    unknown = shared is not None and shared.mean_wait_s is None and fidelity != "bound"
    return None if unknown else outcome.latency_s * 1e6


def _gap(bound: Bound, size_bytes: float, outcome: Outcome) -> float:
    """How far, as a share of the best known schedule's bandwidth term, the bound's may lie below the optimum."""
    term = bound.per_byte_s * size_bytes
    return max(0.0, min(bound.gap, 1 - term / outcome.best_known_s))


def estimates(topology: Topology) -> list[str]:
    """What an answer about this topology stands on beside published figures: parts, in what they are estimated or
    missing, and the assumptions of the build."""
    power, cost = network_power(topology), capital_cost(topology)
    said = [f"power of {name}" for name in power.estimates]
    said += [f"no power: {name}" for name in power.missing]
    said += [f"price of {name}" for name in cost.estimates]
    said += [f"no price: {name}" for name in cost.missing]
    said += [*_lengths(topology), *_engines(topology), *time_shared(topology)]
    if topology.circuits is not None and topology.circuits.share < 1:
        layer = topology.circuits
        said.append(f"circuit switches counted at this slice's share, {layer.share:g} of {layer.devices}")
    said += (optics(topology) or {}).get("estimates", [])
    if topology.left_out:
        boundary = topology.parameters.get("boundary")
        within = "" if boundary is None else f"boundary {boundary}: "
        said.append(f"{within}watts and dollars leave out {' and '.join(sorted(topology.left_out))}")
    return [*said, *assumptions(topology), *topology.notes]


def time_estimates(topology: Topology) -> list[str]:
    """What a time alone stands on: lengths that rows estimate, waits for slots, and the assumptions of the build.

    >>> from topologies.registry import build
    >>> time_estimates(build("ring:n=4"))
    ['default: 1 m dac']
    """
    return [*_lengths(topology), *time_shared(topology), *topology.notes]


def _lengths(topology: Topology) -> list[str]:
    """Lengths that a cable's row estimates."""
    said = []
    for name, length in cable_lengths(topology):
        row = topology.catalogue.get(name)
        if isinstance(row, Cable) and row.length_m == length and "length_m" in row.estimates:
            said.append(f"length of {name}: {length:g} m, {row.estimates['length_m']}")
    return said


def _engines(topology: Topology) -> list[str]:
    """What co-packaged optics leave as it was."""
    rows = ((name, topology.catalogue.get(name)) for name, _ in cable_lengths(topology))
    engines = [name for name, row in rows if isinstance(row, Optic) and row.host_serdes_pj_per_bit is not None]
    return [
        f"{name} lowers the SerDes energy of the accelerators' ends only; switches keep their power" for name in engines
    ]
