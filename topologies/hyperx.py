"""HyperX: switches on a grid, every two of a line joined; or accelerators in their place."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations, product
from math import prod
from typing import Annotated, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.blocks import Block, block_generators
from topologies.clos import NicName, SwitchName
from topologies.conditions import OnlyWith
from topologies.errors import ConfigError
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Accelerator, Catalogue
from topologies.routers import add_routers, as_published
from topologies.torus import grid_nodes

SWITCHED = OnlyWith("direct", False)
MAX_DIMS = 24  # of two switches each: as many as are built


def hyperx(
    dims: Annotated[tuple[int, ...], "switches along each dimension, e.g. 8x8"],
    K: Annotated[tuple[int, ...], "links of every two switches of a line, one for all or one a dimension"] = (1,),
    T: Annotated[int | None, "accelerators of a switch; full bisection, min(K dims)/2, by default", SWITCHED] = None,
    direct: Annotated[bool, "accelerators in the place of switches, which forward"] = False,
    switch: Annotated[SwitchName, SWITCHED] = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: Annotated[NicName, SWITCHED] = None,
    *,
    parts: Catalogue,
) -> Topology:
    """HyperX: every two switches that differ in one coordinate are joined (Ahn et al., SC 2009, section 2).

    S1 x S2 x ... switches, each with T accelerators and K (S - 1) links in each dimension; first coordinate fastest.
    With `direct` the accelerators are the grid, as in UB-Mesh (arXiv:2503.20377: 8x8 in a rack, 8x8x4x4 in a pod). The
    bisection lies across the dimension of the least K S where its size is even: no halves are narrower, since K S is
    the algebraic connectivity.

    >>> from topologies.registry import build
    >>> t = build("hyperx:dims=4x4,T=2"); len(t.accelerators), t.links
    (32, 80)
    >>> t = build("hyperx:dims=8x8x4x4,direct=true"); len(t.accelerators), t.links
    (1024, 10240)
    """
    counts = K * len(dims) if len(K) == 1 else K
    if len(counts) != len(dims):
        raise ConfigError(f"hyperx: K names {len(counts)} dimensions, dims {len(dims)}; give one for all or one each")
    if len(dims) > MAX_DIMS:
        raise ConfigError(f"hyperx: dims has {len(dims)} dimensions; give at most {MAX_DIMS}")
    degree = sum(k * (s - 1) for s, k in zip(dims, counts, strict=True))
    widths = [k * s for s, k in zip(dims, counts, strict=True) if s > 1]
    each = 1 if direct else max(1, min(widths, default=1) // 2) if T is None else T
    switches = prod(dims)
    hosts_each = 0 if direct else each
    limit_nodes("hyperx", switches * (1 + hosts_each), switches * (2 * hosts_each + sum(s - 1 for s in dims)) // 2)
    graph, hosts = nx.Graph(), []
    if direct:
        if switches < 2:
            raise ConfigError("hyperx: dims hold a single accelerator; give at least 2")
        parts.part(accelerator, Accelerator)
        labels = np.array(grid_nodes(graph, dims, {"kind": "accelerator", "forwards": True, "part": accelerator}))
    else:
        places = [place[::-1] for place in product(*(range(size) for size in reversed(dims)))]
        labels = np.array([f"switch-{'-'.join(map(str, place))}" for place in places])
        hosts = add_routers(graph, "hyperx", labels.tolist(), each, degree, switch, link, accelerator, nic, parts)
        nx.set_node_attributes(graph, dict(zip(labels.tolist(), places, strict=True)), "position")
    attributes = link.attributes(parts)
    joined = 0
    for axis, count in enumerate(counts):
        ends = _ends(dims, axis)
        pairs = zip(labels[ends[0]].tolist(), labels[ends[1]].tolist(), strict=True)
        graph.add_edges_from(pairs, **attributes | {"count": count})
        joined += count * ends.shape[1]
    as_published("hyperx", "links between switches", joined, switches * degree // 2)
    blocks = _blocks(dims, labels, hosts, each)
    halves = _halves(dims, counts, 1 if direct else each)
    return Topology("hyperx", "hyperx", {}, graph, parts, halves=halves, generators=partial(block_generators, blocks))


def _ends(dims: tuple[int, ...], axis: int) -> NDArray[np.int64]:
    """int64[2, E]: numbers of both switches of every joined pair along a dimension."""
    grid = np.arange(prod(dims)).reshape(*reversed(dims))
    lines = np.moveaxis(grid, len(dims) - 1 - axis, -1).reshape(-1, dims[axis])
    pairs = np.array(list(combinations(range(dims[axis]), 2)), np.int64).reshape(-1, 2)
    return lines[:, pairs.T].transpose(1, 0, 2).reshape(2, -1)


def _blocks(dims: tuple[int, ...], labels: NDArray[Any], hosts: Sequence[str], each: int) -> list[Block]:
    shape = tuple(reversed(dims))
    axes = tuple(f"dimension {axis}" for axis in reversed(range(len(dims))))
    blocks = [Block(labels.reshape(shape), axes)]
    if hosts:
        blocks.append(Block(np.array(hosts, dtype=object).reshape(*shape, each), (*axes, "host")))
    return blocks


def _halves(dims: tuple[int, ...], counts: tuple[int, ...], each: int) -> list[NDArray[np.bool_]]:
    """The halves across the dimension of the least K S, where it can be halved: no cut is narrower.

    The Laplacian of the switches has lambda2 = min K S, so s of n switches are cut off by lambda2 s (n - s)/n links at
    least (Mohar 1991); accelerators that lie on the other side than their switch cost a link each, and the sum is
    least at s = 0 or n/2, both of which the cut by max-flow of these halves takes into account.
    """
    sizes = [(k * s, axis) for axis, (s, k) in enumerate(zip(dims, counts, strict=True)) if s > 1]
    narrow = min((width for width, _ in sizes), default=0)
    axis = next((axis for width, axis in sizes if width == narrow and dims[axis] % 2 == 0), None)
    if axis is None:
        return []
    along = np.arange(prod(dims)) // prod(dims[:axis]) % dims[axis]
    return [np.repeat(along < dims[axis] // 2, each)]
