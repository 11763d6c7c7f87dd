"""Edge kinds: edges with all attributes in common, told apart once, so that one asks a few and not all."""

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def kinds_of(edges: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], NDArray[np.int32]]:
    """The different attributes, as the first edge of each kind has them, and the kind of every edge, int32[E].

    >>> kinds, kind = kinds_of([{"count": 1}, {"count": 2}, {"count": 1}])
    >>> kinds, kind.tolist()
    ([{'count': 1}, {'count': 2}], [0, 1, 0])
    """
    known: dict[Hashable, int] = {}
    keys = ((tuple(edge), *edge.values()) for edge in edges)
    try:
        of = np.fromiter((known.setdefault(key, len(known)) for key in keys), np.int32, len(edges))
    except TypeError:  # an attribute of the user's own that cannot be looked up
        return edges, np.arange(len(edges), dtype=np.int32)
    first = np.unique(of, return_index=True)[1]
    return [edges[place] for place in first.tolist()], of


def link_columns(kinds: list[dict[str, Any]]) -> NDArray[np.float64]:
    """float64[5, kinds]: links, Gb/s, duty, latency (ns) and mean wait (ns); no wait where all links are up all the
    time."""
    shared = any(edge["duty"] < 1 for edge in kinds)
    keys = ("count", "rate_gbps", "duty", "latency_ns")
    rows = [[*map(edge.__getitem__, keys), edge.get("wait_ns", 0.0) if shared else 0.0] for edge in kinds]
    columns: NDArray[np.float64] = np.array(rows, np.float64).reshape(-1, 5).T
    return columns
