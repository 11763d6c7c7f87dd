"""On a switch that blocks nobody, messages one by one take what the loads of the steps say; nothing beats its bound."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.algorithms import ALGORITHMS
from fabric.algorithms.floors import floor
from fabric.bounds import collective_bound
from fabric.collectives import COLLECTIVES, collective
from fabric.routing.router import RoutingOptions
from fabric.timing import Assumptions, Plan, candidates, choose, fluid
from topologies.errors import InfeasibleError
from topologies.registry import build

fabric = cache(build)
SIZE = 2**20
RATE, HOP = 50e9, 2 * 300e-9  # bytes/s of a port; two links from rank to rank
COUNTS = [*range(2, 18), 32, 64]
ONE = RoutingOptions(threads=1)


def plan(n: int, name: str, algorithm: str, latency_ns: int, overlap: str = "auto") -> Plan:
    topology = fabric(f"switch:n={n},latency_ns={latency_ns}")
    return choose(topology, collective(name, n), SIZE, Assumptions(algorithm, overlap=overlap, options=ONE))


def algorithms(n: int):
    """(collective, algorithm, plan without latency) of all that apply on a switch."""
    for name in COLLECTIVES:
        for algorithm in ALGORITHMS:
            try:
                yield name, algorithm, plan(n, name, algorithm, 0)
            except InfeasibleError:
                continue


def alike(algorithm: str, n: int) -> bool:
    """Does every rank send as much as every other in each round? Not where ranks fold, or hold unequal runs of blocks:
    there those that have less go ahead, and the rounds of all of them overlap a little."""
    return n & (n - 1) == 0 or algorithm not in ("halving", "recursive-doubling", "scatter-gather")


@pytest.mark.parametrize(("n", "latency_ns"), [*((n, 300) for n in COUNTS), (6, 0), (16, 0)])
def test_phased_rounds_and_rings_take_exactly_what_their_loads_say(n, latency_ns):
    """All that is phased or one step: rings, pairwise, direct exchanges, doubling, halving, Bruck, binomial."""
    for name, algorithm, without in algorithms(n):
        kind = without.schedule.overlap
        if kind == "chunked" or (kind == "pipelined" and len(without.schedule.steps) > 1):
            continue
        if without.schedule.steps[0].whole:
            continue
        made = plan(n, name, algorithm, latency_ns)
        simulated, said = fluid(made, SIZE).time_s, f"{algorithm} {name}"
        if alike(algorithm, n):
            assert simulated == pytest.approx(made.time_s(SIZE), rel=1e-9), said
        else:
            assert made.time_s(SIZE) * 0.6 <= simulated <= made.time_s(SIZE) * (1 + 1e-9), said


@pytest.mark.parametrize("n", [2, 3, 8, 13, 32])
@pytest.mark.parametrize("name", ["all-reduce", "broadcast", "reduce"])
def test_two_direct_steps_take_exactly_their_sum_when_phased(n, name):
    made = plan(n, name, "direct", 300, "phased")
    assert fluid(made, SIZE).time_s == pytest.approx(made.time_s(SIZE), rel=1e-9)


@pytest.mark.parametrize("name", ["broadcast", "reduce"])
@pytest.mark.parametrize("n", COUNTS)
def test_a_chain_takes_exactly_what_its_chunks_cost(n, name):
    """(n - 2 + k)(alpha + S beta / k); with as many chunks as pay, (sqrt((n - 2) alpha) + sqrt(S beta))^2."""
    for chunks in (1, 2, 5):
        expected = (n - 2 + chunks) * (HOP + SIZE / RATE / chunks)
        made = plan(n, name, "chain", 300, f"chunked:{chunks}")
        assert made.time_s(SIZE) == pytest.approx(expected, rel=1e-9)
        assert fluid(made, SIZE).time_s == pytest.approx(expected, rel=1e-9)
    made = plan(n, name, "chain", 300)
    best = (np.sqrt((n - 2) * HOP) + np.sqrt(SIZE / RATE)) ** 2
    if n > 2:
        assert best <= made.time_s(SIZE) < best * 1.01
        assert made.chunks(SIZE) == pytest.approx(np.sqrt((n - 2) * SIZE / RATE / HOP), abs=1)
        assert fluid(made, SIZE).time_s == pytest.approx(made.time_s(SIZE), rel=1e-9)
    else:
        assert made.chunks(SIZE) == 1 and made.time_s(SIZE) == pytest.approx(HOP + SIZE / RATE)


@pytest.mark.parametrize(
    ("name", "algorithm", "n", "rounds", "shares"),
    [
        ("all-reduce", "halving", 16, 8, 2 * 15 / 16),
        ("all-reduce", "halving", 17, 10, 2 * 15 / 16 + 2),  # folding costs the vector there and back
        ("reduce-scatter", "halving", 16, 4, 15 / 16),
        ("all-reduce", "recursive-doubling", 16, 4, 4.0),
        ("all-gather", "recursive-doubling", 16, 4, 15 / 16),
        ("all-gather", "bruck", 13, 4, 12 / 13),
        ("all-to-all", "bruck", 16, 4, 4 / 2),
        ("all-to-all", "pairwise", 13, 12, 12 / 13),
        ("broadcast", "binomial", 13, 4, 4.0),
        ("reduce", "binomial", 13, 4, 4.0),
        ("broadcast", "scatter-gather", 13, 4 + 12, 2 * 12 / 13),
        ("reduce", "scatter-gather", 16, 4 + 15, 2 * 15 / 16),
        ("all-reduce", "ring", 13, 24, 2 * 12 / 13),
    ],
)
def test_closed_forms(name, algorithm, n, rounds, shares):
    """Thakur, Rabenseifner and Gropp's costs: rounds x alpha + shares x S beta."""
    assert plan(n, name, algorithm, 300).time_s(SIZE) == pytest.approx(rounds * HOP + shares * SIZE / RATE, rel=1e-9)


SPECS = [
    "switch:n=5", "ring:n=7", "ring:n=8", "torus:dims=4x4", "torus:dims=3x4", "torus:dims=2x3x2", "mesh:dims=3x3",
    "mesh:dims=2x5", "full-mesh:n=6", "fat-tree:k=4", "rail:servers=4,gpus=4", "rail:servers=3,gpus=2",
    "rail:servers=4,gpus=2,core=none", "dragonfly:p=1,a=4,h=2", "jellyfish:n=8,degree=3,p=2", "nvl72",
]  # fmt: skip


@cache
def plans(spec: str, name: str) -> list[Plan]:
    topology = fabric(spec)
    try:
        return candidates(topology, collective(name, len(topology.accelerators)), Assumptions(options=ONE))
    except InfeasibleError:  # rails without a core join no pair of different rails
        return []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SPECS), st.sampled_from(COLLECTIVES), st.floats(0, 40))
def test_nothing_is_faster_than_its_bound_or_its_floor_and_auto_is_the_fastest(spec, name, doublings):
    topology, size = fabric(spec), 2.0**doublings
    pattern = collective(name, len(topology.accelerators))
    bound = collective_bound(topology, pattern)
    for made in plans(spec, name):
        said = f"{made.schedule.algorithm} on {spec}"
        assert made.time_s(size) >= bound.time_s(size) * (1 - 1e-9), said
        assert made.time_s(size) >= floor(topology, made.schedule).time_s(size) * (1 - 1e-9), said
    if not plans(spec, name):
        return
    chosen = choose(topology, pattern, size, Assumptions(options=ONE))
    assert chosen.time_s(size) <= min(made.time_s(size) for made in plans(spec, name)) * (1 + 1e-9)
