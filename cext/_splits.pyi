"""Types of the kernel that shares links out among groups of circuit switches."""

import numpy as np
from numpy.typing import NDArray

def share_out(
    before: NDArray[np.int16],
    now: NDArray[np.int16],
    north: NDArray[np.int32],
    south: NDArray[np.int32],
    flipped: NDArray[np.uint8],
    group_ptr: NDArray[np.int64],
    members: NDArray[np.int32],
    loose_ptr: NDArray[np.int64],
    loose: NDArray[np.int32],
    tie: NDArray[np.int32],
    worth: int,
    seed: int,
    threads: int = 0,
) -> None:
    """Let groups of switches share out their links anew, in place; a group keeps its old circuits if that is worse.

    Within a group each switch in turn takes from the links that are left those that keep most of today's circuits, by
    an exact flow of one switch against the rest of the group (a transportation problem with convex costs, solved by
    successive shortest paths: Ahuja, Magnanti and Orlin, Network Flows, section 9.7); ties fall at random. Worse means:
    more links without a place, or more than `worth` of today's circuits lost for each that found one. No switch may be
    in two groups, so groups are worked on at once; the result is the same for any number of threads.

    Parameters
    ----------
    before, now
        circuits from block i to block j on switch k: today's, and those to be shared out, shape (K, n, n).
    north, south
        ports of block i on switch k on either side, shape (n, K).
    flipped
        switches whose sides are exchanged for this round, so that a link that moves to or from them turns; shape (K).
    group_ptr, members
        group g has the switches members[group_ptr[g]:group_ptr[g + 1]], in the order in which they take links.
    loose_ptr, loose
        links without a place (pairs of blocks) that group g shall place, shapes (groups + 1), (L, 2); what it cannot
        place is written over the first of them, -1 over the others. They turn as they like.
    tie
        for each group, what a circuit costs, in 256ths of one kept, that neither keeps one nor loses one: below zero
        the first switches take as many as they can.
    worth
        of today's circuits that may go for a link that finds a place.
    seed
        of the draws.
    threads
        0 takes all.

    Raises
    ------
    ValueError
        if shapes do not fit, or a switch is in two groups.
    """
