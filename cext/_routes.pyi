"""Types of the kernels that enumerate the arcs of pairs."""

import numpy as np
from numpy.typing import NDArray

def shortest_routes(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    weight: NDArray[np.float64],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    latency: NDArray[np.float64],
    node_latency: NDArray[np.float64],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    key: NDArray[np.uint64] | None = None,
    pick: str = "split",
    threads: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64] | None, NDArray[np.float64], int]:
    """Arcs of shortest paths of pairs of nodes.

    Paths are shortest in hops and never cross, as an intermediate, a node that does not forward. Targets that hang on
    one node by one link share a search. O(roots (V + A) + nnz x degree), twice: arcs are counted, then written. The
    same bits for any number of threads.

    Parameters
    ----------
    indptr, indices, weight, twin, forwards, latency, node_latency
        the graph, as for ecmp_loads.
    source, target
        nodes of each pair, shape (P); a pair of a node with itself has no arcs.
    key
        of each pair, shape (P), where one path is picked.
    pick
        "split": at every node over all next hops, by weight; "modulo": one path, the next hop with index (key mod
        next hops), where an arc of weight w counts as w of them; "random": one path, at every node a next hop at
        random by weight, which depends on key and the hop alone.
    threads
        0 takes all.

    Returns
    -------
    ptr, arc, share
        pair p uses arcs arc[ptr[p]:ptr[p + 1]], each once, and the share beside it; share is None for one path.
    seconds
        of the slowest branch of each pair: its arcs and the nodes between.
    missing
        the first pair without a path, or -1; the other results are empty then.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """

def grid_routes(
    dims: NDArray[np.int32],
    wrapped: NDArray[np.uint8],
    arcs: NDArray[np.int32],
    hop: NDArray[np.float64],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    tie_split: bool = True,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64] | None, NDArray[np.float64]]:
    """Arcs of pairs on a grid that go the short way round, dimension 0 first, as dor_loads does. O(sum of hops).

    Parameters
    ----------
    dims, wrapped
        size of each dimension, and whether it closes to a ring, shape (k).
    arcs
        the arc that leaves each node in + (column 2 i) and - (column 2 i + 1) of dimension i, shape (nodes, 2 k), -1
        where a line ends. A wrapped dimension of 2 has one arc of two links, so its one step is no tie.
    hop
        seconds of each arc.
    source, target
        pairs, shape (P).
    tie_split
        half each way at a tie, else all in + direction.

    Returns
    -------
    ptr, arc, share
        pair p uses arcs arc[ptr[p]:ptr[p + 1]], each once, and the share beside it; share is None if none splits. An
        arc that arcs lacks is -1.
    seconds
        of the slower branches of each pair.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """
