"""ECMP link loads against path enumeration, conservation and closed forms."""

import doctest
from dataclasses import replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cext import _loads, ecmp_loads
from cext._lanes import lane_loads

KEYS = ("destinations", "entry_ptr", "entry_list", "entry_scale", "list_ptr", "list_source", "list_amount")


def demand_arrays(destinations, entries, lists):
    """Arrays of: destinations; per destination [(list, scale)]; per list [(source, amount)]."""
    flat = [entry for group in entries for entry in group]
    rows = [row for group in lists for row in group]
    return (
        np.array(destinations, np.int32),
        np.cumsum([0] + [len(group) for group in entries], dtype=np.int64),
        np.array([entry[0] for entry in flat], np.int32),
        np.array([entry[1] for entry in flat], np.float64),
        np.cumsum([0] + [len(group) for group in lists], dtype=np.int64),
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.float64),
    )


def uniform(nodes, amount=1.0):
    """One list for all: amount between every ordered pair."""
    return demand_arrays(nodes, [[(0, 1.0)]] * len(nodes), [[(s, amount) for s in nodes]])


def random_demand(rng, n):
    """Overlapping lists, repeated sources, repeated destinations, zeros."""

    def source():
        return int(rng.integers(n)), float(rng.choice([0.0, 1.0, rng.random()]))

    lists = [[source() for _ in range(rng.integers(0, n))] for _ in range(rng.integers(1, 5))]

    def entry():
        return int(rng.integers(len(lists))), float(rng.choice([0.0, 0.5, 2.0]))

    destinations = rng.integers(n, size=rng.integers(1, 12)).tolist()
    entries = [[entry() for _ in range(rng.integers(0, 4))] for _ in destinations]
    return destinations, entries, lists


def pairs_of(destinations, entries, lists):
    """[(place of the destination, s, d, amount)] of all demand."""
    pairs = []
    for place, d in enumerate(destinations):
        amounts = {}
        for name, scale in entries[place]:
            for s, amount in lists[name]:
                amounts[s] = amounts.get(s, 0.0) + scale * amount
        pairs += [(place, s, d, amount) for s, amount in amounts.items() if s != d and amount]
    return pairs


def enumerate_paths(network, pairs):
    """Plain twin of ecmp_loads: every shortest path of every pair, by NetworkX."""
    loads = np.zeros(network.indices.size)
    slowest, hop_sum, total, missing = 0.0, 0.0, 0.0, []
    for place, s, d, amount in pairs:
        allowed = network.between(s, d)
        if not nx.has_path(allowed, s, d):
            missing.append((place, s, d))
            continue
        paths = list(nx.all_shortest_paths(allowed, s, d))
        onward = {}
        for path in paths:
            for u, v in pairwise(path):
                onward.setdefault(u, set()).add(v)
        for path in paths:
            steps = [network.arc[step] for step in pairwise(path)]
            share = amount
            for u, a in zip(path, steps, strict=False):
                share *= network.weight[a] / sum(network.weight[network.arc[u, v]] for v in onward[u])
            for a in steps:
                loads[a] += share
            seconds = network.latency[steps].sum() + network.node_latency[path[1:-1]].sum()
            slowest = max(slowest, float(seconds))
        hop_sum += amount * (len(paths[0]) - 1)
        total += amount
    return loads, slowest, hop_sum / total if total else 0.0, missing


@pytest.mark.parametrize("seed", range(60))
def test_equals_path_enumeration(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    network = randomly(rng, n, int(rng.integers(1, 3 * n)), forwarding=(1.0, 0.7, 0.3)[seed % 3])
    demand = random_demand(rng, n)
    loads, slowest, hops, missing = enumerate_paths(network, pairs_of(*demand))
    got = ecmp_loads(*network.routed(), *demand_arrays(*demand))
    np.testing.assert_allclose(got[0], loads, rtol=1e-12, atol=1e-14)
    assert got[1:3] == pytest.approx((slowest, hops), rel=1e-12)
    if missing:
        first = min(place for place, _, _ in missing)
        assert tuple(got[3].tolist()) in {(s, d) for place, s, d in missing if place == first}
    else:
        assert got[3].tolist() == [-1, -1]


def lanes(network, demand, threads=1):
    """What ecmp_loads asks of lane_loads: reverse loads and sums, or None."""
    degrees = np.diff(network.indptr)
    first = np.repeat(network.indptr[:-1], degrees)
    tails = np.repeat(np.arange(degrees.size), degrees)
    even = np.ones(degrees.size, bool)
    even[tails[network.weight != network.weight[first]]] = False
    back = np.where(even[network.indices], 1.0, network.weight[network.twin])
    return lane_loads(
        network.indptr, network.indices, None if even.all() else back, network.forwards, network.latency[network.twin],
        network.node_latency, *demand, threads,
    )  # fmt: skip


def check_lanes(network, demand):
    """Eight at once against path enumeration."""
    loads, slowest, hops, missing = enumerate_paths(network, pairs_of(*demand))
    found = lanes(network, demand_arrays(*demand))
    assert found is not None
    np.testing.assert_allclose(found[0][network.twin], loads, rtol=1e-12, atol=1e-14)
    total = sum(s["amount"] for s in found[1])
    assert max(s["seconds"] for s in found[1]) == pytest.approx(slowest, rel=1e-12)
    assert sum(s["amount_hops"] for s in found[1]) == pytest.approx(hops * total, rel=1e-12)
    first = next(((s["source"], s["target"]) for s in found[1] if s["source"] >= 0), None)
    assert (first is None) == (not missing)
    if missing:
        place = min(place for place, _, _ in missing)
        assert first in {(s, d) for at, s, d in missing if at == place}


@pytest.mark.parametrize("seed", range(40))
def test_eight_at_once_equal_path_enumeration(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 12))
    network = randomly(rng, n, int(rng.integers(1, 3 * n)), forwarding=(1.0, 0.7, 0.3)[seed % 3])
    demand = random_demand(rng, n)
    arrays = demand_arrays(*demand)
    if network.indices.size and all(a.size for a in arrays) and lanes(network, arrays) is not None:
        check_lanes(network, demand)


def test_searches_that_differ_are_told_apart(compiled):
    """Eight twins on one end of a path go together; places all along it do not, and are then routed one by one."""
    graph = nx.path_graph(40)
    graph.add_edges_from((0, leaf) for leaf in range(40, 48))
    network = compiled(graph)
    sources = [[(s, 1.0 + s) for s in range(48)]]
    apart = list(range(0, 40, 5))
    both = [*range(40, 48), *apart]
    assert lanes(network, demand_arrays(apart, [[(0, 1.0)]] * 8, sources)) is None
    check_lanes(network, (both, [[(0, 1.0)]] * 16, sources))


@pytest.mark.parametrize("weights", ["even", "uneven"])
def test_a_fat_tree_goes_eight_at_once(compiled, weights):
    """Leaves of a 3-tier tree: as one by one, for any number of threads; 44 destinations fill no lane evenly."""
    graph = nx.Graph()
    for pod in range(11):
        for j in range(2):
            graph.add_edges_from([(("leaf", pod, i), ("spine", pod, j)) for i in range(4)], count=1)
            for c in range(2):
                graph.add_edge(("spine", pod, j), ("core", j, c), count=1 if weights == "even" else 1 + c, latency=j)
    graph = nx.convert_node_labels_to_integers(graph, label_attribute="name")
    network = compiled(graph)
    leaves = [v for v in graph if graph.nodes[v]["name"][0] == "leaf"]
    demand = uniform(leaves)
    assert lanes(network, demand) is not None
    one, two = (ecmp_loads(*network.routed(), *demand, threads=t) for t in (1, 3))
    assert np.array_equal(one[0], two[0]) and one[1:3] == two[1:3]
    singly = sum(ecmp_loads(*network.routed(), *demand_arrays([d], [[(0, 1.0)]], [[(s, 1.0) for s in leaves]]))[0]
                 for d in leaves)  # fmt: skip
    np.testing.assert_allclose(one[0], singly, rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_equal_times_need_no_search_for_the_slowest(randomly, seed):
    """Where all links take as long as each other, and all nodes that forward, hops say it all."""
    rng = np.random.default_rng(seed)
    network = randomly(rng, 20, 45)
    plain = replace(network, latency=np.full(network.latency.size, 3.0), node_latency=np.full(20, 0.5))
    plain.node_latency[plain.forwards == 0] = 9.0
    near = replace(plain, latency=plain.latency.copy())
    near.latency[:1] *= 1 + 1e-13
    found, timed = (ecmp_loads(*n.routed(), *uniform(list(range(20)))) for n in (plain, near))
    assert found[1] == pytest.approx(timed[1], rel=1e-12)
    np.testing.assert_array_equal(found[0], timed[0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 40))
def test_flow_is_conserved(randomly, seed, n):
    rng = np.random.default_rng(seed)
    network = randomly(rng, n, 3 * n)
    demand = random_demand(rng, n)
    loads, _, hops, _ = ecmp_loads(*network.routed(), *demand_arrays(*demand))
    surplus, carried, total = np.zeros(n), 0.0, 0.0
    for _, s, d, amount in pairs_of(*demand):
        allowed = network.between(s, d)
        if nx.has_path(allowed, s, d):
            surplus[[s, d]] += amount, -amount
            carried += amount * nx.shortest_path_length(allowed, s, d)
            total += amount
    tails = np.repeat(np.arange(n), np.diff(network.indptr))
    out = np.bincount(tails, loads, n) - np.bincount(network.indices, loads, n)
    np.testing.assert_allclose(out, surplus, atol=1e-9)
    assert loads.sum() == pytest.approx(carried, rel=1e-9)
    assert hops * total == pytest.approx(carried, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_of_nodes_do_not_matter(randomly, compiled, seed):
    rng = np.random.default_rng(seed)
    network = randomly(rng, 20, 50)
    for u, v in network.graph.edges:
        network.graph.edges[u, v]["back"] = network.graph.edges[u, v]["latency"]
    network = compiled(network.graph)
    name = dict(enumerate(rng.permutation(20).tolist()))
    renamed = compiled(nx.relabel_nodes(network.graph, name))
    destinations, entries, lists = random_demand(rng, 20)
    moved = [[(name[s], amount) for s, amount in group] for group in lists]
    before = ecmp_loads(*network.routed(), *demand_arrays(destinations, entries, lists))
    after = ecmp_loads(*renamed.routed(), *demand_arrays([name[d] for d in destinations], entries, moved))
    for (u, v), a in network.arc.items():
        assert after[0][renamed.arc[name[u], name[v]]] == pytest.approx(before[0][a], rel=1e-12, abs=1e-14)
    assert after[1:3] == pytest.approx(before[1:3])


@pytest.mark.parametrize("destinations", [1, 3, 8, 301])
def test_threads_change_no_bit(randomly, destinations):
    rng = np.random.default_rng(7)
    network = randomly(rng, 400, 2500, forwarding=0.9)
    lists = [[(s, float(rng.random())) for s in range(400)]]
    entries = [[(0, float(rng.random()))] for _ in range(destinations)]
    demand = demand_arrays(list(range(destinations)), entries, lists)
    one = ecmp_loads(*network.routed(), *demand, threads=1)
    assert one[0].any()
    for threads in (0, 2, 3, 16):
        other = ecmp_loads(*network.routed(), *demand, threads=threads)
        assert other[0].tobytes() == one[0].tobytes()
        assert other[1:3] == one[1:3] and other[3].tolist() == one[3].tolist()


@pytest.mark.parametrize("n", [3, 4, 7, 10])
def test_ring_closed_form(compiled, n):
    loads, _, hops, _ = ecmp_loads(*compiled(nx.cycle_graph(n)).routed(), *uniform(range(n)))
    half = (n - 1) // 2
    each = half * (half + 1) / 2 + (n / 4 if n % 2 == 0 else 0)
    np.testing.assert_allclose(loads, each)
    assert hops == pytest.approx(2 * each / (n - 1))


def test_full_mesh_closed_form(compiled):
    loads, slowest, hops, _ = ecmp_loads(*compiled(nx.complete_graph(9)).routed(), *uniform(range(9), 0.5))
    assert (loads == 0.5).all() and slowest == 0 and hops == 1


@pytest.mark.parametrize("dims", [[4, 4], [5, 5], [4, 4, 4]])
def test_cubic_torus_closed_form(compiled, dims):
    graph = nx.convert_node_labels_to_integers(nx.grid_graph(dims, periodic=True))
    loads, _, hops, _ = ecmp_loads(*compiled(graph).routed(), *uniform(range(len(graph))))
    ring = sum(min(x, dims[0] - x) for x in range(dims[0])) / 2
    np.testing.assert_allclose(loads, len(graph) / dims[0] * ring)
    assert hops == pytest.approx(2 * len(dims) * len(graph) / dims[0] * ring / (len(graph) - 1))


def test_leaf_spine_closed_form(compiled):
    leaves, spines, hosts = 6, 4, 5
    graph = nx.complete_bipartite_graph(leaves, spines)
    nx.set_edge_attributes(graph, 2.0, "latency")
    nx.set_edge_attributes(graph, 3.0, "back")
    nx.set_node_attributes(graph, 10.0, "latency")
    loads, slowest, hops, _ = ecmp_loads(*compiled(graph).routed(), *uniform(range(leaves), hosts * hosts))
    np.testing.assert_allclose(loads, hosts * hosts * (leaves - 1) / spines)
    assert (slowest, hops) == (15.0, 2.0)


def test_parallel_links_take_their_share(compiled):
    graph = nx.Graph([(0, 1, {"count": 3}), (0, 2), (1, 3), (2, 3)])
    network = compiled(graph)
    loads = ecmp_loads(*network.routed(), *demand_arrays([3], [[(0, 1.0)]], [[(0, 8.0)]]))[0]
    assert [loads[network.arc[a]] for a in ((0, 1), (0, 2), (1, 3), (2, 3))] == [6, 2, 6, 2]
    assert loads.sum() == 16


def test_dual_homed_end_points_use_both_links_and_relay_nothing(compiled):
    graph = nx.Graph([(h, switch) for h in (2, 3) for switch in (0, 1)])
    for host in (2, 3):
        graph.nodes[host]["forwards"] = False
    network = compiled(graph)
    loads = ecmp_loads(*network.routed(), *demand_arrays([3], [[(0, 1.0)]], [[(2, 4.0)]]))[0]
    assert [loads[network.arc[a]] for a in ((2, 0), (2, 1), (0, 3), (1, 3))] == [2, 2, 2, 2]
    across = ecmp_loads(*network.routed(), *demand_arrays([1], [[(0, 1.0)]], [[(0, 4.0)]]))
    assert not across[0].any() and across[3].tolist() == [0, 1]


def test_unreachable_demand_is_named_once_and_the_rest_carried(compiled):
    graph = nx.Graph([(0, 1), (2, 3)])
    demand = demand_arrays([1, 3, 0], [[(0, 1.0)]] * 3, [[(0, 1.0), (2, 5.0)]])
    loads, _, hops, unreachable = ecmp_loads(*compiled(graph).routed(), *demand)
    assert loads.tolist() == [1, 0, 5, 0] and hops == 1 and unreachable.tolist() == [2, 1]


def test_unreachable_is_the_first_by_place(compiled):
    graph = nx.empty_graph(22)
    graph.add_edge(0, 1)
    demand = demand_arrays([1, *range(21, 1, -1)], [[(0, 1.0)]] * 21, [[(0, 1.0)]])
    assert ecmp_loads(*compiled(graph).routed(), *demand)[3].tolist() == [0, 21]
    nowhere = demand_arrays(list(range(21, 1, -1)), [[(0, 1.0)]] * 20, [[(1, 1.0), (0, 1.0)]])
    assert ecmp_loads(*compiled(graph).routed(), *nowhere)[3].tolist() == [1, 21]


def test_no_demand_is_no_load(compiled):
    network = compiled(nx.path_graph(3))
    zero = demand_arrays([2], [[(0, 1.0)]], [[(0, 0.0), (2, 9.0)]])
    for demand in (zero, demand_arrays([], [], [])):
        loads, slowest, hops, unreachable = ecmp_loads(*network.routed(), *demand)
        assert loads.tolist() == [0] * 4 and (slowest, hops, unreachable.tolist()) == (0, 0, [-1, -1])


def test_read_only_arrays_are_taken(compiled):
    arrays = (*compiled(nx.cycle_graph(4)).routed(), *uniform(range(4)))
    for array in arrays:
        array.setflags(write=False)
    np.testing.assert_allclose(ecmp_loads(*arrays)[0], 2.0)


BROKEN = {
    "indptr": [0, 3, 2, 4], "indices": [1, 0, 9, 1], "weight": [1, 0, 1, 1], "twin": [0, 1, 2, 3],
    "forwards": [1, 1], "latency": [0, -1, 0, 0], "node_latency": [0, 0, float("nan")], "destinations": [3],
    "entry_ptr": [0, 2], "entry_list": [1], "entry_scale": [-1.0], "list_ptr": [1, 1], "list_source": [-1],
    "list_amount": [float("inf")],
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_arrays_are_refused(compiled, name):
    network = compiled(nx.path_graph(3))
    named = {field: getattr(network, field) for field in network.__slots__ if field not in ("graph", "arc")}
    named |= dict(zip(KEYS, demand_arrays([2], [[(0, 1.0)]], [[(0, 1.0)]]), strict=True))
    assert ecmp_loads(**named)[0].sum() == 2
    with pytest.raises(ValueError, match=name):
        ecmp_loads(**named | {name: np.array(BROKEN[name], named[name].dtype)})
    with pytest.raises(ValueError, match="dtype"):
        ecmp_loads(**named | {name: named[name].astype(np.int16)})


def test_negative_threads_are_refused(compiled):
    with pytest.raises(ValueError, match="threads"):
        ecmp_loads(*compiled(nx.path_graph(3)).routed(), *uniform(range(3)), threads=-1)


def test_examples_hold():
    result = doctest.testmod(_loads)
    assert result.attempted > 3 and result.failed == 0
