"""Circuit switches by region, rail, node and pod: counts from the papers' parameters, and what cannot be built."""

from collections import Counter
from itertools import pairwise

import networkx as nx
import pytest

from topologies.bill import bill_of_materials
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


def quantities(topology):
    return {row.part.name: row.quantity for row in bill_of_materials(topology)}


def circuits_between(topology):
    return Counter(
        {frozenset((a, b)): e["count"] for a, b, e in topology.graph.edges(data=True) if e["medium"] == "circuit"}
    )


class TestMixnet:
    """Of 8 adapters of a server 2 face packet switches, 6 the circuit switches of its region."""

    def test_a_region_of_four(self):
        """Six ports on three other servers: two links each; regions have no circuit between them."""
        built = build("mixnet:servers=8,region=4")
        pairs = circuits_between(built)
        assert set(pairs.values()) == {2} and len(pairs) == 2 * 6
        regions = {frozenset(int(end.split("-")[1]) // 4 for end in pair) for pair in pairs}
        assert regions == {frozenset({0}), frozenset({1})}
        assert {built.graph.edges[f"nics-{s}", "leaf-0"]["count"] for s in range(8)} == {2}

    def test_a_larger_region_is_regular(self):
        pairs = circuits_between(build("mixnet:servers=16,region=16"))
        degree = Counter(end for pair, count in pairs.items() for end in [*pair] * count)
        assert set(degree.values()) == {6} and len(degree) == 16

    def test_parts(self):
        """64 adapters; 48 modules face circuits, 16 packet adapters and as many leaf ports; a strand each way."""
        built = build("mixnet:servers=8,region=4,boundary=network")
        bill = quantities(built)
        assert (bill["cx7-400g"], bill["400g-fr4"], bill["400g-dr4"], bill["th4-64x400g"]) == (64, 48, 32, 1)
        assert "nvswitch3" not in bill and "nvswitch3" in quantities(build("mixnet:servers=8,region=4"))
        assert len(built.circuits.strands) == 2 * 48
        assert built.links == 8 * (8 * 18 + 2) + 24  # scale-up, packet, circuits; not the links to adapters

    def test_no_short_cut_inside_a_server(self):
        built = build("mixnet:servers=2,region=2")
        inside = nx.shortest_path(built.graph, "gpu-0-0", "gpu-0-7")
        assert len(inside) == 3 and "nvs" in inside[1]


class TestPhotonicRail:
    """A circuit switch for each rail, rings along it."""

    @pytest.mark.parametrize(("more", "links", "rate"), [("", 1, 200), (",ports=4", 2, 100)])
    def test_rings_along_rails(self, more, links, rate):
        built = build(f"photonic-rail:servers=6{more}")
        pairs = circuits_between(built)
        assert len(pairs) == 8 * 6 and set(pairs.values()) == {links}
        assert {e["rate_gbps"] for _, _, e in built.graph.edges(data=True) if e["medium"] == "circuit"} == {rate}
        for pair in pairs:
            (s, r), (t, q) = (tuple(map(int, end.split("-")[1:])) for end in pair)
            assert r == q and (s - t) % 6 in (1, 5)
        assert built.circuits.devices == 8

    def test_a_switch_holds_one_rail(self):
        layer = build("photonic-rail:servers=6").circuits
        rails = {device: set() for device in range(8)}
        for device, _, _, end in layer.strands.tolist():
            rails[device].add(layer.ends[end].split("-")[2])
        assert sorted(next(iter(names)) for names in rails.values() if len(names) == 1) == list("01234567")

    def test_another_state(self):
        """Strides in place of neighbours, on the same strands."""
        ring, strides = (build(f"photonic-rail:servers=9,ports=4,pattern={p}") for p in ("ring", "totient"))
        moved = ring.with_state(strides.circuits.state)
        assert circuits_between(moved) == circuits_between(strides) != circuits_between(ring)


class TestKhopRing:
    """Nodes on a ring with fibres to their K nearest on either side."""

    @pytest.mark.parametrize(("gpus", "lit", "counts"), [(1, 1, [8]), (4, 1, [8]), (1, 2, [4, 4]), (2, 3, [3, 3, 2])])
    def test_counts(self, gpus, lit, counts):
        built = build(f"khop-ring:nodes=11,k=3,gpus={gpus},links=8,lit={lit}")
        outer = Counter()
        for a, b, edge in built.edges:
            i, j = (int(end.split("-")[1]) for end in (a, b))
            if i != j:
                outer[min((i - j) % 11, (j - i) % 11)] += edge["count"]
        assert outer == {hop: 11 * count for hop, count in enumerate(counts, start=1)}
        assert built.links == 11 * 8 * gpus  # gpus - 1 inside and one bundle on
        assert len(built.accelerators) == 11 * gpus

    def test_tours_cross_links_only(self):
        built = build("khop-ring:nodes=9,k=4,gpus=3,lit=4")
        labels = built.accelerators
        assert [tour[3] // 3 for tour in built.tours] == [1, 2, 4]  # by steps of three nodes none closes
        for tour in built.tours:
            assert sorted(tour.tolist()) == list(range(27))
            around = [*tour.tolist(), int(tour[0])]
            assert all(built.graph.has_edge(labels[a], labels[b]) for a, b in pairwise(around))

    def test_dark_fibres_are_said(self):
        assert any("fibres to nodes 2, 3 away are dark" in n for n in build("khop-ring:nodes=16,k=3").notes)


class TestPodOcs:
    """Pods joined by circuit switches in place of a core."""

    def test_pods(self):
        """16 pods of 64 hosts: 16 uplinks are one link a pair and one more half way round; 256 ports on one device."""
        built = build("pod-ocs:pods=16,tors=8,hosts=8,uplinks=16")
        pairs = circuits_between(built)
        assert len(built.accelerators) == 1024 and built.circuits.devices == 1
        assert Counter(pairs.values()) == {1: 16 * 15 // 2 - 8, 2: 8}
        assert len(built.circuits.strands) == 2 * 256

    def test_several_aggregations(self):
        built = build("pod-ocs:pods=6,tors=4,hosts=2,uplinks=10,aggregations=2")
        assert built.attribute("kind").count("switch") == 6 * (4 + 2)
        assert {built.graph.degree(f"agg-0-{a}", weight="count") for a in range(2)} == {4 + 5, 4 + 5}
        pods = Counter()
        for pair, count in circuits_between(built).items():
            pods[frozenset(int(end.split("-")[1]) for end in pair)] += count
        assert set(pods.values()) == {2} and len(pods) == 15

    def test_bare_racks(self):
        built = build("pod-ocs:pods=20,hosts=4,uplinks=4")
        assert set(Counter(dict(built.graph.degree(weight="count"))).values()) == {1, 8}
        assert nx.is_connected(built.graph) and built.attribute("kind").count("switch") == 20

    def test_an_odd_port_of_an_odd_number_of_pods(self):
        assert any("1 uplink of each pod stays free" in note for note in build("pod-ocs:pods=5,uplinks=5").notes)


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("mixnet:servers=8,region=3", ConfigError, "region = 3 does not divide 8 servers"),
        ("mixnet:servers=8,packet_nics=8", ConfigError, "leaves no adapter of 8 for circuits"),
        ("mixnet:servers=8,tiers=2", ConfigError, "tiers has no effect where one th4-64x400g takes all packet"),
        ("mixnet:servers=600,region=600", TopologyError, "1200 strands of one polatis-576, which has 1152 ports"),
        ("photonic-rail:servers=1", ConfigError, "servers = 1 needs no rails"),
        ("photonic-rail:servers=4,ports=3", ConfigError, "ports = 3 is odd"),
        ("photonic-rail:servers=9,pattern=totient", ConfigError, "no effect: 2 ports make 1 ring of 9 servers"),
        ("photonic-rail:servers=6,ports=4,pattern=totient", ConfigError, "no effect: 4 ports make 2 rings of 6"),
        ("photonic-rail:servers=400", TopologyError, "take 800 strands of one polatis-384, which has 768 ports"),
        ("photonic-rail:servers=4,rate_gbps=800", ConfigError, "adapter 'cx7-400g' carries 400 Gb/s"),
        ("khop-ring:nodes=2", ConfigError, "nodes = 2 make no ring"),
        ("khop-ring:nodes=6,k=3", ConfigError, "k = 3 meets itself on 6 nodes; give at most 2"),
        ("khop-ring:nodes=9,k=2,lit=3", ConfigError, "lit = 3 exceeds k = 2 or links = 8"),
        ("pod-ocs:pods=1,uplinks=4", ConfigError, "pods = 1 joins nothing"),
        ("pod-ocs:pods=4,uplinks=1", ConfigError, "uplinks = 1 joins 4 pods in pairs only"),
        ("pod-ocs:pods=4,uplinks=4,aggregation_radix=8", ConfigError, "no effect without tors above 1"),
        ("pod-ocs:pods=4,uplinks=4,aggregations=2", ConfigError, "no effect without tors above 1"),
        ("ocs-flat:n=8,degree=4,seed=1", ConfigError, "seed has no effect without pattern=random"),
        ("rotor:racks=8,uplinks=4,seed=1", ConfigError, "seed has no effect without schedule=opera"),
        ("pod-ocs:pods=4,uplinks=8,hosts=8,radix=12", TopologyError, "a tor switch uses 16 ports of 12"),
        ("pod-ocs:pods=400,uplinks=2,hosts=1", TopologyError, "take 800 strands of one calient-s320, which has 640"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spec", "orbits"),
    [
        ("ocs-flat:n=16,degree=4", 1),
        ("rotor:racks=6,uplinks=2", 1),
        ("mixnet:servers=8,region=4", 1),
        ("photonic-rail:servers=6", 1),
        ("khop-ring:nodes=9,k=2,lit=2,gpus=2", 2),  # the first and the last of a node differ
        ("pod-ocs:pods=5,uplinks=4,hosts=2", 1),
        ("pod-ocs:pods=6,tors=4,hosts=2,uplinks=10,aggregations=2", 1),
    ],
)
def test_what_no_one_could_tell_apart(spec, orbits):
    from fabric.symmetry import symmetry

    assert len(symmetry(build(spec)).representatives) == orbits


@pytest.mark.parametrize("spec", ["ocs-flat:n=9,degree=4,pattern=random", "rotor:racks=5,uplinks=2,hosts=1"])
def test_tours_and_waits_survive_a_file(spec, tmp_path):
    from topologies.formats.native import write_native

    path, built = tmp_path / "fabric.json", build(spec)
    write_native(built, path)
    again = build(str(path))
    assert [tour.tolist() for tour in again.tours] == [tour.tolist() for tour in built.tours]
    assert (again.csr().latency == built.csr().latency).all() and (again.csr().wait == built.csr().wait).all()


def test_a_tour_in_a_file_holds_every_rank(tmp_path):
    from topologies.formats.native import write_native

    path = tmp_path / "fabric.json"
    write_native(build("rotor:racks=5,uplinks=2,hosts=1"), path)
    path.write_text(path.read_text().replace('"notes"', '"tours": [[0, 0]], "notes"', 1))
    with pytest.raises(ConfigError, match="tours: one of 2 ranks does not hold each of 5 ranks once"):
        build(str(path))
