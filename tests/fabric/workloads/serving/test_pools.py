"""Pools of replicas that prefill: blocks by hand, the balance by trying every size, served rates by its limits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.domains import blocks_beside, blocks_of
from fabric.workloads.inference import accelerator_of_fabric, infer, prompts_per_s
from fabric.workloads.models.zoo import model
from fabric.workloads.replicas import Load, best_replica, checked
from fabric.workloads.serving.layout import Layout
from fabric.workloads.serving.pools import balanced
from topologies.errors import ConfigError
from topologies.registry import build

RACK = build("nvl72")
PAIR = build("nvl72-x8")


def test_blocks_stay_whole_within_domains():
    """8 racks of 72 = 4 x 16 + 8: eight small blocks cost nothing, the ninth takes the place of a large one."""
    assert [blocks_beside(PAIR, 16, others, 8) for others in (0, 8, 9, 10, 11)] == [32, 32, 31, 31, 30]
    assert blocks_beside(PAIR, 144, 1, 72) == (576 - 72) // 144
    assert blocks_beside(PAIR, 16, 72, 8) == 0 and blocks_beside(PAIR, 16, 73, 8) == -1


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 72), other=st.integers(1, 72), others=st.integers(0, 80))
def test_blocks_beside_none_are_blocks_and_more_never_leave_more(size, other, others):
    assert blocks_beside(PAIR, size, 0, other) == blocks_of(PAIR, size)
    assert blocks_beside(PAIR, size, others + 1, other) <= blocks_beside(PAIR, size, others, other)


@settings(max_examples=60, deadline=None)
@given(size=st.sampled_from([1, 4, 8, 16, 32]), other=st.sampled_from([1, 2, 8, 16]), ratio=st.floats(0.01, 100))
def test_the_balance_is_the_best_of_all_sizes(size, other, ratio):
    def rate(count):
        return min(count * ratio, blocks_beside(PAIR, size, count, other) * 1.0)

    found = balanced(PAIR, Layout(tp=size), Layout(tp=other), ratio, 1.0)
    assert rate(found) == max(rate(count) for count in range(1, 576 // other + 1))


def test_pools_of_two_layouts():
    """Prompts at twice the rate are twice the tokens where prefill binds."""
    m, before = model("llama-3.1-70b"), Layout(tp=8)
    one, two = (
        infer(RACK, m, Layout(tp=4), stack="trtllm", input_tokens=32768, output_tokens=128, prefill_replicas=count,
              prefill_layout=before, concurrency=[512]) for count in (1, 2)
    )  # fmt: skip
    assert one.points[0].wall == "prefill" and (one.replicas, two.replicas) == (17, 16)
    assert two.points[0].tokens_per_s == pytest.approx(2 * one.points[0].tokens_per_s)
    prompts = prompts_per_s(RACK, m, before, stack="trtllm", input_tokens=32768)
    assert one.points[0].tokens_per_s == pytest.approx(128 * prompts)
    assert one.laid_out == "16 x tp=4, 1 x tp=8 to prefill, in fp8"


def test_auto_takes_pools_where_they_gain():
    """Attention groups that wait for one another's prompts gain most from prefill elsewhere; one group gains nothing
    from giving accelerators away."""
    m, row = model("deepseek-r1"), accelerator_of_fabric(RACK)
    apart, together = (
        best_replica(RACK, m, row, "dp=16,ep=16", Load(
            weights="nvfp4", stack="trtllm", floor=50, prefill_replicas=count, prefill_parallel=beside,
        )) for count, beside in (("auto", "auto"), (0, None))
    )  # fmt: skip
    assert apart.inference.prefill_layout is not None
    assert apart.point.tokens_per_s > 2 * together.point.tokens_per_s
    alone = best_replica(RACK, model("llama-3.1-8b"), row, "tp=1", Load(prefill_replicas="auto", output_tokens=4096))
    assert alone.inference.prefill_layout is None


def test_pools_that_cannot_be():
    row = accelerator_of_fabric(RACK)
    with pytest.raises(ConfigError, match="leave none of 72 accelerators"):
        best_replica(RACK, model("llama-3.1-8b"), row, "auto", Load(prefill_replicas=72))
    with pytest.raises(ConfigError, match="prefill replicas"):
        checked(Load(prefill_replicas="many"))


def test_the_best_load_beside_a_pool_does_not_queue():
    """Where prefill is the limit, the fewest users that fill it: one less is slower, and twice as many only wait."""
    m, layout, before = model("llama-3.1-70b"), Layout(tp=4), Layout(tp=8)
    load = Load(stack="trtllm", input_tokens=1024, output_tokens=512, prefill_replicas=1, prefill_parallel="tp=8")
    found = best_replica(RACK, m, accelerator_of_fabric(RACK), "tp=4", load)
    assert found.point.wall == "prefill" and found.point.first_token_s < 2.0

    def at(users):
        return infer(RACK, m, layout, stack="trtllm", input_tokens=1024, output_tokens=512, prefill_replicas=1,
                     prefill_layout=before, concurrency=[users]).points[0]  # fmt: skip

    fewest = found.point.concurrency
    assert fewest > 2
    assert at(fewest - 1).tokens_per_s < found.point.tokens_per_s == at(2 * fewest).tokens_per_s
    twice = at(2 * fewest)
    waiting = twice.tokens_per_s / 512 * (twice.first_token_s + 511 * twice.token_s)  # Little's law
    assert waiting == pytest.approx(2 * fewest * 16)


def test_no_requests_are_no_load():
    with pytest.raises(ConfigError, match="concurrency"):
        infer(RACK, model("llama-3.1-8b"), Layout(), concurrency=[0, 1])
