"""States: the live fabric that a file, a spec or a topology says, as the planner sees it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.planning.fingerprints import fingerprint
from fabric.planning.ports import Crosses, Ports, merged, ports_of_layer, ports_of_wiring
from fabric.planning.wiring import read_arrays
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build

Wanted = NDArray[np.int64]


def layer_of(source: "str | Path | Topology | CircuitLayer", parts: Catalogue) -> CircuitLayer:
    """The circuit layer of a spec, a state file or a topology; ConfigError where it has none."""
    if isinstance(source, CircuitLayer):
        return source
    topology = source if isinstance(source, Topology) else build(str(source), parts)
    if topology.circuits is None:
        raise ConfigError(f"{topology.name} has no circuit switches; a plan moves circuits")
    return topology.circuits


def is_arrays(source: object) -> bool:
    """Whether this names a file of arrays."""
    return isinstance(source, str | Path) and str(source).lower().endswith(".npz")


def read_base(source: "str | Path | Topology | CircuitLayer | Ports", parts: Catalogue) -> Ports:
    """The present state alone."""
    if isinstance(source, Ports):
        return source
    if is_arrays(source):
        wiring, counts, _ = read_arrays(Path(str(source)))
        return ports_of_wiring(wiring, counts)
    return ports_of_layer(layer_of(source, parts))


def read_change(
    source: "str | Path | Topology | CircuitLayer",
    target: "str | Path | Topology | CircuitLayer | None",
    parts: Catalogue,
) -> tuple[Ports, Wanted | None, NDArray[np.int32] | None]:
    """The present state, and either the wanted links or, where ports are told apart finer than by block, the circuits
    of the target as they are.

    ConfigError where FROM and TO are not one wiring, or a file of arrays has a TO beside it.
    """
    if is_arrays(source):
        if target is not None:
            raise ConfigError(f"{source} holds its own target; give it alone")
        wiring, counts, wanted = read_arrays(Path(str(source)))
        return ports_of_wiring(wiring, counts), wanted, None
    if target is None:
        raise ConfigError(f"'{source}' says no target; give FROM and TO, or an .npz file of both")
    if is_arrays(target):
        raise ConfigError(f"{target} holds its own present state; give it alone")
    both = layer_of(source, parts), layer_of(target, parts)
    fine = any(len(set(layer.blocks)) < len(layer.blocks) for layer in both)
    before, after = (ports_of_layer(layer) for layer in merged(*both))
    slots = {key: slot for slot, key in enumerate(_keys(before))}
    try:
        place = np.array([slots[key] for key in _keys(after)], np.int32)
    except KeyError:
        raise ConfigError("FROM and TO do not have the same ports; a plan moves circuits, not fibres") from None
    circuits = place[after.circuits].reshape(-1, 2).astype(np.int32)
    if fine:
        return before, None, circuits
    return before, before.wiring.links(before.counts(circuits)), None


def _keys(ports: Ports) -> list[tuple[int, int, str]]:
    """Switch and side, port, and block of each slot."""
    N = len(ports.wiring.blocks)
    names = [ports.wiring.blocks[b] for b in ports.block_of.tolist()]
    return list(zip((ports.slots.pool // N).tolist(), ports.slots.port.tolist(), names, strict=True))


def fingerprints(ports: Ports, crosses: Crosses) -> dict[str, str]:
    """The fingerprint of every switch."""
    bounds = np.searchsorted(crosses[:, 0], np.arange(len(ports.wiring.switches) + 1))
    return {
        name: fingerprint(map(tuple, crosses[a:b, 1:].tolist()), ports.one_sided_ports and ports.one_sided)
        for name, a, b in zip(ports.wiring.switches, bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    }
