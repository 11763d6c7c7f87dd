"""Comparing: one workload on several fabrics, each by the layout that is named or by the best there is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from fabric.limits import Conditions, first_wall, walls
from fabric.results import Wall
from fabric.varying import varied_specs
from fabric.workloads.inference import accelerator_of_fabric
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import model as named
from fabric.workloads.replicas import SPACE as REPLICAS
from fabric.workloads.replicas import Load, Serving, best_replica, check_context, checked
from fabric.workloads.scale_up import SAID, with_domain
from fabric.workloads.searching import Found, fastest
from fabric.workloads.sram.machines import is_sram
from fabric.workloads.sram.serving import serve_from_sram
from fabric.workloads.steps.achieved import achieved
from fabric.workloads.steps.least import spread
from fabric.workloads.steps.occupancy import SPACE as OCCUPANCY
from fabric.workloads.steps.splits import AUTO, SPACE, Question, read_question
from fabric.workloads.steps.states import pretraining_tokens
from fabric.workloads.steps.wiring import Wiring
from fabric.workloads.training import TRANSPORT, TrainingStep, accelerator_with_rate, timed
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology
from topologies.parts import Catalogue, catalogue
from topologies.registry import topology_of

MODES = ("train", "serve")
MOST = 64  # fabrics of one question
DOMAIN = "domain"
JOULES = "tokens/J of the site: nameplates of racks and network, {}, x PUE (walls --workload: as the step draws)"
TOGETHER = "replicas prefill and decode; wide groups of experts gain from prefill apart: --prefill-replicas auto"
POOLS = "replicas that prefill: as many as keep the others busy at their best load, or none where that is better"
MOST_TOKENS = "no load given: that of most tokens/s, however slow for a user; --min-tokens-per-user gives each a speed"


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
    def stands_on(self) -> tuple[str, ...]:
        """What it takes for granted but for the watts of the site, for those who count their own."""
        return tuple(line for line in self.said if not line.startswith(JOULES.partition(":")[0]))

    @property
    def fits(self) -> bool:
        """False where a step is known not to fit into memory: it is shown, not ranked."""
        return self.step is None or self.step.fits is not False

    @property
    def ranked(self) -> bool:
        """Does it stand among those that are compared?"""
        return self.why is None and self.fits

    @property
    def on_sram(self) -> bool:
        """Is it of a machine that holds weights in SRAM, whose devices are no measure for others?"""
        return self.serving is not None and is_sram(self.serving.inference.accelerator)

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
    asked: "Question | Load | str" = "auto",
    *,
    layout: str = "auto",
    vary: Sequence[str] = (),
    transport: str = "auto",
    routing: str = "auto",
    parts: Catalogue | None = None,
) -> list[Answer]:
    """The workload on each fabric, ranked by tokens a second and accelerator (`places`); then what does not fit into
    memory, and what has no answer, with why.

    A `Question` (`fabric.workloads.steps.splits`) trains, or its text, "tp=8,pp=8,batch=512" or "auto,batch=512": its
    layout, or where parts of it are free the fastest feasible split. A `Load` (`fabric.workloads.replicas`) serves,
    with `layout` or the best there is. `vary` changes parameters of each fabric, "technology=dac,cpo", or
    "domain=8,72": scale-up domains of these sizes.

    The error of a single fabric is raised, as is one that all share: ConfigError, TopologyError, InfeasibleError.

    >>> best, *_ = workload(["rail:servers=8"], "llama-3.1-8b", "auto,batch=64,seq=8192", vary=["domain=8,16"])
    >>> best.values, best.search.splits >= best.search.fitting > best.search.priced
    ({'domain': '16'}, True)
    """
    rows = catalogue() if parts is None else parts
    shape = model if isinstance(model, Model) else named(model)
    asked = read_question(asked) if isinstance(asked, str) else asked
    cases = _cases(specs, vary)
    found: list[Answer] = []
    errors: list[FabricError] = []
    for spec, values, size in cases:
        name = spec if isinstance(spec, str) else spec.name
        try:
            fabric = topology_of(spec, parts=rows) if size is None else with_domain(name, size, rows)
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
    return sorted(found, key=lambda a: (a.rate is None, not a.fits, -(a.rate or 0.0)))


def places(answers: Sequence[Answer]) -> list[int | None]:
    """The rank of each answer, in their order, None where it has none. Machines of SRAM are ranked apart."""
    count = Counter[bool]()
    found: list[int | None] = []
    for answer in answers:
        count[answer.on_sram] += answer.ranked
        found.append(count[answer.on_sram] if answer.ranked else None)
    return found


Case = tuple["str | Topology", dict[str, str], "int | None"]


def _cases(specs: "Sequence[str | Topology]", vary: Sequence[str]) -> list[Case]:
    """Every fabric with what varies, and the size of its scale-up domains where that does."""
    sizes = [text for text in vary if text.partition("=")[0].strip() == DOMAIN]
    others = [text for text in vary if text not in sizes]
    if len(sizes) > 1:
        raise ConfigError("--vary domain is given twice; write all its sizes after one, domain=8,72")
    found: list[tuple[str | Topology, dict[str, str]]] = [(spec, {}) for spec in specs]
    if others or sizes:
        words = [spec for spec in specs if isinstance(spec, str)]
        if len(words) < len(specs):
            raise ConfigError("vary changes specs; give them as text, not built")
        if others:
            found = [(one.spec, dict(one.values)) for one in varied_specs(words, others)]
    each = domain_sizes(sizes[0]) if sizes else [None]
    cases = [(spec, {**values, **({} if size is None else {DOMAIN: str(size)})}, size)
             for spec, values in found for size in each]  # fmt: skip
    if not cases or len(cases) > MOST:
        raise ConfigError(f"{len(cases)} fabrics are asked for; give 1 to {MOST}")
    return cases


def check_vary(specs: Sequence[str], vary: Sequence[str]) -> None:
    """Raise ConfigError for what varies nothing, before anything is built."""
    _cases(specs, vary)


def domain_sizes(text: str) -> list[int | None]:
    """Sizes of scale-up domains; ConfigError for what are none.

    >>> domain_sizes("domain=8,72")
    [8, 72]
    """
    words = [word.strip() for word in text.partition("=")[2].split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) < 8 for word in words):
        raise ConfigError(f"--vary '{text:.60}' is not domain=A,B,...; write it like domain=8,72,144,576")
    sizes = [int(word) for word in words]
    if min(sizes) < 2 or len(set(sizes)) < len(sizes):
        raise ConfigError(f"--vary '{text:.60}': sizes are 2 or more, and different")
    return list(sizes)


def _answer(fabric: Topology, name: str, values: Mapping[str, str], parts: dict[str, Any], *, sized: bool) -> Answer:
    held = walls(fabric, parts.pop("given"))
    said = (*parts.pop("said"), *((SAID,) if sized else ()))
    return Answer(spec=name, values=values, walls=held, first_wall=first_wall(held), said=said, **parts)


def _trained(fabric: Topology, model: Model, asked: Question, transport: str, routing: str) -> dict[str, Any]:
    """A step by the layout that is given, or by the fastest of all feasible ones."""
    transport = TRANSPORT if transport == "auto" else transport
    wiring, row, a = Wiring(fabric, transport, routing), accelerator_with_rate(fabric), achieved()
    n = len(fabric.accelerators)
    said = [] if asked.given.global_batch else [f"no batch given: {n:,} sequences, one an accelerator"]
    if asked.given.sequence is None and model.sequence > pretraining_tokens():
        said.append(f"no sequence given: {pretraining_tokens():,} tokens, of a context of {model.sequence:,}")
    elif (asked.given.sequence or 0) > model.sequence:
        said.append(f"sequences of {asked.given.sequence:,} tokens exceed the model's context of {model.sequence:,}")
    found = fastest(wiring, model, asked, row, a)
    step = timed(fabric, model, found.parallel, row, found.wires, a)
    if asked.free:
        what = f"auto, exact: the fastest of {found.fitting:,} splits that fit of {found.splits:,}: {SPACE}"
        said.insert(0, f"{what}; {OCCUPANCY}")
    if found.unreached:
        said.append(f"{found.unreached:,} splits that may be faster have exchanges without a path, and are left out")
    said += [*found.occupancy.said, *_straddling(found), *_switching(fabric, step)]
    said += [] if step.facility_power_w is None else [JOULES.format("typical")]
    return {"step": step, "search": found if asked.free else None, "given": _held(step), "said": (*said, *step.said)}


def _held(step: TrainingStep) -> Conditions:
    """What the memory wall is asked: all that the ranks of one copy of the model hold."""
    ranks = step.parallel.tp * step.parallel.pp
    what = "weights, gradients, optimizer and activations"
    return Conditions(weights_bytes=step.memory.total * ranks, holding=what, shards=ranks)


def _switching(fabric: Topology, step: TrainingStep) -> list[str]:
    """Where circuits could change during the step, what that could win at most."""
    if fabric.circuits is None:
        return []
    most = f"{100 * step.exposed_share:.1f} % of the step, all that its communication shows"
    return [f"circuits stay as they are; switched between phases they could win {most} (aifabric plan phases)"]


def _straddling(found: Found) -> list[str]:
    """Groups that lie unevenly across scale-up domains, since ranks fill them without a gap."""
    size, said = found.occupancy.per_domain, list[str]()
    if found.occupancy.domains == 1:
        return said
    for dimension, ranks in dict.fromkeys((w.exchange.dimension, prod(spread(w.exchange))) for w in found.wires):
        if size % ranks and ranks % size:
            said.append(f"{dimension}: blocks of {ranks:,} ranks straddle domains of {size:,}")
    return said


def _served(fabric: Topology, model: Model, load: Load, layout: str) -> dict[str, Any]:
    """A model served by the layout that is given, or by the best of all that hold it."""
    row, load = accelerator_of_fabric(fabric), checked(load)
    check_context(model, load)
    loads = [] if load.floor or load.concurrency else [MOST_TOKENS]
    if is_sram(row.name):
        found = serve_from_sram(fabric, model, row, load, layout)
        return {"serving": found, "given": _cached(found), "said": (*loads, *found.inference.estimates)}
    found = best_replica(fabric, model, row, layout, load)
    tried = [] if "auto" not in layout else [
        f"auto, exact: the best of {found.fitting:,} layouts that hold the weights of {found.layouts:,}: {REPLICAS}"
    ]
    if not load.prefill_replicas and model.experts:
        tried.append(TOGETHER)
    if load.prefill_replicas == AUTO:
        tried.append(POOLS)
    if found.point.tokens_per_j_facility is not None:
        tried.append(JOULES.format("at most, as they are provisioned"))
    return {"serving": found, "given": _cached(found), "said": (*tried, *loads, *found.inference.estimates)}


def _cached(found: Serving) -> Conditions:
    """The same of a replica: its weights, and the caches of the requests that run."""
    served = found.inference
    ranks, group = served.layout.accelerators, found.point.running / served.layout.dp
    return Conditions(
        weights_bytes=served.weights_gb * 1e9 * ranks, kv_bytes=group * served.request_gb * 1e9 * ranks, shards=ranks
    )
