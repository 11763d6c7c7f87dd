"""Strands: ports for new circuits, no worse than by trying every choice."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric.planning.strands as strands
from fabric.planning.strands import Choice, choose_ports


@st.composite
def choices(draw):
    """Circuits of two units over pools of a few slots, a legal choice now, losses in halves and forbidden pairs."""
    pools = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(2, 3)), min_size=1, max_size=3))
    unit = [draw(st.integers(0, 1)) for _ in pools]
    pool, owner, now = [], [], []
    for (p, q), u in zip(pools, unit, strict=True):
        row = []
        for end in (p, q):
            row.append(len(pool))
            pool.append(end)
            owner.append(draw(st.sampled_from([u, u, -1])))
        now.append(row)
    for _ in range(draw(st.integers(0, 2))):
        pool.append(draw(st.integers(0, 3)))
        owner.append(draw(st.sampled_from([-1, 0, 1])))
    size = len(pool)
    loss = np.array(draw(st.lists(st.integers(1, 6), min_size=size**2, max_size=size**2)), float).reshape(size, size)
    return Choice(
        np.array(now), np.array(pools, np.int32), np.array(unit, np.int32), np.array(pool, np.int32),
        np.array(owner, np.int32), loss, loss >= draw(st.integers(3, 7)),
    )  # fmt: skip


def least(choice, merged):
    """The least loss of all choices, one by one; None where every one has a forbidden pair."""
    best = None
    may = [choice.may(end, merged) for end in (0, 1)]
    options = [[np.flatnonzero(may[end][c]) for end in (0, 1)] for c in range(len(choice.now))]
    flat = [slots for pair in options for slots in pair]
    for chosen in product(*flat):
        if len(set(chosen)) < len(chosen):
            continue
        rows = np.array(chosen).reshape(-1, 2)
        if choice.holds(rows):
            loss = choice.loss_db[rows[:, 0], rows[:, 1]].sum()
            best = loss if best is None else min(best, loss)
    return best


@settings(max_examples=60, deadline=None)
@given(choices(), st.booleans())
def test_no_choice_of_ports_loses_less(choice, by_turns):
    most, strands.MOST_EXACT = strands.MOST_EXACT, 0 if by_turns else strands.MOST_EXACT
    try:
        found = choose_ports(choice)
    finally:
        strands.MOST_EXACT = most
    apart, merged = least(choice, False), least(choice, True)
    best = merged if apart is None else apart
    if best is None:
        assert found is None
        return
    assert found.exchanged == (apart is None) and not len(found.relaid)
    found = found.circuits
    loss = choice.loss_db[found[:, 0], found[:, 1]].sum()
    assert choice.holds(found) and len(set(found.ravel().tolist())) == found.size
    assert loss >= best - 1e-9 if by_turns else loss == pytest.approx(best)
    assert all((choice.pool[found[:, end]] == choice.pools[:, end]).all() for end in (0, 1))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_fewer_kept_circuits_make_room(data):
    """A new circuit and two kept ones between pools of three ports a side: every matching is tried."""
    matrix = np.array(data.draw(st.lists(st.integers(1, 4), min_size=9, max_size=9)), float).reshape(3, 3)
    loss = np.full((6, 6), 9.0)
    loss[:3, 3:] = matrix
    choice = Choice(
        np.array([[0, 3]]), np.array([[0, 1]], np.int32), np.zeros(1, np.int32),
        np.array([0, 0, 0, 1, 1, 1], np.int32), np.array([0, -2, -2, 0, -2, -2], np.int32),
        loss, loss >= 3, np.array([[1, 4], [2, 5]]),
    )  # fmt: skip
    found = choose_ports(choice)
    best = None
    for order in permutations(range(3)):
        stays = [order[1] == 1, order[2] == 2]
        new = [(a, b) for a, b in enumerate(order) if not (a and stays[a - 1])]
        if all(matrix[a, b] < 3 for a, b in new):
            price = (2 - sum(stays), sum(matrix[a, b] for a, b in new))
            best = price if best is None else min(best, price)
    if best is None:
        assert found is None
        return
    used = found.circuits
    assert len(found.relaid) == best[0] == len(used) - 1
    assert loss[used[:, 0], used[:, 1]].sum() == pytest.approx(best[1])
