"""Types of the kernels of dimension-order routing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def dor_loads(
    dims: NDArray[np.int32],
    wrapped: NDArray[np.uint8],
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    amount: NDArray[np.float64],
    tie_split: bool = True,
) -> NDArray[np.float64]:
    """Loads of a grid's arcs when pairs go the short way round, dimension 0 first.

    Node x + X y + X Y z stands at (x, y, z). A pair that is exactly half way round a wrapped dimension
    goes half each way, or all in the + direction without tie_split; the two links of a wrapped dimension of
    2 are a + and a - link, so its one step is such a tie. O(sum of hops).

    Parameters
    ----------
    dims, wrapped
        size of each dimension, and whether it closes to a ring, shape (k).
    source, target, amount
        pairs, shape (P); several of one pair add up.
    tie_split
        half each way at a tie.

    Returns
    -------
    loads
        shape (nodes, 2 k): column 2 i is the arc that leaves a node in + direction of dimension i,
        column 2 i + 1 that in - direction; 0 where a line ends.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """

def dor_dense_loads(
    dims: NDArray[np.int32],
    wrapped: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    tie_split: bool = True,
    threads: int = 0,
) -> NDArray[np.float64]:
    """Loads of dor_loads for a whole matrix of demand, row = source, by one sum a dimension.

    What turns into dimension i stands at (t_0, ..., t_i-1, s_i, s_i+1, ...) and leaves it at t_i: one pass over the
    matrix sums it over all other coordinates, then dor_turn_loads carries the sums along the lines. O(n^2 + n sum of
    dims) time, n sum of dims values beside the matrix. A number of threads shares the sources by their last
    coordinate; every sum is made by one of them, so the answer is the same bits for any number.

    Parameters
    ----------
    dims, wrapped, tie_split
        as of dor_loads.
    matrix
        amount from each node (row) to each, shape (n, n), C order; what a node sends to itself loads nothing.
    threads
        0 takes all.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """

def dor_turn_loads(
    dims: NDArray[np.int32],
    wrapped: NDArray[np.uint8],
    turns: Sequence[NDArray[np.float64]],
    tie_split: bool = True,
) -> NDArray[np.float64]:
    """Loads of dor_loads for what turns into each dimension, summed over all that makes no difference to it.

    For demand that is no matrix but has few forms (a group that talks among itself is an outer product a dimension).
    O(n sum of dims) time; sums only, no differences, so nothing cancels.

    Parameters
    ----------
    dims, wrapped, tie_split
        as of dor_loads.
    turns
        of each dimension i the amount that turns into it at each node and where it leaves it, shape (n dims[i]):
        place ((s_i, s_i+1, ...), (t_0, ..., t_i)) in C order, in either group the first coordinate fastest.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """

def dor_uniform_loads(
    dims: NDArray[np.int32], wrapped: NDArray[np.uint8], tie_split: bool = True
) -> NDArray[np.float64]:
    """Loads of dor_loads for one unit between every ordered pair of n nodes, in closed form, O(n k).

    When dimension i of size a is routed, the dimensions before it have the target's coordinates and those
    after it still the source's. So every line along i carries each (from, to) of its positions n / a times:
    a line's arc x to x + 1 carries (x + 1) (a - 1 - x) of them, a ring's arc the sum of hops up to half
    way.

    Parameters
    ----------
    dims, wrapped, tie_split
        as for dor_loads.

    Returns
    -------
    loads
        shape (nodes, 2 k), as for dor_loads.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """
