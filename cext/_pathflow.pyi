"""Types of the kernel of maximum concurrent flow on paths."""

import numpy as np
from numpy.typing import NDArray

from cext._columns import PathFlow

def path_concurrent(
    indptr: NDArray[np.int64],
    heads: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    amount: NDArray[np.float64],
    *,
    gap: float = 0.01,
    max_rounds: int = 1000,
    time_limit_s: float = 60.0,
    paths: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]] | None = None,
    limit: NDArray[np.float64] | None = None,
    k: int = 16,
    threads: int = 0,
) -> PathFlow:
    """Largest multiple of the demand that fits into the capacities, and the flow on paths that shows it.

    For few pairs (up to about a million; a permutation has one a node), where every pair needs many paths. Flow is
    kept on paths and minimises, by Newton shifts from dear paths to the cheapest one of the pair, one pair after the
    other, the potential sum of weight x exp(sharpness x load / capacity): its derivatives price the arcs (gradient
    projection, Bertsekas and Gallager, Data Networks, 1992, section 5.7). The sharpness stays small; the weights
    follow the prices instead (the exponential method of multipliers, Tseng and Bertsekas, Mathematical Programming
    60, 1993), which does not jam as a sharp potential does. Each round the shortest path of every pair under the
    prices is found, eight sources at once, and joins the paths where it is shorter; the same distances give the dual
    bound. A round is O(sources x A x turns of a path / 8) for the search and O(pairs x k x hops) for 20 sweeps.

    The same bits for any number of threads, unless the time limit ends the search. Memory: 8 to 256 groups of 8 V
    values, and k paths a pair. Ctrl-C is heard within a fraction of a second.

    Parameters
    ----------
    indptr, heads, twin
        the graph in CSR and the reverse of each arc, shapes (V + 1), (A), (A), symmetric in structure.
    capacity
        of each arc, shape (A), positive.
    forwards
        may a path cross this node? shape (V).
    source, target, amount
        the pairs, shape (P), at least one; of different nodes; amounts are positive. A pair may occur twice.
    gap
        stop when 1 - lb / ub is at most this.
    max_rounds, time_limit_s
        stop then, whatever the gap is.
    paths
        (pair_ptr, path_ptr, path_arc) as in the answer: use these and no others. Both bounds are then those of the
        given paths. Without it any path may be used.
    limit
        the most that each given path may carry, shape (paths), in units of amount; inf is none.
    k
        paths that are kept for a pair, those with flow aside. 8 stop at a gap of about 1.5 %, 16 go below 0.5 %.
    threads
        of the search, 0 takes all.

    Returns
    -------
    PathFlow
        lb, ub, load float64[A], the paths with their flow (which sums to the amounts), length float64[A] (the prices
        that show ub), rounds, unreachable. Given paths come back in their order.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, twin is not the reverse, or a given path does not lead from
        its source to its target or leaves no room for its pair's amount.
    """
