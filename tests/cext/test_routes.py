"""Arcs of pairs against aggregated loads, path enumeration and a walk of the grid."""

import doctest
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from cext import _grid_routes, _routes, dor_loads, ecmp_loads, grid_routes, shortest_routes

NETWORK = ("indptr", "indices", "weight", "twin", "forwards", "latency", "node_latency")


def pairs_with_paths(network):
    """(source, target, its shortest paths) of all ordered pairs that have any."""
    n = len(network.graph)
    for s in range(n):
        for t in range(n):
            allowed = network.between(s, t)
            if s != t and nx.has_path(allowed, s, t):
                yield s, t, list(nx.all_shortest_paths(allowed, s, t))


def seconds(network, path):
    steps = [network.arc[step] for step in pairwise(path)]
    return network.latency[steps].sum() + network.node_latency[path[1:-1]].sum()


@pytest.mark.parametrize("seed", range(30))
def test_split_is_the_aggregated_load(randomly, seed):
    """Pair by pair what ecmp_loads adds up; the time of its slowest branch by enumeration."""
    rng = np.random.default_rng(seed)
    network = randomly(rng, 10, int(rng.integers(9, 30)), forwarding=(1.0, 0.7, 0.3)[seed % 3])
    found = list(pairs_with_paths(network))
    if not found:
        return
    s, t = (np.array([pair[i] for pair in found], np.int32) for i in (0, 1))
    ptr, arc, share, slowest, missing = shortest_routes(*network.routed(), s, t, threads=1)
    assert missing == -1
    for p, (a, b, paths) in enumerate(found):
        row = slice(ptr[p], ptr[p + 1])
        one = np.array([b], np.int32), np.array([0, 1]), np.array([0], np.int32), np.ones(1)
        sender = np.array([0, 1]), np.array([a], np.int32), np.ones(1)
        loads, *_ = ecmp_loads(*network.routed(), *one, *sender, threads=1)
        assert len(set(arc[row])) == len(arc[row])
        np.testing.assert_allclose(np.bincount(arc[row], share[row], len(loads)), loads, rtol=1e-12)
        assert slowest[p] == pytest.approx(max(seconds(network, path) for path in paths), rel=1e-12)


@pytest.mark.parametrize("pick", ["modulo", "random"])
@pytest.mark.parametrize("seed", range(20))
def test_one_path_is_a_shortest_path(randomly, seed, pick):
    rng = np.random.default_rng(seed)
    network = randomly(rng, 10, int(rng.integers(9, 30)), forwarding=(1.0, 0.6)[seed % 2])
    found = list(pairs_with_paths(network))
    if not found:
        return
    s, t = (np.array([pair[i] for pair in found], np.int32) for i in (0, 1))
    keys = rng.integers(0, 2**63, len(found)).astype(np.uint64)
    ptr, arc, share, took, _ = shortest_routes(*network.routed(), s, t, keys, pick)
    assert share is None
    tails = np.repeat(np.arange(10), np.diff(network.indptr))
    for p, (a, _, paths) in enumerate(found):
        arcs = arc[ptr[p] : ptr[p + 1]]
        path = [a, *network.indices[arcs].tolist()]
        assert path in paths and tails[arcs].tolist() == path[:-1]
        assert took[p] == pytest.approx(seconds(network, path), rel=1e-12)
        if pick == "modulo":
            for u, v in pairwise(path):
                onward = sorted({following[following.index(u) + 1] for following in paths if u in following})
                slots = [w for w in onward for _ in range(int(network.weight[network.arc[u, w]]))]
                assert v == slots[int(keys[p]) % len(slots)]


def test_random_paths_weigh_links_alike(compiled):
    """Two middles with 3 links and 1: three quarters go one way."""
    graph = nx.Graph([(0, 1, {"count": 3}), (0, 2), (1, 3), (2, 3)])
    network = compiled(graph)
    n = 20_000
    ends = np.zeros(n, np.int32), np.full(n, 3, np.int32)
    _, arc, *_ = shortest_routes(*network.routed(), *ends, np.arange(n, dtype=np.uint64), "random")
    assert np.mean(arc == network.arc[0, 1]) * 2 == pytest.approx(0.75, abs=0.02)  # two arcs a path


def test_targets_that_hang_on_one_switch(compiled):
    """A star: host to switch to host, the switch crossed once; switch to host does not cross itself."""
    graph = nx.star_graph(3)
    nx.set_edge_attributes(graph, 1.0, "latency")
    nx.set_edge_attributes(graph, 2.0, "back")
    nx.set_node_attributes(graph, 10.0, "latency")
    for host in (1, 2, 3):
        graph.nodes[host]["forwards"] = False
    network = compiled(graph)
    s, t = np.array([1, 3, 0, 2, 2], np.int32), np.array([2, 2, 2, 0, 2], np.int32)
    ptr, arc, _, took, _ = shortest_routes(*network.routed(), s, t)
    assert np.diff(ptr).tolist() == [2, 2, 1, 1, 0] and took.tolist() == [13, 13, 1, 2, 0]
    assert network.indices[arc].tolist() == [0, 2, 0, 2, 2, 0]


def test_the_first_pair_without_a_path_is_named(compiled):
    network = compiled(nx.Graph([(0, 1), (2, 3)]))
    s, t = np.array([0, 1, 2], np.int32), np.array([1, 3, 0], np.int32)
    *_, missing = shortest_routes(*network.routed(), s, t)
    assert missing == 1


@pytest.mark.parametrize("pick", ["split", "random"])
def test_threads_change_no_bit(randomly, pick):
    rng = np.random.default_rng(3)
    network = randomly(rng, 200, 1500, forwarding=1.0)
    s, t = rng.integers(0, 200, (2, 3000)).astype(np.int32)
    keys = rng.integers(0, 2**63, 3000).astype(np.uint64)
    one, two = (shortest_routes(*network.routed(), s, t, keys, pick, threads) for threads in (1, 2))
    for a, b in zip(one[:4], two[:4], strict=True):
        assert (a is None and b is None) or a.tobytes() == b.tobytes()


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize(("dims", "wraps"), [
    ((4,), (1,)), ((5,), (1,)), ((4, 4), (1, 1)), ((3, 4, 2), (0, 1, 0)), ((1, 6), (1, 1)), ((3, 2), (1, 0)),
])  # fmt: skip
def test_grid_routes_add_up_to_dor_loads(dims, wraps, tie):
    n, k = int(np.prod(dims)), len(dims)
    s, t = (a.ravel().astype(np.int32) for a in np.indices((n, n)))
    arcs = np.arange(n * 2 * k, dtype=np.int32).reshape(n, 2 * k)
    grid = np.array(dims, np.int32), np.array(wraps, np.uint8)
    ptr, arc, share, took = grid_routes(*grid, arcs, np.ones(n * 2 * k), s, t, tie)
    amount = np.random.default_rng(0).random(n * n)
    each = np.repeat(amount, np.diff(ptr)) * (1 if share is None else share)
    loads = dor_loads(*grid, s, t, amount, tie)
    np.testing.assert_allclose(np.bincount(arc, each, n * 2 * k).reshape(n, 2 * k), loads, rtol=1e-12)
    places = np.stack(np.unravel_index(np.arange(n), dims[::-1]))[::-1]
    step = np.abs(places[:, s] - places[:, t])
    size, wrap = np.array(dims)[:, None], np.array(wraps)[:, None]
    assert took.tolist() == np.where(wrap, np.minimum(step, size - step), step).sum(0).tolist()


def test_the_two_links_of_a_wrapped_pair_are_one_arc():
    arcs = np.array([[0, 0], [1, 1]], np.int32)
    ends = np.array([0, 1], np.int32), np.array([1, 0], np.int32)
    ptr, arc, share, _ = grid_routes(np.array([2], np.int32), np.ones(1, np.uint8), arcs, np.zeros(2), *ends)
    assert (ptr.tolist(), arc.tolist(), share) == ([0, 1, 2], [0, 1], None)


def test_malformed_arrays_are_refused(compiled):
    network = compiled(nx.path_graph(3))
    good = dict(zip(NETWORK, network.routed(), strict=True))
    good |= {"source": np.zeros(1, np.int32), "target": np.full(1, 2, np.int32)}
    assert shortest_routes(**good)[1].tolist() == [0, 2]
    for name, wrong in (("source", [3]), ("target", [-1]), ("weight", [0, 1, 1, 1]), ("twin", [0, 1, 2, 3])):
        with pytest.raises(ValueError, match=name):
            shortest_routes(**good | {name: np.array(wrong, good[name].dtype)})
    with pytest.raises(ValueError, match="pick must be one of split"):
        shortest_routes(**good, pick="best")
    with pytest.raises(ValueError, match="key must be given"):
        shortest_routes(**good, pick="random")
    with pytest.raises(ValueError, match="arcs must have shape"):
        grid_routes(np.array([2], np.int32), np.ones(1, np.uint8), np.zeros((1, 2), np.int32), np.zeros(1),
                    good["source"], good["target"])  # fmt: skip


def test_examples_hold():
    for kernel in (_routes, _grid_routes):
        result = doctest.testmod(kernel)
        assert result.attempted > 3 and result.failed == 0
