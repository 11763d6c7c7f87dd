"""Wiring: the exchanges of layouts on one fabric, every pattern of groups priced once and read off at any size."""

from dataclasses import dataclass, field, replace
from typing import Any

from fabric.collectives import Collective
from fabric.domains import first_domain
from fabric.patterns import bytes_of, pattern_of
from fabric.placement import Placement, placed
from fabric.timing import Assumptions, Plan, candidates, choose, priced_by
from fabric.transports import IDEAL
from fabric.workloads.steps.least import Least, spread
from fabric.workloads.steps.mix import Exchange
from fabric.workloads.steps.occupancy import Occupancy, alike
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

    def document(self) -> dict[str, Any]:
        """Who, what, how much, how often and how long, under the keys of JSON."""
        e = self.exchange
        return {
            "dimension": e.dimension, "collective": e.collective, "ranks": e.ranks, "size_bytes": e.size_bytes,
            "count": e.count, "sent_bytes": e.sent_bytes, "algorithm": self.algorithm, "routing": self.routing,
            "time_us": self.one_s * 1e6,
        }  # fmt: skip


@dataclass(slots=True, eq=False)
class Wiring:
    """A fabric on which layouts exchange, the first dimension of a layout being the fastest; experts' tokens at raw
    rates, since kernels of their own move them, not a library's collectives.

    All groups of a dimension exchange at once. Where domains are alike and hold whole groups, those of the first domain
    stand for all: what stays inside a domain meets nobody of another. `ranks` of the job may be fewer than placed.
    """

    topology: Topology
    transport: str = "auto"
    routing: str = "auto"
    placement: Placement = "packed"
    ranks: int | None = None
    priced: int = 0  # patterns routed so far
    domain: int | None = None  # ranks of the job in each scale-up domain, where these are alike
    _plans: dict[tuple[object, ...], list[Plan]] = field(default_factory=dict)
    _known: dict[Exchange, Wired] = field(default_factory=dict)
    _unreached: dict[tuple[object, ...], InfeasibleError] = field(default_factory=dict)
    _least: Least | None = None

    def __post_init__(self) -> None:
        if self.placement == "packed":
            self.domain = alike(self.topology)

    def occupied(self, by: Occupancy) -> "Wiring":
        """The same fabric where fewer accelerators work."""
        fewer = Wiring(self.topology, self.transport, self.routing, by.placement, by.ranks)
        fewer.domain = by.per_domain
        return fewer

    def wired(self, exchange: Exchange) -> Wired:
        """The time of one exchange of all groups of its dimension. InfeasibleError where a group has no path, as
        between rails without spines.

        >>> from fabric.workloads.steps.mix import mix
        >>> from fabric.workloads.steps.parallel import Parallel
        >>> from fabric.workloads.models.zoo import model
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
        """What one exchange takes at least, whatever carries it: `fabric.workloads.steps.least`."""
        if self._least is None:
            self._least = Least(self.topology, placed(self.topology, self.placement)[: self.ranks])
        return self._least.seconds(exchange)

    def _wired(self, exchange: Exchange) -> Wired:
        fabric, pattern = self._pattern(exchange)
        size = max(1.0, exchange.size_bytes)
        if exchange.moe is not None:
            size = float(bytes_of(fabric, pattern, None))
        plan = self._plan(fabric, exchange, pattern, size)
        return Wired(exchange, plan.schedule.algorithm, plan.routing, plan.time_s(size))

    def _plan(self, fabric: Topology, exchange: Exchange, pattern: Collective, size: float) -> Plan:
        """The fastest at a size. Where few algorithms do, those of a library or of experts' tokens, all are routed once
        and kept; loads are in proportion to tokens."""
        given = Assumptions(transport=self.transport, routing=self.routing)
        moe = exchange.moe
        if moe is not None:
            given = replace(given, transport=IDEAL)
        elif priced_by(fabric, pattern, given) is None:
            self.priced += 1
            return choose(fabric, pattern, size, given)
        key = (exchange.collective, *spread(exchange), None if moe is None else replace(moe, tokens=1))
        if key not in self._plans:
            self.priced += 1
            self._plans[key] = candidates(fabric, pattern, given)
        times = [plan.time_s(size) for plan in self._plans[key]]
        least = min(times) * (1 + _SAME)
        return next(plan for plan, time in zip(self._plans[key], times, strict=True) if time <= least)

    def _pattern(self, exchange: Exchange) -> tuple[Topology, Collective]:
        """Groups of an exchange, and the fabric that they see: of those inside domains one domain alone."""
        stride, ranks = spread(exchange)
        fabric, placement, last = self.topology, self.placement, self.ranks
        g, n = self.domain, self.ranks or len(fabric.accelerators)
        if g is not None and g < n and g % (stride * ranks) == 0:
            alone = first_domain(fabric) if self.routing == "auto" else None
            fabric, last = alone or fabric, g
            placement = "packed" if alone else placement
        pattern = pattern_of(
            fabric, exchange.collective, ranks=f"0-{last - 1}" if last else None,
            group={"inner": stride, "group": ranks}, over="group", placement=placement, moe=exchange.moe,
        )  # fmt: skip
        return fabric, pattern
