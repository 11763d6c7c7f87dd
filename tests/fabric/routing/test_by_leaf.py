"""Demand cut at the leaves loads every link as the whole does."""

import numpy as np
import pytest

from fabric.routing import ecmp
from fabric.routing.by_leaf import by_leaf
from fabric.routing.contraction import contract, demand_at_nodes
from fabric.routing.registry import route
from fabric.traffic import Traffic
from topologies.registry import build

SPECS = (
    "rail:servers=16,gpus=4,leaf_hosts=4",
    "rail:servers=8,gpus=4,rails=1,leaf_hosts=8,uplinks=2",  # accelerators of one server share a leaf
    "rail:servers=6,gpus=2,rails=1",
)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("routing", ["ecmp", "weighted"])
def test_loads_and_latency_are_those_of_the_whole(spec, routing, monkeypatch):
    fabric = build(spec)
    n = len(fabric.accelerators)
    rng = np.random.default_rng(1)
    source, target = rng.integers(n, size=(2, 5 * n))
    some = Traffic.pairs(n, source, target, rng.integers(1, 9, 5 * n))
    whole = route(fabric, some, routing)
    monkeypatch.setattr(ecmp, "LONG", 0.0)
    cut = route(build(spec), some, routing)
    np.testing.assert_allclose(cut.arcs, whole.arcs, rtol=1e-12)
    assert cut.latency_s == pytest.approx(whole.latency_s, rel=1e-12)


def test_targets_of_other_domains_are_their_leaves():
    fabric = build("rail:servers=16,gpus=4,leaf_hosts=4")
    ring = Traffic.pairs(64, np.arange(64), (np.arange(64) + 4) % 64, 1.0)  # server to server, on each rail
    found = by_leaf(fabric, demand_at_nodes(ring, contract(fabric).node_of_rank))
    assert len(found.near[0]) == 0 and len(found.far[0]) == 16  # 64 targets on 16 leaves of 4
    assert found.last.sum() == 64


@pytest.mark.parametrize("spec", ["fat-tree:k=4", "torus:dims=4x4", "dual-plane:servers=8", "nvl72"])
def test_where_ranks_have_no_leaf_of_their_own_there_is_no_cut(spec):
    fabric = build(spec)
    n = len(fabric.accelerators)
    ring = Traffic.pairs(n, np.arange(n), (np.arange(n) + 1) % n, 1.0)
    assert by_leaf(fabric, demand_at_nodes(ring, contract(fabric).node_of_rank)) is None
