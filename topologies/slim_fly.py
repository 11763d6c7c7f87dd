"""Slim Fly: the graphs of McKay, Miller and Siran, two links from any router to any other."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from topologies.clos import NicName, SwitchName
from topologies.fields import Elements, Field, field, needs_prime_power
from topologies.graph import Topology, limit_nodes
from topologies.links import LinkOptions
from topologies.parts import Catalogue
from topologies.routers import add_routers, as_published, balanced, router_generators


def slim_fly(
    q: Annotated[int, "a prime power 4w - 1, 4w or 4w + 1"],
    p: Annotated[int | None, "accelerators of a router; half its links to routers, rounded up, by default"] = None,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """Slim Fly of 2 q^2 routers with (3 q - d)/2 links each, q = 4w + d (Besta and Hoefler, SC 2014, section 2.A).

    Any two routers are at most two links apart. Over GF(q): router (0, x, y) is joined to (0, x, y') where y - y' is
    in X, (1, m, c) to (1, m, c') where c - c' is in X', and (0, x, y) to (1, m, c) where y = m x + c. The sets: Hafner,
    "Geometric realisation of the graphs of McKay-Miller-Siran", J. Combin. Theory B 90, 2004. q = 5 is the graph of
    Hoffman and Singleton.

    >>> from topologies.registry import build
    >>> t = build("slim-fly:q=5"); len(t.accelerators), t.attribute("kind").count("switch"), t.links
    (200, 50, 375)
    """
    degree = (3 * q - _delta(q)) // 2
    each = balanced(degree) if p is None else p
    limit_nodes("slim-fly", 2 * q * q * (each + 1), q * q * (2 * each + degree))
    needs_prime_power("slim-fly", q, 3)
    gf = field(q)
    first, second = generator_sets(gf)
    ends = _ends(gf, first, second)
    as_published("slim-fly", "links between routers", len(ends), q * q * degree)
    labels = [f"router-{side}-{a}-{b}" for side in range(2) for a in range(q) for b in range(q)]
    graph = nx.Graph()
    add_routers(graph, "slim-fly", labels, each, degree, switch, link, accelerator, nic, parts)
    places = {label: (i // q, i % q) for i, label in enumerate(labels)}
    nx.set_node_attributes(graph, places, "position")
    graph.add_edges_from(((labels[a], labels[b]) for a, b in ends.tolist()), **link.attributes(parts))
    moves = router_generators(each, partial(_moves, gf))
    return Topology("slim-fly", "slim-fly", {}, graph, parts, generators=moves)


def _delta(q: int) -> int:
    """The d of q = 4w + d.

    >>> [_delta(q) for q in (7, 8, 9)]  # 2, the only prime power that leaves 2, is too small
    [-1, 0, 1]
    """
    return -1 if q % 4 == 3 else q % 4


def generator_sets(gf: Field) -> tuple[Elements, Elements]:
    """X and X': the even and the odd powers of a primitive element; where q = 4w - 1, the even ones below 2w and the
    odd ones from there on, and one power higher, so that each set holds the negative of all it holds.

    >>> [[s.tolist() for s in generator_sets(field(q))] for q in (5, 7)]
    [[[1, 4], [2, 3]], [[1, 2, 6, 5], [3, 6, 4, 1]]]
    """
    q = gf.order
    if _delta(q) >= 0:
        return gf.powers[0::2], gf.powers[np.arange(1, q, 2) % (q - 1)]
    w = (q + 1) // 4
    chosen = np.concatenate([np.arange(0, 2 * w - 1, 2), np.arange(2 * w - 1, 4 * w - 2, 2)])
    return gf.powers[chosen], gf.powers[(chosen + 1) % (q - 1)]


def _ends(gf: Field, first: Elements, second: Elements) -> NDArray[np.int64]:
    """int64[E, 2]: both routers of every link, each once; router (s, a, b) is number s q^2 + a q + b."""
    q = gf.order
    every = np.arange(q)
    pairs = []
    for side, chosen in enumerate((first, second)):
        near, far = np.repeat(every, len(chosen)), gf.add(every[:, None], chosen).ravel()
        once = near < far  # the set holds the negative of all it holds: every link comes twice
        column = side * q * q + q * every[:, None]
        pairs.append(np.stack([(column + near[once]).ravel(), (column + far[once]).ravel()], axis=1))
    x, m, c = (axis.ravel() for axis in np.meshgrid(every, every, every, indexing="ij"))
    y = gf.add(gf.multiply(m, x), c)
    pairs.append(np.stack([q * x + y, q * q + q * m + c], axis=1))
    return np.concatenate(pairs)


def _moves(gf: Field) -> Iterator[NDArray[np.int64]]:
    """Permutations of routers: (x, y, m, c) to (x, y + t, m, c + t), (x + t, y, m, c - t m), (x, y + t x, m + t, c),
    (x, r y, m, r c), (r x, y, m / r, c), (x^p, y^p, m^p, c^p), and both sides exchanged."""
    q = gf.order
    a, b = (axis.ravel() for axis in np.meshgrid(np.arange(q), np.arange(q), indexing="ij"))
    root = gf.powers[1 % (q - 1)]

    def image(left: tuple[Elements, Elements], right: tuple[Elements, Elements], swap: int = 0) -> NDArray[np.int64]:
        """Where the routers (0, x, y) and (1, m, c) go."""
        low, high = q * left[0] + left[1], q * right[0] + right[1]
        return np.concatenate([low + swap * q * q, high + (1 - swap) * q * q])

    for t in gf.basis:
        there = gf.add(b, np.int64(t))
        yield image((a, there), (a, there))
        along = gf.multiply(np.int64(t), a)
        yield image((gf.add(a, np.int64(t)), b), (a, gf.add(b, gf.negative(along))))
        yield image((a, gf.add(b, along)), (gf.add(a, np.int64(t)), b))
    squared = gf.multiply(root, root)
    for factor in (root, squared, gf.negative(np.int64(1))):
        scaled = gf.multiply(factor, b)
        yield image((a, scaled), (a, scaled))
    yield image((gf.multiply(root, a), b), (gf.multiply(gf.inverse(root), a), b))
    conjugate = np.append(0, gf.powers[np.arange(q - 1) * gf.characteristic % (q - 1)])
    conjugate = conjugate[np.append(0, 1 + np.argsort(gf.powers))]
    yield image((conjugate[a], conjugate[b]), (conjugate[a], conjugate[b]))
    for factor in (np.int64(1), root):
        turned = gf.negative(a)
        yield image((gf.multiply(factor, a), gf.multiply(factor, b)), (turned, gf.multiply(factor, b)), swap=1)
