"""Automorphisms against NetworkX's isomorphism and a check of every arc; orbits against components of a graph."""

import doctest
from itertools import permutations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _symmetry, orbits, verify_automorphism

I32 = np.int32


def painted(rng, network, colours=2):
    """Random colours of arcs and nodes."""
    return (
        rng.integers(colours, size=network.indices.size).astype(I32),
        rng.integers(colours, size=len(network.graph)).astype(I32),
    )


def image_of(network, arc_colour, node_colour, permutation):
    """Plain twin of verify_automorphism."""
    image = np.full(network.indices.size, -1, I32)
    if (node_colour[permutation] != node_colour).any():
        return None
    for (u, v), a in network.arc.items():
        b = network.arc.get((int(permutation[u]), int(permutation[v])))
        if b is None or arc_colour[a] != arc_colour[b]:
            return None
        image[a] = b
    return image


@pytest.mark.parametrize("seed", range(12))
def test_every_permutation_of_a_small_graph(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    network = randomly(rng, n, int(rng.integers(0, 2 * n)))
    colours = painted(rng, network, 1 + seed % 2)
    found = 0
    for order in permutations(range(n)):
        permutation = np.array(order, I32)
        expected = image_of(network, *colours, permutation)
        got = verify_automorphism(network.indptr, network.indices, *colours, permutation)
        assert (got is None) == (expected is None)
        if expected is not None:
            np.testing.assert_array_equal(got, expected)
            found += 1
    assert found >= 1  # the identity
    if seed % 2 == 0:
        flat = nx.Graph(network.graph)
        assert found == len(list(nx.isomorphism.GraphMatcher(flat, flat).isomorphisms_iter()))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(3, 30))
def test_a_rotation_of_a_circulant_passes_and_its_image_keeps_arcs(compiled, seed, n):
    rng = np.random.default_rng(seed)
    strides = rng.integers(1, n, size=int(rng.integers(1, 4))).tolist()
    network = compiled(nx.circulant_graph(n, strides))
    turn = np.roll(np.arange(n, dtype=I32), -int(rng.integers(n)))
    plain = np.zeros(network.indices.size, I32), np.zeros(n, I32)
    image = verify_automorphism(network.indptr, network.indices, *plain, turn)
    tails = np.repeat(np.arange(n), np.diff(network.indptr))
    np.testing.assert_array_equal(tails[image], turn[tails])
    np.testing.assert_array_equal(network.indices[image], turn[network.indices])
    np.testing.assert_array_equal(image[network.twin], network.twin[image])
    assert sorted(image) == list(range(image.size))


def test_colours_break_a_symmetry(compiled):
    network = compiled(nx.cycle_graph(4))
    turn = np.array([1, 2, 3, 0], I32)
    plain = np.zeros(8, I32), np.zeros(4, I32)
    assert verify_automorphism(network.indptr, network.indices, *plain, turn) is not None
    one_way = plain[0].copy()
    one_way[network.arc[0, 1]] = 1
    assert verify_automorphism(network.indptr, network.indices, one_way, plain[1], turn) is None
    assert verify_automorphism(network.indptr, network.indices, plain[0], np.array([1, 0, 0, 0], I32), turn) is None


@pytest.mark.parametrize("wrong", [[0, 0, 1, 2], [0, 1, 2, 4], [-1, 0, 1, 2], [1, 0, 2, 3]])
def test_what_is_no_automorphism_is_refused(compiled, wrong):
    network = compiled(nx.star_graph(3))
    plain = np.zeros(6, I32), np.zeros(4, I32)
    assert verify_automorphism(network.indptr, network.indices, *plain, np.array(wrong, I32)) is None


def test_parallel_arcs_are_refused():
    twice = np.array([0, 2, 4]), np.array([1, 1, 0, 0], I32)
    with pytest.raises(ValueError, match="names a head twice"):
        verify_automorphism(*twice, np.zeros(4, I32), np.zeros(2, I32), np.array([0, 1], I32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indptr": np.array([0, 1, 3, 5])}, "indptr"),
        ({"heads": np.array([1, 0, 3, 1], I32)}, "indices"),
        ({"arc_colour": np.zeros(3, I32)}, "arc_colour"),
        ({"node_colour": np.zeros(4, I32)}, "node_colour"),
        ({"permutation": np.zeros(4, I32)}, "permutation"),
        ({"permutation": np.zeros(3)}, "dtype"),
    ],
)
def test_malformed_arrays_are_refused(compiled, change, message):
    network = compiled(nx.path_graph(3))
    named = {"indptr": network.indptr, "heads": network.indices, "arc_colour": np.zeros(4, I32)}
    named |= {"node_colour": np.zeros(3, I32), "permutation": np.array([2, 1, 0], I32)}
    assert verify_automorphism(**named).tolist() == [3, 2, 1, 0]
    with pytest.raises(ValueError, match=message):
        verify_automorphism(**named | change)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), items=st.integers(0, 50), maps=st.integers(0, 4))
def test_orbits_are_the_components_of_all_images(seed, items, maps):
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(maps):
        image = np.arange(items, dtype=I32)
        some = rng.choice(items, size=min(items, 4), replace=False) if items else np.array([], int)
        image[some] = np.roll(some, 1)
        images.append(image)
    graph = nx.Graph([(i, int(image[i])) for image in images for i in range(items)])
    graph.add_nodes_from(range(items))
    label = orbits(images, items)
    expected = np.full(items, -1)
    for k, members in enumerate(sorted(nx.connected_components(graph), key=min)):
        expected[list(members)] = k
    np.testing.assert_array_equal(label, expected)


@pytest.mark.parametrize(
    ("images", "items", "message"),
    [
        ([np.zeros(2, I32)], 3, "image"),
        ([np.array([3, 0, 1], I32)], 3, "image"),
        ([np.array([-1, 0, 1], I32)], 3, "image"),
        ([np.zeros(3)], 3, "dtype"),
        ([], -1, "items"),
    ],
)
def test_malformed_images_are_refused(images, items, message):
    with pytest.raises(ValueError, match=message):
        orbits(images, items)


def test_examples_hold():
    result = doctest.testmod(_symmetry)
    assert result.attempted > 3 and result.failed == 0
