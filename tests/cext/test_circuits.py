"""Annealed circuits: links stay as many, ports hold in the end, known optima are met, malformed arrays are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import settle


def state(blocks, switches, seed, each=1):
    """Random cyclic shifts: every block has `each` circuits out and in on every switch."""
    draws = np.random.default_rng(seed)
    now = np.zeros((blocks, blocks, switches), np.int16)
    for k in range(switches):
        for shift in draws.choice(np.arange(1, blocks), each, replace=False):
            now[np.arange(blocks), (np.arange(blocks) + shift) % blocks, k] += 1
    return now


def links(now):
    total = now.sum(axis=2, dtype=int)
    return total + total.T


def run(before, now, ports, steps=20_000, seed=1, turns=True, one_sided=False, heat=(0.1, 0.05), price=(0.5, 2.0)):
    return settle(before, now, ports, ports, turns, one_sided, steps, heat, price, seed)


def ports_of(blocks, switches, each=1):
    return np.full((blocks, switches), each, np.int32)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 8), st.integers(1, 6), st.integers(1, 2), st.integers(0, 1000), st.booleans())
def test_links_stay_as_many_and_what_is_said_is_so(blocks, switches, each, seed, turns):
    before, now = state(blocks, switches, seed, each), state(blocks, switches, seed + 1, each)
    wanted = links(now) if turns else now.sum(axis=2)
    ports = ports_of(blocks, switches, each)
    waste, excess = run(before, now, ports, 3000, seed, turns)
    assert ((links(now) if turns else now.sum(axis=2)) == wanted).all()
    assert now.min() >= 0
    assert waste == np.maximum(before.astype(int) - now, 0).sum()
    over = np.maximum(now.sum(axis=1) - ports, 0).sum() + np.maximum(now.sum(axis=0) - ports, 0).sum()
    assert excess == over


def test_one_sided_ports_count_both_ends():
    before = np.zeros((4, 4, 2), np.int16)
    before[[0, 2], [1, 3], 0] = before[[0, 1], [2, 3], 1] = 1  # two perfect matchings
    now = before.copy()
    now[0, 1, 0], now[0, 1, 1] = 0, 1  # a link on the wrong switch: blocks 0 and 1 have two there, and one port
    waste, excess = run(before, now, ports_of(4, 2), one_sided=True)
    assert (waste, excess) == (0, 0) and (now == before).all()


def test_a_shuffled_state_finds_home():
    before = state(12, 6, 3)
    now = before.copy()
    draws = np.random.default_rng(0)
    for i, j, k in np.argwhere(now)[::5]:  # every fifth circuit on another switch
        now[i, j, k] -= 1
        now[i, j, draws.integers(6)] += 1
    assert run(before, now, ports_of(12, 6), 200_000) == (0, 0)
    assert (now == before).all()


def test_the_same_seed_gives_the_same_circuits():
    before, first = state(8, 4, 1), state(8, 4, 2)
    second, third = first.copy(), first.copy()
    assert run(before, first, ports_of(8, 4)) == run(before, second, ports_of(8, 4))
    run(before, third, ports_of(8, 4), seed=2)
    assert (first == second).all() and not (first == third).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"before": np.zeros((4, 4, 3), np.int16)}, "before must have the shape"),
        ({"north": np.zeros((4, 3), np.int32)}, "north must have the shape"),
        ({"heat": (0.0, 0.1)}, "heat must be finite and positive"),
        ({"price": (1.0, float("nan"))}, "price must be finite and positive"),
        ({"now": -np.ones((4, 4, 2), np.int16)}, "now must lie in 0"),
    ],
)
def test_malformed_arrays_are_refused(change, said):
    given = {
        "before": state(4, 2, 0), "now": state(4, 2, 1), "north": ports_of(4, 2), "south": ports_of(4, 2),
        "turns": True, "one_sided": False, "steps": 10, "heat": (0.1, 0.05), "price": (1.0, 2.0), "seed": 0,
    }  # fmt: skip
    with pytest.raises(ValueError, match=said):
        settle(**given | change)
