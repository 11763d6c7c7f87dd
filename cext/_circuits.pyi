"""Types of the kernels that move circuits between switches."""

import numpy as np
from numpy.typing import NDArray

def settle(
    before: NDArray[np.int16],
    now: NDArray[np.int16],
    north: NDArray[np.int32],
    south: NDArray[np.int32],
    turns: bool,
    one_sided: bool,
    steps: int,
    heat: tuple[float, float],
    price: tuple[float, float],
    seed: int,
) -> tuple[int, int]:
    """Move circuits between switches, in place, so that few of today's are gone and few ports hold too many.

    Simulated annealing by heat bath: a step takes one circuit - of a port that holds too many, one that was moved, or
    another link of a pair that lost one - and places it on a switch drawn with the weight exp(-cost / heat), where the
    cost is one for a circuit of today that goes, less one for one that comes back, and `price` for every port that
    then holds too many. Stops early where nothing is moved or too many. Links between two blocks stay as many as they
    are; the same seed gives the same circuits. Ctrl-C is heard every 16,384 steps.

    Parameters
    ----------
    before, now
        circuits from block i to block j on switch k: today's, and those to be moved, shape (n, n, K).
    north, south
        ports of block i on switch k on either side, shape (n, K).
    turns
        may a link change its direction? Not where links are directed.
    one_sided
        links take a port of `north` at both ends; `south` is ignored.
    steps
        how many.
    heat, price
        at the start and at the end; heat falls geometrically, price rises evenly.
    seed
        of the draws.

    Returns
    -------
    waste, excess
        circuits of today that are gone, and circuits too many on ports, both summed.

    Raises
    ------
    ValueError
        if shapes do not fit, or heat or price is not positive.
    """

def untangle(
    before: NDArray[np.int16],
    now: NDArray[np.int16],
    north: NDArray[np.int32],
    south: NDArray[np.int32],
    turns: bool,
    one_sided: bool,
    tries: int,
    least: int,
    heat: float,
    price: float,
    depth: int,
    seed: int,
) -> tuple[int, int]:
    """Take the rest of the circuits off ports that hold too many, in place, by ejection chains.

    A chain starts at such a port, or puts a circuit of today back in place of another link of its pair; then one
    circuit after the other makes room for the last, each placed by heat bath as in `settle` (a full port costs one).
    After at most `depth` circuits it is kept if circuits of today gone + price x circuits too many has not grown, and
    taken back otherwise (compound moves: Glover, Ejection chains, Discrete Applied Mathematics 65, 1996). Ends where
    no port holds too many and no more than `least` circuits of today are gone, or after so many tries.

    Arguments, results and errors as of `settle`; `price` is that of the whole chain.
    """
