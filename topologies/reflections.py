"""What reflections cost a receiver: multipath interference (MPI) as a penalty in dB."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

PAM4_FROM_GBPS = 32.0  # a lane of more has four levels, one of less two
CLOSED_DB = 40.0  # the penalty of an eye that is shut


def mpi_penalty_db(
    interferers_db: NDArray[np.float64], lane_gbps: float, extinction_ratio_db: float, *, bound: bool = False
) -> NDArray[np.float64]:
    """Penalty of interfering light: float64[I, ...] of its powers below the signal in dB -> float64[...] dB.

    With `bound`, the upper bound of IEEE 802.3bm (bhatt_01_0512; Bhatt, King and Smith refine it for 802.3bs, January
    2016): all fields in phase, aligned, at the highest level, against both edges of the narrowest eye,

        penalty = -10 log10(1 - 4 (M - 1) k sum sqrt(x)),  k = ER / (ER - 1)

    with M levels of which each eye has 1/(M - 1) of the amplitude, and x each interferer over the signal. Without it,
    a typical value: the powers of independent fields add, and half the bound's closure stands for the mean over phase,
    level and polarisation: -10 log10(1 - 2 (M - 1) k sqrt(sum x)). Both are approximations; a receiver that cancels
    interference does better. A shut eye counts as 40 dB.

    >>> round(float(mpi_penalty_db(np.array([-46 + 5.0]), 100, 6.37)), 2)
    0.31
    """
    power = 10 ** (np.asarray(interferers_db, np.float64) / 10)
    ratio = 10 ** (extinction_ratio_db / 10)
    levels = 4 if lane_gbps > PAM4_FROM_GBPS else 2
    closing = (levels - 1) * ratio / (ratio - 1)
    amplitude = 4 * np.sqrt(power).sum(axis=0) if bound else 2 * np.sqrt(power.sum(axis=0))
    opening: NDArray[np.float64] = np.maximum(1 - closing * amplitude, 10 ** (-CLOSED_DB / 10))
    return -10 * np.log10(opening)


def both_ways(
    reflections_db: Sequence[float], line_db: NDArray[np.float64], leak_db: float, loss_db: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Interferers of a strand that carries both ways: float64[I, M] in dB.

    One reflection is enough: the near transmitter's light comes back as strong as the reflector sends it, while the far
    one's has lost what lies between (`line_db`, circulators at both ends take the same from either). The circulator
    itself leaks the near transmitter into the near receiver, against all of `loss_db`. Reflectors count as if at the
    near end, where they do most.
    """
    rows = [level + line_db for level in reflections_db]
    return np.stack([*rows, leak_db + loss_db])


def one_way(reflections_db: Sequence[float]) -> NDArray[np.float64]:
    """Interferers of a strand that carries one way: light reflected twice, by every pair of reflectors.

    >>> one_way([-26.0, -35.0, -35.0]).tolist()
    [-61.0, -61.0, -70.0]
    """
    return np.array([a + b for a, b in combinations(reflections_db, 2)] or [-np.inf], np.float64)
