"""Training steps: bytes by dimension, memory and time against published tables, and what must hold of any step."""

import json
from dataclasses import replace
from math import fsum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.workloads.models.zoo import model
from fabric.workloads.steps.achieved import achieved
from fabric.workloads.steps.compute import Compute, amounts
from fabric.workloads.steps.memory import activation_bytes, kept_per_token, memory
from fabric.workloads.steps.mix import mix
from fabric.workloads.steps.parallel import Parallel, parse_parallel
from fabric.workloads.steps.pipelining import bubble_s
from fabric.workloads.steps.wiring import spread
from fabric.workloads.training import TrainingStep, timeline, train
from topologies.errors import ConfigError, InfeasibleError

EXAMPLES = Path(__file__).parents[3] / "examples"
A100 = "server:servers={},gpus=8,nics=8,rate_gbps=200,switch=qm8700,nic=cx6-200g,accelerator=a100-80gb,"
A100 += "scaleup_switch=nvswitch2,scaleup_switches=6,scaleup_cable=nvlink3-board"
# Korthikanti et al., arXiv:2205.05198, tables 3 and 5: pp, v, batch, micro-batch, accelerators, seconds
TABLE_5 = {
    "megatron-22b": (1, 1, 4, 4, 8, 1.42, 1.10), "gpt3-175b": (8, 3, 64, 1, 64, 18.13, 13.75),
    "megatron-530b": (35, 3, 280, 1, 280, 49.05, 37.83), "megatron-1t": (64, 1, 512, 1, 512, 94.42, 71.49),
}  # fmt: skip
# GB that a rank sends in a step, worked out from layers, widths and counts
MIX = [
    ("gpt3-175b", 64, "tp=8,pp=8,batch=64,seq=2048", {"tp": 270.6, "pp": 0.81}),
    ("llama-3-70b", 64, "tp=4,pp=8,batch=256,seq=8192", {"tp": 1030.8, "pp": 8.6, "dp": 4.3}),
    ("llama-3.1-405b", 1024, "tp=8,pp=8,cp=2,batch=1536,seq=8192", {"tp": 2841, "pp": 6.4, "dp": 23.5, "cp": 19.0}),
    ("llama-3.1-405b", 256, "tp=4,pp=16,batch=1536,seq=8192", {"tp": 4870, "pp": 51.5, "dp": 18.8}),
    ("deepseek-v3", 256, "pp=4,ep=64,batch=4096,seq=4096", {"pp": 7.5, "dp": 14.9, "ep": 1716.5}),
]


@pytest.mark.parametrize(("name", "accelerators", "layout", "expected"), MIX)
def test_bytes_by_dimension(name: str, accelerators: int, layout: str, expected: dict[str, float]) -> None:
    made = mix(model(name), parse_parallel(layout).on(accelerators, model(name)))
    sent = {dimension: fsum(e.sent_bytes for e in made if e.dimension == dimension) for dimension in expected}
    assert {e.dimension for e in made} == set(expected)
    assert sent == {key: pytest.approx(value * 1e9, rel=0.01) for key, value in expected.items()}


@pytest.mark.parametrize("name", TABLE_5)
@pytest.mark.parametrize("how", ["recompute=full,sp=false", "recompute=selective"])
def test_iteration_times_of_megatron(name: str, how: str) -> None:
    pp, v, batch, micro, n, full_s, selective_s = TABLE_5[name]
    spec = "hgx-a100" if n == 8 else A100.format(n // 8)
    layout = f"tp=8,pp={pp},v={v},batch={batch},mbs={micro},seq=2048,zero=0,fused=false,precision=fp16,{how}"
    found = train(spec, name, layout)
    assert found.step_s == pytest.approx(full_s if "full" in how else selective_s, rel=0.1)
    assert found.fits


def test_zero3_by_hand() -> None:
    """FSDP over 16 ranks: every rank gathers the layers' weights twice and scatters their gradients once."""
    m = model("llama-3-8b")
    p = parse_parallel("zero=3,batch=16,seq=8192,kept=true").on(16, m)
    layers = m.params - 2 * m.vocab * m.hidden
    assert fsum(e.sent_bytes for e in mix(m, p)) == pytest.approx(15 / 16 * 3 * 2 * layers)
    again = replace(p, kept=False, global_batch=64)  # four micro-batches, gathered for each
    assert fsum(e.sent_bytes for e in mix(m, again)) == pytest.approx(4 * 15 / 16 * 3 * 2 * layers)


def test_zero3_in_a_pipeline_by_hand() -> None:
    """A stage of 4 gathers its eight layers over dp = 4: a quarter of the layers' weights, four micro-batches in turn;
    kept, they are gathered once, and stay whole in memory."""
    m = model("llama-3-8b")
    p = parse_parallel("zero=3,pp=4,batch=16,seq=8192").on(16, m)
    layers = m.params - 2 * m.vocab * m.hidden
    sent = [
        fsum(e.sent_bytes for e in mix(m, replace(p, kept=kept)) if e.dimension == "dp") for kept in (False, True)
    ]
    assert sent == [pytest.approx(times * 3 / 4 * 3 * 2 * layers / 4) for times in (4, 1)]
    assert memory(m, replace(p, kept=True)).weights == pytest.approx(memory(m, p).weights / (2 / 8 + 1 / 4))


def test_copies_by_hand() -> None:
    """Two copies of 8 ranks each: a copy reduces inside it, then a rank its eighth of the gradients with its twin."""
    m = model("llama-3-8b")
    p = parse_parallel("zero=3,kept=true,copies=2,batch=16,seq=8192").on(16, m)
    layers = m.params - 2 * m.vocab * m.hidden
    inside, across = mix(m, p)
    assert (inside.ranks, across.ranks, across.over) == (8, 2, "copies")
    assert inside.sent_bytes == pytest.approx(7 / 8 * 3 * 2 * layers)
    assert across.sent_bytes == pytest.approx(2 * layers / 8)
    assert spread(across) == (8, 2)
    assert memory(m, p).optimizer == pytest.approx(12 * m.params / 8)


def test_slices_over_a_data_centre_network_by_hand() -> None:
    """Two slices of 64 TPU v5p, a copy each: gathers stay on the tori; then every chip exchanges its 32nd part of the
    gradients of 32 B with its twin at 50 Gb/s."""
    m = model("maxtext-32b")
    layout = "zero=3,kept=true,tp=4,mbs=14,copies=2,batch=448,seq=2048"
    found = train(EXAMPLES / "v5p-slices.toml", m, layout, transport="ideal")
    _, inside, across = found.exchanges
    layers = m.params - (1 if m.tied else 2) * m.vocab * m.hidden
    size = 2 * layers / 4 / 16
    assert (inside.exchange.ranks, across.exchange.ranks) == (16, 2)
    assert across.exchange.size_bytes == pytest.approx(size, rel=1e-3)
    assert across.one_s == pytest.approx(size / 6.25e9, rel=0.01)
    one = train("torus:dims=4x4x8,accelerator=tpu-v5p,rate_gbps=800", m, layout.replace("copies=2,", ""))
    assert one.step_s < found.step_s < 1.2 * one.step_s  # MaxText loses 2 to 9 % of its rate to a second slice


def test_dualpipe_holds_two_stages() -> None:
    """Twice the weights and gradients, 9 micro-batches in flight in place of 8: arXiv:2412.19437, table 2."""
    m = model("deepseek-v3")
    p = parse_parallel("pp=8,ep=8,batch=256,seq=4096").on(64, m)
    one, two = memory(m, p), memory(m, replace(p, schedule="dualpipe"))
    assert (two.weights, two.gradients, two.optimizer) == (2 * one.weights, 2 * one.gradients, one.optimizer)
    assert two.activations / one.activations == pytest.approx(9 / 8)
    sent = [fsum(e.sent_bytes for e in mix(m, q) if e.dimension == "dp") for q in (p, replace(p, schedule="dualpipe"))]
    assert sent[1] == pytest.approx(2 * sent[0])


def test_a_head_for_a_further_token_is_a_layer_and_an_output_layer() -> None:
    m = model("llama-3-70b")
    p = parse_parallel("batch=8,seq=8192").on(8, m)
    one, more = amounts(m, p), amounts(m, replace(p, mtp=1))
    assert more.gemm / one.gemm == pytest.approx(81 / 80)
    assert more.head == 2 * one.head
    assert (amounts(m, replace(p, graphs=True)).layers, one.layers) == (0, 80)


def test_what_is_frozen_or_computed_again_is_launched_so_often() -> None:
    """Forward, backward, gradients of weights: two of three with frozen weights, four with all computed again."""
    m = model("llama-3-8b")
    p = parse_parallel("batch=8,seq=8192").on(8, m)
    plain, frozen, again = (amounts(m, q) for q in (p, replace(p, adapters=True), replace(p, recompute="full")))
    for key in ("layers", "vector_bytes"):
        assert getattr(frozen, key) == pytest.approx(2 / 3 * getattr(plain, key))
        assert getattr(again, key) == pytest.approx(4 / 3 * getattr(plain, key))


def test_activations_are_those_of_the_paper() -> None:
    """sbh(34 + 5as/h) a layer without parallelism, 34 sbh/t with all of it and selective recomputation."""
    m = model("megatron-530b")
    s, h, heads = 2048, 20480, 128
    plain = Parallel(sequence=s, sp=False, fused=False)
    assert kept_per_token(m, plain) / m.layers == pytest.approx(h * (34 + 5 * heads * s / h))
    tensor = replace(plain, tp=8)
    assert kept_per_token(m, tensor) / m.layers == pytest.approx(h * (10 + 24 / 8 + 5 * heads * s / (h * 8)))
    assert kept_per_token(m, replace(tensor, sp=True, recompute="selective")) / m.layers == pytest.approx(h * 34 / 8)
    assert kept_per_token(m, replace(tensor, recompute="full")) / m.layers == 2 * h


def test_interleaving_keeps_more_activations() -> None:
    """L (1 + (p - 1)/(p v)) layers' worth on the first stage: Korthikanti et al., equation 6 and section 4.2.3."""
    m = model("gpt3-175b")
    p = Parallel(tp=8, pp=8, global_batch=64, sequence=2048)
    one, three = activation_bytes(m, p), activation_bytes(m, replace(p, v=3))
    assert three / one == pytest.approx(1 + 7 / (8 * 3))


def test_zero_shards_state_by_state() -> None:
    m, p = model("llama-3-8b"), Parallel(dp=8, global_batch=8, sequence=2048)
    found = [memory(m, replace(p, zero=zero)) for zero in range(4)]
    params = m.params
    assert [f.optimizer for f in found] == [12 * params, *[12 * params / 8] * 3]
    assert [f.gradients for f in found] == [2 * params] * 2 + [2 * params / 8] * 2
    assert [f.weights for f in found] == [2 * params] * 3 + [2 * params * (1 / 8 + 2 / m.layers)]  # two layers whole


def test_operations_are_those_of_the_model() -> None:
    m = model("llama-3-70b")
    p = parse_parallel("tp=4,pp=8,batch=256,seq=8192").on(64, m)
    work = amounts(m, p)
    assert (work.gemm + work.head + work.attention) * p.tp * p.pp / 8192 == pytest.approx(m.train_flops(8192))
    full = amounts(m, replace(p, recompute="full"))
    assert full.gemm == pytest.approx(4 / 3 * work.gemm)
    lora = amounts(m, replace(p, adapters=True))
    assert lora.gemm == pytest.approx(2 / 3 * work.gemm)


@pytest.fixture(scope="module")
def step() -> TrainingStep:
    return train("dgx-h100-superpod-256", "llama-3-70b", "tp=8,pp=4,v=5,batch=512,seq=8192,precision=fp8")


def test_a_step_adds_up(step: TrainingStep) -> None:
    assert step.step_s == pytest.approx(step.compute_s + step.bubble_s + fsum(step.exposed_s.values()))
    assert step.tokens_per_s * step.step_s == pytest.approx(512 * 8192)
    assert all(step.exposed_s[key] <= step.wire_s[key] + 1e-9 for key in ("tp", "cp", "ep", "dp"))
    assert step.network_share is not None
    assert 0 < step.network_share < 1
    assert step.tokens_per_joule is not None
    assert step.tokens_per_joule_network is not None
    assert step.tokens_per_joule_network > step.tokens_per_joule


def test_a_document_is_json(step: TrainingStep) -> None:
    told = json.loads(json.dumps(step.document()))
    assert told["parallel"]["dp"] == 8
    assert told["step_s"] == step.step_s
    assert [e["dimension"] for e in told["exchanges"]] == ["tp", "dp", "pp"]


def test_utilisation_by_hand(step: TrainingStep) -> None:
    flops = 512 * 8192 * model("llama-3-70b").train_flops(8192)
    assert step.mfu == pytest.approx(flops / step.step_s / (256 * 1979e12))
    assert 0.3 < step.mfu < 0.5


def test_energy_of_16384_by_hand() -> None:
    """Llama 3.1 405B on 2,048 DGX H100. Network: 16,384 adapters of 25 W, 49,152 modules of 17 W, 1,280 switches of
    747 W, 8,192 NVSwitches of 120 W, 16,384 x 18 x 200 Gb/s of NVLink at 4.5 pJ/bit. Site: 512 racks of 30 kW, what of
    the network is outside them, and 15 % for cooling. Meta's own run: 15.6e12 tokens in 30.84 million GPU hours, which
    at the 1.2 kW of a GPU's share of the site is 0.117 tokens a joule, stops and long contexts included
    (arXiv:2407.21783, section 3.3; model card)."""
    found = train("dgx-h100-superpod-256:servers=2048,tiers=3", "llama-3.1-405b", "tp=8,pp=16,v=8,batch=2048,seq=8192")
    outside = 49_152 * 17 + 1_280 * 747
    inside = 16_384 * 25 + 8_192 * 120 + 16_384 * 18 * 200e9 * 4.5e-12
    site = (512 * 30e3 + outside) * 1.15
    assert found.network_power_w == pytest.approx(outside + inside, rel=0.01)
    assert found.facility_power_w == pytest.approx(site, rel=0.01)
    assert found.network_share == pytest.approx((outside + inside) / site, rel=0.01)
    tokens_per_s = 2048 * 8192 / found.step_s
    assert found.tokens_per_joule == pytest.approx(tokens_per_s / site, rel=0.01)
    assert found.tokens_per_joule_network == pytest.approx(tokens_per_s / (outside + inside), rel=0.01)
    published = 15.6e12 / (30.84e6 * 3600) / (site / 16_384)
    assert published == pytest.approx(0.117, rel=0.01)
    assert 1 < found.tokens_per_joule / published < 1.3


def test_a_faster_network_never_costs_time() -> None:
    times = [
        train(f"dgx-h100-superpod-256:servers=8,rate_gbps={rate}", "mixtral-8x7b", "ep=8,batch=512,seq=4096").step_s
        for rate in (100, 400)
    ]
    assert times[0] >= times[1]


PARTS = Compute(gemm_s=0.06, experts_s=0.0, attention_s=0.02, vector_s=0.01, launch_s=0.01, update_s=0.002)
WIRE = st.fixed_dictionaries({name: st.floats(0, 50) for name in ("tp", "cp", "ep", "dp", "pp")})


@settings(max_examples=60, deadline=None)
@given(wire=WIRE, pp=st.integers(1, 16), v=st.integers(1, 4), m=st.integers(1, 64), more=st.floats(1, 3))
def test_more_communication_never_shows_less(
    wire: dict[str, float], pp: int, v: int, m: int, more: float
) -> None:
    p = Parallel(pp=pp, v=v, global_batch=m)
    less = timeline(PARTS, wire, p, achieved())
    longer = timeline(PARTS, {key: more * value for key, value in wire.items()}, p, achieved())
    assert all(longer[2][key] >= less[2][key] - 1e-9 for key in wire)
    assert longer[1] >= less[1] - 1e-9


def test_bubble_is_that_of_1f1b() -> None:
    quiet = dict.fromkeys(("tp", "cp", "ep", "dp", "pp"), 0.0)
    _, bubble, _ = timeline(PARTS, quiet, Parallel(pp=8, v=2, global_batch=16), achieved())
    assert bubble == pytest.approx(16 * PARTS.micro_batch_s * 7 / (2 * 16))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [  # F 0.03 s, B 0.07 s less what is not of products: micro-batch 0.1 s, W a third of 0.06 s
        ("1f1b", 7 * 0.1), ("zero-bubble", 7 * (0.1 - 2 * 0.02)), ("dualpipe", 3 * (0.1 + 0.1 * 2 / 3 - 3 * 0.02)),
    ],
)  # fmt: skip
def test_bubbles_by_hand(schedule: str, expected: float) -> None:
    assert bubble_s(Parallel(pp=8, schedule=schedule), PARTS, 0.1) == pytest.approx(expected)


def test_experts_hide_only_behind_another_micro_batch() -> None:
    wire = {**dict.fromkeys(("tp", "cp", "dp", "pp"), 0.0), "ep": 1.0}
    shown = [
        timeline(PARTS, wire, p, achieved())[2]["ep"]
        for p in (Parallel(global_batch=64), Parallel(global_batch=64, overlap=True), Parallel(v=2, global_batch=64))
    ]
    assert shown == [1.0, achieved().ep_exposed, achieved().ep_exposed]


def test_a_step_says_what_it_waits_for() -> None:
    layout = "ep=8,batch=64,seq=4096,precision=fp8"
    plain = train("hgx-h100", "qwen3-30b-a3b", layout)
    told = [text for text in plain.said if "graphs=true" in text or "overlap=true" in text]
    assert len(told) == 2
    better = train("hgx-h100", "qwen3-30b-a3b", f"{layout},graphs=true,overlap=true")
    assert not any(text in better.said for text in told)
    assert better.step_s < plain.step_s - 0.9 * plain.exposed_s["ep"] * (1 - achieved().ep_exposed)


def test_what_does_not_fit_a_rank() -> None:
    found = train("hgx-h100", "llama-3-70b", "tp=8,batch=8,seq=8192")
    assert found.fits is False
    assert any("a rank holds" in text for text in found.said)
    with pytest.raises(InfeasibleError, match="shard or recompute more"):
        train("hgx-h100", "llama-3-70b", "tp=8,batch=8,seq=8192", strict=True)


@pytest.mark.parametrize(
    ("layout", "why"),
    [("tp=3", "does not divide the 32 heads of llama-3-8b; give 2 or 4"),
     ("tp=8,dp=2", "leave dp out"), ("tp=8,pp", "pp"), ("tq=8", "write e.g. tp=8"),
     ("tp=8,tp=8", "given twice"), ("tp=0", "from 1 on"), ("tp=-1", "not a whole number"), ("zero=4", "is not 0, 1"),
     ("recompute=some", "recomputation"), ("precision=fp9", "precision"), ("ep=8", "has no experts; leave ep out"),
     ("tp=16", "does not divide 8 accelerators; give 8"),
     ("batch=12", "no multiple"), ("cp=8,seq=100", "does not divide the sequence"), ("sp=1", "not true or false"),
     ("schedule=zigzag", "schedule"), ("schedule=dualpipe,pp=8,v=2", "leave v"), ("copies=3", "does not divide dp"),
     ("schedule=dualpipe,pp=8,batch=9", "even number"), ("mtp=-1", "not a whole number"),
     ("graphs=1", "not true or false")],
)  # fmt: skip
def test_layouts_that_are_none(layout: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        train("hgx-h100", "llama-3-8b", layout)


def test_a_fabric_without_a_rate() -> None:
    with pytest.raises(ConfigError, match="accelerator=h100-sxm"):
        train("ring:n=8", "llama-3-8b", "batch=8,seq=2048")


# Runs that no constant was fitted to: seconds of a step, tokens a second of an accelerator.
def test_megascale() -> None:
    """Jiang et al., MegaScale, NSDI 2024, table 2: GPT-3 175B on 3,072 A100, batch 6,144, 23.66 s."""
    found = train(A100.format(384) + ",tiers=3", "gpt3-175b", "tp=8,pp=8,v=6,batch=6144,seq=2048")
    assert found.step_s == pytest.approx(23.66, rel=0.1)


def test_deepseek_v3() -> None:
    """DeepSeek-V3, arXiv:2412.19437, sections 1 and 3.2: 180,000 hours of H800 for 1e12 tokens on 2,048 of them, 16
    stages under DualPipe, experts over 64 ranks, one head for a further token, batch 15,360 sequences of 4,096."""
    layout = "pp=16,ep=64,batch=15360,seq=4096,precision=fp8,schedule=dualpipe,mtp=1"
    found = train("dgx-h100-superpod-256:servers=256,accelerator=h800", "deepseek-v3", layout)
    assert found.tokens_per_s_per_accelerator == pytest.approx(1e12 / (180_000 * 3600), rel=0.1)
    parts = found.compute
    whole, weights = parts.micro_batch_s + found.exposed_s["ep"] / 120, (parts.gemm_s + parts.experts_s) / 3
    assert found.bubble_s == pytest.approx(7 * (whole + 2 / 3 * whole - 3 * weights))


def test_wide_experts_near_dense_products() -> None:
    """Mixtral 8x22B on 128 H100: 49.3 % of peak published (Liu et al., arXiv:2504.14960), by experts 16,384 wide."""
    step = train("rail:servers=16", "mixtral-8x22b", "tp=2,ep=8,pp=8,v=7,batch=256,seq=4096")
    assert 0.35 < step.mfu < 0.5
    assert any("their rate is continued" in said for said in step.said)
