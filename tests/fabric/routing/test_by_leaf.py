"""Demand cut at the leaves loads every link as the whole does."""

import numpy as np
import pytest

from fabric.routing import by_leaf as cutting
from fabric.routing import ecmp
from fabric.routing.by_leaf import by_leaf, leaf_to_leaf
from fabric.routing.contraction import contract, demand_at_nodes
from fabric.routing.leaves import leaves
from fabric.routing.registry import route
from fabric.traffic import Traffic
from topologies.graph import Topology
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
    assert found.ends.sum() == 2 * 64


@pytest.mark.parametrize("spec", ["fat-tree:k=4", "torus:dims=4x4", "dual-plane:servers=8", "nvl72"])
def test_where_ranks_have_no_leaf_of_their_own_there_is_no_cut(spec):
    fabric = build(spec)
    n = len(fabric.accelerators)
    ring = Traffic.pairs(n, np.arange(n), (np.arange(n) + 1) % n, 1.0)
    assert by_leaf(fabric, demand_at_nodes(ring, contract(fabric).node_of_rank)) is None


@pytest.fixture(scope="module")
def uneven():
    """Rails of two servers at a leaf, whose links to it are longer the later the server."""
    graph = build("rail:servers=8,gpus=4,rails=2,leaf_hosts=2").graph.copy()
    for a, b, data in graph.edges(data=True):
        if {graph.nodes[a]["kind"], graph.nodes[b]["kind"]} == {"accelerator", "switch"} and "leaf" in f"{a}{b}":
            server = next(int(str(end).split("-")[1]) for end in (a, b) if graph.nodes[end]["kind"] == "accelerator")
            data["latency_ns"] += 5.0 * server
    return Topology.from_graph(graph)


def alike(fabric):
    """All-to-all; along rails, as PXN ends; rank by rank in some groups that cross domains; inside domains only."""
    n, domains = len(fabric.accelerators), np.array(fabric.domains)
    mixed = np.random.default_rng(2).permutation(n)[: n // 4 * 4].reshape(4, -1)
    groups = [[np.arange(n)], domains.T, mixed, domains]
    return [Traffic.within(group, n, 0.25) for group in groups]


@pytest.mark.parametrize("spec", [*SPECS, "uneven"])
@pytest.mark.parametrize("routing", ["ecmp", "weighted"])
def test_alike_pairs_counted_from_leaf_to_leaf_load_as_one_by_one(spec, routing, uneven, monkeypatch):
    fabric = uneven if spec == "uneven" else build(spec)
    if spec == "uneven":
        assert np.ptp(leaves(fabric).turn_s) > 0
    for traffic in alike(fabric):
        shares = contract(fabric).links if routing == "ecmp" else fabric.csr().capacity[contract(fabric).arcs]
        demand = demand_at_nodes(traffic, contract(fabric).node_of_rank)
        whole, whole_s, moves = ecmp.equal_split(fabric, demand, shares, 1)
        for pairs in (0, 10**6):  # counted, and listed
            with monkeypatch.context() as patched:
                patched.setattr(ecmp, "LONG", 0.0)
                patched.setattr(cutting, "MAX_PAIRS", pairs)
                assert by_leaf(fabric, demand) is not None
                cut, cut_s, moved = ecmp.equal_split(fabric, demand, shares, 1)
            np.testing.assert_allclose(cut, whole, rtol=1e-12, atol=1e-12)
            assert cut_s == pytest.approx(whole_s, rel=1e-12) and moved == moves


def test_amounts_that_differ_are_not_counted():
    fabric = build(SPECS[0])
    traffic = Traffic.pairs(64, [0, 1], [8, 9], [1.0, 2.0])
    assert leaf_to_leaf(fabric, demand_at_nodes(traffic, contract(fabric).node_of_rank)) is None
