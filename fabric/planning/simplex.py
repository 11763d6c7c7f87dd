"""Throughput of a few blocks by the simplex method: a value and the prices that prove it."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def carried(gbps: Matrix, demand: Matrix) -> tuple[float, Matrix]:
    """The largest multiple of a demand that links carry on direct and one-transit paths, and the price of each link's
    Gb/s (float64[N x N]): no links carry more than their prices come to.

    A linear program in what goes through each middle block, by HiGHS's dual simplex.

    >>> two = np.array([[0.0, 8, 8], [8, 0, 8], [8, 8, 0]])
    >>> value, price = carried(two, two / 4)
    >>> round(value, 9), round(float(price @ two.ravel()), 9)
    (4.0, 4.0)
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    n = len(demand)
    source, target = np.nonzero(demand > 0)
    i, m, j = (a.ravel() for a in np.broadcast_arrays(source[:, None], np.arange(n)[None, :], target[:, None]))
    pair = np.repeat(np.arange(len(source)), n)
    there = m != i
    i, m, j, pair = i[there], m[there], j[there], pair[there]
    column = np.arange(len(i))
    two = m != j
    rows = np.concatenate([i * n + m, (m * n + j)[two]])
    use = coo_array((np.ones(len(rows)), (rows, np.concatenate([column, column[two]]))), shape=(n * n, len(i) + 1))
    amounts = demand[source, target]
    unit = float(gbps.max()) or 1.0
    ones, minus = np.ones(len(i)), -amounts / unit
    serve = coo_array(
        (np.concatenate([ones, minus]), (np.concatenate([pair, np.arange(len(source))]),
                                         np.concatenate([column, np.full(len(source), len(i))]))),
        shape=(len(source), len(i) + 1),
    )  # fmt: skip
    cost = np.zeros(len(i) + 1)
    cost[-1] = -1.0
    found = linprog(cost, use.tocsr(), gbps.ravel() / unit, serve.tocsr(), np.zeros(len(source)), bounds=(0, None),
                    method="highs-ds")  # fmt: skip
    if found.x is None:
        return 0.0, np.zeros(n * n)
    return float(found.x[-1]), np.maximum(-found.ineqlin.marginals, 0) / unit
