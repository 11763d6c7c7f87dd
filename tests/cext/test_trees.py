"""Loads of single paths: D-mod-K walked pair by pair; hashed flows against their law."""

import doctest

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, chisquare

from cext import _trees, hashed_loads, single_path_loads


def arrays(destinations, entries, lists):
    """Arrays of: destinations; per destination [(list, scale)]; per list [(source, amount)]."""
    flat = [entry for group in entries for entry in group]
    rows = [row for group in lists for row in group]
    return (
        np.array(destinations, np.int32),
        (
            np.cumsum([0] + [len(group) for group in entries], dtype=np.int64),
            np.array([entry[0] for entry in flat], np.int32),
            np.array([entry[1] for entry in flat], np.float64),
            np.cumsum([0] + [len(group) for group in lists], dtype=np.int64),
            np.array([row[0] for row in rows], np.int32),
            np.array([row[1] for row in rows], np.float64),
        ),
    )


def routed(network):
    return network.indptr, network.indices, network.twin, network.forwards, network.latency, network.node_latency


def demand(rng, n, whole=False):
    """Overlapping lists, repeated destinations (some in a run), zeros."""

    def amount():
        return float(rng.integers(0, 40)) if whole else float(rng.choice([0.0, 1.0, rng.random()]))

    lists = [[(int(rng.integers(n)), amount()) for _ in range(rng.integers(0, n))] for _ in range(rng.integers(1, 5))]
    destinations = np.sort(rng.integers(n, size=rng.integers(1, 12))).tolist()
    entries = [[(int(rng.integers(len(lists))), float(rng.integers(0, 3))) for _ in range(2)] for _ in destinations]
    return destinations, entries, lists


def pairs_of(destinations, entries, lists):
    for place, d in enumerate(destinations):
        for name, scale in entries[place]:
            for s, amount in lists[name]:
                if s != d and amount * scale:
                    yield place, s, d, amount * scale


def next_links(network, hops, node):
    row = range(network.indptr[node], network.indptr[node + 1])
    nearer = {a: hops.get(int(network.indices[a]), -1) == hops[node] - 1 for a in row}
    return [a for a in row if nearer[a] and (network.forwards[network.indices[a]] or hops[node] == 1)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_each_destination_is_a_tree(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    network = randomly(rng, n, int(rng.integers(1, 3 * n)))
    destinations, entries, lists = demand(rng, n)
    keys, divisor = rng.integers(0, 50, len(destinations)).astype(np.int32), rng.integers(1, 4, network.indices.size)
    loads, slowest, missing = np.zeros(network.indices.size), 0.0, []
    for place, s, d, amount in pairs_of(destinations, entries, lists):
        hops = nx.single_source_shortest_path_length(network.between(s, d), d)
        if s not in hops:
            missing.append((place, s, d))
            continue
        v, seconds = s, 0.0
        while v != d:
            links = next_links(network, hops, v)
            link = links[keys[place] // divisor[links[0]] % len(links)]
            loads[link] += amount
            seconds += network.latency[link] + (network.node_latency[v] if v != s else 0)
            v = int(network.indices[link])
        slowest = max(slowest, seconds)
    targets, rest = arrays(destinations, entries, lists)
    found = [single_path_loads(*routed(network), divisor.astype(np.int32), targets, keys, *rest, k) for k in (1, 2)]
    np.testing.assert_allclose(found[0][0], loads, rtol=1e-12, atol=1e-12)
    assert found[0][1] == pytest.approx(slowest, rel=1e-12)
    lost = found[0][2].tolist()
    assert (lost == [-1, -1]) if not missing else any(lost == [s, d] for _, s, d in missing)
    assert np.array_equal(found[0][0], found[1][0]) and found[0][1] == found[1][1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_flows_are_whole_and_conserved(randomly, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    network = randomly(rng, n, int(rng.integers(1, 3 * n)))
    destinations, entries, lists = demand(rng, n, whole=True)
    targets, rest = arrays(destinations, entries, lists)
    one, two = (hashed_loads(*routed(network), targets, np.ones(len(targets)), *rest, seed, k) for k in (1, 2))
    assert np.array_equal(one[0], two[0]) and one[1] == two[1]
    assert np.array_equal(one[0], np.rint(one[0]))
    net, hops_of_all = np.zeros(n), 0.0
    for _, s, d, amount in pairs_of(destinations, entries, lists):
        hops = nx.single_source_shortest_path_length(network.between(s, d), d)
        if s in hops:
            net[s] += amount
            net[d] -= amount
            hops_of_all += amount * hops[s]
    tails = np.repeat(np.arange(n), np.diff(network.indptr))
    moved = np.bincount(tails, one[0], n) - np.bincount(network.indices, one[0], n)
    np.testing.assert_allclose(moved, net, atol=1e-9)
    assert one[0].sum() == pytest.approx(hops_of_all)


def star(compiled, links):
    """Node 0, `links` middles, and the last node: every middle is on a shortest path."""
    graph = nx.Graph()
    graph.add_nodes_from(range(links + 2))
    for middle in range(1, links + 1):
        graph.add_edge(0, middle)
        graph.add_edge(middle, links + 1)
    return compiled(graph)


@pytest.mark.parametrize(
    ("links", "flows"),
    [(2, 5), (3, 7), (2, 40), (3, 40), (3, 3000), (2, 513), (2, 10**6), (7, 10**12), (7, 70)],
)
def test_the_flows_of_a_link_are_binomial(compiled, links, flows):
    """Every sampler: draws, halves by bits and by rejection, odd parts."""
    network, seeds, link = star(compiled, links), 1500, 0
    targets, rest = arrays([links + 1], [[(0, 1.0)]], [[(0, float(flows))]])
    counts = np.array(
        [hashed_loads(*routed(network), targets, np.ones(1), *rest, seed, 1)[0][link] for seed in range(seeds)]
    )
    law = binom(flows, 1 / links)
    cuts = np.unique(law.ppf(np.linspace(0.05, 0.95, 19)))
    expected = np.diff(np.concatenate([[0], law.cdf(cuts), [1]])) * seeds
    seen = np.bincount(np.searchsorted(cuts, counts), minlength=len(expected))
    kept = expected > 5
    rest_seen, rest_expected = seen[~kept].sum(), expected[~kept].sum()
    seen, expected = np.append(seen[kept], rest_seen), np.append(expected[kept], rest_expected)
    assert chisquare(seen[expected > 0], expected[expected > 0], sum_check=False).pvalue > 1e-4


def test_links_are_independent_of_seed_neighbours(compiled):
    """Counts of neighbouring seeds, and of two demands of one seed, do not go together."""
    network = star(compiled, 2)
    targets, rest = arrays([3, 3], [[(0, 1.0)], [(0, 1.0)]], [[(0, 64.0)]])

    def counts(sizes):
        found = [hashed_loads(*routed(network), targets, np.array(sizes), *rest, s, 1)[0][0] for s in range(1000)]
        return np.array(found)

    first, second = counts([1.0, 0.0]), counts([0.0, 1.0])
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rest": lambda r: (*r[:5], r[5] + 0.5)}, "list_flows must be whole numbers"),
        ({"rest": lambda r: (*r[:5], r[5] * 2.0**53)}, "fewer than 2\\^53 flows"),
        ({"sizes": np.array([np.nan])}, "sizes must be finite"),
        ({"sizes": np.ones(2)}, "sizes must have 1 items"),
        ({"targets": np.array([9], np.int32)}, "destinations must lie in"),
    ],
)
def test_malformed(compiled, change, said):
    network = star(compiled, 2)
    targets, rest = arrays([3], [[(0, 1.0)]], [[(0, 8.0)]])
    targets, sizes = change.get("targets", targets), change.get("sizes", np.ones(1))
    rest = change.get("rest", lambda r: r)(rest)
    with pytest.raises(ValueError, match=said):
        hashed_loads(*routed(network), targets, sizes, *rest)


@pytest.mark.parametrize(
    ("divisor", "keys", "said"),
    [
        (np.zeros(8, np.int32), [0], "divisor must be 1 or more"),
        (np.ones(3, np.int32), [0], "divisor must have 8 items"),
        (np.ones(8, np.int32), [-1], "keys must lie in"),
        (np.ones(8, np.int32), [1, 2], "keys must have 1 items"),
    ],
)
def test_malformed_keys(compiled, divisor, keys, said):
    targets, rest = arrays([3], [[(0, 1.0)]], [[(0, 8.0)]])
    with pytest.raises(ValueError, match=said):
        single_path_loads(*routed(star(compiled, 2)), divisor, targets, np.array(keys, np.int32), *rest)


def test_examples():
    assert doctest.testmod(_trees).failed == 0
