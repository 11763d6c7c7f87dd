"""Shared-out links: one switch against another is exact, nothing gets worse, threads change no byte."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import share_out

NONE = np.zeros((0, 2), np.int32)


def state(blocks, switches, seed, each=1):
    draws = np.random.default_rng(seed)
    now = np.zeros((switches, blocks, blocks), np.int16)
    for k in range(switches):
        for shift in draws.choice(np.arange(1, blocks), each, replace=False):
            now[k, np.arange(blocks), (np.arange(blocks) + shift) % blocks] += 1
    return now


def run(before, now, ports, groups, loose=NONE, tie=0, worth=4, seed=1, flipped=None, threads=1):
    sizes = [len(group) for group in groups]
    flipped = np.zeros(len(now), np.uint8) if flipped is None else flipped
    at = np.zeros(len(groups) + 1, np.int64)
    at[1:] = len(loose)
    share_out(before, now, ports, ports, flipped, np.append(0, np.cumsum(sizes)).astype(np.int64),
              np.concatenate(groups).astype(np.int32), at, loose, np.full(len(groups), tie, np.int32), worth, seed,
              threads)  # fmt: skip
    return int(np.minimum(before, now).sum())


def links(now):
    total = now.sum(axis=0, dtype=int)
    return total + total.T


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 7), st.integers(2, 5), st.integers(1, 2), st.integers(0, 10**6), st.sampled_from([-8, 0, 8]))
def test_nothing_gets_worse_and_all_stays_legal(blocks, switches, each, seed, tie):
    before, now = state(blocks, switches, seed, each), state(blocks, switches, seed + 1, each)
    wanted, had = links(now), int(np.minimum(before, now).sum())
    flipped = np.random.default_rng(seed).integers(0, 2, switches).astype(np.uint8)
    kept = run(before, now, np.full((blocks, switches), each, np.int32), [np.arange(switches)], tie=tie,
               seed=seed, flipped=flipped)  # fmt: skip
    assert (links(now) == wanted).all() and kept >= had
    assert now.sum(axis=2).max() <= each and now.sum(axis=1).max() <= each


@pytest.mark.parametrize("seed", range(6))
def test_two_switches_are_split_as_the_program_says(seed):
    """One switch against one other is an exact transportation problem: HiGHS finds no better."""
    from scipy.optimize import linprog

    blocks, each = 6, 2
    before, now = state(blocks, 2, seed, each), state(blocks, 2, seed + 100, each)
    total = now.sum(axis=0)
    cells = [(k, i, j) for k in range(2) for i in range(blocks) for j in range(blocks)]
    cost = np.array([0.0] * len(cells) + [-1.0] * len(cells))
    rows, limits, equal, sums = [], [], [], []
    for k in range(2):
        for i in range(blocks):
            for axis in (1, 2):
                rows.append([float(c[0] == k and c[axis] == i) for c in cells] + [0.0] * len(cells))
                limits.append(each)
    for n in range(len(cells)):
        rows.append([-float(m == n) for m in range(len(cells))] + [float(m == n) for m in range(len(cells))])
        limits.append(0)
    for i in range(blocks):
        for j in range(blocks):
            equal.append([float(c[1:] == (i, j)) for c in cells] + [0.0] * len(cells))
            sums.append(total[i, j])
    bounds = [(0, None)] * len(cells) + [(0, int(before[c])) for c in cells]
    best = linprog(cost, rows, limits, equal, sums, bounds)
    kept = run(before, now, np.full((blocks, 2), each, np.int32), [np.array([0, 1])], seed=seed)
    assert kept == round(-best.fun)


def test_a_loose_link_finds_a_place_that_is_worth_it():
    before = np.zeros((2, 3, 3), np.int16)
    before[0, 0, 1] = 1
    ports = np.ones((3, 2), np.int32)
    loose = np.array([[0, 1]], np.int32)
    now = before.copy()
    run(before, now, ports, [np.array([0, 1])], loose)
    assert now[1].sum() == 1 and now[0, 0, 1] == 1 and (loose == [[-1, 1]]).all()
    # a full ring has no port left for a second link
    before = np.zeros((1, 3, 3), np.int16)
    before[0, [0, 1, 2], [1, 2, 0]] = 1
    now, loose = before.copy(), np.array([[0, 1]], np.int32)
    run(before, now, np.ones((3, 1), np.int32), [np.array([0])], loose)
    assert (now == before).all() and sorted(loose[0]) == [0, 1]


def test_threads_change_no_byte():
    before, now = state(10, 12, 1), state(10, 12, 2)
    other = now.copy()
    groups = [np.arange(i, i + 3) for i in range(0, 12, 3)]
    ports = np.ones((10, 12), np.int32)
    assert run(before, now, ports, groups, threads=1) == run(before, other, ports, groups, threads=4)
    assert (now == other).all()


def test_a_switch_in_two_groups_is_refused():
    before = state(4, 2, 0)
    with pytest.raises(ValueError, match="members must name no switch twice"):
        run(before, before.copy(), np.ones((4, 2), np.int32), [np.array([0, 1]), np.array([1])])
