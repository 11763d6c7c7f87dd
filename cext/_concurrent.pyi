"""Types of the kernel of maximum concurrent flow of dense demand."""

import numpy as np
from numpy.typing import NDArray

def tree_concurrent(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    twin: NDArray[np.int32],
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
    terminals: NDArray[np.int32],
    sent: NDArray[np.float64],
    received: NDArray[np.float64],
    demand: NDArray[np.float64] | None = None,
    dag: bool = False,
    gap: float = 0.01,
    upper: float = ...,
    time_limit_s: float = 60.0,
    max_rounds: int = 2000,
    threads: int = 0,
) -> tuple[NDArray[np.float64], float, float, NDArray[np.float64], int]:
    """Largest multiple of a dense demand that fits into the capacities, a flow that shows it and lengths that bound it.

    Block-coordinate Frank-Wolfe on the soft maximum of load / capacity: 8 blocks of 16 sources each at a time are
    rerouted along shortest-path trees under its prices, by the step that a line search finds; the sharpness grows as
    the smoothed problem converges. Trees come from a search in whole-number lengths, 16 sources in one vector; both
    bounds are recomputed in float64. A sweep is O(terminals x A x turns of a path / 16); memory terminals / 16 x A
    values. The same bits for any number of threads, unless the time limit ends the search.

    Parameters
    ----------
    indptr, indices, twin
        the graph in CSR and the reverse of each arc, shapes (V + 1), (A), (A), symmetric in structure.
    capacity, forwards
        of each arc, shape (A), positive; may traffic of others cross this node? shape (V).
    terminals, sent, received
        distinct nodes, shape (T); terminal i sends sent[i] x received[j] to terminal j other than itself.
    demand
        shape (T, T), multiplies that where given; None for one everywhere.
    dag
        keep to paths of fewest hops.
    gap, upper, time_limit_s, max_rounds
        stop when lower >= (1 - gap) upper, with a known upper bound too, or at a limit.
    threads
        0 takes all.

    Returns
    -------
    loads
        of each arc for the demand as given, shape (A).
    lower, upper
        bounds on the multiple: lower = 1 / max(loads / capacity), upper = capacity @ lengths over what the demand
        costs at least under lengths, shape (A), returned next.
    rounds
        sweeps and searches for a bound.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or no path serves the demand.
    """
