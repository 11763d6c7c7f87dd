"""Messages of any algorithm as thread blocks: what arrives, in which time, and in how many blocks."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from fabric.algorithms import ALGORITHMS
from fabric.algorithms.draft import Draft
from fabric.algorithms.schedule import Schedule
from fabric.algorithms.unrolling import unroll
from fabric.collectives import collective
from fabric.fluid import fluid_completion
from fabric.schedules.causes import in_order
from fabric.schedules.delivery import check_delivery
from fabric.schedules.msccl import Place, program
from fabric.schedules.msccl_writing import algorithm_of
from fabric.schedules.places import runs
from topologies.errors import InfeasibleError


def all_reduce_over(parents, parts, chunks):
    """Sums go up a tree and come down."""
    n = len(parents)
    draft = Draft("tree", n, parts, 4 * n, chunks)
    whole = np.arange(parts)[None]
    up = np.full(n, -1)
    for rank in range(n - 1, 0, -1):
        children = np.flatnonzero(np.array(parents) == rank)
        ready = draft.arrived(up[children], np.full(len(children), rank)) if len(children) else np.full(n, -1)
        up[rank] = draft.send([rank], [parents[rank]], 1.0, lambda: whole, reduces=True, after=[ready[[rank]]])[0]
    top = np.flatnonzero(np.array(parents) == 0)
    top = top[top > 0]
    came = draft.arrived(up[top], np.zeros(len(top), np.int64))
    for rank in range(1, n):
        sent = draft.send([parents[rank]], [rank], 1.0, lambda: whole, after=[came[[parents[rank]]]])
        came[rank] = sent[0]
    return draft.messages()


@settings(max_examples=25, deadline=None)
@given(data=st.data(), n=st.integers(2, 7), parts=st.integers(1, 3), chunks=st.integers(1, 3))
def test_any_tree_delivers_and_takes_the_time_of_its_messages(data, n, parts, chunks):
    parents = [0] + [data.draw(st.integers(0, rank - 1)) for rank in range(1, n)]
    schedule = Schedule("tree", f"chunked:{chunks}", (), None, lambda k: all_reduce_over(parents, parts, k))
    made = algorithm_of(schedule, collective("all-reduce", n))
    check_delivery(made)
    star = fabric.build(f"switch:n={n}")
    ours = fluid_completion(star, unroll(schedule, 1e6, chunks)).makespan
    assert fluid_completion(star, program(made, 1e6).flows()).makespan == pytest.approx(ours, rel=1e-9)


def doubling(n):
    """Recursive doubling: all that two ranks have is exchanged and added at once, each step with another partner."""
    draft, ranks, ready = Draft("doubling", n, 1, n * n), np.arange(n), []
    step = 1
    while step < n:
        sent = draft.send(ranks, ranks ^ step, 1.0, lambda: np.zeros((n, 1), np.int64), reduces=True, after=ready)
        ready = [sent[ranks ^ step], *ready]
        step *= 2
    return draft.messages()


def test_what_comes_while_the_old_is_sent_goes_beside_it():
    """A rank adds into scratch memory what arrives while it sends, and ends with the sum at its place."""
    schedule = Schedule("doubling", "phased", (), None, lambda chunks: doubling(8))
    made = algorithm_of(schedule, collective("all-reduce", 8))
    check_delivery(made)
    for gpu in made.gpus:
        assert 1 <= gpu.chunks[2] <= 2
        steps = [step for block in gpu.blocks for step in block.steps]
        assert [step.target.buffer for step in steps if step.kind == "rrc"].count("i") == 1


def test_ring_takes_two_thread_blocks_a_rank_and_no_scratch():
    pattern = collective("all-reduce", 8)
    made = algorithm_of(ALGORITHMS["ring"](fabric.build("switch:n=8"), pattern), pattern)
    for gpu in made.gpus:
        assert gpu.chunks[2] == 0 and len(gpu.blocks) == 2
        assert {(block.send, block.receive) for block in gpu.blocks} == {
            ((gpu.number + 1) % 8, (gpu.number - 1) % 8), ((gpu.number - 1) % 8, (gpu.number + 1) % 8)
        }  # fmt: skip
        assert all(len(block.steps) == 28 and block.channel == 0 for block in gpu.blocks)


def test_no_two_blocks_share_a_peer_on_a_channel():
    pattern = collective("all-reduce", 16)
    for name in ("direct", "hierarchical", "ring"):
        made = algorithm_of(ALGORITHMS[name](fabric.build("rail:servers=4,gpus=4"), pattern), pattern)
        for gpu in made.gpus:
            sends = [(b.send, b.channel) for b in gpu.blocks if b.send >= 0]
            receives = [(b.receive, b.channel) for b in gpu.blocks if b.receive >= 0]
            assert len(sends) == len(set(sends)) and len(receives) == len(set(receives))


def test_no_gpu_has_more_peers_on_a_channel_than_the_interpreter_takes():
    pattern = collective("all-gather", 40)
    made = algorithm_of(ALGORITHMS["direct"](fabric.build("switch:n=40"), pattern), pattern)
    for gpu in made.gpus:
        for side in ("send", "receive"):
            peers = Counter(block.channel for block in gpu.blocks if getattr(block, side) >= 0)
            assert sorted(peers.values()) == [7, 32] and set(peers) == {0, 1}


def refused(change, match):
    pattern = collective("all-gather", 4)
    messages = ALGORITHMS["ring"](fabric.build("switch:n=4"), pattern).messages(1)
    schedule = Schedule("odd", "phased", (), None, lambda chunks: change(messages))
    with pytest.raises(InfeasibleError, match=match):
        algorithm_of(schedule, pattern)


def test_what_no_step_says():
    refused(lambda m: replace(m, target=m.target + 1), "odd lets switches reduce or multicast")
    refused(lambda m: replace(m, amount=m.amount * 1.5), "does not cut its data into equal chunks")
    nothing = np.zeros(0, np.int32)
    refused(lambda m: replace(m, pred_ptr=0 * m.pred_ptr, pred=nothing), "which it does not have")
    with pytest.raises(InfeasibleError, match="no exact messages"):
        algorithm_of(Schedule("odd", "phased", ()), collective("all-gather", 4))


def test_order_and_runs():
    with pytest.raises(InfeasibleError, match="wait for each other"):
        in_order([0, 0], [(0, 1), (1, 0)], 2)
    rows = [(Place("i", 0), Place("o", 4)), (Place("i", 1), Place("o", 5)), (Place("i", 2), Place("o", 7))]
    assert runs(rows) == [(rows[0], 2), (rows[2], 1)]
