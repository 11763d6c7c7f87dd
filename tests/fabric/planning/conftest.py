"""Small block meshes to plan on: states, and targets made as those of the published instances are."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from fabric.planning.wiring import Wiring


def even(switches, ports, active, blocks, seed):
    """int16[K, N, N]: circuits on all ports of the active blocks, spread evenly over pairs."""
    draws = np.random.default_rng(seed)
    state, total = np.zeros((switches, blocks, blocks), np.int16), np.zeros((blocks, blocks))
    for k in range(switches):
        for _ in range(ports):
            cost = total[:active, :active] + draws.random((active, active)) / 2 + 1e6 * np.eye(active)
            a, b = linear_sum_assignment(cost)
            state[k, a, b] += 1
            total[a, b] += 1
            total[b, a] += 1
    return state


def swapped(state, links, seed):
    """The state after the far ends of circuits on one switch have been swapped until so many links are others."""
    draws, new = np.random.default_rng(seed), state.copy()
    base, changed = both_ways(state), 0
    for _ in range(100_000):
        if changed >= links:
            return new
        k = draws.integers(len(state))
        cells = np.argwhere(new[k])
        (a, b), (c, d) = cells[draws.choice(len(cells), 2, replace=False)]
        if a == d or c == b:
            continue
        other = new.copy()
        for i, j, sign in ((a, b, -1), (c, d, -1), (a, d, 1), (c, b, 1)):
            other[k, i, j] += sign
        now = int(np.triu(np.maximum(base - both_ways(other), 0)).sum())
        if now >= changed:
            new, changed = other, now
    raise AssertionError("no such state was found")


def both_ways(state):
    total = state.sum(axis=0, dtype=np.int64)
    return total + total.T


def wiring(blocks, switches, ports, kind="bidi"):
    there = np.full((blocks, switches), ports, np.int32)
    return Wiring(kind, [f"block-{i}" for i in range(blocks)], [f"ocs-{k}" for k in range(switches)], there, there,
                  (np.arange(switches) * 4 // switches).astype(np.int32))  # fmt: skip


@pytest.fixture(scope="session")
def mesh():
    """(wiring, state, state of the target) of a mesh of so many blocks x switches x ports a side and switch."""

    def make(blocks, switches, ports, change, seed=0):
        if change == "expand":
            before = even(switches, ports, blocks * 3 // 4, blocks, seed)
            return wiring(blocks, switches, ports), before, even(switches, ports, blocks, blocks, seed + 7)
        before = even(switches, ports, blocks, blocks, seed)
        links = int(change * before.sum())
        return wiring(blocks, switches, ports), before, swapped(before, links, seed + 1)

    return make
