"""One-sided kernels: times worked out by hand, line rate as a floor, monotone, what is refused."""

from dataclasses import replace
from itertools import pairwise

import pytest

import fabric
from fabric.moe import Moe
from fabric.one_sided import Crossing, kernel_named, kernel_of, kernel_s
from fabric.patterns import pattern_of
from topologies.errors import ConfigError, InfeasibleError
from topologies.kinds import OneSidedKernel
from topologies.parts import catalogue
from topologies.registry import build

KERNELS = sorted({row.kernel for row in catalogue().of_kind(OneSidedKernel)})
SEEN = Crossing(
    scale_up_s=1e-3, rank_bytes=2e8, network_s=2e-3, ranks=16, peers=8, experts=2, tokens=1000, line_rate_s=2e-3,
    latency_s=1e-6,
)  # fmt: skip
PLAIN = OneSidedKernel(
    name="k", title="K", source="me", year=2026, confidence="low", kernel="k", operation="dispatch", serves="",
    precision="fp8", ratios_large=(0.9, 1.1), ratios_small=(0.8, 1.2), launch_ns=10_000,
    scale_up_share=0.5, network_share=0.8,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "time_us"),
    [
        ({}, 10 + 2500),  # the network, at 0.8 of 2 ms
        ({"scale_up_share": 0.25}, 10 + 4000),
        ({"copy_gb_per_s": 20}, 10 + 10_000),
        ({"serial_share": 0.5}, 10 + 2500 + 1000),
        ({"barrier_ns": 1000, "expert_ns": 500}, 10 + 4 + 1 + 2500),
        ({"network_launch_ns": 7000, "peer_ns": 2000}, 10 + 7 + 16 + 2500),
        ({"token_ns": 1000}, 10 + 3000),  # on top of scale-up's 2 ms
        ({"floor_ns": 5000}, 10 + 5000),
        ({"blocks": 20, "block_ns": 1000}, 10 + 2500),  # 32 experts in 2 turns on 16: 62.5 tokens each
        ({"blocks": 20, "block_ns": 100_000}, 10 + 6250),
        ({"network_share": 1.0, "scale_up_share": 1.0, "launch_ns": 0}, 2001),  # never below latency and line rate
        ({"carries_tokens": False, "token_ns": 100}, 10 + 100),
    ],
)
def test_by_hand(changed, time_us):
    assert kernel_s(replace(PLAIN, **changed), SEEN) * 1e6 == pytest.approx(time_us)


def test_deepseek_v3_dispatch_on_nvl72():
    # 16,384 tokens to 8 of 32 ranks in bf16, 7.75 of them elsewhere: 1.82 GB at 0.738 of 900 GB/s, 16.6 ns a token
    found = fabric.simulate(
        "nvl72:gpus=32", "moe-dispatch", moe=Moe(tokens=16_384, precision="bf16", even=True),
        transport="one-sided:kernel=trtllm-two-sided",
    )  # fmt: skip
    by_hand = 12.9 + 16_384 * (7.75 * 14_336 / (0.738 * 900e3) + 16.6e-3)
    assert found.time_us == pytest.approx(by_hand, rel=1e-3)
    assert found.time_us == pytest.approx(3187.4, rel=0.15)  # measured
    assert found.time_low_us < 3187.4 < found.time_high_us
    assert any("aiconfigurator" in line for line in found.estimates)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("operation", ["moe-dispatch", "moe-combine"])
def test_never_faster_than_ideal_or_with_more_tokens(kernel, operation):
    spec = "hgx-h100" if kernel.startswith(("trt", "pplx")) else "rail:servers=2"
    times = []
    for tokens in (1, 64, 1000, 20_000):
        moe = Moe(tokens=tokens, zipf=0.3)
        found = fabric.simulate(spec, operation, moe=moe, transport=f"one-sided:kernel={kernel}")
        assert found.time_us >= found.bound_time_us and found.of_bound <= 1
        times.append(found.time_us)
    assert all(a <= b for a, b in pairwise(times))


def test_more_skew_is_never_faster():
    times = [
        fabric.simulate("rail:servers=2", "moe-dispatch", moe=Moe(zipf=zipf), transport="one-sided").time_us
        for zipf in (0, 0.2, 0.5, 1)
    ]
    assert times == sorted(times) and times[-1] > 1.2 * times[0]


@pytest.mark.parametrize(
    ("spec", "tokens", "kernel"),
    [
        ("nvl72", 4096, "trtllm-one-sided"), ("hgx-h100", 128, "deepep-ll"), ("rail:servers=2", 4096, "deepep-normal"),
        ("rail:servers=2", 256, "deepep-ll"), ("mi300x-8", 128, "uccl-ll"),
    ],
)  # fmt: skip
def test_the_kernel_that_serves(spec, tokens, kernel):
    topology = build(spec)
    found = kernel_of(topology, pattern_of(topology, "moe-combine", moe=Moe(tokens=tokens)))
    assert (found.kernel, found.operation) == (kernel, "combine")


@pytest.mark.parametrize(
    ("spec", "name", "options", "error", "said"),
    [
        ("nvl72", "all-reduce", {}, ConfigError, "carries moe-dispatch and moe-combine"),
        ("nvl72", "moe-dispatch", {"fidelity": "fluid"}, InfeasibleError, "use --fidelity steady"),
        ("nvl72", "moe-dispatch", {"transport": "one-sided:kernel=deepep"}, ConfigError, "did you mean 'deepep-ll'"),
        ("nvl72", "moe-dispatch", {"transport": "nccl"}, ConfigError, "nccl has no model of moe-dispatch"),
        ("switch:n=8", "moe-dispatch", {}, InfeasibleError, "no one-sided kernel is known for generic"),
        ("rail:servers=2", "moe-dispatch", {"transport": "one-sided:kernel=pplx"}, InfeasibleError, "domain only"),
    ],
)
def test_refused(spec, name, options, error, said):
    with pytest.raises(error, match=said):
        fabric.simulate(spec, name, **{"transport": "one-sided", **options})


def test_options_of_the_transport():
    assert kernel_named("one-sided") is None and kernel_named("one-sided:kernel=pplx") == "pplx"
    for wrong in ("one-sided:", "one-sided:pplx", "one-sided:kernel=", "one-sided:kernl=pplx"):
        with pytest.raises(ConfigError, match="takes kernel=NAME"):
            kernel_named(wrong)


def test_tune_has_no_sizes_of_it():
    with pytest.raises(ConfigError, match="one size, which follows from its tokens"):
        fabric.tune("switch:n=8", "moe-dispatch")
