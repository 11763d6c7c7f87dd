"""No switch of any built family has more links than ports; uplinks and downlinks are what the parameters say."""

from collections import Counter
from math import ceil

import networkx as nx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from topologies.errors import FabricError
from topologies.families import systems
from topologies.parts import Switch, catalogue
from topologies.registry import build
from topologies.stages import leaf_split

SWITCH_ROW = """
[[part]]
name = "tiny-{0}"
title = "a switch of {0} ports"
kind = "switch"
source = "invented for this test"
year = 2026
confidence = "low"
capacity_gbps = {1}
max_ports = 4096
"""
# every ready-made system, the largest with fewer servers
SPECS = [name if row.parameters.get("servers", 0) < 1500 else f"{name}:servers=512" for name, row in systems().items()]


PLANES = (1, 2, 4)
quick = settings(max_examples=80, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The catalogue with switches of 2 to 16 ports of 400 Gb/s."""
    path = tmp_path_factory.mktemp("parts") / "tiny.toml"
    path.write_text("".join(SWITCH_ROW.format(n, 400 * n) for n in range(2, 17)), "utf-8")
    return catalogue(path)


def check_ports(topology):
    """Links of every switch against the ports that its part, or the parts that it stands for, has at their rates."""
    graph = topology.graph
    for node, attributes in graph.nodes(data=True):
        if attributes["kind"] != "switch":
            continue
        edges = [edge for _, _, edge in graph.edges(node, data=True)]
        boxes = {attributes["part"]: 1} if attributes.get("part") else attributes.get("parts", {})
        for name, number in boxes.items():
            box = topology.catalogue.part(name, Switch)
            assert sum(e["count"] / box.ports(e["rate_gbps"]) for e in edges) <= number + 1e-9, node
            assert sum(e["count"] * e["rate_gbps"] for e in edges) <= number * box.capacity_gbps + 1e-6, node


def tier(topology, level):
    return [n for n, d in topology.graph.nodes(data=True) if d["kind"] == "switch" and d["tier"] == level]


def links_between(topology, node, level):
    """Links of a node to switches of a tier, to accelerators with level None."""
    nodes = topology.graph.nodes
    return sum(
        edge["count"]
        for _, other, edge in topology.graph.edges(node, data=True)
        if nodes[other].get("tier") == level and (level is not None or nodes[other]["kind"] == "accelerator")
    )


def scale_out(topology):
    """The fabric without what is inside servers: no scale-up switches, no accelerators."""
    keep = [n for n, d in topology.graph.nodes(data=True) if d["kind"] == "switch" and d["tier"] > 0]
    return topology.graph.subgraph(keep)


@pytest.mark.parametrize("name", SPECS)
def test_ready_made_systems(name, built):
    check_ports(built(name))


@pytest.mark.parametrize(
    "spec",
    [
        "switch:n=64,switch=qm9700", "fat-tree:k=16,switch=th4-64x400g", "clos:hosts=5000", "clos:hosts=4096,planes=4",
        "clos:hosts=4096,switch=sn5600,rate_gbps=800", "clos:hosts=3000,oversubscription=3", "nvl:gpus=144,layers=2",
        "nvl:gpus=576,layers=2,switch=nvswitch4", "nvl:gpus=8,accelerator=h100-sxm,switch=nvswitch3,rate_gbps=200",
        "rail:servers=300,core=none", "rail:servers=300,core=ocs", "rail:servers=100,rails=2,planes=2",
        "jupiter:blocks=64,uplinks=512,spine=true", "jupiter:blocks=16,uplinks=256", "nvl72:rate_gbps=200",
    ],
)  # fmt: skip
def test_named_builds(spec):
    check_ports(build(spec))


@given(
    hosts=st.integers(2, 700),
    tiers=st.sampled_from([None, 1, 2, 3]),
    oversubscription=st.sampled_from([0.5, 1.0, 1.5, 2.0, 3.0, 7.0]),
    planes=st.sampled_from(PLANES),
    ports=st.integers(2, 16),
)
@quick
def test_clos(parts, hosts, tiers, oversubscription, planes, ports):
    spec = f"clos:hosts={hosts},tiers={tiers or 'none'},oversubscription={oversubscription},planes={planes}"
    try:
        built = build(f"{spec},switch=tiny-{ports}", parts)
    except FabricError:
        assume(False)
    check_ports(built)
    switches = built.graph.subgraph(n for n, d in built.graph.nodes(data=True) if d["kind"] == "switch")
    assert nx.number_connected_components(switches) == planes
    assert all(links_between(built, host, 1) == built.graph.degree(host) == planes for host in built.accelerators)
    assert {e["rate_gbps"] for _, _, e in built.graph.edges(data=True)} == {400 / planes}
    leaves = tier(built, 1)
    if len(leaves) == planes and not tier(built, 2):
        return
    down, up = leaf_split(ports * planes, oversubscription)
    assert len(leaves) == planes * ceil(hosts / down)
    for leaf in leaves:
        assert links_between(built, leaf, 2) == up
        assert links_between(built, leaf, None) <= down <= up * oversubscription * (1 + 1e-9)
    for spine in tier(built, 2):
        above, below = links_between(built, spine, 3), links_between(built, spine, 1)
        assert above >= below or not tier(built, 3)
        assert below >= 1


@pytest.mark.parametrize("ports", range(2, 17))
@pytest.mark.parametrize("oversubscription", [0.5, 1, 1.25, 2, 3, 4.5, 15])
def test_leaf_split(ports, oversubscription):
    try:
        down, up = leaf_split(ports, oversubscription)
    except FabricError:
        assert ports < 1 + oversubscription or ports < 1 + 1 / oversubscription
        return
    assert down + up <= ports and down <= up * oversubscription + 1e-9
    assert down + 1 > ports * oversubscription / (1 + oversubscription) - 1e-9
    if oversubscription == 1:
        assert down == up == ports // 2


@given(
    servers=st.integers(2, 40),
    shape=st.sampled_from([(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4), (6, 3), (8, 8), (8, 2)]),
    core=st.sampled_from(["spine", "none", "ocs"]),
    oversubscription=st.sampled_from([1.0, 2.0, 3.0]),
    planes=st.sampled_from((1, 2)),
    ports=st.integers(4, 16),
)
@quick
def test_rail(parts, servers, shape, core, oversubscription, planes, ports):
    gpus, rails = shape
    spec = f"rail:servers={servers},gpus={gpus},rails={rails},core={core},oversubscription={oversubscription}"
    try:
        built = build(f"{spec},planes={planes},switch=tiny-{ports}", parts)
    except FabricError:
        assume(False)
    check_ports(built)
    fabric = scale_out(built)
    rail_of = {n: n.split("-r")[1].split("-")[0] for n in tier(built, 1)}
    components = list(nx.connected_components(fabric))
    assert len(components) == planes * (1 if core == "spine" else rails)
    if core != "spine":
        assert all(len({rail_of[n] for n in c if n in rail_of}) == 1 for c in components)
    for rank, gpu in enumerate(built.accelerators):
        leaves = [n for n in built.graph[gpu] if n in rail_of]
        assert len(leaves) == planes
        assert {rail_of[n] for n in leaves} == {str(rank % gpus % rails)}
    assert {len(d) for d in built.domains} == {gpus} and len(built.domains) == servers
    if core == "ocs":
        assert all(
            sum(e["count"] for _, _, e in fabric.edges(leaf, data=True)) == leaf_split(ports, oversubscription)[1]
            for leaf in fabric
        )


@given(gpus=st.integers(2, 150), links=st.integers(1, 18), chips=st.integers(1, 18), layers=st.sampled_from((1, 2)))
@quick
def test_nvl(gpus, links, chips, layers):
    count = f",switches={chips}" if chips % 2 else ""
    try:
        built = build(f"nvl:gpus={gpus},links={links},layers={layers}{count}")
    except FabricError:
        assume(False)
    check_ports(built)
    degrees = Counter(dict(built.graph.degree(built.accelerators, weight="count")).values())
    assert degrees == {links: gpus}


@given(blocks=st.integers(2, 20), half=st.integers(1, 40), spine=st.booleans())
@quick
def test_jupiter(blocks, half, spine):
    try:
        built = build(f"jupiter:blocks={blocks},uplinks={2 * half},hosts=3,spine={spine}")
    except FabricError:
        assume(False)
    check_ports(built)
    for block in tier(built, 1):
        assert built.graph.degree(block, weight="count") == 2 * half + 3
