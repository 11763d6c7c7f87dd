"""Hop distances and components against NetworkX."""

import doctest

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _paths, components, distance_profile, hop_distances


def hops_between(network, s, d):
    """Hops, or -1, by NetworkX."""
    allowed = network.between(s, d)
    return nx.shortest_path_length(allowed, s, d) if nx.has_path(allowed, s, d) else -1


def profile(network, terminals, multiplicity, extra_hops):
    """Plain twin of distance_profile: pair by pair."""
    hop_sum, pair_weight, diameter, unreachable = 0.0, 0.0, 0, (-1, -1)
    for i, s in enumerate(terminals):
        for j, d in enumerate(terminals):
            pairs = multiplicity[i] * multiplicity[j]
            if i == j or pairs == 0:
                continue
            hops = hops_between(network, s, d)
            if hops < 0:
                unreachable = (s, d) if unreachable == (-1, -1) else unreachable
                continue
            length = hops + extra_hops[i] + extra_hops[j]
            hop_sum += pairs * length
            pair_weight += pairs
            diameter = max(diameter, length)
    return hop_sum, pair_weight, diameter, unreachable


def call(network, terminals, multiplicity, extra_hops, threads=0):
    got = distance_profile(
        network.indptr, network.indices, network.twin, network.forwards,
        np.asarray(terminals, np.int32), np.asarray(multiplicity, np.float64),
        np.asarray(extra_hops, np.int32), threads,
    )  # fmt: skip
    return *got[:3], tuple(got[3].tolist())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.sampled_from([1.0, 0.7, 0.3]))
def test_hop_distances_equal_networkx(randomly, seed, n, forwarding):
    rng = np.random.default_rng(seed)
    network = randomly(rng, n, 2 * n, forwarding)
    source = int(rng.integers(n))
    got = hop_distances(network.indptr, network.indices, network.forwards, source)
    assert got.dtype == np.int32
    assert got.tolist() == [hops_between(network, source, d) for d in range(n)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_components_equal_networkx(randomly, seed, n):
    network = randomly(np.random.default_rng(seed), n, n // 2, 0.5)
    label = components(network.indptr, network.indices)
    pieces = sorted(nx.connected_components(network.graph), key=min)
    assert label.tolist() == [next(i for i, piece in enumerate(pieces) if v in piece) for v in range(n)]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 16), st.booleans(), st.sampled_from([1.0, 0.7, 0.3]))
def test_profile_equals_networkx(randomly, seed, n, alike, forwarding):
    rng = np.random.default_rng(seed)
    network = randomly(rng, n, int(2.5 * n), forwarding)
    terminals = rng.permutation(n)[: rng.integers(1, n + 1)].tolist()
    multiplicity = [3] * len(terminals) if alike else rng.integers(0, 4, len(terminals)).tolist()
    extra = [1] * len(terminals) if alike else rng.integers(0, 5, len(terminals)).tolist()
    assert call(network, terminals, multiplicity, extra) == profile(network, terminals, multiplicity, extra)


@pytest.mark.parametrize("alike", [True, False])
def test_profile_of_many_words_equals_networkx(randomly, alike):
    rng = np.random.default_rng(3)
    network = randomly(rng, 110, 350, 0.9)
    terminals = rng.permutation(110)[:100].tolist()
    multiplicity = np.full(100, 2) if alike else rng.integers(1, 4, 100)
    extra = np.ones(100, int) if alike else rng.integers(0, 3, 100)
    assert call(network, terminals, multiplicity, extra) == profile(network, terminals, multiplicity, extra)


def test_threads_change_no_bit(randomly):
    rng = np.random.default_rng(5)
    network = randomly(rng, 900, 3000, 0.9)
    arrays = rng.permutation(900)[:800], rng.random(800), rng.integers(0, 3, 800)
    one = call(network, *arrays, threads=1)
    assert one[0] > 0
    assert all(call(network, *arrays, threads=threads) == one for threads in (0, 2, 3, 16))


@pytest.mark.parametrize("n", [3, 64, 65, 130, 700])
def test_ring_closed_form(compiled, n):
    hop_sum = n * sum(min(x, n - x) for x in range(n))
    assert call(compiled(nx.cycle_graph(n)), range(n), np.ones(n), np.zeros(n)) == (
        hop_sum, n * (n - 1), n // 2, (-1, -1),
    )  # fmt: skip


def test_leaf_spine_with_hosts_equals_its_contraction(compiled):
    leaves, spines, hosts = 5, 3, 4
    contracted = compiled(nx.complete_bipartite_graph(leaves, spines))
    graph = nx.complete_bipartite_graph(leaves, spines)
    for leaf in range(leaves):
        for h in range(hosts):
            graph.add_node(leaves + spines + leaf * hosts + h, forwards=False)
            graph.add_edge(leaf, leaves + spines + leaf * hosts + h)
    n = leaves * hosts
    full = call(compiled(graph), range(leaves + spines, leaves + spines + n), np.ones(n), np.zeros(n))
    small = call(contracted, range(leaves), np.full(leaves, hosts), np.ones(leaves))
    inside = leaves * hosts * (hosts - 1)
    assert full == (small[0] + 2 * inside, small[1] + inside, 4, (-1, -1)) and small[2] == 4


def test_unreachable_pair_is_the_first_and_the_rest_counted(compiled):
    network = compiled(nx.Graph([(0, 1), (2, 3)]))
    assert call(network, [3, 2, 1, 0], np.ones(4), np.zeros(4)) == (4, 4, 1, (3, 1))
    assert call(network, [3, 2, 1, 0], [1, 1, 0, 0], np.zeros(4)) == (2, 2, 1, (-1, -1))
    assert call(network, [], [], []) == (0, 0, 0, (-1, -1))


def test_unreachable_pair_is_the_first_of_many_words(compiled):
    n = 1200
    network = compiled(nx.Graph([(v, v + 1) for v in range(0, n, 2)]))
    assert call(network, range(n), np.ones(n), np.zeros(n)) == (n, n, 1, (0, 2))


def test_end_points_relay_nothing(compiled):
    graph = nx.path_graph(3)
    graph.nodes[1]["forwards"] = False
    assert call(compiled(graph), [0, 1, 2], np.ones(3), np.zeros(3)) == (4, 4, 1, (0, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indptr": np.array([0, 1, 3])}, "indptr"),
        ({"indices": np.array([1, 0, 3, 1], np.int32)}, "indices"),
        ({"twin": np.array([1, 0, 3], np.int32)}, "twin"),
        ({"twin": np.array([0, 1, 2, 3], np.int32)}, "twin"),
        ({"forwards": np.ones(2, np.uint8)}, "forwards"),
        ({"terminals": np.array([0, 3], np.int32)}, "terminals"),
        ({"terminals": np.array([2, 2], np.int32)}, "distinct"),
        ({"multiplicity": np.array([1.0, -1.0])}, "multiplicity"),
        ({"extra_hops": np.zeros(3, np.int32)}, "extra_hops"),
        ({"extra_hops": np.zeros(2)}, "dtype"),
        ({"threads": -1}, "threads"),
    ],
)
def test_malformed_arrays_are_refused(compiled, change, message):
    network = compiled(nx.path_graph(3))
    named = {key: getattr(network, key) for key in ("indptr", "indices", "twin", "forwards")}
    named |= {"terminals": np.array([0, 2], np.int32), "multiplicity": np.ones(2)}
    named |= {"extra_hops": np.zeros(2, np.int32)}
    assert distance_profile(**named)[0] == 4
    with pytest.raises(ValueError, match=message):
        distance_profile(**named | change)


@pytest.mark.parametrize("source", [-1, 3])
def test_a_source_that_is_no_node_is_refused(compiled, source):
    network = compiled(nx.path_graph(3))
    with pytest.raises(ValueError, match="source"):
        hop_distances(network.indptr, network.indices, network.forwards, source)


def test_examples_hold():
    result = doctest.testmod(_paths)
    assert result.attempted > 3 and result.failed == 0
