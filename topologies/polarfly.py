"""PolarFly: points of a projective plane, joined where they are orthogonal."""

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


def polarfly(
    q: Annotated[int, "a prime power"],
    p: Annotated[int | None, "accelerators of a router; half its links to routers, rounded up, by default"] = None,
    switch: SwitchName = None,
    link: LinkOptions = LinkOptions(),
    accelerator: Annotated[str, "catalogue name"] = "generic",
    nic: NicName = None,
    *,
    parts: Catalogue,
) -> Topology:
    """PolarFly of q^2 + q + 1 routers with q + 1 links each (Lakhotia et al., SC 2022).

    The polarity graph ER_q (Erdos and Renyi 1962; Brown 1966): routers are the points of the projective plane over
    GF(q), two of them joined where their dot product is 0. Any two are at most two links apart. The q + 1 points that
    are orthogonal to themselves, the quadrics, have q links: the last of their ports stays free.

    >>> from topologies.registry import build
    >>> t = build("polarfly:q=3"); len(t.accelerators), t.attribute("kind").count("switch"), t.links
    (26, 13, 50)
    """
    routers, degree = q * q + q + 1, q + 1
    each = balanced(degree) if p is None else p
    limit_nodes("polarfly", routers * (each + 1), routers * each + q * degree * degree // 2)
    needs_prime_power("polarfly", q)
    gf = field(q)
    ends = _ends(gf)
    as_published("polarfly", "links between routers", len(ends), q * (q + 1) ** 2 // 2)
    labels = [f"router-{i}" for i in range(routers)]
    graph = nx.Graph()
    add_routers(graph, "polarfly", labels, each, degree, switch, link, accelerator, nic, parts)
    graph.add_edges_from(((labels[a], labels[b]) for a, b in ends.tolist()), **link.attributes(parts))
    notes = (f"one port of each of the {q + 1} quadric routers stays free",)
    moves = router_generators(each, partial(_moves, gf))
    return Topology("polarfly", "polarfly", {}, graph, parts, notes=notes, generators=moves)


def _points(q: int) -> Elements:
    """int64[q^2 + q + 1, 3]: (1, x, y), (0, 1, y), (0, 0, 1), in this order."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(q), np.arange(q), indexing="ij"))
    plane = np.stack([np.ones_like(x), x, y], axis=1)
    line = np.stack([np.zeros(q, np.int64), np.ones(q, np.int64), np.arange(q)], axis=1)
    return np.concatenate([plane, line, [[0, 0, 1]]])


def _ends(gf: Field) -> NDArray[np.int64]:
    """int64[E, 2]: both routers of every link, each once: of every point the line of those orthogonal to it."""
    q = gf.order
    a, b, c = _points(q).T
    t = np.arange(q)
    corner = q * q + q
    near = np.repeat(np.arange(len(a)), q + 1).reshape(len(a), q + 1)
    far = np.empty_like(near)
    # c is not 0: (1, t, -(a + b t)/c) and (0, 1, -b/c)
    at = np.flatnonzero(c)
    over = gf.negative(gf.inverse(c[at]))
    third = gf.multiply(gf.add(a[at, None], gf.multiply(b[at, None], t)), over[:, None])
    far[at, :q] = q * t + third
    far[at, q] = q * q + gf.multiply(b[at], over)
    # c is 0, b is not: (1, -a/b, t) and (0, 0, 1)
    at = np.flatnonzero((c == 0) & (b != 0))
    far[at, :q] = q * gf.multiply(a[at], gf.negative(gf.inverse(b[at])))[:, None] + t
    far[at, q] = corner
    # (1, 0, 0): (0, 1, t) and (0, 0, 1)
    far[0, :q], far[0, q] = q * q + t, corner
    once = near < far  # a quadric is on its own line
    return np.stack([near[once], far[once]], axis=1)


def _moves(gf: Field) -> Iterator[NDArray[np.int64]]:
    """Permutations of routers: what keeps dot products. Even q: x + s (x.v) v for quadrics v; odd q: the reflections
    x - 2 (x.v)/(v.v) v; and the conjugation of coordinates."""
    q, points = gf.order, _points(gf.order)
    root = gf.powers[1 % (q - 1)]
    one, zero = np.int64(1), np.int64(0)
    for order in ([1, 2, 0], [1, 0, 2]):
        yield _numbers(gf, points[:, order])
    minus = gf.negative(one)
    mirrors = [(one, one, zero), (one, root, zero), (one, one, one), (one, root, one), (one, one, root)]
    for mirror in [*mirrors, (one, minus, zero), (one, root, gf.multiply(root, root)), (one, gf.add(one, root), root)]:
        v = np.array(mirror)
        own, along = _dot(gf, v[None], v)[0], _dot(gf, points, v)
        if own and q % 2:
            scale = gf.multiply(gf.negative(gf.add(one, one)), gf.inverse(own))
        elif not own and q % 2 == 0:
            scale = root
        else:
            continue
        step = gf.multiply(gf.multiply(scale, along)[:, None], v)
        yield _numbers(gf, gf.add(points, step))
    conjugate = np.zeros(q, np.int64)
    conjugate[gf.powers] = gf.powers[np.arange(q - 1) * gf.characteristic % (q - 1)]
    yield _numbers(gf, conjugate[points])


def _dot(gf: Field, vectors: Elements, v: Elements) -> Elements:
    terms = gf.multiply(vectors, v)
    return gf.add(gf.add(terms[:, 0], terms[:, 1]), terms[:, 2])


def _numbers(gf: Field, vectors: Elements) -> NDArray[np.int64]:
    """The number of the point that each vector is a multiple of."""
    q = gf.order
    a, b, c = vectors.T
    lead = np.where(a != 0, a, np.where(b != 0, b, c))
    scale = gf.inverse(lead)
    b, c = gf.multiply(b, scale), gf.multiply(c, scale)
    return np.where(a != 0, q * b + c, np.where(vectors[:, 1] != 0, q * q + c, q * q + q))
