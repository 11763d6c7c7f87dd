"""Traces as a workload: what a recorded step takes on a fabric, what sets its time, and who waits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fabric.placement import Placement
from fabric.routing.router import RoutingOptions
from fabric.schedules import Recorded, read_schedule
from fabric.timing import Assumptions
from fabric.tracing.answer import Trace
from fabric.tracing.layers import Price, layers_timeline
from fabric.tracing.programs import program_timeline
from fabric.tracing.scaling import scale_of
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
    placement: Placement = "packed",
    compute_scale: float | str = 1.0,
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
    scale, scaled_by = scale_of(compute_scale, built)
    given = Assumptions(algorithm, routing, "auto", transport, fidelity, options)
    name = recorded.name if isinstance(file, Recorded) else str(file)
    if recorded.layers is not None:
        layers = recorded.layers if scale == 1 else recorded.layers.scaled(scale)
        timeline, prices, said, floor_s = layers_timeline(built, layers, given, placement=placement, progress=progress)
        routings = dict.fromkeys(price.outcome.routing for price in prices)
        found, end = ", ".join(routings) or routing, _binding(prices)
    else:
        done = program_timeline(
            built, recorded, float(parse_size_bytes(size)), given, placement=placement,
            compute_scale=(scale, 1.0 if scaled_by else scale), progress=progress,
        )  # fmt: skip
        timeline, prices, said, found, end = done.timeline, [], done.said, done.routing, done.bottleneck
        floor_s = done.floor_s
    if timeline.makespan <= 0:
        raise ConfigError(f"{recorded.name} takes no time: it holds no bytes, no latency and no computation")
    return Trace(
        built.name, len(built.accelerators), name, recorded.format, recorded.ranks, fidelity,
        IDEAL if fidelity == "fluid" else transport, found, timeline, timeline.critical(), row_times(timeline), prices,
        end, floor_s, list(dict.fromkeys([scaled_by, *said] if scaled_by else said)),
    )  # fmt: skip


def _binding(prices: Sequence[Price]) -> dict[str, Any] | None:
    """The link that binds the collectives that a rank spends most time in, and which those are."""
    most = max(prices, key=lambda price: price.times * price.outcome.time_s, default=None)
    if most is None or most.outcome.bottleneck is None:
        return None
    return {**most.outcome.bottleneck, "during": f"{most.exchanged.group} {most.exchanged.collective}"}


def traces(
    topologies: "Sequence[Topology | str | Path]", file: "Recorded | str | Path", size: "str | float" = "1GiB",
    **options: Any,
) -> list[Trace]:  # fmt: skip
    """A recorded step on several fabrics, read once; `options` are those of `trace`, the answers in the order given.

    >>> from fabric.schedules.program import Program
    >>> two = Program(2, "two")
    >>> sent, got = two.send(0, "a", 1, 0, 50e3), two.receive(1, "a", 0, 0, 50e3)
    >>> pair = Recorded("two", "goal", 2, None, lambda size: two)
    >>> [round(found.makespan_s * 1e6, 3) for found in traces(["switch:n=2", "switch:n=2,rate_gbps=800"], pair)]
    [1.181, 0.681]
    """
    recorded = file if isinstance(file, Recorded) else read_schedule(Path(file))
    name = recorded.name if isinstance(file, Recorded) else str(file)
    fabrics = [topology_of(one, parts=options.get("parts")) for one in topologies]  # what is wrong comes up first
    return [replace(trace(one, recorded, size, **options), file=name) for one in fabrics]
