"""Judging: failures of one fabric, one by one, and which of them stand for a class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fabric.failures.answers import Outcome
from fabric.failures.bandwidth import SPLIT_WORK, bandwidth_left, work
from fabric.failures.cut_off import cut_off
from fabric.failures.damage import Loss, links_left
from fabric.failures.kinds import Components
from topologies.graph import Topology


@dataclass(slots=True)
class Judge:
    """What judges failures of one fabric; equal splits are computed where all that is planned costs some seconds."""

    topology: Topology
    job: int
    gap: float | None
    splits: bool = False

    def plan(self, number: int) -> None:
        """So many failures are to come."""
        self.splits = number * work(self.topology) <= SPLIT_WORK

    def outcomes(self, losses: Sequence[Loss], shares: NDArray[np.float64]) -> tuple[Outcome, ...]:
        """What each loss does, with its share."""
        return tuple(self.outcome(loss, float(share)) for loss, share in zip(losses, shares, strict=True))

    def outcome(self, loss: Loss, share: float) -> Outcome:
        """What one loss does."""
        topology = self.topology
        dead, left = loss.dead(topology), links_left(topology, loss)
        off = cut_off(topology, left, dead)
        gone = dead[topology.csr().accelerators]
        out = off | gone
        kept = bandwidth_left(topology, left, out, splits=self.splits, gap=self.gap)
        jobs = len(np.unique(np.flatnonzero(out) // self.job))
        return Outcome(int(gone.sum()), int(off.sum()), jobs, kept, share)


def orbits(each: Components, samples: int, seed: int) -> tuple[list[Loss], NDArray[np.float64], bool]:
    """One failure of every orbit with its share, or of as many as the samples where there are more, drawn by weight."""
    places, weights = each.representatives()
    exact = len(places) <= samples
    if not exact:
        drawn = np.random.default_rng(seed).choice(each.count, min(samples, each.count), replace=False)
        places, weights = each.place_of(drawn), np.ones(len(drawn), np.int64)
    return [each.loss(place) for place in places.tolist()], weights / weights.sum(), exact
