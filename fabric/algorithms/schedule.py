"""A schedule: the steps of an algorithm, what each sends, and how they overlap."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fabric.algorithms.lanes import Lanes
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology

OVERLAPS = ("pipelined", "phased")


class NotApplicable(InfeasibleError):
    """This algorithm does not do this collective on this topology; `auto` goes on to the next."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its traffic in bytes per byte of size, and how many messages follow each other in it.

    A message waits for the slowest of the round before it where all ranks exchange, and for its own predecessor alone
    where data goes round a ring (`chain`): there the mean hop counts, not the longest. Without `lanes` every pair
    exchanges one message, and none waits for another.
    """

    name: str
    traffic: Traffic
    rounds: int
    chain: bool = False
    lanes: Lanes | None = None

    @classmethod
    def along(cls, lanes: Lanes, name: str, n: int, rounds: int, *, chain: bool = False) -> "Step":
        """A step whose messages follow each other along lanes."""
        return cls(name, lanes.traffic(n), rounds, chain, lanes)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps and their overlap: `pipelined` steps share the links all the time, `phased` ones follow each other.

    `relays` says whose traffic accelerators pass on by the algorithm's choice, for the reader of the answer.
    """

    algorithm: str
    overlap: str
    steps: tuple[Step, ...]
    relays: str | None = None

    def overlapped(self, overlap: str) -> "Schedule":
        """The same steps under another overlap."""
        return replace(self, overlap=overlap)


Algorithm = Callable[[Topology, Collective], Schedule]


def equal_domains(topology: Topology) -> list[list[int]]:
    """The scale-up domains of a topology that has at least two, all of one size; NotApplicable otherwise."""
    domains = topology.domains
    sizes = {len(d) for d in domains}
    if len(domains) < 2 or len(sizes) > 1 or sizes == {1} or sum(map(len, domains)) != len(topology.accelerators):
        raise NotApplicable(f"{topology.name} has no two scale-up domains of equal size to work in and across")
    return domains
