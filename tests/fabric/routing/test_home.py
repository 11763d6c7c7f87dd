"""What stays in a scale-up domain keeps to its links: loads of two domains of four, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.routing import home as at_home
from fabric.routing.home import home
from fabric.routing.paths import flow_paths
from fabric.routing.registry import ROUTERS, route
from fabric.routing.router import RoutingOptions
from fabric.simulation import simulate
from fabric.traffic import Traffic
from topologies.registry import build
from topologies.selection import with_ranks

PAIR = "rail:servers=2,gpus=4,rails=1,scaleup_switches=3"  # one rail: all eight hang on one leaf, by one link each
SPREADING = ("adaptive", "ecmp", "weighted", "minimal")


def sides(topology, arcs):
    """Most that any accelerator's link to a scale-up switch carries, and most on its link to the leaf, out and in."""
    csr, tier = topology.csr(), topology.attribute("tier")
    up = np.isin(csr.tails, csr.accelerators)
    to = np.array([tier[v] if out else -1 for v, out in zip(csr.heads, up, strict=True)])
    return [set(np.round(arcs[to == t], 9)) | set(np.round(arcs[csr.twin[to == t]], 9)) for t in (0, 1)]


@pytest.mark.parametrize("routing", SPREADING)
def test_an_all_to_all_of_two_domains_of_four(routing):
    """Each sends 3 bytes inside its domain over three switches, 1 a link, and 4 to the other domain over the leaf."""
    topology = build(PAIR)
    found = route(topology, Traffic.uniform(8, 1.0), routing)
    assert sides(topology, found.arcs) == [{1.0}, {4.0}]
    assert found.gap == 0


@pytest.mark.parametrize("routing", [*SPREADING, "hash", "dmodk", "valiant", "ugal", "te", "vlb:2", "ksp:2"])
def test_nothing_inside_a_domain_crosses_the_leaf(routing):
    topology = build(PAIR)
    inside = Traffic.within([np.arange(4), np.arange(4, 8)], 8, 1.0)
    found = route(topology, inside, routing)
    csr = topology.csr()
    far = np.array([topology.attribute("tier")[v] == 1 for v in range(len(topology.nodes))])
    assert not found.arcs[far[csr.tails] | far[csr.heads]].any()
    assert found.arcs.sum() == pytest.approx(2 * inside.total)  # two links each


@pytest.mark.parametrize("routing", ["ecmp", "weighted", "dmodk", "hash"])
def test_the_paths_of_fluid_are_those_of_the_loads(routing):
    topology, traffic = build(PAIR), Traffic.uniform(8, 1.0)
    source, target, amounts = traffic.as_pairs()
    paths = flow_paths(topology, source, target, routing)
    arcs = paths.loads(amounts, len(topology.csr().heads))
    assert sides(topology, arcs)[1] == {4.0}
    if routing in ("ecmp", "weighted"):
        np.testing.assert_allclose(arcs, route(topology, traffic, routing).arcs)
    few = with_ranks(topology, np.array([5, 1, 4, 6]))  # 5, 4 and 6 are of one domain
    of_few = flow_paths(few, [0, 0, 3], [2, 1, 0], routing).loads(np.array([1.0, 2.0, 4.0]), len(arcs))
    assert sides(few, of_few)[1] == {0.0, 2.0}


@pytest.mark.parametrize("routing", ["ecmp", "weighted", "minimal"])  # adaptive too, where it is too large to search
def test_what_is_too_long_to_list_is_all_less_what_stays(monkeypatch, routing):
    topology = build("rail:servers=3,gpus=8,rails=2,scaleup_switches=3")
    listed = route(topology, Traffic.uniform(24, 1.0), routing)
    monkeypatch.setattr(at_home, "MAX_LISTED", 10)
    router = at_home.keeping_home(ROUTERS[routing], adds=True)
    np.testing.assert_allclose(router(topology, Traffic.uniform(24, 1.0), RoutingOptions()).arcs, listed.arcs)


def test_hashed_flows_between_domains_are_as_many():
    """An all-to-all is hashed leaf by leaf; last links have no choice: 16 bytes from the other two domains to each."""
    topology = build("rail:servers=3,gpus=8,rails=2,scaleup_switches=3")
    assert sides(topology, route(topology, Traffic.uniform(24, 1.0), "hash").arcs)[1] == {16.0}


@pytest.mark.parametrize("spec", [
    "nvl72",                                        # one domain
    "rail:servers=2,gpus=4",                        # a rail each: no way through the network is as short
    "fat-tree:k=4", "torus:dims=4x4",
])  # fmt: skip
def test_fabrics_without_such_ways_have_no_links_apart(spec):
    assert home(build(spec)) is None


def test_domains_that_do_not_join_their_accelerators_have_none_either():
    topology = build(PAIR)
    graph = topology.graph.copy()
    graph.remove_edges_from([(a, b) for a, b in graph.edges if topology.graph.nodes[b].get("tier") == 0][:12])
    broken = replace(topology, graph=graph)
    assert home(broken) is None
    assert route(broken, Traffic.pairs(8, [0], [1], 1.0), "ecmp").arcs.sum() == pytest.approx(2)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_what_stays_and_what_leaves_are_all(n, groups, seed):
    rng = np.random.default_rng(seed)
    group = rng.integers(0, groups, n)
    lists, entries = int(rng.integers(1, 5)), int(rng.integers(1, 9))
    sizes = rng.integers(0, n, lists)
    ranks = [rng.choice(n, size, replace=False) for size in sizes]
    traffic = Traffic(
        n, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), np.concatenate(ranks).astype(np.int32),
        rng.random(sizes.sum()), rng.integers(0, n, entries).astype(np.int32),
        rng.integers(0, lists, entries).astype(np.int32), rng.random(entries),
    )  # fmt: skip

    def table(some):
        matrix = np.zeros((n, n))
        if some is not None:
            source, target, amount = some.as_pairs()
            np.add.at(matrix, (source, target), amount)
        return matrix

    same = group[:, None] == group[None, :]
    np.testing.assert_allclose(table(traffic.inside(group)), table(traffic) * same)
    np.testing.assert_allclose(table(traffic.between(group, 10**6)), table(traffic) * ~same)


@pytest.mark.parametrize("routing", ["adaptive", "ecmp", "hash"])
def test_a_hierarchical_all_reduce_sends_a_quarter_over_the_leaf(routing):
    """Of S bytes, two domains of four reduce a quarter on each of four pairs: 2 x 1/2 x S/4 over 50 GB/s. Meanwhile the
    domains move 2 x 3/4 S over 3 x 150 GB/s, none of it over the leaf."""
    size, given = 10**9, {"algorithm": "hierarchical", "routing": routing, "transport": "ideal"}
    found = simulate(build(PAIR), "all-reduce", size, overlap="pipelined", **given)
    assert (found.time_us - found.latency_us) * 1e-6 == pytest.approx(size / 4 / 50e9, rel=1e-9)
