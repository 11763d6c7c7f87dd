"""Objectives: by what fabrics that fit are ranked; a workload's own comes in as one more value."""

from collections.abc import Callable
from dataclasses import dataclass

from fabric.collectives import COLLECTIVES
from fabric.metrics import bisection_gb_per_s
from fabric.simulation import simulate
from fabric.workloads.comparing import workload
from fabric.workloads.splits import read_question
from fabric.workloads.zoo import model as named
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology


@dataclass(frozen=True, slots=True)
class Objective:
    """What is wanted of a fabric, more being better: a name, its unit, and its value of a topology (None: unknown).

    Tokens a second of a workload are `Objective("llama-3.1-70b trained", "tokens/s", Trained("llama-3.1-70b"))`.
    """

    name: str
    unit: str
    evaluate: Callable[[Topology], float | None]


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
class Trained:
    """Tokens a second that all accelerators together train a model with, one sequence an accelerator, in the layout
    that is given or the fastest."""

    model: str
    layout: str = "auto"

    def __call__(self, topology: Topology) -> float | None:
        """Of the whole fabric; None where the model does not fit in the layout given.

        InfeasibleError where it fits in none.
        """
        answer = workload([topology], self.model, read_question(self.layout))[0]
        return answer.rate * len(topology.accelerators) if answer.fits and answer.rate is not None else None


def accelerators(topology: Topology) -> float:
    """How many there are."""
    return float(len(topology.accelerators))


TRAINING = "train"
OBJECTIVES = {
    "accelerators": Objective("accelerators", "accelerators", accelerators),
    "bandwidth": Objective("bisection bandwidth", "GB/s", bisection_gb_per_s),
}


def objective_of(
    name: str | Objective, collective: str | None = None, size: str | float = "1GiB", transport: str = "auto"
) -> Objective:
    """The objective of that name, or what a collective delivers; ConfigError for a name that is none.

    >>> objective_of("bandwidth").unit, objective_of("accelerators", "all-reduce").name
    ('GB/s', 'all-reduce of 1GiB, all together')
    """
    if isinstance(name, Objective):
        return name
    if collective is not None:
        if collective not in COLLECTIVES:
            raise ConfigError(unknown("collective", collective, COLLECTIVES))
        return Objective(f"{collective} of {size}, all together", "GB/s", Delivered(collective, size, transport))
    kind, _, model = name.partition(":")
    if kind == TRAINING and model:
        return Objective(f"{named(model).title} trained", "tokens/s", Trained(model))
    if name not in OBJECTIVES:
        raise ConfigError(unknown("objective", name, [*OBJECTIVES, f"{TRAINING}:MODEL"]))
    return OBJECTIVES[name]
