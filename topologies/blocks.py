"""Blocks: nodes laid out along named axes whose places are thought alike, and the permutations that say so."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topologies.graph import Topology

FIXED = ""  # an axis whose places are not alike


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Nodes of one kind: `labels` (nested sequences of equal lengths) with one name per axis.

    Blocks that move together share an axis name: hosts are laid out along ("leaf", "host"), their switches along
    ("leaf",). An axis named "" is never moved along.
    """

    labels: Any
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tiers:
    """Switches above each other: leaves by pod, the spines of each pod, and the cores above each place of a spine."""

    pods: Sequence[Sequence[str]]
    spines: Sequence[Sequence[str]] = ()
    cores: Sequence[Sequence[str]] = ()


def tier_blocks(
    copies: Any,
    axes: tuple[str, ...],
    below: Sequence[Sequence[Block]],
    *,
    unit: int = 1,
    along: str = FIXED,
) -> list[Block]:
    """Blocks of parallel networks of one shape: `copies` are Tiers, nested along `axes` (planes, rails).

    Each `unit` leaves in turn belong together, laid out `along` an axis, with what hangs `below` them. Units change
    places within a pod, and pods as a whole, where what hangs below is of one shape.

    >>> hosts = [[Block([f"h{leaf}{i}" for i in range(2)], ("host",))] for leaf in range(2)]
    >>> [block.axes for block in tier_blocks(Tiers([["l0", "l1"]], [["s0"]]), (), hosts)]
    [('pod 0', 'unit 0.0', ''), ('pod 0', 'unit 0.0', 'host'), ('pod 0', 'spine')]
    """
    grid = np.empty(np.shape(np.array(copies, dtype=object)), dtype=object)
    grid[...] = copies
    nested = [pod for copy in grid.flat[:1] for pod in copy.pods]
    starts = np.cumsum([0] + [len(pod) for pod in nested]) // unit
    aligned = all(len(pod) % unit == 0 for pod in nested)
    spans = [range(a, b) for a, b in pairwise(starts)] if aligned else [range(int(starts[-1]))]
    shapes = [tuple((np.shape(block.labels), block.axes) for block in blocks) for blocks in below]
    classes: dict[Any, list[int]] = {}
    for pod, span in enumerate(spans):
        classes.setdefault(tuple(shapes[u] for u in span), []).append(pod)

    def every(part: Callable[..., list[str]], shape: tuple[int, ...], *given: Any) -> Any:
        """A part of each copy, nested as the copies are."""
        return np.array([part(copy, *given) for copy in grid.flat], dtype=object).reshape(*grid.shape, *shape)

    blocks = []
    for c, (signature, pods) in enumerate(classes.items()):
        for k, shape in enumerate(dict.fromkeys(signature)):
            names = (f"pod {c}", f"unit {c}.{k}") if aligned else (FIXED, FIXED)
            places = [place for place, other in enumerate(signature) if other == shape]
            units = [[spans[pod][place] for place in places] for pod in pods]
            size = (len(units), len(places), unit)
            blocks.append(Block(every(_leaves, size, units, unit), (*axes, *names, along)))
            for i, (_, own) in enumerate(shape):
                blocks.append(Block([[below[u][i].labels for u in row] for row in units], (*names, *own)))
        if nested and grid.flat[0].spines:
            chosen = pods if aligned else range(len(nested))
            name = f"pod {c}" if aligned else FIXED
            blocks.append(Block(every(_spines, (len(chosen), -1), chosen), (*axes, name, "spine")))
    if grid.size and grid.flat[0].cores:
        blocks.append(Block(every(_cores, (len(grid.flat[0].cores), -1)), (*axes, "spine", "core")))
    return blocks


def _spines(copy: Tiers, pods: Sequence[int]) -> list[str]:
    return [spine for pod in pods for spine in copy.spines[pod]]


def _cores(copy: Tiers) -> list[str]:
    return [core for group in copy.cores for core in group]


def _leaves(copy: Tiers, units: list[list[int]], unit: int) -> list[str]:
    every = [leaf for pod in copy.pods for leaf in pod]
    return [leaf for row in units for u in row for leaf in every[u * unit : (u + 1) * unit]]


def block_generators(blocks: Sequence[Block], topology: Topology) -> Iterator[NDArray[np.int32]]:
    """Two permutations of node positions per axis: every block that has the axis goes one place on along it, first all
    of its places, then all but the first.

    The one makes all places of an axis one orbit; the other makes all pairs of places one orbit, and holds what the
    first rank sends or receives in place. Proposals: whoever uses one verifies it.

    >>> from topologies.registry import build
    >>> next(block_generators([Block(["acc-0", "acc-1", "acc-2"], ("acc",))], build("full-mesh:n=4")))
    array([1, 2, 0, 3], dtype=int32)
    """
    placed = [(_positions(block, topology), block.axes) for block in blocks]
    for axis in dict.fromkeys(axis for _, axes in placed for axis in axes if axis != FIXED):
        mine = [np.moveaxis(nodes, axes.index(axis), 0) for nodes, axes in placed if axis in axes]
        longest = max(len(nodes) for nodes in mine)
        for first in range(min(2, longest - 1)):
            moves = [(nodes[first:], np.roll(nodes[first:], -1, axis=0)) for nodes in mine]
            yield _moved(len(topology.nodes), moves)


def moves_and_mirrors(
    blocks: Sequence[Block], mirrored: Sequence[str], topology: Topology
) -> Iterator[NDArray[np.int32]]:
    """What `block_generators` proposes, and the order reversed along each of the axes that are `mirrored`."""
    yield from block_generators(blocks, topology)
    placed = [(_positions(block, topology), block.axes) for block in blocks]
    for axis in mirrored:
        mine = [np.moveaxis(nodes, axes.index(axis), 0) for nodes, axes in placed if axis in axes]
        yield _moved(len(topology.nodes), [(nodes, nodes[::-1]) for nodes in mine])


def _positions(block: Block, topology: Topology) -> NDArray[np.int64]:
    labels = np.array(block.labels, dtype=object)
    index = topology.index
    flat = np.fromiter((index[label] for label in labels.flat), np.int64, labels.size)
    return flat.reshape(labels.shape)


def _moved(nodes: int, moves: Sequence[tuple[ArrayLike, ArrayLike]]) -> NDArray[np.int32]:
    """The permutation that puts each array's nodes where those of its partner are."""
    image = np.arange(nodes, dtype=np.int32)
    for here, there in moves:
        image[np.ravel(here)] = np.ravel(there)
    return image
