"""Types of the kernels of single paths."""

import numpy as np
from numpy.typing import NDArray

def single_path_loads(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    latency: NDArray[np.float64],
    node_latency: NDArray[np.float64],
    divisor: NDArray[np.int32],
    destinations: NDArray[np.int32],
    keys: NDArray[np.int32],
    entry_ptr: NDArray[np.int64],
    entry_list: NDArray[np.int32],
    entry_scale: NDArray[np.float64],
    list_ptr: NDArray[np.int64],
    list_source: NDArray[np.int32],
    list_amount: NDArray[np.float64],
    threads: int = 0,
) -> tuple[NDArray[np.float64], float, NDArray[np.int32]]:
    """Loads of all links when each node takes next hop number key / divisor mod next hops: D-mod-K.

    The next hops of a node towards a destination are the links on shortest paths, in the order of the arrays; link
    number (key // divisor) % (next hops) is taken, with the divisor of the first of them. Every demand is a tree, so
    its amounts are summed on the way (Zahavi et al., CCPE 2010, for the routing).

    Paths are shortest in hops and never cross, as an intermediate, a node that does not forward. Parallel links
    are arcs of their own. The demand is that of ``ecmp_loads``, one destination an item, with a key beside it; what a
    node would send to itself is dropped.

    One search for each run of equal destinations, which ends when their last source is met, and one pass over the
    nodes (or, for few sources, one walk a source) for each item: O(D' (V + A) + D V) with D' runs. Work is cut into
    8 blocks of items whose results are added in order, so the answer is the same bits for any number of threads.
    Memory: 12 (A + 5 V) values. A signal is heard about once a second.

    Parameters
    ----------
    indptr, indices, twin
        the graph in CSR, shapes (V + 1), (A), (A), symmetric: twin is the reverse of each arc.
    forwards
        may traffic of others cross this node? shape (V).
    latency, node_latency
        seconds to pass an arc, shape (A), and to cross a node, shape (V).
    divisor
        of the key where the first next hop is this arc, shape (A), 1 or more.
    destinations, keys
        nodes, shape (D), best sorted, and the number that chooses, shape (D), 0 or more.
    entry_ptr, entry_list, entry_scale
        entries of item i are entry_ptr[i] to entry_ptr[i + 1] - 1, shape (D + 1); each names a list and a factor.
    list_ptr, list_source, list_amount
        list l holds nodes list_source[list_ptr[l]:list_ptr[l + 1]] with amounts beside them.
    threads
        0 takes all.

    Returns
    -------
    loads
        of each arc, shape (A).
    max_latency
        seconds of the slowest path taken.
    unreachable
        (source, destination) of the first demand without a path, or (-1, -1). It loads nothing.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or twin is not the reverse.
    """

def hashed_loads(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    latency: NDArray[np.float64],
    node_latency: NDArray[np.float64],
    destinations: NDArray[np.int32],
    sizes: NDArray[np.float64],
    entry_ptr: NDArray[np.int64],
    entry_list: NDArray[np.int32],
    entry_scale: NDArray[np.float64],
    list_ptr: NDArray[np.int64],
    list_source: NDArray[np.int32],
    list_flows: NDArray[np.float64],
    seed: int = 0,
    threads: int = 0,
) -> tuple[NDArray[np.float64], float, NDArray[np.int32]]:
    """Loads of all links when every flow takes a random next hop at every node: what hashing its header comes to.

    At each node, for each item, the whole number of flows is split multinomially over the next-hop links: the same
    distribution as a choice for every flow. The split halves the links again and again; a half is a count of random
    bits, above 512 flows a draw by transformed rejection (Hoermann 1993); an odd part compares the binary digits of
    its share. Few flows choose one by one. Draws come from SplitMix64 streams (Steele et al., OOPSLA 2014) keyed by
    seed, item and node, so that threads change no byte.

    The graph, the demand, its cost and what is returned are as in ``single_path_loads``, but list_flows are whole
    numbers of flows, as are entry_scale, and all flows of item i have sizes[i] bytes. A split costs the lesser of
    O(flows) and O(next hops x log(flows)).

    Raises
    ------
    ValueError
        as there, and if flows are no whole numbers or 2^53 or more.
    """
