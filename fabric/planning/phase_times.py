"""The time of every phase of a step in every configuration of the fabric."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms import Schedule, Step
from fabric.collectives import Collective, collective
from fabric.groups import Groups
from fabric.patterns import pattern_of
from fabric.planning.demand import read_demand
from fabric.planning.phase import Phase
from fabric.planning.phases import Iteration
from fabric.routing.registry import resolve
from fabric.timing import Assumptions, Plan, choose, routed
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build

USUAL = Assumptions()


def fabrics(step: Iteration, parts: Catalogue) -> list[Topology | None]:
    """The topology of every configuration; None where only measured times stand for it."""
    built: dict[str, Topology] = {}
    found: list[Topology | None] = []
    for own in step.configurations:
        if own.spec is None:
            found.append(None)
            continue
        if own.spec not in built:
            built[own.spec] = build(own.spec, parts)
        topology = built[own.spec]
        found.append(topology if own.state is None else topology.with_state(_state(own.state)))
    sizes = {len(topology.accelerators): topology.name for topology in found if topology is not None}
    if len(sizes) > 1:
        told = ", ".join(f"{name} has {n:,}" for n, name in sorted(sizes.items()))
        raise ConfigError(f"configurations of one fabric have as many accelerators each; {told}")
    return found


def _state(path: Path) -> NDArray[np.int32]:
    try:
        array = np.asarray(np.load(path, allow_pickle=False))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'not an .npy file'}; give a state of circuits") from None
    except (ValueError, EOFError, AttributeError, SyntaxError):
        raise ConfigError(f"{path}: not an .npy file of whole numbers") from None
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "iu":
        raise ConfigError(f"{path}: a state is whole numbers in rows of device and two ports; give an .npy of [M, 3]")
    return array.astype(np.int32)


def cost_s(
    step: Iteration, topologies: Sequence[Topology | None], given: Assumptions = USUAL
) -> tuple[NDArray[np.float64], list[str]]:
    """Seconds of every phase in every configuration, float64[P, C], as `simulate` has them; inf where a configuration
    does not serve the phase, and why."""
    costs, reasons = np.full((len(step.phases), len(step.configurations)), inf), []
    known: dict[tuple[object, ...], float] = {}
    for p, phase in enumerate(step.phases):
        for c, (own, topology) in enumerate(zip(step.configurations, topologies, strict=True)):
            if own.name in phase.times_s:
                costs[p, c] = phase.times_s[own.name]
                continue
            numbering = tuple((phase.numbering or {}).items())
            key = c, phase.collective, phase.size_bytes, phase.group, phase.stride, numbering, phase.over, phase.demand
            if key not in known:
                try:
                    known[key] = phase_s(replace(phase, times=1), topology, given) if topology is not None else inf
                except InfeasibleError as reason:
                    known[key] = inf
                    reasons.append(f"{own.name} does not serve {phase.name}: {reason}")
            costs[p, c] = known[key] * phase.times
    return costs, reasons


def phase_s(phase: Phase, topology: Topology, given: Assumptions = USUAL) -> float:
    """Seconds of one phase on one fabric; InfeasibleError where no path serves it.

    >>> whole = Phase(name="all", collective="all-to-all", size_bytes=2**20)
    >>> halves = Phase(name="halves", collective="all-to-all", size_bytes=2**20, group=4)
    >>> ring = build("ring:n=8")
    >>> phase_s(halves, ring) < phase_s(whole, ring)
    True
    """
    n = len(topology.accelerators)
    if phase.demand is not None:
        matrix = read_demand(phase.demand, list(map(str, topology.accelerators)), what="accelerator", unit="bytes")
        source, target = np.nonzero(matrix)
        traffic = Traffic.pairs(n, source, target, matrix[source, target])
        schedule = Schedule("direct", "pipelined", (Step("send", traffic, 1),))
        return phase.times * _timed(topology, schedule, given).time_s(1)
    size = phase.size_bytes or 0
    return phase.times * choose(topology, pattern(phase, topology), size, given).time_s(size)


def pattern(phase: Phase, topology: Topology) -> Collective:
    """The collective of a phase, of all ranks or of groups that do it at once."""
    name, n = str(phase.collective), len(topology.accelerators)
    if phase.numbering is not None:
        used = prod(phase.numbering.values())
        ranks = None if n % used == 0 else f"0-{used - 1}"
        return pattern_of(topology, name, ranks=ranks, group=phase.numbering, over=phase.over)
    if phase.group is None or (phase.group == n and phase.stride == 1):
        return collective(name, n)
    return collective(name, phase.group, groups=Groups(grouped(n, phase.group, phase.stride)))


def grouped(n: int, size: int, stride: int = 1) -> NDArray[np.int64]:
    """Ranks by group, int64[groups, size]; ConfigError where they do not divide.

    >>> grouped(8, 2, 2).tolist()
    [[0, 2], [1, 3], [4, 6], [5, 7]]
    """
    if n % (size * stride):
        raise ConfigError(f"{n:,} ranks are no groups of {size} that are {stride} apart; give a divisor")
    rows: NDArray[np.int64] = np.arange(n).reshape(-1, size, stride).transpose(0, 2, 1).reshape(-1, size)
    return rows


def _timed(topology: Topology, schedule: Schedule, given: Assumptions) -> Plan:
    n = len(topology.accelerators)
    return routed(topology, Collective("all-to-all", n), schedule, resolve(topology, given.routing), given.options)
