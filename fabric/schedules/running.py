"""A recorded schedule run on a fabric, flow by flow."""

from pathlib import Path

import numpy as np

from fabric.bounds import collective_bound
from fabric.collectives import Collective, collective
from fabric.flows import Flows
from fabric.fluid import FluidResult, fluid_completion
from fabric.results import Result
from fabric.routing.registry import resolve
from fabric.routing.router import RoutingOptions
from fabric.schedules import Recorded, read_schedule
from fabric.schedules.calls import called
from fabric.schedules.program import SEND, Program
from fabric.schedules.roofline import rated
from fabric.simulation import Told, told_result
from fabric.timing import Assumptions, Outcome, fluid_routing, fullest
from fabric.transports import IDEAL
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import topology_of
from topologies.units import parse_size_bytes

RECORDED = "recorded"  # the collective of a file that names none


def replay(
    topology: "Topology | str | Path",
    schedule: "Recorded | str | Path",
    size: "str | float" = "1GiB",
    *,
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    tie: str = "split",
    seed: int = 0,
    parts: Catalogue | None = None,
    threads: int = 0,
) -> Result:
    """Time of a recorded schedule on a fabric: rank r of the file is rank r of the fabric, every message a flow under
    max-min fair shares, computations take their time.

    `size` is that of the collective where the file is one of a collective (MSCCL). A trace or GOAL schedule holds its
    own bytes; its result's size is the most that one rank sends, and algbw and busbw are that over the time.
    `algorithm` is for the collectives that a trace calls by name. The latency is the time of the same messages without
    bytes and without computations.

    ConfigError for what cannot be read or run, and for more ranks than the fabric has; InfeasibleError where no path
    serves a message.

    >>> from fabric.schedules.msccl import program
    >>> from fabric.algorithms import ALGORITHMS
    >>> from fabric.schedules.msccl_writing import algorithm_of
    >>> from topologies.registry import build
    >>> pattern = Collective("all-reduce", 8)
    >>> ring = algorithm_of(ALGORITHMS["ring"](build("switch:n=8"), pattern), pattern)
    >>> recorded = Recorded("ring", "msccl", 8, "all-reduce", lambda size: program(ring, size))
    >>> result = replay("switch:n=8,latency_ns=0", recorded, "1MiB")
    >>> round(result.time_us, 3), result.busbw_gb_per_s                 # 2 x 7/8 x 1 MiB at 50 GB/s
    (36.7, 50.0)
    """
    topology = topology_of(topology, parts=parts)
    recorded = schedule if isinstance(schedule, Recorded) else read_schedule(Path(schedule))
    ranks = len(topology.accelerators)
    if recorded.layers is not None:
        raise ConfigError(f"{recorded.name} has layers, not messages, of {recorded.ranks:,} ranks; use aifabric trace")
    if recorded.ranks > ranks:
        raise ConfigError(f"{recorded.name} has {recorded.ranks:,} ranks, {topology.name} {ranks:,} accelerators")
    options = RoutingOptions(tie=tie, seed=seed, threads=threads)
    given = Assumptions(algorithm, routing, "auto", transport, "fluid", options)
    path_routing, said = fluid_routing(resolve(topology, routing))
    size_bytes = parse_size_bytes(size)
    made, timed = rated(topology, recorded.program(float(size_bytes)))
    calls, more = called(topology, made, given)
    flows = made.flows([call.flows for call in calls])
    found = fluid_completion(topology, flows, routing=path_routing, tie=tie, seed=seed, in_network=True)
    if found.makespan == 0:
        raise ConfigError(f"{recorded.name} takes no time: it holds no bytes, no latency and no computation")
    said += [*timed, *more, *_of_ranks(recorded, ranks), *recorded.notes]
    outcome = _outcome(topology, recorded, flows, found, path_routing, said, options)
    return told_result(topology, outcome, _told(topology, recorded, made, flows, size_bytes, outcome, given))


def _of_ranks(recorded: Recorded, ranks: int) -> list[str]:
    return [f"{recorded.ranks:,} of {ranks:,} accelerators take part"] if recorded.ranks < ranks else []


def _outcome(
    topology: Topology, recorded: Recorded, flows: Flows, found: FluidResult, routing: str, said: list[str],
    options: RoutingOptions,
) -> Outcome:  # fmt: skip
    nothing = np.zeros(len(flows))
    bare = Flows(flows.source, flows.target, nothing, nothing, nothing, flows.pred_ptr, flows.pred)
    waiting = fluid_completion(
        topology, bare, routing=routing, tie=options.tie, seed=options.seed, in_network=True
    ).makespan  # fmt: skip
    capacity = topology.csr().capacity
    busiest = int(np.argmax(found.link_bytes / capacity))
    carried = float(found.link_bytes[busiest])
    end = fullest(topology, busiest, carried, found.makespan) if carried else None
    return Outcome(
        found.makespan, waiting, recorded.name, RECORDED, routing, end, carried / float(capacity[busiest]), None, said
    )


def _told(
    topology: Topology, recorded: Recorded, made: Program, flows: Flows, size_bytes: int, outcome: Outcome,
    given: Assumptions,
) -> Told:  # fmt: skip
    """Names, size and bound: of the collective where the file is one, of the busiest sender otherwise."""
    transport = IDEAL
    ranks = recorded.ranks
    if recorded.collective is not None:
        pattern: Collective = collective(recorded.collective, ranks)
        whole = ranks == len(topology.accelerators)
        bound = collective_bound(topology, pattern, gap=None, threads=given.options.threads) if whole else None
        bits = pattern.received * size_bytes * 8
        return Told(pattern.name, size_bytes, bits, pattern.busbw_factor, transport, "fluid", bound)
    sent = np.bincount(flows.source, flows.bytes, minlength=ranks)[:ranks]  # switches stand behind
    sends = np.array(made.kind) == SEND
    if not sends.any() and not made.exchanges:
        raise ConfigError(f"{recorded.name} sends nothing; a fabric makes no difference to it")
    return Told(RECORDED, int(sent.max()), float(flows.bytes.sum()) * 8, 1.0, transport, "fluid", None)
