"""Unrolling: a schedule's flow graph carries the schedule's bytes, and takes as many rounds as its closed form."""

from functools import cache

import numpy as np
import pytest

from fabric.algorithms import ALGORITHMS, NotApplicable
from fabric.algorithms.unrolling import unroll
from fabric.collectives import COLLECTIVES, collective
from topologies.errors import InfeasibleError
from topologies.registry import build

fabric = cache(build)

FABRICS = ["ring:n=2", "ring:n=7", "torus:dims=4x2x3", "mesh:dims=3x4", "full-mesh:n=5", "switch:n=6",
           "rail:servers=3,gpus=4", "rail:servers=4,gpus=1"]  # fmt: skip


def schedules(spec):
    topology = fabric(spec)
    n = len(topology.accelerators)
    for name in COLLECTIVES:
        for make in ALGORITHMS.values():
            try:
                yield make(topology, collective(name, n)), n
            except NotApplicable:
                continue


def rounds(flows):
    """Rounds of messages: the longest chain of predecessors, joins counting none. Fails on a cycle."""
    count = len(flows.source)
    done = np.zeros(count)
    waiting = np.diff(flows.pred_ptr).copy()
    follow = [[] for _ in range(count)]
    for flow in range(count):
        for before in flows.pred[flows.pred_ptr[flow] : flows.pred_ptr[flow + 1]]:
            follow[before].append(flow)
    ready = [flow for flow in range(count) if not waiting[flow]]
    seen = 0
    while ready:
        flow = ready.pop()
        seen += 1
        done[flow] += flows.source[flow] != flows.target[flow]
        for after in follow[flow]:
            done[after] = max(done[after], done[flow])
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    assert seen == count
    return int(done.max())


@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("spec", FABRICS)
def test_flows_carry_the_bytes_of_the_steps_and_end(spec, chunks):
    for schedule, n in schedules(spec):
        flows = unroll(schedule, n, 1e6, chunks)
        sent = np.bincount(flows.source, flows.bytes, minlength=n)
        received = np.bincount(flows.target, flows.bytes, minlength=n)
        np.testing.assert_allclose(sent, 1e6 * sum(step.traffic.sent for step in schedule.steps))
        np.testing.assert_allclose(received, 1e6 * sum(step.traffic.received for step in schedule.steps))
        assert rounds(flows) >= len(schedule.steps) + chunks - 1


@pytest.mark.parametrize(
    ("spec", "name", "algorithm", "expected"),
    [
        ("ring:n=7", "all-reduce", "ring", 12),
        ("ring:n=7", "all-gather", "ring", 6),
        ("ring:n=7", "broadcast", "ring", 6),
        ("ring:n=7", "reduce", "ring", 6),
        ("ring:n=7", "all-to-all", "direct", 1),
        ("torus:dims=4x2x3", "all-gather", "bucket", 3 * 3),  # every copy's stage waits for its own ring only
        ("mesh:dims=5", "all-gather", "bucket", 4),
        ("mesh:dims=5", "reduce-scatter", "bucket", 4 + 3),  # four sums to pass, the first of them over four hops
        ("rail:servers=3,gpus=4", "all-reduce", "hierarchical", 1 + 4 + 1),
        ("rail:servers=3,gpus=4", "all-to-all", "pxn", 2),
    ],
)
def test_rounds(spec, name, algorithm, expected):
    topology = fabric(spec)
    n = len(topology.accelerators)
    assert rounds(unroll(ALGORITHMS[algorithm](topology, collective(name, n)), n, 1.0)) <= expected
    assert rounds(unroll(ALGORITHMS[algorithm](topology, collective(name, n)), n, 1.0)) >= expected - 2 * (
        algorithm == "bucket"
    )


def test_too_many_flows_are_refused():
    topology = fabric("switch:n=6")
    schedule = ALGORITHMS["ring"](topology, collective("all-reduce", 6))
    with pytest.raises(InfeasibleError, match="use --fidelity steady"):
        unroll(schedule, 6, 1.0, 10**7)
