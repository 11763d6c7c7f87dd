"""Symmetry: loads by orbits equal loads by all destinations; a wrong generator costs symmetry and nothing else."""

from dataclasses import replace
from importlib import import_module

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import ecmp_loads
from fabric.algorithms import ALGORITHMS
from fabric.collectives import collective
from fabric.routing.contraction import contract, demand_at_nodes
from fabric.routing.reduction import Pattern, reduced
from fabric.routing.registry import ROUTERS
from fabric.routing.router import RoutingOptions
from fabric.symmetry import symmetry
from fabric.traffic import Traffic
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.registry import build

module = import_module("fabric.routing.ecmp")

ONE_ORBIT = [
    "switch:n=5", "fat-tree:k=4", "clos:hosts=64,planes=2", "clos:hosts=128,tiers=3", "full-mesh:n=6", "ring:n=5",
    "rail:servers=4,gpus=4,rails=2,planes=2", "rail:servers=32", "rail:servers=64,core=ocs",
    "rail:servers=40,core=none,oversubscription=3", "dgx-b200-superpod-512",
    "nvl72", "nvl:gpus=9,links=18,switches=4", "nvl:gpus=72,links=4,layers=2",
    "jupiter:blocks=5,uplinks=6,hosts=2", "jupiter:blocks=7,uplinks=8,hosts=2,spine=true",
    "hyperx:dims=3x4,T=2", "hyperx:dims=2x3x2,direct=true", "bcube:n=3,k=1", "dcell:n=3,k=1", "slim-fly:q=5,p=1",
    "dragonfly-plus:p=2,l=2,s=2,h=2", "hammingmesh:a=2,b=2,x=3,y=2", "hammingmesh:a=2,b=2,x=4,y=2,ports=8,planes=2",
    "torus:dims=4x8,twist=true",
    "torus:dims=4x3x4", "torus:dims=2x4", "torus:dims=4x4x8,twist=true", "torus:dims=4x8x8,twist=true",
]  # fmt: skip
ORBITS = {
    "clos:hosts=100": 2, "rail:servers=40,core=ocs": 2, "rail:servers=127": 2, "nvl:gpus=100,links=4,layers=2": 2,
    "mesh:dims=3x3": 3, "mesh:dims=4x2": 2, "torus:dims=4x3,wrap=truexfalse": 2, "tpu-pod:slice=4x4x4": 4,
    "dragonfly:p=2,a=4,h=2": 4, "slim-fly:q=4,p=2": 2, "polarfly:q=3,p=2": 3, "hammingmesh:a=3,b=2,x=2,y=3": 2,
    "tpu-pod:slice=4x4x8,twist=true": 6, "nvl72-x8:servers=2": 3,
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), [*((s, 1) for s in ONE_ORBIT), *ORBITS.items()])
def test_orbits_of_ranks(built, spec, expected):
    topology = built(spec)
    found = symmetry(topology)
    csr, n = topology.csr(), len(topology.accelerators)
    assert len(found.sizes) == expected and found.sizes.sum() == n
    assert found.one_orbit == (expected == 1)
    assert (found.rank_orbit[found.representatives] == np.arange(expected)).all()
    for labels, values in (
        (found.arc_orbit, np.stack([csr.capacity, csr.links, csr.latency], axis=1)),
        (found.arc_orbit, np.stack([found.node_orbit[csr.tails], found.node_orbit[csr.heads]], axis=1)),
        (found.node_orbit, np.stack([csr.forwards, csr.node_latency, np.diff(csr.indptr)], axis=1)),
    ):
        assert labels.min() == 0 and len(np.unique(labels)) == labels.max() + 1
        first = np.unique(labels, return_index=True)[1]
        np.testing.assert_array_equal(values, values[first][labels])  # alike within every orbit


def loads(topology, traffic, routing, floor, monkeypatch):
    monkeypatch.setattr(module, "SEARCHED_AT_ONCE", floor)
    return getattr(module, routing)(topology, traffic, RoutingOptions())


@pytest.mark.parametrize("spec", [*ONE_ORBIT, *ORBITS])
def test_orbits_carry_what_all_destinations_carry(built, spec, monkeypatch):
    topology = built(spec)
    n = len(topology.accelerators)
    for pattern in ("all-to-all", "all-reduce", "broadcast"):
        for name, algorithm in ALGORITHMS.items():
            try:
                steps = algorithm(topology, collective(pattern, n)).steps
            except InfeasibleError:
                continue
            # what goes to switches takes the links of their trees, whatever the routing
            for step in (s for s in steps if s.traffic.n == n and (n < 300 or name == "direct")):
                compare(topology, step.traffic, "ecmp" if name == "direct" else "weighted", monkeypatch)


def compare(topology, traffic, routing, monkeypatch):
    try:
        full = loads(topology, traffic, routing, float("inf"), monkeypatch)
    except InfeasibleError as error:
        with pytest.raises(InfeasibleError, match=str(error).split(";")[0]):
            loads(topology, traffic, routing, -1, monkeypatch)
        return
    found = loads(topology, traffic, routing, -1, monkeypatch)
    np.testing.assert_allclose(found.arcs, full.arcs, rtol=1e-12, atol=1e-12 * full.arcs.max())
    assert found.latency_s == pytest.approx(full.latency_s, rel=1e-12)
    assert found.mean_latency_s == pytest.approx(full.mean_latency_s, rel=1e-12)


@pytest.mark.parametrize("routing", ["minimal", "valiant", "ugal"])
@pytest.mark.parametrize(
    "spec", ["dragonfly:p=2,a=4,h=2", "hyperx:dims=4x3,K=2,T=2", "slim-fly:q=4,p=2", "bcube:n=3,k=1"]
)
def test_orbits_carry_detours_too(built, spec, routing, monkeypatch):
    """Links that count for several hops, and traffic by way of a random middle."""
    topology, router = built(spec), ROUTERS[routing]
    traffic = Traffic.uniform(len(topology.accelerators), 1.0)
    found = []
    for floor in (float("inf"), -1):
        monkeypatch.setattr(module, "SEARCHED_AT_ONCE", floor)
        found.append(router(topology, traffic, RoutingOptions()))
    np.testing.assert_allclose(found[1].arcs, found[0].arcs, rtol=1e-12, atol=1e-12 * found[0].arcs.max())
    assert found[1].latency_s == pytest.approx(found[0].latency_s, rel=1e-12)


def wrong_generators(topology):
    """A swap of two nodes of different kinds, no permutations, and one of another graph."""
    nodes = len(topology.nodes)
    same = np.arange(nodes, dtype=np.int32)
    yield np.concatenate([same[-1:], same[1:-1], same[:1]])
    yield np.zeros(nodes, np.int32)
    yield same + 1
    yield same[:-1]
    yield same.astype(np.float64)
    yield np.random.default_rng(0).permutation(same)


@pytest.mark.parametrize("spec", ["clos:hosts=70", "rail:servers=3,gpus=4", "torus:dims=3x4,wrap=truexfalse"])
def test_a_wrong_generator_is_dropped(spec):
    topology = replace(build(spec), generators=wrong_generators)
    found = symmetry(topology)
    assert found.permutations == () and found.images == ()
    assert found.inner_node_orbit.tolist() == list(range(len(contract(topology).forwards)))
    right = build(spec)
    both = replace(right, generators=lambda t: [*wrong_generators(t), *right.generators(t)])
    np.testing.assert_array_equal(symmetry(both).arc_orbit, symmetry(right).arc_orbit)


@pytest.mark.parametrize("spec", ["fat-tree:k=4", "rail:servers=4,gpus=4", "torus:dims=4x4"])
def test_one_slower_link_costs_symmetry_only(spec, monkeypatch):
    topology = build(spec)
    graph = nx.Graph(topology.graph)
    a, b = [e[:2] for e in topology.edges if "leaf" in str(e) or topology.grid][-1]
    graph.edges[a, b]["rate_gbps"] /= 2
    limping = replace(topology, graph=graph)
    assert len(symmetry(limping).permutations) < len(symmetry(topology).permutations)
    assert symmetry(limping).arc_orbit.max() > symmetry(topology).arc_orbit.max()
    compare(limping, Traffic.uniform(len(topology.accelerators), 1.0), "weighted", monkeypatch)


def test_another_state_is_verified_anew(monkeypatch):
    mesh = build("jupiter:blocks=6,uplinks=10,hosts=2")
    state = mesh.circuits.state
    half = mesh.with_state(state[: len(state) // 2 + 1])
    assert symmetry(mesh).one_orbit
    assert not symmetry(half).one_orbit
    compare(half, Traffic.uniform(12, 1.0), "ecmp", monkeypatch)


def test_a_graph_without_generators_has_none():
    found = symmetry(Topology.from_graph(nx.cycle_graph(5)))
    assert found.permutations == () and len(found.sizes) == 5


def test_colour_refinement_would_not_do():
    """A regular graph is one colour, but its links are loaded unequally: nothing may be spread over them."""
    topology = Topology.from_graph(nx.random_regular_graph(4, 20, seed=1))
    shift = replace(topology, generators=lambda t: [np.roll(np.arange(20, dtype=np.int32), 1)])
    assert len(symmetry(shift).sizes) == 20


def test_unequal_hosts_of_a_switch_are_told_apart():
    graph = nx.Graph()
    graph.add_nodes_from("st", kind="switch")
    graph.add_edge("s", "t")
    for i in range(6):
        graph.add_node(f"a{i}", kind="accelerator")
        graph.add_edge(f"a{i}", "st"[i // 3], rate_gbps=400.0 if i % 3 else 100.0, latency_ns=10)
    swap = np.array([1, 0, 5, 6, 7, 2, 3, 4], np.int32)
    found = symmetry(replace(Topology.from_graph(graph), generators=lambda t: [swap]))
    assert found.rank_orbit.tolist() == [0, 1, 1, 0, 1, 1]
    assert len(np.unique(found.arc_orbit)) == 5  # two kinds of host link, both ways, and between the switches


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9))
def test_a_pattern_is_kept_just_when_every_pair_is(seed, n):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(n, size=(2, int(rng.integers(1, 12))))
    amounts = rng.choice([1.0, 2.0], pairs.shape[1])
    image = rng.permutation(n).astype(np.int32)
    if seed % 2:  # sum over the powers of the image: kept
        turned = [pairs]
        for _ in range(60):
            turned.append(image[turned[-1]])
        pairs, amounts = np.concatenate(turned, axis=1), np.ones(61 * pairs.shape[1])
        pairs, amounts = np.unique(pairs, axis=1), 1.0
    traffic = Traffic.pairs(n, *pairs, amounts)
    matrix = np.zeros((n, n))
    np.add.at(matrix, tuple(pairs), amounts)
    demand = demand_at_nodes(traffic, np.arange(n, dtype=np.int32))
    assert Pattern(demand, n).kept_by(image) == np.array_equal(matrix[np.ix_(image, image)], matrix)


def test_groups_keep_the_symmetry_that_keeps_them():
    topology = build("rail:servers=8,gpus=4")
    n, along = 32, np.arange(32).reshape(8, 4).T
    place = contract(topology).node_of_rank
    kept = reduced(symmetry(topology), demand_at_nodes(Traffic.within(along, n, 1.0), place))
    assert len(kept.demand[0]) == 1
    cut = reduced(symmetry(topology), demand_at_nodes(Traffic.within([np.arange(5), np.arange(5, 32)], n, 1.0), place))
    assert cut is None or len(cut.demand[0]) > 4


@pytest.mark.parametrize("spec", ["rail:servers=8", "torus:dims=4x4x8,twist=true"])
def test_threads_do_not_change_a_bit_of_a_spread_load(spec):
    topology = build(spec)
    small, traffic = contract(topology), Traffic.uniform(len(topology.accelerators), 1.0)
    fewer = reduced(symmetry(topology), demand_at_nodes(traffic, small.node_of_rank))
    graph = small.indptr, small.heads, small.links, small.twin, small.forwards, small.latency, small.node_latency
    one, two = (fewer.spread(ecmp_loads(*graph, *fewer.demand, threads)[0]) for threads in (1, 2))
    assert np.array_equal(one, two)
