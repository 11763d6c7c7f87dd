"""Fidelities beside each other: nothing is faster than its bound, and fluid never faster than its fullest link."""

import pytest

from fabric.algorithms import ALGORITHMS
from fabric.collectives import COLLECTIVES, collective
from fabric.timing import Assumptions, choose, fluid, steady
from topologies.errors import InfeasibleError
from topologies.registry import build

SPECS = ["ring:n=6", "torus:dims=4x4", "mesh:dims=3x3", "switch:n=6", "fat-tree:k=4", "full-mesh:n=6",
         "rail:servers=4,gpus=4", "jellyfish:n=8,degree=3,p=2", "dragonfly:p=2,a=4,h=2"]  # fmt: skip


def plans(spec, name):
    topology = build(spec)
    for algorithm in ALGORITHMS:
        try:
            yield choose(topology, collective(name, len(topology.accelerators)), 2**20, Assumptions(algorithm))
        except InfeasibleError:
            continue


@pytest.mark.parametrize("spec", SPECS)
def test_fluid_is_above_the_loads_and_the_bound(spec):
    from fabric.bounds import collective_bound

    for name in COLLECTIVES:
        topology = build(spec)
        pattern = collective(name, len(topology.accelerators))
        bound = collective_bound(topology, pattern)
        for plan in plans(spec, name):
            simulated = fluid(plan, 2**24)
            fullest = float((plan.arcs / topology.csr().capacity).max())
            where = (name, plan.schedule.algorithm)
            assert bound.time_s(2**24) <= plan.time_s(2**24) * (1 + 1e-9), where
            assert bound.time_s(2**24) <= simulated.time_s * (1 + 1e-9), where
            if simulated.routing == plan.routing:
                assert simulated.time_s >= fullest * 2**24 * (1 - 1e-9), where


def test_a_ring_takes_its_closed_form_in_both():
    """2 (n - 1) rounds of S / n, half each way round, a hop of latency each."""
    topology = build("ring:n=8,rate_gbps=400")
    plan = choose(topology, collective("all-reduce", 8), 2**20, Assumptions("ring"))
    hop = float(topology.csr().latency[0])
    expected = 14 * (2**20 / 8 / 2 / 50e9 + hop)
    assert steady(plan, 2**20).time_s == pytest.approx(expected)
    assert fluid(plan, 2**20).time_s == pytest.approx(expected)


def test_chunks_lie_between_phased_and_pipelined():
    topology = build("rail:servers=4,gpus=4")
    pattern = collective("all-reduce", 16)

    def per_byte(overlap):
        return choose(topology, pattern, 1.0, Assumptions("hierarchical", overlap=overlap)).per_byte_s

    pipelined, phased = per_byte("pipelined"), per_byte("phased")
    assert per_byte("chunked:1") == pytest.approx(phased)
    assert per_byte("chunked:4") == pytest.approx(phased / 4 + pipelined * 3 / 4)
    assert pipelined < per_byte("chunked:64") < per_byte("chunked:4") < phased


def test_fluid_names_what_it_cannot_follow():
    plan = choose(build("full-mesh:n=6"), collective("all-to-all", 6), 1.0, Assumptions(routing="te"))
    with pytest.raises(InfeasibleError, match="no paths for routing 'te'; give --routing"):
        fluid(plan, 1.0)
