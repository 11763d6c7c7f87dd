"""Edges by kind say what every edge says by itself."""

import networkx as nx
import numpy as np
import pytest

from topologies.graph import Topology
from topologies.registry import build

SPECS = ("nvl72", "rail:servers=4", "dragonfly:p=2,a=4,h=2", "tpu-v4-64", "rotor:racks=8,uplinks=1,slot_us=200")


@pytest.mark.parametrize("spec", SPECS)
def test_every_edge_has_the_attributes_of_its_kind(spec):
    fabric = build(spec)
    kinds, kind = fabric.edge_kinds
    assert len(kinds) < len(fabric.edges) and [kinds[k] for k in kind] == [edge for _, _, edge in fabric.edges]
    for (u, v), (a, b, _) in zip(fabric.edge_ends.T.tolist(), fabric.edges, strict=True):
        assert (fabric.nodes[u], fabric.nodes[v]) == (a, b)


@pytest.mark.parametrize("spec", SPECS)
def test_every_arc_knows_its_edge(spec):
    fabric = build(spec)
    csr, ends = fabric.csr(), np.sort(fabric.edge_ends, axis=0)
    assert np.array_equal(np.sort([csr.tails, csr.heads], axis=0), ends[:, csr.edge])
    assert np.array_equal(csr.edge[csr.twin], csr.edge)


def test_an_attribute_that_cannot_be_looked_up_makes_a_kind_of_each_edge():
    graph = nx.cycle_graph(4)
    graph.edges[0, 1]["lanes"] = [1, 2]
    fabric = Topology.from_graph(graph)
    assert len(fabric.edge_kinds[0]) == 4 and fabric.links == 4
