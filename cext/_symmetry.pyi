"""Types of the kernels of symmetry."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

def verify_automorphism(
    indptr: NDArray[np.int64],
    heads: NDArray[np.int32],
    arc_colour: NDArray[np.int32],
    node_colour: NDArray[np.int32],
    permutation: NDArray[np.int32],
) -> NDArray[np.int32] | None:
    """The image of every arc, int32[A], if the permutation of nodes is an automorphism that keeps colours, else None.

    Colours stand for all that must be alike: capacity, links and latency of an arc; kind, forwarding, latency and
    multiplicity of a node. Every node and every arc is looked at, so what passes is proven, whoever proposed it;
    colour refinement is not enough (a random regular graph is one colour, and its links are loaded unequally).

    Linear, O(V + A): a row of arcs is compared with the row that it goes to by a table of heads. The reverse of an
    arc goes to the reverse of its image, because a pair of nodes has one arc each way.

    Parameters
    ----------
    indptr, heads
        the graph in CSR, shapes (V + 1) and (A), without parallel arcs.
    arc_colour, node_colour
        shapes (A) and (V).
    permutation
        the node that each node goes to, shape (V); what is no permutation is refused with None.

    Returns
    -------
    image
        arc that each arc goes to, shape (A), or None: some node or arc has no image of its colour.

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range, or a row names a head twice.
    """

def orbits(images: Iterable[NDArray[np.int32]], items: int) -> NDArray[np.int32]:
    """Label of each item, int32[items], the same for items that the maps of ``images`` join: 0, 1, ... by lowest item.

    For permutations these are the orbits of the group that they generate (union-find with path halving, the lowest
    item as root; almost O(items) a map). Without maps every item is its own orbit.

    Parameters
    ----------
    images
        any number of maps of 0 .. items - 1 into itself, int32[items] each.
    items
        nodes, or arcs.

    Raises
    ------
    ValueError
        if a map has the wrong type, length or range.
    """
