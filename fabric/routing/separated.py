"""Parallel links told apart: an arc for each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract
from topologies.graph import Topology, once


@dataclass(frozen=True, slots=True, eq=False)
class Separated:
    """The folded topology with an arc for every link: those of arc a are first[a] to first[a + 1] - 1."""

    indptr: NDArray[np.int64]
    heads: NDArray[np.int32]
    twin: NDArray[np.int32]
    latency: NDArray[np.float64]
    first: NDArray[np.int64]


@once
def separate(topology: Topology) -> Separated:
    """One arc for each parallel link, in the order of the arcs; link k of an arc is the twin of link k of its twin."""
    small = contract(topology)
    count = small.links.astype(np.int64)
    first = np.concatenate([[0], np.cumsum(count)])
    place = np.arange(first[-1]) - np.repeat(first[:-1], count)
    return Separated(
        indptr=first[small.indptr],
        heads=np.repeat(small.heads, count),
        twin=(np.repeat(first[small.twin], count) + place).astype(np.int32),
        latency=np.repeat(small.latency, count),
        first=first,
    )
