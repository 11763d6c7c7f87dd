"""Types of the kernel of fluid completion times."""

import numpy as np
from numpy.typing import NDArray

def fluid(
    ptr: NDArray[np.int64],
    link: NDArray[np.int32],
    share: NDArray[np.float64] | None,
    capacity: NDArray[np.float64],
    latency: NDArray[np.float64],
    path_of: NDArray[np.int32],
    size: NDArray[np.float64],
    delay: NDArray[np.float64],
    duration: NDArray[np.float64],
    pred_ptr: NDArray[np.int64],
    pred: NDArray[np.int32],
    epsilon: float = 0.0,
    processor: NDArray[np.int32] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """When each flow of a DAG begins to send and ends, while all that send have max-min fair rates.

    A flow waits for its predecessors, then its delay, then the latency of its path, and then sends; one without size
    ends at once. A flow whose path_of is -1 computes: it takes its duration, on a processor one after the other in the
    order in which they are ready, the first of those that are ready at once.

    Flows on one path form a group. Every group is held back by one link (its bottleneck) and runs at that link's
    level, so a link keeps one clock, the bytes that each of its own groups has sent, and a heap of their ends by that
    clock: a change of level moves one event, not one for every flow. An event unsettles the links that it touches;
    they are settled from the lowest level up. A link's new level follows from what the groups held back elsewhere
    leave; it is told to the other links of its own groups, which are unsettled by it, and groups move to whichever
    link holds them back now. When no link is unsettled, every group crosses a saturated link on which none is faster:
    the max-min certificate. Where many flows begin or end at once, all rates are filled anew as in `maxmin`.

    Tolerances: levels within 1e-12 are equal (else two links that tie would pass a group to and fro); ends within
    1e-12 of the time are one event (equal flows differ by that in rounding). Rates summed on links are kept with
    their rounding (two-sum), so nothing drifts with the number of events.

    Cost of an event: the groups whose rate changes times their links. Memory: 20 nnz + 98 F + 70 G bytes.

    Parameters
    ----------
    ptr, link, share
        group g uses links link[ptr[g]:ptr[g + 1]], each once, shapes (G + 1) and (nnz), and of its rate the share
        beside it, positive; None: all of it (single paths).
    capacity
        of each link, shape (E), bytes/s, positive.
    latency
        seconds that a flow of each group waits before it sends, shape (G).
    path_of
        group of each flow, shape (F); -1 computes.
    size, delay, duration
        bytes, seconds and seconds of each flow, shape (F).
    pred_ptr, pred
        flow f waits for pred[pred_ptr[f]:pred_ptr[f + 1]], shapes (F + 1) and (predecessors).
    epsilon
        ends within this share of the time are one event.
    processor
        of each flow that computes, from 0 to F - 1, shape (F); -1 and None: it has one to itself.

    Returns
    -------
    start, finish
        seconds, shape (F).
    solves
        events after which rates were solved anew.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or predecessors wait for each other.
    """
