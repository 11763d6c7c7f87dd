"""Traffic: the compact lists mean what the pair list says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.traffic import Traffic

quick = settings(max_examples=60, deadline=None, derandomize=True)


def dense(traffic):
    """float64[n, n] straight from the meaning of lists and entries, rank by rank; the diagonal is no traffic."""
    matrix = np.zeros((traffic.n, traffic.n))
    for target, which, scale in zip(traffic.entry_target, traffic.entry_list, traffic.entry_scale, strict=True):
        for place in range(traffic.list_ptr[which], traffic.list_ptr[which + 1]):
            matrix[traffic.list_rank[place], target] += scale * traffic.list_amount[place]
    np.fill_diagonal(matrix, 0)
    return matrix


def check(traffic, expected):
    source, target, amount = traffic.as_pairs()
    found = np.zeros((traffic.n, traffic.n))
    np.add.at(found, (source, target), amount)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(dense(traffic), expected)
    np.testing.assert_allclose(traffic.sent, expected.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(traffic.received, expected.sum(axis=0), atol=1e-12)
    assert traffic.total == pytest.approx(expected.sum())
    assert not np.any(source == target)


@given(st.integers(1, 20), st.floats(0.01, 10))
@quick
def test_uniform(n, amount):
    traffic = Traffic.uniform(n, amount)
    check(traffic, amount * (1 - np.eye(n)))
    assert traffic.is_uniform


@given(st.integers(1, 20), st.data())
@quick
def test_within(n, data):
    group_of = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    groups = [np.flatnonzero(np.array(group_of) == g) for g in sorted(set(group_of))]
    kept = groups[: data.draw(st.integers(1, len(groups)))]
    expected = np.zeros((n, n))
    for group in kept:
        expected[np.ix_(group, group)] = 2.5
    np.fill_diagonal(expected, 0)
    traffic = Traffic.within(kept, n, 2.5)
    check(traffic, expected)
    assert traffic.is_uniform == (len(kept) == 1 and len(kept[0]) == n)


@given(st.integers(1, 12), st.data())
@quick
def test_pairs(n, data):
    rank = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(rank, rank, st.floats(0, 5)), min_size=1, max_size=40))
    expected = np.zeros((n, n))
    for s, t, amount in pairs:
        expected[s, t] += amount if s != t else 0
    source, target, amount = zip(*pairs, strict=True)
    check(Traffic.pairs(n, source, target, amount), expected)


def test_pairs_broadcast():
    expected = np.zeros((4, 4))
    expected[0, 1:] = 0.25
    check(Traffic.pairs(4, 0, [1, 2, 3], 0.25), expected)
    check(Traffic.pairs(4, [1, 2, 3], 0, 0.25), expected.T)


@given(st.integers(1, 10), st.data())
@quick
def test_lists_in_general(n, data):
    """Lists shared by targets, entries that repeat, ranks that occur in several lists."""
    lists = data.draw(st.lists(st.lists(st.integers(0, n - 1), unique=True, max_size=n), min_size=1, max_size=4))
    entries = data.draw(
        st.lists(
            st.tuples(st.integers(0, n - 1), st.integers(0, len(lists) - 1), st.floats(0.1, 3)), min_size=1, max_size=12
        )
    )
    members = [rank for members in lists for rank in members]
    if not members:
        return
    amounts = np.arange(1.0, len(members) + 1)
    targets, which, scales = zip(*entries, strict=True)
    traffic = Traffic(
        n,
        np.cumsum([0, *map(len, lists)]).astype(np.int64),
        np.array(members, np.int32),
        amounts,
        np.array(targets, np.int32),
        np.array(which, np.int32),
        np.array(scales),
    )
    check(traffic, dense(traffic))


@pytest.mark.parametrize("shift", [1, 3, 5])
def test_a_permutation_is_not_uniform(shift):
    ranks = np.arange(8)
    traffic = Traffic.pairs(8, ranks, (ranks + shift) % 8, 1.0)
    assert not traffic.is_uniform and traffic.sent.tolist() == [1.0] * 8
    assert len(traffic.list_rank) == 8
