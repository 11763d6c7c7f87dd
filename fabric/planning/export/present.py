"""The present state: a fabric's circuit switches with the cross-connects that they say they have."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from fabric.planning.export.names import Names
from fabric.planning.export.reading import read_state as read_device
from fabric.planning.plan import Switch
from fabric.planning.pods import is_pod, read_pod
from fabric.planning.state import State, is_state, read_state, state_of
from topologies.errors import ConfigError
from topologies.parts import Catalogue
from topologies.registry import build


def state_of_fabric(text: str, parts: Catalogue) -> State:
    """The state that a FROM or TO of a plan names: a spec, slices of a pod, or a state file.

    >>> from topologies.parts import catalogue
    >>> state_of_fabric("jupiter:blocks=2,uplinks=2", catalogue()).switches
    ('ocs-0',)
    """
    if is_state(text):
        return read_state(Path(text), parts)
    if is_pod(text, parts):
        return state_of(read_pod(text, parts).layer())
    topology = build(text, parts)
    if topology.circuits is None:
        raise ConfigError(f"{topology.name} has no circuit switches; there is no state of them")
    return state_of(topology.circuits)


def switches_of(state: State) -> list[Switch]:
    """Its switches as plans name them."""
    models = [state.layer.model(k).name for k in range(state.layer.devices)]
    return [Switch(*row) for row in zip(state.switches, models, state.domains, strict=True)]


def with_devices(state: State, files: Mapping[str, Path], names: Mapping[str, Names]) -> State:
    """The same fibres, with the cross-connects that files of some switches say in place of their own.

    ConfigError for a file that cannot be read, TopologyError for a port that no fibre reaches or that has failed.
    """
    rows = [state.layer.state]
    for switch, path in files.items():
        k = state.switches.index(switch)
        rows[0] = rows[0][rows[0][:, 0] != k]
        pairs = [(k, a, b) for a, b in read_device(path, names[switch])]
        rows.append(np.array(pairs, np.int32).reshape(-1, 3))
    crosses = np.concatenate(rows)
    return replace(state, layer=state.layer.with_state(crosses[np.lexsort(crosses.T[::-1])]))
