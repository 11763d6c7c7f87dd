"""Pods: several slices on the cubes of one TPU pod, where their cubes are, and what a lost one costs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.registry import build
from topologies.tpu_pod import CUBE, FACE

Cubes = tuple[int, ...]
_TIMES = re.compile(r"(\d{1,4})\s*\*\s*(.+)")
TRIALS = 15_000  # exchanges of two cubes that are looked at


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """A slice and the cubes that hold it, x first; `topology` is the slice by itself, on cubes 0, 1, 2 and so on."""

    topology: Topology
    cubes: Cubes

    @property
    def shape(self) -> tuple[tuple[int, ...], bool]:
        """Chips in each dimension, and whether the torus is twisted."""
        grid = self.topology.grid
        assert grid is not None
        return grid.dims, grid.twist

    @property
    def grid(self) -> tuple[int, ...]:
        """Cubes in each dimension."""
        return tuple(side // CUBE for side in self.shape[0])

    @property
    def chips(self) -> int:
        """Chips of the slice."""
        return prod(self.shape[0])

    def next_cube(self) -> NDArray[np.int64]:
        """int64[3, cubes of the slice]: where the "+" face of each leads, as places in `cubes`, by dimension."""
        layer, pod = _layer(self.topology), _pod_size(self.topology)
        device, first, second = layer.state.T
        one = (device % FACE == 0) & (first < pod)
        there = np.empty((3, len(self.cubes)), np.int64)
        there[device[one] // FACE, first[one]] = second[one] % pod
        return there


@dataclass(frozen=True, slots=True, eq=False)
class Pod:
    """Slices side by side on one pod; no cube holds two, and none that is `lost` holds any."""

    slices: tuple[Slice, ...]
    lost: frozenset[int] = frozenset()

    @property
    def cubes(self) -> int:
        """Cubes of the pod."""
        return _pod_size(self.slices[0].topology)

    @property
    def spares(self) -> list[int]:
        """Cubes that hold no slice and are not lost."""
        used = {cube for one in self.slices for cube in one.cubes}
        return [cube for cube in range(self.cubes) if cube not in used and cube not in self.lost]

    @property
    def chips(self) -> int:
        """Chips in slices none of whose cubes is lost."""
        return sum(one.chips for one in self.slices if not self.lost & set(one.cubes))

    def layer(self) -> CircuitLayer:
        """Circuit switches with the strands of all cubes, port = cube, and the cross-connects of all slices."""
        own, pod = _layer(self.slices[0].topology), self.cubes
        device, side, port, _ = own.strands.T
        zero = port % pod == 0
        cubes = np.arange(pod, dtype=np.int32)
        each = len(cubes)
        strands = np.repeat(np.stack([device, side, port // pod * pod, port], 1)[zero], each, axis=0)
        strands[:, 2] += np.tile(cubes, int(zero.sum()))
        strands[:, 3] = np.tile(cubes, int(zero.sum()))
        names = [f"cube-{cube}" for cube in range(pod)]
        return replace(
            own, strands=strands[np.lexsort(strands[:, 2::-1].T)].astype(np.int32), state=self._state(), ends=names,
            blocks=names, share=1.0, generation=np.empty(0, np.int32), other_links=(),
        )  # fmt: skip

    def _state(self) -> NDArray[np.int32]:
        rows = []
        for one in self.slices:
            state, at = _layer(one.topology).state.copy(), np.array(one.cubes, np.int32)
            for column in (1, 2):
                state[:, column] += at[state[:, column] % self.cubes] - state[:, column] % self.cubes
            rows.append(state)
        return np.concatenate(rows)

    def neighbours(self) -> NDArray[np.int64]:
        """int64[3, cubes]: the cube that each one's "+" face leads to, by dimension; -1 for none."""
        found = np.full((3, self.cubes), -1, np.int64)
        for one in self.slices:
            at = np.array(one.cubes)
            found[:, at] = at[one.next_cube()]
        return found

    def swapped(self, cube: int, spare: int) -> "Pod":
        """The pod with one cube of a slice exchanged for a spare one; the slice keeps its shape and all its other
        places.

        >>> pod = read_pod("tpu-pod:slice=8x8x8"); after = pod.swapped(3, 40)
        >>> changes(pod.layer(), after.layer())
        (96, 96)
        """
        if spare not in self.spares:
            raise ConfigError(f"cube {spare} is not spare; {_named(self.spares)}")
        if not any(cube in one.cubes for one in self.slices):
            raise ConfigError(f"cube {cube} holds no slice; nothing to swap")
        moved = tuple(
            replace(one, cubes=tuple(spare if own == cube else own for own in one.cubes)) for one in self.slices
        )
        return Pod(moved, self.lost | {cube})


def _named(cubes: Sequence[int]) -> str:
    return f"spare are {', '.join(map(str, cubes[:8]))}{' ...' if len(cubes) > 8 else ''}" if cubes else "none is"


def _layer(topology: Topology) -> CircuitLayer:
    if topology.circuits is None or topology.family != "tpu-pod" or topology.grid is None:
        raise ConfigError(f"{topology.name} is no slice of a TPU pod; only slices of tpu-pod stand side by side")
    return topology.circuits


def _pod_size(topology: Topology) -> int:
    """Cubes of the pod that a slice is part of."""
    return round(len(topology.accelerators) / CUBE**3 / _layer(topology).share)


def is_pod(spec: str, parts: Catalogue | None = None) -> bool:
    """Does a text name slices of a TPU pod?"""
    terms = list(_terms(spec))
    return len(terms) > 1 or terms[0][0] > 1 or build(terms[0][1], parts).family == "tpu-pod"


def _terms(text: str) -> Iterator[tuple[int, str]]:
    """Number and spec of each term of "8*SPEC+SPEC"."""
    for term in text.split("+"):
        match = _TIMES.fullmatch(term.strip())
        yield (int(match.group(1)), match.group(2)) if match else (1, term.strip())


def read_pod(text: str, parts: Catalogue | None = None, *, before: Pod | None = None) -> Pod:
    """The pod of a spec or of several: `8*tpu-pod:slice=8x8x8`, `tpu-pod:slice=4x4x8+tpu-pod:slice=4x4x8,twist=true`.

    Slices take the first free cubes, or, from what stood `before`, those with which most circuits stay: a slice of the
    same shape keeps its cubes, another one tiles the place of an old slice where it fits; then cubes change places
    while that keeps more circuits. ConfigError where they do not fit into one pod or are not alike.

    >>> whole = read_pod("tpu-pod:slice=16x16x16"); eight = read_pod("8*tpu-pod:slice=8x8x8", before=whole)
    >>> changes(whole.layer(), eight.layer()), usable_chips(whole, eight)
    ((1536, 1536), (4096, 0, 4096))
    """
    topologies = []
    for number, spec in _terms(text):
        if not 1 <= number <= 4096:
            raise ConfigError(f"'{text}': {number} slices; give from 1 to 4096")
        topologies += [build(spec, parts)] * number
    _same_pod([*(one.topology for one in before.slices[:1])] if before else [], topologies)
    pod = _pod_size(topologies[0])
    needed = sum(len(t.accelerators) // CUBE**3 for t in topologies)
    lost = before.lost if before else frozenset()
    if needed > pod - len(lost):
        raise ConfigError(
            f"'{text}' takes {needed} cubes, the pod has {pod}{f', {len(lost)} of them lost' if lost else ''}; "
            f"give fewer or smaller slices, or cubes={needed} to all of them"
        )
    if before is None:
        free = iter(range(pod))
        placed = (Slice(t, tuple(next(free) for _ in range(len(t.accelerators) // CUBE**3))) for t in topologies)
        return Pod(tuple(placed))
    return _exchanged(_placed(topologies, before), before)


def _same_pod(known: list[Topology], given: list[Topology]) -> None:
    """All slices are of pods of one size with the same switches, modules and chips."""
    first = (known + given)[0]
    layer, pod = _layer(first), _pod_size(first)
    for other in given:
        own = _layer(other)
        for what, mine, wanted in (
            ("cubes", _pod_size(other), pod),
            ("ocs", own.part.name, layer.part.name),
            ("optic", own.link.get("cable"), layer.link.get("cable")),
            ("strands a link", own.strands_per_link, layer.strands_per_link),
        ):
            if mine != wanted:
                raise ConfigError(
                    f"{other.name} has {what} {mine}, {first.name} {wanted}; slices of one pod share its switches"
                )


def _placed(topologies: list[Topology], before: Pod) -> Pod:
    """Slices where an old one of their shape is, or inside an old one, or on the first free cubes."""
    old = [one for one in before.slices if not before.lost & set(one.cubes)]
    found: dict[int, Slice] = {}
    for number, topology in enumerate(topologies):
        own = Slice(topology, tuple(range(len(topology.accelerators) // CUBE**3)))
        same = next((one for one in old if one.shape == own.shape), None)
        if same is not None:
            old.remove(same)
            found[number] = replace(own, cubes=same.cubes)
    taken = {cube for one in found.values() for cube in one.cubes} | before.lost
    by_size = sorted(set(range(len(topologies))) - set(found), key=lambda k: -len(topologies[k].accelerators))
    for number in by_size:
        own = Slice(topologies[number], tuple(range(len(topologies[number].accelerators) // CUBE**3)))
        boxes = (box for one in before.slices for box in _boxes(one, own.grid))
        box = next((box for box in boxes if not taken & set(box)), None)
        if box is None:
            box = _tiled(own.grid, before, taken)
        taken |= set(box)
        found[number] = replace(own, cubes=box)
    return Pod(tuple(found[number] for number in range(len(topologies))), before.lost)


def _tiled(size: tuple[int, ...], before: Pod, taken: "set[int] | frozenset[int]") -> Cubes:
    """A grid of cubes laid out with old slices that fit, as they are, and with single cubes where none does."""
    grid = np.full(size[::-1], -1)  # z, y, x
    whole = [one for one in before.slices if not taken & set(one.cubes)]
    inside = [cube for one in before.slices for cube in one.cubes]
    for at in map(tuple, np.argwhere(grid < 0).tolist()):
        if grid[at] >= 0:
            continue
        for one in whole:
            window = tuple(slice(a, a + side) for a, side in zip(at, one.grid[::-1], strict=True))
            if grid[window].shape == one.grid[::-1] and (grid[window] < 0).all():
                grid[window] = np.array(one.cubes).reshape(one.grid[::-1])
                whole.remove(one)
                break
    left = iter([c for c in dict.fromkeys([*inside, *range(before.cubes)]) if c not in taken and c not in grid])
    return tuple(next(left) if cube < 0 else cube for cube in grid.ravel().tolist())


def _boxes(one: Slice, size: tuple[int, ...]) -> Iterator[Cubes]:
    """Boxes of cubes inside a slice, those that tile it first."""
    grid = one.grid
    if any(side > whole for side, whole in zip(size, grid, strict=True)):
        return
    origins = list(product(*(range(whole - side + 1) for side, whole in zip(size, grid, strict=True))))
    origins.sort(key=lambda at: (any(a % side for a, side in zip(at, size, strict=True)), at[::-1]))
    for x, y, z in origins:
        yield tuple(
            one.cubes[(x + i) + grid[0] * ((y + j) + grid[1] * (z + k))]
            for k in range(size[2]) for j in range(size[1]) for i in range(size[0])
        )  # fmt: skip


def _exchanged(pod: Pod, before: Pod) -> Pod:
    """Two cubes change places while that keeps more circuits, from where they are and from seeded disorders of that."""
    stood, now = before.neighbours(), pod.neighbours()
    same = {(one.shape, one.cubes) for one in before.slices}
    fixed = {cube for one in pod.slices if (one.shape, one.cubes) in same for cube in one.cubes} | pod.lost
    movable = sorted({cube for one in (*pod.slices, *before.slices) for cube in one.cubes} - fixed)
    axis, start = np.argwhere(now >= 0).T
    stop = now[axis, start]
    best = order = np.arange(pod.cubes)  # the cube that takes the place of each
    draws, left = np.random.default_rng(0), TRIALS

    def kept(order: NDArray[np.int64]) -> int:
        return int((stood[axis, order[start]] == order[stop]).sum())

    while left > 0 and len(movable) > 1:
        order, value, gained = order.copy(), kept(order), True
        while gained:
            gained = False
            for a, b in combinations(movable, 2):
                order[[a, b]] = order[[b, a]]
                if (found := kept(order)) > value:
                    value, gained = found, True
                else:
                    order[[a, b]] = order[[b, a]]
            left -= len(movable) * (len(movable) - 1) // 2
        best = order if value > kept(best) else best
        order = best.copy()
        several = draws.permutation(movable)[: 2 + len(movable) // 4]
        order[several] = np.roll(order[several], 1)
    moved = (replace(one, cubes=tuple(int(best[cube]) for cube in one.cubes)) for one in pod.slices)
    return Pod(tuple(moved), pod.lost)


def changes(before: CircuitLayer, after: CircuitLayer) -> tuple[int, int]:
    """Cross-connects taken down and put up between two states of the same switches."""
    old, new = ({tuple(row) for row in layer.state.tolist()} for layer in (before, after))
    return len(old - new), len(new - old)


def usable_chips(before: Pod, after: Pod) -> tuple[int, int, int]:
    """Chips in whole slices before, during (those that no change touches) and after."""
    same = {(one.shape, one.cubes) for one in before.slices}
    kept = (one for one in after.slices if (one.shape, one.cubes) in same and not before.lost & set(one.cubes))
    return before.chips, sum(one.chips for one in kept), after.chips
