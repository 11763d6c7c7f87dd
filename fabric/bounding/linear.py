"""Linear programs: the maximum concurrent flow exactly, one flow for each destination, by HiGHS."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from topologies.errors import InfeasibleError


def reduced_lp(
    tails: NDArray[np.int32],
    heads: NDArray[np.int32],
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
    destinations: NDArray[np.int32],
    amounts: NDArray[np.float64],
    arc_orbit: NDArray[np.int32],
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64]]:
    """The throughput, the bound that its dual proves, loads float64[A] and lengths float64[A].

    `amounts` float64[D, V] is what each node sends to each destination. With symmetry, give one destination of each
    orbit, its amounts times the size of the orbit, and the orbits of arcs int32[A]: averaging a flow over the group
    shows that some best flow loads the arcs of an orbit alike. Without, arc_orbit is 0 .. A - 1. D x A columns and
    D x V + orbits rows. Flow to destination i keeps to the arcs allowed[i], bool[D, A], where given. The bound is
    computed anew from the dual's lengths by Dijkstra's search, so that HiGHS's tolerance does not enter it; the
    throughput rests on flows that conserve to that tolerance (1e-9 of the demand).

    >>> i = np.int32                            # a ring of 3, everyone sends 1 to everyone, links of 2
    >>> tails, heads = np.array([0, 0, 1, 1, 2, 2], i), np.array([1, 2, 0, 2, 0, 1], i)
    >>> amounts = np.array([[0.0, 3.0, 3.0]])   # one destination for three
    >>> answer = reduced_lp(tails, heads, np.full(6, 2.0), np.ones(3), np.array([0], i), amounts, np.zeros(6, i))
    >>> round(answer[0], 9), round(answer[1], 9)
    (2.0, 2.0)
    """
    D, V, A = len(destinations), len(forwards), len(heads)
    total = float(amounts.sum())
    unit = float(capacity.mean())
    orbits = int(arc_orbit.max()) + 1
    sizes = np.bincount(arc_orbit, minlength=orbits)
    width = np.bincount(arc_orbit, capacity, minlength=orbits) / unit
    i, a = np.indices((D, A)).reshape(2, -1)
    wanted = (forwards[heads[a]] != 0) | (heads[a] == destinations[i])
    wanted &= tails[a] != destinations[i]
    if allowed is not None:
        wanted &= allowed.ravel()
    i, a = i[wanted], a[wanted]
    columns = np.arange(len(i))
    signs, ends = np.repeat([1.0, -1.0], len(i)), np.concatenate([tails[a], heads[a]])
    rows = np.concatenate([i, i]) * V + ends
    kept = ends != destinations[np.concatenate([i, i])]
    twice = np.concatenate([columns, columns])
    conserve = coo_array((signs[kept], (rows[kept], twice[kept])), shape=(D * V, len(i) + 1)).tocsr()
    owed = (amounts / total).copy()
    owed[np.arange(D), destinations] = 0
    open_rows = np.ones(D * V, bool)
    open_rows[np.arange(D) * V + destinations] = False
    share = coo_array(
        (np.concatenate([np.ones(len(i)), -width]),
         (np.concatenate([arc_orbit[a], np.arange(orbits)]), np.concatenate([columns, np.full(orbits, len(i))]))),
        shape=(orbits, len(i) + 1),
    ).tocsr()  # fmt: skip
    cost = np.zeros(len(i) + 1)
    cost[-1] = 1
    answer = linprog(
        cost, A_ub=share, b_ub=np.zeros(orbits), A_eq=conserve[np.flatnonzero(open_rows)],
        b_eq=owed.ravel()[open_rows], bounds=(0, None), method="highs-ipm",
    )  # fmt: skip
    if answer.x is None or answer.status != 0:
        raise InfeasibleError(f"HiGHS did not solve the linear program of {len(i):,} columns: {answer.message}")
    flow = np.bincount(arc_orbit[a], answer.x[:-1], minlength=orbits) * total
    loads = (flow / sizes)[arc_orbit]
    lengths = np.maximum(0.0, -answer.ineqlin.marginals)[arc_orbit] / unit
    upper = dual_bound(tails, heads, capacity, forwards, destinations, amounts, lengths, allowed)
    return float(1 / np.max(loads / capacity)), upper, loads, lengths


def dual_bound(
    tails: NDArray[np.int32],
    heads: NDArray[np.int32],
    capacity: NDArray[np.float64],
    forwards: NDArray[np.uint8],
    destinations: NDArray[np.int32],
    amounts: NDArray[np.float64],
    lengths: NDArray[np.float64],
    allowed: NDArray[np.bool_] | None = None,
) -> float:
    """Sum of capacity x length over the sum of demand x distance, whatever the lengths: no throughput is above it."""
    floor = np.maximum(lengths, 1e-13 * lengths.max())  # an explicit zero is no arc to a sparse matrix
    if allowed is None:
        return float(capacity @ floor) / _cost(tails, heads, forwards, destinations, amounts, floor)
    cost = sum(
        _cost(tails[own], heads[own], forwards, destinations[d : d + 1], amounts[d : d + 1], floor[own])
        for d, own in enumerate(allowed)
    )
    return float(capacity @ floor) / cost


def _cost(
    tails: NDArray[np.int32],
    heads: NDArray[np.int32],
    forwards: NDArray[np.uint8],
    destinations: NDArray[np.int32],
    amounts: NDArray[np.float64],
    lengths: NDArray[np.float64],
) -> float:
    """The amounts times the least length of their paths."""
    V = len(forwards)
    through = forwards[heads] != 0
    last = np.concatenate([heads[through], heads + V])  # every node again as an end that nothing leaves
    first = np.concatenate([tails[through], tails])
    weights = np.concatenate([lengths[through], lengths])
    backwards = csr_array((weights, (last, first)), shape=(2 * V, 2 * V))
    reached = dijkstra(backwards, indices=destinations + V)[:, :V]
    asked = amounts > 0
    asked[np.arange(len(destinations)), destinations] = False
    return float(np.sum(amounts[asked] * reached[asked]))
