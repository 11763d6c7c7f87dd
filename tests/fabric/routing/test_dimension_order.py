"""Dimension order against a walk hop by hop, and its sums against its pairs."""

from dataclasses import replace
from importlib import import_module
from math import prod

import numpy as np
import pytest

from fabric.routing.registry import resolve, route
from fabric.routing.router import RoutingOptions
from fabric.traffic import Traffic
from topologies.registry import build

grid_module = import_module("fabric.routing.grid")


def dor(dims, wraps, traffic, split):
    """{(rank, rank): bytes}: every pair walked a dimension after the other, half each way at a tie."""
    strides = np.concatenate([[1], np.cumprod(dims)[:-1]])
    loads = {}
    for s, t, amount in zip(*(a.tolist() for a in traffic.as_pairs()), strict=True):
        at = s
        for size, stride, wrap in zip(dims, strides.tolist(), wraps, strict=True):
            here, there = at // stride % size, t // stride % size
            ahead = (there - here) % size
            ways = [(1, ahead, amount)] if ahead else []
            if not wrap:
                ways = [(1 if there > here else -1, abs(there - here), amount)]
            elif 2 * ahead > size:
                ways = [(-1, size - ahead, amount)]
            elif 2 * ahead == size and split:
                ways = [(1, ahead, amount / 2), (-1, ahead, amount / 2)]
            for way, steps, share in ways:
                place = here
                for _ in range(steps):
                    following = (place + way) % size
                    pair = (at + (place - here) * stride, at + (following - here) * stride)
                    loads[pair] = loads.get(pair, 0.0) + share
                    place = following
            at += (there - here) * stride
    return loads


@pytest.mark.parametrize("tie", ["split", "positive"])
@pytest.mark.parametrize(
    ("spec", "wraps"),
    [
        ("ring:n=2", (1,)), ("ring:n=5", (1,)), ("ring:n=6", (1,)), ("torus:dims=4x3", (1, 1)),
        ("torus:dims=2x2x2", (1, 1, 1)),
        ("torus:dims=4x1x2", (1, 1, 1)), ("torus:dims=4x4,wrap=truexfalse", (1, 0)), ("mesh:dims=3x4", (0, 0)),
        ("mesh:dims=2x3x2", (0, 0, 0)), ("torus:dims=4x2x3,wrap=falsextruextrue", (0, 1, 1)),
    ],
)  # fmt: skip
def test_dimension_order_hop_by_hop(spec, wraps, tie, patterns):
    topology = build(spec)
    csr, dims = topology.csr(), topology.grid.dims
    assert resolve(topology, "auto") == "dor"
    for traffic in patterns(prod(dims)):
        expected = dor(dims, wraps, traffic, tie == "split")
        found = route(topology, traffic, "dor", RoutingOptions(tie=tie)).arcs
        wanted = [expected.get((int(t), int(h)), 0.0) for t, h in zip(csr.tails, csr.heads, strict=True)]
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
        assert found.sum() == pytest.approx(sum(expected.values()))


@pytest.mark.parametrize("few_lists", [0, 256])
@pytest.mark.parametrize("tie", ["split", "positive"])
@pytest.mark.parametrize("spec", ["torus:dims=4x3x2,latency_ns=10", "mesh:dims=3x5", "ring:n=6,latency_ns=7"])
def test_sums_are_the_pairs(spec, tie, few_lists, monkeypatch):
    """Groups, a rank-one demand, a matrix and a few pairs: by sums a dimension as by a walk of every pair."""
    topology = build(spec)
    n = len(topology.accelerators)
    rng = np.random.default_rng(n)
    ranks = np.arange(n)
    source, target = np.divmod(np.arange(n * n), n)
    traffics = [
        Traffic.within([ranks[: n // 2], ranks[n // 2 :]], n, 0.5),
        Traffic.pairs(n, source, target, rng.random(n * n)),
        Traffic.pairs(n, [0, 1], [1, 3], [1.0, 0.0]),
        replace(Traffic.uniform(n, 1.0), list_amount=rng.random(n), entry_scale=rng.integers(0, 3, n).astype(float)),
    ]
    for traffic in traffics:
        options = RoutingOptions(tie=tie)
        walked = route(topology, traffic, "dor", options)
        with monkeypatch.context() as patch:
            patch.setattr(grid_module, "WALKED", -1)
            patch.setattr(grid_module, "FEW_LISTS", few_lists)
            summed = route(topology, traffic, "dor", options)
        np.testing.assert_allclose(summed.arcs, walked.arcs, rtol=1e-12, atol=1e-12)
        assert summed.latency_s == pytest.approx(walked.latency_s, rel=1e-12)
        assert summed.mean_latency_s == pytest.approx(walked.mean_latency_s, rel=1e-12)


def test_halves_of_a_pod_need_no_pairs():
    """Two halves of a 16 x 16 x 16 torus, 8 million pairs: in x each talks as a whole torus does."""
    topology = build("torus:dims=16x16x16")
    half = 16**3 // 2
    arcs = route(topology, Traffic.within(np.arange(16**3).reshape(2, -1), 16**3, 1.0), "dor").arcs
    csr = topology.csr()
    along_x = arcs[csr.tails // 16 == csr.heads // 16]
    steps = sum(range(1, 8)) + 8 / 2  # up a ring of 16 from one place to all others, half of the furthest
    np.testing.assert_allclose(along_x, half * steps / 16)


def test_latency_of_dimension_order():
    topology = build("torus:dims=4x6,latency_ns=10")
    assert route(topology, Traffic.uniform(24, 1.0), "dor").latency_s == pytest.approx((2 + 3) * 10e-9)
    assert route(topology, Traffic.pairs(24, [0], [5], 1.0), "dor").latency_s == pytest.approx(
        2 * 10e-9
    )  # (0,0) to (1,1)
    assert route(topology, Traffic.pairs(24, [0], [20], 1.0), "dor").mean_latency_s == pytest.approx(
        10e-9
    )  # (0,0) to (0,5)
