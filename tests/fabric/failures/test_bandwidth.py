"""What is left: shares by hand, exact throughput that no failure raises, and equal splits below the best routing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.bounding.throughput import concurrent_flow
from fabric.failures.bandwidth import bandwidth_left, by_cuts
from fabric.failures.components import components
from fabric.failures.cut_off import cut_off
from fabric.failures.damage import Loss, damaged, links_left
from fabric.traffic import Traffic
from topologies.registry import build

SPECS = ("torus:dims=3x3", "full-mesh:n=6", "fat-tree:k=4", "hyperx:dims=3x3,T=1", "rail:servers=4,gpus=2")
FABRICS = [build(spec) for spec in SPECS]


def left_of(topology, *losses, **asked):
    loss = Loss.together(losses)
    left, dead = links_left(topology, loss), loss.dead(topology)
    out = cut_off(topology, left, dead) | dead[topology.csr().accelerators]
    return bandwidth_left(topology, left, out, **asked)


def of(topology, name):
    return next(each for each in components(topology) if each.name == name)


def test_a_chip_of_eighteen():
    found = left_of(build("nvl72"), of(build("nvl72"), "scale-up").loss(0))
    assert (found.splits, found.cuts, found.all_reduce) == pytest.approx((17 / 18,) * 3)


def test_a_spine_of_four():
    """Each of 32 accelerators on a leaf has 224 peers elsewhere, 7 of them in its server: 32 x 217 pairs leave by 24
    links of 32. Before, an adapter bound its accelerator: 248 peers in other servers over one link."""
    fabric = build("dgx-h100-superpod-256")
    found = left_of(fabric, of(fabric, "spine").loss(0))
    assert found.splits == pytest.approx(found.cuts)
    assert found.cuts == pytest.approx((24 / (32 * 217)) / min(32 / (32 * 217), 1 / 248))


def test_a_plane_is_half():
    fabric = build("dual-plane:servers=16")
    found = left_of(fabric, of(fabric, "leaf").loss(0))
    assert found.cuts == pytest.approx(0.5)


def test_who_is_gone_is_no_speed():
    """A dead accelerator of a full mesh leaves the others their own links, and takes the detours through itself: four
    links of five."""
    mesh = build("full-mesh:n=6")
    found = left_of(mesh, Loss.of_nodes([0]), gap=0.01)
    assert (found.splits, found.cuts, found.low, found.high) == pytest.approx((1.0, 0.8, 0.8, 0.8))


def test_one_that_remains_has_no_bandwidth():
    assert left_of(build("ring:n=3"), Loss.of_nodes([0, 1])) is None


@settings(max_examples=12, deadline=None)
@given(st.integers(0, len(FABRICS) - 1), st.integers(0, 2**31), st.integers(1, 3))
def test_no_failure_and_no_further_one_raises_throughput(which, seed, number):
    """Exact maximum concurrent flow of those that remain in the end: whole, after a failure, after more."""
    topology = FABRICS[which]
    rng = np.random.default_rng(seed)
    pools = [each for each in components(topology) if each.kind in ("link", "switch")]
    losses = []
    for _ in range(number):
        pool = pools[rng.integers(len(pools))]
        losses.append(pool.loss(int(rng.integers(len(pool.weights)))))
    loss = Loss.together(losses)
    left, dead = links_left(topology, loss), loss.dead(topology)
    out = cut_off(topology, left, dead) | dead[topology.csr().accelerators]
    ranks = np.flatnonzero(~out)
    if len(ranks) < 2:
        return
    traffic = Traffic.uniform(len(ranks), 1.0).over(ranks[None, :], len(out))
    stages = [Loss.together(losses[:k]) for k in range(1, number + 1)]
    rates = [concurrent_flow(topology, traffic)]
    rates += [concurrent_flow(damaged(topology, links_left(topology, stage), out), traffic) for stage in stages]
    for before, after in pairwise(rates):
        assert after.throughput <= before.upper * (1 + 1e-9)
    found = bandwidth_left(topology, left, out, gap=0.01)
    assert 0 < found.splits <= 1
    assert found.low <= found.high + 1e-9
    pair, _ = by_cuts(topology, left, ~out)
    assert rates[-1].throughput <= pair * (1 + 1e-9)


def test_more_links_lost_leave_less_by_cuts():
    torus = build("torus:dims=4x4")
    links = of(torus, "dac acc-acc")
    shares = [left_of(torus, *(links.loss(i) for i in range(k))).cuts for k in (1, 2, 4, 8)]
    assert shares == sorted(shares, reverse=True)
