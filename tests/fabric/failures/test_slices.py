"""Goodput of slices against hand arithmetic, a simulation of hosts, and what circuits can only add."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.failures.availability import BOUNDARIES, slice_availability
from fabric.failures.slices import Pod, goodput, goodput_with_down, pod_of
from topologies.errors import ConfigError
from topologies.registry import build

V4 = Pod(cubes=64, accelerators=64, hosts=16)


@pytest.mark.parametrize(("slice_accelerators", "share"), [(3072, 0.75), (2048, 0.5), (1024, 0.75), (4096, 0.0)])
def test_one_cube_down_by_hand(slice_accelerators, share):
    """63 cubes hold floor(63 / s) slices of s of the 64."""
    assert goodput_with_down(V4, slice_accelerators, 1) == share


def test_against_hosts_drawn_at_random():
    rng = np.random.default_rng(1)
    up = (rng.random((4000, 64, 16)) < 0.99).all(axis=2).sum(axis=1)
    assert goodput(V4, 1024, 0.99) == pytest.approx((up // 16 * 16 / 64).mean(), abs=0.01)


@pytest.mark.parametrize("availability", [0.99, 0.995, 0.999])
def test_a_fixed_slice_needs_all_its_hosts(availability):
    assert goodput(V4, 1024, availability, reconfigurable=False) == pytest.approx(availability**256)


@given(st.floats(0.9, 1.0), st.integers(1, 64))
def test_circuits_never_cost_goodput(availability, cubes):
    size = cubes * 64
    free = goodput(V4, size, availability)
    assert goodput(V4, size, availability, reconfigurable=False) <= free + 1e-12
    assert 0 <= free <= 64 // cubes * cubes / 64 + 1e-12


@pytest.mark.parametrize("wrong", [32, 96, 0, 8192])
def test_a_slice_is_whole_cubes(wrong):
    with pytest.raises(ConfigError, match="give a multiple of 64 up to 4,096"):
        goodput(V4, wrong, 0.99)


def test_pods_say_what_they_are():
    assert pod_of(build("tpu-v4-64")) == V4
    assert pod_of(build("ring:n=4")) is None


def test_availability_falls_with_what_counts_as_outage():
    fabric = build("tpu-v4-512")
    found = [slice_availability(fabric, boundary) for boundary in BOUNDARIES]
    assert 1 > found[0] > found[1] > found[2] > 0.999


def test_availability_by_hand():
    """512 chips at 0.101 a year and 128 hosts at 5,275 FIT, 0.0968 min of circuits each."""
    from fabric.failures.recovery import circuits_moved

    fabric = build("tpu-v4-512")
    a_day = 512 * 0.101 / 365 + 128 * 5275e-9 * 24
    outage = circuits_moved(fabric, 2).minutes
    assert slice_availability(fabric, "circuits") == pytest.approx(1 / (1 + a_day * outage / 1440))
