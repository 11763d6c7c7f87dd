"""Stages: units in an order and in runs such that what stays up carries the floor in every one of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fabric.planning.bounds import StageProgram
from fabric.planning.capacity import Changes, Matrix, Meter, sent_and_received
from fabric.planning.ports import Ports
from fabric.planning.throughput import COARSE, Carrier
from fabric.planning.wiring import Counts

Chosen = NDArray[np.int64]  # numbers of units
MOST_STAGES = 1000
SQUEEZES = 40  # probes for a few units more, a stage
FEW_SQUEEZES = 8
REFRESHES, WORTH_IT, NEARLY = 2, 0.02, 0.8  # of the split at the end of a run, where that lengthens it
RESTARTS = 3  # orders tried while a bound says that fewer stages may do
SMALL_BLOCKS = 16  # up to which restarts cost next to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What every stage keeps to.

    `one_more_lost`: the floor holds with any further switch lost. `most_switches` and `one_domain` limit what a stage
    touches; `failing` is the expected share of new links that fail to qualify and count as down from their stage on;
    `adds_first` puts up what needs nothing taken down in a stage of its own.
    """

    one_more_lost: bool = False
    most_switches: int | None = None
    one_domain: bool = False
    failing: float = 0.0
    adds_first: bool = False
    by_capacity: bool = False


@dataclass(slots=True, eq=False)
class Stager:
    """Cuts units into stages. `circuits` float64[N, N] are up before, by pair of blocks; `wanted(share)` carries."""

    ports: Ports
    changes: Changes
    carrier: Carrier
    rules: Rules
    counts: Counts
    meter: Meter = field(init=False)
    probes: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.meter = Meter.of(self.ports)

    def keeps(
        self, up: Matrix, share: float, by_switch: NDArray[np.float64] | None = None, *, quick: bool = False
    ) -> bool:
        """Whether these circuits (float64[N, N]) keep the floor; with any switch of `by_switch` [K, N, N] lost, too."""
        self.probes += 1
        gbps = self.meter.gbps(up)
        if self.rules.by_capacity:
            least = share * self._base() * (1 - 1e-9)
            states = [up] if by_switch is None else [up, *(up - own for own in by_switch)]
            return all((sent_and_received(self.meter.gbps(state)) >= least).all() for state in states)
        if by_switch is None:
            return self.carrier.carries(gbps, share, quick=quick)
        if self.carrier.carries(self.meter.gbps(np.maximum(up - by_switch.max(axis=0), 0)), share, quick=quick):
            return True
        return all(self.carrier.carries(self.meter.gbps(up - own), share, quick=quick) for own in by_switch)

    def _base(self) -> Matrix:
        """The smaller of each block's capacity before and after: what a floor of capacity is a share of."""
        everything = np.ones(self.changes.units.number, bool)
        before = self.counts.sum(axis=0).astype(np.float64)
        after = before - self.changes.removed(everything) + self.changes.added(everything)
        smaller: Matrix = np.minimum(*(sent_and_received(self.meter.gbps(state)) for state in (before, after)))
        return smaller

    def cut(self, share: float, order: Chosen, most: int = MOST_STAGES) -> list[Chosen] | None:
        """Stages that keep the floor, each as long as can be; None where some unit fits into none, or they are more
        than `most`."""
        up = self.counts.sum(axis=0).astype(np.float64)
        by_switch = self.counts.astype(np.float64) if self.rules.one_more_lost else None
        left, stages = order, []
        if self.rules.adds_first:
            left, first = self._adds(left)
            if len(first):
                stages.append(first)
                up, by_switch = self._after(up, by_switch, first)
        while len(left):
            if len(stages) >= most:
                return None
            chosen = self._stage(share, up, by_switch, left)
            if not len(chosen):
                return None
            stages.append(chosen)
            up, by_switch = self._after(up, by_switch, chosen)
            left = left[~np.isin(left, chosen)]
        return stages

    def guided(self, share: float, program: StageProgram, most: int) -> list[Chosen] | None:
        """At most so many stages, each led by what a linear program of the stages that are left would do first; None
        where that fails."""
        up = self.counts.sum(axis=0).astype(np.float64)
        left = np.arange(self.changes.units.number)
        stages: list[Chosen] = []
        while len(left) and len(stages) < most:
            shares = replace(program, circuits=up).first_shares(left, most - len(stages))
            if shares is None:
                return None
            chosen = self._stage(share, up, None, left[np.argsort(-shares, kind="stable")])
            if not len(chosen):
                return None
            stages.append(chosen)
            up, _ = self._after(up, None, chosen)
            left = left[~np.isin(left, chosen)]
        return None if len(left) else stages

    def _adds(self, order: Chosen) -> tuple[Chosen, Chosen]:
        downs = np.bincount(self.changes.units.unit_of_down, minlength=self.changes.units.number)
        free = downs[order] == 0
        return order[~free], order[free]

    def _mask(self, chosen: Chosen) -> NDArray[np.bool_]:
        mask = np.zeros(self.changes.units.number, bool)
        mask[chosen] = True
        return mask

    def _after(
        self, up: Matrix, by_switch: NDArray[np.float64] | None, chosen: Chosen
    ) -> tuple[Matrix, NDArray[np.float64] | None]:
        mask = self._mask(chosen)
        passing = 1 - self.rules.failing
        if by_switch is not None:
            by_switch = by_switch - self.changes.by_switch(mask, self.ports)
            by_switch = by_switch + passing * self.changes.by_switch(mask, self.ports, added=True)
        return up - self.changes.removed(mask) + passing * self.changes.added(mask), by_switch

    def during(self, up: Matrix, chosen: Chosen) -> Matrix:
        """Circuits between blocks while these units are changed."""
        return up - self.changes.removed(self._mask(chosen))

    def _stage(
        self, share: float, up: Matrix, by_switch: NDArray[np.float64] | None, left: Chosen
    ) -> Chosen:
        """The longest run of units that keeps the floor, by bisection, since capacity only falls as units are added;
        then a few of those behind it."""
        order = self._allowed(left)

        def fits(chosen: Chosen, quick: bool = True) -> bool:
            own = None
            if by_switch is not None:
                own = by_switch - self.changes.by_switch(self._mask(chosen), self.ports)
            return self.keeps(self.during(up, chosen), share, own, quick=quick)

        if fits(order):
            return order
        low = self._bisected(fits, order, 0)
        if not self.carrier.small and not self.rules.by_capacity:
            for _ in range(REFRESHES):
                self.carrier.bounds(self.meter.gbps(self.during(up, order[:low])), COARSE)  # leaves a better split
                more = self._bisected(fits, order, low)
                if more <= low * (1 + WORTH_IT):
                    break
                low = more
            if low < len(order) <= low * (1 + NEARLY) and fits(order, quick=False):
                return order
        chosen, rest = order[:low], order[low + 1 :]
        budget, size = SQUEEZES if self.carrier.small else FEW_SQUEEZES, max(1, len(order) // 64)
        while len(rest) and budget and size:
            budget -= 1
            more_units = rest[:size]
            if fits(np.concatenate([chosen, more_units])):
                chosen = np.concatenate([chosen, more_units])
            elif size > 1:
                size //= 2
                continue
            rest = rest[size:]
        if not len(chosen) and len(order):  # nothing quick was found: ask in full for one unit
            chosen = next((order[u : u + 1] for u in range(min(len(order), SQUEEZES)) if fits(order[u : u + 1], False)),
                          chosen)  # fmt: skip
        return chosen

    def _bisected(self, fits: Callable[[Chosen], bool], order: Chosen, low: int) -> int:
        high = len(order)
        while high - low > max(1, 0 if self.carrier.small else len(order) // 256):
            middle = (low + high) // 2
            low, high = (middle, high) if fits(order[:middle]) else (low, middle)
        return low

    def _allowed(self, left: Chosen) -> Chosen:
        """Units of the switches that one stage may touch: those with the most to do."""
        if self.rules.most_switches is None and not self.rules.one_domain:
            return left
        units = self.changes.units
        switch = np.zeros(units.number, np.int32)
        switch[units.unit_of_up] = self.ports.switch_of[units.up[:, 0]]
        switch[units.unit_of_down] = self.changes.switch_of_down
        own = switch[left]
        if self.rules.one_domain:
            domain = self.ports.wiring.domains[own]
            kept = domain == np.argmax(np.bincount(domain))
            left, own = left[kept], own[kept]
        if self.rules.most_switches is not None:
            work = np.bincount(own)
            busiest = np.argsort(-work, kind="stable")[: self.rules.most_switches]
            left = left[np.isin(own, busiest)]
        return left

    def orders(self, seed: int) -> Iterator[Chosen]:
        """The even order, then the same with some noise."""
        yield self.changes.even_order()
        draws = np.random.default_rng([seed, 77])
        while True:
            yield self.changes.even_order(draws.random(self.changes.units.number))


def fewest(
    stager: Stager, share: float, seed: int, least: int, program: StageProgram | None
) -> tuple[Sequence[Chosen] | None, int]:
    """The fewest stages found, and a bound on their number.

    `least` is a bound that is known. On small fabrics, where a `program` is given, its linear relaxation proves more;
    then its fractions guide the stages, an integer program is tried, and other orders are, while fewer may do. None
    where no order keeps the floor.
    """
    best: list[Chosen] | None = None
    orders = stager.orders(seed)
    small = stager.changes.blocks <= SMALL_BLOCKS

    def tries() -> Iterator[list[Chosen] | None]:
        yield stager.cut(share, next(orders), MOST_STAGES)
        if program is not None and best is not None:
            yield stager.guided(share, program, len(best) - 1)
            if least <= len(best) - 1:
                yield program.whole(len(best) - 1)
        for _ in range(RESTARTS if small else 0):
            yield stager.cut(share, next(orders), MOST_STAGES if best is None else len(best) - 1)

    for found in tries():
        if found is None or (best is not None and len(found) >= len(best)):
            continue
        best = found
        while program is not None and least < len(best) and program.order(least) is None:
            least += 1
        if len(best) <= least:
            break
    return best, least
