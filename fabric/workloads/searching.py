"""Searching: the fastest of all feasible splits of a training step, proven by what no exchange can undercut."""

from dataclasses import dataclass
from math import fsum, inf

from fabric.workloads.achieved import Achieved
from fabric.workloads.compute import Compute, amounts, compute
from fabric.workloads.memory import memory
from fabric.workloads.mix import DIMENSIONS, Exchange, mix
from fabric.workloads.model import Model
from fabric.workloads.parallel import Parallel
from fabric.workloads.splits import Question, completed, fits, splits
from fabric.workloads.training import timeline, updated
from fabric.workloads.wiring import Wired, Wiring
from topologies.errors import ConfigError, InfeasibleError
from topologies.kinds import Accelerator

_FIRST = ("tp", "cp", "pp", "ep", "dp")  # what is cheap to price, and what mostly decides, first


@dataclass(frozen=True, slots=True)
class Found:
    """The fastest split and its exchanges; how many splits there are, fit into memory, were priced in full, and have
    exchanges without a path. All others take longer by what they compute and by the rates of links alone."""

    parallel: Parallel
    wires: tuple[Wired, ...]
    step_s: float
    splits: int
    fitting: int
    priced: int
    unreached: int


@dataclass(frozen=True, slots=True)
class _Split:
    """A split that fits: what it computes and exchanges, and what its step takes at least."""

    parallel: Parallel
    parts: Compute
    exchanges: tuple[Exchange, ...]
    least_s: float


def fastest(wiring: Wiring, model: Model, asked: Question, row: Accelerator, a: Achieved) -> Found:
    """The fastest feasible split, exactly: splits are taken in the order of a lower bound of their steps, exchanges are
    priced one by one while the bound stays below the best step, and the search ends where no bound does.

    InfeasibleError where no split fits into memory, or all have exchanges without a path; ConfigError where none fits
    model, batch and accelerators.
    """
    limit = None if row.memory_gb is None else row.memory_gb * 1e9
    n = len(wiring.topology.accelerators)
    every = list(splits(asked, n, model))
    if not every:
        batch = completed(asked, n, model).global_batch
        raise ConfigError(f"no split of {model.name} fits {n:,} accelerators and a batch of {batch:,}; give less of it")
    held = [p for p in every if fits(model, p, limit)]
    if not held:
        least = min(memory(model, p).total for p in every)
        raise InfeasibleError(
            f"{model.name} takes {least / 1e9:,.0f} GB a rank in the leanest of {len(every):,} splits of {n:,} x "
            f"{row.name}, which has {row.memory_gb:g}; give more accelerators, or a smaller batch"
        )
    ordered = sorted((_bounded(wiring, model, p, row, a) for p in held), key=lambda split: split.least_s)
    best: tuple[float, _Split, tuple[Wired, ...]] | None = None
    priced, lost = 0, list[InfeasibleError]()
    for split in ordered:
        most = inf if best is None else best[0]
        if split.least_s >= most:
            break
        try:
            wires = _priced(wiring, split, a, most)
        except InfeasibleError as no_path:
            lost.append(no_path)
            continue
        if wires is None:
            continue
        priced += 1
        step = step_s(split, [(w.exchange, w.one_s) for w in wires], a)
        if step < most:
            best = (step, split, wires)
    if best is None:
        raise lost[0]
    return Found(best[1].parallel, best[2], best[0], len(every), len(held), priced, len(lost))


def step_s(split: _Split, times: list[tuple[Exchange, float]], a: Achieved) -> float:
    """A step of exchanges that take so long each."""
    wire = {name: fsum(e.count * s for e, s in times if e.dimension == name) for name in DIMENSIONS}
    busy, bubble, exposed = timeline(split.parts, wire, split.parallel, a)
    return busy + bubble + fsum(exposed.values())


def _bounded(wiring: Wiring, model: Model, p: Parallel, row: Accelerator, a: Achieved) -> _Split:
    parts = compute(amounts(model, p), p.precision, row, a, updated(model, p))
    exchanges = tuple(sorted(mix(model, p), key=lambda e: _FIRST.index(e.dimension)))
    open_ = _Split(p, parts, exchanges, 0.0)
    least = step_s(open_, [(e, wiring.least_s(e)) for e in exchanges], a)
    return _Split(p, parts, exchanges, least)


def _priced(wiring: Wiring, split: _Split, a: Achieved, most: float) -> tuple[Wired, ...] | None:
    """All exchanges of a split; None as soon as its step cannot be below `most`."""

    def least() -> float:
        known = [(e, wiring.known(e)) for e in split.exchanges]
        return step_s(split, [(e, wiring.least_s(e) if w is None else w.one_s) for e, w in known], a)

    for exchange in split.exchanges:
        if wiring.known(exchange) is None:
            if least() >= most:
                return None
            wiring.wired(exchange)
    return tuple(wiring.wired(exchange) for exchange in split.exchanges) if least() < most else None
