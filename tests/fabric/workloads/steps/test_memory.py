"""What a rank holds: published runs fit into their accelerators, what nobody can run does not; by hand and in order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.workloads.models.zoo import model
from fabric.workloads.steps.memory import layers_in_flight, memory
from fabric.workloads.steps.parallel import RECOMPUTE, parse_parallel

KORTHIKANTI = "batch={0},mbs={1},seq=2048,fused=false,zero=0"  # arXiv:2205.05198, table 3, on A100 of 80 GB
RAN = [
    ("megatron-22b", 8, "tp=8,recompute=selective," + KORTHIKANTI.format(4, 4), 80),
    ("gpt3-175b", 64, "tp=8,pp=8,v=3,recompute=selective," + KORTHIKANTI.format(64, 1), 80),
    ("megatron-530b", 280, "tp=8,pp=35,v=3,recompute=selective," + KORTHIKANTI.format(280, 1), 80),
    ("megatron-1t", 512, "tp=8,pp=64,recompute=selective," + KORTHIKANTI.format(512, 1), 80),
    ("gpt3-175b", 64, "tp=8,pp=8,v=3,recompute=full,sp=false," + KORTHIKANTI.format(64, 1), 80),
    ("megatron-1t", 512, "tp=8,pp=64,recompute=full,sp=false," + KORTHIKANTI.format(512, 1), 80),
    # Llama team, arXiv:2407.21783, table 4 and section 3.3.2: gradients sharded, nothing computed again
    ("llama-3.1-405b", 8192, "tp=8,pp=16,zero=2,batch=1024,seq=8192", 80),
    ("llama-3.1-405b", 16384, "tp=8,pp=16,zero=2,batch=2048,seq=8192", 80),
    ("llama-3.1-405b", 16384, "tp=8,pp=16,cp=16,zero=2,batch=128,seq=131072", 80),
    # DeepSeek-AI, arXiv:2412.19437, sections 3.2 and 3.4: norms and up-projections computed again
    ("deepseek-v3", 2048, "pp=16,ep=64,batch=15360,seq=4096,precision=fp8,recompute=selective", 80),
    # NVIDIA-NeMo/Megatron-Bridge, performance summaries; selective where the recipe computes modules again
    ("deepseek-v3", 256, "pp=4,ep=64,v=4,batch=4096,seq=4096,precision=mxfp8,recompute=selective", 186),
    ("deepseek-v3", 256, "pp=2,ep=32,v=8,mbs=2,batch=4096,seq=4096,precision=mxfp8,recompute=selective", 288),
    ("llama-3.1-405b", 1024, "tp=8,pp=8,cp=2,v=8,batch=1536,seq=8192,precision=fp8", 80),
    ("llama-3.1-405b", 256, "tp=4,pp=16,v=8,batch=1536,seq=8192,precision=mxfp8", 186),
    ("llama-3.1-70b", 64, "tp=4,pp=8,v=5,batch=256,seq=8192,precision=fp8", 80),
]
CANNOT = [
    ("llama-3.1-405b", 1024, "tp=8,zero=0,batch=128,seq=8192", 80),  # 16 B x 405e9 / 8
    ("llama-3.1-405b", 1024, "tp=8,zero=1,batch=128,seq=8192", 80),
    ("gpt3-175b", 1024, "tp=1,zero=1,batch=1024,seq=2048,recompute=full", 80),  # 4 B x 175e9
    ("gpt3-175b", 64, "tp=8,pp=8,v=3,recompute=none," + KORTHIKANTI.format(64, 1), 80),  # why the paper recomputes
    ("deepseek-v3", 2048, "pp=16,ep=64,batch=15360,seq=4096,precision=fp8", 80),  # why its authors do
    ("llama-3.1-70b", 8, "tp=8,zero=1,batch=8,seq=8192,recompute=full", 80),
]


@pytest.mark.parametrize(("name", "ranks", "text", "gb"), RAN)
def test_published_runs_fit(name, ranks, text, gb):
    shape = model(name)
    assert memory(shape, parse_parallel(text).on(ranks, shape)).total <= gb * 1e9


@pytest.mark.parametrize(("name", "ranks", "text", "gb"), CANNOT)
def test_what_nobody_can_run_does_not(name, ranks, text, gb):
    shape = model(name)
    assert memory(shape, parse_parallel(text).on(ranks, shape)).total > gb * 1e9


def test_what_is_cheap_by_hand():
    """Llama 3.1 8B without tensor parallelism: a token of a layer keeps two bf16 inputs of norms, q, k, v and the
    output of attention; gate and up, and with nothing computed again what norms and the activation function give."""
    shape = model("llama-3.1-8b")
    none = parse_parallel("batch=1,seq=8192").on(1, shape)
    cheap = replace(none, recompute="selective")
    layer = 2 * 2 * 4096 + 2 * (2 * 4096 + 2 * 1024) + 2 * 2 * 14336
    logits = 4 * 128256 * 8192
    assert memory(shape, cheap).activations == 8192 * 32 * layer + logits
    assert memory(shape, none).activations == 8192 * 32 * (layer + 2 * 2 * 4096 + 2 * 14336) + logits


def test_latents_are_kept_in_place_of_heads():
    """DeepSeek-V3: 2 x (1536 + 512 + 64) B of latents and 2 x 128 x 128 B of attention's output, of 163,840 B."""
    shape = model("deepseek-v3")
    none = parse_parallel("pp=61,batch=61,seq=4096").on(61, shape)
    saved = memory(shape, none).activations - memory(shape, replace(none, recompute="selective")).activations
    of_layers = (3 * 18432 + 58 * (2048 + 8 * 2048)) * 2 + 61 * 2 * 2 * 7168
    heads = 61 * (2 * (128 + 128) * (192 + 128) - 2 * 2112 - 2 * 128 * 128)
    assert saved == pytest.approx(4096 * (of_layers + heads))


def test_layers_are_whole_under_zero_3():
    """Two of 126 layers gathered, all of them where they are kept for further micro-batches."""
    shape = model("llama-3.1-405b")
    sharded = parse_parallel("tp=8,zero=3,batch=4096,seq=8192").on(1024, shape)
    whole = memory(shape, replace(sharded, zero=1)).weights
    assert memory(shape, sharded).weights == pytest.approx(whole * (2 / 126 + 1 / 128))
    assert memory(shape, replace(sharded, kept=True)).weights == whole


@given(
    st.sampled_from(["llama-3.1-70b", "deepseek-v3", "gpt3-175b"]), st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 2, 4, 8]), st.booleans(), st.sampled_from(["bf16", "fp8"]),
)  # fmt: skip
def test_more_computed_again_is_less_held(name, tp, pp, fused, precision):
    shape = model(name)
    text = f"tp={tp},pp={pp},batch=64,seq=4096,fused={str(fused).lower()},precision={precision}"
    found = [memory(shape, parse_parallel(f"{text},recompute={how}").on(64, shape)).activations for how in RECOMPUTE]
    assert found == sorted(found, reverse=True)


@given(st.integers(1, 64), st.integers(1, 16))
def test_no_more_layers_are_in_flight_than_micro_batches_bring(micro_batches, pp):
    layout = parse_parallel(f"pp={pp},batch={micro_batches}")
    assert layers_in_flight(48, layout) <= -(-50 // pp) * min(micro_batches, pp)
