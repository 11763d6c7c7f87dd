"""FROM and TO: two states of the same circuit switches, their blocks and strands brought together."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.pods import Pod, changes, is_pod, read_pod, usable_chips
from fabric.planning.state import by_blocks, is_state, read_state
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.parts import Catalogue
from topologies.registry import build

Keys = NDArray[np.int64]  # [S, 3]: device, side and block of each strand


@dataclass(frozen=True, slots=True, eq=False)
class Between:
    """Two layers with the same strands. `exact` says that TO's cross-connects themselves are wanted, not only as many
    links between blocks: a pod's switches are not alike. `chips` are those in usable slices before, during and after,
    for pods."""

    before: CircuitLayer
    after: CircuitLayer
    exact: bool
    domains: tuple[int, ...] | None = None
    chips: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()


def between(first: str, second: str, parts: Catalogue | None = None) -> Between:
    """The states that FROM and TO name: specs (`jupiter:blocks=48,uplinks=512`), slices of one pod
    (`8*tpu-pod:slice=8x8x8`), or state files (.json).

    ConfigError of one line where they are not the same circuit switches.

    >>> found = between("jupiter:blocks=6,uplinks=20", "jupiter:blocks=8,uplinks=20")
    >>> [len(layer.state) for layer in (found.before, found.after)], found.exact
    ([60, 80], False)
    """
    one_pod = [not is_state(text) and is_pod(text, parts) for text in (first, second)]
    if all(one_pod):
        before = read_pod(first, parts)
        return of_pods(before, read_pod(second, parts, before=before))
    if any(one_pod) and not any(map(is_state, (first, second))):
        raise ConfigError(f"'{first}' and '{second}' are not both slices of a TPU pod; a plan keeps the hardware")
    domains = None
    layers = []
    for text in (first, second):
        if is_state(text):
            state = read_state(Path(text), parts)
            domains = state.domains if domains is None else domains
            layers.append(state.layer)
        elif is_pod(text, parts):
            layers.append(read_pod(text, parts).layer())
        else:
            layers.append(_layer(text, parts))
    left, right, notes = aligned(*layers)
    return Between(left, right, any(one_pod) or _is_cubes(left), domains, None, notes)


def of_pods(before: Pod, after: Pod) -> Between:
    """Two ways to hold slices on one pod."""
    left, right = before.layer(), after.layer()
    down, up = changes(left, right)
    chips = usable_chips(before, after)
    spread = "; ".join(
        f"{'x'.join(map(str, one.shape[0]))}{' twisted' if one.shape[1] else ''} on cubes {_ranges(one.cubes)}"
        for one in after.slices
    )
    note = f"{down:,} cross-connects down and {up:,} up; slices after: {spread}"
    return Between(left, right, True, None, chips, (note,))


def _ranges(cubes: tuple[int, ...]) -> str:
    """Successive numbers as ranges.

    >>> _ranges((0, 1, 2, 7, 9, 10))
    '0-2, 7, 9-10'
    """
    runs: list[list[int]] = []
    for cube in cubes:
        if runs and runs[-1][1] == cube - 1:
            runs[-1][1] = cube
        else:
            runs.append([cube, cube])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)


def _is_cubes(layer: CircuitLayer) -> bool:
    """Whether a block has its one port on each side of a switch, and names of cubes: switches that are not alike."""
    return all(name.startswith("cube-") for name in layer.blocks)


def _layer(spec: str, parts: Catalogue | None) -> CircuitLayer:
    topology = build(spec, parts)
    if topology.circuits is None:
        raise ConfigError(
            f"{topology.name} has no circuit switches, so no cross-connects to plan; give a fabric that has, e.g. "
            "jupiter:blocks=8,uplinks=28"
        )
    return topology.circuits


def aligned(first: CircuitLayer, second: CircuitLayer) -> tuple[CircuitLayer, CircuitLayer, tuple[str, ...]]:
    """Both layers by blocks, on the strands of the one that has every strand of the other.

    Strands of one block on one side of one switch stand for each other, in the order of their ports: which of them is
    which is not known from two specs. ConfigError where the switches differ, or each side has strands that the other
    has not. Notes say which blocks come, go, or change their rate.
    """
    _refuse_other_hardware(first, second)
    left, right = by_blocks(first), by_blocks(second)
    counts = [_strands(layer) for layer in (left, right)]
    more = [{key for key, number in one.items() if number > other.get(key, 0)}
            for one, other in (counts, counts[::-1])]  # fmt: skip
    if more[0] and more[1]:
        mine, yours = (f"{b} on side {'AB'[s]} of ocs-{k}" for k, s, b in map(min, more))
        raise ConfigError(
            f"FROM has more strands from {mine}, TO from {yours}: neither is the other with blocks added; "
            "plan it in two steps"
        )
    wide, other = (right, left) if more[1] else (left, right)
    moved = _restated(other, wide)
    rates = [dict(zip(layer.blocks, layer.end_rates_gbps.tolist(), strict=True)) for layer in (left, right)]
    before, after = (wide, moved) if wide is left else (moved, wide)
    own = [{**dict(zip(wide.blocks, wide.end_rates_gbps.tolist(), strict=True)), **rate} for rate in rates]
    failed = np.unique(np.concatenate([left.failed, right.failed]), axis=0) if wide is other else wide.failed
    before, after = (
        _with_rates(replace(layer, failed=failed), rate) for layer, rate in zip((before, after), own, strict=True)
    )
    return before, after, _notes(left, right, rates, bool(more[0] or more[1]))


def _refuse_other_hardware(first: CircuitLayer, second: CircuitLayer) -> None:
    models = [[layer.model(k).name for k in range(layer.devices)] for layer in (first, second)]
    if models[0] != models[1]:
        raise ConfigError(
            f"FROM has {first.devices} {first.part.name}, TO has {second.devices} {second.part.name}; a plan moves "
            "circuits on the same switches: give both as many (jupiter takes devices=N)"
        )
    for what, mine, yours in (("strands a link", first.strands_per_link, second.strands_per_link),
                              ("strands each way", first.fibres, second.fibres)):  # fmt: skip
        if mine != yours:
            raise ConfigError(f"FROM has {mine} {what}, TO {yours}; give both modules of one kind")


def _strands(layer: CircuitLayer) -> Mapping[tuple[int, int, str], int]:
    """How many strands of each block reach each side of each device."""
    device, side, _, end = layer.strands.T
    keys, number = np.unique(np.stack([device, side, end], 1), axis=0, return_counts=True)
    return {(k, s, layer.blocks[b]): n for (k, s, b), n in zip(keys.tolist(), number.tolist(), strict=True)}


def _restated(layer: CircuitLayer, wide: CircuitLayer) -> CircuitLayer:
    """The state of a layer on the strands of another one that has all of its strands."""
    place = {name: b for b, name in enumerate(wide.blocks)}
    there = np.array([place[name] for name in layer.blocks], np.int64)
    port_map = np.full((layer.devices, 2, int(layer.ports_per_side.max()) + 1), -1, np.int32)
    old_rank, new_rank = _ranks(layer.strands, there), _ranks(wide.strands, np.arange(len(wide.blocks)))
    ports = dict(zip(map(tuple, new_rank.tolist()), wide.strands[:, 2].tolist(), strict=True))
    for (device, side, port, _), key in zip(layer.strands.tolist(), map(tuple, old_rank.tolist()), strict=True):
        port_map[device, side, port] = ports[key]
    state, last = layer.state.copy(), layer.last_side
    state[:, 1] = port_map[layer.state[:, 0], 0, layer.state[:, 1]]
    state[:, 2] = port_map[layer.state[:, 0], last[layer.state[:, 0]], layer.state[:, 2]]
    failed = layer.failed.copy()
    failed[:, 2] = port_map[failed[:, 0], failed[:, 1], failed[:, 2]]
    failed = failed[failed[:, 2] >= 0]
    return replace(wide, state=state, failed=np.unique(np.concatenate([failed, wide.failed]), axis=0))


def _ranks(strands: NDArray[np.int32], block: NDArray[np.int64]) -> Keys:
    """int64[S, 4]: device, side, block and place among the strands that share them, by port."""
    keys = np.stack([strands[:, 0], strands[:, 1], block[strands[:, 3]]], axis=1).astype(np.int64)
    order = np.lexsort((strands[:, 2], keys[:, 2], keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)) if len(order) else np.zeros(0, bool)
    begin = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - begin
    return np.column_stack([keys, rank])


def _with_rates(layer: CircuitLayer, rates: Mapping[str, float]) -> CircuitLayer:
    """The layer with the rate of each block."""
    kinds = sorted(set(rates.values()), reverse=True)
    known: dict[float, Mapping[str, Any]] = {link["rate_gbps"]: link for link in (layer.link, *layer.other_links)}
    links = [known.get(rate, {**layer.link, "rate_gbps": rate}) for rate in kinds]
    generation = np.array([kinds.index(rates[name]) for name in layer.blocks], np.int32)
    return replace(layer, link=links[0], other_links=links[1:],
                   generation=generation if links[1:] else np.empty(0, np.int32))  # fmt: skip


def _notes(left: CircuitLayer, right: CircuitLayer, rates: list[dict[str, float]], grown: bool) -> tuple[str, ...]:
    notes = []
    for verb, here, there in (("added", rates[1], rates[0]), ("removed", rates[0], rates[1])):
        names = [name for name in here if name not in there]
        if names:
            notes.append(f"{len(names)} blocks {verb}: {names[0]}{f' to {names[-1]}' if len(names) > 1 else ''}")
    changed: dict[tuple[float, float], list[str]] = {}
    for name in rates[0].keys() & rates[1].keys():
        if rates[0][name] != rates[1][name]:
            changed.setdefault((rates[0][name], rates[1][name]), []).append(name)
    for (old, new), names in sorted(changed.items()):
        notes.append(f"{len(names)} blocks change their modules from {old:g} to {new:g} Gb/s; drain each for that")
    if grown:
        notes.append("strands of a block on one side of a switch are taken in the order of their ports")
    return tuple(notes)
