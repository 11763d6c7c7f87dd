"""Types of the kernel of K shortest paths."""

import numpy as np
from numpy.typing import NDArray

def k_shortest_paths(
    indptr: NDArray[np.int64],
    heads: NDArray[np.int32],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    k: int,
    threads: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """The k shortest loopless paths of each pair, by hops, shortest first; fewer where there are no more.

    Yen's algorithm (Management Science 17, 1971) in Lawler's form (Management Science 18, 1972), which varies a path
    only from where it left its parent; each deviation is searched by A*, with the hops to the target in the whole
    graph as its estimate. Paths of as many hops come in the order of discovery, which depends on the order of arcs
    alone. At most k x hops searches of O(A) a pair, and on expanders and meshes about O(degree x hops) each. The same
    for any number of threads. Ctrl-C is heard within a second or two.

    Parameters
    ----------
    indptr, heads, twin
        the graph in CSR and the reverse of each arc, shapes (V + 1), (A), (A), symmetric in structure. Parallel arcs
        make different paths.
    forwards
        may a path cross this node? shape (V).
    source, target
        the pairs, shape (P), at least one; of different nodes.
    k
        paths of a pair, at least 1.
    threads
        0 takes all.

    Returns
    -------
    pair_ptr, path_ptr, path_arc
        pair i has the paths pair_ptr[i] to pair_ptr[i + 1] - 1, path p the arcs path_arc[path_ptr[p]:path_ptr[p + 1]];
        shapes (P + 1), (paths + 1), (arcs of all paths). A pair that no path joins has none.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or twin is not the reverse.
    """
