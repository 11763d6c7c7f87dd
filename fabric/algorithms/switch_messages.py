"""Switch messages: what goes up and down reduction trees, message by message."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from fabric.algorithms.draft import Draft, Ids
from fabric.algorithms.reduction_trees import Trees


@dataclass(frozen=True, eq=False)
class Passes:
    """Passes of data through reduction trees in a draft, whose data are `chunks` equal chunks of a vector in all.

    A piece of the trees is `fold` chunks of a shard. Inside domains (`sharded`) the vector has a shard for each rank of
    a group; across domains the data of a group are one shard, that of its number.
    """

    draft: Draft
    trees: Trees
    chunks: int
    fold: int
    sharded: bool

    def up(self, ready: Ids | None, *, owned: bool, adds: bool) -> Ids:
        """From the ranks to the roots, all shards or those that ranks own; int64[seats], what to wait for until a
        switch has all. `ready` by end is what a rank waits for."""
        trees, came = self.trees, np.full(len(self._seats[0]), -1)
        begin = np.full(trees.ends, -1) if ready is None else ready
        for level in range(int(trees.depth.max()), 0, -1):
            sent = []
            for edges in self._alike(level, owned):
                below = self._seats[2][edges]
                after = np.where(below < 0, begin[trees.child[edges]], came[below])
                ids = self._send(edges, trees.child[edges], trees.parent[edges], after, owned=owned, adds=adds)
                sent.append((ids, self._seats[1][edges]))
            self._join(came, *(np.concatenate(column) for column in zip(*sent, strict=True)))
        return came

    def down(self, came: Ids, *, owned: bool) -> Ids:
        """From the roots to the ranks; by end, what to wait for until a rank has all."""
        trees, came, found = self.trees, came.copy(), []
        for level in range(1, int(trees.depth.max()) + 1):
            for edges in self._alike(level, owned):
                after, below = came[self._seats[1][edges]], self._seats[2][edges]
                ids = self._send(edges, trees.parent[edges], trees.child[edges], after, owned=owned, adds=False)
                came[below[below >= 0]] = ids[below >= 0]
                found.append((ids[below < 0], trees.child[edges][below < 0]))
        return self.draft.arrived(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def _send(self, edges: Ids, source: Ids, target: Ids, after: Ids, *, owned: bool, adds: bool) -> Ids:
        trees, first = self.trees, edges[0]
        shards = 1 if not self.sharded else int(trees.below[first]) if owned else trees.size
        amount = shards * int(trees.width[first]) * self.fold / self.chunks
        carried = partial(self._carried, edges, owned)
        return self.draft.send(source, target, amount, carried, after=[after], reduces=adds)

    def _alike(self, level: int, owned: bool) -> Iterator[Ids]:
        """The edges of a level, those that carry as many chunks together."""
        edges = np.flatnonzero(self.trees.depth == level)
        size = self.trees.width[edges] * (self.trees.below[edges] if owned else 1)
        for one in np.unique(size).tolist():
            alike = edges[size == one]
            for below in np.unique(self.trees.below[alike]).tolist() if owned else [None]:
                yield alike if below is None else alike[self.trees.below[alike] == below]

    def _join(self, came: Ids, ids: Ids, seat: Ids) -> None:
        """A switch that hears from several waits for all of them."""
        came[seat] = ids
        many = np.flatnonzero(np.bincount(seat, minlength=len(came)) > 1)
        if len(many):
            node = self._seats[0][many] % self.trees.ends
            came[many] = self.draft.send(node, node, 0.0, None)
            several = np.isin(seat, many)
            self.draft.wait(came[seat[several]], ids[several])

    def _carried(self, edges: Ids, owned: bool) -> NDArray[np.int64]:
        trees = self.trees
        if not self.sharded:
            shard = trees.group[edges][:, None]
        elif owned:
            shard = self._owners(edges)
        else:
            shard = np.broadcast_to(np.arange(trees.size), (len(edges), trees.size))
        piece = trees.piece[edges][:, None] + np.arange(trees.width[edges[0]])
        first = (shard[:, :, None] * trees.pieces + piece[:, None, :]) * self.fold
        chunk: NDArray[np.int64] = (first[..., None] + np.arange(self.fold)).reshape(len(edges), -1)
        return chunk

    def _owners(self, edges: Ids) -> NDArray[np.int64]:
        """int64[edges, below]: the places in their group of the ranks at and under each child."""
        trees, found = self.trees, []
        edge_at = np.full(len(self._seats[0]), -1)  # the edge above each seat
        inner = self._seats[2] >= 0
        edge_at[self._seats[2][inner]] = np.flatnonzero(inner)
        at = np.flatnonzero(~inner)
        place = trees.place[trees.child[at]]
        while len(at):
            found.append((at, place))
            at = edge_at[self._seats[1][at]]
            at, place = at[at >= 0], place[at >= 0]
        edge, owner = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(edge, kind="stable")
        first = np.searchsorted(edge[order], edges)
        owners: NDArray[np.int64] = owner[order][first[:, None] + np.arange(trees.below[edges[0]])]
        return owners

    @cached_property
    def _seats(self) -> tuple[Ids, Ids, Ids]:
        """Switches in trees, by tree and end; the seat of the parent and of the child of every edge, -1 for ranks."""
        trees = self.trees
        seats, parent = np.unique(trees.tree * trees.ends + trees.parent, return_inverse=True)
        key = trees.tree * trees.ends + trees.child
        at = np.minimum(np.searchsorted(seats, key), len(seats) - 1)
        return seats, parent, np.where(seats[at] == key, at, -1)
