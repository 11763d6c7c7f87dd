"""Cuts against brute force over all sets of nodes, NetworkX's maximum flow, and closed forms."""

import doctest
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _cuts, cut_ratio, max_flow, min_connectivity


def arrays(network, capacity=None):
    """The first four arguments: counts as capacities unless given by arc."""
    whole = network.weight.astype(np.int64) if capacity is None else np.asarray(capacity, np.int64)
    return network.indptr, network.indices, network.twin, whole


def some(nodes):
    return np.array(nodes, np.int32)


def leaving(network, capacity):
    """int64[2^V]: capacity out of every set of nodes, by the bits of its name."""
    n = len(network.graph)
    sets = np.arange(2**n)
    total = np.zeros(2**n, np.int64)
    for (u, v), a in network.arc.items():
        total += np.where((sets >> u & 1) & ~(sets >> v) & 1, capacity[a], 0)
    return sets, total


def members(cut):
    return int((cut.astype(np.int64) << np.arange(len(cut))).sum())


def drawn(randomly, seed, largest=11):
    """A random network with capacities of both directions, perhaps 0 or in pieces, and some nodes that compute."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, largest))
    network = randomly(rng, n, int(rng.integers(1, 3 * n)))
    capacity = rng.integers(0 if seed % 4 == 0 else 1, 9, len(network.indices))
    if seed % 3 == 0:
        capacity = np.maximum(capacity, capacity[network.twin])
    compute = some(np.sort(rng.permutation(n)[: rng.integers(2, n + 1)]))
    return rng, network, capacity.astype(np.int64), compute


def brute_ratio(network, capacity, compute, sinks):
    sets, total = leaving(network, capacity)
    held = sum(sets >> int(v) & 1 for v in compute)
    fair = (held > 0) & np.any([(sets >> int(v) & 1) == 0 for v in sinks], axis=0)
    return min(Fraction(int(b), int(k)) for b, k in zip(total[fair], held[fair], strict=True))


@pytest.mark.parametrize("seed", range(120))
def test_ratio_equals_brute_force_over_all_cuts(randomly, seed):
    rng, network, capacity, compute = drawn(randomly, seed)
    sinks = compute if seed % 2 else some(rng.permutation(compute)[: rng.integers(1, len(compute) + 1)])
    p, q, cut = cut_ratio(*arrays(network, capacity), compute, sinks)
    assert Fraction(p, q) == brute_ratio(network, capacity, compute, sinks)
    _, total = leaving(network, capacity)
    assert Fraction(int(total[members(cut)]), int(cut[compute].sum())) == Fraction(p, q)
    assert not cut[sinks].all()


@pytest.mark.parametrize("seed", range(4))
def test_ratio_of_14_nodes_equals_brute_force(randomly, seed):
    rng = np.random.default_rng(seed)
    network = randomly(rng, 14, 30)
    compute = some(np.sort(rng.permutation(14)[:9]))
    p, q, _ = cut_ratio(*arrays(network), compute, compute)
    assert Fraction(p, q) == brute_ratio(network, network.weight.astype(np.int64), compute, compute)


@pytest.mark.parametrize("seed", range(60))
def test_the_cut_is_the_smallest_around_its_sink(randomly, seed):
    _, network, capacity, compute = drawn(randomly, seed, 9)
    p, q, cut = cut_ratio(*arrays(network, capacity), compute, compute)
    sets, total = leaving(network, capacity)
    held = sum(sets >> int(v) & 1 for v in compute)
    tight = sets[(held > 0) & (held < len(compute)) & (total * q == held * p)]
    inner = [~int(s) & (len(sets) - 1) for s in tight]
    own = ~members(cut) & (len(sets) - 1)
    assert own in inner and not any(other & own == other and other != own for other in inner if p)


@pytest.mark.parametrize("seed", range(80))
def test_flow_and_its_cut_equal_networkx(randomly, seed):
    rng, network, capacity, _ = drawn(randomly, seed, 14)
    n = len(network.graph)
    mixed = rng.permutation(n)
    split = int(rng.integers(1, n))
    sources, sinks = mixed[: rng.integers(1, split + 1)], mixed[split : split + rng.integers(1, 4)]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from(((u, v, int(capacity[a])) for (u, v), a in network.arc.items()), "capacity")
    graph.add_edges_from([("s", int(v)) for v in sources] + [(int(v), "t") for v in sinks])
    value, side = max_flow(*arrays(network, capacity), some(sources), some(sinks))
    assert value == nx.maximum_flow_value(graph, "s", "t")
    assert side[sources].all() and not side[sinks].any()
    out = sum(int(capacity[a]) for (u, v), a in network.arc.items() if side[u] and not side[v])
    assert out == value


@pytest.mark.parametrize("seed", range(80))
def test_connectivity_is_the_least_flow(randomly, seed):
    _, network, capacity, compute = drawn(randomly, seed, 14)
    graph = arrays(network, capacity)
    flows = [max_flow(*graph, compute[:1], some([v]))[0] for v in compute[1:]]
    value, side = min_connectivity(*graph, int(compute[0]), compute[1:])
    assert value == min(flows)
    assert side[compute[0]] and not side[compute].all()
    assert sum(int(capacity[a]) for (u, v), a in network.arc.items() if side[u] and not side[v]) == value


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), factor=st.integers(2, 1000))
def test_ratio_scales_and_never_falls_when_a_link_widens(randomly, seed, factor):
    rng, network, capacity, compute = drawn(randomly, seed, 16)
    p, q, _ = cut_ratio(*arrays(network, capacity), compute, compute)
    assert Fraction(*cut_ratio(*arrays(network, capacity * factor), compute, compute)[:2]) == Fraction(p, q) * factor
    capacity[rng.integers(len(capacity))] += 1
    assert Fraction(*cut_ratio(*arrays(network, capacity), compute, compute)[:2]) >= Fraction(p, q)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_sink_alone_or_all_at_once(randomly, seed):
    _, network, capacity, compute = drawn(randomly, seed, 40)
    alone = min(Fraction(*cut_ratio(*arrays(network, capacity), compute, some([v]))[:2]) for v in compute)
    assert alone == Fraction(*cut_ratio(*arrays(network, capacity), compute, compute)[:2])


@pytest.mark.parametrize(
    ("graph", "ratio"),
    [
        (nx.cycle_graph(50), Fraction(2, 49)),
        (nx.path_graph(9), Fraction(1, 8)),
        (nx.complete_graph(20), Fraction(1)),
        (nx.convert_node_labels_to_integers(nx.grid_graph([4, 4, 4], periodic=True)), Fraction(2, 21)),
        (nx.convert_node_labels_to_integers(nx.grid_graph([16, 16, 16], periodic=True)), Fraction(2, 1365)),
        (nx.convert_node_labels_to_integers(nx.grid_graph([40, 3], periodic=False)), Fraction(2, 119)),
        (nx.random_regular_graph(16, 1024, seed=3), Fraction(16, 1023)),
    ],
)
def test_ratio_closed_forms(compiled, graph, ratio):
    compute = some(range(len(graph)))
    assert Fraction(*cut_ratio(*arrays(compiled(graph)), compute, compute)[:2]) == ratio


def test_a_star_and_a_cut_through_the_middle(compiled):
    star = compiled(nx.star_graph(300))
    p, q, cut = cut_ratio(*arrays(star), some(range(1, 301)), some(range(1, 301)))
    assert (p, q, int((cut == 0).sum())) == (1, 299, 1)
    barbell = compiled(nx.barbell_graph(30, 0))
    p, q, cut = cut_ratio(*arrays(barbell), some(range(60)), some(range(60)))
    assert (p, q) == (1, 30) and int(cut.sum()) == 30


def test_nothing_joins_two_pieces(compiled):
    network = compiled(nx.Graph([(0, 1), (2, 3)]))
    p, q, cut = cut_ratio(*arrays(network), some(range(4)), some(range(4)))
    assert (p, q) == (0, 1) and cut.sum() == 2
    assert min_connectivity(*arrays(network), 0, some([1, 2]))[0] == 0
    assert max_flow(*arrays(network), some([0]), some([3]))[0] == 0


def test_large_rates_stay_exact(compiled):
    network = compiled(nx.cycle_graph(101))
    wide = np.full(202, 2**40 + 1)
    p, q, _ = cut_ratio(*arrays(network, wide), some(range(101)), some(range(101)))
    assert Fraction(p, q) == Fraction(2 * (2**40 + 1), 100)
    with pytest.raises(ValueError, match="capacity"):
        max_flow(*arrays(network, np.full(202, 2**60)), some([0]), some([1]))
    with pytest.raises(ValueError, match="compute nodes"):
        cut_ratio(*arrays(network, np.r_[2**60, 2**60 - 300, np.ones(200, int)]), some(range(101)), some(range(101)))


def test_a_node_may_not_be_on_both_sides(compiled):
    graph = arrays(compiled(nx.path_graph(3)))
    with pytest.raises(ValueError, match="sources and sinks"):
        max_flow(*graph, some([0, 1]), some([1, 2]))
    with pytest.raises(ValueError, match="sinks"):
        min_connectivity(*graph, 0, some([0, 1]))
    with pytest.raises(ValueError, match="compute"):
        cut_ratio(*graph, some([0, 1]), some([2]))
    with pytest.raises(ValueError, match="compute"):
        cut_ratio(*graph, some([0]), some([0]))


BROKEN = {
    "indptr": [0, 3, 2, 4], "indices": [1, 0, 9, 1], "twin": [0, 1, 2, 3], "capacity": [1, -1, 1, 1],
    "sources": [3], "sinks": [2, 2],
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_arrays_are_refused(compiled, name):
    graph = dict(zip(("indptr", "indices", "twin", "capacity"), arrays(compiled(nx.path_graph(3))), strict=True))
    named = graph | {"sources": some([0]), "sinks": some([2])}
    assert max_flow(**named)[0] == 1
    with pytest.raises(ValueError, match=name):
        max_flow(**named | {name: np.array(BROKEN[name], named[name].dtype)})
    with pytest.raises(ValueError, match="dtype"):
        max_flow(**named | {name: named[name].astype(np.int16)})


def test_examples_hold():
    result = doctest.testmod(_cuts)
    assert result.attempted > 3 and result.failed == 0
