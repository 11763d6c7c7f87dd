"""Types of the kernels of cuts."""

import numpy as np
from numpy.typing import NDArray

def max_flow(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.int64],
    sources: NDArray[np.int32],
    sinks: NDArray[np.int32],
) -> tuple[int, NDArray[np.uint8]]:
    """Value of a maximum flow from all sources to all sinks, and the source side of a minimum cut.

    FIFO push-relabel (Goldberg and Tarjan, J. ACM 35, 1988) from exact labels, with gaps and periodic exact
    relabelling (Cherkassky and Goldberg, Algorithmica 19, 1997); first phase only. O(V^3) at worst, memory
    O(V + A). Whole numbers only, so the answer is exact. Every node may be crossed. Ctrl-C ends it.

    Parameters
    ----------
    indptr, indices
        the graph in CSR, shapes (V + 1) and (A), symmetric in structure.
    twin
        the reverse of each arc, shape (A).
    capacity
        of each arc, shape (A), whole, 0 or more, in a unit of the caller's choice; an arc and its twin may differ.
    sources, sinks
        distinct nodes, each from 0 to any number.

    Returns
    -------
    value
        of the flow, in the unit of capacity.
    side
        uint8[V], 1 on the sources' side: the capacity out of it is the value; the smallest such set.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or a node is both source and sink.
    """

def cut_ratio(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.int64],
    compute: NDArray[np.int32],
    sinks: NDArray[np.int32],
) -> tuple[int, int, NDArray[np.uint8]]:
    """Least capacity out of a set over the compute nodes in it, of all sets that leave out a sink: x*.

    x* is the rate at which every compute node can send its own shard to all others: an all-gather of n shards of
    b bytes takes b / x* at best (Zhao et al., ForestColl, arXiv:2402.06787; attained where every node that does
    not compute has as much capacity in as out). For a reduce-scatter give ``capacity[twin]``.

    Discrete Newton on the ratio: x starts at the narrowest sink and falls to the ratio of each set that
    contradicts it, which a max-flow per sink finds or proves absent. A sink proven at x lies, with its endless supply,
    on the far side of every set that may still contradict x, so the next sink, taken nearby, costs only the arcs
    between them: a few operations on compact graphs, O(V) on a ring. Whole numbers only. Memory O(V + A).
    Ctrl-C ends it.

    Parameters
    ----------
    indptr, indices, twin, capacity
        the graph as for ``max_flow``.
    compute
        the nodes that hold shards, shape (n), distinct, at least 2.
    sinks
        those of compute that some set must leave out, shape (1 or more): all, or one of each class of nodes
        that a symmetry exchanges.

    Returns
    -------
    numerator, denominator
        of x*, in lowest terms, in the unit of capacity.
    cut
        uint8[V], 1 in the tightest set; its complement is the smallest around the sink it leaves out.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or capacities times n reach 2^61.
    """

def min_connectivity(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.int64],
    root: int,
    sinks: NDArray[np.int32],
) -> tuple[int, NDArray[np.uint8]]:
    """Least max-flow from the root to any sink: the rate of a broadcast (Edmonds, Combinatorial Algorithms, 1973).

    The rate is attained where all nodes are sinks, and with others that have as much capacity in as out (Bang-Jensen,
    Frank and Jackson, SIAM J. Discrete Math. 8, 1995). For a reduce give ``capacity[twin]``. A sink once proven
    joins the root, as in ``cut_ratio``. Memory O(V + A). Ctrl-C ends it.

    Parameters
    ----------
    indptr, indices, twin, capacity
        the graph as for ``max_flow``.
    root
        a node.
    sinks
        distinct nodes other than the root, at least 1.

    Returns
    -------
    value
        in the unit of capacity.
    side
        uint8[V], 1 on the root's side of the narrowest cut.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or the root is a sink.
    """
