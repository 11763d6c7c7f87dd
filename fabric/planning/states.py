"""States: the live fabric that a file, a spec or a topology says, as the planner sees it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.planning.between import Between, aligned, between
from fabric.planning.fingerprints import fingerprint
from fabric.planning.pods import is_pod, read_pod
from fabric.planning.ports import Crosses, Ports, ports_of_layer, ports_of_wiring
from fabric.planning.state import is_state, read_state
from fabric.planning.wiring import read_arrays
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build

Wanted = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A present state and what is wanted: links between blocks int64[N, N], or circuits int32[M, 2] of slots. `chips`
    are those in usable slices before, during and after, for pods, `layer` the circuit switches with the fibres of both
    states, where they are known."""

    ports: Ports
    wanted: Wanted | None
    circuits: NDArray[np.int32] | None
    notes: tuple[str, ...] = ()
    chips: tuple[int, int, int] | None = None
    layer: CircuitLayer | None = None


def layer_of(
    source: "str | Path | Topology | CircuitLayer", parts: Catalogue
) -> tuple[CircuitLayer, tuple[int, ...] | None, tuple[str, ...] | None]:
    """The circuit layer of a spec, slices of a pod, a state file or a topology, and the failure domains and names of
    its switches where a file says them; ConfigError where it has none."""
    if isinstance(source, CircuitLayer):
        return source, None, None
    if is_state(str(source)):
        state = read_state(Path(str(source)), parts)
        return state.layer, state.domains, state.switches
    if isinstance(source, str | Path) and is_pod(str(source), parts):
        return read_pod(str(source), parts).layer(), None, None
    topology = source if isinstance(source, Topology) else build(str(source), parts)
    if topology.circuits is None:
        raise ConfigError(f"{topology.name} has no circuit switches; a plan moves circuits")
    return topology.circuits, None, None


def is_arrays(source: object) -> bool:
    """Whether this names a file of arrays."""
    return isinstance(source, str | Path) and str(source).lower().endswith(".npz")


def read_base(
    source: "str | Path | Topology | CircuitLayer | Ports", parts: Catalogue, to: str | None = None
) -> Ports:
    """The present state alone; with the blocks and strands that a target adds, where it is given."""
    if isinstance(source, Ports):
        return source
    if is_arrays(source):
        wiring, counts, _ = read_arrays(Path(str(source)))
        return ports_of_wiring(wiring, counts)
    layer, domains, switches = layer_of(source, parts)
    if to is not None and isinstance(source, str | Path):
        both = between(str(source), to, parts)
        layer, domains = both.before, both.domains
    return _named(ports_of_layer(layer, domains=domains), switches)


def _is_fine(layer: CircuitLayer) -> bool:
    """Whether ports are told apart finer than by block: a cube's one port on each side of a switch is a chip's."""
    return len(set(layer.blocks)) < len(layer.blocks) or all(name.startswith("cube-") for name in layer.blocks)


def _named(ports: Ports, switches: tuple[str, ...] | None) -> Ports:
    return ports if switches is None else replace(ports, wiring=replace(ports.wiring, switches=list(switches)))


def read_change(
    source: "str | Path | Topology | CircuitLayer",
    target: "str | Path | Topology | CircuitLayer | None",
    parts: Catalogue,
) -> Change:
    """The present state, and either the wanted links or, where ports are told apart finer than by block, the circuits
    of the target as they are.

    ConfigError where FROM and TO are not one wiring, or a file of arrays has a TO beside it.
    """
    if is_arrays(source):
        if target is not None:
            raise ConfigError(f"{source} holds its own target; give it alone")
        wiring, counts, links = read_arrays(Path(str(source)))
        return Change(ports_of_wiring(wiring, counts), links, None)
    if target is None:
        raise ConfigError(f"'{source}' says no target; give FROM and TO, or an .npz file of both")
    if is_arrays(target):
        raise ConfigError(f"{target} holds its own present state; give it alone")
    if isinstance(source, str | Path) and isinstance(target, str | Path):
        found = between(str(source), str(target), parts)
    else:
        layers = [layer_of(one, parts)[0] for one in (source, target)]
        left, right, notes = aligned(*layers)
        fine = any(_is_fine(layer) for layer in layers)
        found = Between(left, right, fine, None, None, notes)
    _, _, switches = layer_of(source, parts) if is_state(str(source)) else (None, None, None)
    before, after = (
        _named(ports_of_layer(layer, domains=found.domains), switches) for layer in (found.before, found.after)
    )
    slots = {key: slot for slot, key in enumerate(_keys(before))}
    try:
        place = np.array([slots[key] for key in _keys(after)], np.int32)
    except KeyError:
        raise ConfigError("FROM and TO do not have the same ports; a plan moves circuits, not fibres") from None
    circuits = place[after.circuits].reshape(-1, 2).astype(np.int32)
    wanted = None if found.exact else before.wiring.links(before.counts(circuits))
    return Change(before, wanted, circuits if found.exact else None, found.notes, found.chips, found.before)


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
