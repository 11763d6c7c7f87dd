"""Messages: every algorithm delivers every contribution once, carries the bytes of its steps, and takes its rounds."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from fabric.algorithms import ALGORITHMS, NotApplicable, Schedule
from fabric.algorithms.unrolling import unroll
from fabric.collectives import COLLECTIVES, Collective, collective
from topologies.errors import InfeasibleError
from topologies.registry import build

fabric = cache(build)
COUNTS = [*range(2, 18), 32, 64]

FABRICS = [
    "ring:n=2", "ring:n=7", "torus:dims=4x2x3", "torus:dims=2x2", "torus:dims=4x4x4", "mesh:dims=3x4", "mesh:dims=5",
    "torus:dims=3x4,wrap=truexfalse", "full-mesh:n=2", "full-mesh:n=5", "full-mesh:n=8", "rail:servers=3,gpus=4",
    "rail:servers=5,gpus=2", "rail:servers=4,gpus=1", "rail:servers=2,gpus=2", "rail:servers=4,gpus=4",
    "torus:dims=4x8,twist=true", "torus:dims=4x8",
    "hgx-h100", "nvl:gpus=8,layers=2,leaf_hosts=2", "clos:hosts=16,switch=qm9700", "rail:servers=3,gpus=4,core=none",
]  # fmt: skip


def schedules(spec: str) -> Iterator[tuple[Collective, Schedule]]:
    """Each collective with each algorithm that does it on a fabric."""
    topology = fabric(spec)
    for name in COLLECTIVES:
        pattern = collective(name, len(topology.accelerators))
        for make in ALGORITHMS.values():
            try:
                made = make(topology, pattern)
            except NotApplicable:
                continue
            yield pattern, made


@pytest.mark.parametrize("spec", [f"switch:n={n}" for n in COUNTS] + FABRICS)
def test_every_contribution_arrives_once(spec, deliver):
    for pattern, schedule in schedules(spec):
        for chunks in (1, 3) if pattern.n < 10 else (1,):
            try:
                deliver(schedule.messages(chunks), pattern)
            except AssertionError as error:
                raise AssertionError(f"{schedule.algorithm} {pattern.name} in {chunks}: {error}") from error


@pytest.mark.parametrize("spec", [f"switch:n={n}" for n in COUNTS] + FABRICS)
def test_messages_carry_the_bytes_of_the_steps(spec):
    for pattern, schedule in schedules(spec):
        for chunks in (1, 3):
            flows = unroll(schedule, 1e6, chunks)
            for end, wanted in (("source", "sent"), ("target", "received")):
                sums = np.bincount(getattr(flows, end), flows.bytes, minlength=schedule.ends)
                steps = sum(padded(getattr(step.traffic, wanted), schedule.ends) for step in schedule.steps) * 1e6
                np.testing.assert_allclose(sums, steps, err_msg=f"{schedule.algorithm} {pattern.name}")


def padded(amounts, ends):
    """Of all ends, where a step knows ranks alone."""
    return np.pad(amounts, (0, ends - len(amounts)))


def test_pairs_are_those_of_the_steps():
    for spec in ("torus:dims=4x2x3", "mesh:dims=3x4", "rail:servers=3,gpus=4", "switch:n=6"):
        for pattern, schedule in schedules(spec):
            made = schedule.messages(1)
            wanted, found = np.zeros((2, schedule.ends, schedule.ends))
            np.add.at(found, (made.source, made.target), made.amount)
            for step in schedule.steps:
                source, target, amount = step.traffic.as_pairs()
                np.add.at(wanted, (source, target), amount)
            np.testing.assert_allclose(found, wanted, atol=1e-12, err_msg=f"{schedule.algorithm} {pattern.name}")


def rounds(flows) -> int:
    """Rounds of messages: the longest chain of predecessors, joins counting none."""
    count = len(flows)
    done = np.zeros(count, np.int64)
    waiting = np.diff(flows.pred_ptr).copy()
    follow: list[list[int]] = [[] for _ in range(count)]
    for flow in range(count):
        for before in flows.pred[flows.pred_ptr[flow] : flows.pred_ptr[flow + 1]]:
            follow[before].append(flow)
    ready = [flow for flow in range(count) if not waiting[flow]]
    for flow in ready:  # grows meanwhile
        done[flow] += flows.source[flow] != flows.target[flow]
        for after in follow[flow]:
            done[after] = max(done[after], done[flow])
            waiting[after] -= 1
            if not waiting[after]:
                ready.append(after)
    return int(done.max())


@pytest.mark.parametrize(
    ("spec", "name", "algorithm", "expected"),
    [
        ("ring:n=7", "all-reduce", "ring", 12),
        ("ring:n=7", "all-gather", "ring", 6),
        ("ring:n=7", "broadcast", "ring", 6),
        ("ring:n=7", "reduce", "ring", 6),
        ("ring:n=7", "all-to-all", "direct", 1),
        ("torus:dims=4x2x3", "all-gather", "bucket", 3 + 1 + 2),
        ("mesh:dims=5", "all-gather", "bucket", 4),
        ("mesh:dims=5", "reduce-scatter", "bucket", 4),  # the sum for the far end first, over four hops
        ("rail:servers=3,gpus=4", "all-reduce", "hierarchical", 1 + 4 + 1),
        ("rail:servers=3,gpus=4", "all-to-all", "pxn", 2),
    ],
)
def test_rounds(spec, name, algorithm, expected):
    topology = fabric(spec)
    n = len(topology.accelerators)
    assert rounds(unroll(ALGORITHMS[algorithm](topology, collective(name, n)), 1.0)) == expected


def test_too_many_flows_are_refused():
    topology = fabric("switch:n=6")
    schedule = ALGORITHMS["ring"](topology, collective("all-reduce", 6))
    with pytest.raises(InfeasibleError, match="use --fidelity steady"):
        unroll(schedule, 1.0, 10**7)


def test_loads_alone_have_no_flows():
    with pytest.raises(InfeasibleError, match="loads alone; use --fidelity steady"):
        unroll(Schedule("ring", "pipelined", ()), 1.0)


@pytest.fixture
def ring_of_four():
    return ALGORITHMS["ring"](fabric("ring:n=4"), collective("all-reduce", 4)).messages(1)


def test_the_machine_finds_a_message_that_does_not_wait(ring_of_four, deliver):
    """Each dependency of data is needed: without it a sum is short, or a chunk is used while it changes."""
    made = ring_of_four
    for place in range(len(made.pred)):
        waits = np.repeat(np.arange(len(made)), np.diff(made.pred_ptr))
        if made.source[made.pred[place]] == made.source[waits[place]]:
            continue  # the order on a connection, which chunks of their own do not need
        left = np.bincount(np.delete(waits, place), minlength=len(made))
        broken = replace(made, pred_ptr=np.concatenate([[0], np.cumsum(left)]), pred=np.delete(made.pred, place))
        with pytest.raises(AssertionError):
            deliver(broken, collective("all-reduce", 4))


def test_the_machine_finds_what_is_added_twice_and_what_is_stored_in_place_of_a_sum(ring_of_four, deliver):
    for m in range(len(ring_of_four)):
        reduces = ring_of_four.reduces.copy()
        reduces[m] = not reduces[m]
        with pytest.raises(AssertionError, match=r"ends with|race"):
            deliver(replace(ring_of_four, reduces=reduces), collective("all-reduce", 4))
