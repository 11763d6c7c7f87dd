"""Objectives: by what fabrics that fit are ranked; a workload's own comes in as one more value."""

from collections.abc import Callable
from dataclasses import dataclass

from fabric.collectives import COLLECTIVES
from fabric.metrics import bisection_gb_per_s
from fabric.simulation import simulate
from fabric.workloads.comparing import Answer, workload
from fabric.workloads.models.zoo import model as named
from fabric.workloads.replicas import Load
from fabric.workloads.steps.splits import Question, read_question
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology


@dataclass(frozen=True, slots=True)
class Objective:
    """What is wanted of a fabric, more being better: a name, its unit, and its value of a topology (None: unknown);
    of a workload `run` gives the whole answer, whose tokens a second are the value.

    One's own is `Objective("memory", "GB", lambda topology: 192.0 * len(topology.accelerators))`.
    """

    name: str
    unit: str
    evaluate: Callable[[Topology], float | None]
    run: "Run | None" = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Bus bandwidth that all accelerators together get in a collective, GB/s."""

    collective: str
    size: str | float
    transport: str

    def __call__(self, topology: Topology) -> float:
        """Of the whole fabric."""
        result = simulate(topology, self.collective, self.size, transport=self.transport)
        return result.busbw_gb_per_s * result.accelerators


@dataclass(frozen=True, slots=True)
class Run:
    """A model trained (one sequence an accelerator, unless `asked` says another batch) or served, in the layout that is
    given or the best."""

    model: str
    asked: Question | Load
    layout: str = "auto"
    transport: str = "auto"
    routing: str = "auto"

    def answer(self, topology: Topology) -> Answer:
        """Of the whole fabric. InfeasibleError where the model fits in no layout, or no user gets the floor."""
        return workload(
            [topology], self.model, self.asked, layout=self.layout, transport=self.transport, routing=self.routing
        )[0]

    def __call__(self, topology: Topology) -> float | None:
        """Tokens a second of the whole fabric; None where the model does not fit in the layout given."""
        return tokens_per_s(self.answer(topology))


def tokens_per_s(answer: Answer) -> float | None:
    """Of the whole fabric; None where a step does not fit into memory."""
    if answer.step is not None:
        return answer.step.tokens_per_s if answer.fits else None
    return None if answer.serving is None else answer.serving.point.tokens_per_s


def accelerators(topology: Topology) -> float:
    """How many there are."""
    return float(len(topology.accelerators))


TRAINING, SERVING = "train", "serve"
OBJECTIVES = {
    "accelerators": Objective("accelerators", "accelerators", accelerators),
    "bandwidth": Objective("bisection bandwidth", "GB/s", bisection_gb_per_s),
}


def objective_of(
    name: str | Objective,
    collective: str | None = None,
    size: str | float = "1GiB",
    transport: str = "auto",
    *,
    asked: Question | Load | None = None,
    layout: str = "auto",
    routing: str = "auto",
) -> Objective:
    """The objective of that name, what a collective delivers, or tokens a second of "train:MODEL" or "serve:MODEL" as
    they are `asked`; ConfigError for a name that is none.

    >>> objective_of("bandwidth").unit, objective_of("accelerators", "all-reduce").name
    ('GB/s', 'all-reduce of 1GiB, all together')
    >>> objective_of("serve:llama-3.1-70b", asked=Load(floor=50.0)).name
    'Llama-3.1 70B served at 50 tokens/s a user'
    """
    if isinstance(name, Objective):
        return name
    if collective is not None:
        if collective not in COLLECTIVES:
            raise ConfigError(unknown("collective", collective, COLLECTIVES))
        return Objective(f"{collective} of {size}, all together", "GB/s", Delivered(collective, size, transport))
    kind, _, model = name.partition(":")
    if kind in (TRAINING, SERVING) and model:
        run = Run(model, _asked(kind, asked), layout, transport, routing)
        floor = run.asked.floor if isinstance(run.asked, Load) else None
        done = "trained" if kind == TRAINING else "served" + (f" at {floor:g} tokens/s a user" if floor else "")
        return Objective(f"{named(model).title} {done}", "tokens/s", run, run)
    if name not in OBJECTIVES:
        raise ConfigError(unknown("objective", name, [*OBJECTIVES, f"{TRAINING}:MODEL", f"{SERVING}:MODEL"]))
    return OBJECTIVES[name]


def _asked(kind: str, asked: Question | Load | None) -> Question | Load:
    """The step or load, that of defaults where none is given; ConfigError for that of the other kind."""
    if asked is None:
        return read_question("auto") if kind == TRAINING else Load()
    if isinstance(asked, Load) is not (kind == SERVING):
        raise ConfigError(f"objective {kind}:MODEL takes a {'step' if kind == TRAINING else 'load'}, not the other")
    return asked
