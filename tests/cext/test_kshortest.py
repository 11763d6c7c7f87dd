"""K shortest paths against NetworkX."""

import doctest
from itertools import islice, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _kshortest, k_shortest_paths


def arrays(network):
    """The first four arguments of the kernel."""
    return network.indptr, network.indices, network.twin, network.forwards


def every_pair(n):
    source, target = (~np.eye(n, dtype=bool)).nonzero()
    return source.astype(np.int32), target.astype(np.int32)


def routes(network, source, found):
    """Nodes of every path, pair by pair."""
    pair_ptr, path_ptr, arcs = found
    every = []
    for i, s in enumerate(source.tolist()):
        paths = [arcs[path_ptr[p] : path_ptr[p + 1]] for p in range(pair_ptr[i], pair_ptr[i + 1])]
        every.append([(s, *network.indices[path].tolist()) for path in paths])
        for nodes, path in zip(every[-1], paths, strict=True):
            assert [network.arc[step] for step in pairwise(nodes)] == path.tolist()
    return every


def check(network, source, target, k):
    found = k_shortest_paths(*arrays(network), source, target, k)
    for s, t, paths in zip(source.tolist(), target.tolist(), routes(network, source, found), strict=True):
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert path[-1] == t and len(set(path)) == len(path)
            assert network.forwards[list(path[1:-1])].all()
        usable = network.between(s, t)
        there = nx.has_path(usable, s, t)
        expected = [len(path) for path in islice(nx.shortest_simple_paths(usable, s, t), k)] if there else []
        assert [len(path) for path in paths] == expected


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9), k=st.integers(1, 40))
def test_lengths_agree_with_networkx(randomly, seed, n, k):
    rng = np.random.default_rng(seed)
    network = randomly(rng, n, int(rng.integers(1, 3 * n)), forwarding=0.9)
    check(network, *every_pair(n), k)


@pytest.mark.parametrize(
    "graph",
    [
        nx.random_regular_graph(5, 24, seed=3), nx.cycle_graph(11), nx.barbell_graph(5, 4), nx.petersen_graph(),
        nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 4)), nx.balanced_tree(2, 3), nx.ladder_graph(8),
    ],
    ids=["regular", "cycle", "barbell", "petersen", "grid", "tree", "ladder"],
)  # fmt: skip
def test_graphs_that_mislead_the_estimate(compiled, graph):
    source, target = every_pair(len(graph))
    some = np.random.default_rng(0).choice(len(source), min(40, len(source)), replace=False)
    check(compiled(graph), source[some], target[some], 12)


def test_all_paths_of_a_full_mesh(compiled):
    # 1 direct, 3 by one, 3 x 2 by two, 3 x 2 x 1 by three others
    network = compiled(nx.complete_graph(5))
    pair_ptr, path_ptr, _ = k_shortest_paths(*arrays(network), np.zeros(1, np.int32), np.ones(1, np.int32), 1000)
    assert pair_ptr.tolist() == [0, 16]
    assert np.bincount(np.diff(path_ptr)).tolist() == [0, 1, 3, 6, 6]


def test_long_paths_and_many_of_them_make_room(compiled):
    graph = nx.ladder_graph(300)
    ends = np.array([0], np.int32), np.array([299], np.int32)
    pair_ptr, path_ptr, _ = k_shortest_paths(*arrays(compiled(graph)), *ends, 60)
    assert pair_ptr.tolist() == [0, 60] and np.diff(path_ptr).tolist() == [299] + [301] * 59


def test_threads_and_company_change_nothing(compiled):
    network = compiled(nx.random_regular_graph(6, 60, seed=2))
    source, target = every_pair(60)
    one = k_shortest_paths(*arrays(network), source, target, 8, threads=1)
    other = k_shortest_paths(*arrays(network), source, target, 8, threads=3)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))
    alone = k_shortest_paths(*arrays(network), source[77:78], target[77:78], 8)
    paths = slice(one[0][77], one[0][78])
    assert (np.diff(alone[1]) == np.diff(one[1])[paths]).all()
    assert (alone[2] == one[2][one[1][paths.start] : one[1][paths.stop]]).all()


def test_door(compiled):
    graph = arrays(compiled(nx.complete_graph(3)))
    zero, one = np.zeros(1, np.int32), np.ones(1, np.int32)
    with pytest.raises(ValueError, match="different nodes"):
        k_shortest_paths(*graph, zero, zero, 1)
    with pytest.raises(ValueError, match="k must be"):
        k_shortest_paths(*graph, zero, one, 0)
    with pytest.raises(ValueError, match="target must lie"):
        k_shortest_paths(*graph, zero, one + 3, 1)


def test_examples():
    assert doctest.testmod(_kshortest).failed == 0
