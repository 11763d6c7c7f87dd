"""HyperX: Cartesian products of complete graphs; the narrowest halves against every half of small ones."""

from itertools import combinations
from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.metrics import bisection, distances
from fabric.simulation import simulate
from fabric.symmetry import symmetry
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build

DIMS = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple).filter(lambda d: prod(d) > 1)


def spec(dims, **more):
    given_keys = "".join(f",{key}={value}" for key, value in more.items())
    return f"hyperx:dims={'x'.join(map(str, dims))}{given_keys}"


@given(DIMS, st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_switches_that_differ_in_one_coordinate_are_joined(dims, k, t):
    built = build(spec(dims, K=k, T=t))
    n = prod(dims)
    assert len(built.accelerators) == n * t
    assert built.links == n * t + n * k * sum(d - 1 for d in dims) // 2
    for a, b, edge in built.edges:
        if a.startswith("switch"):
            assert sum(x != y for x, y in zip(a.split("-"), b.split("-"), strict=True)) == 1 and edge["count"] == k
    assert distances(built)[2] == sum(d > 1 for d in dims)
    ranks = [next(iter(built.graph[a])) for a in built.accelerators[:: t * dims[0]]]
    assert all(name.split("-")[1] == "0" for name in ranks)  # the first coordinate is the fastest


@given(DIMS)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_direct_one_is_a_hamming_graph(dims):
    built = build(spec(dims, direct="true"))
    product = nx.empty_graph(1)
    for d in dims:
        product = nx.cartesian_product(product, nx.complete_graph(d))
    assert built.accelerators == built.nodes and all(built.attribute("forwards"))
    assert nx.is_isomorphic(built.graph, product) if prod(dims) < 40 else len(built.edges) == product.size()
    n = prod(dims)
    assert distances(built)[1] == pytest.approx(sum(1 - 1 / d for d in dims) * n / (n - 1))
    assert symmetry(built).one_orbit
    positions = np.array(built.attribute("position"))
    assert np.array_equal(positions @ np.concatenate([[1], np.cumprod(dims)[:-1]]), np.arange(n))


@pytest.mark.parametrize(("dims", "k"), [((4,), 1), ((2, 4), 1), ((2, 4), (3, 1)), ((3, 4), (2, 1)), ((2, 2, 3), 1)])
def test_no_halves_are_narrower_than_those_named(dims, k):
    """Every half of the accelerators, one a switch."""
    counts = k if isinstance(k, tuple) else (k,)
    built = build(spec(dims, K="x".join(map(str, counts)), direct="true", rate_gbps=8))
    n, weight = prod(dims), nx.to_numpy_array(built.graph, weight="count")
    least = min(weight[np.ix_(half, np.setdiff1d(np.arange(n), half))].sum() for half in combinations(range(n), n // 2))
    assert bisection(built) == (least, least)
    widths = [c * d for c, d in zip(counts * len(dims) if len(counts) == 1 else counts, dims, strict=True)]
    assert least == n * min(widths) / 4 and built.halves


@pytest.mark.parametrize(("t", "beta"), [(1, 1.0), (2, 1.0), (4, 0.5), (None, 1.0)])
def test_relative_bisection(t, beta):
    """min K S / (2 T) of the accelerators' rate, at most 1 (Ahn et al.); T is 2 of 4x6 by default."""
    built = build(spec((4, 6)) if t is None else spec((4, 6), T=t))
    ends = len(built.accelerators)
    assert ends == 24 * (t or 2)
    low, high = bisection(built)
    assert low == high == beta * ends / 2 * 50


def test_an_odd_narrowest_dimension_has_no_closed_form():
    assert build("hyperx:dims=3x6,T=2").halves == [] and len(build("hyperx:dims=3x6,K=4x1,T=2").halves) == 1


@pytest.mark.parametrize("dims", [(8, 8), (4, 4, 4), (8, 4)])
def test_all_to_all_of_clique_products(dims):
    """(n/S)^2 ordered pairs differ in one way in a dimension of S, over n/S links: each link carries n/S pairs."""
    n = prod(dims)
    found = simulate(spec(dims, direct="true", rate_gbps=8, latency_ns=0), "all-to-all", n * 10**9)
    assert found.routing == "ugal"
    assert found.time_us == pytest.approx(1e6 * n / min(dims), rel=1e-6)  # 1 GB a pair, 1 GB/s a link
    assert found.of_bound == pytest.approx(1)


def test_parts():
    built = build("hyperx:dims=4x4,T=2,switch=qm9700,nic=cx7-400g,technology=pluggable")
    assert built.attribute("part").count("qm9700") == 16
    assert built.graph.nodes["acc-0"]["parts"] == {"cx7-400g": 1}


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("hyperx:dims=4x4,K=1x2x3", ConfigError, "K names 3 dimensions, dims 2; give one for all or one each"),
        ("hyperx:dims=4x4,T=2,direct=true", ConfigError, "T has no effect without direct=false"),
        ("hyperx:dims=4x4,direct=true,switch=qm9700", ConfigError, "switch has no effect without direct=false"),
        ("hyperx:dims=1x1,direct=true", ConfigError, "a single accelerator; give at least 2"),
        ("hyperx:dims=1,T=1", ConfigError, "give at least 2 accelerators"),
        ("hyperx:dims=64x64,switch=qm9700", TopologyError, "126 links to routers and 32 to accelerators exceed the 64"),
        ("hyperx:dims=4096x4096,direct=true", ConfigError, "joined pairs; at most 16,777,216"),
        (f"hyperx:dims={'x'.join(['1'] * 70)}", ConfigError, "70 dimensions; give at most 24"),
        ("hyperx:T=2", ConfigError, "needs dims"),
    ],
)
def test_refused(text, kind, said):
    with pytest.raises(kind) as error:
        build(text)
    assert said in str(error.value) and "\n" not in str(error.value)
