"""Fluid completion times against a plain twin that solves all rates anew at every event, and closed forms."""

import doctest
import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _fluid, _order, first_cycle, fluid, maxmin

NONE = np.empty(0, np.int32)
KEYS = (
    "ptr", "link", "share", "capacity", "latency", "path_of", "size", "delay", "duration", "pred_ptr", "pred"
)  # fmt: skip


def instance(seed, links=None, paths=None, flows=None, shares=False, waits=True, even=False):
    """Random flows on random paths, in a random DAG, some of them computations, some empty."""
    rng = np.random.default_rng(seed)
    links = links or int(rng.integers(1, 10))
    paths = paths or int(rng.integers(1, 15))
    flows = flows or int(rng.integers(1, 40))
    rows = [rng.choice(links, int(rng.integers(1, min(links, 5) + 1)), replace=False) for _ in range(paths)]
    ptr = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    capacity = np.ones(links) if even else rng.random(links) + 0.2
    path_of = rng.integers(0, paths, flows).astype(np.int32)
    size = rng.integers(1, 4, flows).astype(float) if even else rng.exponential(1.0, flows)
    duration, delay = np.zeros(flows), np.zeros(flows)
    latency = np.zeros(paths) if even else rng.random(paths) * rng.integers(0, 2)
    before = [NONE] * flows
    if waits:
        computes = rng.random(flows) < 0.15
        path_of[computes], duration[computes] = -1, rng.random(int(computes.sum())) * 2
        size[computes | (rng.random(flows) < 0.05)] = 0
        delay = rng.random(flows) * (rng.random(flows) < 0.5)
        rank = rng.permutation(flows)  # an order that all predecessors respect
        before = [np.flatnonzero((rank < rank[f]) & (rng.random(flows) < 2 / flows)) for f in range(flows)]
    pred_ptr = np.cumsum([0] + [len(b) for b in before]).astype(np.int64)
    share = rng.random(ptr[-1]) + 0.01 if shares else None
    link, pred = np.concatenate(rows).astype(np.int32), np.concatenate(before).astype(np.int32)
    return ptr, link, share, capacity, latency, path_of, size, delay, duration, pred_ptr, pred


def simulate(ptr, link, share, capacity, latency, path_of, size, delay, duration, pred_ptr, pred, processor=None):
    """Plain twin: at every event, rates of all that sends by maxmin, one row a flow; lines at processors."""
    lines = {}
    F = len(size)
    start, finish, left = np.zeros(F), np.full(F, np.nan), size.copy()
    missing = np.diff(pred_ptr)
    after = [[] for _ in range(F)]
    for f in range(F):
        for p in pred[pred_ptr[f] : pred_ptr[f + 1]]:
            after[p].append(f)
    timers, sending, now = [], [], 0.0

    def wait(f, ready):
        heapq.heappush(timers, (ready + delay[f] + (latency[path_of[f]] if path_of[f] >= 0 else 0), f, True))

    def end(f):
        finish[f] = now
        for g in after[f]:
            missing[g] -= 1
            if not missing[g]:
                wait(g, now)

    for f in range(F):
        if not missing[f]:
            wait(f, 0.0)
    while timers or sending:
        rows = [np.arange(ptr[path_of[f]], ptr[path_of[f] + 1]) for f in sending]
        rates, step = np.empty(0), np.inf
        if sending:
            entries = np.concatenate(rows)
            rates = maxmin(
                np.cumsum([0] + [len(r) for r in rows]).astype(np.int64), link[entries],
                None if share is None else share[entries], capacity,
            )  # fmt: skip
            step = (left[sending] / rates).min()
        if timers and timers[0][0] - now <= step:
            step = timers[0][0] - now
        now += step
        left[sending] -= rates * step
        for f in [f for f in sending if left[f] <= 1e-11 * size[f]]:
            sending.remove(f)
            end(f)
        while timers and timers[0][0] <= now:
            _, f, begins = heapq.heappop(timers)
            if processor is not None and processor[f] >= 0 and duration[f] > 0:
                line = lines.setdefault(processor[f], [])
                if begins:
                    line.append(f)
                    if len(line) > 1:
                        continue
                elif len(line) > 1:
                    start[line[1]] = now
                    heapq.heappush(timers, (now + duration[line[1]], line[1], False))
                if not begins:
                    del line[0]
            if begins:
                start[f] = now
            if path_of[f] < 0 and begins:
                heapq.heappush(timers, (now + duration[f], f, False))
            elif path_of[f] >= 0 and size[f] > 0:
                sending.append(f)
            else:
                end(f)
    return start, finish


def check(args, processor=None):
    start, finish = simulate(*args, processor)
    found = fluid(*args, processor=processor)
    np.testing.assert_allclose(found[0], start, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1], finish, rtol=1e-9, atol=1e-12)
    return found


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_equals_solving_all_at_every_event(seed, waits, shares):
    check(instance(seed, shares=shares, waits=waits, even=seed % 4 == 0))


@pytest.mark.parametrize("seed", range(30))
def test_computations_take_turns_on_processors(seed):
    """Some computations share two processors; those that are ready at one moment go in their order."""
    args = dict(zip(KEYS, instance(seed, flows=60, even=seed % 3 == 0), strict=True))
    rng = np.random.default_rng(seed)
    own = (args["size"] == 0) & (rng.random(60) < 0.9)
    args["path_of"][own], args["duration"][own] = -1, rng.integers(0, 4, int(own.sum()))
    processor = np.where(own, rng.integers(-1, 2, 60), -1).astype(np.int32)
    start, finish, _ = check(args.values(), processor)
    for p in (0, 1):
        mine = np.flatnonzero((processor == p) & (args["duration"] > 0))
        mine = mine[np.argsort(start[mine])]
        assert (start[mine[1:]] >= finish[mine[:-1]]).all()
        np.testing.assert_allclose(finish[mine] - start[mine], args["duration"][mine])


def test_the_first_that_is_ready_computes_first():
    """1 is ready after 0 began and before it ends, 2 at once but behind 0 in order: 0, 2, 1."""
    zeros, none = np.zeros(3), (np.zeros(1, np.int64), NONE, None, np.ones(0), np.ones(0))
    delay, lone = np.array([0.0, 1.0, 0.0]), np.full(3, -1, np.int32)
    rest = zeros, delay, np.array([5.0, 7.0, 2.0]), np.zeros(4, np.int64), NONE
    start, finish, _ = fluid(*none, lone, *rest, processor=np.zeros(3, np.int32))
    assert start.tolist() == [0, 7, 5] and finish.tolist() == [5, 14, 7]
    assert fluid(*none, lone, *rest)[1].tolist() == [5, 8, 2]


@pytest.mark.parametrize("seed", range(6))
def test_equals_it_where_many_share_much(seed):
    """Enough flows that links are settled one by one, and rates are filled anew, in one run."""
    found = check(instance(seed, links=30, paths=150, flows=400, shares=seed % 3 == 2, waits=seed % 2 == 0))
    assert found[2] > 100


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shares=st.booleans())
def test_order_of_flows_and_names_of_links_do_not_matter(seed, shares):
    args = dict(zip(KEYS, instance(seed, 12, 20, 60, shares), strict=True))
    rng = np.random.default_rng(seed)
    turn, rename, shuffle = rng.permutation(60), rng.permutation(12), rng.permutation(20)
    place, way = np.argsort(turn), np.argsort(shuffle)
    entries = np.concatenate([np.arange(args["ptr"][g], args["ptr"][g + 1]) for g in shuffle])
    before = [args["pred"][args["pred_ptr"][f] : args["pred_ptr"][f + 1]] for f in turn]
    capacity = np.empty(12)
    capacity[rename] = args["capacity"]
    paths = args["path_of"][turn]
    other = fluid(
        np.concatenate([[0], np.cumsum(np.diff(args["ptr"])[shuffle])]),
        rename[args["link"][entries]].astype(np.int32), args["share"][entries] if shares else None, capacity,
        args["latency"][shuffle], np.where(paths < 0, -1, way[paths]).astype(np.int32),
        *(args[key][turn] for key in ("size", "delay", "duration")),
        np.cumsum([0] + [len(b) for b in before]).astype(np.int64),
        place[np.concatenate(before)].astype(np.int32),
    )  # fmt: skip
    found = fluid(**args)
    np.testing.assert_allclose(other[0], found[0][turn], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(other[1], found[1][turn], rtol=1e-10, atol=1e-13)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shares=st.booleans())
def test_no_link_carries_more_than_it_can(seed, shares):
    ptr, link, share, capacity, _, path_of, size, *_ = args = instance(seed, 8, 20, 60, shares, waits=False)
    start, finish, _ = fluid(*args)
    carried = np.repeat(np.bincount(path_of, size, 20), np.diff(ptr)) * (1 if share is None else share)
    busiest = (np.bincount(link, carried, 8) / capacity).max()
    assert finish.max() >= start.min() + busiest * (1 - 1e-12)


def test_alone_and_in_a_group():
    """n equal flows on one link end together; unequal ones by processor sharing."""
    one = np.array([0, 1]), np.zeros(1, np.int32), None, np.full(1, 2.0), np.full(1, 0.5)
    zeros = np.zeros(4)
    rest = zeros, zeros, np.zeros(5, np.int64), NONE
    path = np.zeros(4, np.int32)
    assert fluid(*one, path, np.ones(4), *rest)[1].tolist() == [2.5] * 4
    found = fluid(*one, path, np.array([1.0, 2, 3, 4]), *rest)
    np.testing.assert_allclose(found[1], 0.5 + np.array([4, 7, 9, 10]) / 2)
    late = np.array([0.0, 0, 0, 0.25]), zeros, np.zeros(5, np.int64), NONE
    found = fluid(*one, path, np.array([1.0, 2, 3, 0.25]), *late)  # joins, and ends before all others
    np.testing.assert_allclose(found[1][3], 0.75 + 0.25 * 4 / 2)


def test_a_chain_takes_turns():
    """Each flow waits for the one before: latency, then its bytes at the full rate."""
    n = 1000
    args = np.array([0, 1]), np.zeros(1, np.int32), None, np.full(1, 4.0), np.full(1, 0.125), np.zeros(n, np.int32)
    pred_ptr = np.concatenate([[0], np.arange(n)])
    found = fluid(*args, np.ones(n), np.zeros(n), np.zeros(n), pred_ptr, np.arange(n - 1, dtype=np.int32))
    np.testing.assert_allclose(found[1], 0.375 * np.arange(1, n + 1))
    np.testing.assert_allclose(found[0], found[1] - 0.25)
    assert found[2] == 0  # nobody shares, so no rate ever changes


def test_epsilon_merges_at_a_small_price():
    args = instance(5, 30, 200, 400, waits=False)
    exact, merged = fluid(*args), fluid(*args, 1e-2)
    assert merged[2] < exact[2]
    np.testing.assert_allclose(merged[1], exact[1], rtol=3e-2)


def test_cycles_are_found():
    ptr = np.array([0, 0, 1, 2, 3])
    assert first_cycle(ptr, np.array([0, 1, 2], np.int32)) == -1
    assert first_cycle(ptr, np.array([3, 1, 2], np.int32)) == 1
    assert first_cycle(ptr, np.array([0, 2, 2], np.int32)) == 2
    assert first_cycle(np.array([0, 1, 2, 2]), np.array([1, 2], np.int32)) == -1
    args = dict(zip(KEYS, instance(0, 2, 2, 4, waits=False), strict=True))
    with pytest.raises(ValueError, match="3 of 4 flows wait for each other"):
        fluid(**args | {"pred_ptr": ptr, "pred": np.array([3, 1, 2], np.int32)})


BROKEN = {
    "ptr": [0, 3, 2, 4], "link": [0, 9, 1, 0], "share": [1.0, 0, 1, 1], "capacity": [0.0, 1], "latency": [0.0, -1, 0],
    "path_of": [0, 1, 3], "size": [np.nan, 1, 1], "delay": [0.0, 0], "duration": [-1.0, 0, 0], "pred_ptr": [0, 0, 1, 2],
    "pred": [3],
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_arrays_are_refused(name):
    good = {"ptr": np.array([0, 1, 2, 4]), "link": np.array([0, 1, 0, 1], np.int32), "share": np.ones(4)}
    good |= {"capacity": np.ones(2), "latency": np.zeros(3), "path_of": np.arange(3, dtype=np.int32)}
    good |= {"size": np.ones(3), "delay": np.zeros(3), "duration": np.zeros(3)}
    good |= {"pred_ptr": np.array([0, 0, 0, 1]), "pred": np.zeros(1, np.int32)}
    assert fluid(**good)[1].tolist() == [1, 1, 2]
    with pytest.raises(ValueError, match=name):
        fluid(**good | {name: np.array(BROKEN[name], good[name].dtype)})
    with pytest.raises(ValueError, match="dtype"):
        fluid(**good | {name: good[name].astype(np.int16)})
    with pytest.raises(ValueError, match="path 2 has one twice"):
        fluid(**good | {"link": np.array([0, 1, 1, 1], np.int32)})
    with pytest.raises(ValueError, match="path with links"):
        fluid(**good | {"path_of": np.array([0, 1, -1], np.int32)})
    with pytest.raises(ValueError, match="epsilon"):
        fluid(**good, epsilon=-1)


def test_nothing_takes_no_time():
    nothing = np.zeros(1, np.int64), NONE, None, np.empty(0), np.empty(0), NONE, *[np.empty(0)] * 3
    start, finish, solves = fluid(*nothing, np.zeros(1, np.int64), NONE)
    assert (start.size, finish.size, solves) == (0, 0, 0)


def test_examples_hold():
    for kernel, least in ((_fluid, 3), (_order, 1)):
        result = doctest.testmod(kernel)
        assert result.attempted > least and result.failed == 0
