"""Who is cut off: against plain searches in NetworkX, and by hand for planes, rails and domains."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.failures.components import components
from fabric.failures.cut_off import cut_off
from fabric.failures.damage import Loss, links_left
from topologies.registry import build

SINGLE, DUAL = build("rail:servers=4,gpus=4,leaf_hosts=4"), build("dual-plane:servers=4")
FORWARDING = [build(spec) for spec in ("ring:n=6", "torus:dims=3x3", "fat-tree:k=4")]


def gone(topology, *losses):
    loss = Loss.together(losses)
    return cut_off(topology, links_left(topology, loss), loss.dead(topology))


def of(topology, name):
    return next(each for each in components(topology) if each.name == name)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), st.integers(0, 2**31))
def test_one_network_keeps_its_largest_part(which, seed):
    """Where all is one network: the accelerators outside the component that holds most of them."""
    topology = FORWARDING[which]
    rng = np.random.default_rng(seed)
    graph = nx.Graph(topology.graph)
    edges = list(graph.edges)
    dead = [topology.nodes[i] for i in rng.choice(len(topology.nodes), 1)]
    lost = [edges[i] for i in rng.choice(len(edges), 3, replace=False)]
    csr, index = topology.csr(), topology.index
    arcs = [next(a for a in range(csr.indptr[index[u]], csr.indptr[index[u] + 1]) if csr.heads[a] == index[v])
            for u, v in lost]  # fmt: skip
    found = gone(topology, Loss.of_nodes([index[d] for d in dead]), Loss.of_links(arcs, csr.links[arcs]))
    graph.remove_nodes_from(dead)
    graph.remove_edges_from(lost)
    ends = set(topology.accelerators)
    parts = [len(ends & part) for part in nx.connected_components(graph)]
    assert found.sum() == sum(parts) - max(parts)


@pytest.mark.parametrize(("topology", "cut"), [(SINGLE, 4), (DUAL, 0)], ids=["single-homed", "dual-homed"])
def test_a_dead_leaf(topology, cut):
    assert gone(topology, of(topology, "leaf").loss(0)).sum() == cut


def test_a_dead_adapter_with_both_ports_cuts_one_off():
    assert gone(DUAL, of(DUAL, "nic").loss(3)).sum() == 1


def test_accelerators_left_on_different_planes_do_not_meet():
    """One has plane 0 only, two have plane 1 only: the fewer are cut off."""
    csr, nodes = DUAL.csr(), DUAL.nodes

    def link(rank, plane):
        first = DUAL.index[DUAL.accelerators[rank]]
        arcs = range(csr.indptr[first], csr.indptr[first + 1])
        return next(a for a in arcs if str(nodes[csr.heads[a]]).endswith(f"p{plane}"))

    arcs = [link(0, 1), link(9, 0), link(18, 0)]
    assert np.flatnonzero(gone(DUAL, Loss.of_links(arcs, [1.0] * 3))).tolist() == [0]


def test_both_leaves_of_a_rail_cut_off_what_hangs_on_them():
    leaf = of(DUAL, "leaf")
    pair = [leaf.loss(i) for i, name in enumerate(leaf.labels) if name.startswith("leaf-0-r0-")]
    assert len(pair) == 2
    assert gone(DUAL, *pair).sum() == 4


def test_rails_that_nothing_joins_lose_a_rail():
    rails = build("rail:servers=4,gpus=4,core=none")
    assert gone(rails, of(rails, "leaf").loss(0)).sum() == 4
    assert not gone(rails, of(rails, "scale-up").loss(0)).any()


def test_a_chip_of_a_domain_takes_nobody():
    nvl = build("nvl72")
    assert not gone(nvl, of(nvl, "scale-up").loss(0)).any()
    assert gone(nvl, *(of(nvl, "scale-up").loss(i) for i in range(18))).sum() == 72


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_a_second_home_never_cuts_off_more(seed, number):
    """The same switches of one plane fail, alone and beside a second plane."""
    rng = np.random.default_rng(seed)
    one = {name for name in SINGLE_PLANE.nodes if str(name).startswith(("leaf", "spine"))}
    names = sorted(map(str, one))
    failing = [names[i] for i in rng.choice(len(names), min(number, len(names)), replace=False)]
    alone = gone(SINGLE_PLANE, Loss.of_nodes([SINGLE_PLANE.index[name] for name in failing]))
    both = gone(TWO_PLANES, Loss.of_nodes([TWO_PLANES.index[name] for name in failing]))
    assert both.sum() <= alone.sum()


def _planes(count):
    """Eight accelerators, two leaves and two spines a plane, wired by hand."""
    from topologies.graph import Topology

    graph = nx.Graph()
    graph.add_nodes_from((f"a{i}" for i in range(8)), kind="accelerator", forwards=False)
    for p in range(count):
        mark = "" if p == 0 else f"x{p}-"
        graph.add_nodes_from((f"{mark}{kind}{i}" for kind in ("leaf", "spine") for i in range(2)), kind="switch")
        graph.add_edges_from((f"a{i}", f"{mark}leaf{i // 4}") for i in range(8))
        graph.add_edges_from((f"{mark}leaf{i}", f"{mark}spine{j}") for i in range(2) for j in range(2))
    return Topology.from_graph(graph, rate_gbps=400)


SINGLE_PLANE, TWO_PLANES = _planes(1), _planes(2)
