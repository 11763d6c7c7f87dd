"""Assignment as a mixed-integer program, for fabrics of a few blocks, and its relaxation as a bound."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.wiring import Counts, Wiring

MOST_BLOCKS = 10
MOST_NODES = 200_000  # of the search tree


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """The best circuits found, and whether none are better."""

    counts: Counts
    proven: bool


def solve_exactly(wiring: Wiring, before: Counts, wanted: NDArray[np.int64]) -> Exact | None:
    """The placement with the most of today's circuits kept, by HiGHS; None where it found none.

    max sum r  with  r <= x, r <= before, the wanted links placed, ports respected; x and r whole numbers.
    """
    from scipy.optimize import milp

    program, cells = _program(wiring, before, wanted)
    if not len(cells):
        return None
    found = milp(**program, options={"node_limit": MOST_NODES})
    if found.x is None:
        return None
    counts = np.zeros_like(before)
    counts[tuple(cells.T)] = np.round(found.x[: len(cells)]).astype(np.int16)
    return Exact(counts, found.status == 0)


def relaxed_bound(wiring: Wiring, before: Counts, wanted: NDArray[np.int64]) -> int:
    """Circuits that any plan takes down, by the linear program: never below the count of links too many."""
    from scipy.optimize import milp

    program, _ = _program(wiring, before, wanted)
    found = milp(**{**program, "integrality": 0})
    return ceil(before.sum() + found.fun - 1e-6) if found.x is not None else 0


def _program(wiring: Wiring, before: Counts, wanted: NDArray[np.int64]) -> tuple[dict[str, Any], NDArray[np.int64]]:
    """Arguments of `milp`, and the cells [switch, i, j] of its first variables; those after them are the kept."""
    from scipy.optimize import Bounds, LinearConstraint
    from scipy.sparse import coo_array, csr_array, hstack, vstack

    blocks, switches = wiring.north.shape
    directed, one_sided = wiring.kind == "simplex", wiring.kind == "duplex"
    wanted_there = (wanted > 0) & ~np.eye(blocks, dtype=bool)
    if one_sided:  # a link without a direction stands where it stands today, or above the diagonal
        wanted_there = np.triu(wanted_there) | (before.sum(axis=0) > 0)
    at = wiring.north.T[:, :, None] * wiring.south.T[:, None, :] > 0
    cells = np.argwhere(wanted_there & at)
    k, i, j = cells.T
    number, ones = np.arange(len(cells)), np.ones(len(cells))
    pair = i * blocks + j if directed else np.minimum(i, j) * blocks + np.maximum(i, j)
    pairs = wanted.ravel() if directed else np.triu(wanted).ravel()
    shape = (blocks * blocks, len(cells))
    place = coo_array((ones, (pair, number)), shape)
    north = coo_array((ones, (i * switches + k, number)), (blocks * switches, len(cells)))
    south = coo_array((ones, (j * switches + k, number)), (blocks * switches, len(cells)))
    ports = [north + south] if one_sided else [north, south]
    limits = [wiring.north.ravel()] if one_sided else [wiring.north.ravel(), wiring.south.ravel()]
    today = before[tuple(cells.T)].astype(np.float64)
    same = coo_array((ones, (number, number)), (len(cells), len(cells)))
    keep = hstack([-same, same])
    blank = coo_array((shape[0], len(cells)))
    rows = [LinearConstraint(csr_array(hstack([place, blank])), pairs, pairs)]
    rows.append(LinearConstraint(csr_array(keep), -np.inf, 0))
    use = vstack([hstack([p, coo_array(p.shape)]) for p in ports])
    rows.append(LinearConstraint(csr_array(use), -np.inf, np.concatenate(limits)))
    most = np.concatenate([np.minimum(wiring.north[i, k], wiring.south[j, k]).astype(np.float64), today])
    return {
        "c": np.concatenate([0 * ones, -ones]),
        "integrality": np.ones(2 * len(cells)),
        "bounds": Bounds(np.zeros(2 * len(cells)), most),
        "constraints": rows,
    }, cells
