"""Path sets against NetworkX and counts on paper; splits over them against linear programs and closed forms."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric.routing.pathsets
from fabric.routing.contraction import contract
from fabric.routing.pathsets import ksp_paths, least_utilisation, slack_paths, transit_paths, valiant_paths
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology


@dataclass(frozen=True)
class Case:
    """A network, the capacity of its arcs and pairs with amounts."""

    network: Any
    capacity: Any
    source: Any
    target: Any
    amount: Any

    def split(self, paths, **options):
        return least_utilisation(
            self.network, self.capacity, self.source, self.target, self.amount, paths, **options
        )  # fmt: skip

    def te(self, **options):
        return self.split(transit_paths(self.network, self.source, self.target), **options)


def case(topology, source, target, amount=1.0):
    """Capacities in links; hosts folded."""
    small = contract(topology)
    source, target = (np.asarray(ends, np.int32) for ends in (source, target))
    return Case(small, small.links, source, target, np.full(len(source), 1.0) * amount)


def shifted(topology, by, amount=1.0):
    nodes = len(contract(topology).indptr) - 1
    return case(topology, np.arange(nodes), (np.arange(nodes) + by) % nodes, amount)


def everyone(topology, amount=1.0):
    nodes = len(contract(topology).indptr) - 1
    return case(topology, *(~np.eye(nodes, dtype=bool)).nonzero(), amount)


def jellyfish(n, degree, seed):
    drawn = (nx.random_regular_graph(degree, n, seed=seed + (i << 17)) for i in itertools.count())
    return Topology.from_graph(next(filter(nx.is_connected, drawn)), rate_gbps=8)


def routes(case, paths):
    """Per pair, the nodes of every path; each must lead from its source to its target."""
    heads, tails = case.network.heads, case.network.heads[case.network.twin]
    every = [[] for _ in case.source]
    for p, pair in enumerate(paths.pair.tolist()):
        arcs = paths.arcs[paths.path_ptr[p] : paths.path_ptr[p + 1]]
        nodes = [int(tails[arcs[0]]), *heads[arcs].tolist()]
        assert (tails[arcs[1:]] == heads[arcs[:-1]]).all()
        assert nodes[0] == case.source[pair] and nodes[-1] == case.target[pair] and len(set(nodes)) == len(nodes)
        every[pair].append(nodes)
    return every


def sound(case, split, limit=np.inf):
    """Fractions, loads and bounds fit together."""
    sums = np.add.reduceat(split.fraction, split.paths.pair_ptr[:-1])
    np.testing.assert_allclose(sums, 1, rtol=1e-9)
    assert (split.fraction >= 0).all() and (split.fraction <= limit * (1 + 1e-6)).all()
    flow = np.repeat(split.fraction * case.amount[split.paths.pair], np.diff(split.paths.path_ptr))
    np.testing.assert_allclose(split.load, np.bincount(split.paths.arcs, flow, len(case.capacity)), atol=1e-9)
    assert split.utilisation == pytest.approx((split.load / case.capacity).max())
    assert split.lb == pytest.approx(1 / split.utilisation) and split.lb <= split.ub


@pytest.mark.parametrize("n", [8, 16, 64])
def test_permutation_of_a_full_mesh_is_n_over_2_n_minus_1(built, n):
    # a node sends t in links: 1 directly and the rest over two links, so 1 + 2 (t - 1) <= n - 1 and t = n / 2 of n - 1
    there = shifted(built(f"full-mesh:n={n}"), n // 2, n - 1)
    split = there.te(gap=1e-4)
    sound(there, split)
    assert split.lb == pytest.approx(n / (2 * (n - 1)), rel=1e-3)
    assert split.ub == pytest.approx(n / (2 * (n - 1)), rel=1e-3)
    direct = there.split(ksp_paths(there.network, there.source, there.target, 1))
    assert direct.lb == pytest.approx(1 / (n - 1)) and direct.exact


def test_permutation_of_jupiter_reaches_more_than_half_of_line_rate(built):
    jupiter = built("jupiter-64x512")
    there = shifted(jupiter, 32, 512)
    split = there.te()
    sound(there, split)
    # 8 links lead there directly, the other 504 of a block carry first and second legs: 8 + 504 / 2 = 260 of 512, since
    # the distances with a ninth link (4, 12, 20, 28) pair up to 32
    assert split.lb == pytest.approx(260 / 512, rel=1e-5) and split.ub == pytest.approx(260 / 512, rel=1e-5)
    assert there.split(ksp_paths(there.network, there.source, there.target, 1)).lb == pytest.approx(8 / 512)


def test_uniform_demand_of_a_mesh_goes_directly(built):
    mesh = everyone(built("full-mesh:n=12"))
    split = mesh.te()
    sound(mesh, split)
    direct = np.diff(split.paths.path_ptr) == 1
    np.testing.assert_allclose(split.fraction[direct], 1, atol=1e-6)
    assert split.lb == pytest.approx(1, rel=1e-6)


def test_dense_demand_of_64_blocks(built):
    blocks = everyone(built("jupiter-64x512"), 512 / 63)
    split = blocks.te(gap=1e-2)
    sound(blocks, split)
    # direct alone: 8 links carry 512 / 63 = 8.127
    assert not split.exact and split.gap <= 1e-2 and 8 / (512 / 63) * 0.99 < split.lb <= 1


def test_two_blocks(built):
    pair = everyone(built("jupiter:blocks=2,uplinks=6,hosts=2"), 3.0)
    split = pair.te()
    assert split.paths.size == 2 and split.utilisation == pytest.approx(0.5)


def test_hedge_spreads_from_the_best_fit_to_all_paths_alike(built):
    mesh = case(built("full-mesh:n=6"), [0, 1], [5, 4])
    before = 0.0
    for hedge, most in ((0.0, 1.0), (0.25, 0.8), (0.5, 0.4), (1.0, 0.2)):
        split = mesh.te(hedge=hedge)
        sound(mesh, split, most)
        assert split.utilisation >= before - 1e-6
        before = split.utilisation
    np.testing.assert_allclose(split.fraction, 0.2, rtol=1e-6)
    for wrong in (-0.1, 1.5, np.nan):
        with pytest.raises(ConfigError, match="hedge"):
            mesh.te(hedge=wrong)


def test_hedge_follows_the_capacity_of_paths():
    graph = nx.Graph([(0, 1, {"count": 6}), (0, 2, {"count": 3}), (2, 1, {"count": 9})])
    triangle = case(Topology.from_graph(graph), [0], [1])
    np.testing.assert_allclose(triangle.te(hedge=1.0).fraction, [2 / 3, 1 / 3], rtol=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), k=st.integers(1, 6), hedge=st.sampled_from([0.0, 0.3, 0.9]))
def test_solver_and_linear_program_agree(seed, k, hedge):
    rng = np.random.default_rng(seed)
    nodes = np.arange(14)
    there = shifted(jellyfish(14, 3, seed), int(rng.integers(1, 14)), rng.random(14) + 0.1)
    paths = ksp_paths(there.network, nodes.astype(np.int32), there.target, k)
    exact = there.split(paths, hedge=hedge)
    sound(there, exact)
    assert exact.gap <= 1e-5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fabric.routing.pathsets, "EXACT_ARCS", 0)
        close = there.split(paths, hedge=hedge, gap=1e-2)
    sound(there, close)
    assert not close.exact and close.gap <= 1e-2
    assert close.lb <= exact.ub * (1 + 1e-9) and close.ub >= exact.lb * (1 - 1e-9)


def test_transit_paths_are_all_of_one_and_two_hops(built):
    for topology in (built("full-mesh:n=7"), jellyfish(20, 6, 1)):
        there = everyone(topology)
        graph = nx.convert_node_labels_to_integers(topology.graph)
        for s, t, found in zip(
            there.source.tolist(), there.target.tolist(),
            routes(there, transit_paths(there.network, there.source, there.target)), strict=True,
        ):  # fmt: skip
            expected = [[s, t]] if graph.has_edge(s, t) else []
            expected += [[s, w, t] for w in nx.common_neighbors(graph, s, t)]
            assert sorted(found) == sorted(expected)


def test_transit_crosses_only_what_forwards(built):
    star = Topology.from_graph(nx.star_graph(3))
    there = case(star, [1], [2])
    deaf = replace(there, network=replace(there.network, forwards=np.zeros(4, np.uint8)))
    assert there.te().paths.size == 1
    with pytest.raises(InfeasibleError, match="node 1 to node 2"):
        deaf.te()


def test_valiant_paths(built):
    there = everyone(jellyfish(18, 4, 5))
    paths = valiant_paths(there.network, there.source, there.target, 5, seed=3)
    hops = dict(nx.all_pairs_shortest_path_length(nx.convert_node_labels_to_integers(jellyfish(18, 4, 5).graph)))
    for s, t, found in zip(there.source.tolist(), there.target.tolist(), routes(there, paths), strict=True):
        assert len(found) == 5
        longest = max(hops[s][w] + hops[w][t] for w in range(18) if w not in (s, t))
        assert all(hops[s][t] < len(path) <= longest + 1 for path in found)
    again = valiant_paths(there.network, there.source[9:], there.target[9:], 5, seed=3)
    assert (again.arcs == paths.arcs[paths.path_ptr[paths.pair_ptr[9]] :]).all()
    other = valiant_paths(there.network, there.source, there.target, 5, seed=4)
    assert len(other.arcs) != len(paths.arcs) or (other.arcs != paths.arcs).any()


def test_valiant_over_all_middles_of_a_mesh_is_every_transit_path(built):
    mesh = everyone(built("full-mesh:n=6"))
    found = routes(mesh, valiant_paths(mesh.network, mesh.source, mesh.target, 99))
    for s, t, paths in zip(mesh.source.tolist(), mesh.target.tolist(), found, strict=True):
        assert sorted(paths) == [[s, w, t] for w in range(6) if w not in (s, t)]


def test_a_detour_is_cut_off():
    # from 1 by 2 to 3 along a line with a branch: 0 - 1 - 3 and 0 - 2; the walk 1 0 2 0 1 3 is 1 3
    branch = case(Topology.from_graph(nx.Graph([(0, 1), (0, 2), (1, 3)])), [1], [3])
    found = routes(branch, valiant_paths(branch.network, branch.source, branch.target, 9))
    assert found == [[[1, 3], [1, 3]]]


def test_too_many_paths_are_refused_in_a_line(built):
    mesh = everyone(built("full-mesh:n=64"))
    many = [np.tile(ends, 32) for ends in (mesh.source, mesh.target)]
    with pytest.raises(InfeasibleError, match="ksp:32 over 129,024 pairs would hold 4,128,768 paths"):
        ksp_paths(mesh.network, *many, 32)
    with pytest.raises(InfeasibleError, match="vlb:99 over 129,024 pairs"):
        valiant_paths(mesh.network, *many, 99)
    with pytest.raises(InfeasibleError, match="te over 129,024 pairs"):
        transit_paths(mesh.network, *many)
    for paths in (ksp_paths, valiant_paths):
        with pytest.raises(ConfigError, match="at least one"):
            paths(mesh.network, mesh.source, mesh.target, 0)


@pytest.mark.parametrize("slack", [0, 1, 2])
def test_slack_is_every_path_that_is_not_much_longer(slack):
    graph = nx.random_regular_graph(4, 14, seed=3)
    csr = Topology.from_graph(graph).csr()
    source = np.array([0, 3, 5], np.int32)
    target = np.array([9, 12, 6], np.int32)
    paths = slack_paths(csr, source, target, slack)
    nodes = list(graph)
    for i, (s, t) in enumerate(zip(source.tolist(), target.tolist(), strict=True)):
        most = nx.shortest_path_length(graph, nodes[s], nodes[t]) + slack
        wanted = {tuple(p) for p in nx.all_simple_paths(graph, nodes[s], nodes[t], cutoff=most)}
        found = set()
        for p in range(paths.pair_ptr[i], paths.pair_ptr[i + 1]):
            arcs = paths.arcs[paths.path_ptr[p] : paths.path_ptr[p + 1]]
            found.add((nodes[s], *(nodes[h] for h in csr.heads[arcs].tolist())))
        assert found == wanted


def test_slack_too_wide_is_refused():
    csr = Topology.from_graph(nx.complete_graph(40)).csr()  # 1 + 38 + 38 x 37 paths of up to three hops
    with pytest.raises(InfeasibleError, match="slack:2: some pairs have more than 1,024 paths"):
        slack_paths(csr, np.array([0], np.int32), np.array([1], np.int32), 2)
