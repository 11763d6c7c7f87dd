"""Types of the kernel that enumerates the arcs of pairs on a grid."""

import numpy as np
from numpy.typing import NDArray

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
