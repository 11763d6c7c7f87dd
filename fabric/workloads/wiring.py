"""Wiring: the exchanges of layouts on one fabric, every pattern of groups priced once and read off at any size."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fabric.collectives import Collective
from fabric.domains import domains_of_nodes
from fabric.patterns import bytes_of, pattern_of
from fabric.placement import Placement
from fabric.results import accelerator_of
from fabric.timing import Assumptions, Plan, candidates, choose, priced_by
from fabric.transports import IDEAL
from fabric.workloads.mix import Exchange
from topologies.errors import InfeasibleError
from topologies.graph import Topology

_SAME = 1e-12  # times closer than this are equal but for rounding


@dataclass(frozen=True, slots=True)
class Wired:
    """An exchange on the fabric: the time of one, and of all of a step, if nothing else ran."""

    exchange: Exchange
    algorithm: str
    routing: str
    one_s: float

    @property
    def step_s(self) -> float:
        """All of a step."""
        return self.one_s * self.exchange.count


@dataclass(slots=True, eq=False)
class Wiring:
    """A fabric on which layouts exchange, the first dimension of a layout being the fastest; experts' tokens at raw
    rates, since kernels of their own move them, not a library's collectives.

    All groups of a dimension exchange at once. Where domains are alike and hold whole groups, those of the first domain
    stand for all: what stays inside a domain meets nobody of another.
    """

    topology: Topology
    transport: str = "auto"
    routing: str = "auto"
    placement: Placement = "packed"
    priced: int = 0  # patterns routed so far
    _plans: dict[tuple[object, ...], list[Plan]] = field(default_factory=dict)
    _known: dict[Exchange, Wired] = field(default_factory=dict)
    _unreached: dict[tuple[object, ...], InfeasibleError] = field(default_factory=dict)
    domain: int | None = None
    _rates: "Borders | None" = None

    def __post_init__(self) -> None:
        self.domain = alike(self.topology) if self.placement == "packed" else None
        self._rates = borders(self.topology)

    def wired(self, exchange: Exchange) -> Wired:
        """The time of one exchange of all groups of its dimension. InfeasibleError where a group has no path, as
        between rails without spines.

        >>> from fabric.workloads.mix import mix
        >>> from fabric.workloads.parallel import Parallel
        >>> from fabric.workloads.zoo import model
        >>> from topologies.registry import build
        >>> gpt, wiring = model("gpt3-175b"), Wiring(build("dgx-h100-superpod-256"))
        >>> layout = Parallel(tp=8, pp=8, global_batch=64, sequence=2048).on(256, gpt)
        >>> found = [wiring.wired(exchange) for exchange in mix(gpt, layout)]
        >>> [w.exchange.dimension for w in found], all(w.one_s >= wiring.least_s(w.exchange) > 0 for w in found)
        (['tp', 'dp', 'pp'], True)
        """
        if exchange not in self._known:
            key = (exchange.collective, *spread(exchange))
            if key in self._unreached:
                raise self._unreached[key]
            try:
                self._known[exchange] = self._wired(exchange)
            except InfeasibleError as error:
                self._unreached[key] = error
                raise
        return self._known[exchange]

    def known(self, exchange: Exchange) -> "Wired | None":
        """The same, if it has been asked before."""
        return self._known.get(exchange)

    def least_s(self, exchange: Exchange) -> float:
        """What one exchange takes at least, from rates of links alone: the larger of what a rank sends and what has to
        leave a scale-up domain. Of experts' tokens nothing is known beforehand: 0."""
        if exchange.moe is not None or self._rates is None:
            return 0.0
        stride, ranks = spread(exchange)
        neighbour = exchange.collective == "send-recv"
        sent = exchange.size_bytes * (1.0 if neighbour else (ranks - 1) / ranks)
        least = sent / self._rates.rank_bytes_per_s
        g = self.domain
        if g is None or self._rates.domain_bytes_per_s <= 0 or g % stride or stride * ranks <= g:
            return least
        members = g // stride  # of a group in a domain
        if ranks % members:
            return least
        share = 1.0 if neighbour else 1 - members / ranks
        return max(least, stride * exchange.size_bytes * share / self._rates.domain_bytes_per_s)

    def _wired(self, exchange: Exchange) -> Wired:
        given = Assumptions(transport=self.transport, routing=self.routing)
        given = given if exchange.moe is None else replace(given, transport=IDEAL)
        pattern = self._pattern(exchange)
        size = max(1.0, exchange.size_bytes)
        if exchange.moe is not None:
            size = float(bytes_of(self.topology, pattern, None))
        plan = self._plan(exchange, pattern, size, given)
        return Wired(exchange, plan.schedule.algorithm, plan.routing, plan.time_s(size))

    def _plan(self, exchange: Exchange, pattern: Collective, size: float, given: Assumptions) -> Plan:
        """The fastest at a size; under a library all that it chooses from are routed once and kept."""
        if exchange.moe is not None or priced_by(self.topology, pattern, given) is None:
            self.priced += 1
            return choose(self.topology, pattern, size, given)
        key = (exchange.collective, *spread(exchange))
        if key not in self._plans:
            self.priced += 1
            self._plans[key] = candidates(self.topology, pattern, given)
        times = [plan.time_s(size) for plan in self._plans[key]]
        least = min(times) * (1 + _SAME)
        return next(plan for plan, time in zip(self._plans[key], times, strict=True) if time <= least)

    def _pattern(self, exchange: Exchange) -> Collective:
        stride, ranks = spread(exchange)
        g, n = self.domain, len(self.topology.accelerators)
        inside = g is not None and g < n and g % (stride * ranks) == 0
        return pattern_of(
            self.topology, exchange.collective, ranks=f"0-{g - 1}" if inside and g else None,
            group={"inner": stride, "group": ranks}, over="group",
            placement=self.placement, moe=exchange.moe,
        )  # fmt: skip


def spread(exchange: Exchange) -> tuple[int, int]:
    """How far apart the ranks of a group lie, and how many there are.

    >>> spread(Exchange("dp", "all-reduce", 8, 1.0, 1, 1.0, "tp=4,cp=2,dp=4,pp=2", "cp,dp"))
    (4, 8)
    """
    over, stride, ranks = exchange.over.split(","), 1, 1
    for word in exchange.group.split(","):
        name, _, size = word.partition("=")
        if name in over:
            ranks *= int(size)
        elif ranks == 1:
            stride *= int(size)
    return stride, ranks


@dataclass(frozen=True, slots=True)
class Borders:
    """What the links of a rank carry out, and those that leave a scale-up domain (the largest of each), bytes/s."""

    rank_bytes_per_s: float
    domain_bytes_per_s: float


def borders(topology: Topology) -> Borders:
    """Rates at which ranks and domains can send at most."""
    csr = topology.csr()
    out = np.bincount(csr.tails, csr.capacity, minlength=len(csr.forwards))
    label = domains_of_nodes(topology)
    leaves = (label[csr.tails] >= 0) & (label[csr.heads] != label[csr.tails])
    left = np.bincount(label[csr.tails[leaves]], csr.capacity[leaves]) if leaves.any() else np.zeros(1)
    return Borders(float(out[csr.accelerators].max()), float(left.max()))


def alike(topology: Topology) -> int | None:
    """Accelerators of a scale-up domain where all domains are alike: equally large, ranks in a row, the same links
    inside; None elsewhere.

    >>> from topologies.registry import build
    >>> alike(build("rail:servers=4,gpus=8")), alike(build("torus:dims=4x4"))
    (8, None)
    """
    domains = topology.domains
    sizes = {len(ranks) for ranks in domains}
    n = len(topology.accelerators)
    if len(sizes) != 1 or accelerator_of(topology) is None:
        return None
    size = sizes.pop()
    if size * len(domains) != n or not np.array_equal(np.concatenate(domains), np.arange(n)):
        return None
    return size if _same_links(topology, size, len(domains)) else None


def _same_links(topology: Topology, size: int, count: int) -> bool:
    """Do accelerators in the same place of every domain have the same links inside it?"""
    csr, label = topology.csr(), domains_of_nodes(topology)
    inside = (label[csr.tails] >= 0) & (label[csr.tails] == label[csr.heads])
    nodes = len(csr.forwards)
    arcs: NDArray[np.int64] = np.bincount(csr.tails[inside], minlength=nodes)[csr.accelerators].reshape(count, size)
    rate = np.bincount(csr.tails[inside], csr.capacity[inside], nodes)[csr.accelerators].reshape(count, size)
    switches = np.bincount(label[label >= 0], minlength=count)
    return bool((arcs == arcs[0]).all() and np.allclose(rate, rate[0]) and (switches == switches[0]).all())
