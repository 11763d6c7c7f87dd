"""Dimension-order loads against a walk of every pair, closed forms and tie rules."""

import doctest
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _dor, dor_dense_loads, dor_loads, dor_turn_loads, dor_uniform_loads

GRIDS = [
    (dims, wrapped)
    for dims in [
        (1,),
        (2,),
        (5,),
        (6,),
        (3, 4),
        (1, 4),
        (2, 2),
        (4, 1, 3),
        (2, 3, 4),
        (4, 2, 2),
        (2, 3, 1, 4),
    ]
    for wrapped in product((0, 1), repeat=len(dims))
]


def grid(dims, wrapped):
    return np.array(dims, np.int32), np.array(wrapped, np.uint8)


def every_pair(n):
    source, target = np.divmod(np.arange(n * n, dtype=np.int32), np.int32(n))
    return source, target, np.ones(n * n)


def walk(dims, wrapped, source, target, amount, tie_split):
    """Plain twin of dor_loads: step by step on coordinates."""
    loads = np.zeros((*dims[::-1], 2 * len(dims)))
    for s, t, units in zip(source, target, amount, strict=True):
        here = list(np.unravel_index(s, dims, order="F"))
        goal = np.unravel_index(t, dims, order="F")
        for i, size in enumerate(dims):
            ahead, back = (goal[i] - here[i]) % size, (here[i] - goal[i]) % size
            if not wrapped[i]:
                ways = [(1, 1.0)] if goal[i] > here[i] else [(-1, 1.0)]
            elif ahead == back:
                ways = [(1, 0.5), (-1, 0.5)] if tie_split else [(1, 1.0)]
            else:
                ways = [(1, 1.0)] if ahead < back else [(-1, 1.0)]
            for step, share in ways:
                at = here.copy()
                while at[i] != goal[i]:
                    loads[(*at[::-1], 2 * i + (step < 0))] += share * units
                    at[i] = (at[i] + step) % size
            here[i] = goal[i]
    return loads.reshape(-1, 2 * len(dims))


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1), st.booleans())
def test_equals_a_walk_of_every_pair(data, seed, tie_split):
    dims = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    rng = np.random.default_rng(seed)
    wrapped = rng.integers(0, 2, len(dims)).tolist()
    source, target = rng.integers(np.prod(dims), size=(2, 25)).astype(np.int32)
    amount = rng.random(25)
    got = dor_loads(*grid(dims, wrapped), source, target, amount, tie_split)
    np.testing.assert_allclose(got, walk(dims, wrapped, source, target, amount, tie_split), atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(0, 2**32 - 1), st.booleans())
def test_flow_is_conserved_and_takes_the_fewest_hops(dims, seed, tie_split):
    rng = np.random.default_rng(seed)
    wrapped = rng.integers(0, 2, len(dims))
    n = int(np.prod(dims))
    source, target = rng.integers(n, size=(2, 25)).astype(np.int32)
    amount = rng.random(25)
    loads = dor_loads(*grid(dims, wrapped), source, target, amount, tie_split)
    hops, surplus, stride = np.zeros(25), np.zeros(n), 1
    surplus += np.bincount(source, amount, n) - np.bincount(target, amount, n)
    node, into = np.arange(n), np.zeros(n)
    for i, size in enumerate(dims):
        apart = abs(source // stride % size - target // stride % size)
        hops += np.minimum(apart, size - apart) if wrapped[i] else apart
        x = node // stride % size
        into += np.bincount(node + ((x + 1) % size - x) * stride, loads[:, 2 * i], n)
        into += np.bincount(node + ((x - 1) % size - x) * stride, loads[:, 2 * i + 1], n)
        stride *= size
    np.testing.assert_allclose(loads.sum(axis=1) - into, surplus, atol=1e-12)
    assert loads.sum() == pytest.approx((hops * amount).sum(), rel=1e-12)


@pytest.mark.parametrize(("dims", "wrapped"), GRIDS)
@pytest.mark.parametrize("tie_split", [True, False])
def test_uniform_closed_form_equals_all_pairs(dims, wrapped, tie_split):
    pairs = every_pair(int(np.prod(dims)))
    expected = dor_loads(*grid(dims, wrapped), *pairs, tie_split)
    np.testing.assert_array_equal(dor_uniform_loads(*grid(dims, wrapped), tie_split), expected)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1), st.booleans())
def test_a_matrix_equals_its_pairs(data, seed, tie_split):
    dims = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=4).filter(lambda d: np.prod(d) <= 150)))
    rng = np.random.default_rng(seed)
    n = int(np.prod(dims))
    wrapped = rng.integers(0, 2, len(dims))
    source, target, _ = every_pair(n)
    matrix = rng.random((n, n)) * (rng.random((n, n)) < rng.choice([0.05, 1.0]))
    expected = dor_loads(*grid(dims, wrapped), source, target, matrix.ravel(), tie_split)
    got = dor_dense_loads(*grid(dims, wrapped), matrix, tie_split)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    assert (got == dor_dense_loads(*grid(dims, wrapped), matrix, tie_split, threads=2)).all()


def test_a_ones_matrix_equals_the_closed_form():
    for dims, wrapped in GRIDS:
        n = int(np.prod(dims))
        got = dor_dense_loads(*grid(dims, wrapped), np.ones((n, n)))
        np.testing.assert_array_equal(got, dor_uniform_loads(*grid(dims, wrapped)))


def test_turns_of_a_matrix():
    """Turns by their meaning, coordinate by coordinate, on a 2 x 3 x 2 grid."""
    dims, wrapped = (2, 3, 2), (1, 0, 1)
    matrix = np.random.default_rng(0).random((12, 12))
    place = [np.unravel_index(v, dims, order="F") for v in range(12)]
    turns = [np.zeros(12 * d) for d in dims]
    for s, t in product(range(12), repeat=2):
        for i in range(3):
            ahead = sum(place[s][j] * int(np.prod(dims[i:j])) for j in range(i, 3))
            behind = sum(place[t][j] * int(np.prod(dims[:j])) for j in range(i + 1))
            turns[i][ahead * int(np.prod(dims[: i + 1])) + behind] += matrix[s, t]
    expected = dor_dense_loads(*grid(dims, wrapped), matrix)
    np.testing.assert_allclose(dor_turn_loads(*grid(dims, wrapped), turns), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((4, 3)), "row of matrix"),
        (np.zeros((3, 4)), "matrix"),
        (np.full((4, 4), np.nan), "finite"),
        (np.diag([1.0, 1, 1, np.inf]), "finite"),
        (np.diag([1.0, 1, 1, -1e-300]), "not negative"),
        (np.zeros((4, 4), np.float32), "dtype"),
        (np.zeros((4, 8))[:, ::2], "contiguous"),
    ],
)
def test_a_malformed_matrix_is_refused(matrix, message):
    assert dor_dense_loads(*grid([4], [1]), np.full((4, 4), -0.0)).sum() == 0
    with pytest.raises(ValueError, match=message):
        dor_dense_loads(*grid([4], [1]), matrix)


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([np.zeros(32)], "turns"),
        ([np.zeros(32), np.zeros(15)], "turns"),
        ([np.zeros(32), np.full(16, -1.0)], "turns"),
        ([np.zeros(32), np.zeros(16, np.float32)], "dtype"),
    ],
)
def test_malformed_turns_are_refused(turns, message):
    with pytest.raises(ValueError, match=message):
        dor_turn_loads(*grid([4, 2], [1, 0]), turns)


def test_uniform_torus_is_even_and_a_cube_of_4_known():
    loads = dor_uniform_loads(*grid((4, 4, 4), (1, 1, 1)))
    assert (loads == 64 / 4 * (1 + 4 / 4)).all()


def test_uniform_counts_are_exact_at_pod_size():
    loads = dor_uniform_loads(*grid((16, 16, 32), (1, 1, 0)))
    n = 16 * 16 * 32
    assert (loads[:, 0] == n / 16 * 32).all()
    assert loads[:, 4].max() == n / 32 * 16 * 16


@pytest.mark.parametrize(
    ("tie_split", "expected"),
    [(True, [[0.5, 0.5], [0.5, 0], [0, 0], [0, 0.5]]), (False, [[1, 0], [1, 0], [0, 0], [0, 0]])],
)
def test_half_way_round_a_ring(tie_split, expected):
    pair = np.array([0], np.int32), np.array([2], np.int32), np.ones(1)
    assert dor_loads(*grid([4], [1]), *pair, tie_split).tolist() == expected


def test_the_two_links_of_a_wrapped_dimension_of_2():
    pair = np.array([1], np.int32), np.array([0], np.int32), np.ones(1)
    assert dor_loads(*grid([2], [1]), *pair).tolist() == [[0, 0], [0.5, 0.5]]
    assert dor_loads(*grid([2], [1]), *pair, tie_split=False).tolist() == [[0, 0], [1, 0]]
    assert dor_loads(*grid([2], [0]), *pair).tolist() == [[0, 0], [0, 1]]


def test_dimension_0_goes_first():
    pair = np.array([0], np.int32), np.array([4], np.int32), np.ones(1)
    loads = dor_loads(*grid([3, 3], [0, 0]), *pair)
    assert loads[0, 0] == 1 and loads[1, 2] == 1 and loads.sum() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": np.array([], np.int32), "wrapped": np.array([], np.uint8)}, "dims"),
        ({"dims": np.array([0], np.int32)}, "dims"),
        ({"dims": np.array([2**16] * 2, np.int32), "wrapped": np.zeros(2, np.uint8)}, "2\\^31"),
        ({"wrapped": np.zeros(2, np.uint8)}, "wrapped"),
        ({"source": np.array([4], np.int32)}, "source"),
        ({"target": np.array([-1], np.int32)}, "target"),
        ({"target": np.array([1, 2], np.int32)}, "target"),
        ({"amount": np.array([-1.0])}, "amount"),
        ({"amount": np.array([1])}, "dtype"),
    ],
)
def test_malformed_arrays_are_refused(change, message):
    dims, wrapped = grid([4], [1])
    pair = np.array([0], np.int32), np.array([1], np.int32)
    named = {"dims": dims, "wrapped": wrapped, "source": pair[0], "target": pair[1], "amount": np.ones(1)}
    assert dor_loads(**named).sum() == 1
    with pytest.raises(ValueError, match=message):
        dor_loads(**named | change)
    if "dims" in change:
        with pytest.raises(ValueError, match=message):
            dor_uniform_loads(change["dims"], change.get("wrapped", wrapped))


def test_examples_hold():
    result = doctest.testmod(_dor)
    assert result.attempted > 3 and result.failed == 0
