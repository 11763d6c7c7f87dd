"""Packed trees: they span, fit on the links, follow real routes, and take no longer than the bound."""

from collections import Counter
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.bounding.packing import pack_trees
from fabric.bounds import collective_bound
from fabric.collectives import collective
from topologies.errors import InfeasibleError
from topologies.graph import Topology

DIRECT = ["ring:n=7", "torus:dims=4x3x2", "mesh:dims=4x3", "full-mesh:n=5", "mesh:dims=6"]
SWITCHED = ["switch:n=9", "fat-tree:k=4", "rail:servers=3,gpus=4", "clos:hosts=8,tiers=1", "nvl:gpus=8"]


def hold(topology, name):
    """Check all that a packing promises."""
    packing = pack_trees(topology, name)
    csr, n = topology.csr(), len(topology.accelerators)
    ranks = csr.accelerators.tolist()
    capacity = dict(zip(zip(csr.tails.tolist(), csr.heads.tolist(), strict=True), csr.capacity, strict=True))
    load, sent = Counter(), Counter()
    for tree in packing.trees:
        reached = {tree.root}
        for a, b, routes in tree.edges:
            assert a in reached and b not in reached
            reached.add(b)
            assert sum(amount for _, amount in routes) == tree.copies > 0
            for path, amount in routes:
                assert (path[0], path[-1]) == (a, b)
                for arc in pairwise(path):
                    load[arc] += amount * packing.rate
        assert reached == set(ranks)
        sent[tree.root] += tree.copies * packing.rate
    assert all(carried <= capacity[arc] * (1 + 1e-9) for arc, carried in load.items())
    roots = ranks if name == "all-gather" else ranks[:1]
    assert set(sent) == set(roots) and np.ptp(list(sent.values())) <= 1e-9 * max(sent.values())
    share = 1 / n if name == "all-gather" else 1.0
    least = collective_bound(topology, collective(name, n))
    assert share / min(sent.values()) == pytest.approx(least.per_byte_s, rel=1e-12) and least.attained
    assert packing.per_byte_s == pytest.approx(least.per_byte_s, rel=1e-12)


@pytest.mark.parametrize("name", ["all-gather", "broadcast"])
@pytest.mark.parametrize("spec", DIRECT + SWITCHED)
def test_trees_attain_the_bound(built, spec, name):
    hold(built(spec), name)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(["all-gather", "broadcast"]))
def test_trees_attain_the_bound_of_any_graph(seed, name):
    rng = np.random.default_rng(seed)
    ends, switches = int(rng.integers(2, 7)), int(rng.integers(0, 4))
    n = ends + switches
    graph = nx.gnm_random_graph(n, 2 * n, seed=int(rng.integers(2**31)))
    graph.add_edges_from((v, v + 1) for v in range(n - 1))
    kinds = rng.permutation(["accelerator"] * ends + ["switch"] * switches)
    for v in graph:
        graph.nodes[v].update(kind=str(kinds[v]), forwards=True)
    for edge in graph.edges:
        graph.edges[edge].update(count=int(rng.integers(1, 4)), rate_gbps=float(rng.choice([100, 400])))
    hold(Topology.from_graph(graph), name)


def test_what_is_too_large_or_no_such_collective_is_refused(built):
    with pytest.raises(InfeasibleError, match="256 accelerators"):
        pack_trees(built("torus:dims=8x8x8"))
    with pytest.raises(InfeasibleError, match="reverse"):
        pack_trees(built("ring:n=7"), "all-reduce")
