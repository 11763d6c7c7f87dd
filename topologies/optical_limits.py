"""How much a circuit switch may lose between two of its ports before the modules at their ends do not close."""

import numpy as np
from numpy.typing import NDArray

from topologies.circuits import CircuitLayer
from topologies.optical_budget import DEFAULT_PATH, CircuitClass, circuit_class
from topologies.parts import Catalogue, OpticalPath

MOST_DB = 100.0  # beyond any budget
STEP_DB = 1e-6


def most_loss_db(alike: CircuitClass) -> float:
    """The largest loss of the switch at which circuits of a class close at the 99th percentile of their line; inf where
    their budget is not stated, -inf where not even a switch without loss lets them close.

    The margin falls with the loss, so that bisection finds where it ends.
    """
    if np.isnan(alike.margin_through_db(0.0)):
        return np.inf
    if alike.margin_through_db(0.0) < 0:
        return -np.inf
    low, high = 0.0, MOST_DB
    while high - low > STEP_DB:
        middle = (low + high) / 2
        low, high = (middle, high) if alike.margin_through_db(middle) >= 0 else (low, middle)
    return low


def port_limits_db(layer: CircuitLayer, device: int, parts: Catalogue, path: str = DEFAULT_PATH) -> NDArray[np.float64]:
    """The largest loss that each pair of a device's ports may have, float64[P, P], first port by second; inf for ports
    without a strand.

    >>> from topologies.registry import build
    >>> t = build("tpu-v4-512")
    >>> limits = port_limits_db(t.circuits, 0, t.catalogue)
    >>> limits.shape, round(float(limits.min()), 1)
    ((136, 136), 3.1)
    """
    links, generation = layer.end_links
    side_b = int(layer.last_side[device])
    ports = int(layer.ports_per_side[device])
    row = parts.part(path, OpticalPath)
    of_port = np.full((2, ports), -1, np.int64)
    own = layer.strands[layer.strands[:, 0] == device]
    of_port[own[:, 1], own[:, 2]] = generation[own[:, 3]]
    first, second = of_port[0], of_port[side_b]
    limits = np.full((ports, ports), np.inf)
    for a in np.unique(first[first >= 0]).tolist():
        for b in np.unique(second[second >= 0]).tolist():
            most = most_loss_db(circuit_class(layer.model(device), [links[a], links[b]], parts, row))
            limits[np.ix_(first == a, second == b)] = most
    return limits
