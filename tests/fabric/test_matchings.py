"""Matchings: permutations of whole switches, as far apart or as near as can be."""

from itertools import permutations

import networkx as nx
import numpy as np
import pytest

from fabric.matchings import matching
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.registry import build


def hops(topology, target):
    lengths = dict(nx.all_pairs_shortest_path_length(topology.graph))
    names = topology.accelerators
    return sum(lengths[names[rank]][names[to]] for rank, to in enumerate(target.tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_longest_and_shortest_against_all_permutations(seed):
    topology = Topology.from_graph(nx.random_regular_graph(3, 8, seed=seed))
    lengths = dict(nx.all_pairs_shortest_path_length(topology.graph))
    names = topology.accelerators
    sums = [
        sum(lengths[names[a]][names[b]] for a, b in enumerate(p))
        for p in permutations(range(8))
        if all(a != b for a, b in enumerate(p))
    ]
    assert hops(topology, matching(topology, "longest", seed=seed)) == max(sums)
    assert hops(topology, matching(topology, "shortest", seed=seed)) == min(sums)


@pytest.mark.parametrize("kind", ["longest", "shortest", "random"])
@pytest.mark.parametrize("spec", ["fat-tree:k=4", "torus:dims=4x4", "full-mesh:n=7", "rail:servers=4,gpus=4"])
def test_every_active_rank_has_one_partner_elsewhere(kind, spec):
    topology = build(spec)
    target = matching(topology, kind, seed=3)
    n = len(topology.accelerators)
    np.testing.assert_array_equal(np.sort(target), np.arange(n))
    assert np.all(target != np.arange(n))


def test_a_fraction_leaves_whole_switches_idle():
    target = matching(build("fat-tree:k=4"), "random", fraction=0.5)
    idle = (target == np.arange(16)).reshape(8, 2)
    assert idle.all(axis=1).sum() == 4
    assert not idle[~idle.all(axis=1)].any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "longst"}, "did you mean 'longest'"),
        ({"kind": "longest", "fraction": 0.0}, "not a share"),
    ],
)
def test_refused(options, said):
    with pytest.raises(ConfigError, match=said):
        matching(build("ring:n=4"), **options)
