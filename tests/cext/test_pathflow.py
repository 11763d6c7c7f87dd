"""Concurrent flow on paths against linear programs by HiGHS, closed forms and its own certificates."""

import doctest
from itertools import islice, pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import block_diag, coo_array, csr_array, hstack

from cext import _pathflow, path_concurrent


def arrays(network):
    """The first five arguments of the kernel."""
    return network.indptr, network.indices, network.twin, network.weight, network.forwards


def pairs(*triples):
    """Three arrays of (source, target, amount)."""
    source, target, amount = zip(*triples, strict=True)
    return np.array(source, np.int32), np.array(target, np.int32), np.array(amount, np.float64)


def some_pairs(rng, n, count):
    """Random pairs of different nodes; some occur twice."""
    return pairs(*((*rng.choice(n, 2, replace=False).tolist(), float(rng.integers(1, 5))) for _ in range(count)))


def tails(network):
    return np.repeat(np.arange(len(network.indptr) - 1), np.diff(network.indptr))


def optimum(network, source, target, amount):
    """The largest multiple of the demand that fits, by a flow variable for each pair and arc."""
    V, A = len(network.indptr) - 1, len(network.indices)
    tail, head = tails(network), network.indices
    arc = np.arange(A)
    balance, demand, upper = [], [], []
    for s, t, d in zip(source, target, amount, strict=True):
        balance.append(coo_array((np.r_[np.ones(A), -np.ones(A)], (np.r_[tail, head], np.r_[arc, arc])), (V, A)))
        column = np.zeros((V, 1))
        column[[s, t], 0] = -d, d
        demand.append(column)
        crossing = network.forwards.astype(bool)
        upper.append(np.where((crossing[tail] | (tail == s)) & (crossing[head] | (head == t)), np.inf, 0))
    P = len(balance)
    equal = csr_array(hstack([block_diag(balance), coo_array(np.concatenate(demand))]))
    room = csr_array(hstack([coo_array(np.tile(np.eye(A), P)), coo_array((A, 1))]))
    cost = np.r_[np.zeros(P * A), -1.0]
    bounds = np.stack([np.zeros(P * A + 1), np.r_[np.concatenate(upper), np.inf]], axis=1)
    return -linprog(cost, room, network.weight, equal, np.zeros(P * V), bounds, method="highs").fun


def optimum_on(paths, limit, amount, capacity):
    """The largest multiple of the demand that fits on given paths, each with a limit to its share."""
    pair_ptr, path_ptr, arcs = paths
    N, P = len(path_ptr) - 1, len(pair_ptr) - 1
    use = coo_array((np.ones(len(arcs)), (arcs, np.repeat(np.arange(N), np.diff(path_ptr)))), (len(capacity), N))
    own = coo_array((np.ones(N), (np.repeat(np.arange(P), np.diff(pair_ptr)), np.arange(N))), (P, N))
    room = csr_array(hstack([use, -capacity[:, None]]))
    equal = csr_array(hstack([own, coo_array((P, 1))]))
    bounds = np.stack([np.zeros(N + 1), np.r_[limit, np.inf]], axis=1)
    return 1 / linprog(np.r_[np.zeros(N), 1.0], room, np.zeros(len(capacity)), equal, amount, bounds).fun


def given_paths(network, source, target, k):
    """Up to k shortest loopless paths of each pair, by NetworkX."""
    pair_ptr, path_ptr, arcs = [0], [0], []
    for s, t in zip(source.tolist(), target.tolist(), strict=True):
        for path in islice(nx.shortest_simple_paths(network.between(s, t), s, t), k):
            arcs += [network.arc[step] for step in pairwise(path)]
            path_ptr.append(len(arcs))
        pair_ptr.append(len(path_ptr) - 1)
    return np.array(pair_ptr), np.array(path_ptr), np.array(arcs, np.int32)


def verify(network, demand, found):
    """Every certificate, from nothing but the graph and the answer."""
    source, target, amount = demand
    lengths = np.diff(found.path_ptr)
    np.testing.assert_allclose(np.add.reduceat(found.flow, found.pair_ptr[:-1]), amount, rtol=1e-9)
    assert (found.flow >= 0).all() and (found.length > 0).all()
    pair = np.repeat(np.arange(len(amount)), np.diff(found.pair_ptr))
    surplus = np.zeros((len(amount), len(network.indptr) - 1))
    flow, owner = np.repeat(found.flow, lengths), np.repeat(pair, lengths)
    np.add.at(surplus, (owner, tails(network)[found.path_arc]), flow)
    np.add.at(surplus, (owner, network.indices[found.path_arc]), -flow)
    expected = np.zeros_like(surplus)
    expected[np.arange(len(amount)), source] = amount
    expected[np.arange(len(amount)), target] = -amount
    np.testing.assert_allclose(surplus, expected, atol=1e-9)
    load = np.bincount(found.path_arc, flow, minlength=len(network.indices))
    np.testing.assert_allclose(found.load, load, rtol=1e-12, atol=1e-12)
    assert found.lb == pytest.approx(1 / (load / network.weight).max(), rel=1e-12)
    assert 0 < found.lb <= found.ub
    crossed = network.indices[np.delete(found.path_arc, found.path_ptr[1:] - 1)]
    assert network.forwards[crossed].all()


def dual(network, demand, length):
    """The bound that lengths prove, by Dijkstra's searches of NetworkX."""
    graph = nx.DiGraph()
    graph.add_nodes_from(network.graph)
    for (u, v), a in network.arc.items():
        graph.add_edge(u, v, length=length[a])
    cost = 0.0
    for s, t, d in zip(*(x.tolist() for x in demand), strict=True):
        usable = graph.subgraph(network.between(s, t))
        cost += d * nx.dijkstra_path_length(usable, s, t, weight="length")
    return float(network.weight @ length) / cost


@pytest.mark.parametrize("seed", range(12))
def test_brackets_the_linear_program(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 12))
    network = randomly(rng, n, 3 * n, forwarding=(1.0, 0.8)[seed % 2])
    demand = some_pairs(rng, n, int(rng.integers(1, 8)))
    found = path_concurrent(*arrays(network), *demand, gap=1e-3)
    if found.unreachable[0] >= 0:
        assert not nx.has_path(network.between(*found.unreachable), *found.unreachable)
        assert found.lb == found.ub == 0
        return
    verify(network, demand, found)
    best = optimum(network, *demand)
    assert found.lb <= best * (1 + 1e-7) and found.ub >= best * (1 - 1e-7)
    assert found.gap <= 1e-3
    assert dual(network, demand, found.length) == pytest.approx(found.ub, rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_brackets_the_linear_program_on_given_paths(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 14))
    network = randomly(rng, n, 3 * n, forwarding=1.0)
    largest = max(nx.connected_components(network.graph), key=len)
    demand = some_pairs(rng, n, int(rng.integers(1, 12)))
    inside = np.isin(demand[0], list(largest)) & np.isin(demand[1], list(largest))
    demand = tuple(x[inside] for x in demand)
    if not inside.any():
        demand = pairs((*list(largest)[:2], 1.0))
    paths = given_paths(network, *demand[:2], 5)
    held = np.diff(paths[0])
    amount = np.repeat(demand[2], held)
    limit = amount * np.where(rng.random(len(amount)) < 0.5, 1.5 / np.repeat(held, held), 1.0) if seed % 2 else amount
    if (np.add.reduceat(limit, paths[0][:-1]) < demand[2]).any():
        limit = amount
    found = path_concurrent(*arrays(network), *demand, gap=1e-3, paths=paths, limit=limit)
    verify(network, demand, found)
    assert (found.flow <= limit * (1 + 1e-9)).all()
    best = optimum_on(paths, limit, demand[2], network.weight)
    assert found.lb <= best * (1 + 1e-7) and found.ub >= best * (1 - 1e-7)
    assert found.gap <= 1e-3
    assert all((a == b).all() for a, b in zip(paths, (found.pair_ptr, found.path_ptr, found.path_arc), strict=True))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rounds=st.integers(1, 30))
def test_certificates_hold_whenever_it_stops(randomly, seed, rounds):
    rng = np.random.default_rng(seed)
    network = randomly(rng, 30, 90, forwarding=0.9)
    demand = some_pairs(rng, 30, 20)
    found = path_concurrent(*arrays(network), *demand, gap=1e-9, max_rounds=rounds, k=3)
    if found.unreachable[0] < 0:
        verify(network, demand, found)
        assert dual(network, demand, found.length) == pytest.approx(found.ub, rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-9, 1e12))
def test_units_do_not_matter(randomly, seed, scale):
    rng = np.random.default_rng(seed)
    network = randomly(rng, 12, 40, forwarding=1.0)
    source, target, amount = some_pairs(rng, 12, 6)
    graph = arrays(network)
    one = path_concurrent(*graph, source, target, amount, gap=1e-2)
    other = path_concurrent(*graph[:3], graph[3] * scale, graph[4], source, target, amount * scale, gap=1e-2)
    assert other.lb == pytest.approx(one.lb, rel=2e-2) and other.ub == pytest.approx(one.ub, rel=2e-2)


def test_threads_change_no_bit(compiled):
    network = compiled(nx.random_regular_graph(14, 400, seed=1))  # enough work for a parallel region
    nodes = np.arange(400, dtype=np.int32)
    demand = nodes, np.roll(nodes, 31), np.ones(400)
    one = path_concurrent(*arrays(network), *demand, max_rounds=5, threads=1)
    for threads in (2, 5):
        other = path_concurrent(*arrays(network), *demand, max_rounds=5, threads=threads)
        for a, b in zip(one, other, strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


@pytest.mark.parametrize("n", [8, 16, 64])
def test_permutation_of_a_full_mesh_closed_form(compiled, n):
    # t units leave each node: d of them directly use one link, the others two: d + 2 (t - d) <= n - 1, and d <= 1
    network = compiled(nx.complete_graph(n))
    nodes = np.arange(n, dtype=np.int32)
    found = path_concurrent(*arrays(network), nodes, np.roll(nodes, n // 2), np.ones(n), gap=1e-4, k=n)
    assert found.lb <= n / 2 * (1 + 1e-12) and found.ub >= n / 2 * (1 - 1e-12)
    assert found.gap <= 1e-4


def test_ring_closed_form(compiled):
    # to the other side of a ring, half each way round: 3 units cross each arc
    network = compiled(nx.cycle_graph(6))
    nodes = np.arange(6, dtype=np.int32)
    found = path_concurrent(*arrays(network), nodes, np.roll(nodes, 3), np.ones(6), gap=1e-6)
    assert found.lb == pytest.approx(2 / 3, rel=1e-6) and found.ub == pytest.approx(2 / 3, rel=1e-6)


def test_long_paths(compiled):
    network = compiled(nx.cycle_graph(300))
    found = path_concurrent(*arrays(network), *pairs((0, 140, 1.0)), gap=1e-6)
    assert found.lb == pytest.approx(2, rel=1e-6) and np.diff(found.path_ptr).tolist() == [140, 160]


def test_narrow_links_among_wide_ones(compiled):
    graph = nx.Graph([(0, 1, {"count": 1000}), (1, 2, {"count": 1}), (0, 3, {"count": 7}), (3, 2, {"count": 90000})])
    found = path_concurrent(*arrays(compiled(graph)), *pairs((0, 2, 4.0)), gap=1e-4)
    assert found.lb == pytest.approx(2, rel=1e-3) and found.gap <= 1e-4


def test_two_pairs_share_a_cut(compiled):
    graph = nx.Graph([(0, 2), (1, 2), (2, 3, {"count": 3}), (3, 4, {"count": 9}), (3, 5, {"count": 9})])
    found = path_concurrent(*arrays(compiled(graph)), *pairs((0, 4, 1.0), (1, 5, 0.5)), gap=1e-6)
    assert found.ub == pytest.approx(1, rel=1e-6)


BROKEN = {
    "capacity must be positive": {"capacity": np.zeros(6)},
    "pairs must be at least one": {"amount": np.zeros(1)},
    "different nodes": {"target": np.array([0], np.int32)},
    "source must lie in": {"source": np.array([7], np.int32)},
    "twin must name": {"twin": np.zeros(6, np.int32)},
    "gap must lie": {"gap": 0.0},
    "limit needs paths": {"limit": np.ones(1)},
    "each arc on from the last": {"paths": ([0, 1], [0, 2], [0, 0])},
    "from the source of their pair": {"paths": ([0, 1], [0, 1], [1])},
    "every pair a path": {"paths": ([0, 0], [0], [])},
    "limit must leave room": {"paths": ([0, 1], [0, 1], [0]), "limit": np.array([0.5])},
    "threads must be": {"threads": -1},
}


@pytest.mark.parametrize("message", BROKEN)
def test_door(compiled, message):
    network = compiled(nx.complete_graph(3))
    keys = ("indptr", "heads", "twin", "capacity", "forwards", "source", "target", "amount")
    values = dict(zip(keys, (*arrays(network), *pairs((0, 1, 1.0))), strict=True)) | BROKEN[message]
    positional = [values.pop(key) for key in keys]
    with pytest.raises(ValueError, match=message):
        path_concurrent(*positional, **values)


def test_examples():
    assert doctest.testmod(_pathflow).failed == 0
