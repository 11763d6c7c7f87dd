"""Lattices: a grid as a group of steps along its dimensions, twisted wraparound included."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Grid
from topologies.torus import twist_shifts

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Lattice:
    """The ranks of a grid and what steps along its dimensions do to them.

    >>> from topologies.graph import Grid
    >>> twisted = Lattice(Grid((4, 8), (True, True), True))
    >>> int(twisted.shifted(np.array(3), np.array([1, 0]))), twisted.lengths([0, 1]), twisted.lengths([1, 0])
    (16, [4, 8], [4, 8])
    """

    grid: Grid

    @cached_property
    def n(self) -> int:
        """Ranks."""
        return int(np.prod(self.grid.dims))

    @cached_property
    def _strides(self) -> Ids:
        return np.concatenate([[1], np.cumprod(self.grid.dims)[:-1]]).astype(np.int64)

    def shifted(self, rank: Ids, steps: Ids) -> Ids:
        """The rank so many steps (int64[..., d]) away in each dimension; a lap round a twisted one moves the others."""
        sizes = np.array(self.grid.dims)
        there = rank[..., None] // self._strides % sizes + steps
        for axis, shift in (twist_shifts(self.grid.dims) if self.grid.twist else {}).items():
            there = there + (there[..., axis] // sizes[axis])[..., None] * np.array(shift)
        found: Ids = (there % sizes) @ self._strides
        return found

    def lines(self, axis: int) -> Ids:
        """Ranks of every line along a dimension, int64[lines, places]; round the twist until it closes."""
        step = np.eye(len(self.grid.dims), dtype=np.int64)[axis]
        one = [np.zeros(1, np.int64)]
        while (following := self.shifted(one[-1], step))[0] != 0:
            one.append(following)
        offsets = np.arange(len(one))[:, None] * step
        if not self.grid.twist:
            ranks = np.arange(self.n)
            starts = ranks[ranks // self._strides[axis] % self.grid.dims[axis] == 0]
        else:
            left, found = np.ones(self.n, bool), []
            while left.any():
                found.append(int(np.argmax(left)))
                left[self.shifted(np.array(found[-1]), offsets)] = False
            starts = np.array(found)
        return self.shifted(starts[:, None], offsets[None])

    def around(self, axes: list[int], rank: Ids) -> Ids:
        """int64[..., k]: all that steps along these dimensions lead to from a rank, itself first."""
        found = rank[..., None]
        for axis, length in zip(reversed(axes), reversed(self.lengths(axes)), strict=True):
            steps = np.arange(length)[:, None] * np.eye(len(self.grid.dims), dtype=np.int64)[axis]
            found = self.shifted(found[..., None, :], steps[:, None, :]).reshape(*rank.shape, -1)
        return found

    def lengths(self, order: list[int]) -> list[int]:
        """How many steps along each dimension lead back to where those after it lead by themselves."""
        inside, found = np.zeros(self.n, bool), []
        inside[0] = True
        for axis in reversed(order):
            step = np.eye(len(self.grid.dims), dtype=np.int64)[axis]
            at, length = self.shifted(np.array(0), step), 1
            while not inside[at]:
                at, length = self.shifted(at, step), length + 1
            members = np.flatnonzero(inside)
            for k in range(1, length):
                inside[self.shifted(members, k * step)] = True
            found.append(length)
        return found[::-1]
