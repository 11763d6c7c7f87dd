"""Objectives: by what fabrics that fit are ranked; a workload's own comes in as one more value."""

from collections.abc import Callable
from dataclasses import dataclass

from fabric.collectives import COLLECTIVES
from fabric.metrics import bisection_gb_per_s
from fabric.simulation import simulate
from topologies.errors import ConfigError, unknown
from topologies.graph import Topology


@dataclass(frozen=True, slots=True)
class Objective:
    """What is wanted of a fabric, more being better: a name, its unit, and its value of a topology (None: unknown).

    Tokens a second of a workload would be `Objective("tokens", "tokens/s", evaluate)`.
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


def accelerators(topology: Topology) -> float:
    """How many there are."""
    return float(len(topology.accelerators))


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
    if name not in OBJECTIVES:
        raise ConfigError(unknown("objective", name, OBJECTIVES))
    return OBJECTIVES[name]
