"""Forwarding tables: what dump_lfts.sh prints of a synthetic and of the real cluster, and damaged files."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from fabric.routing.contraction import contract
from fabric.routing.dmodk import divisors
from fabric.routing.registry import route
from fabric.traffic import Traffic
from topologies.errors import ConfigError, InfeasibleError
from topologies.formats.forwarding import read_forwarding_tables
from topologies.formats.ibnetdiscover import read_ibnetdiscover
from topologies.formats.native import read_native, write_native
from topologies.parts import catalogue

SMALL = Path(__file__).parents[1] / "cli/inputs/small.out"
REAL = Path(__file__).parents[3] / "shared/inputs/ibnetdiscover/dgx-ndr-cluster.out"
needs_real = pytest.mark.skipif(not REAL.is_file(), reason="the real cluster's dump is not on this machine")
HEADS = "  Lid  Out   Destination\n       Port     Info \n"


def tables_of(topology, choose):
    """The dump of tables in which every switch sends what is for a rank out of the port that `choose` picks of those
    on shortest paths: {switch: {rank: port}}."""
    csr = topology.csr()
    arc = {(int(t), int(h)): i for i, (t, h) in enumerate(zip(csr.tails, csr.heads, strict=True))}
    below = {e: nx.single_source_shortest_path_length(topology.graph, e) for e in topology.accelerators}
    tables = {}
    for node, attributes in topology.graph.nodes(data=True):
        if attributes["kind"] != "switch":
            continue
        v = topology.index[node]
        order = {number: (arc[v, topology.index[peer]], int(number)) for number, peer in attributes["ports"].items()}
        ports = sorted(attributes["ports"].items(), key=lambda item, order=order: order[item[0]])
        rows = tables[node] = {}
        for rank, end in enumerate(topology.accelerators):
            nearer = [int(n) for n, peer in ports if below[end][peer] == below[end][node] - 1]
            rows[rank] = choose(node, rank, nearer)
    return tables


def dump(topology, tables, guids=True):
    """As ibroute prints it; without the GUIDs of destinations, as with -n."""
    text = ""
    for lid, (node, rows) in enumerate(tables.items(), start=9000):
        guid = topology.graph.nodes[node]["guid"]
        text += f"Unicast lids [0x0-0xbfff] of switch Lid {lid} guid 0x{guid} (MF0;{node}:MQM9700/U1):\n{HEADS}"
        lines = [f"0x{lid:04x} 000 : (Switch portguid 0x{guid}: 'MF0;{node}:MQM9700/U1')"]
        for rank, port in rows.items():
            end = topology.accelerators[rank]
            known = topology.graph.nodes[end]
            of = f"(Channel Adapter portguid 0x{known['guid']}: '{end}')" if guids else ""
            lines += [f"0x{known['lid']:04x} {port:03d} : {of}".rstrip()]
        text += "\n".join(lines) + f"\n{len(lines)} valid lids dumped \n"
    return text


def first(node, rank, ports):
    return ports[0]


@pytest.fixture
def small():
    topology = read_ibnetdiscover(SMALL, catalogue())
    for lid, end in enumerate(topology.accelerators, start=20):  # the file gives all adapters one
        topology.graph.nodes[end]["lid"] = lid
    return topology


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "lfts.txt"
        path.write_text(text)
        return path

    return write


def test_the_importer_keeps_what_tables_need(small):
    leaf = small.graph.nodes["leaf-0"]
    assert (leaf["guid"], leaf["lid"]) == ("0000000000000001", 7)
    assert leaf["ports"] == {"1": "dgx-01 HCA-1", "2": small.accelerators[1], "33": "spine-0", "34": "spine-0"}
    assert small.graph.nodes["dgx-01 HCA-1"]["ports"] == {"1": "leaf-0"}
    assert small.graph.nodes["dgx-01 HCA-1"]["guid"] == "0000000000000010"


@pytest.mark.parametrize("guids", [True, False])
def test_small_tables(small, written, guids):
    path = written(dump(small, tables_of(small, first), guids))
    port = read_forwarding_tables(path, small).port
    assert port[small.index["leaf-0"]].tolist() == [1, 2, 33, 33]
    assert port[small.index["spine-0"]].tolist() == [1, 1, 3, 3]
    assert port[small.index["dgx-01 HCA-1"]].tolist() == [1, 1, 1, 1]


def test_loads_follow_the_tables(small, written):
    """All that leaves leaf 0 takes port 33 of two: its link carries four pairs, the other none."""
    path = written(dump(small, tables_of(small, first)))
    csr = small.csr()
    loads = route(small, Traffic.uniform(4, 1.0), f"lft:{path}")
    arc = next(i for i in range(csr.indptr[small.index["leaf-0"]], len(csr.heads)) if csr.links[i] == 2)
    assert loads.arcs[arc] == 4 and loads.binding[arc] == 8
    even = route(small, Traffic.uniform(4, 1.0), "ecmp")
    assert np.array_equal(loads.arcs, even.arcs)
    assert (loads.latency_s, loads.mean_latency_s) == (even.latency_s, pytest.approx(even.mean_latency_s))


def dmodk_choice(topology):
    """The port that D-mod-K takes, as the routing of that name does."""
    small = contract(topology)
    csr = topology.csr()
    kept = dict(zip(small.arcs.tolist(), divisors(topology).tolist(), strict=True))

    def choose(node, rank, ports):
        v = topology.index[node]
        peer = topology.index[topology.graph.nodes[node]["ports"][str(ports[0])]]
        arc = next(a for a in range(csr.indptr[v], csr.indptr[v + 1]) if csr.heads[a] == peer)
        return ports[rank // kept.get(arc, 1) % len(ports)]

    return choose


@pytest.mark.parametrize("path", [SMALL, pytest.param(REAL, marks=needs_real)])
def test_tables_of_dmodk_load_as_dmodk_does(path, written, tmp_path):
    topology = read_ibnetdiscover(path, catalogue())
    n = len(topology.accelerators)
    file = written(dump(topology, tables_of(topology, dmodk_choice(topology))))
    ranks = np.arange(n)
    rng = np.random.default_rng(0)
    for traffic in (
        Traffic.uniform(n, 0.5),
        Traffic.pairs(n, ranks, (ranks + n // 2) % n, 1.0),
        Traffic.pairs(n, rng.integers(0, n, 99), rng.integers(0, n, 99), rng.random(99)),
    ):
        ours, theirs = route(topology, traffic, f"lft:{file}"), route(topology, traffic, "dmodk")
        np.testing.assert_allclose(ours.arcs, theirs.arcs, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ours.binding, theirs.binding, rtol=1e-9, atol=1e-12)
        assert ours.latency_s == pytest.approx(theirs.latency_s)
    write_native(topology, tmp_path / "cluster.json")  # what the tables need is in our own format too
    again = read_native(tmp_path / "cluster.json", catalogue())
    assert np.array_equal(route(again, traffic, f"lft:{file}").arcs, ours.arcs)


def test_other_ways_to_print_it(small, written):
    """Directed routes in the headers, warnings, further LIDs of a port, and OpenSM's own dump."""
    text = dump(small, tables_of(small, first))
    expected = read_forwarding_tables(written(text), small).port
    directed = text.replace("Lid 9000 guid", "DR path slid 0; dlid 0; 0,1,19 guid").replace("5 valid", "6 valid")
    lines = []
    for line in directed.split("\n"):
        if line.endswith("valid lids dumped "):
            lines.append("0x0900 002 : (path #1 out of 2: portguid 0x0000000000000010)")
        lines.append(line)
    assert np.array_equal(read_forwarding_tables(written("ibwarn: [1] x\n" + "\n".join(lines)), small).port, expected)
    own = text.replace(HEADS, "").replace(" : (", " # ").replace("')", "'").replace("5 valid lids", "49151 lids")
    own = own.replace("(MF0", "('MF0").replace("U1):", "U1'):")
    assert np.array_equal(read_forwarding_tables(written(own), small).port, expected)


def changed(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: "", "the file is empty; give the output of dump_lfts.sh"),
        (lambda t: "vendid=0x2c9\n", "line 1 cannot be read: 'vendid=0x2c9'"),
        (lambda t: t[: len(t) // 2], "is cut off; dump the tables again"),
        (lambda t: t[: t.rindex("Unicast")], "has no table; is the file cut off?"),
        (lambda t: changed(t, "5 valid", "6 valid"), "6 entries are counted, 5 stand there; dump the tables again"),
        (lambda t: changed(t, "guid 0x0000000000000001", "guid 0x00000000000000aa"), "0x00000000000000aa is not in"),
        (lambda t: changed(t, " 033 :", " 035 :"), "port 35 of leaf-0 leads nowhere in"),
        (lambda t: t + t, "the switch has a table in line 1 too"),
        (lambda t: t.replace("0x0000000000000012", "0x00000000000000bb"), "no table has an entry for"),
        (lambda t: "0x0001 001 : \n" + t, "line 1: an entry without a switch"),
        (lambda t: "5 valid lids dumped\n" + t, "5 entries are counted, 0 stand there"),
        (lambda t: changed(t, "0x0014 001", "0x0014 1x"), "cannot be read"),
        (lambda t: "\0" + t, "not text"),
    ],
)
def test_damaged(small, written, change, said):
    path = written(change(dump(small, tables_of(small, first))))
    with pytest.raises(ConfigError) as error:
        read_forwarding_tables(path, small)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_no_file(small, tmp_path):
    with pytest.raises(ConfigError, match="No such file or directory; give the output of dump_lfts"):
        read_forwarding_tables(tmp_path / "none.txt", small)


def test_ports_that_are_no_links(small, written):
    path = written(dump(small, tables_of(small, first)))
    small.graph.nodes["leaf-0"]["ports"]["40"] = "leaf-1"
    with pytest.raises(ConfigError, match="ports of leaf-0 are not its links"):
        read_forwarding_tables(path, small)


def test_a_circle_names_its_destination(small, written):
    """The spine sends what is for rank 3 back to leaf 0."""
    tables = tables_of(small, first)
    tables["spine-0"][3] = 1
    path = written(dump(small, tables))
    with pytest.raises(InfeasibleError, match=rf"lead what is for {small.accelerators[3]} in a circle"):
        route(small, Traffic.pairs(4, [0], [3], 1.0), f"lft:{path}")
    route(small, Traffic.pairs(4, [0], [2], 1.0), f"lft:{path}")


def test_a_wrong_delivery_names_switch_and_destination(small, written):
    tables = tables_of(small, first)
    tables["leaf-1"][3] = 1
    path = written(dump(small, tables))
    with pytest.raises(InfeasibleError, match=rf"table of leaf-1 has no way to {small.accelerators[3]}, or one to"):
        route(small, Traffic.pairs(4, [0], [3], 1.0), f"lft:{path}")
    del tables["leaf-0"][2]
    with pytest.raises(InfeasibleError, match="table of leaf-0 has no way to dgx-03 HCA-1"):
        route(small, Traffic.pairs(4, [0], [2], 1.0), f"lft:{written(dump(small, tables)).rename(path.with_name('b'))}")
