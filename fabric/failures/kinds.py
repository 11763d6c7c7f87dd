"""A class of components: how many there are, which are alike, and what goes with one that fails."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.failures.damage import Loss


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """A class of components: `places` that can fail, each standing for `weights` (int64[P]) single components that no
    one could tell apart, such as parallel links; places of one `orbit` (int64[P]) are alike.

    `kind` is accelerator, host, nic, link, switch, ocs, ocs-port or block; `name` what the class is called, `labels`
    the places. `loss(p)` is what goes when one component at place p fails. `parts` names their rows of the catalogue,
    with how many of the components are of each. `proven` says that a verified symmetry stands behind the orbits;
    `rate_gbps` is that of a link.
    """

    kind: str
    name: str
    labels: Sequence[str]
    weights: NDArray[np.int64]
    orbit: NDArray[np.int32]
    parts: dict[str | None, int]
    loss: Callable[[int], Loss]
    proven: bool = True
    rate_gbps: float | None = None

    @property
    def count(self) -> int:
        """Single components."""
        return int(self.weights.sum())

    def representatives(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first place of each orbit, and the components of the orbit."""
        first = np.unique(self.orbit, return_index=True)[1]
        return first, np.bincount(self.orbit, self.weights).astype(np.int64)[np.unique(self.orbit)]

    def place_of(self, component: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each single component, numbered from 0."""
        return np.searchsorted(np.cumsum(self.weights), component, side="right")


def each(places: int) -> NDArray[np.int64]:
    return np.ones(places, np.int64)


def counted(names: Sequence[str | None], weights: NDArray[np.int64]) -> dict[str | None, int]:
    counts: dict[str | None, int] = {}
    for name, weight in zip(names, weights.tolist(), strict=True):
        counts[name] = counts.get(name, 0) + weight
    return counts
