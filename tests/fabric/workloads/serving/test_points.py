"""The points of a curve: parts that add up, walls that bind, loads that are exact, rates over the whole fabric."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.workloads.comparing import workload
from fabric.workloads.inference import accelerator_of_fabric, infer
from fabric.workloads.models.zoo import model
from fabric.workloads.replicas import Load, best_replica
from fabric.workloads.rows import row_of
from fabric.workloads.serving.batching import Requests, serve
from fabric.workloads.serving.calibration import calibration
from fabric.workloads.serving.demands import Demands, demands
from fabric.workloads.serving.exchanges import exchanges, nothing
from fabric.workloads.serving.layout import Layout
from fabric.workloads.serving.phases import decode_step, prefill
from topologies.errors import ConfigError, InfeasibleError
from topologies.kinds import Accelerator
from topologies.parts import part
from topologies.registry import build

H100 = build("hgx-h100")
SEVENTY = model("llama-3.1-70b")


def requests(concurrency: float, inputs: float = 1024, outputs: float = 1024) -> Requests:
    zero, one = np.zeros(1), np.ones(1)
    return Requests(
        input_tokens=one * inputs, output_tokens=one * outputs, concurrency=one * concurrency, static=zero,
        lockstep=zero, apart=zero,
    )  # fmt: skip


def test_the_load_that_just_gives_users_their_speed() -> None:
    """One request more, and a user gets less than 30 tokens/s."""
    found = best_replica(H100, SEVENTY, accelerator_of_fabric(H100), "tp=4", Load(stack="vllm", floor=30))
    at = found.point.concurrency
    here, more = infer(H100, SEVENTY, Layout(tp=4), stack="vllm", concurrency=[at, at + 1]).points
    assert here.tokens_per_s_per_user >= 30 > more.tokens_per_s_per_user
    assert found.point == here
    assert found.point.users == 2 * at


def test_no_request_waits_at_the_best_load() -> None:
    found = best_replica(H100, SEVENTY, accelerator_of_fabric(H100), "tp=2", Load(stack="vllm"))
    # (80 GB x 0.9 - weights) / (1,536 tokens x 327,680 B / 2)
    room = 72e9 - found.inference.weights_gb * 1e9
    assert found.inference.batch_limit == room // (1536 * 327680 / 2)
    assert found.point.concurrency == found.point.running == found.inference.batch_limit
    assert found.point.wall == "memory capacity"
    assert found.point.first_token_s < 1


def test_shares_are_of_a_tokens_time() -> None:
    """The prefills of others are part of it; work and launches by their squares."""
    (point,) = infer(H100, SEVENTY, Layout(tp=2), stack="vllm", concurrency=[128]).points
    assert sum(point.shares.values()) == pytest.approx(1)
    d = demands(SEVENTY, part("h100-sxm", Accelerator), Layout(tp=2), "fp8", "bf16")
    c = calibration("hopper", "vllm", "fp8")
    alone = serve(d, c, exchanges(H100, SEVENTY, Layout(tp=2), own_reductions=True), requests(128))
    joined = float((alone.token_s - alone.step.time_s)[0])
    assert point.shares["prefill"] * point.token_s == pytest.approx(joined)
    step = alone.step
    beside = np.hypot(step.work_s + step.exchange_s, step.launch_s)
    assert float((beside + step.overhead_s)[0]) == pytest.approx(float(step.time_s[0]))


def test_latent_attention_over_a_long_context_is_bound_by_operations() -> None:
    """128 heads x (576 + 512) x 2 operations against 1,152 bytes a token and layer: 242 a byte, above what H100 has."""
    d = demands(model("deepseek-v3"), part("h100-sxm", Accelerator), Layout(dp=32, ep=32), "fp8", "bf16")
    step = decode_step(d, calibration("hopper", "vllm", "fp8"), nothing(), np.array([512.0]), np.array([65536.0]))
    assert step.arithmetic_s[0] > 0.75 * step.work_s[0]
    plain = demands(SEVENTY, part("h100-sxm", Accelerator), Layout(tp=8), "fp8", "bf16")
    step = decode_step(plain, calibration("hopper", "vllm", "fp8"), nothing(), np.array([8.0]), np.array([65536.0]))
    assert step.arithmetic_s[0] == 0


def test_halves_read_the_weights_twice() -> None:
    """What two micro-batches hide grows with the batch without a jump where operations begin to bind."""
    d = demands(SEVENTY, part("h100-sxm", Accelerator), Layout(tp=4), "fp8", "bf16")
    ex, c = exchanges(H100, SEVENTY, Layout(tp=4)), calibration("hopper", "vllm", "fp8")
    batch = np.arange(1.0, 2000.0)
    alike = Demands(**{name: np.repeat(getattr(d, name), len(batch)) for name in Demands.__slots__})
    one, two = (decode_step(alike, c, ex, batch, np.full(len(batch), 1500.0), halves) for halves in (1, 2))
    assert one.arithmetic_s[0] == 0 < one.arithmetic_s[-1]
    hidden = one.time_s - two.time_s
    assert hidden[0] == 0 < hidden[-1]
    assert np.abs(np.diff(hidden)).max() < 1e-4


def test_replicas_that_prefill_can_be_the_limit() -> None:
    found = infer(H100, SEVENTY, Layout(tp=2), stack="vllm", input_tokens=8192, prefill_replicas=1)
    most, least = found.points[-1], found.points[0]
    assert (most.wall, least.wall) == ("prefill", "memory bandwidth")
    prompts_per_s = most.tokens_per_s / 1024
    assert 1 / prompts_per_s == pytest.approx(found.prefill_s, rel=0.1)  # one replica, one prompt after the other


def test_attention_groups_prefill_together() -> None:
    """Eight groups: sixteen prompts a step take two rounds; a prompt in a thousand steps stalls all groups once."""
    d = demands(model("deepseek-v3"), part("b200-sxm", Accelerator), Layout(dp=8, ep=8), "nvfp4", "fp8")
    c = calibration("blackwell", "trtllm", "nvfp4")
    many, few = (serve(d, c, nothing(), requests(n, 1024, outputs)) for n, outputs in ((16 * 256 + 1, 256), (2, 1000)))
    whole, alone = (prefill(d, c, nothing(), np.array([n]), np.array([1024.0])) for n in (8.0, 1.0))
    assert many.running[0] == 16 * 256 + 1
    assert (many.token_s - many.step.time_s)[0] == pytest.approx(c.interleave * 2 * whole.marginal_s[0])
    assert (few.token_s - few.step.time_s)[0] == pytest.approx(c.interleave * alone.marginal_s[0] / 1000, rel=1e-3)
    assert many.round.marginal_s[0] == whole.marginal_s[0] < 8 * alone.marginal_s[0]


def test_idle_accelerators_count() -> None:
    """tp = 16 four times on 72."""
    rack = build("nvl72")
    found = infer(rack, SEVENTY, Layout(tp=16), stack="vllm", concurrency=[1])
    (point,) = found.points
    assert point.tokens_per_s_per_accelerator == pytest.approx(point.tokens_per_s / 72)
    assert "8 of 72 accelerators are in no replica: rates and watts count them" in found.estimates


def test_the_memory_wall_counts_caches() -> None:
    """Nine tenths of 80 GB are used where no further request fits."""
    (answer,) = workload([H100], SEVENTY, Load(stack="vllm"), layout="tp=2")
    wall = answer.walls["memory"]
    assert answer.serving.point.wall == "memory capacity"
    assert 71 < wall["value"] <= 72


def test_a_request_must_fit_beside_the_weights() -> None:
    """42 GB of weights in 4 bits and 128 Ki tokens x 327,680 B = 43 GB on a GPU of 80."""
    with pytest.raises(InfeasibleError, match=r"leaves no room on h100-sxm for the cache of one request, 42\.\d GB"):
        infer(H100, SEVENTY, Layout(), weights="nvfp4", input_tokens=130_000, output_tokens=1024)
    found = best_replica(
        H100, SEVENTY, accelerator_of_fabric(H100), "auto", Load(weights="nvfp4", input_tokens=130_000)
    )
    assert found.inference.layout.accelerators > 1
    with pytest.raises(ConfigError, match=r"exceed the 131,072 of llama-3\.1-70b"):
        workload([H100], SEVENTY, Load(input_tokens=131_072))


def test_formats_that_an_accelerator_lacks_are_said() -> None:
    (answer,) = workload([H100], SEVENTY, Load(weights="nvfp4", concurrency=8))
    assert any("no rate in nvfp4" in said for said in answer.said)


def test_wafers_take_turns() -> None:
    """Llama-3.1 8B on eight pipelines of one wafer: 32 streams, one a layer, are under way on each, the others wait."""
    load = Load(concurrency=800, stack="vllm")
    (answer,) = workload(["switch:n=8,accelerator=wse-3"], "llama-3.1-8b", load, layout="tp=2")
    assert "pipelines of devices that hold the weights have no layout, stack: left out" in answer.said
    point = answer.serving.point
    assert (point.running, point.users) == (32, 256)
    assert point.tokens_per_s == pytest.approx(256 * point.tokens_per_s_per_user)
    assert point.first_token_s > 2 * 1024 * point.token_s


def _more(d: Demands, field: str, factor: float) -> Demands:
    return Demands(**{name: getattr(d, name) * (factor if name == field else 1) for name in Demands.__slots__})


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["llama-3.1-8b", "gpt-oss-120b", "deepseek-v3"]),
    st.sampled_from(["memory_bytes_per_s", "peak_flops", "attention_flops", "memory_bytes"]),
    st.floats(1.01, 8), st.integers(1, 300), st.integers(1, 30_000),
)  # fmt: skip
def test_a_better_accelerator_never_serves_slower(name, field, factor, streams, tokens) -> None:
    d = demands(model(name), part("b200-sxm", Accelerator), Layout(dp=1, tp=8), "fp8", "bf16")
    c = calibration("blackwell", "vllm", "fp8")
    before, after = (serve(one, c, nothing(), requests(streams, tokens)) for one in (d, _more(d, field, factor)))
    assert after.tokens_per_s[0] >= before.tokens_per_s[0] * (1 - 1e-9)
    if field != "memory_bytes":  # more memory lets more run at once, each slower
        assert after.token_s[0] <= before.token_s[0] * (1 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(["llama-3.1-8b", "gpt-oss-120b", "deepseek-v3"]), st.booleans(), st.integers(1, 500),
    st.integers(1, 30_000),
)  # fmt: skip
def test_more_requests_never_give_fewer_tokens_and_longer_ones_are_never_faster(name, dp, streams, tokens) -> None:
    layout = Layout(tp=8) if not dp or name == "llama-3.1-8b" else Layout(dp=8, ep=8)
    d = demands(model(name), part("b200-sxm", Accelerator), layout, "fp8", "bf16")
    c = calibration("blackwell", "vllm", "fp8")
    one, more, longer = (
        serve(d, c, nothing(), asked)
        for asked in (requests(streams, tokens), requests(streams + 1, tokens), requests(streams, tokens * 1.5))
    )
    assert more.tokens_per_s[0] >= one.tokens_per_s[0] * (1 - 1e-9)
    assert longer.token_s[0] >= one.token_s[0] * (1 - 1e-9) or longer.running[0] < one.running[0]
    assert longer.tokens_per_s[0] <= one.tokens_per_s[0] * (1 + 1e-9)


@pytest.mark.parametrize(
    ("name", "asked", "layout"),
    [
        ("llama-3.1-70b", Load(stack="vllm", concurrency=64), "tp=16"),
        ("deepseek-v3", Load(stack="vllm", concurrency=64), "dp=16,ep=16"),
        ("llama-3.1-8b", "dp=16,batch=32,seq=4096,zero=3,recompute=full", "auto"),
        ("mixtral-8x7b", "ep=8,dp=16,batch=32,seq=4096,recompute=full", "auto"),
    ],
)
def test_faster_links_are_never_slower(name, asked, layout) -> None:
    rates = [workload([f"rail:servers=2,rate_gbps={gbps}"], name, asked, layout=layout)[0].rate for gbps in (100, 400)]
    assert rates[0] < rates[1]


def test_an_answer_is_plain_json() -> None:
    """No number that JSON has not, and the same text again."""
    for asked in (Load(stack="vllm"), "auto,batch=16,seq=4096"):
        rows = [row_of(answer, 1) for answer in workload(["hgx-h100", "mi300x-8"], "llama-3.1-8b", asked)]
        text = json.dumps(rows, allow_nan=False)
        again = [row_of(answer, 1) for answer in workload(["hgx-h100", "mi300x-8"], "llama-3.1-8b", asked)]
        assert json.dumps(again) == text
