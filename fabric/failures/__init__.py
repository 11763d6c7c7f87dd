"""Failures: what each class of components takes with it, how often, how long, and what training keeps of its time."""

from collections.abc import Iterator, Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray

from fabric.failures.answers import Answer, Failures, Goodput, Outcome, Slices, Span
from fabric.failures.circuit_components import in_cycle
from fabric.failures.components import components
from fabric.failures.damage import Loss
from fabric.failures.elements import parse, scenarios
from fabric.failures.judging import Judge, orbits
from fabric.failures.kinds import Components
from fabric.failures.rates import flaps, hard_failures
from fabric.failures.recovery import repair, spare_ports, step, way_back
from fabric.failures.slices import host_of
from fabric.failures.training import job_goodput, pod_slices, software_failures
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build

__all__ = ["Answer", "Failures", "Goodput", "Outcome", "Slices", "Span", "fail"]

def fail(
    spec: Topology | str,
    elements: Sequence[str] = (),
    *,
    job: int | None = None,
    samples: int = 20,
    seed: int = 0,
    gap: float | None = None,
    checkpoint_minutes: float | None = None,
    host_availabilities: Sequence[float] = (0.99, 0.995, 0.999),
    parts: Catalogue | None = None,
) -> Failures:
    """Every class of components of a fabric, one failing at a time; or, with `elements`, what these take together.

    `elements` are words such as leaf:3, links=0.5%, ocs=1 or a node's name; all fail at once, `samples` drawings by the
    `seed` where they are random. `job` accelerators make a job, in rank order; one job on all of them by default. `gap`
    solves for the best routing to within it, in place of equal splits. ConfigError for what the fabric has not.

    >>> for spec in ("rail:servers=8,gpus=8", "dual-plane:servers=8"):
    ...     fail(spec, ["leaf:0"]).asked.lost.worst
    8.0
    0.0
    """
    topology = build(spec, parts) if isinstance(spec, str) and parts else build(spec) if isinstance(spec, str) else spec
    n = len(topology.accelerators)
    size = n if job is None else job
    if not 0 < size <= n:
        raise ConfigError(f"a job of {size:,} accelerators does not fit {topology.name} with {n:,}; give 1 to {n:,}")
    if samples < 1:
        raise ConfigError(f"samples = {samples} draws nothing; give at least 1")
    if gap is not None and not 0 < gap < 1:
        raise ConfigError(f"gap = {gap} is not a share between 0 and 1, such as 0.01")
    if checkpoint_minutes is not None and not 0 <= checkpoint_minutes < inf:
        raise ConfigError(f"checkpoint_minutes = {checkpoint_minutes:g} is no pause; give minutes, zero or more")
    judge = Judge(topology, size, gap)
    if elements:
        asked = _asked(topology, elements, judge, samples, seed)
        return Failures(topology, size, -(-n // size), (), asked, None, None, (), _estimates(topology, (asked,), None))
    rows = components(topology)
    plans = [orbits(each, samples, seed) for each in rows]
    judge.plan(sum(len(losses) for losses, _, _ in plans))
    classes = tuple(_answer(topology, each, judge, *plan) for each, plan in zip(rows, plans, strict=True))
    software = software_failures(topology)
    kept = job_goodput(topology, classes, software, size, checkpoint_minutes)
    return Failures(
        topology, size, -(-n // size), classes, None, software, kept, pod_slices(topology, host_availabilities),
        _estimates(topology, classes, kept),
    )  # fmt: skip


def _asked(topology: Topology, elements: Sequence[str], judge: Judge, samples: int, seed: int) -> Answer:
    """All elements at once."""
    parsed = [parse(topology, text) for text in elements]
    losses, shares, exact = scenarios(parsed, samples, seed)
    judge.plan(len(losses))
    outcomes = judge.outcomes(losses, shares)
    kind = parsed[0].pools[0].kind if parsed[0].pools else ""
    back = way_back(topology, kind, any(o.jobs_lost for o in outcomes))
    count = sum(element.number for element in parsed)
    return Answer(" with ".join(elements), "asked", count, outcomes, exact, True, None, None, back,
                  repair(topology, kind))  # fmt: skip


def _answer(
    topology: Topology, each: Components, judge: Judge, losses: list[Loss], shares: NDArray[np.float64], exact: bool
) -> Answer:
    outcomes = judge.outcomes(losses, shares)
    parts, layer = topology.catalogue, topology.circuits
    free = spare_ports(layer) if layer is not None and each.kind == "ocs-port" else None
    return Answer(
        each.name, each.kind, each.count, outcomes, exact, each.proven, hard_failures(each, parts), flaps(each, parts),
        way_back(topology, each.kind, any(o.jobs_lost for o in outcomes)), repair(topology, each.kind), free,
    )  # fmt: skip


def _unjudged(topology: Topology, answers: Sequence[Answer]) -> Iterator[str]:
    """What is left out, or taken to be alike, and why."""
    if topology.circuits is not None and in_cycle(topology):
        yield "circuit switches and their ports are not judged: circuits go through a cycle"
    if host_of(topology) is None:
        yield "hosts are not judged: the catalogue has none for these accelerators"
    silent = [each.name for each in answers if each.per_day is None and each.kind not in ("asked", "block")]
    if silent:
        yield f"no source says how often these fail: {', '.join(silent)}; they are not in the goodput"
    if any(each.kind == "block" for each in answers):
        yield "a block fails with any of its accelerators and hosts, whose failures are counted there"
    if topology.domains and any(o.cut_off for each in answers for o in each.outcomes):
        yield "cut off: but for the own scale-up domain, through which others may relay (pxn); planes do not meet"
    alike = [each.name for each in answers if not each.proven and each.exact]
    if alike:
        yield f"places of {', '.join(alike)} count as alike where what they hold is; no symmetry of theirs is proven"


def _estimates(topology: Topology, answers: Sequence[Answer], kept: Goodput | None) -> list[str]:
    """What the answer stands on beside published figures, each once."""
    said = [*topology.notes, *_unjudged(topology, answers)]
    for each in answers:
        for events in (each.per_day, each.flaps_per_day):
            said += events.estimates if events else ()
        said += each.recovery.estimates + each.repair.estimates
    if kept is not None:
        said += kept.per_day.estimates
        for name in ("checkpoint", "restart"):
            said += step(name, topology.catalogue).estimates
    return list(dict.fromkeys(said))
