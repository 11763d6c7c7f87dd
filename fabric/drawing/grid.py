"""Grids in their own geometry: a ring as a circle, two dimensions flat, three in perspective, more nested."""

from collections.abc import Iterator
from itertools import product
from math import cos, pi, prod, sin

import numpy as np

from fabric.drawing.layout import Glyph, Layout
from topologies.graph import Grid, Topology

PITCH = 34.0
DEPTH = (0.44, -0.36)  # of a step along the third dimension, in pitches: no two of eight layers coincide
NESTED_GAP = 1.6
MOST_DRAWN = 1500  # dots; of a larger torus its outer faces are drawn
MOST_ON_AXIS = 24
LEAST_RADIUS = 60.0


def layout(topology: Topology) -> Layout | None:
    """The grid's nodes at their coordinates; None for a fabric that is no grid."""
    grid = topology.grid
    if grid is None:
        return None
    dims = tuple(d for d in grid.dims if d > 1) or (1,)
    found = Layout.empty(topology)
    positions = _shown(grid, found)
    for position in positions:
        x, y = _place(position, grid)
        rank = sum(p * prod(grid.dims[:axis]) for axis, p in enumerate(position))
        node = topology.accelerators[rank]
        found.add(Glyph(x, y, "accelerator", str(node), width=_size(len(positions)), height=_size(len(positions))),
                  [topology.index[node]])  # fmt: skip
    if len(dims) > 1:
        _stubs(topology, grid, found)
    if found.stubs:
        found.captions.append(
            "Wraparounds are drawn as stubs at both ends" + ("; they are twisted." if grid.twist else ".")
        )
    return found


def _size(number: int) -> float:
    return 10.0 if number <= 64 else 7.0 if number <= 600 else 5.0


def _shown(grid: Grid, found: Layout) -> list[tuple[int, ...]]:
    """Coordinates that are drawn: all, or of a solid torus the three faces that one sees; long axes cut."""
    axes = [range(min(d, MOST_ON_AXIS if prod(grid.dims) > MOST_DRAWN else d)) for d in grid.dims]
    if any(len(axis) < d for axis, d in zip(axes, grid.dims, strict=True)):
        shape = "x".join(str(len(axis)) for axis in axes)
        found.captions.append(f"The corner {shape} of {'x'.join(map(str, grid.dims))} is drawn.")
    every = [tuple(reversed(p)) for p in product(*reversed(axes))]
    if len(every) <= MOST_DRAWN or len(grid.dims) != 3:
        return every[: 4 * MOST_DRAWN]
    found.captions.append("The three faces in front are drawn; what lies inside and behind is wired alike.")
    last = [len(axis) - 1 for axis in axes]
    return [p for p in every if p[2] == 0 or p[1] == last[1] or p[0] == last[0]]


def _place(position: tuple[int, ...], grid: Grid) -> tuple[float, float]:
    """Pixels of a coordinate; y of the grid goes up."""
    dims = grid.dims
    if sum(d > 1 for d in dims) == 1:
        return _on_circle(max(position), max(dims), grid.wrap[dims.index(max(dims))])
    if len(dims) <= 3:
        x, y, z = (*position, 0, 0)[:3]
        return PITCH * (x + DEPTH[0] * z), PITCH * (-y + DEPTH[1] * z)
    across, up = (sum(stepped(position[k::2], dims[k::2])) for k in (0, 1))
    return PITCH * across, -PITCH * up


def stepped(places: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[float]:
    """Steps along one direction of paper: the first dimension inside the next.

    >>> list(stepped((1, 2), (4, 3)))
    [1.0, 9.2]
    """
    step = 1.0
    for place, size in zip(places, sizes, strict=True):
        yield place * step
        step *= size - 1 + NESTED_GAP


def _on_circle(place: int, size: int, closed: bool) -> tuple[float, float]:
    if not closed:
        return PITCH * place, 0.0
    radius = max(LEAST_RADIUS, size * 14.0 / (2 * pi))
    angle = 2 * pi * place / size - pi / 2
    return radius * cos(angle), radius * sin(angle)


def _stubs(topology: Topology, grid: Grid, found: Layout) -> None:
    """Links between drawn nodes that are not neighbours on paper."""
    edges = topology.edges
    ends = np.array([(topology.index[a], topology.index[b]) for a, b, _ in edges], np.int64).reshape(-1, 2)
    glyphs = np.sort(found.of[ends], axis=1)
    rank = np.zeros(len(topology.nodes), np.int64)
    rank[topology.csr().accelerators] = np.arange(len(topology.accelerators))
    strides = np.concatenate([[1], np.cumprod(grid.dims)[:-1]])
    places = rank[ends][..., None] // strides % np.array(grid.dims)
    apart = np.abs(places[:, 0] - places[:, 1]).sum(axis=1)
    far = glyphs[(glyphs[:, 0] >= 0) & (apart > 1)]
    found.stubs = {(int(a), int(b)) for a, b in far}
