"""Types of the kernel of link loads."""

import numpy as np
from numpy.typing import NDArray

def ecmp_loads(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    weight: NDArray[np.float64],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    latency: NDArray[np.float64],
    node_latency: NDArray[np.float64],
    destinations: NDArray[np.int32],
    entry_ptr: NDArray[np.int64],
    entry_list: NDArray[np.int32],
    entry_scale: NDArray[np.float64],
    list_ptr: NDArray[np.int64],
    list_source: NDArray[np.int32],
    list_amount: NDArray[np.float64],
    threads: int = 0,
) -> tuple[NDArray[np.float64], float, float, NDArray[np.int32]]:
    """Loads of all arcs when every node splits over its next hops on shortest paths, by weight.

    Paths are shortest in hops and never cross, as an intermediate, a node that does not forward. The
    demand needs no pairs: from s to destinations[i] it is the sum, over the entries of i, of the entry's
    scale times the amount of s in the entry's list. What a node would send to itself is dropped, and so
    is an amount of 0.

    One search per destination, O(D (V + A)) at worst; a search ends when its last source is met. With 16 sources
    a destination and more, eight destinations that stand side by side share a search if their distances agree
    (``lane_loads``). Work is cut into 8 blocks of destinations whose results are added in order, so the answer is
    the same bits for any number of threads. Memory: 8 (A + 3.5 V) values, or 8 A and 42 V a thread. Ctrl-C is heard
    within about a second.

    Parameters
    ----------
    indptr, indices
        the graph in CSR, shapes (V + 1) and (A), symmetric in structure; indices holds arc heads.
    weight
        share of each arc where a node splits, such as its parallel links, shape (A), positive.
    twin
        the reverse of each arc, shape (A).
    forwards
        may traffic of others cross this node? shape (V).
    latency, node_latency
        seconds to pass an arc, shape (A), and to cross a node, shape (V); all zero is cheaper.
    destinations
        nodes, shape (D); a node may occur twice.
    entry_ptr, entry_list, entry_scale
        entries of destination i are entry_ptr[i] to entry_ptr[i + 1] - 1, shape (D + 1); each names a
        list and a factor, shape (entries).
    list_ptr, list_source, list_amount
        list l holds nodes list_source[list_ptr[l]:list_ptr[l + 1]] with amounts beside them.
    threads
        0 takes all.

    Returns
    -------
    loads
        of each arc, shape (A).
    max_latency
        seconds of the slowest of all shortest paths from a source to its destination.
    mean_hops
        mean of the hops of all demand that has a path, weighted by amount; 0 without demand.
    unreachable
        (source, destination) of the first demand without a path, by place in destinations, or (-1, -1).
        Demand without a path loads nothing.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or twin is not the reverse.
    """
