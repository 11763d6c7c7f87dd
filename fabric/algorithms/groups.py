"""Groups: ranks that exchange inside groups of equal size, each with each other."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids


def within(groups: Ids) -> tuple[Ids, Ids]:
    """Source and target of every pair inside the rows of int64[groups, size], by source; each sends first to the rank
    behind it.

    >>> [side.tolist() for side in within(np.array([[0, 2], [1, 3]]))]
    [[0, 2, 1, 3], [2, 0, 3, 1]]
    """
    size = groups.shape[1]
    target = groups[:, (np.arange(size)[:, None] + np.arange(1, size)) % size]
    return np.repeat(groups.ravel(), size - 1), target.ravel()


def exchange(
    draft: Draft,
    groups: Ids,
    half: str,
    amount: float,
    shards: Callable[[Ids], NDArray[np.int64]],
    ready: Ids | None = None,
) -> Ids:
    """Reduce-scatter or all-gather inside every group by one message of `amount` between any two; by rank, what to wait
    for until it has all. `shards(rank)` gives the chunks of a rank's shard, int64[m, chunks]."""
    source, target = within(groups)
    adds = half == "reduce-scatter"
    after = [] if ready is None else [ready[source]]
    sent = draft.send(source, target, amount, lambda: shards(target if adds else source), after=after, reduces=adds)
    return draft.arrived(sent, target, also=ready)
