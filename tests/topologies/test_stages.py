"""Stages above leaves: two rates on a leaf, pods, spines that are oversubscribed, larger boxes above."""

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.registry import build


def tiers(topology):
    """Switches by tier, from the leaves up."""
    found = topology.attribute("tier")
    return tuple(found.count(t) for t in (1, 2, 3) if found.count(t))


def links(topology, node, tier):
    """Links of a node to switches of a tier."""
    nodes = topology.graph.nodes
    return sum(e["count"] for _, n, e in topology.graph.edges(node, data=True) if nodes[n].get("tier") == tier)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("clos:hosts=2048,leaf_hosts=16", (128, 64, 32)),  # 4 pods of 32 leaves with 16 up, 16 spines a pod
        ("clos:hosts=64,leaf_hosts=16,tiers=2", (4, 1)),
        ("clos:hosts=512,rate_gbps=200,uplink_gbps=400,switch=th4-64x400g", (8, 4)),  # 64 x 200G down, 32 x 400G up
        ("clos:hosts=512,rate_gbps=200,switch=th4-64x400g", (8, 4)),  # the same box at 200G only
        ("clos:hosts=256,leaf_hosts=8,uplinks=8,tiers=2,spines=8", (32, 8)),
        ("clos:hosts=256,leaf_hosts=8,uplinks=8,pod_leaves=8", (32, 4 * 2, 4)),
        ("clos:hosts=256,leaf_hosts=8,uplinks=8,pod_leaves=8,spine_oversubscription=4", (32, 4 * 2, 2)),
        ("clos:hosts=256,leaf_hosts=8,uplinks=8,pod_leaves=8,core_switch=sn5600", (32, 4 * 2, 2)),
    ],
)
def test_counts(spec, expected):
    assert tiers(build(spec)) == expected


def test_a_taper_above_the_spines_in_links():
    """4 pods of 8 leaves of 8 + 8: 64 links down on 2 spines, 64 / 4 = 16 up, 8 a spine."""
    built = build("clos:hosts=256,leaf_hosts=8,uplinks=8,pod_leaves=8,spine_oversubscription=4")
    for spine in (n for n, t in built.graph.nodes(data="tier") if t == 2):
        assert (links(built, spine, 1), links(built, spine, 3)) == (32, 8)


@given(
    hosts=st.integers(40, 400),
    leaf_hosts=st.integers(2, 12),
    uplinks=st.integers(1, 12),
    pod=st.integers(2, 8),
    spine_oversubscription=st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.0]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_pods_keep_what_was_asked(hosts, leaf_hosts, uplinks, pod, spine_oversubscription):
    spec = f"clos:hosts={hosts},leaf_hosts={leaf_hosts},uplinks={uplinks},pod_leaves={pod},tiers=3"
    try:
        built = build(f"{spec},spine_oversubscription={spine_oversubscription}")
    except FabricError:
        assume(False)
    leaves = [n for n, t in built.graph.nodes(data="tier") if t == 1]
    assert len(leaves) == -(-hosts // leaf_hosts)
    assert {links(built, leaf, 2) for leaf in leaves} == {uplinks}
    pods = {}
    for spine in (n for n, t in built.graph.nodes(data="tier") if t == 2):
        pods.setdefault(spine.split("-")[1], []).append(spine)
        assert built.graph.degree(spine, weight="count") <= 64
    assert len(pods) == -(-len(leaves) // pod)
    for spines in pods.values():
        down, up = (sum(links(built, s, tier) for s in spines) for tier in (1, 3))
        most = uplinks * min(pod, len(leaves))
        assert down <= most and up >= most / spine_oversubscription - 1e-9
        assert up < most / spine_oversubscription + 1 or spine_oversubscription == 1
    assert nx.is_connected(built.graph)


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("clos:hosts=256,uplinks=32,oversubscription=2", ConfigError, "oversubscription has no effect beside uplinks"),
        ("clos:hosts=64,uplinks=8", ConfigError, "uplinks has no effect on a single switch"),
        ("clos:hosts=128,core_switch=sn5600", ConfigError, "core_switch has no effect without cores"),
        ("clos:hosts=128,spine_oversubscription=2", ConfigError, "spine_oversubscription has no effect without cores"),
        ("clos:hosts=128,leaf_hosts=60,uplinks=8", TopologyError, "60 links of 400 Gb/s down and 8 of 400 Gb/s up"),
        ("clos:hosts=128,uplink_gbps=3200", TopologyError, "qm9700 has none of 3200 Gb/s"),
        ("clos:hosts=2048,tiers=2,spines=8", TopologyError, "exceed the 64 ports of each of 8 spines"),
        ("clos:hosts=4096,tiers=3,spines=8", TopologyError, "give more spines or a larger spine_switch"),
        ("clos:hosts=4096,pod_leaves=40", TopologyError, "40 leaves of a pod exceed the 32 ports down of a spine"),
        ("clos:hosts=4096,tiers=3,spine_oversubscription=100000", TopologyError, "lower spine_oversubscription"),
        ("rail:servers=64,core=ocs,uplink_gbps=200", ConfigError, "uplink_gbps has no effect with core=ocs"),
        ("rail:servers=64,core=none,spines=2", ConfigError, "spines has no effect where one switch is a whole rail"),
        ("multi-plane:servers=64,planes=1", ConfigError, "planes = 1 is a single network; use rail"),
        ("dual-plane:servers=1", ConfigError, "servers = 1 needs no rails"),
        ("dual-plane:servers=64,leaf_hosts=137", TopologyError, "137 links of 200 Gb/s down and 60 of 400 Gb/s up"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind, match=said):
        build(spec)


def test_above_the_leaves_another_technology_rate_and_length():
    built = build("clos:hosts=256,technology=dac,length_m=2,uplink_technology=pluggable,uplink_length_m=40")
    kinds = {(e["medium"], e["length_m"]) for a, _, e in built.edges if a.startswith("acc")}
    above = {(e["medium"], e["length_m"]) for a, _, e in built.edges if not a.startswith("acc")}
    assert (kinds, above) == ({("copper", 2.0)}, {("optical", 40.0)})


def test_a_plane_that_fails_leaves_the_other():
    built = build("dual-plane:servers=256")
    graph = nx.Graph(built.graph)
    graph.remove_nodes_from([n for n in graph if n.endswith("-p0") and n.startswith(("leaf", "spine"))])
    scale_out = graph.subgraph(n for n, d in graph.nodes(data=True) if d.get("tier") != 0)
    assert nx.is_connected(scale_out)
    assert {scale_out.degree(gpu) for gpu in built.accelerators} == {1}


def test_joined_planes_share_their_spines():
    apart, joined = build("dual-plane:servers=256"), build("dual-plane:servers=256,joined=true")

    def pieces(topology):
        above = (n for n, tier in topology.graph.nodes(data="tier") if tier)
        return nx.number_connected_components(topology.graph.subgraph(above))

    assert (pieces(apart), pieces(joined)) == (2, 1)
    assert apart.links == joined.links
