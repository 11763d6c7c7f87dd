"""Ready-made clusters against their published counts and against counts worked out on paper."""

import networkx as nx
import pytest

from topologies.bill import bill_of_materials
from topologies.reach import tightest_copper
from topologies.registry import build


def tiers(topology):
    """Switches by tier outside servers, from the leaves up."""
    found = topology.attribute("tier")
    return tuple(found.count(t) for t in (1, 2, 3) if found.count(t))


def of_tier(topology, tier):
    return [n for n, t in topology.graph.nodes(data="tier") if t == tier]


def links(topology, node, tier):
    """Links of a node to switches of a tier, to accelerators with tier None."""
    nodes = topology.graph.nodes
    return sum(e["count"] for _, n, e in topology.graph.edges(node, data=True) if nodes[n].get("tier") == tier)


def bill(topology):
    return {row.part.name: row.quantity for row in bill_of_materials(topology)}


@pytest.mark.parametrize(
    ("spec", "gpus", "expected"),
    [
        # 15 segments x 8 rails x 2 planes leaves of 128; 60 spines a plane, one link from each of 120 leaves
        ("alibaba-hpn-pod", 15360, (240, 120)),
        # one leaf a rack of 16; 8 pods of 192 leaves and 16 spines; a core above each place of a spine
        ("meta-24k", 24576, (1536, 128, 16)),
        # 8 rails x 24 leaves of 64; 6 pods of 32 leaves and 32 spines; 6 x 32 links a place, 8 a pod to each of 4
        ("megascale-12k", 12288, (192, 192, 128)),
        # 4 rails x 16 leaves of 72 + 72; 36 spines take two links a leaf
        ("gb300-nvl72-x64", 4608, (64, 36)),
        ("gb300-nvl72-x64-cpo", 4608, (64, 36)),
        ("gb300-nvl72-x8", 576, (8, 4)),
        ("nvl72-x8", 576, (20, 16)),
        # 4 rails x 36 leaves of 32 + 32: 5 pods of 28 leaves, 32 spines each; 4 cores a place take 8 links a pod
        ("nvl72-x64", 4608, (144, 160, 128)),
        ("nvl72-x64-rail-only", 4608, (72,)),
        ("dgx-h100-rail-only-1024", 1024, (8 * 4, 8 * 2)),
    ],
)
def test_switches(spec, gpus, expected, built):
    cluster = built(spec)
    assert len(cluster.accelerators) == gpus and tiers(cluster) == expected


def test_an_hpn_leaf_and_spine(built):
    pod = built("alibaba-hpn-pod")
    assert {(links(pod, n, None), links(pod, n, 2)) for n in of_tier(pod, 1)} == {(128, 60)}
    assert {links(pod, n, 1) for n in of_tier(pod, 2)} == {120}
    rates = {(e["rate_gbps"], e.get("nic")) for n in of_tier(pod, 1)[:3] for _, _, e in pod.graph.edges(n, data=True)}
    assert rates == {(200.0, "cx7-400g"), (400.0, None)}
    assert pod.links == 15360 * 8 + 15360 * 2 + 240 * 60
    scale_out = pod.graph.subgraph(n for n, t in pod.graph.nodes(data="tier") if t)
    assert nx.number_connected_components(scale_out) == 2


def test_two_hpn_pods_have_15_links_down_for_one_up():
    two = build("dual-plane:servers=64,leaf_hosts=4,uplinks=4,pod_leaves=64,spine_oversubscription=15,spines=4")
    assert tiers(two)[0] == 64 * 4  # 16 segments x 8 rails x 2 planes: two pods of 64 leaves in either plane
    for spine in of_tier(two, 2):
        assert links(two, spine, 1) == 64 and links(two, spine, 3) in (4, 5)
    assert sum(links(two, s, 3) for s in of_tier(two, 2)) == 2 * 2 * 18  # ceil(256 / 15) a pod


def test_a_meta_pod(built):
    cluster = built("meta-24k")
    assert {(links(cluster, n, None), links(cluster, n, 2)) for n in of_tier(cluster, 1)} == {(16, 32)}
    pod = [n for n in of_tier(cluster, 2) if n.startswith("spine-3-")]
    assert {links(cluster, n, 1) for n in pod} == {192 * 2}
    assert sum(links(cluster, n, 3) for n in pod) == 439  # ceil(3072 / 7)
    assert cluster.links == 24576 * 18 + 24576 + 1536 * 32 + 8 * 439
    racks = {frozenset(n for n in cluster.graph[leaf] if n.startswith("gpu")) for leaf in of_tier(cluster, 1)}
    assert frozenset(f"gpu-{s}-{g}" for s in (6, 7) for g in range(8)) in racks


def test_a_megascale_leaf_has_two_rates(built):
    cluster = built("megascale-12k")
    assert {(links(cluster, n, None), links(cluster, n, 2)) for n in of_tier(cluster, 1)} == {(64, 32)}
    servers = {n.split("-")[1] for n in cluster.graph["leaf-2-r5"] if n.startswith("gpu")}
    assert servers == {str(s) for s in range(128, 192)}  # 64 servers on one set of 8 switches
    assert bill(cluster)["cx6-200g"] == 12288


def test_rail_r_joins_gpu_r_of_every_tray(built):
    cluster = built("nvl72-x64")
    graph = cluster.graph
    for rank in (0, 5, 71, 72 * 63 + 70):
        gpu = cluster.accelerators[rank]
        (leaf,) = (n for n in graph[gpu] if n.startswith("leaf"))
        assert leaf.endswith(f"-r{rank % 4}")
    assert graph.nodes["gpu-7-9"]["tray"] == "server-7/2"


def test_cloudmatrix384(built):
    system = built("cloudmatrix384")
    found = bill(system)
    assert (found["ub-switch-l1"], found["ub-switch-l2"]) == (48 * 7, 7 * 16)
    assert found["400g-lpo-ub"] == 384 * (14 + 4) == 6912
    assert bill(build("cloudmatrix384:scaleout=false"))["400g-lpo-ub"] == 48 * 56 * 2
    graph = system.graph
    assert {links(system, n, 2) for n in of_tier(system, 0)} == {16}
    assert {links(system, n, 0) for n in of_tier(system, 2) if "out" not in n} == {48}
    one_way = sum(e["rate_gbps"] * e["count"] for _, n, e in graph.edges("gpu-100", data=True) if n.startswith("nvs"))
    assert one_way / 8 == 392  # GB/s
    out = [n for n in graph if n.endswith("-out") or n.startswith("out-")]
    assert len(out) == 12 + 6 + 2 and not any(graph.nodes[n]["forwards"] for n in out)


def test_what_leads_out_carries_nothing_inside(built):
    csr, system = built("cloudmatrix384").csr(), built("cloudmatrix384")
    assert csr.capacity[csr.indptr[0] : csr.indptr[1]].sum() == pytest.approx(392e9)
    assert int(csr.links.sum()) == 2 * (system.links - 2 * 384)


@pytest.mark.parametrize(("spec", "between"), [("nvl576-copper", "copper"), ("nvl576-cpo", "optical")])
def test_nvl576(spec, between, built):
    """72 links a package in 72 planes: a chip in each of 8 racks, 72 down and 72 up; 8 x 72 / 144 = 4 chips above."""
    domain = built(spec)
    assert domain.attribute("tier").count(0) == 72 * 8 and domain.attribute("tier").count(2) == 72 * 4
    assert domain.links == 2 * 576 * 72
    assert {(links(domain, n, None), links(domain, n, 2)) for n in of_tier(domain, 0)} == {(72, 72)}
    assert {links(domain, n, 0) for n in of_tier(domain, 2)} == {144}
    media = {e["medium"] for n in of_tier(domain, 2) for _, _, e in domain.graph.edges(n, data=True)}
    assert media == {between}
    assert (tightest_copper(domain) is None) == (between == "optical")
    if between == "copper":
        assert tightest_copper(domain).state == "over"
    else:
        assert bill(domain)["1600g-cpo"] == 2 * 576 * 72 / 8  # eight links of 200G a module, at both ends


def test_switches_with_optics_inside_have_no_modules():
    """8 leaves of 64 adapters and 72 links up: with optics inside, only the 512 adapters' ends have modules."""
    cage = build("rail:servers=64,rate_gbps=800,switch=q3400,nic=cx8-800g")
    inside = build("rail:servers=64,rate_gbps=800,switch=q3450-ld,nic=cx8-800g,uplink_technology=cpo")
    assert bill(inside)["800g-2xdr4"] == 512
    assert bill(cage)["800g-2xdr4"] == 512 + 512 + 2 * 8 * 72
    assert "1600g-cpo" not in bill(inside)


@pytest.mark.parametrize("spec", ["colossus-100k", "colossus-100k-cpo", "colossus-100k-sn6800"])
def test_colossus(spec):
    """A sixteenth of the servers: 800 x 8 accelerators on leaves of 64, 128 or 512, half of the ports of a box."""
    cluster = build(f"{spec}:servers=800")
    assert len(tiers(cluster)) == (3 if spec == "colossus-100k" else 2)
    half = {"colossus-100k": 64, "colossus-100k-cpo": 128, "colossus-100k-sn6800": 512}[spec]
    assert tiers(cluster)[0] == 8 * -(-800 // half)
    assert {links(cluster, leaf, 2) for leaf in of_tier(cluster, 1)} == {half}
    modules = bill(cluster)
    assert modules["400g-dr4"] == 6400  # each adapter is a card with one cage
    assert ("800g-2xdr4" in modules) == (spec == "colossus-100k")  # the others have optics inside their switches


def test_pods_hold_whole_rails():
    """1,568 leaves of Colossus in units of 8 rails: pods of 56 or 64; 13 cores a place do, 16 take 4 links each."""
    from topologies.stages import Layout, _least_cores, _pods

    pods = _pods([f"leaf-{i}" for i in range(1568)], 64, Layout(unit=8))
    assert len(pods) == 25 and {len(pod) for pod in pods} == {56, 64}
    assert _least_cores(25, 64, 128) == 13 and 25 * 64 // 16 <= 128
