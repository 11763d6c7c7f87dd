"""Connectivity, path diversity and bisection against NetworkX, brute force and closed forms."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.bounding.connectivity import bisection_interval, edge_connectivity, path_diversity
from topologies.graph import Topology


def random_fabric(seed):
    """A connected graph of an even number of accelerators with uneven, parallel links."""
    rng = np.random.default_rng(seed)
    n = 2 * int(rng.integers(2, 5))
    graph = nx.gnm_random_graph(n, 2 * n, seed=int(rng.integers(2**31)))
    graph.add_edges_from((v, v + 1) for v in range(n - 1))
    for edge in graph.edges:
        graph.edges[edge].update(count=int(rng.integers(1, 4)), rate_gbps=float(rng.choice([100, 400])))
    return Topology.from_graph(graph)


@pytest.mark.parametrize(
    ("spec", "links"),
    [("ring:n=7", 2), ("torus:dims=4x3x2", 6), ("mesh:dims=4x3", 2), ("full-mesh:n=5", 4), ("switch:n=9", 1),
     ("fat-tree:k=4", 1), ("nvl72", 18), ("torus:dims=4x4x8,twist=true", 6), ("rail:servers=3,gpus=4", 4)],
)  # fmt: skip
def test_edge_connectivity_of_families(built, spec, links):
    assert edge_connectivity(built(spec)) == links


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_edge_connectivity_equals_networkx(seed):
    topology = random_fabric(seed)
    assert edge_connectivity(topology) == nx.stoer_wagner(topology.graph, "count")[0]


@pytest.mark.parametrize("seed", range(10))
def test_path_diversity_equals_networkx(seed):
    topology = random_fabric(seed)
    graph = topology.graph.to_directed()
    values = [nx.maximum_flow_value(graph, a, b, "count") for a, b in combinations(topology.nodes, 2)]
    said = path_diversity(topology)
    assert (said.least, said.pairs) == (min(values), len(values)) and said.mean == pytest.approx(np.mean(values))


def test_paths_do_not_cross_accelerators_that_do_not_forward(built):
    rail = built("rail:servers=3,gpus=4,core=none")
    assert path_diversity(rail).least == 0
    drawn = path_diversity(built("torus:dims=8x8"), pairs=20, seed=3)
    assert drawn == path_diversity(built("torus:dims=8x8"), pairs=20, seed=3)
    assert (drawn.least, drawn.mean, drawn.pairs) == (4, 4.0, 20)


def narrowest(topology):
    """Least capacity between halves of a direct fabric, over all of them."""
    csr, n = topology.csr(), len(topology.accelerators)
    best = np.inf
    for held in combinations(range(n), n // 2):
        side = np.zeros(n, bool)
        side[list(held)] = True
        best = min(best, csr.capacity[side[csr.tails] & ~side[csr.heads]].sum() / 1e9)
    return best


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_least_over_all_halves_lies_in_the_interval(seed):
    topology = random_fabric(seed)
    low, high = bisection_interval(topology)
    assert 0 < low <= narrowest(topology) * (1 + 1e-9) and narrowest(topology) <= high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("spec", "width"),
    [("ring:n=8", 100), ("torus:dims=4x4x4", 1600), ("full-mesh:n=8", 800), ("mesh:dims=8", 50), ("fat-tree:k=4", 400),
     ("switch:n=8", 200), ("nvl72", 36 * 900), ("clos:hosts=96,oversubscription=3,tiers=2", 800),
     ("torus:dims=8x4", 400), ("full-mesh:n=5", 300)],
)  # fmt: skip
def test_bisection_of_families(built, spec, width):
    low, high = bisection_interval(built(spec))
    direct = len(built(spec).accelerators) == len(built(spec).nodes)
    assert high == pytest.approx(width)
    assert width * (1 - 1e-9 if direct else 0.5) <= low <= high


def test_a_search_finds_the_middle_that_no_order_names():
    graph = nx.Graph()
    for a, b in combinations(range(20), 2):
        if (a % 2) == (b % 2):
            graph.add_edge(a, b, rate_gbps=400)
    graph.add_edge(0, 1, rate_gbps=400)
    assert bisection_interval(Topology.from_graph(graph))[1] == 50
