"""The least mean distance of any wiring: met by Moore graphs, below every other; and what it lets through."""

import networkx as nx
import pytest

from fabric.bounding.regular import all_to_all_links, least_mean_distance, router_degree
from fabric.simulation import simulate
from topologies.errors import TopologyError
from topologies.registry import build


@pytest.mark.parametrize(
    "graph", [nx.petersen_graph(), nx.hoffman_singleton_graph(), nx.complete_graph(6), nx.cycle_graph(7)]
)
def test_moore_graphs_meet_it(graph):
    degree = graph.degree[next(iter(graph))]
    assert least_mean_distance(len(graph), degree) == pytest.approx(nx.average_shortest_path_length(graph))


@pytest.mark.parametrize(("n", "degree"), [(20, 3), (30, 4), (64, 6), (12, 11)])
def test_no_graph_is_below(n, degree):
    for seed in range(3):
        graph = nx.random_regular_graph(degree, n, seed=seed)
        assert nx.average_shortest_path_length(graph) >= least_mean_distance(n, degree) - 1e-12


@pytest.mark.parametrize(("n", "degree"), [(1, 3), (5, 1), (5, 0)])
def test_what_cannot_be_joined(n, degree):
    with pytest.raises(ValueError, match="cannot be joined"):
        least_mean_distance(n, degree)


@pytest.mark.parametrize("spec", ["slim-fly:q=5,p=1", "jellyfish:n=24,degree=4,p=1", "hyperx:dims=4x4,direct=true"])
def test_no_throughput_is_above(spec):
    """Between switches, links of 1 GB/s; host links are no limit (100 times as fast would be another topology)."""
    topology = build(f"{spec},rate_gbps=8,latency_ns=0")
    best = simulate(topology, "all-to-all", "1TiB", fidelity="bound")
    assert best.busbw_gb_per_s <= all_to_all_links(topology) * (1 + 1e-9)


def test_slim_fly_of_five_reaches_it():
    """7 links over a mean distance of 91/49: as the best of all graphs, links carry 1/13 of a link a pair."""
    assert all_to_all_links(build("slim-fly:q=5,p=1")) / 49 == pytest.approx(1 / 13)


@pytest.mark.parametrize(
    ("spec", "degree"),
    [("slim-fly:q=9", 13), ("polarfly:q=8", 9), ("torus:dims=2x4", 4), ("hyperx:dims=4x3,K=2x1", 8), ("switch:n=4", 0),
     ("fat-tree:k=4", 4), ("dragonfly:p=2,a=4,h=2", 5), ("bcube:n=4,k=1", 4)],
)  # fmt: skip
def test_router_degree(spec, degree):
    assert router_degree(build(spec)) == degree


def test_switches_without_accelerators_are_refused():
    with pytest.raises(TopologyError, match="some switches have no accelerators"):
        all_to_all_links(build("fat-tree:k=4"))
