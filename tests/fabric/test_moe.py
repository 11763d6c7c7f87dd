"""Experts' traffic: DeepSeek-V3's arithmetic, copies and relays, skew, bounds, what is refused."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest

import fabric
from fabric.algorithms import ALGORITHMS
from fabric.bounds import collective_bound
from fabric.moe import Moe, exchange
from fabric.patterns import bytes_of, pattern_of
from fabric.timing import Assumptions, candidates
from topologies.errors import ConfigError
from topologies.registry import build

OPERATIONS = ("moe-dispatch", "moe-combine")
SMALL = Moe(tokens=64, hidden=128, topk=4, experts=64)


def test_deepseek_v3_bytes_of_a_token():
    # 8 experts of 7168 values: 57,344 bytes in FP8 without scales, 114,688 in BF16
    one = Moe(tokens=1, experts=256, precision="fp8-tensor", deduplicate=False)
    wide = build("switch:n=256")  # an expert a rank, so that all but 1/256 go elsewhere
    dispatch, combine = exchange(wide, "moe-dispatch", one), exchange(wide, "moe-combine", replace(one, precision=None))
    assert dispatch.size_bytes == pytest.approx(57_344 * 255 / 256)
    assert combine.size_bytes == pytest.approx(114_688 * 255 / 256)


def test_deepseek_v3_time_at_50_gb_per_s():
    # ISCA 2025: 32 tokens, 9 experts, 7000 values, 1 + 2 bytes, 50 GB/s: 120.96 us, if all of it went elsewhere
    n = 4096
    fabric_400g = build(f"switch:n={n},rate_gbps=400,latency_ns=0")
    layer = Moe(tokens=32, hidden=7000, topk=9, experts=n, deduplicate=False)
    there = fabric.simulate(fabric_400g, "moe-dispatch", moe=replace(layer, precision="fp8-tensor"))
    back = fabric.simulate(fabric_400g, "moe-combine", moe=layer)
    assert there.time_us + back.time_us == pytest.approx(120.96 * (n - 1) / n, rel=1e-6)


def test_copies_by_hand():
    # 16 ranks in two servers, 16 experts each: a token misses a rank with C(240, 8) / C(256, 8)
    made = exchange(build("rail:servers=2"), "moe-dispatch", Moe(tokens=4096))
    hit = 1 - comb(240, 8) / comb(256, 8)
    assert made.copy_bytes == 7168 + 7168 / 128 * 4
    assert made.size_bytes == pytest.approx(4096 * 7392 * 15 * hit)
    along, inside = made.relayed(np.arange(16).reshape(2, 8))
    to_other = 1 - comb(128, 8) / comb(256, 8)
    assert along.sent == pytest.approx(4096 * 7392 * to_other / made.size_bytes)
    assert inside.sent == pytest.approx(2 * 4096 * 7392 * 7 * hit / made.size_bytes)


@pytest.mark.parametrize("spec", ["rail:servers=4,gpus=4", "switch:n=6", "full-mesh:n=4", "torus:dims=3x3"])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("layer", [SMALL, replace(SMALL, zipf=0.8), replace(SMALL, deduplicate=False)])
def test_never_faster_than_the_bound(spec, operation, layer):
    topology = build(spec)
    pattern = pattern_of(topology, operation, moe=layer)
    bound = collective_bound(topology, pattern)
    plans = candidates(topology, pattern, Assumptions())
    for plan in plans:
        assert sum(step.traffic.total for step in plan.schedule.steps) >= pattern.n * (1 - 1e-9)
        assert plan.per_byte_s >= bound.per_byte_s * (1 - 1e-9)
    if spec.startswith("switch"):  # one link a rank: what comes in is all there is
        assert plans[0].per_byte_s == pytest.approx(bound.per_byte_s) or not layer.deduplicate


@pytest.mark.parametrize("operation", OPERATIONS)
def test_two_hop_attains_the_bound_on_rails(operation):
    topology = build("rail:servers=8")
    layer = Moe(max_domains=4, zipf=0.5)
    two_hop, direct = (fabric.simulate(topology, operation, moe=layer, algorithm=a) for a in ("two-hop", "direct"))
    assert two_hop.of_bound > 0.998 and two_hop.time_us < direct.time_us
    assert two_hop.relays is not None and two_hop.size_bytes == direct.size_bytes


@pytest.mark.parametrize("operation", OPERATIONS)
def test_combine_is_dispatch_backwards(operation):
    made = exchange(build("switch:n=6"), operation, replace(SMALL, zipf=1.0, precision="bf16"))
    there = replace(made, operation="moe-dispatch").traffic()
    back = replace(made, operation="moe-combine").traffic()
    assert there.sent == pytest.approx(back.received) and there.received == pytest.approx(back.sent)


def test_memory_is_linear_in_ranks():
    made = exchange(build("switch:n=5000"), "moe-dispatch", Moe(zipf=0.5, experts=10_000))
    assert len(made.traffic().entry_list) == len(made.traffic().list_rank) == 5000


@pytest.mark.parametrize("algorithm", ["direct", "two-hop"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_fluid_tells_the_same(algorithm, operation):
    topology = build("rail:servers=2,gpus=4,rails=4")
    times = [
        fabric.simulate(topology, operation, moe=replace(SMALL, tokens=100_000), algorithm=algorithm, routing="ecmp",
                        overlap=overlap, fidelity=fidelity).time_us
        for fidelity, overlap in (("steady", "phased"), ("fluid", "phased"), ("steady", "pipelined"))
    ]  # fmt: skip
    assert times[1] <= times[0] * 1.001 and times[1] >= times[2] * 0.99


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("spec", ["switch:n=16", "rail:servers=4,gpus=4"])
def test_monotone(operation, spec):
    topology = build(spec)

    def time_s(**changed):
        pattern = pattern_of(topology, operation, moe=replace(SMALL, **changed))
        plans = candidates(topology, pattern, Assumptions(routing="ecmp"))
        return min(plan.time_s(bytes_of(topology, pattern, None)) for plan in plans)

    for found in (
        [time_s(tokens=tokens) for tokens in (1, 2, 64, 1000)],
        [time_s(hidden=hidden) for hidden in (1, 128, 129, 7168)],
        [time_s(topk=topk) for topk in (1, 2, 8, 64)],
        *([time_s(zipf=zipf, seed=seed) for zipf in (0, 0.3, 0.8, 2)] for seed in range(3)),
    ):
        assert found == sorted(found)


def test_more_domains_never_send_less_over_the_network():
    topology = build("rail:servers=8,gpus=4")
    domains = np.arange(32).reshape(8, 4)
    sent = []
    for most in (1, 2, 3, 4, 8, None):
        made = exchange(topology, "moe-dispatch", replace(SMALL, max_domains=most))
        sent.append(made.relayed(domains)[0].total * made.size_bytes)
    assert sent == sorted(sent) and sent[0] < 0.5 * sent[-1]


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({"tokens": 0}, "tokens = 0"), ({"topk": 2.5}, "topk = 2.5"), ({"zipf": -1}, "zipf = -1"),
        ({"zipf": float("nan")}, "zipf = nan"), ({"topk": 9, "experts": 8}, "9 of 8 experts"),
        ({"even": True, "zipf": 1.0}, "even routing is balanced"),
    ],
)  # fmt: skip
def test_impossible_layers(layer, said):
    with pytest.raises(ConfigError, match=said):
        Moe(**layer)


@pytest.mark.parametrize(
    ("spec", "name", "layer", "said"),
    [
        ("switch:n=16", "moe-dispatch", Moe(experts=8), "leave ranks of 16 idle"),
        ("switch:n=8", "moe-dispatch", Moe(precision="fp9"), "did you mean 'fp8'"),
        ("rail:servers=4,gpus=4", "moe-dispatch", Moe(topk=8, experts=16, max_domains=1), "1 domains of 4 experts"),
        ("switch:n=8", "all-reduce", Moe(), "belong to moe-dispatch and moe-combine"),
    ],
)  # fmt: skip
def test_refused(spec, name, layer, said):
    with pytest.raises(ConfigError, match=said):
        fabric.simulate(spec, name, moe=layer)


def test_a_size_has_no_effect():
    with pytest.raises(ConfigError, match="size has no effect"):
        fabric.simulate("switch:n=8", "moe-dispatch", "1GiB")


def test_other_algorithms_pass():
    assert {plan.schedule.algorithm for plan in _plans()} == {"direct", "two-hop"} < set(ALGORITHMS)


def _plans():
    topology = build("rail:servers=2,gpus=4")
    return candidates(topology, pattern_of(topology, "moe-dispatch", moe=SMALL), Assumptions())


def test_groups_of_experts_at_once():
    four, one = (
        fabric.simulate(f"rail:servers={servers},gpus=4", "moe-dispatch", moe=replace(SMALL, max_domains=2), **groups)
        for servers, groups in ((16, {"group": "ep=16"}), (4, {}))
    )
    assert (four.groups, four.accelerators, four.size_bytes) == (4, 16, one.size_bytes)
    assert four.time_us >= one.time_us and four.time_us >= four.bound_time_us


def test_groups_that_send_different_amounts():
    with pytest.raises(ConfigError, match="lie differently in scale-up domains"):
        fabric.simulate("rail:servers=3,gpus=4", "moe-dispatch", moe=replace(SMALL, max_domains=1), group="ep=6")
