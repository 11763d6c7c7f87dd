"""Double binary trees: shape of both trees, and what ranks send against the closed forms."""

from functools import cache

import numpy as np
import pytest

from fabric.algorithms import ALGORITHMS, NotApplicable
from fabric.algorithms.binary_trees import both_trees
from fabric.collectives import collective
from fabric.timing import Assumptions, choose
from topologies.registry import build

fabric = cache(build)
COUNTS = [*range(2, 18), 32, 33, 64, 1000]


def schedule(spec, name, algorithm):
    topology = fabric(spec)
    return ALGORITHMS[algorithm](topology, collective(name, len(topology.accelerators)))


@pytest.mark.parametrize("count", COUNTS)
def test_an_inner_place_of_one_tree_is_a_leaf_of_the_other(count):
    inner = np.zeros(count, int)
    for tree in both_trees(count):
        assert sorted(tree.place.tolist()) == list(range(1, count))
        children = np.bincount(tree.parent, minlength=count)
        assert children[0] == 1 and children[1:].max(initial=0) <= 2
        inner[np.flatnonzero(children)] += 1
        above = dict(zip(tree.place.tolist(), tree.parent.tolist(), strict=True))
        for place, depth in zip(tree.place.tolist(), tree.depth.tolist(), strict=True):
            steps = 0
            while place:
                place, steps = above[place], steps + 1
            assert steps == depth <= int(np.log2(count - 1)) + 1 if count > 2 else steps == 1
    assert inner[0] == 2 and inner[1:].max(initial=0) <= 1


@pytest.mark.parametrize("n", [2, 3, 4, 7, 16, 17, 64])
@pytest.mark.parametrize(("name", "most"), [("all-reduce", 2), ("broadcast", 1), ("reduce", 1)])
def test_no_rank_sends_or_receives_more_than_the_closed_form(n, name, most):
    made = schedule(f"switch:n={n}", name, "double-binary-tree")
    for way in ("sent", "received"):
        amounts = sum(getattr(step.traffic, way) for step in made.steps)
        assert amounts.max() == pytest.approx(most if n > 3 else {2: 1, 3: 1.5}[n] if most == 2 else 1)
        assert amounts.sum() == pytest.approx(most * (n - 1))


def test_two_domains_exchange_s_over_g_on_every_adapter():
    """Two servers of 8: S/8 crosses each adapter, where a ring over 16 ranks would send 2 (15/16) S/8."""
    for algorithm in ("tree", "nvls-tree"):
        made = schedule("rail:servers=2", "all-reduce", algorithm)
        across = sum(step.traffic.sent for step in made.steps if "level" in step.name and step.traffic.n == 16)
        np.testing.assert_allclose(across, 1 / 8)


@pytest.mark.parametrize(("servers", "worst"), [(2, 1.0), (3, 1.5), (4, 2.0), (9, 2.0)])
def test_the_tree_of_nccl_takes_its_closed_form(servers, worst):
    """S on 8 GPUs with 450 GB/s inside and 50 GB/s each across: the larger of 2 (7/8) S/450 and worst S/8/50 ns."""
    plan = choose(fabric(f"rail:servers={servers}"), collective("all-reduce", 8 * servers), 1.0, Assumptions("tree"))
    assert plan.per_byte_s * 1e9 == pytest.approx(max(1.75 / 450, worst / 8 / 50))


def test_levels_of_a_tree_on_a_ring_sum_their_own_distances():
    """64 ranks: hops of 32, 16, ... 1, one more in a tree that is shifted; 6 times the longest would be 192."""
    topology = fabric("ring:n=64,latency_ns=100")
    plan = choose(topology, collective("broadcast", 64), 1.0, Assumptions("double-binary-tree"))
    assert 63 * 100e-9 <= plan.latency_s <= 65 * 100e-9


@pytest.mark.parametrize("algorithm", ["tree", "double-binary-tree"])
def test_other_collectives_are_refused(algorithm):
    with pytest.raises(NotApplicable, match="not all-to-all"):
        schedule("rail:servers=2", "all-to-all", algorithm)
