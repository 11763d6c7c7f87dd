"""Reductions in switches: loads of every link by hand, limits of switches, and never below the bound."""

from dataclasses import replace
from functools import cache

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.algorithms import ALGORITHMS, NotApplicable
from fabric.algorithms.reduction_trees import planes, reduction_trees
from fabric.bounds import collective_bound
from fabric.collectives import collective
from fabric.groups import Groups
from fabric.timing import Assumptions, choose, fluid
from topologies.errors import InfeasibleError
from topologies.graph import Topology
from topologies.registry import build

fabric = cache(build)


def plan(spec, algorithm, name="all-reduce"):
    topology = fabric(spec) if isinstance(spec, str) else spec
    return choose(topology, collective(name, len(topology.accelerators)), 1.0, Assumptions(algorithm))


@pytest.mark.parametrize("name", ["all-reduce", "all-gather", "reduce-scatter"])
def test_nvls_on_nvl72(name):
    """72 GPUs on 18 chips: S (1 + 1/72) on 18 links of 50 GB/s, or S of it one way and S/72 the other."""
    found = plan("nvl72", "nvls", name)
    csr = found.topology.csr()
    up = np.isin(csr.tails, csr.accelerators)
    whole, part = 1 / 18, 1 / 72 / 18
    expected = {"all-reduce": (whole + part,) * 2, "reduce-scatter": (whole, part), "all-gather": (part, whole)}[name]
    np.testing.assert_allclose(found.arcs[up], expected[0])
    np.testing.assert_allclose(found.arcs[~up], expected[1])
    assert found.per_byte_s == pytest.approx(max(expected) / 50e9)


def test_nvls_shares_the_data_by_the_links_of_a_chip():
    """An HGX H100 has 5, 4, 4 and 5 links from a GPU to its four chips: all 18 are equally full."""
    found = plan("hgx-h100", "nvls")
    csr = found.topology.csr()
    np.testing.assert_allclose(found.arcs / csr.links, (1 + 1 / 8) / 18)


def test_nvls_through_two_layers_of_chips():
    """576 GPUs on 72 planes of leaves and spines: a leaf sends the root of its plane one sum, whatever hangs on it."""
    found = plan("nvl576-cpo", "nvls", "reduce-scatter")
    topology, csr = found.topology, found.topology.csr()
    trees = reduction_trees(topology, [np.arange(576)], scale_up=True)
    assert planes(topology).scale_up.tolist() == [True] * 72 and set(trees.depth.tolist()) == {1, 2}
    ranks = trees.child < 576
    assert np.bincount(trees.child[ranks]).tolist() == [72] * 576
    assert trees.below[~ranks].sum() + (ranks & (trees.depth == 1)).sum() == 72 * 576
    np.testing.assert_allclose(found.arcs[np.isin(csr.tails, csr.accelerators)], 1 / 72)
    inner = ~np.isin(csr.tails, csr.accelerators) & ~np.isin(csr.heads, csr.accelerators)
    carried = found.arcs[inner][found.arcs[inner] > 0]
    assert set(np.round(carried * 72, 9).tolist()) <= {1.0, *np.round(np.unique(trees.below[~ranks]) / 576, 9).tolist()}


def test_sharp_on_one_switch_sends_s_up_and_s_down():
    found = plan("clos:hosts=64,switch=qm9700", "sharp")
    np.testing.assert_allclose(found.arcs, 1.0)
    assert found.latency_s == pytest.approx(collective_bound(found.topology, found.collective).latency_s)


@pytest.mark.parametrize(("spec", "per_gb_ms"), [("dgx-h100-superpod-256", (2.5, 3.8889)), ("rail:servers=3", None)])
def test_sharp_under_servers(spec, per_gb_ms):
    """S/8 of 8 rails at 50 GB/s up and down: 2.5 ms a GB; NVLink: 9/8 S of NVLS or 2 (7/8) S without, at 450 GB/s."""
    within, without = per_gb_ms or (2.5, 3.8889)
    assert plan(spec, "nvls").per_byte_s * 1e12 == pytest.approx(within * 1e0, rel=1e-4)
    assert plan(spec, "sharp").per_byte_s * 1e12 == pytest.approx(without, rel=1e-4)


def test_no_link_of_the_network_carries_a_group_twice():
    found = plan("clos:hosts=1024,switch=qm9700", "sharp")
    assert found.arcs.max() == pytest.approx(1.0)
    up = found.arcs[found.topology.csr().tails < found.topology.csr().heads]
    assert np.count_nonzero(up) == 1024 + len({*map(str, _leaves(found.topology))})


def _leaves(topology):
    return [node for node, tier in topology.graph.nodes(data="tier") if tier == 1]


def test_adapters_that_only_pass_on_are_no_part_of_a_tree():
    """Two ranks behind an adapter: no one adds up what they send before the switch, so its link carries 2 S."""
    graph = nx.Graph()
    for rank in range(4):
        graph.add_node(f"r{rank}", kind="accelerator")
    for nic in range(2):
        graph.add_node(f"n{nic}", kind="nic")
        graph.add_edge(f"n{nic}", "s", rate_gbps=400)
    graph.add_node("s", kind="switch", reduces=True)
    for rank in range(4):
        graph.add_edge(f"r{rank}", f"n{rank // 2}", rate_gbps=400)
    found = plan(Topology.from_graph(graph), "sharp")
    csr = found.topology.csr()
    switch = found.topology.index["s"]
    np.testing.assert_allclose(found.arcs[(csr.tails == switch) | (csr.heads == switch)], 2.0)
    np.testing.assert_allclose(found.arcs[(csr.tails != switch) & (csr.heads != switch)], 1.0)


def test_a_switch_serves_no_more_groups_than_it_can():
    """QM8700 serves one streaming tree at a time: rails on leaves of their own do, four rails on one leaf do not."""
    assert plan("rail:servers=4,gpus=4,switch=qm8700,rate_gbps=200", "sharp").per_byte_s > 0
    assert plan("clos:hosts=40,switch=qm8700,rate_gbps=200", "sharp").per_byte_s == pytest.approx(1 / 25e9)
    with pytest.raises(NotApplicable, match=r"reduction groups; qm8700 takes 1 at a time"):
        plan("rail:servers=4,gpus=4,rails=1,switch=qm8700,rate_gbps=200", "sharp")


@pytest.mark.parametrize(
    ("spec", "algorithm", "said"),
    [
        ("switch:n=8", "nvls", "no scale-up domain with switch chips"),
        ("switch:n=8", "sharp", "no switch in the network that reduces"),
        ("azure-nd-a100-v4", "nvls", "no switch inside the scale-up domains that reduces"),
        ("nvl72", "sharp", "no two scale-up domains"),
        ("nvl72", "nvls-tree", "no two scale-up domains"),
        ("alibaba-hpn-pod", "nvls", "no switch in the network that reduces"),
    ],
)
def test_where_no_switch_reduces(spec, algorithm, said):
    with pytest.raises(NotApplicable, match=said):
        plan(spec, algorithm)


def test_switches_do_no_all_to_all():
    for algorithm in ("nvls", "nvls-tree", "sharp"):
        with pytest.raises(NotApplicable, match="not all-to-all"):
            plan("rail:servers=2", algorithm, "all-to-all")


SPECS = ["hgx-h100", "nvl72", "rail:servers=2,gpus=4", "rail:servers=5,gpus=2", "clos:hosts=100,switch=qm9700",
         "rail:servers=3,gpus=4,core=none", "clos:hosts=256,switch=qm8700,rate_gbps=200", "torus:dims=4x8",
         "torus:dims=4x4x8,twist=true", "mesh:dims=3x5", "torus:dims=2x3x5", "switch:n=13"]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SPECS),
    st.sampled_from(["double-binary-tree", "tree", "nvls", "nvls-tree", "sharp", "bucket", "swing", "pat"]),
    st.sampled_from(["all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce"]),
    st.integers(0, 34),
)
def test_nothing_is_faster_than_its_bound(spec, algorithm, name, power):
    try:
        found = plan(spec, algorithm, name)
    except InfeasibleError:
        return
    bound = collective_bound(found.topology, found.collective)
    assert found.time_s(2.0**power) >= bound.time_s(2.0**power) * (1 - 1e-9)


def test_every_family_of_switches_is_registered():
    assert {"nvls", "nvls-tree", "sharp"} <= set(ALGORITHMS)


@pytest.mark.parametrize("algorithm", ["sharp", "double-binary-tree"])
@pytest.mark.parametrize("n", [2, 3, 8, 17])
def test_fluid_on_one_switch_tends_to_steady(n, algorithm):
    """Pipelined: k chunks take the time of one more step each on their way, so fluid falls towards steady as 1/k."""
    topology = fabric(f"clos:hosts={n},switch=qm9700,latency_ns=0")
    pattern = collective("all-reduce", n)
    given = Assumptions(algorithm, transport="ideal")
    found = [choose(topology, pattern, 1.0, replace(given, overlap=f"chunked:{k}")) for k in (1, 16, 64)]
    pipelined = choose(topology, pattern, 1.0, given).per_byte_s * 2**30
    times = [fluid(one, 2**30).time_s for one in found]
    assert times[0] >= times[1] >= times[2] >= pipelined * (1 - 1e-9)
    assert times[2] <= pipelined * (1 + 2 * len(found[0].loads) / 64) + 1e-5


def test_every_group_has_switches_of_its_own():
    """Four servers of four: each reduces in its own chips, and each rail on its own leaf, as if it were alone."""
    topology = fabric("rail:servers=4,gpus=4")
    for algorithm, rows, part in (("nvls", np.arange(16).reshape(4, 4), 5 / 4 / 450), ("sharp", None, 1 / 50)):
        members = np.arange(16).reshape(4, 4).T if rows is None else rows
        pattern = collective("all-reduce", 4, groups=Groups(members))
        found = choose(topology, pattern, 1.0, Assumptions(algorithm, transport="ideal"))
        assert found.per_byte_s * 1e9 == pytest.approx(part)
