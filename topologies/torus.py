"""Direct-connect grids: ring, torus (plain or twisted), mesh without wraparound."""

from collections.abc import Hashable, Iterator
from itertools import chain, pairwise, product
from math import prod
from typing import Annotated, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError
from topologies.graph import Grid, Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue

Dims = Annotated[tuple[int, ...], "sizes, e.g. 4x4x8"]


def torus(
    dims: Dims,
    wrap: Annotated[tuple[bool, ...], "wraparound, one for all or one a dimension (truexfalse)"] = (True,),
    twist: Annotated[bool, "twisted wraparound; dims a,2a, a,a,2a or a,2a,2a with a >= 4"] = False,
    K: Annotated[tuple[int, ...], "parallel links of neighbours, one for all or one a dimension (2x2x1)"] = (1,),
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """Torus of any dimension; rank = x + X y + X Y z.

    A wrapped dimension of 2 is one edge of two links; K multiplies the links (Trainium2: K=2x2x1). The twist (Camara et
    al., "Twisted torus topologies", TPDS 2010; TPU v4, ISCA 2023) moves a wrap in x and in y by a in z for a,a,2a, a
    wrap in x by a in y and in z for a,2a,2a, and by a in y for a,2a: all become edge symmetric.

    >>> from topologies.registry import build
    >>> build("torus:dims=4x4x4").links, build("torus:dims=2x2").links
    (192, 8)
    """
    _check_size("torus", dims)
    counts = K * len(dims) if len(K) == 1 else K
    if len(counts) != len(dims):
        raise ConfigError(f"torus: K names {len(counts)} dimensions, dims {len(dims)}; give one for all or one each")
    wraps = wrap * len(dims) if len(wrap) == 1 else wrap
    if len(wraps) != len(dims):
        raise ConfigError(f"torus: wrap names {len(wraps)} dimensions, dims {len(dims)}; give one for all or one each")
    if twist and not all(wraps):
        raise ConfigError("torus: twist needs every dimension wrapped; leave wrap out")
    shifts = twist_shifts(dims) if twist else {}
    parts.part(accelerator, Accelerator)
    graph = nx.Graph()
    labels = grid_nodes(graph, dims, {"kind": "accelerator", "forwards": True, "part": accelerator})
    along: list[list[tuple[Hashable, Hashable]]] = [[] for _ in dims]
    for axis, a, b in grid_edges(dims, wraps, shifts):
        along[axis].append((labels[a], labels[b]))
    for axis, pairs in enumerate(along):
        twice = 2 if dims[axis] == 2 and wraps[axis] else 1
        graph.add_edges_from(pairs, **link.attributes(parts, count=counts[axis] * twice))
    grid = Grid(dims, wraps, twist)
    moves = grid_generators
    halves = () if twist and len(dims) == 2 else grid_halves(dims)  # where a diagonal cut is no wider
    return Topology("torus", "torus", {}, graph, parts, grid=grid, halves=halves, generators=moves)


def mesh(
    dims: Dims,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """Grid without wraparound; rank = x + X y + X Y z.

    Source: Dally and Towles, Principles and Practices of Interconnection Networks, 2004, chapter 5.
    """
    _check_size("mesh", dims)
    return torus(dims, (False,), False, (1,), link, accelerator, parts=parts)


def ring(
    n: Annotated[int, "accelerators"],
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    *,
    parts: Catalogue,
) -> Topology:
    """Accelerators in a circle, one link to either neighbour.

    Source: Dally and Towles, Principles and Practices of Interconnection Networks, 2004, chapter 5.
    """
    _check_size("ring", (n,))
    return torus((n,), (True,), False, (1,), link, accelerator, parts=parts)


def _check_size(family: str, dims: tuple[int, ...]) -> None:
    limit_nodes(family, prod(dims))
    if prod(dims) < 2:
        given = f"n = {dims[0]}" if family == "ring" else f"dims = {'x'.join(map(str, dims))}"
        raise ConfigError(f"{family}: {given} is a single accelerator; give at least 2")


def twist_shifts(dims: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
    """What a wrap in each dimension adds to the other coordinates of a twisted torus.

    >>> twist_shifts((4, 4, 8)), twist_shifts((4, 8, 8)), twist_shifts((4, 8))
    ({0: (0, 0, 4), 1: (0, 0, 4)}, {0: (0, 4, 4)}, {0: (0, 4)})
    """
    if len(dims) in (2, 3) and dims[0] >= 4:
        a = dims[0]
        if dims == (a, 2 * a):
            return {0: (0, a)}
        if dims == (a, a, 2 * a):
            return {0: (0, 0, a), 1: (0, 0, a)}
        if dims == (a, 2 * a, 2 * a):
            return {0: (0, a, a)}
    given = "x".join(map(str, dims))
    raise ConfigError(
        f"dims = {given} cannot be twisted; give them in the order a,2a, a,a,2a or a,2a,2a with a >= 4, e.g. 4x4x8"
    )


def grid_nodes(graph: nx.Graph, dims: tuple[int, ...], attributes: dict[str, Any]) -> list[Hashable]:
    """Add the grid's nodes in rank order, first coordinate fastest; their labels by rank."""
    labels: list[Hashable] = []
    for reverse in product(*(range(d) for d in reversed(dims))):
        position = reverse[::-1]
        label = "-".join(map(str, position))
        graph.add_node(label, **attributes, position=position)
        labels.append(label)
    return labels


def grid_edges(
    dims: tuple[int, ...], wraps: tuple[bool, ...], shifts: dict[int, tuple[int, ...]]
) -> Iterator[tuple[int, int, int]]:
    """(dimension, rank, rank of the next node in +) of every edge, each once."""
    sizes = np.array(dims)
    strides = np.concatenate([[1], np.cumprod(sizes)[:-1]])
    coordinates = (np.arange(prod(dims))[:, None] // strides) % sizes
    for axis, size in enumerate(dims):
        if size == 1:
            continue
        step = coordinates.copy()
        step[:, axis] += 1
        past = step[:, axis] == size
        step[past] += np.array(shifts.get(axis, (0,) * len(dims)))
        keep = ~past if (size == 2 and axis not in shifts) or not wraps[axis] else np.ones(len(step), bool)
        following = ((step % sizes) * strides).sum(axis=1)
        yield from ((axis, a, b) for a, b in zip(np.flatnonzero(keep).tolist(), following[keep].tolist(), strict=True))


def grid_halves(dims: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """Both halves of the grid across each even dimension, the lower half flagged."""
    ranks = np.arange(prod(dims))
    halves, stride = [], 1
    for size in dims:
        if size % 2 == 0:
            halves.append((ranks // stride) % size < size // 2)
        stride *= size
    return halves


def grid_generators(topology: Topology, step: int = 1) -> Iterator[NDArray[np.int32]]:
    """Permutations of ranks that a grid may bear: translations by `step` along wrapped dimensions, reflections, and
    swaps of dimensions of one size. What a twist or uneven links forbid, verification drops.

    >>> from topologies.registry import build
    >>> [g.tolist() for g in grid_generators(build("ring:n=4"))]
    [[1, 2, 3, 0], [3, 2, 1, 0]]
    """
    grid = topology.grid
    if grid is None:
        return
    sizes = np.array(grid.dims)
    strides = np.concatenate([[1], np.cumprod(sizes)[:-1]])
    here = (np.arange(prod(grid.dims))[:, None] // strides) % sizes
    shifts = twist_shifts(grid.dims) if grid.twist else {}

    def ranks(there: NDArray[np.int64]) -> NDArray[np.int32]:
        """Points of the unwrapped grid as ranks: a lap round a twisted dimension moves the others."""
        for axis, shift in shifts.items():
            laps = there[:, axis] // sizes[axis]
            there = there + laps[:, None] * np.array(shift)
        rank: NDArray[np.int32] = ((there % sizes) @ strides).astype(np.int32)
        return rank

    unit = np.eye(len(sizes), dtype=np.int64)
    axes = [axis for axis, size in enumerate(grid.dims) if size > 1]
    for axis in axes:
        if grid.wrap[axis]:
            yield ranks(here + step * unit[axis])
    for axis in axes:
        yield ranks(here * (1 - 2 * unit[axis]) + (grid.dims[axis] - 1) * unit[axis])
    alike: dict[tuple[int, bool], list[int]] = {}
    for axis in axes:
        alike.setdefault((grid.dims[axis], grid.wrap[axis]), []).append(axis)
    for a, b in chain.from_iterable(map(pairwise, alike.values())):
        order = np.arange(len(sizes))
        order[[a, b]] = b, a
        yield ranks(here[:, order])
