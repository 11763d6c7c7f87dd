"""Bundles: the links between two glyphs, summed by medium, with the load of the fullest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.drawing.layout import Layout
from topologies.graph import Topology
from topologies.links import MEDIA


@dataclass(frozen=True, slots=True)
class Bundle:
    """Links of one medium between glyphs a and b; `busy` is the largest share of the time one of them is, or None."""

    a: int
    b: int
    medium: str
    links: int
    busy: float | None


def bundles(topology: Topology, layout: Layout, busy: NDArray[np.float64] | None) -> list[Bundle]:
    """Links between different glyphs, in the order of glyphs; `busy` is float64[A], by arc of the compiled form."""
    found = _joined(topology, layout, busy)
    if layout.spokes and busy is None:
        spokes = [Bundle(a, b, "circuit", links, None) for a, b, links in layout.spokes]
        return [bundle for bundle in found if bundle.medium != "circuit"] + spokes
    return found


def _joined(topology: Topology, layout: Layout, busy: NDArray[np.float64] | None) -> list[Bundle]:
    edges, index = topology.edges, topology.index
    tails = np.fromiter((index[a] for a, _, _ in edges), np.int64, len(edges))
    heads = np.fromiter((index[b] for _, b, _ in edges), np.int64, len(edges))
    media = np.fromiter((MEDIA.index(e["medium"]) for _, _, e in edges), np.int64, len(edges))
    links = np.fromiter((e["count"] for _, _, e in edges), np.int64, len(edges))
    a, b = layout.of[tails].astype(np.int64), layout.of[heads].astype(np.int64)
    drawn = (a >= 0) & (b >= 0) & (a != b)
    if not drawn.any():
        return []
    load = np.zeros(len(edges)) if busy is None else _by_edge(topology, tails, heads, busy)
    low, high = np.minimum(a, b)[drawn], np.maximum(a, b)[drawn]
    keys, where = np.unique((low * len(layout.glyphs) + high) * len(MEDIA) + media[drawn], return_inverse=True)
    count = np.bincount(where, links[drawn], minlength=len(keys))
    fullest = np.zeros(len(keys))
    np.maximum.at(fullest, where, load[drawn])
    pairs = keys // len(MEDIA)
    return [
        Bundle(p // len(layout.glyphs), p % len(layout.glyphs), MEDIA[m], int(c), None if busy is None else f)
        for p, m, c, f in zip(
            pairs.tolist(), (keys % len(MEDIA)).tolist(), count.tolist(), fullest.tolist(), strict=True
        )
    ]


def _by_edge(
    topology: Topology, tails: NDArray[np.int64], heads: NDArray[np.int64], busy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The fuller direction of every edge; idle where the compiled form leaves it out."""
    csr = topology.csr()
    nodes = len(topology.nodes)
    key = csr.tails.astype(np.int64) * nodes + csr.heads
    order = np.argsort(key)

    def found(asked: NDArray[np.int64]) -> NDArray[np.float64]:
        place = order[np.minimum(np.searchsorted(key[order], asked), len(order) - 1)]
        return np.where(key[place] == asked, busy[place], 0.0)

    fuller: NDArray[np.float64] = np.maximum(found(tails * nodes + heads), found(heads * nodes + tails))
    return fuller
