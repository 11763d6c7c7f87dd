"""Layers as a timeline: one rank of every pipeline stage stands for all of the stage, and each kind of collective is
priced once with all groups at once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fabric.patterns import pattern_of
from fabric.placement import Placement
from fabric.schedules.simai import Exchanged, Layers
from fabric.timing import Assumptions, Outcome, Plan, candidates, fluid, steady
from fabric.tracing.timeline import BUBBLE, COMPUTE, MEETING, Timeline
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology

Parts = NDArray[np.float64]  # float64[4], as in Timeline
NOTHING = np.zeros(4)
WEIGHTS, STAGES = "weights", "stages"  # lanes beside: gradients of weights one after the other, sends between stages


@dataclass(frozen=True, slots=True)
class Price:
    """What one collective costs: all groups of a kind do it at once, `times` of them in the step of one rank."""

    exchanged: Exchanged
    groups: int
    ranks: int
    outcome: Outcome
    fidelity: str
    times: int = 0

    @property
    def parts(self) -> Parts:
        """Its time as bytes and latency."""
        latency = min(self.outcome.latency_s, self.outcome.time_s)
        return np.array([0.0, self.outcome.time_s - latency, latency, 0.0])


@dataclass(slots=True)
class Prices:
    """Collectives of the groups of a step on a fabric, each priced when it is first asked for."""

    topology: Topology
    layers: Layers
    given: Assumptions
    placement: Placement
    progress: Callable[[str], None]
    said: dict[str, None] = field(default_factory=dict)
    known: dict[Exchanged, Price] = field(default_factory=dict)
    plans: dict[tuple[str, str], list[Plan]] = field(default_factory=dict)
    free: bool = False  # nothing costs anything

    def of(self, exchanged: Exchanged | None, times: int = 1) -> Price | None:
        """The price of a collective; None where there is nothing to do, as in groups of one rank."""
        if self.free or exchanged is None or not exchanged.bytes or self.layers.size(exchanged.group) < 2:
            return None
        if exchanged not in self.known:
            self.known[exchanged] = self._priced(exchanged)
        found = self.known[exchanged]
        self.known[exchanged] = replace(found, times=found.times + times)
        return found

    def _priced(self, exchanged: Exchanged) -> Price:
        key = exchanged.collective, exchanged.group
        told = f"{exchanged.group} {exchanged.collective}"
        plans = self._plans(*key)
        plan = min(plans, key=lambda plan: plan.time_s(exchanged.bytes))
        fidelity = self.given.fidelity
        try:
            outcome = (steady if fidelity == "steady" else fluid)(plan, exchanged.bytes)
        except InfeasibleError as reason:
            if fidelity == "steady":
                raise
            self.said[f"{told} is steady, not fluid: {reason}"] = None
            outcome, fidelity = steady(plan, exchanged.bytes), "steady"
        self.said |= dict.fromkeys(outcome.said)
        together = plan.collective
        return Price(exchanged, together.together, together.n, outcome, fidelity)

    def _plans(self, collective: str, group: str) -> list[Plan]:
        key = collective, group
        if key not in self.plans:
            self.progress(f"pricing {group} {collective} in groups of {self.layers.size(group):,}")
            ranks, n = self.layers.ranks, len(self.topology.accelerators)
            pattern = pattern_of(
                self.topology, collective, ranks=None if ranks == n else f"0-{ranks - 1}",
                group=self.layers.numbering, over=self.layers.over(group), placement=self.placement,
                seed=self.given.options.seed,
            )  # fmt: skip
            self.plans[key] = candidates(self.topology, pattern, self.given)
        return self.plans[key]


@dataclass(slots=True)
class _Section:
    """Operations of one rank from a moment on, one lane that blocks and lanes beside it; times count from there."""

    kinds: dict[str, int]
    name: list[str] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    parts: list[Parts] = field(default_factory=list)
    finish: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    pred: list[list[int]] = field(default_factory=list)
    last: int = 0
    lanes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add("begin", None, NOTHING, [])

    def block(self, name: str, kind: str, parts: Parts) -> None:
        """What the rank does next, if it takes any time."""
        if parts.any():
            self.last = self._add(name, kind, parts, [self.last])

    def beside(self, name: str, kind: str, parts: Parts, lane: str) -> None:
        """What runs beside from now on, after what runs in its lane already."""
        if parts.any():
            after = [self.last, *([self.lanes[lane]] if lane in self.lanes else [])]
            self.lanes[lane] = self._add(name, kind, parts, after)

    def join(self) -> None:
        """Wait for what runs beside."""
        self.last = self._add("end", None, NOTHING, [self.last, *self.lanes.values()])
        self.lanes.clear()

    def _add(self, name: str, kind: str | None, parts: Parts, after: list[int]) -> int:
        ready = max((self.finish[p] for p in after), default=0.0)
        self.name.append(name)
        self.kind.append(MEETING if kind is None else self.kinds.setdefault(kind, len(self.kinds)))
        self.parts.append(parts)
        self.ready.append(ready)
        self.finish.append(ready + float(parts.sum()))
        self.pred.append(after)
        return len(self.finish) - 1


def layers_timeline(
    topology: Topology, layers: Layers, given: Assumptions, *, placement: Placement, progress: Callable[[str], None]
) -> tuple[Timeline, list[Price], list[str], float]:
    """The step of every pipeline stage, the prices of its collectives, what was taken for granted, and the makespan
    where collectives cost nothing.

    The forward pass goes through the rows, each with its computation and then its collective; the backward pass comes
    back, for each row gradients of inputs and their collective, then gradients of weights, whose collective runs beside
    what follows, one after the other, and is waited for at the end. A stage begins a forward chunk after the one before
    (micro-batch over interleaved chunks), and goes back a backward chunk after the one behind: a bubble of (p - 1)/v of
    one micro-batch, as of 1F1B (Narayanan et al., SC 2021, section 2.2). Stages compute alike.

    SimAI's analytical mode adds up the same, with three differences: it hides none of the collectives of weights behind
    computation (unless it is given a share to hide), and its bubble has no sends between stages, and all rows but the
    embedding's, whether each micro-batch has one or not.
    """
    ranks = len(topology.accelerators)
    if layers.ranks > ranks:
        raise ConfigError(f"the workload has {layers.ranks:,} ranks, {topology.name} {ranks:,} accelerators")
    prices = Prices(topology, layers, given, placement, progress)
    timeline = _timeline(layers, prices)
    floor_s = _timeline(layers, replace(prices, free=True)).makespan
    said = list(prices.said)
    said.append("collectives of one kind run in all groups at once, and share no links with those of another kind")
    if any(row.weight_gradient.exchanged for row in layers.rows):
        said.append("collectives of weights run beside computation, one after the other")
    if layers.stages > 1:
        sends = "hidden behind computation where they fit" if layers.chunks > 1 else "waited for"
        said.append(f"stages compute alike and run all forward passes first; sends between stages are {sends}")
    return timeline, list(prices.known.values()), said, floor_s


def _timeline(layers: Layers, prices: Prices) -> Timeline:
    kinds = _kinds(layers)
    return _stages(layers, kinds, _forward(layers, prices, kinds), _backward(layers, prices, kinds))


def _kinds(layers: Layers) -> dict[str, int]:
    """Places of kinds: what a rank waits for before what runs beside, which then counts as exposed where alone."""
    blocking = [own.exchanged for row in layers.rows for own in (row.forward, row.input_gradient)]
    names = dict.fromkeys(f"{own.group} {own.collective}" for own in blocking if own is not None)
    return {name: place for place, name in enumerate([COMPUTE, *names])}


def _forward(layers: Layers, prices: Prices, kinds: dict[str, int]) -> tuple[_Section, Parts]:
    """The forward pass of a rank, and the parts of what the next stage waits for: a chunk and its send."""
    made, chunk = _Section(kinds), np.zeros(4)
    repeats = layers.repeats()
    marks = _marks(repeats, layers.microbatches)
    for row, repeat, mark in zip(layers.rows, repeats, marks, strict=True):
        _chunks_beside(made, layers, prices, mark)
        spent = _blocking(made, row.name, row.forward.seconds, row.forward.exchanged, prices)
        chunk = chunk + (spent if repeat else 0.0)
        _whole_behind(made, layers, prices, mark)
    made.join()
    return made, _chunk(chunk, layers, prices)


def _backward(layers: Layers, prices: Prices, kinds: dict[str, int]) -> tuple[_Section, Parts]:
    """The backward pass of a rank, and the parts of what the stage before waits for."""
    made, chunk = _Section(kinds), np.zeros(4)
    repeats = layers.repeats()
    marks = _marks(repeats[::-1], layers.microbatches)
    for row, repeat, mark in zip(layers.rows[::-1], repeats[::-1], marks, strict=True):
        _chunks_beside(made, layers, prices, mark)
        spent = _blocking(made, f"{row.name} back", row.input_gradient.seconds, row.input_gradient.exchanged, prices)
        weights = row.weight_gradient
        own = np.array([weights.seconds, 0.0, 0.0, 0.0])
        made.block(f"{row.name} weights", COMPUTE, own)
        if price := prices.of(weights.exchanged):
            made.beside(row.name, _kind(price), price.parts, WEIGHTS)
            made.beside(f"{row.name} update", COMPUTE, np.array([row.update_s, 0.0, 0.0, 0.0]), WEIGHTS)
        chunk = chunk + (spent + own if repeat else 0.0)
        _whole_behind(made, layers, prices, mark)
    made.join()
    return made, _chunk(chunk, layers, prices)


def _kind(price: Price) -> str:
    return f"{price.exchanged.group} {price.exchanged.collective}"


def _blocking(made: _Section, name: str, seconds: float, exchanged: Exchanged | None, prices: Prices) -> Parts:
    own = np.array([seconds, 0.0, 0.0, 0.0])
    made.block(name, COMPUTE, own)
    price = prices.of(exchanged)
    if price is None:
        return own
    made.block(name, _kind(price), price.parts)
    return own + price.parts


def _marks(repeats: list[bool], microbatches: int) -> list[tuple[bool, bool]]:
    """For each row, does a micro-batch begin with it, and does one end?

    >>> _marks([False, True, True, True, True], 2)
    [(False, False), (True, False), (False, True), (True, False), (False, True)]
    """
    seen = np.cumsum(repeats)
    each = max(1, int(seen[-1]) // microbatches)
    return [
        (repeat and (count - 1) % each == 0, repeat and count % each == 0)
        for repeat, count in zip(repeats, seen.tolist(), strict=True)
    ]


def _between(layers: Layers) -> Exchanged | None:
    return Exchanged("send-recv", "PP", layers.stage_bytes) if layers.stages > 1 else None


def _chunks_beside(made: _Section, layers: Layers, prices: Prices, mark: tuple[bool, bool]) -> None:
    """Interleaved chunks go on to the next stage while the micro-batch of their successors is computed."""
    price = prices.of(_between(layers), layers.chunks) if layers.chunks > 1 and mark[0] else None
    if price is not None:
        made.beside("chunks to the next stage", _kind(price), layers.chunks * price.parts, STAGES)


def _whole_behind(made: _Section, layers: Layers, prices: Prices, mark: tuple[bool, bool]) -> None:
    """A micro-batch that is not cut goes on to the next stage when it is done, and is waited for."""
    price = prices.of(_between(layers)) if layers.chunks == 1 and mark[1] else None
    if price is not None:
        made.block("to the next stage", _kind(price), price.parts)


def _chunk(total: Parts, layers: Layers, prices: Prices) -> Parts:
    """What a stage waits for behind another: a chunk of a micro-batch, and its send."""
    price = prices.of(_between(layers), 0)
    found: Parts = total / (layers.microbatches * layers.chunks) + (NOTHING if price is None else price.parts)
    return found


def _stages(
    layers: Layers, kinds: dict[str, int], forward: tuple[_Section, Parts], backward: tuple[_Section, Parts]
) -> Timeline:
    """The operations of all stages: a wait, the forward pass, a wait for the stage behind, the backward pass."""
    stages, ahead, behind = layers.stages, forward[1], backward[1]
    bubble = kinds.setdefault(BUBBLE, len(kinds))
    blocks: list[_Block] = []
    place, at = 0, 0.0
    begun: list[tuple[int, float]] = []  # of each stage: its last operation before the backward pass, and when it ends
    wait: list[int] = []
    for stage in range(stages):
        if stage:
            blocks.append(_Block.one("a forward chunk of the stage before", bubble, stage, ahead, at, wait))
            wait, place, at = [place], place + 1, at + float(ahead.sum())
        blocks.append(_Block.of(forward[0], stage, at, place, wait))
        place += len(forward[0].finish)
        begun.append((place - 1, at + forward[0].finish[-1]))
    back, since = -1, -np.inf
    for stage in range(stages - 1, -1, -1):
        last, done = begun[stage]
        after = [last]
        if stage < stages - 1:
            before = [back]
            blocks.append(_Block.one("a backward chunk of the stage behind", bubble, stage, behind, since, before))
            back, place, since = place, place + 1, since + float(behind.sum())
            after.append(back)
        since = max(since, done)
        blocks.append(_Block.of(backward[0], stage, since, place, after))
        back = place  # its first operation: what the stage before waits a chunk longer than
        place += len(backward[0].finish)
    return _joined(layers, tuple(kinds), blocks)


@dataclass(frozen=True, slots=True)
class _Block:
    """Operations of a stage, in arrays."""

    stage: int
    names: list[str]
    kind: NDArray[np.int16]
    ready: NDArray[np.float64]
    finish: NDArray[np.float64]
    parts: Parts
    waits: NDArray[np.int64]
    pred: NDArray[np.int64]

    @classmethod
    def one(cls, name: str, kind: int, stage: int, parts: Parts, at: float, after: list[int]) -> "_Block":
        """One operation that begins at a moment."""
        return cls(
            stage, [name], np.array([kind], np.int16), np.array([at]), np.array([at + float(parts.sum())]),
            parts[None, :], np.array([len(after)]), np.array(after, np.int64),
        )  # fmt: skip

    @classmethod
    def of(cls, made: _Section, stage: int, at: float, place: int, after: list[int]) -> "_Block":
        """A section that begins at a moment, after given operations, its own first one at a place."""
        waits = [len(after), *(len(pred) for pred in made.pred[1:])]
        pred = [*after, *(place + p for pred in made.pred[1:] for p in pred)]
        return cls(
            stage, made.name, np.array(made.kind, np.int16), at + np.array(made.ready), at + np.array(made.finish),
            np.array(made.parts), np.array(waits), np.array(pred, np.int64),
        )  # fmt: skip


def _joined(layers: Layers, kinds: tuple[str, ...], blocks: list[_Block]) -> Timeline:
    starts = np.cumsum([0, *(len(block.names) for block in blocks)])
    row = np.repeat([block.stage for block in blocks], np.diff(starts)).astype(np.int32)

    def name(operation: int) -> str:
        block = int(np.searchsorted(starts, operation, side="right")) - 1
        return blocks[block].names[operation - int(starts[block])]

    each = layers.ranks // layers.stages
    waits = np.concatenate([block.waits for block in blocks])
    return Timeline(
        labels=[f"stage {stage}" if layers.stages > 1 else "every rank" for stage in range(layers.stages)],
        counts=np.full(layers.stages, each), kinds=kinds, kind=np.concatenate([block.kind for block in blocks]),
        row=row, peer=np.full(len(row), -1, np.int32), ready=np.concatenate([block.ready for block in blocks]),
        finish=np.concatenate([block.finish for block in blocks]),
        parts=np.concatenate([block.parts for block in blocks]),
        pred_ptr=np.concatenate([[0], np.cumsum(waits)]),
        pred=np.concatenate([block.pred for block in blocks]).astype(np.int32), name=name,
    )  # fmt: skip
