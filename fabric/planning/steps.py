"""The phases of a training step from a workload of SimAI, row by row."""

from collections.abc import Iterator
from pathlib import Path

from fabric.planning.phase import Phase
from fabric.schedules import read_schedule
from fabric.schedules.simai import Exchanged, Layer, Layers
from topologies.errors import ConfigError
from topologies.units import format_size

MOST_PHASES = 20_000


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
