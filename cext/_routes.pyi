"""Types of the kernel that enumerates the arcs of pairs."""

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
