"""Searching: the fastest of all feasible splits of a training step, proven by what no exchange can undercut."""

from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from math import fsum

from fabric.workloads.models.model import Model
from fabric.workloads.steps.achieved import Achieved
from fabric.workloads.steps.compute import Compute, amounts, compute
from fabric.workloads.steps.memory import memory
from fabric.workloads.steps.mix import DIMENSIONS, Exchange, mix
from fabric.workloads.steps.occupancy import Occupancy, occupancies
from fabric.workloads.steps.parallel import RECOMPUTE, Parallel
from fabric.workloads.steps.pipelining import bubble_s
from fabric.workloads.steps.splits import Question, completed, fits, splits
from fabric.workloads.steps.wiring import Wired, Wiring
from fabric.workloads.training import timeline, updated
from topologies.errors import ConfigError, InfeasibleError
from topologies.kinds import Accelerator

_FIRST = ("tp", "cp", "pp", "ep", "dp")  # what is cheap to price, and what mostly decides, first


@dataclass(frozen=True, slots=True)
class Found:
    """The fastest split, who works, and its exchanges; how many splits there are, fit into memory, were priced on the
    fabric, and have exchanges without a path. All others take longer by what they compute and by the rates of links
    alone; occupancies that were not opened, of which no splits are counted, by what they compute."""

    parallel: Parallel
    occupancy: Occupancy
    wires: tuple[Wired, ...]
    step_s: float
    splits: int
    fitting: int
    priced: int
    unreached: int


@dataclass(frozen=True, slots=True)
class _Room:
    """Accelerators that work, whose splits are not yet looked at."""

    occupancy: Occupancy
    wiring: Wiring


@dataclass(slots=True)
class _Split:
    """A split that fits into memory: what it computes, and once it is asked for, what it exchanges."""

    parallel: Parallel
    room: _Room
    parts: Compute
    exchanges: tuple[Exchange, ...] | None = None
    priced: bool = False

    def least_s(self, a: Achieved) -> float:
        """A step, at least: of exchanges that are not priced, rates of links alone."""
        if self.exchanges is None:
            micro_batch_s = self.parts.micro_batch_s
            return self.parallel.micro_batches * micro_batch_s + bubble_s(self.parallel, self.parts, micro_batch_s)
        wiring = self.room.wiring
        known = [(e, wiring.known(e)) for e in self.exchanges]
        return step_s(self, [(e, wiring.least_s(e) if w is None else w.one_s) for e, w in known], a)


@dataclass(slots=True)
class _Search:
    """Rooms and splits by what they take at least; the first is looked at more closely, until it is priced in full."""

    model: Model
    asked: Question
    row: Accelerator
    achieved: Achieved
    splits: int = 0
    fitting: int = 0
    priced: int = 0
    unreached: int = 0
    refused: ConfigError | InfeasibleError | None = None
    _heap: list[tuple[float, int, "_Room | _Split"]] = field(default_factory=list)
    _number: "count[int]" = field(default_factory=count)
    _parts: dict[tuple[object, ...], Compute] = field(default_factory=dict)

    def push(self, least_s: float, item: "_Room | _Split") -> None:
        heappush(self._heap, (least_s, next(self._number), item))

    def best(self) -> tuple[float, _Split] | None:
        """The fastest, and its step; None where none fits."""
        while self._heap:
            least, _, item = heappop(self._heap)
            if isinstance(item, _Room):
                self._open(item)
                continue
            now = item.least_s(self.achieved)
            if now > least:  # a pattern of its has been priced since
                self.push(now, item)
                continue
            try:
                if self._settled(item):
                    return now, item
            except InfeasibleError as no_path:
                self.unreached += 1
                self.refused = no_path
                continue
            self.push(item.least_s(self.achieved), item)
        return None

    def _open(self, room: _Room) -> None:
        """Every split of a room that fits into memory, by what it computes."""
        limit = None if self.row.memory_gb is None else self.row.memory_gb * 1e9
        held = False  # by the same split with less computed again, which is never slower
        try:
            for p in splits(self.asked, room.occupancy.ranks, self.model):
                self.splits += 1
                held = held and p.recompute != RECOMPUTE[0]
                self.fitting += held
                if held or not (fits(self.model, p, limit) or not self.asked.free):
                    continue
                self.fitting += 1
                held = "recompute" in self.asked.free
                split = _Split(p, room, self._computed(p))
                self.push(split.least_s(self.achieved), split)
        except ConfigError as reason:
            self.refused = self.refused or reason

    def _computed(self, p: Parallel) -> Compute:
        """What a micro-batch computes, and nothing of the optimizer; many splits share it."""
        key = (p.tp, p.pp, p.cp, p.ep, p.micro_batch, p.recompute)
        if key not in self._parts:
            self._parts[key] = compute(amounts(self.model, p), p.precision, self.row, self.achieved, 0.0)
        return self._parts[key]

    def _settled(self, split: _Split) -> bool:
        """Is all of a split priced? If not, one thing more is: its exchanges at rates of links, then one of them."""
        if split.exchanges is None:
            work = amounts(self.model, split.parallel)
            split.parts = compute(
                work, split.parallel.precision, self.row, self.achieved, updated(self.model, split.parallel)
            )
            split.exchanges = tuple(sorted(mix(self.model, split.parallel), key=lambda e: _FIRST.index(e.dimension)))
            return False
        wiring = split.room.wiring
        unknown = next((e for e in split.exchanges if wiring.known(e) is None), None)
        if unknown is not None:
            self.priced += not split.priced
            split.priced = True
            wiring.wired(unknown)
        return unknown is None


def fastest(wiring: Wiring, model: Model, asked: Question, row: Accelerator, a: Achieved) -> Found:
    """The fastest feasible split, exactly, on all accelerators or on fewer of them (`steps.occupancy`).

    Splits are looked at in the order of a lower bound of their steps, which rises as they are: what they compute, then
    what no exchange can undercut, then exchanges priced one by one. The first that is priced in full is the fastest.
    Where nothing is free, the split is taken whether or not it fits into memory.

    InfeasibleError where no split fits into memory, or all have exchanges without a path; ConfigError where none fits
    model, batch and accelerators.
    """
    n = len(wiring.topology.accelerators)
    whole = replace(asked, given=completed(asked, n, model))
    search = _Search(model, whole, row, a)
    for occupancy in occupancies(wiring.topology, model):
        room = _Room(occupancy, wiring if occupancy.ranks == n else wiring.occupied(occupancy))
        search.push(_work_s(model, whole.given, row, a) / occupancy.ranks, room)
    best = search.best()
    if best is None:
        raise _nothing(search, n)
    step, split = best
    wires = tuple(split.room.wiring.wired(exchange) for exchange in mix(model, split.parallel))
    return Found(split.parallel, split.room.occupancy, wires, step, search.splits, search.fitting, search.priced,
                 search.unreached)  # fmt: skip


def step_s(split: _Split, times: list[tuple[Exchange, float]], a: Achieved) -> float:
    """A step of exchanges that take so long each."""
    wire = {name: fsum(e.count * s for e, s in times if e.dimension == name) for name in DIMENSIONS}
    busy, bubble, exposed = timeline(split.parts, wire, split.parallel, a)
    return busy + bubble + fsum(exposed.values())


def _work_s(model: Model, given: Parallel, row: Accelerator, a: Achieved) -> float:
    """What one accelerator alone would compute in a step at least, however it is cut: operations, and what activations
    move."""
    again = given.recompute if given.recompute == "full" else "none"
    one = replace(given, tp=1, pp=1, cp=1, ep=1, dp=1, v=1, micro_batch=1, global_batch=1, recompute=again)
    work = replace(amounts(model, one), weight_bytes=0.0, expert_bytes=0.0, layers=0.0, moe_layers=0.0)
    return (given.global_batch or 1) * compute(work, given.precision, row, a, 0.0).micro_batch_s


def _nothing(search: _Search, n: int) -> ConfigError | InfeasibleError:
    """Why there is no split."""
    model, given = search.model, search.asked.given
    if search.unreached and search.refused:
        return search.refused
    if search.splits == 0:
        what = f"no split of {model.name} fits {n:,} accelerators and a batch of {given.global_batch:,}"
        try:
            given.on(n, model)
        except ConfigError as reason:
            return reason
        return search.refused or ConfigError(f"{what}; give less of it")
    least = min(memory(model, p).total for p in splits(search.asked, n, model))
    return InfeasibleError(
        f"{model.name} takes {least / 1e9:,.0f} GB a rank in the leanest of {search.splits:,} splits of {n:,} x "
        f"{search.row.name}, which has {search.row.memory_gb:g}; give more accelerators, or a smaller batch"
    )
