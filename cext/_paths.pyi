"""Types of the kernels of hop distances and components."""

import numpy as np
from numpy.typing import NDArray

def hop_distances(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], forwards: NDArray[np.uint8], source: int
) -> NDArray[np.int32]:
    """Hops from one node to every node along arcs, -1 where no path leads, shape (V), O(V + A).

    Paths never cross, as an intermediate, a node that does not forward; they may start and end there.

    Parameters
    ----------
    indptr, indices
        the graph in CSR, shapes (V + 1) and (A).
    forwards
        may a path cross this node? shape (V).
    source
        a node.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or source is no node.
    """

def components(indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> NDArray[np.int32]:
    """Component of every node of a symmetric graph, whether nodes forward or not, shape (V), O(V + A).

    Labels are 0, 1, ... in order of each component's lowest node.

    Parameters
    ----------
    indptr, indices
        the graph in CSR, shapes (V + 1) and (A), symmetric in structure.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """

def distance_profile(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    terminals: NDArray[np.int32],
    multiplicity: NDArray[np.float64],
    extra_hops: NDArray[np.int32],
    threads: int = 0,
) -> tuple[float, float, int, NDArray[np.int32]]:
    """Sum of hops, weight of pairs and largest hops over all ordered pairs of distinct terminals.

    A terminal may stand for several end points that hang on it: a pair (s, t) counts multiplicity[s] times
    multiplicity[t], and is as long as the hops from s to t plus extra_hops of both. Pairs inside one
    terminal are the caller's to add. Paths never cross, as an intermediate, a node that does not forward.

    64 terminals search at once, a bit each. The same bits for any number of threads.

    Parameters
    ----------
    indptr, indices
        the graph in CSR, shapes (V + 1) and (A), symmetric in structure.
    twin
        the reverse of each arc, shape (A).
    forwards
        may a path cross this node? shape (V).
    terminals, multiplicity, extra_hops
        distinct nodes, the end points that each stands for, and hops to them, shape (T); a terminal with
        multiplicity 0 is left out.
    threads
        0 takes all.

    Returns
    -------
    hop_sum
        sum over pairs that have a path of weight times length.
    pair_weight
        sum of their weights.
    diameter
        the largest length, 0 without pairs.
    unreachable
        (source, target) of the first pair without a path, in order of terminals, or (-1, -1).

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, terminals repeat, or twin is not the reverse.
    """
