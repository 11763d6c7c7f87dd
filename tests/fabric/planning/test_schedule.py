"""Schedules: shortest closed walks against every walk there is; delays at which switches stop paying, by hand."""

from dataclasses import replace
from itertools import pairwise, product
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.planning.plan import Plan, Stage
from fabric.planning.schedule import (
    best_share,
    break_even_bytes,
    break_even_run_s,
    closed_walk,
    doubling_delay_s,
    partial_switch_s,
    pays_from_factor,
    static,
    stretches,
    uniform_walks,
)
from topologies.errors import InfeasibleError

# One step of expert exchange (EP), pipeline hand-over (PP), EP, PP and gradients (DP), 20 ms idle before the last.
# Columns: an adapter split in halves (all at half speed), all of it for EP, for PP, for DP. A hand-over runs at half
# speed in the rings of the others; the exchange and the gradients at a tenth where they do not belong.
MS = np.array(
    [
        [100, 50, 500, 500],
        [2, 2, 1, 2],
        [100, 50, 500, 500],
        [22, 22, 11, 22],
        [192, 960, 960, 96],
    ]
)
IDLE_MS = np.array([0, 0, 0, 0, 20])
COST_S, IDLE_S = MS / 1e3, IDLE_MS / 1e3


def uniform(number, delay_s):
    return delay_s * (1 - np.eye(number))


@pytest.mark.parametrize(
    ("delay_s", "seconds", "switches"),
    [
        (10e-6, 0.208 + 4 * 10e-6, 5),  # every phase at its best, 50 + 1 + 50 + 11 + 96; the one before DP is hidden
        (10e-3, 0.209 + 2 * 10e-3, 3),  # the first hand-over stays in EP's configuration: 1 ms more, two switches less
        (25e-3, 0.220 + 5e-3 + 25e-3, 2),  # the second one stays in DP's: 11 ms more, one switch less
        (100e-3, 0.220 + 80e-3 + 100e-3, 2),
        (200e-3, 0.416, 0),  # all in halves
        (60.0, 0.416, 0),
    ],
)
def test_the_step_worked_by_hand(delay_s, seconds, switches):
    walk = closed_walk(COST_S, uniform(4, delay_s), IDLE_S)
    assert (walk.seconds, walk.switches) == (pytest.approx(seconds, abs=1e-12), switches)
    assert static(COST_S) == (0, pytest.approx(0.416))


def test_each_switch_disappears_where_paper_says():
    found = stretches(COST_S, IDLE_S)
    # 208 + 4 d = 209 + 2 d at 0.5 ms; 209 + 2 d = 220 + d at 11 ms, the switch before DP hidden; 200 + 2 d = 416 at 108
    assert [s.walk.switches for s in found] == [5, 3, 2, 0]
    assert [s.to_s for s in found] == pytest.approx([0.5e-3, 11e-3, 108e-3, inf])


def by_hand(cost, switch, idle):
    """The least time of all walks, one by one."""
    phases, number = cost.shape
    best = inf
    for path in product(range(number), repeat=phases):
        waits = [max(0, switch[path[p - 1]][path[p]] - idle[p]) * (path[p - 1] != path[p]) for p in range(phases)]
        best = min(best, sum(cost[p][c] for p, c in enumerate(path)) + sum(waits))
    return best


TIMES = st.integers(0, 30).map(float)


@st.composite
def steps(draw):
    phases, number = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    cost = np.array(draw(st.lists(TIMES, min_size=phases * number, max_size=phases * number))).reshape(phases, number)
    idle = np.array(draw(st.lists(TIMES, min_size=phases, max_size=phases)))
    return cost, idle


@settings(max_examples=80, deadline=None)
@given(steps(), st.data())
def test_no_walk_is_shorter(step, data):
    cost, idle = step
    number = cost.shape[1]
    switch = np.array(data.draw(st.lists(TIMES, min_size=number**2, max_size=number**2))).reshape(number, number)
    walk = closed_walk(cost, switch, idle)
    assert walk.seconds == pytest.approx(by_hand(cost, switch, idle))
    assert walk.seconds == pytest.approx(by_hand_one(walk.configurations, cost, switch, idle))
    assert walk.seconds <= static(cost)[1] + 1e-9


def by_hand_one(path, cost, switch, idle):
    total = 0.0
    for p, here in enumerate(path):
        before = path[p - 1]
        total += cost[p, here] + (max(0.0, switch[before, here] - idle[p]) if before != here else 0.0)
    return total


@settings(max_examples=60, deadline=None)
@given(steps(), st.lists(st.floats(0, 80), min_size=1, max_size=6))
def test_many_delays_at_once_are_as_one_by_one(step, delays):
    cost, idle = step
    for delay, path in zip(delays, uniform_walks(cost, np.array(delays), idle), strict=True):
        one = closed_walk(cost, uniform(cost.shape[1], delay), idle)
        assert by_hand_one(path, cost, uniform(cost.shape[1], delay), idle) == pytest.approx(one.seconds)
        assert sum(a != b for a, b in pairwise((path[-1], *path))) == one.switches


@settings(max_examples=60, deadline=None)
@given(steps(), st.lists(st.floats(0, 80), min_size=1, max_size=6))
def test_stretches_hold_the_best_walk_at_every_delay(step, delays):
    cost, idle = step
    found = stretches(cost, idle)
    assert found[0].from_s == 0 and found[-1].to_s == inf
    assert all(a.to_s == b.from_s for a, b in pairwise(found))
    for delay in delays:
        here = next(s for s in found if s.from_s <= delay <= s.to_s)
        switch = uniform(cost.shape[1], delay)
        time = by_hand_one(here.walk.configurations, cost, switch, idle)
        assert time == pytest.approx(closed_walk(cost, switch, idle).seconds, rel=1e-9, abs=1e-9)


def test_a_phase_that_one_configuration_does_not_serve_forces_a_switch():
    cost = np.array([[1.0, inf], [inf, 1.0]])
    assert static(cost) == (None, inf)
    walk = closed_walk(cost, uniform(2, 5.0), np.zeros(2))
    assert (walk.seconds, walk.switches) == (12.0, 2)
    assert [s.walk.switches for s in stretches(cost, np.zeros(2))] == [2]
    with pytest.raises(InfeasibleError, match="phase 2"):
        closed_walk(np.array([[1.0], [inf]]), uniform(1, 1.0), np.zeros(2))


@pytest.mark.parametrize(
    ("delay_s", "size_bytes"),
    [(10e-6, 0.5e6), (10e-3, 500e6), (25e-3, 1.25e9), (0.1, 5e9), (0.2, 10e9), (1.0, 50e9), (60.0, 3e12)],
)
def test_bytes_at_which_half_an_adapter_gives_way_to_all_of_it(delay_s, size_bytes):
    assert break_even_bytes(delay_s, 25e9, 50e9) == pytest.approx(size_bytes)
    assert break_even_bytes(delay_s, 25e9, 50e9, idle_s=delay_s) == 0
    assert break_even_bytes(delay_s, 50e9, 50e9) == inf


def test_sizes_from_which_a_switch_pays():
    factor = pays_from_factor(lambda f: f * COST_S, uniform(4, 0.2), IDLE_S)
    # of a step x times as long: 220 x + 180 + 200 = 416 x
    assert factor == pytest.approx(380 / 196, rel=1e-6)
    assert pays_from_factor(lambda f: f * np.ones((2, 2)), uniform(2, 1.0), np.zeros(2)) is None


@given(st.floats(1e3, 1e12), st.floats(1e9, 1e11), st.floats(1.01, 8), st.floats(1e-6, 10), st.integers(1, 8))
def test_planes_that_keep_sending(size, before, better, delay, planes):
    after = before * better
    whole = partial_switch_s(size, before, after, delay, 1.0)
    assert whole == pytest.approx(delay + size / after)
    switched, seconds = best_share(size, before, after, delay, planes)
    assert seconds <= min(whole, size / before) * (1 + 1e-12) and 0 <= switched <= planes


def test_one_switch_inside_a_collective():
    alpha, ranks = 2e-6, 256
    limit = doubling_delay_s(ranks, alpha)
    for delay, pays in ((limit * 0.99, True), (limit * 1.01, False)):
        assert (8 * (alpha + delay) < 255 * alpha) == pays


def test_jobs_that_run_long_enough():
    assert break_even_run_s([(0.1, 100.0), (0.02, 100.0)], 0.8, 0.9) == pytest.approx(12 / 0.125)
    assert break_even_run_s([(0.1, 100.0)], 1.0, 1.0) == inf


def test_a_plan_says_for_which_jobs_it_pays():
    """Two stages of 60 s at 0.9 and 120 s at 1.0 of a throughput of 1.0, for 1.2 in the end: 6 s lost, 20 % won."""
    stages = [
        Stage(id=n, reason="", drain=(), changes=(), undrain=(), throughput=t, certificate={}, seconds={"drain": s})
        for n, (t, s) in enumerate([(0.9, 60.0), (1.0, 120.0)])
    ]
    ends = {"throughput_before": 1.0, "throughput_after": 1.2}
    plan = Plan(
        wiring="bidi", blocks=(), switches=(), base={}, after={}, target=(), floor={}, summary=ends, stages=stages
    )
    assert plan.break_even_s == pytest.approx(30.0)
    assert replace(plan, summary={**ends, "throughput_after": 1.0}).break_even_s is None
