"""Traces as a workload: what a recorded step takes on a fabric, what sets its time, and who waits."""

from collections.abc import Callable
from pathlib import Path

from fabric.routing.router import RoutingOptions
from fabric.schedules import Recorded, read_schedule
from fabric.timing import Assumptions
from fabric.tracing.answer import Trace
from fabric.tracing.layers import layers_timeline
from fabric.tracing.programs import program_timeline
from fabric.tracing.timeline import row_times
from fabric.transports import AUTO, IDEAL
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import topology_of
from topologies.units import parse_size_bytes

FIDELITIES = ("auto", "steady", "fluid")


def _silent(words: str) -> None:
    """Say nothing of what goes on."""


def trace(
    topology: "Topology | str | Path",
    file: "Recorded | str | Path",
    size: "str | float" = "1GiB",
    *,
    fidelity: str = "auto",
    algorithm: str = "auto",
    routing: str = "auto",
    transport: str = "auto",
    placement: str = "packed",
    tie: str = "split",
    seed: int = 0,
    parts: Catalogue | None = None,
    threads: int = 0,
    progress: Callable[[str], None] = _silent,
) -> Trace:
    """A recorded step on a fabric: when everything happens, which chain of operations sets the makespan, who is idle.

    `file` is a Chakra trace, a GOAL schedule, an MSCCL algorithm (`size` is that of its collective), or a workload of
    SimAI. Fidelity `auto`: `fluid` for what holds each rank's messages, which then share links max-min fairly; `steady`
    for SimAI's layers, whose collectives have the times that `simulate` gives all groups of a kind at once, under the
    transport. `placement` puts the ranks of layers on accelerators. `progress` is told what goes on.

    ConfigError for what cannot be read or run, and for more ranks than the fabric has; InfeasibleError where no path
    serves a message.

    >>> from fabric.schedules.program import Program
    >>> two = Program(2, "two")
    >>> sent = two.send(0, "result", 1, 0, 50e3, after=[two.compute(0, "work", 10e-6)])
    >>> last = two.receive(1, "result", 0, 0, 50e3)
    >>> found = trace("switch:n=2,latency_ns=500", Recorded("two", "goal", 2, None, lambda size: two))
    >>> {part: round(s * 1e6, 3) for part, s in found.critical_parts.items()}         # 400 Gb/s: 50 kB in 1 us
    {'compute': 10.0, 'bandwidth': 1.0, 'latency': 1.0, 'waiting': 0.0}
    """
    if fidelity not in FIDELITIES:
        raise ConfigError(unknown("fidelity of a trace", fidelity, FIDELITIES))
    built = topology_of(topology, parts=parts)
    recorded = file if isinstance(file, Recorded) else read_schedule(Path(file))
    if fidelity == "auto":
        fidelity = "fluid" if recorded.layers is None else "steady"
    if fidelity == "fluid" and transport not in (AUTO, IDEAL):
        raise ConfigError(f"fidelity fluid has raw rates, not those of {transport}: give transport ideal, or steady")
    options = RoutingOptions(tie=tie, seed=seed, threads=threads)
    given = Assumptions(algorithm, routing, "auto", transport, fidelity, options)
    name = recorded.name if isinstance(file, Recorded) else str(file)
    if recorded.layers is not None:
        timeline, prices, said = layers_timeline(
            built, recorded.layers, given, placement=placement, progress=progress
        )  # fmt: skip
        routings = dict.fromkeys(price.outcome.routing for price in prices)
        found, end = ", ".join(routings) or routing, None
    else:
        if placement != "packed":
            raise ConfigError("placement is of SimAI's layers; rank r of this file is accelerator r: leave it out")
        done = program_timeline(built, recorded, float(parse_size_bytes(size)), given, progress)
        timeline, prices, said, found, end = done.timeline, [], done.said, done.routing, done.bottleneck
    if timeline.makespan <= 0:
        raise ConfigError(f"{recorded.name} takes no time: it holds no bytes, no latency and no computation")
    return Trace(
        built.name, len(built.accelerators), name, recorded.format, recorded.ranks, fidelity,
        IDEAL if fidelity == "fluid" else transport, found, timeline, timeline.critical(), row_times(timeline), prices,
        end, list(dict.fromkeys(said)),
    )  # fmt: skip
