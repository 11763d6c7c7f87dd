"""How a floor and the time of the bytes come together: between their sum and the larger of the two."""

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


def join(exponent: float, floor_us: "Times | float", bytes_us: Times) -> Times:
    """(floor^p + bytes^p)^(1/p): p = 1 adds, a large p takes the larger, p = 1/2 is the chain pipelined in its best
    chunks, (sqrt floor + sqrt bytes)^2.

    >>> join(1.0, 2.0, np.array([3.0])), join(0.5, 4.0, np.array([9.0]))
    (array([5.]), array([25.]))
    """
    larger = np.maximum(floor_us, bytes_us)
    larger = np.where(larger > 0, larger, 1.0)
    joined: Times = larger * ((floor_us / larger) ** exponent + (bytes_us / larger) ** exponent) ** (1 / exponent)
    return joined
