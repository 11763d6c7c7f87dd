"""Groups: ranks that do a collective among themselves, several groups at once, each rank on an accelerator."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Topology, once
from topologies.selection import coordinates, subgrid


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """G groups of n ranks that all do one collective at the same time; no rank is in two of them.

    `members` int64[G, n] are accelerators by their place in the fabric's own order, rank 0 of each group first;
    `labels` says of ranks of the job who `members` are, for the reader of an answer; `placement` where they run.
    """

    members: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    placement: str = "packed"

    @property
    def n(self) -> int:
        """Ranks of one group."""
        return int(self.members.shape[1])

    def __len__(self) -> int:
        return len(self.members)

    def named(self, row: int) -> str:
        """The ranks of a group as a reader would write them.

        >>> some = Groups(np.array([[0, 8, 16, 24], [1, 5, 7, 8]]))
        >>> some.named(0), some.named(1)
        ('ranks 0 to 24 by 8', 'ranks 1, 5, 7 and 8')
        """
        ranks = (self.members if self.labels is None else self.labels)[row]
        steps = set(np.diff(ranks).tolist())
        if len(steps) == 1 and len(ranks) > 3:
            step = steps.pop()
            return f"ranks {ranks[0]} to {ranks[-1]}" + (f" by {step}" if step != 1 else "")
        shown = [str(rank) for rank in ranks[:8].tolist()] + (["others"] if len(ranks) > 8 else [])
        return f"ranks {', '.join(shown[:-1])} and {shown[-1]}"

    def kinds(self, topology: Topology) -> Iterator[NDArray[np.int64]]:
        """Groups that look alike to an algorithm, as rows of `members`: they form the same grid, are spread alike over
        the scale-up domains, and have the same accelerators.

        >>> from topologies.registry import build
        >>> two = Groups(np.array([[0, 1], [2, 4], [5, 6]]))
        >>> [rows.tolist() for rows in two.kinds(build("rail:servers=2,gpus=4"))]
        [[0, 2], [1]]
        """
        columns = [_partners(_domain_labels(topology)[self.members])]
        part = _part_labels(topology)
        if part.any():
            columns.append(part[self.members])
        if topology.grid is not None:
            columns.append(self._grids(topology)[:, None])
        _, first, kind = np.unique(np.concatenate(columns, axis=1), axis=0, return_index=True, return_inverse=True)
        kind = kind.ravel()
        order = np.argsort(kind, kind="stable")
        ends = np.cumsum(np.bincount(kind))
        rows = np.split(order, ends[:-1])
        for label in np.argsort(first).tolist():
            yield rows[label]

    def _grids(self, topology: Topology) -> NDArray[np.int64]:
        """int64[G]: a label of the grid that each group forms; those that form none share one."""
        assert topology.grid is not None
        places = coordinates(topology.grid, self.members)
        _, first, shape = np.unique(
            places.reshape(len(self), -1), axis=0, return_index=True, return_inverse=True
        )
        known: dict[object, int] = {}
        label = [known.setdefault(subgrid(topology.grid, places[row]), len(known)) for row in first.tolist()]
        return np.array(label)[shape.ravel()]


@once
def _part_labels(topology: Topology) -> NDArray[np.int64]:
    """int64[n]: the catalogue part of each accelerator, numbered; 0 of all where they have one."""
    parts = topology.graph.nodes
    names = [str(parts[node].get("part")) for node in topology.accelerators]
    label: NDArray[np.int64] = np.unique(names, return_inverse=True)[1]
    return label


@once
def _domain_labels(topology: Topology) -> NDArray[np.int64]:
    """int64[n]: the scale-up domain of each accelerator; one that has none is its own."""
    n = len(topology.accelerators)
    label = np.arange(n)
    for i, ranks in enumerate(topology.domains):
        label[ranks] = n + i
    return label


def _partners(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """In each row, the place at which the label of an item stands first.

    >>> _partners(np.array([[7, 5, 7], [1, 2, 3]])).tolist()
    [[0, 1, 0], [0, 1, 2]]
    """
    order = np.argsort(labels, axis=1, kind="stable")
    ordered = np.take_along_axis(labels, order, axis=1)
    new = np.ones(labels.shape, bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = np.maximum.accumulate(np.where(new, np.arange(labels.shape[1]), 0), axis=1)
    first = np.empty_like(order)
    np.put_along_axis(first, order, np.take_along_axis(order, start, axis=1), axis=1)
    return first
