"""What a switch from one configuration of a step to another takes: a delay that is given, or a device's operations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.operations import Operations, layer_operations, operations
from fabric.planning.phases import Iteration
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue, CircuitSwitch, Optic

SOME_MOVES = 2  # circuits a device where they cannot be counted: more than one, so that a bulk time holds


def delays(
    iteration: Iteration,
    topologies: Sequence[Topology | None],
    parts: Catalogue,
    delay_s: float | None,
    ocs: str | None,
) -> tuple[NDArray[np.float64], dict[str, Any], list[str]]:
    """Delay between any two configurations in seconds, float64[C, C], what it is made of, and what was taken for
    granted. `delay_s` or `ocs` take the place of what the file says. ConfigError where nothing says how long it takes.
    """
    told, number = iteration.switching, len(iteration.configurations)
    fixed = delay_s if delay_s is not None else None if ocs is not None else told.delay_s
    apart = 1.0 - np.eye(number)
    if fixed is not None:
        return fixed * apart, {"seconds": fixed, "source": "given"}, []
    device = ocs or told.ocs
    layers = [topology.circuits for topology in topologies if topology is not None and topology.circuits is not None]
    if device is None and not layers:
        raise ConfigError("nothing says how long a switch takes; give [switching] delay_ms or ocs")
    if device is None:
        module = parts.get(str(layers[0].link.get("cable", "")))
        own = layer_operations(layers[0], parts)[0]
    else:
        module = None if told.optic is None else parts.part(told.optic, Optic)
        optic = module if isinstance(module, Optic) else None
        own = operations(parts.part(device, CircuitSwitch), parts, optic=optic)
    moves, notes = _moves(iteration, topologies), []
    if moves is None:
        some = told.moves or SOME_MOVES
        moves = (some * apart).astype(np.int64)
        notes.append(f"a switch is taken to move {some} circuits of a device; [switching] moves says how many")
    delay = np.array([[own.delay_s(int(m), told.steps) if m else 0.0 for m in row] for row in moves])
    longest = float(delay.max())
    notes += [line for line in own.said() if line.split()[0] in told.steps]
    return delay, {"seconds": longest, "switch": own.switch, "moves": int(moves.max()),
                   "steps": _steps(own, told.steps, int(moves.max()))}, notes  # fmt: skip


def _steps(own: Operations, steps: Sequence[str], moves: int) -> list[dict[str, Any]]:
    rows = []
    for step in steps:
        time = own.bulk if step == "settle" and moves > 1 and own.bulk is not None else own.steps[step]
        rows.append({"step": step, "ms": own.delay_s(moves, (step,)) * 1e3, "low_ms": time.low_s * 1e3,
                     "high_ms": time.high_s * 1e3, "part": time.row, "source": time.source,
                     "estimate": time.estimate})  # fmt: skip
    return rows


def _moves(iteration: Iteration, topologies: Sequence[Topology | None]) -> NDArray[np.int64] | None:
    """Circuits that the busiest device puts up from one configuration to another; None where they are not states of
    the same ports."""
    layers: list[CircuitLayer] = [t.circuits for t in topologies if t is not None and t.circuits is not None]
    if iteration.switching.moves is not None or len(layers) < len(iteration.configurations):
        return None
    first = layers[0]
    if any(
        layer.devices != first.devices or not np.array_equal(layer.strands, first.strands) or
        list(layer.ends) != list(first.ends) for layer in layers[1:]
    ):  # fmt: skip
        return None
    moves = np.zeros((len(layers), len(layers)), np.int64)
    rows = [{tuple(row) for row in layer.state.tolist()} for layer in layers]
    for a, have in enumerate(rows):
        for b, want in enumerate(rows):
            new = [device for device, _, _ in want - have]
            moves[a, b] = max(np.bincount(new)) if new else 0
    return moves
