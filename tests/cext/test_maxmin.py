"""Max-min rates against linear programs, exact progressive filling and closed forms."""

import doctest
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from cext import _maxmin, maxmin, maxmin_slack


def instance(seed, flows=None, links=None, kind="plain"):
    """Random flows on random links: ptr, link, share, capacity, multiplicity, cap."""
    rng = np.random.default_rng(seed)
    links = links or int(rng.integers(1, 12))
    flows = flows or int(rng.integers(1, 25))
    rows = [rng.choice(links, int(rng.integers(1, min(links, 5) + 1)), replace=False) for _ in range(flows)]
    ptr = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    link = np.concatenate(rows).astype(np.int32)
    capacity = rng.integers(1, 5, links).astype(float) if seed % 2 else rng.random(links) + 0.1
    if kind == "plain":
        return ptr, link, None, capacity, None, None
    cap = np.where(rng.random(flows) < 0.4, rng.random(flows), np.inf)
    return ptr, link, rng.random(len(link)) + 0.01, capacity, rng.integers(1, 1000, flows).astype(float), cap


def exactly(ptr, link, share, capacity, multiplicity, cap):
    """Plain twin in exact fractions: raise all unfrozen rates until a link or a cap binds."""
    F, E = len(ptr) - 1, len(capacity)
    use = [{} for _ in range(F)]
    for f in range(F):
        for j in range(ptr[f], ptr[f + 1]):
            times = 1 if multiplicity is None else int(multiplicity[f])
            use[f][int(link[j])] = Fraction(1 if share is None else float(share[j])) * times
    limit = [None if cap is None or np.isinf(cap[f]) else Fraction(float(cap[f])) for f in range(F)]
    rate, live = [Fraction(0)] * F, set(range(F))
    while live:
        level = []
        for e in range(E):
            weight = sum((use[f].get(e, 0) for f in live), Fraction(0))
            if weight:
                room = Fraction(float(capacity[e])) - sum(use[f].get(e, 0) * rate[f] for f in range(F) if f not in live)
                level.append((room / weight, [f for f in live if e in use[f]]))
        level += [(limit[f], [f]) for f in live if limit[f] is not None]
        least = min(x for x, _ in level)
        for x, frozen in level:
            if x == least:
                for f in frozen:
                    rate[f] = least
                    live.discard(f)
    return np.array([float(x) for x in rate])


@pytest.mark.parametrize("kind", ["plain", "general"])
@pytest.mark.parametrize("seed", range(40))
def test_equals_exact_filling(seed, kind):
    args = instance(seed, kind=kind)
    np.testing.assert_allclose(maxmin(*args), exactly(*args), rtol=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_equals_a_sequence_of_linear_programs(seed):
    """The largest least rate, by HiGHS; flows that cannot exceed it keep it; and so on."""
    ptr, link, share, capacity, multiplicity, cap = instance(seed, 8, 6, "general")
    F = len(ptr) - 1
    A = np.zeros((len(capacity), F))
    for f in range(F):
        np.add.at(A[:, f], link[ptr[f] : ptr[f + 1]], share[ptr[f] : ptr[f + 1]] * multiplicity[f])
    rate, live = np.full(F, np.nan), list(range(F))
    while live:
        known = [f for f in range(F) if f not in live]
        room = capacity - A[:, known] @ rate[known]
        rows = np.hstack([A[:, live], np.zeros((len(capacity), 1))])
        order = np.hstack([-np.eye(len(live)), np.ones((len(live), 1))])
        bounds = [(0, cap[f] if np.isfinite(cap[f]) else None) for f in live] + [(0, None)]
        both, limit = np.vstack([rows, order]), np.concatenate([room, np.zeros(len(live))])
        least = linprog(np.r_[np.zeros(len(live)), -1], both, limit, bounds=bounds).x[-1]
        bounds[-1] = (least * (1 - 1e-9), None)
        fixed = []
        for k, f in enumerate(live):
            goal = np.zeros(len(live) + 1)
            goal[k] = -1
            if linprog(goal, both, limit, bounds=bounds).x[k] < least * (1 + 1e-6):
                fixed.append(f)
        assert fixed
        rate[fixed] = least
        live = [f for f in live if f not in fixed]
    np.testing.assert_allclose(maxmin(ptr, link, share, capacity, multiplicity, cap), rate, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["plain", "general"]))
def test_certificate_holds_and_order_does_not_matter(seed, kind):
    ptr, link, share, capacity, multiplicity, cap = args = instance(seed, 80, 30, kind)
    rates = maxmin(*args)
    assert maxmin_slack(*args, rates) < 1e-12
    rng = np.random.default_rng(seed)
    turn, rename = rng.permutation(80), rng.permutation(30)
    entries = np.concatenate([np.arange(ptr[f], ptr[f + 1]) for f in turn])
    moved = np.empty(30)
    moved[rename] = capacity
    other = maxmin(
        np.concatenate([[0], np.cumsum(np.diff(ptr)[turn])]),
        rename[link[entries]].astype(np.int32),
        None if share is None else share[entries],
        moved,
        None if multiplicity is None else multiplicity[turn],
        None if cap is None else cap[turn],
    )
    np.testing.assert_allclose(other, rates[turn], rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.sampled_from([0.9, 1.1]))
def test_certificate_sees_what_is_unfair(seed, factor):
    args = instance(seed, 30, 10, "general")
    rates = maxmin(*args)
    rates[seed % 30] *= factor
    assert maxmin_slack(*args, rates) > 1e-3


def test_multiplicity_is_so_many_flows():
    ptr, link, _, capacity, _, _ = instance(3, 20, 8)
    times = np.random.default_rng(0).integers(1, 5, 20)
    rows = np.repeat(np.arange(20), times)
    entries = np.concatenate([np.arange(ptr[f], ptr[f + 1]) for f in rows])
    each = maxmin(np.concatenate([[0], np.cumsum(np.diff(ptr)[rows])]), link[entries], None, capacity)
    np.testing.assert_allclose(maxmin(ptr, link, None, capacity, times.astype(float))[rows], each, rtol=1e-12)


def test_parking_lot_closed_form():
    """One long flow over n links that each carry a flow of their own: half each; a cap leaves the rest to others."""
    n = 7
    ptr = np.concatenate([np.arange(n + 1), [2 * n]])
    link = np.tile(np.arange(n), 2).astype(np.int32)
    assert maxmin(ptr, link, None, np.ones(n)).tolist() == [0.5] * (n + 1)
    cap = np.full(n + 1, np.inf)
    cap[-1] = 0.25
    assert maxmin(ptr, link, None, np.ones(n), None, cap).tolist() == [0.75] * n + [0.25]


def test_tiny_weights_after_huge_ones_stay_exact():
    """A share of 1e-9 is what is left of a link when a million flows' worth has been frozen."""
    ptr, link = np.array([0, 2, 3]), np.array([0, 1, 0], np.int32)
    share = np.array([1.0, 1.0, 1e-9])
    rates = maxmin(ptr, link, share, np.array([2e6, 1.0]), np.array([1e6, 1.0]))
    np.testing.assert_allclose(rates, [1e-6, (2e6 - 1) / 1e-9], rtol=1e-12)


def test_corners():
    none = np.empty(0, np.int32)
    assert maxmin(np.zeros(1, np.int64), none, None, np.empty(0)).tolist() == []
    assert maxmin(np.zeros(3, np.int64), none, None, np.ones(2)).tolist() == [np.inf, np.inf]
    assert maxmin(np.zeros(2, np.int64), none, None, np.empty(0), None, np.array([3.0])).tolist() == [3.0]
    one = np.array([0, 1]), np.array([0], np.int32), None
    assert maxmin(*one, np.zeros(1)).tolist() == [0.0]
    assert maxmin_slack(*one, np.zeros(1), None, None, np.zeros(1)) == 0


BROKEN = {
    "ptr": [1, 1, 2], "link": [0, 9], "share": [0.0, 1.0], "capacity": [-1.0, 1.0], "multiplicity": [0.0, 1.0],
    "cap": [np.nan, 1.0],
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_arrays_are_refused(name):
    good = {"ptr": np.array([0, 1, 2]), "link": np.array([0, 1], np.int32)}
    good |= {key: np.ones(2) for key in ("share", "capacity", "multiplicity", "cap")}
    assert maxmin(**good).tolist() == [1, 1]
    with pytest.raises(ValueError, match=name):
        maxmin(**good | {name: np.array(BROKEN[name], good[name].dtype)})
    with pytest.raises(ValueError, match="dtype"):
        maxmin(**good | {name: good[name].astype(np.int16)})
    with pytest.raises(ValueError, match="rates"):
        maxmin_slack(**good, rates=np.array([1.0, -1.0]))


def test_read_only_arrays_are_taken():
    args = instance(1)
    for array in args:
        if array is not None:
            array.setflags(write=False)
    assert maxmin(*args).all()


def test_examples_hold():
    result = doctest.testmod(_maxmin)
    assert result.attempted > 3 and result.failed == 0
