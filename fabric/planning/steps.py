"""The phases of a training step: from a workload of SimAI row by row, or from the collectives of a model's layout."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fabric.planning.phase import Phase
from fabric.schedules import read_schedule
from fabric.schedules.simai import Exchanged, Layer, Layers
from fabric.workloads.achieved import achieved
from fabric.workloads.compute import amounts, compute
from fabric.workloads.mix import Exchange, mix
from fabric.workloads.parallel import parse_parallel
from fabric.workloads.training import accelerator_with_rate, updated
from fabric.workloads.zoo import model as named
from topologies.errors import ConfigError
from topologies.registry import build
from topologies.units import format_size

MOST_PHASES = 20_000
ORDER = ("tp", "cp", "ep", "pp")  # within a micro-batch; the gradients of dp come once, at the end of the step


def phases_of_layers(path: Path) -> list[Phase]:
    """What one rank exchanges in a step, in order: forward through the rows, back again, the computation before each as
    its window. Equal ones without computation between them are one phase. ConfigError where the file is no workload of
    layers, or exchanges nothing."""
    layers = read_schedule(path).layers
    if layers is None:
        raise ConfigError(f"{path}: no layers of a training step; give a workload of SimAI (.txt)")
    found: list[Phase] = []
    window = 0.0
    for seconds, exchanged in _in_order(layers):
        window += seconds
        if exchanged is None or layers.size(exchanged.group) < 2:
            continue
        phase = _phase(exchanged, layers, window)
        if found and window == 0.0 and found[-1].name == phase.name:
            last = found.pop()
            phase = _phase(exchanged, layers, last.idle_s, last.times + 1)
        found.append(phase)
        window = 0.0
    if not found or len(found) > MOST_PHASES:
        raise ConfigError(f"{path}: {len(found):,} exchanges between ranks; give 1 to {MOST_PHASES:,}")
    return found


def _in_order(layers: Layers) -> Iterator[tuple[float, Exchanged | None]]:
    """Computation, and what is exchanged behind it."""
    for row in layers.rows:
        yield row.forward.seconds, row.forward.exchanged
    back: tuple[Layer, ...] = layers.rows[::-1]
    for row in back:
        for own in (row.input_gradient, row.weight_gradient):
            yield own.seconds, own.exchanged


def _phase(exchanged: Exchanged, layers: Layers, idle_s: float, times: int = 1) -> Phase:
    name = f"{exchanged.group} {exchanged.collective} {format_size(exchanged.bytes)}"
    return Phase(
        name=name, idle_s=idle_s, collective=exchanged.collective, size_bytes=exchanged.bytes,
        numbering=layers.numbering, over=layers.over(exchanged.group), times=times,
    )  # fmt: skip


def phases_of_training(model: str, parallel: str, specs: Sequence[str]) -> list[Phase]:
    """What `train` exchanges in a step, micro-batch by micro-batch, each dimension's collectives of one together, then
    those of gradients; the computation of a micro-batch is the window before its first.

    The layout and the accelerator are those of the first fabric. ConfigError where there is none, and as `train`.
    """
    if not specs:
        raise ConfigError("[step] model: no configuration has a spec; give one")
    topology, shape = build(specs[0]), named(model)
    layout = parse_parallel(parallel).on(len(topology.accelerators), shape)
    row = accelerator_with_rate(topology)
    parts = compute(amounts(shape, layout), layout.precision, row, achieved(), updated(shape, layout))
    exchanges, many = mix(shape, layout), layout.micro_batches
    within = [e for name in ORDER for e in exchanges if e.dimension == name]
    own = [_of(e, round(e.count / many), parts.micro_batch_s if e is within[0] else 0.0) for e in within]
    once = [_of(e, round(e.count), 0.0) for e in exchanges if e.dimension == "dp"]
    if len(own) * many > MOST_PHASES or not (own or once):
        raise ConfigError(f"[step] {parallel}: {len(own) * many:,} phases; give 1 to {MOST_PHASES:,}")
    return [*(own * many), *once]


def _of(exchange: Exchange, times: int, idle_s: float) -> Phase:
    """One dimension's exchanges; tokens to experts go as an even all-to-all of the same bytes."""
    name = "all-to-all" if exchange.moe is not None else exchange.collective
    sizes = {key: int(value) for key, _, value in (part.partition("=") for part in exchange.group.split(","))}
    return Phase(
        name=f"{exchange.over} {name} {format_size(round(exchange.size_bytes))}", idle_s=idle_s, collective=name,
        size_bytes=max(1, round(exchange.size_bytes)), numbering=sizes, over=tuple(exchange.over.split(",")),
        times=max(1, times),
    )  # fmt: skip
