"""SimGrid platforms: clusters against their closed forms, explicit routes laid as a graph, real and exported files."""

import networkx as nx
import pytest

from fabric import simulate
from fabric.metrics import describe
from topologies.formats.writing import export
from topologies.registry import build


def platform(body, routing="Full"):
    return f'<?xml version="1.0"?>\n<platform version="4.1"><zone id="w" routing="{routing}">{body}</zone></platform>'


def cluster(n, **more):
    own = {
        "id": "c",
        "prefix": "n",
        "suffix": "",
        "radical": f"0-{n - 1}",
        "speed": "1Gf",
        "bw": "125MBps",
        "lat": "50us",
    }
    told = " ".join(f'{key}="{value}"' for key, value in (own | more).items())
    return platform(f"<cluster {told}/>")


def hosts(*names):
    return "".join(f'<host id="{name}" speed="1Gf"/>' for name in names)


def links(*names, **more):
    told = " ".join(f'{key}="{value}"' for key, value in ({"bandwidth": "1Gbps", "latency": "1us"} | more).items())
    return "".join(f'<link id="{name}" {told}/>' for name in names)


def route(a, b, *names):
    held = "".join(f'<link_ctn id="{name}"/>' for name in names)
    return f'<route src="{a}" dst="{b}">{held}</route>'


def test_flat_cluster(read, kinds):
    topology = read("simgrid", cluster(8))
    assert kinds(topology) == {"accelerator": 8, "switch": 1} and topology.links == 8
    edge = topology.graph.edges["n0", "nc_router"]
    assert (edge["rate_gbps"], edge["latency_ns"]) == (1, 50_000)


def test_torus_is_ours(read):
    """Two along a dimension have two links, in SimGrid as here."""
    ours = build("torus:dims=3x2x4")
    topology = read("simgrid", cluster(24, topology="TORUS", topo_parameters="3,2,4"))
    assert topology.grid.dims == (3, 2, 4) and topology.links == ours.links
    same = nx.relabel_nodes(topology.graph, dict(zip(topology.nodes, ours.nodes, strict=True)))
    assert {frozenset(e) for e in same.edges} == {frozenset(e) for e in ours.graph.edges}


@pytest.mark.parametrize(
    ("shape", "switches", "between"),
    [
        ("2;4,4;1,2;1,2", 4 + 2, 16),
        ("2;2,8;1,4;1,1", 8 + 4, 32),
        ("3;2,2,4;1,2,2;1,1,1", 8 + 8 + 4, 32),
        ("1;16;2;1", 2, 0),
    ],
)
def test_fat_trees(read, kinds, shape, switches, between):
    """PGFT(h; m; w; p): level l has prod(m above l) x prod(w up to l) switches."""
    topology = read("simgrid", cluster(16, topology="FAT_TREE", topo_parameters=shape))
    assert kinds(topology) == {"accelerator": 16, "switch": switches}
    first = int(shape.split(";")[2].split(",")[0])
    assert topology.links == 16 * first + between
    assert describe(topology)["diameter"] == 2 * int(shape.split(";")[0])


def test_full_bisection_of_a_fat_tree(read):
    topology = read(
        "simgrid", cluster(16, topology="FAT_TREE", topo_parameters="2;4,4;1,4;1,1", bw="10GBps", lat="1ns")
    )
    assert simulate(topology, "all-to-all").busbw_gb_per_s == pytest.approx(10, rel=1e-3)


def test_dragonfly(read, kinds):
    """3 groups of 4 chassis of 5 routers of 2 hosts; 4 links between groups, 3 between chassis, 1 inside."""
    topology = read("simgrid", cluster(120, topology="DRAGONFLY", topo_parameters="3,4;4,3;5,1;2"))
    assert kinds(topology) == {"accelerator": 120, "switch": 60}
    inside = 4 * (5 * 4 // 2) * 1 + 5 * (4 * 3 // 2) * 3
    assert topology.links == 120 + 3 * inside + 3 * 4
    assert nx.is_connected(topology.graph)


def test_shortest_route_zones_are_graphs(read, kinds):
    text = platform(
        hosts("a", "b") + '<router id="r"/>' + links("x", "y") + route("a", "r", "x") + route("r", "b", "y"), "Floyd"
    )
    topology = read("simgrid", text)
    assert kinds(topology) == {"accelerator": 2, "switch": 1} and topology.links == 2
    assert not topology.graph.nodes["a"]["forwards"]


def test_full_routes_of_a_star_are_laid_as_one(read, kinds):
    """Each host's own link, met in one place that the file does not name."""
    names = "abcd"
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    text = platform(
        hosts(*names) + links(*(f"l{n}" for n in names)) + "".join(route(a, b, f"l{a}", f"l{b}") for a, b in pairs)
    )
    topology = read("simgrid", text)
    assert kinds(topology) == {"accelerator": 4, "switch": 1} and topology.links == 4
    assert any("does not name them" in note for note in topology.notes)


def test_full_routes_over_a_trunk(read, kinds):
    """Two hosts a side, a trunk between: two switches."""
    text = platform(
        hosts("a", "b", "c", "d")
        + links("la", "lb", "lc", "ld", "t")
        + route("a", "b", "la", "lb")
        + "".join(route(x, y, f"l{x}", "t", f"l{y}") for x in "ab" for y in "cd")
        + route("c", "d", "lc", "ld")
    )
    topology = read("simgrid", text)
    assert kinds(topology) == {"accelerator": 4, "switch": 2} and topology.links == 5


def test_routes_of_one_link_tell_where_the_others_meet(read, kinds):
    """A dogbone whose every link is a route of its own, too: no place is left to guess."""
    text = platform(
        hosts("a", "b", "c", "d")
        + '<router id="r"/><router id="s"/>'
        + links("la", "lb", "lc", "ld", "t")
        + "".join(route(x, y, f"l{x}", "t", f"l{y}") for x in "ab" for y in "cd")
        + "".join(route(x, r, f"l{x}") for x, r in zip("abcd", "rrss", strict=True))
        + route("r", "s", "t")
    )
    topology = read("simgrid", text)
    assert kinds(topology) == {"accelerator": 4, "switch": 2} and topology.links == 5


def test_a_cluster_that_is_written_out(read, kinds):
    text = platform(
        hosts("a", "b") + '<router id="r"/>' + links("la", "lb") + '<host_link id="a" up="la" down="la"/>'
        '<host_link id="b" up="lb_UP" down="lb_DOWN"/>',
        "Cluster",
    )
    topology = read("simgrid", text)
    assert kinds(topology) == {"accelerator": 2, "switch": 1} and topology.links == 2


def test_a_link_of_many_pairs_is_a_switch(read, kinds):
    text = platform(hosts("a", "b", "c") + links("bus") + route("a", "b", "bus") + route("b", "c", "bus"))
    topology = read("simgrid", text)
    assert kinds(topology) == {"accelerator": 3, "switch": 1} and topology.links == 3
    fat = read("simgrid", text.replace('id="bus"', 'id="bus" sharing_policy="FATPIPE"', 1))
    assert kinds(fat) == {"accelerator": 3} and fat.links == 2


def test_units(read):
    for text, gbps in (("1Gbps", 1), ("125MBps", 1), ("1GiBps", 8 * 1.073741824), ("2e9bps", 2), ("100kBps", 8e-4)):
        topology = read("simgrid", cluster(2, bw=text))
        assert topology.graph.edges["n0", "nc_router"]["rate_gbps"] == pytest.approx(gbps)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("<system/>", "root is <system>"),
        (platform(""), "0 accelerators"),
        (cluster(8, bw="fast"), "bw = 'fast'"),
        (cluster(8, bw="-1Gbps"), "bw = '-1Gbps'"),
        (cluster(8, bw="0Gbps"), "not above zero"),
        (cluster(8, bw="NaNbps"), "bw"),
        (cluster(8, bw="1e300Gbps"), "beyond any"),
        (cluster(8, radical="0-99999999"), "more than 4,000,000 hosts"),
        (cluster(8, radical="7-0"), "radical"),
        (cluster(8, topology="TORUS", topo_parameters="3,3"), "is 9 hosts, radical 8"),
        (cluster(8, topology="TORUS", topo_parameters="0,8"), "whole numbers above zero"),
        (cluster(16, topology="FAT_TREE", topo_parameters="2;4,4;1,2"), "not like levels;down"),
        (cluster(16, topology="FAT_TREE", topo_parameters="2;4,4;1,99999999;1,1"), "more than 4,000,000 links"),
        (cluster(16, topology="DRAGONFLY", topo_parameters="16,1;1,1;1,1;1"), "16 groups of 1 routers"),
        (cluster(16, topology="MOEBIUS"), "MOEBIUS"),
        (platform(hosts("a", "a")), "twice"),
        (platform(hosts("a", "b") + links("x") + route("a", "c", "x")), "'c' is no host"),
        (platform(hosts("a", "b") + route("a", "b", "x")), "no link 'x'"),
        (platform(hosts("a", "b") + links("x") + route("a", "b")), "over no link"),
        (platform(hosts("a", "b", "c") + links("x") + route("a", "b", "x")), "not connected"),
        (platform(hosts("a", "b") + links("x", "y") + route("a", "b", "x", "y", "x", "y", "x")), "no placing|itself"),
    ],
)
def test_what_is_wrong_is_said(read, text, message):
    with pytest.raises(Exception, match=message) as told:
        read("simgrid", text)
    assert told.type.__name__ in ("ConfigError", "TopologyError") and "\n" not in str(told.value)


def test_real_files(real, kinds):
    tree = build(str(real("simgrid/cluster_fat_tree.xml")))
    # 16 hosts on 4 leaves, 2 roots that each leaf reaches over 2 cables
    assert kinds(tree) == {"accelerator": 16, "switch": 6} and tree.links == 16 + 4 * 2 * 2
    torus = build(str(real("simgrid/cluster_torus.xml")))
    assert torus.links == 12 * 3 and describe(torus)["diameter"] == 1 + 1 + 1
    assert torus.accelerators[0] == "node-0.simgrid.org"


@pytest.mark.parametrize(
    "spec", ["torus:dims=4x3x3", "fat-tree:k=4", "dragonfly:p=2,a=4,h=2", "jellyfish:n=12,degree=3,p=2"]
)
def test_what_is_exported_reads_back(tmp_path, spec):
    first = build(spec)
    path = tmp_path / "platform.xml"
    path.write_text(export(first, "simgrid").text)
    again = build(str(path))
    assert (len(again.accelerators), len(again.nodes)) == (len(first.accelerators), len(first.nodes))
    assert sum(e["rate_gbps"] * e["count"] for _, _, e in again.edges) == pytest.approx(
        sum(e["rate_gbps"] * e["count"] for _, _, e in first.edges)
    )
    assert describe(again)["diameter"] == describe(first)["diameter"]


@pytest.mark.parametrize("spec", ["hammingmesh:a=2,b=2,x=3,y=2", "bcube:n=3,k=1", "dcell:n=3,k=1"])
def test_hosts_pass_on_where_switches_alone_do_not_join_them(read, spec):
    ours = build(spec)
    again = read("simgrid", export(ours, "simgrid").text)
    assert any("hosts pass on" in note for note in again.notes)
    before, after = simulate(ours, "all-to-all", "1MiB"), simulate(again, "all-to-all", "1MiB")
    assert after.time_us == pytest.approx(before.time_us)
