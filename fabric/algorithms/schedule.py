"""A schedule: the steps of an algorithm, what each sends, and how they overlap."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fabric.algorithms.messages import Messages
from fabric.collectives import Collective
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology

OVERLAPS = ("pipelined", "phased", "chunked", "chunked:k")


def parse_overlap(overlap: str) -> tuple[str, int]:
    """The kind of an overlap and its number of chunks: 1 where it has none, 0 where the size says how many are best.

    >>> parse_overlap("chunked:4"), parse_overlap("phased"), parse_overlap("chunked")
    (('chunked', 4), ('phased', 1), ('chunked', 0))
    """
    if overlap == "chunked":
        return overlap, 0
    kind, colon, chunks = overlap.partition(":")
    if kind == "chunked" and chunks.isascii() and chunks.isdigit() and 1 <= int(chunks[:7]) <= 1_000_000:
        return kind, int(chunks)
    if colon or overlap not in OVERLAPS[:2]:
        raise ConfigError(f"overlap '{overlap}' is not one of auto, {', '.join(OVERLAPS)} (k chunks, at least 1)")
    return kind, 1


class NotApplicable(InfeasibleError):
    """This algorithm does not do this collective on this topology; `auto` goes on to the next."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its traffic in bytes per byte of size, and how many messages follow each other in it.

    A message waits for the slowest of the round before it where all ranks exchange, and for its own predecessor alone
    where data goes round a ring (`chain`): there the mean hop counts, not the longest. `whole`: each rank has to have
    all of it before it passes any on, unless the data is cut into chunks.
    """

    name: str
    traffic: Traffic
    rounds: int
    chain: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps and their overlap: `pipelined` steps share the links all the time, `phased` ones follow each other,
    `chunked` ones overlap as far as chunks of the data do, as many as the size is worth.

    `messages(chunks)` gives every message, each of so many equal chunks of the data going through the algorithm by
    itself; it carries what the steps do. It is worked out for fluid fidelity only; None where there is no such graph.
    `relays` says whose traffic accelerators pass on by the algorithm's choice, for the reader of the answer.
    """

    algorithm: str
    overlap: str
    steps: tuple[Step, ...]
    relays: str | None = None
    messages: Callable[[int], Messages] | None = None

    @property
    def ends(self) -> int:
        """End points of its traffic: the ranks, or ranks and nodes where switches reduce and multicast."""
        return max(step.traffic.n for step in self.steps)

    def overlapped(self, overlap: str) -> "Schedule":
        """The same steps under another overlap."""
        return replace(self, overlap=overlap)


Algorithm = Callable[[Topology, Collective], Schedule]


def equal_domains(topology: Topology, least: int = 2) -> list[list[int]]:
    """The scale-up domains of a topology that has at least two, all of one size, `least` or more; NotApplicable
    otherwise."""
    domains = topology.domains
    sizes = {len(d) for d in domains}
    if len(domains) < 2 or len(sizes) > 1 or min(sizes) < least or sum(map(len, domains)) != len(topology.accelerators):
        raise NotApplicable(f"{topology.name} has no two scale-up domains of equal size to work in and across")
    return domains
