"""Types of the kernels of max-min fair rates."""

import numpy as np
from numpy.typing import NDArray

def maxmin(
    ptr: NDArray[np.int64],
    link: NDArray[np.int32],
    share: NDArray[np.float64] | None,
    capacity: NDArray[np.float64],
    multiplicity: NDArray[np.float64] | None = None,
    cap: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Max-min fair rate of every flow: none can be raised without lowering one that is not faster.

    Water-filling (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2): the link with the least room for each
    of its unfrozen flows freezes them at that rate. Links wait in a 4-ary heap by a key that only rises, so a link
    that comes up stale is keyed anew and sinks. No tolerance. O(nnz + (E + stale) log E); 4 nnz + 9 F + 36 E bytes
    beside the arguments for single paths, 20 nnz with shares or multiplicities.

    The sum of a link's rates exceeds its capacity by rounding at most, about 1e-14 of it for 1e5 flows on it.
    The order of flows changes no bit for single paths without multiplicities.

    Parameters
    ----------
    ptr, link
        flow f uses links link[ptr[f]:ptr[f + 1]], shapes (F + 1) and (nnz).
    share
        of a flow's rate that crosses each of its links, shape (nnz), positive; None: all of it (single paths).
    capacity
        of each link, shape (E).
    multiplicity
        flows that each row stands for, shape (F), positive; None: 1.
    cap
        the most that each flow can take, shape (F), perhaps infinite; None: no limit.

    Returns
    -------
    rates
        of one flow of each row, shape (F); a flow without links has its cap, or inf.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """

def maxmin_slack(
    ptr: NDArray[np.int64],
    link: NDArray[np.int32],
    share: NDArray[np.float64] | None,
    capacity: NDArray[np.float64],
    multiplicity: NDArray[np.float64] | None,
    cap: NDArray[np.float64] | None,
    rates: NDArray[np.float64],
) -> float:
    """The worst relative violation of the max-min conditions; rates that have none (0) are max-min fair, and unique.

    The conditions: no link carries more than its capacity, no flow exceeds its cap, and every flow runs at its cap or
    crosses a saturated link on which no flow is faster (its bottleneck). O(nnz).

    Parameters
    ----------
    ptr, link, share, capacity, multiplicity, cap
        as for maxmin.
    rates
        of one flow of each row, shape (F).

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """
