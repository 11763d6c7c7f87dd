"""Types of the kernel of link loads towards eight destinations at once."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def lane_loads(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    back: NDArray[np.float64] | None,
    forwards: NDArray[np.uint8],
    back_latency: NDArray[np.float64] | None,
    node_latency: NDArray[np.float64],
    destinations: NDArray[np.int32],
    entry_ptr: NDArray[np.int64],
    entry_list: NDArray[np.int32],
    entry_scale: NDArray[np.float64],
    list_ptr: NDArray[np.int64],
    list_source: NDArray[np.int32],
    list_amount: NDArray[np.float64],
    threads: int,
) -> tuple[NDArray[np.float64], list[dict[str, Any]]] | None:
    """Loads of the reverses of arcs, and their sums, by eight destinations at once; None where those differ too much.

    For ``ecmp_loads``, which checks all arrays and says what they mean; nothing is checked here. Destinations that
    stand side by side in a hierarchical graph are as far from almost every node as each other, so that eight searches
    visit the same arcs in the same steps: a node is visited once for each of its distances, with a mask of lanes, and
    the eight amounts on an arc are one vector. 4-6 times as fast as one search each on a fat tree or a HyperX, level
    on a random graph, half as fast on a torus: None if the first eight have more than 4 V (node, distance) entries.
    Eight later ones that do are routed one by one.

    Loads are gathered at the near end, node by node in order of the hops, so that no arc of a node is looked up.
    Memory: a thread's 330 V bytes, and 8 A values.

    Parameters
    ----------
    back
        weight of the reverse of each arc, 1 where all arcs of its tail weigh the same, shape (A); None if all do.
    back_latency
        seconds on the reverse of each arc, shape (A); None if the slowest path is not asked for.
    others
        as of ecmp_loads; no array may be empty.

    Returns
    -------
    loads
        of the reverse of each arc, shape (A).
    sums
        for each block of destinations: amount, amount_hops, hops (the most), seconds (the most), source and target of
        the first demand without a path (-1 without one).
    """
