"""Checkpoints: the interval that loses least, and the published share of Llama 3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.failures.checkpoints import effective_share, interval_s
from fabric.failures.recovery import step
from topologies.parts import catalogue

TIMES = st.floats(1.0, 1e5)


def test_llama_3_keeps_more_than_nine_tenths():
    """466 interruptions in 54 days of 16,384 accelerators left more than 90 % (section 3.3.4)."""
    write, back = (step(name, catalogue()).minutes * 60 for name in ("checkpoint", "restart"))
    assert 0.9 < effective_share(write, back, 54 * 86400 / 466) < 0.95


@given(st.floats(1.0, 100.0), st.floats(0.0, 500.0), st.floats(1e4, 1e7), st.floats(0.2, 5.0))
def test_young_and_daly_are_near_the_best_interval(write, restart, between, factor):
    best = effective_share(write, restart, between)
    other = effective_share(write, restart, between, interval_s(write, between) * factor)
    assert other <= best * 1.01


@given(TIMES, TIMES, TIMES)
def test_a_share_of_time_that_falls_with_failures(write, restart, between):
    share = effective_share(write, restart, between)
    assert 0 <= share <= 1
    assert share <= effective_share(write, restart, 2 * between) + 1e-12


def test_rare_failures_cost_the_first_order_of_young():
    """Small times: C / T + T / 2M + R / M."""
    write, restart, between = 10.0, 60.0, 1e6
    work = interval_s(write, between)
    lost = write / work + work / (2 * between) + restart / between
    assert effective_share(write, restart, between) == pytest.approx(1 - lost, abs=2e-5)


def test_ends():
    assert effective_share(10.0, 60.0, float("inf")) == 1.0
    assert effective_share(1e6, 1e6, 1.0) == 0.0
    assert 0 < effective_share(0.0, 60.0, 1e4) < 1
