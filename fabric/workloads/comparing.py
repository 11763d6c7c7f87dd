"""Comparing: one workload on several fabrics, each by the layout that is named or by the best there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from fabric.limits import first_wall, walls
from fabric.results import Wall
from fabric.workloads.achieved import achieved
from fabric.workloads.inference import accelerator_of_fabric
from fabric.workloads.mix import mix
from fabric.workloads.model import Model
from fabric.workloads.replicas import SPACE as REPLICAS
from fabric.workloads.replicas import Load, Serving, best_replica, checked
from fabric.workloads.scale_up import SAID, with_domain
from fabric.workloads.searching import Found, fastest
from fabric.workloads.splits import SPACE, Question, completed
from fabric.workloads.sram import is_sram
from fabric.workloads.training import TRANSPORT, TrainingStep, accelerator_with_rate, timed
from fabric.workloads.wiring import Wired, Wiring, spread
from fabric.workloads.zoo import model as named
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology
from topologies.parts import Catalogue, catalogue
from topologies.registry import topology_of

MODES = ("train", "serve")
MOST = 64  # fabrics of one question


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A workload on one fabric: a training step and how it was found, or a model served; or `why` there is none. Walls
    are of the fabric; `values` what --vary set."""

    spec: str
    values: Mapping[str, str] = field(default_factory=dict)
    step: TrainingStep | None = None
    search: Found | None = None
    serving: Serving | None = None
    walls: Mapping[str, Wall | None] | None = None
    first_wall: str | None = None
    said: tuple[str, ...] = ()
    why: str | None = None

    @property
    def rate(self) -> float | None:
        """Tokens a second of an accelerator of the fabric, by which rows are ranked."""
        if self.step is not None:
            return self.step.tokens_per_s_per_accelerator
        if self.serving is not None:
            return self.serving.point.tokens_per_s / self.serving.inference.accelerators
        return None


def workload(
    specs: "Sequence[str | Topology]",
    model: "Model | str",
    asked: "Question | Load",
    *,
    layout: str = "auto",
    domains: Sequence[int] = (),
    transport: str = "auto",
    routing: str = "auto",
    parts: Catalogue | None = None,
) -> list[Answer]:
    """The workload on each fabric, ranked by tokens a second and accelerator; those without an answer last, with why.

    A `Question` (`fabric.workloads.splits`) trains: its layout, or where parts of it are free the fastest feasible
    split. A `Load` (`fabric.workloads.replicas`) serves, with `layout` or the best there is. `domains` builds each
    fabric with scale-up domains of these sizes.

    The error of a single fabric is raised, as is one that all share: ConfigError, TopologyError, InfeasibleError.

    >>> from fabric.workloads.splits import read_question
    >>> asked = read_question("auto,batch=64,seq=8192")
    >>> best, *_ = workload(["rail:servers=8"], "llama-3.1-8b", asked, domains=[8, 16])
    >>> best.values, best.search.splits > best.search.fitting > best.search.priced
    ({'domain': '16'}, True, True)
    """
    rows = catalogue() if parts is None else parts
    shape = model if isinstance(model, Model) else named(model)
    cases = [(spec, size) for spec in specs for size in (domains or (None,))]
    if not cases or len(cases) > MOST:
        raise ConfigError(f"{len(cases)} fabrics are asked for; give 1 to {MOST}")
    found: list[Answer] = []
    errors: list[FabricError] = []
    for spec, size in cases:
        name = spec if isinstance(spec, str) else spec.name
        values = {} if size is None else {"domain": str(size)}
        try:
            fabric = topology_of(spec, parts=rows) if size is None else with_domain(str(name), size, rows)
            if isinstance(asked, Question):
                answered = _trained(fabric, shape, asked, transport, routing)
            else:
                answered = _served(fabric, shape, asked, layout)
            found.append(_answer(fabric, name, values, answered, sized=size is not None))
        except FabricError as error:
            errors.append(error)
            found.append(Answer(spec=name, values=values, why=str(error)))
    if len(errors) == len(cases):
        raise errors[0]
    return sorted(found, key=lambda a: -(a.rate or 0.0))


def _answer(fabric: Topology, name: str, values: Mapping[str, str], parts: dict[str, Any], *, sized: bool) -> Answer:
    held = walls(fabric)
    said = (*parts.pop("said"), *((SAID,) if sized else ()))
    return Answer(spec=name, values=values, walls=held, first_wall=first_wall(held), said=said, **parts)


def _trained(fabric: Topology, model: Model, asked: Question, transport: str, routing: str) -> dict[str, Any]:
    """A step by the layout that is given, or by the fastest of all feasible ones."""
    transport = TRANSPORT if transport == "auto" else transport
    wiring, row, a = Wiring(fabric, transport, routing), accelerator_with_rate(fabric), achieved()
    n = len(fabric.accelerators)
    said = [] if asked.given.global_batch else [f"no batch given: {n:,} sequences, one an accelerator"]
    if not asked.free:
        layout = completed(asked, n, model).on(n, model)
        wires = tuple(wiring.wired(exchange) for exchange in mix(model, layout))
        step = timed(fabric, model, layout, row, wires, a)
        return {"step": step, "said": (*said, *_straddling(wiring, wires), *step.said)}
    found = fastest(wiring, model, asked, row, a)
    step = timed(fabric, model, found.parallel, row, found.wires, a)
    tried = f"auto, exact: the fastest of {found.fitting:,} splits that fit of {found.splits:,}: {SPACE}"
    return {"step": step, "search": found, "said": (tried, *said, *_straddling(wiring, found.wires), *step.said)}


def _straddling(wiring: Wiring, wires: Sequence[Wired]) -> list[str]:
    """Groups that lie unevenly across scale-up domains, since ranks fill the fabric without a gap."""
    size, said = wiring.domain, []
    for dimension, ranks in dict.fromkeys((w.exchange.dimension, prod(spread(w.exchange))) for w in wires):
        if size is not None and size % ranks and ranks % size:
            said.append(f"{dimension}: blocks of {ranks:,} ranks straddle domains of {size:,}: less may do better")
    return said


def _served(fabric: Topology, model: Model, load: Load, layout: str) -> dict[str, Any]:
    """A model served by the layout that is given, or by the best of all that hold it."""
    row = accelerator_of_fabric(fabric)
    if is_sram(row.name):
        raise ConfigError(f"{row.name} holds models in SRAM, which fabric.workloads.sram answers; serve on others here")
    found = best_replica(fabric, model, row, layout, checked(load))
    tried = [] if layout != "auto" else [
        f"auto, exact: the best of {found.fitting:,} layouts that hold the weights of {found.layouts:,}: {REPLICAS}"
    ]
    return {"serving": found, "said": (*tried, *found.inference.estimates)}
