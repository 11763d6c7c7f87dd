"""Bounds of exchanges: by hand at every level of a fabric, and below every price."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.moe import Moe, exchange
from fabric.workloads.steps.least import Least, levels
from fabric.workloads.steps.mix import Exchange
from fabric.workloads.steps.wiring import Wiring
from topologies.registry import build
from topologies.selection import with_ranks

GB = 1e9


def of(name, size, stride, ranks, moe=None):
    return Exchange("dp", name, ranks, size, 1, 0.0, f"inner={stride},dp={ranks}", "dp", moe)


def test_by_hand_at_every_level():
    """Four servers of four, an adapter of 50 GB/s each."""
    fabric = build("rail:servers=4,gpus=4,scaleup_switches=none,rate_gbps=400")
    least = Least(fabric, np.arange(16))
    csr = fabric.csr()
    out = csr.capacity[csr.tails == csr.accelerators[0]].sum()
    assert least.seconds(of("reduce-scatter", GB, 1, 4)) == pytest.approx(0.75 * GB / out)
    assert least.seconds(of("reduce-scatter", GB, 4, 4)) == pytest.approx(0.75 * GB * 4 / (4 * 50 * GB))
    assert least.seconds(of("send-recv", GB, 4, 4)) == pytest.approx(GB / (50 * GB))
    moe = Moe(tokens=1000, hidden=7168, topk=2, experts=16)
    chosen = 1 - (12 * 11) / (16 * 15)  # any of the four experts of a server
    sent = 12 * chosen * (1000 * 2 * 7168 - 1)
    assert least.seconds(of("moe-combine", 0.0, 1, 16, moe)) == pytest.approx(sent / (200 * GB))


def test_oversubscribed_pods_are_a_level():
    """A Clos of 8 hosts and 4 uplinks a leaf: what leaves a leaf has 4 x 50 GB/s."""
    fabric = build("clos:hosts=32,leaf_hosts=8,uplinks=4,rate_gbps=400")
    assert [len(np.unique(label[fabric.csr().accelerators])) for label in levels(fabric)] == [32, 4]
    assert Least(fabric, np.arange(32)).seconds(of("reduce-scatter", GB, 8, 4)) == pytest.approx(
        8 * 0.75 * GB / (4 * 50 * GB)
    )


def test_tokens_reach_ranks_as_often_as_the_layer_says():
    fabric, moe = build("rail:servers=2,gpus=4"), Moe(tokens=512, hidden=1024, topk=4, experts=32)
    csr = fabric.csr()
    out = csr.capacity[csr.tails == csr.accelerators[0]].sum()
    alone = Least(fabric, np.arange(4)).seconds(of("moe-combine", 0.0, 1, 4, moe))
    size = exchange(with_ranks(fabric, np.arange(4)), "moe-combine", moe).size_bytes
    assert alone == pytest.approx(size / out, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["rail:servers=4,gpus=6,scaleup_switches=none", "clos:hosts=24,leaf_hosts=6,uplinks=3",
                     "torus:dims=4x6", "dragonfly:p=2,a=2,h=1,g=3"]),
    st.sampled_from(["reduce-scatter", "all-reduce", "send-recv", "moe-combine"]),
    st.sampled_from([(1, 2), (1, 4), (2, 2), (2, 6), (3, 4), (1, 12)]),
)  # fmt: skip
def test_no_price_is_lower(spec, name, shape):
    fabric = build(spec)
    n = len(fabric.accelerators) // 12 * 12
    moe = Moe(tokens=256, hidden=512, topk=2, experts=24) if name == "moe-combine" else None
    asked = of(name, 1e6, *((1, shape[1]) if moe else shape), moe)
    wiring = Wiring(fabric, "ideal", ranks=n)
    assert 0 < wiring.least_s(asked) <= wiring.wired(asked).one_s * (1 + 1e-9)
