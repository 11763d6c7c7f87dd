"""Traces of messages: by hand, against longest paths, and what must hold of any."""

from functools import partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from fabric.schedules import Recorded
from fabric.schedules.program import SEND, Exchange, Program
from fabric.tracing.timeline import MEETING, Timeline, ready_times, row_times
from topologies.errors import ConfigError, FabricError
from topologies.registry import build

US = 1e-6
STAR = "switch:n={},rate_gbps={},latency_ns=500"  # at 400 Gb/s 50 kB take 1 us, and 1 us to arrive
FIVE = {rate: build(STAR.format(5, rate)) for rate in (100, 200, 400, 800)}

trace = partial(fabric.trace, threads=1)  # threads that wait for a busy machine take longer than these


@st.composite
def programs(draw):
    """Up to 5 ranks; each operation of a rank waits for some that its rank has had."""
    ranks = draw(st.integers(2, 5))
    made, had = Program(ranks, "drawn"), [[] for _ in range(ranks)]

    def after(rank):
        return draw(st.lists(st.sampled_from(had[rank]), unique=True, max_size=2)) if had[rank] else []

    for step in range(draw(st.integers(1, 12))):
        rank, peer = draw(st.permutations(range(ranks)))[:2]
        if draw(st.booleans()):
            had[rank].append(made.compute(rank, "c", draw(st.integers(0, 9)) * US, after(rank)))
        else:
            size = draw(st.integers(0, 9)) * 50e3
            had[rank].append(made.send(rank, "s", peer, step, size, after(rank)))
            had[peer].append(made.receive(peer, "r", rank, step, size, after(peer)))
    made.compute(0, "c", US)
    return Recorded("drawn", "goal", ranks, None, lambda size: made)


def parts_us(found):
    return [s / US for s in found.critical_parts.values()]


def test_two_ranks_by_hand(hand):
    """10 us, then 1 us of latency and 1 us of 50 kB, then 20 us; rank 1 has worked 3 us before."""
    made = hand(2)
    work = made.compute(0, "work", 10 * US)
    made.send(0, "result", 1, 0, 50e3, after=[work])
    own = made.compute(1, "own", 3 * US)
    got = made.receive(1, "result", 0, 0, 50e3, after=[own])
    made.compute(1, "more", 20 * US, after=[got])
    found = fabric.trace(STAR.format(2, 400), hand(made))
    assert found.makespan_s == pytest.approx(32 * US)
    assert parts_us(found) == pytest.approx([30, 1, 1, 0])
    assert [s["name"] for s in found.segments()] == ["work", "result", "more"]
    assert found.times.compute / US == pytest.approx([10, 23])
    assert found.times.communication / US == pytest.approx([2, 2])
    assert found.times.idle / US == pytest.approx([20, 7])
    assert found.times.end / US == pytest.approx([12, 32])
    assert found.slowest.tolist() == [1, 0]
    assert found.exposed == {"send": (pytest.approx(2 * US), pytest.approx(2 * US))}


def test_computation_hides_communication(hand):
    """The same message while both compute: nothing is exposed, and the path is computation."""
    made = hand(2)
    made.send(0, "a", 1, 0, 50e3)
    made.receive(1, "a", 0, 0, 50e3)
    for rank in range(2):
        made.compute(rank, "work", 5 * US)
    found = fabric.trace(STAR.format(2, 400), hand(made))
    assert found.exposed["send"] == (0.0, 0.0) and parts_us(found) == pytest.approx([5, 0, 0, 0])
    assert found.times.communication / US == pytest.approx([2, 2])


def test_the_path_goes_through_the_turns_at_a_processor(hand):
    """10 and 5 us on one, 12 us on another: what is second is ready at once, begins at 10, and ends the step at 15."""
    made = hand(2)
    for name, micros, processor in (("a", 10, 0), ("b", 5, 0), ("c", 12, 1)):
        made.compute(0, name, micros * US, processor=processor)
    found = fabric.trace(STAR.format(2, 400), hand(made))
    assert [(s["name"], s["start_us"], s["end_us"]) for s in found.segments()] == [
        ("a", 0, pytest.approx(10)), ("b", pytest.approx(10), pytest.approx(15))
    ]  # fmt: skip
    assert parts_us(found) == pytest.approx([15, 0, 0, 0]) and found.times.idle / US == pytest.approx([0, 15])
    assert any("take turns: 1 wait" in line for line in found.notes)


def test_waiting_is_for_links_that_others_use(hand):
    """Two messages to one rank, 50 kB each: alone 1 us, together 2 us; steady knows no others."""
    made = hand(3)
    for rank in (0, 1):
        made.send(rank, "a", 2, rank, 50e3)
        made.receive(2, "a", rank, rank, 50e3)
    assert parts_us(fabric.trace(STAR.format(3, 400), hand(made))) == pytest.approx([0, 1, 1, 1])
    alone = fabric.trace(STAR.format(3, 400), hand(made), fidelity="steady")
    assert parts_us(alone) == pytest.approx([0, 1, 1, 0]) and any("share no links" in line for line in alone.notes)


def test_ranks_run_where_they_are_placed(hand, written):
    """On a ring of 6 a message from 0 to 1 has one link; from acc. 0 to 3 three of 500 ns each."""
    made = hand(2)
    made.send(0, "a", 1, 0, 0.0)
    made.receive(1, "a", 0, 0, 0.0)
    spec = "ring:n=6,latency_ns=500"
    assert fabric.trace(spec, hand(made)).makespan_s / US == pytest.approx(0.5)
    far = fabric.trace(spec, hand(made), placement=["0", "3"])
    assert far.makespan_s / US == pytest.approx(1.5) and far.segments()[0]["to"] == "rank 1"
    call = written([("all-reduce", 2)], ranks=2)
    near, apart = (fabric.trace(spec, call, placement=p, algorithm="ring") for p in ("packed", ["0", "3"]))
    assert [one.makespan_s / US for one in (near, apart)] == pytest.approx([1, 3], rel=1e-3)
    assert {s["rank"] for s in apart.segments()} == {"rank 0", "rank 1"}


def test_computation_scales(hand):
    """20 us, then 1 us and 1 us: half of the 20, or bf16 of an A100 over an H100's, 312/989."""
    made = hand(2)
    made.send(0, "a", 1, 0, 50e3, after=[made.compute(0, "work", 20 * US)])
    made.receive(1, "a", 0, 0, 50e3)
    half = fabric.trace(STAR.format(2, 400), hand(made), compute_scale=0.5)
    assert half.makespan_s / US == pytest.approx(12) and half.floor_s / US == pytest.approx(10)
    here = STAR.format(2, 400) + ",accelerator=h100-sxm"
    found = fabric.trace(here, hand(made), compute_scale="a100-80gb", transport="ideal")
    assert found.floor_s / US == pytest.approx(20 * 312 / 989, rel=1e-3)
    assert any("a100-80gb" in note for note in found.notes)


@settings(max_examples=30, deadline=None)
@given(made=programs(), fidelity=st.sampled_from(["fluid", "steady"]))
def test_links_that_cost_no_time_are_never_slower(made, fidelity):
    found = trace(FIVE[400], made, fidelity=fidelity)
    assert max(made.program(1).seconds) * (1 - 1e-12) <= found.floor_s <= found.makespan_s * (1 + 1e-9)


def test_without_dependencies_the_longest_counts(hand):
    made = hand(4)
    for rank, micros in enumerate((3, 11, 7, 2)):
        made.compute(rank, "work", micros * US)
    found = fabric.trace("switch:n=4", hand(made))
    assert found.makespan_s == pytest.approx(11 * US) and len(found.path) == 1
    assert found.times.idle / US == pytest.approx([8, 0, 4, 9])


@settings(max_examples=40, deadline=None)
@given(made=programs(), fidelity=st.sampled_from(["fluid", "steady"]))
def test_critical_path_sums_to_the_makespan(made, fidelity):
    found = trace(FIVE[400], made, fidelity=fidelity)
    timeline, path = found.timeline, found.path
    assert sum(found.critical_parts.values()) == pytest.approx(found.makespan_s, rel=1e-9)
    assert timeline.ready[path[1:]] == pytest.approx(timeline.finish[path[:-1]], rel=1e-9)
    assert (timeline.parts >= 0).all() and timeline.ready[path[0]] == 0
    takes = timeline.kind != MEETING
    assert timeline.parts.sum(axis=1)[takes] == pytest.approx((timeline.finish - timeline.ready)[takes], abs=1e-15)
    spent = found.times.compute + found.times.exposed.sum(axis=1) + found.times.idle
    assert spent == pytest.approx(found.makespan_s, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(made=programs())
def test_steady_is_the_longest_path(made):
    """NetworkX's longest path through operations of 1 us a message and 1 us for 50 kB."""
    program, graph = made.program(1), nx.DiGraph()
    sends, receives = program.matches()
    columns = zip(program.seconds, program.bytes, program.kind, strict=True)
    seconds = [s + (1 + b / 50e3) * US * (kind == SEND) for s, b, kind in columns]
    pairs = [(program.awaited, program.waiting), (sends.tolist(), receives.tolist())]
    waits = [pair for before, after in pairs for pair in zip(before, after, strict=True)]
    graph.add_nodes_from(range(len(program)))
    graph.add_edges_from((a, b, {"weight": seconds[a]}) for a, b in waits)
    graph.add_edges_from((a, "end", {"weight": seconds[a]}) for a in range(len(program)))
    longest = nx.dag_longest_path_length(graph)
    assert trace(FIVE[400], made, fidelity="steady").makespan_s == pytest.approx(longest, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(made=programs(), rate=st.sampled_from([100, 200, 400]))
def test_more_bandwidth_is_never_longer_and_sharing_never_shorter(made, rate):
    """Of messages alone on their paths. (Max-min fairness is not monotone: `fluid_completion` says why.)"""
    slow, fast = (trace(FIVE[r], made, fidelity="steady").makespan_s for r in (rate, 2 * rate))
    assert fast <= slow * (1 + 1e-12)
    assert trace(FIVE[rate], made).makespan_s >= slow * (1 - 1e-9)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_times_of_rows_count_every_moment(data):
    """Against whole seconds looked at one by one."""
    whole = st.integers(0, 12)
    drawn = data.draw(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 2), whole, whole), max_size=8))
    kind, peer, a, b = np.array(drawn, np.int64).reshape(-1, 4).T
    row = np.arange(len(kind)) % 2
    start, end = np.minimum(a, b), np.maximum(a, b)
    peer = np.where(kind == 0, -1, np.minimum(peer, 1 - row) * 1)
    peer = np.where(peer == row, -1, peer)
    none = np.zeros((len(kind), 4))
    line = Timeline(
        ["rank 0", "rank 1"], np.ones(2, np.int64), ("compute", "a", "b"), kind.astype(np.int16), row.astype(np.int32),
        peer.astype(np.int32), start * 1.0, end * 1.0, none, np.zeros(len(kind) + 1, np.int64), np.zeros(0, np.int32),
        str,
    )  # fmt: skip
    moments = np.arange(12) + 0.5
    under_way = np.zeros((2, 3, 12), bool)
    for o in range(len(kind)):
        for r in {int(row[o]), int(peer[o])} - {-1}:
            under_way[r, kind[o]] |= (start[o] < moments) & (moments < end[o])
    found, work = row_times(line), under_way[:, 0]
    assert found.compute.tolist() == work.sum(axis=1).tolist()
    assert found.communication.tolist() == (under_way[:, 1] | under_way[:, 2]).sum(axis=1).tolist()
    assert found.exposed[:, 1].tolist() == (under_way[:, 1] & ~work).sum(axis=1).tolist()
    assert found.exposed[:, 2].tolist() == (under_way[:, 2] & ~under_way[:, 1] & ~work).sum(axis=1).tolist()
    assert found.idle == pytest.approx(line.makespan - under_way.any(axis=1).sum(axis=1))


def test_ready_times_of_nothing():
    assert ready_times(np.zeros(0), np.zeros(1, np.int64), np.zeros(0, np.int32)).tolist() == []


def test_the_real_ring_is_our_ring(real):
    ours = fabric.simulate("switch:n=8", "all-reduce", "1MiB", algorithm="ring", fidelity="fluid").time_us
    ring = fabric.trace("switch:n=8", real("chakra/custom_ring_allreduce-8-1MB"))
    called = fabric.trace("switch:n=8", real("chakra/all_reduce-8-1MB"), algorithm="ring")
    assert ring.makespan_s / US == pytest.approx(ours, rel=1e-12)
    assert called.makespan_s / US == pytest.approx(ours, rel=1e-12)
    steps = [s for s in ring.segments() if s["kind"] == "send"]
    assert len(steps) == 14 and ring.critical_parts["waiting"] < 1e-15  # 2 x 7 messages one after the other
    assert ring.times.exposed[:, 1] / US == pytest.approx([ours] * 8)


def test_the_real_tree_takes_five_messages(real):
    """Of 32 ranks, a byte each: a binomial tree is 5 deep; on this star a message is 1 us."""
    found = fabric.trace("switch:n=32,latency_ns=500", real("goal/binary_tree_32.goal"))
    assert found.makespan_s / US == pytest.approx(5, abs=0.01) and len(found.segments()) == 5
    assert found.critical_parts["latency"] / US == pytest.approx(5)


def test_collectives_have_the_prices_of_their_library(real):
    """Steady: what `simulate` says of the collective under the transport; fluid may reduce in switches."""
    spec = "rail:servers=2"
    steady = fabric.trace(spec, real("chakra/all_reduce-8-1MB"), fidelity="steady")
    asked = fabric.simulate(spec, "all-reduce", "1MiB", ranks="0-7")
    assert steady.makespan_s / US == pytest.approx(asked.time_us, rel=1e-12)
    assert steady.critical_parts["latency"] / US == pytest.approx(asked.latency_us, rel=1e-12)
    fluid = fabric.trace(spec, real("chakra/all_reduce-8-1MB"), algorithm="nvls")
    assert fluid.times.communication / US == pytest.approx([fluid.makespan_s / US] * 8)


@pytest.mark.parametrize(
    ("algorithm", "placement"),
    [("ring", "packed"), ("nvls", "packed"), ("auto", "packed"), ("ring", "striped"), ("auto", "striped")],
)
def test_groups_that_lie_alike_do_what_each_would_by_itself(algorithm, placement):
    """Four groups of four at once, each with flows of its own: what `simulate` makes of all of them."""
    made, spec = Program(16, "groups"), "rail:servers=2"
    for group in range(4):
        own = tuple(range(4 * group, 4 * group + 4))
        entry = [made.compute(rank, "in", 0.0) for rank in own]
        leave = [made.compute(rank, "out", 0.0, after=[entry[i]]) for i, rank in enumerate(own)]
        made.exchanges.append(Exchange("all-reduce", 2**20, entry, leave, own))
    ours = fabric.simulate(
        spec, "all-reduce", 2**20, group="tp=4,dp=4", over="tp", fidelity="fluid", algorithm=algorithm,
        placement=placement,
    )  # fmt: skip
    recorded = Recorded("groups", "chakra", 16, None, lambda size: made)
    found = trace(spec, recorded, algorithm=algorithm, placement=placement)
    assert found.makespan_s / US == pytest.approx(ours.time_us, rel=1e-12)


@pytest.mark.parametrize(
    ("spec", "options", "says"),
    [
        ("switch:n=2", {"fidelity": "flud"}, "did you mean 'fluid'"),
        ("switch:n=2", {"placement": "nowhere"}, "placement 'nowhere' is not one of"),
        ("switch:n=2", {"placement": ["acc-1"]}, "names 1 accelerators; by hand has 2 ranks"),
        ("switch:n=2", {"compute_scale": 0}, "no number above zero"),
        ("switch:n=2", {"compute_scale": "h100-sxn"}, "did you mean 'h100-sxm'"),
        ("switch:n=2", {"compute_scale": "h100-sxm"}, "which has no rate"),
        (FIVE[400], {"transport": "nccl"}, "raw rates"),
    ],
)
def test_what_no_trace_can_be(hand, spec, options, says):
    made = hand(2)
    made.compute(0, "c", US)
    made.send(0, "a", 1, 0, 8.0)
    made.receive(1, "a", 0, 0, 8.0)
    with pytest.raises(FabricError, match=says):
        fabric.trace(spec, hand(made), **options)


def test_a_trace_of_nothing(hand):
    made = hand(2)
    made.compute(0, "c", 0.0)
    with pytest.raises(ConfigError, match="takes no time"):
        fabric.trace("switch:n=2", hand(made))
