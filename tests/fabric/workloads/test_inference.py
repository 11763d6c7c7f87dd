"""Inference: arithmetic of its walls by hand, steps that grow as they must, curves of whole fabrics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.workloads.inference import infer
from fabric.workloads.models.zoo import model
from fabric.workloads.serving.batching import Requests, serve
from fabric.workloads.serving.calibration import calibration
from fabric.workloads.serving.decode_bound import decode_bound
from fabric.workloads.serving.demands import demands
from fabric.workloads.serving.exchanges import exchanges, nothing, priced
from fabric.workloads.serving.layout import Layout, read_layout
from fabric.workloads.serving.memory_wall import batch_limit, weights_bytes
from fabric.workloads.serving.phases import decode_step, prefill, touched_experts
from topologies.errors import ConfigError, InfeasibleError
from topologies.kinds import Accelerator
from topologies.parts import part
from topologies.registry import build

H100 = "h100-sxm"


def of(name: str, accelerator: str = H100, layout: Layout | None = None, weights: str = "bf16", cache: str = "bf16"):
    return demands(model(name), part(accelerator, Accelerator), layout or Layout(), weights, cache)


def requests(concurrency: float, inputs: float = 1024, outputs: float = 1024, static: int = 0) -> Requests:
    one = np.ones(1)
    return Requests(
        input_tokens=one * inputs, output_tokens=one * outputs, concurrency=one * concurrency, static=one * static,
        lockstep=one * 0, apart=one * 0,
    )  # fmt: skip


def test_deepseek_decode_bound_is_the_published_arithmetic() -> None:
    bound = decode_bound(61, 7000, 9, 32, 50e9)
    assert bound.layer_s == pytest.approx(120.96e-6, rel=1e-12)  # 3 B x 32 x 9 x 7000 / 50 GB/s
    assert bound.step_s == pytest.approx(14.75712e-3, rel=1e-12)  # 2 x 61 layers
    assert int(bound.tokens_per_s) == 67
    rack = decode_bound(61, 7000, 9, 32, 900e9)  # the same over NVL72: 6.72 us
    assert rack.layer_s == pytest.approx(6.72e-6, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "cache", "bytes_"),
    [
        ("deepseek-v3", "bf16", 61 * (512 + 64) * 2), ("llama-3.1-405b", "bf16", 126 * 2 * 8 * 128 * 2),
        ("llama-2-7b", "bf16", 32 * 2 * 32 * 128 * 2), ("llama-3.1-8b", "fp8", 32 * 2 * 8 * 128),
        ("qwen3-32b", "bf16", 64 * 2 * 8 * 128 * 2),
    ],
)  # fmt: skip
def test_cache_of_a_token_is_exact(name: str, cache: str, bytes_: int) -> None:
    assert of(name, cache=cache).cache_bytes[0] == bytes_


def test_weights_that_a_shard_holds() -> None:
    d = of("llama-3.1-70b", layout=Layout(tp=8))
    assert weights_bytes(d)[0] == pytest.approx(70_553_706_496 * 2 / 8, rel=1e-9)
    moe = of("deepseek-v3", "h200-sxm", Layout(dp=8, ep=8), "fp8")
    m = model("deepseek-v3")
    assert weights_bytes(moe)[0] >= m.routed_params / 8 + m.dense_params  # attention copied to each group


def test_batch_limit_by_hand() -> None:
    # 0.9 x 80 GB - 16.06 GB over 2,048 tokens of 131,072 B
    assert batch_limit(of("llama-3.1-8b"), np.array([2048.0]), 0.9)[0] == (72e9 - 8_030_261_248 * 2) // (2048 * 131072)
    assert batch_limit(of("llama-3.1-405b"), np.array([2048.0]), 0.9)[0] == 0


def test_a_token_touches_its_experts_and_many_tokens_all() -> None:
    d, c = of("deepseek-v3", "h200-sxm", Layout(tp=8), "fp8"), calibration("hopper", "sglang", "fp8")
    assert touched_experts(d, c, np.array([1.0]))[0] == pytest.approx(8)
    assert touched_experts(d, c, np.array([1e5]))[0] == pytest.approx(256)
    two = 256 * (1 - (1 - 8 / 256) ** 2)  # by inclusion and exclusion: 16 - 8 x 8 / 256
    assert touched_experts(d, c, np.array([2.0]))[0] == pytest.approx(two) == pytest.approx(16 - 64 / 256)


def test_a_step_reads_the_weights_once() -> None:
    d, c = of("llama-3.1-8b"), calibration("hopper", "vllm", "bf16")
    step = decode_step(d, c, nothing(), np.array([1.0]), np.array([1.0]))
    read = (8_030_261_248 - 128_256 * 4096) * 2
    assert step.weights_s[0] == pytest.approx(read / (3.35e12 * c.memory_share), rel=1e-3)
    assert step.time_s[0] > step.weights_s[0]
    assert step.exchange_s[0] == 0


@settings(max_examples=25, deadline=None)
@given(st.floats(1, 512), st.floats(1.1, 4), st.sampled_from(["llama-3.1-70b", "qwen3-235b-a22b", "gpt-oss-120b"]))
def test_steps_grow_with_requests_and_context(batch: float, more: float, name: str) -> None:
    d, c = of(name, "h200-sxm", Layout(tp=4), "fp8"), calibration("hopper", "vllm", "fp8")
    ex = priced("hgx-h200", model(name), Layout(tp=4))

    def step(b: float, context: float) -> float:
        return float(decode_step(d, c, ex, np.array([b]), np.array([context])).time_s[0])

    assert step(batch * more, 1000) > step(batch, 1000)
    assert step(batch, 1000 * more) > step(batch, 1000)
    first, longer = (prefill(d, c, ex, np.ones(1), np.array([t])).time_s[0] for t in (1000.0, 1000 * more))
    assert longer > first


@settings(max_examples=25, deadline=None)
@given(st.floats(1, 2048))
def test_two_micro_batches_never_lose(batch: float) -> None:
    layout = Layout(dp=8, ep=8)
    d, c = of("deepseek-v3", "b200-sxm", layout, "fp8"), calibration("blackwell", "sglang", "fp8")
    ex = priced("hgx-b200", model("deepseek-v3"), layout)
    one, two = (decode_step(d, c, ex, np.array([batch]), np.array([2000.0]), k).time_s[0] for k in (1, 2))
    assert two <= one


def test_exchanges_read_off_what_the_fabric_prices() -> None:
    from fabric.simulation import simulate

    ex = exchanges(build("hgx-h100"), model("llama-3.1-70b"), Layout(tp=8))
    for size in (4096, 1 << 20, 1 << 25):  # points of the table
        assert ex.all_reduce_s(np.array([float(size)]))[0] * 1e6 == pytest.approx(
            simulate("hgx-h100", "all-reduce", size).time_us, rel=1e-9
        )


def test_what_does_not_fit_waits() -> None:
    d, c = of("llama-3.1-8b"), calibration("hopper", "vllm", "bf16")
    found = serve(d, c, nothing(), requests(4096, 8192, 1024))
    assert found.running[0] == found.fits[0] == (72e9 - 8_030_261_248 * 2) // ((8192 + 512) * 131072)
    assert found.first_token_s[0] > 10 * serve(d, c, nothing(), requests(16, 8192, 1024)).first_token_s[0]


def test_static_batches_take_their_span() -> None:
    d, c = of("llama-3.1-8b"), calibration("hopper", "trtllm-2023", "bf16")
    found = serve(d, c, nothing(), requests(16, 128, 128, static=1))
    span = found.first_token_s + 127 * found.token_s
    assert found.tokens_per_s[0] == pytest.approx(16 * 128 / span[0])


def test_chunks_shorten_the_longest_wait_and_delay_the_first_token() -> None:
    d, c = of("llama-3.1-8b"), calibration("hopper", "vllm", "bf16")
    whole = serve(d, c, nothing(), requests(16, 8192, 512))
    chunked = serve(d, c, nothing(), requests(16, 8192, 512), chunk_tokens=512)
    assert chunked.worst_token_s[0] < whole.worst_token_s[0]
    assert chunked.first_token_s[0] > whole.first_token_s[0]
    assert chunked.token_s[0] == whole.token_s[0]


def test_a_curve_trades_users_speed_for_rate() -> None:
    found = infer(build("hgx-h100"), model("llama-3.1-70b"), Layout(tp=8), stack="vllm")
    speed = [p.tokens_per_s_per_user for p in found.points]
    rate = [p.tokens_per_s_per_accelerator for p in found.points]
    assert speed == sorted(speed, reverse=True)
    assert rate == sorted(rate)
    assert found.points[-1].wall == "memory capacity"
    assert all(sum(p.shares.values()) == pytest.approx(1) for p in found.points)
    facility, rack = found.points[3].tokens_per_j_facility, found.points[3].tokens_per_j_rack
    assert facility is not None
    assert rack == pytest.approx(1.15 * facility)


def test_apart_sends_the_cache_over_the_fabric() -> None:
    m, layout = model("llama-3.1-8b"), Layout()
    found = infer(build("hgx-h100"), m, layout, weights="bf16", prefill_replicas=4, concurrency=[8])
    assert found.transfer_s == pytest.approx(1024 * 131072 / 450e9, rel=0.02)
    together = infer(build("hgx-h100"), m, layout, weights="bf16", concurrency=[8])
    assert found.points[0].token_s < together.points[0].token_s


def test_a_stack_that_is_not_given_widens_the_interval() -> None:
    told, untold = (
        infer(build("hgx-h100"), model("llama-3.1-8b"), Layout(), stack=s, concurrency=[1]) for s in ("vllm", None)
    )
    assert untold.points[0].token_s == told.points[0].token_s
    assert untold.points[0].token_high_s > told.points[0].token_high_s
    assert any("stack not given" in said for said in untold.estimates)


def test_refusals_say_what_would_do() -> None:
    with pytest.raises(InfeasibleError, match="give more shards"):
        infer(build("hgx-h100"), model("llama-3.1-405b"), Layout(tp=4), weights="bf16")
    with pytest.raises(ConfigError, match="did you mean 'vllm'"):
        calibration("hopper", "vlm")
    with pytest.raises(ConfigError, match="heads; give less"):
        of("gpt-j-6b", layout=Layout(tp=32))
    with pytest.raises(ConfigError, match="does not divide"):
        Layout(tp=8, ep=3)
    for bad in ("tp", "tp=0x1", "xp=1", "tp=1,tp=2"):
        with pytest.raises(ConfigError, match="is not one of tp, pp, ep, dp"):
            read_layout(bad)


def test_own_reductions_stay_within_a_domain() -> None:
    """A stack's own kernels take no longer than the library inside a server; across servers the library is left."""
    from fabric.workloads.serving.exchanges import OWN, exchanges

    sizes = np.array([2.0, 16384.0, 2.0**20])
    inside, beyond = Layout(tp=8), Layout(tp=16)
    m, server, pod = model("llama-3.1-70b"), build("hgx-h100"), build("rail:servers=2,gpus=8")
    own, library = (exchanges(server, m, inside, own_reductions=flag) for flag in (True, False))
    assert (own.all_reduce_s(sizes) < library.all_reduce_s(sizes)).all()
    assert OWN in own.said
    far, near = (exchanges(pod, m, beyond, own_reductions=flag) for flag in (True, False))
    assert (far.all_reduce_s(sizes) == near.all_reduce_s(sizes)).all()


def test_cores_hold_whole_heads() -> None:
    """Mistral's 8 key heads on 12 chips of 2 cores: each core holds one, so a chip reads a quarter of the cache; 40
    heads of Llama-2 13B on 24 cores: two each."""
    assert of("mistral-7b", "inferentia2", Layout(tp=12)).cache_ranks[0] == 4
    assert of("llama-2-13b", "inferentia2", Layout(tp=12)).cache_ranks[0] == 10
    assert of("llama-2-13b", "h100-sxm", Layout(tp=8)).cache_ranks[0] == 8


def test_kernels_that_read_by_head_read_grouped_keys_again() -> None:
    """Llama-2 70B has 64 query heads on 8 key heads; Llama-2 7B has one each."""
    row, context = part("h100-sxm", Accelerator), np.array([1000.0])
    for name, times in (("llama-2-70b", 8), ("llama-2-7b", 1)):
        once, each = (demands(model(name), row, Layout(tp=4), by_head=flag) for flag in (False, True))
        assert each.read_bytes(context)[0] == pytest.approx(times * once.read_bytes(context)[0])
        assert each.kept_bytes(context)[0] == once.kept_bytes(context)[0]


def test_an_attention_group_schedules_its_own_requests() -> None:
    """Eight groups with a thousand requests each have the overhead of one with a thousand."""
    c = calibration("hopper", "sglang", "fp8")
    spread, one = (of("deepseek-v3", "h200-sxm", layout, "fp8") for layout in (Layout(dp=8, ep=8), Layout(tp=8)))
    overheads = [
        float(decode_step(d, c, nothing(), np.array([load]), np.array([100.0])).overhead_s[0])
        for d, load in ((spread, 8000.0), (one, 1000.0))
    ]
    assert overheads[0] == pytest.approx(overheads[1])
