"""Grids: edge counts, wraps, rank order, and the twisted torus's published distances."""

from math import prod

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import ConfigError
from topologies.registry import build
from topologies.torus import twist_shifts

DIMS = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple).filter(lambda d: prod(d) > 1)


def grid(dims, wrap="true", family="torus"):
    suffix = f",wrap={wrap}" if family == "torus" else ""
    return build(f"{family}:dims={'x'.join(map(str, dims))}{suffix}")


@given(DIMS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_torus_has_one_link_a_rank_and_dimension_that_has_a_size(dims):
    built = grid(dims)
    assert built.links == prod(dims) * sum(d > 1 for d in dims)
    assert set(dict(built.graph.degree(weight="count")).values()) == {2 * sum(d > 1 for d in dims)}
    assert nx.diameter(built.graph) == sum(d // 2 for d in dims)


@given(DIMS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_mesh_has_no_wrap(dims):
    built = grid(dims, family="mesh")
    assert built.links == sum(prod(dims) // d * (d - 1) for d in dims)
    expected = nx.grid_graph(dims[::-1])
    found = nx.relabel_nodes(built.graph, nx.get_node_attributes(built.graph, "position"))
    bare = {
        frozenset((a if isinstance(a, tuple) else (a,), b if isinstance(b, tuple) else (b,))) for a, b in expected.edges
    }
    assert {frozenset(e) for e in found.edges} == bare


@given(DIMS)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_rank_order(dims):
    built = grid(dims)
    strides = np.concatenate([[1], np.cumprod(dims)[:-1]])
    positions = np.array(built.attribute("position"))
    assert np.array_equal(positions @ strides, np.arange(prod(dims)))
    assert built.accelerators == built.nodes
    assert built.nodes == ["-".join(map(str, p)) for p in positions.tolist()]


def test_links_run_between_neighbours_only():
    for a, b, edge in grid((4, 3, 2)).graph.edges(data=True):
        steps = [(int(x) - int(y)) % d for x, y, d in zip(a.split("-"), b.split("-"), (4, 3, 2), strict=True)]
        axis = next(i for i, s in enumerate(steps) if s)
        assert sum(map(bool, steps)) == 1 and steps[axis] in (1, (4, 3, 2)[axis] - 1)
        assert edge["count"] == (2 if axis == 2 else 1)


def test_small_dimensions():
    assert dict(build("ring:n=2").graph.edges(["0"])) is not None
    assert build("ring:n=2").graph.edges["0", "1"]["count"] == 2
    assert build("mesh:dims=2").graph.edges["0", "1"]["count"] == 1
    assert grid((1, 4, 1)).links == 4
    assert grid((2, 2), wrap="truexfalse").links == 2 * 2 + 2
    assert grid((4, 4), wrap="truexfalse").links == 16 + 12


def test_published_counts():
    assert build("torus:dims=16x16x16").links == 12288
    assert build("tpu-v5e-256").links == 512
    assert build("ring:n=8").links == 8
    assert build("full-mesh:n=8").links == 28


@pytest.mark.parametrize(
    ("dims", "diameter", "average"),
    [((4, 4, 8), 6, 3.4646), ((4, 8, 8), 6, 4.3294), ((8, 8, 16), 12, 6.9756), ((8, 16), 8, 4 * 170 / 127)],
)
def test_twisted_distances(dims, diameter, average):
    graph = build(f"torus:dims={'x'.join(map(str, dims))},twist=true").graph
    lengths = nx.single_source_shortest_path_length(graph, next(iter(graph)))
    assert max(lengths.values()) == diameter
    assert sum(lengths.values()) / (prod(dims) - 1) == pytest.approx(average, abs=5e-5)


@pytest.mark.parametrize("dims", [(4, 4, 8), (4, 8, 8)])
def test_a_twisted_torus_is_symmetric(dims):
    graph = build(f"torus:dims={'x'.join(map(str, dims))},twist=true").graph
    assert set(dict(graph.degree).values()) == {6} and graph.number_of_edges() == 3 * prod(dims)
    assert set(nx.eccentricity(graph).values()) == {6}
    between = list(nx.edge_betweenness_centrality(graph).values())
    assert min(between) == pytest.approx(max(between), rel=1e-9)
    regular = list(nx.edge_betweenness_centrality(grid(dims).graph).values())
    assert max(regular) > 1.2 * min(regular)


@pytest.mark.parametrize("a", [4, 5, 6])
def test_a_twisted_rectangle_is_symmetric(a):
    """a x 2a: every link carries as many shortest paths as every other, and fewer than the fullest before."""
    graph = build(f"torus:dims={a}x{2 * a},twist=true").graph
    assert set(dict(graph.degree).values()) == {4} and graph.number_of_edges() == 4 * a * a
    between = list(nx.edge_betweenness_centrality(graph).values())
    assert min(between) == pytest.approx(max(between), rel=1e-9)
    assert set(nx.eccentricity(graph).values()) == {a}
    regular = nx.edge_betweenness_centrality(grid((a, 2 * a)).graph)
    assert max(regular.values()) > 1.4 * max(between)


@pytest.mark.parametrize("dims", [(4, 4, 8), (5, 5, 10), (4, 8, 8), (8, 8, 16), (6, 12, 12)])
def test_twist_accepted(dims):
    a = dims[0]
    expected = {0: (0, 0, a), 1: (0, 0, a)} if dims[1] == a else {0: (0, a, a)}
    assert twist_shifts(dims) == expected


@pytest.mark.parametrize(
    "dims", ["8x4x4", "4x8x4", "8x8x4", "4x4x4", "2x2x4", "3x3x6", "8x4", "3x6", "4x4", "4x4x8x8", "4x4x16", "8"]
)
def test_twist_refused(dims):
    with pytest.raises(
        ConfigError, match=f"dims = {dims} cannot be twisted; give them in the order a,2a, a,a,2a or a,2a,2a"
    ):
        build(f"torus:dims={dims},twist=true")


def test_twist_moves_the_wrap():
    edges = build("torus:dims=4x4x8,twist=true").graph.edges
    assert ("3-0-0", "0-0-4") in edges and ("0-3-1", "0-0-5") in edges and ("0-0-7", "0-0-0") in edges
    assert ("3-0-0", "0-0-0") not in edges


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("torus:dims=1x1", "single accelerator"),
        ("torus:dims=4x4,wrap=truextruextrue", "wrap names 3 dimensions, dims 2"),
        ("torus:dims=4x4x8,twist=true,wrap=truextruexfalse", "every dimension wrapped"),
    ],
)
def test_refused(spec, said):
    with pytest.raises(ConfigError, match=said):
        build(spec)


def test_halves_are_halves():
    for half in build("torus:dims=4x6x3").halves:
        assert half.sum() * 2 == len(half) == 72
    assert len(build("torus:dims=4x6x3").halves) == 2
