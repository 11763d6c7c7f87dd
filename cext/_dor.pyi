"""Types of the kernels of dimension-order routing."""

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
