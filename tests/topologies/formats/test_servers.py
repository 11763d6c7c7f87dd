"""Servers and rails of an InfiniBand subnet: both forms of the file, what is inferred, stated and overridden."""

from collections import Counter

import pytest

from fabric.metrics import describe
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build

UNNAMED = "MT4129 ConnectX7   Mellanox Technologies"


def switch(i, spine=False):
    return f"{(2 if spine else 1) * 16**15 + i:016x}"


def card(i):
    return f"{3 * 16**15 + i:016x}"


class Subnet:
    """Servers of four adapters, each on a leaf of its own, at the same port of all four; a spine above."""

    def __init__(self, servers, names=None, apart=256):
        names = names or {}
        self.links = []  # (kind, guid, port, description) twice
        self.leaves = [("SW", switch(i), f"MF0;leaf-{i}:MQM9700/U1") for i in range(4)]
        spine = ("SW", switch(0, spine=True), "MF0;spine:MQM9700/U1")
        self.hosts = []
        for s in range(servers):
            for a in range(4):
                # two chips of a card are 4 apart; a server's two cards and two servers are far from each other
                guid = card((s * 2 + a // 2) * apart + 4 * (a % 2) + (7 * 10**6 if a > 1 else 0))
                host = ("CA", guid, names.get((s, a), f"dgx-{s:02d} mlx5_{(0, 1, 4, 5)[a]}"))
                self.hosts.append(host)
                self.links.append(((*host, 1), (*self.leaves[a], s + 1)))
        self.links += [((*leaf, 60), (*spine, i + 1)) for i, leaf in enumerate(self.leaves)]
        self.devices = [*self.leaves, spine, *self.hosts]

    def ends(self):
        for near, far in self.links:
            yield near, far
            yield far, near

    def report(self):
        """ibnetdiscover -p."""
        lines = [
            f"{a[0]} {7:5d} {a[3]:2d} 0x{a[1]} 4x NDR - {b[0]} {8:5d} {b[3]:2d} 0x{b[1]} ( '{a[2]}' - '{b[2]}' )"
            for a, b in self.ends()
        ]
        lines.append(f"SW     7 61 0x{switch(0)} 4x SDR                                    'MF0;leaf-0:MQM9700/U1'")
        return "\n".join(lines) + "\n"

    def topology(self):
        """ibnetdiscover."""
        key = {"SW": "S", "CA": "H"}
        lines = ["# Topology file: generated on Wed Aug  6 16:11:23 2025"]
        for kind, guid, description in self.devices:
            lines += ["", f"devid={'0xd2f2' if kind == 'SW' else '0x1021'}"]
            tail = " enhanced port 0 lid 7 lmc 0" if kind == "SW" else ""
            lines.append(f'{"Switch" if kind == "SW" else "Ca"}\t64 "{key[kind]}-{guid}"\t\t# "{description}"{tail}')
            for a, b in self.ends():
                if a[1] == guid:
                    own = f"[{a[3]}]({guid})" if kind == "CA" else f"[{a[3]}]"
                    lid = "lid 9 lmc 0 " if kind == "CA" else ""
                    lines.append(f'{own}\t"{key[b[0]]}-{b[1]}"[{b[3]}]\t\t# {lid}"{b[2]}" lid 8 4xNDR')
        return "\n".join(lines) + "\n"


def servers(topology):
    return Counter(Counter(topology.graph.nodes[n].get("tray") for n in topology.accelerators).values())


@pytest.mark.parametrize("form", ["topology", "report"])
def test_both_forms_hold_the_same_fabric(read, kinds, form):
    topology = read("ibnetdiscover", getattr(Subnet(3), form)())
    assert kinds(topology) == {"accelerator": 12, "switch": 5} and topology.links == 12 + 4
    assert {e["rate_gbps"] for _, _, e in topology.edges} == {400}
    assert [len(domain) for domain in topology.domains] == [4, 4, 4]
    for node in topology.accelerators:
        assert topology.graph.nodes[node]["rail"] == [0, 1, 4, 5].index(int(node[-1]))
        assert topology.graph.nodes[node]["tray"] == node.split(" ")[0]


def test_the_ports_report_is_a_spec(tmp_path):
    path = tmp_path / "ports.txt"
    path.write_text(Subnet(2).report())
    assert build(str(path)).links == 8 + 4


def test_two_ports_of_an_adapter_are_one_end_point(read, kinds):
    """One card with two ports, its port GUIDs next to each other, on two leaves."""
    text = ""
    for i in range(3):
        for port in (1, 2):
            end = f"CA 1 {port} 0x{card(i * 64 + port)}", f"'h{i} mlx5_0'"
            far = f"SW 2 {i + 1} 0x{switch(port)}", f"'leaf {port}'"
            for a, b in ((end, far), (far, end)):
                text += f"{a[0]} 4x NDR - {b[0]} ( {a[1]} - {b[1]} )\n"
    assert kinds(read("ibnetdiscover", text)) == {"accelerator": 3, "switch": 2}


def test_unnamed_adapters_join_by_guid_and_port(read):
    """Nine named servers teach that chips 4 apart are one card and that a server has one port number."""
    lost = {(9, a): UNNAMED for a in range(4)} | {(3, 1): UNNAMED}
    topology = read("ibnetdiscover", Subnet(12, lost).topology())
    assert servers(topology) == {4: 12}
    joined = {topology.graph.nodes[n]["tray"] for n in topology.accelerators}
    assert sum(name.startswith("server-") for name in joined) == 1
    rails = Counter(topology.graph.nodes[n]["rail"] for n in topology.accelerators)
    assert rails == {0: 12, 1: 12, 2: 12, 3: 12}
    told = " ".join(topology.notes)
    assert "43 adapters are in 11 servers by the host name" in told and "on one card" in told and "same port" in told


def test_what_is_inferred_can_be_narrowed(read):
    lost = {(9, a): UNNAMED for a in range(4)}
    text = Subnet(12, lost).topology()
    alone = read("ibnetdiscover", text, infer="names")
    assert sum("tray" not in alone.graph.nodes[n] for n in alone.accelerators) == 4
    none = read("ibnetdiscover", text, infer="none")
    assert none.domains == [] and not any("tray" in none.graph.nodes[n] for n in none.accelerators)


def test_guids_that_tell_nothing_are_left_alone(read):
    """Where cards of different servers are as near as chips of one, only names and ports count."""
    names = {(s, a): f"dgx-{(s + (a == 1)) % 12:02d} mlx5_{(0, 1, 4, 5)[a]}" for s in range(12) for a in range(4)}
    topology = read("ibnetdiscover", Subnet(12, names | {(5, 0): UNNAMED}).topology())
    assert "on one card" not in " ".join(topology.notes)


@pytest.mark.parametrize("form", ["csv", "toml"])
def test_a_map_overrides_what_is_inferred(read, tmp_path, form):
    subnet = Subnet(2)
    guids = [guid for _, guid, _ in subnet.hosts]
    path = tmp_path / f"map.{form}"
    if form == "csv":
        listed = "".join(f"0x{guid},pair-{i // 2},{i % 2},all\n" for i, guid in enumerate(guids))
        path.write_text(f"guid,server,rail,domain\n{listed}")
    else:
        listed = "".join(f'pair-{i} = ["{guids[2 * i]}", "{guids[2 * i + 1]}"]\n' for i in range(4))
        path.write_text(f"[servers]\n{listed}")
    topology = read("ibnetdiscover", subnet.topology(), servers=str(path))
    assert servers(topology) == {2: 4}
    assert [len(d) for d in topology.domains] == ([8] if form == "csv" else [2] * 4)
    assert "8 adapters are in servers as" in " ".join(topology.notes)


def test_a_domain_of_several_servers(read):
    names = {(s, a): f"rack{s // 2}-c{s % 2} mlx5_{a}" for s in range(4) for a in range(4)}
    topology = read("ibnetdiscover", Subnet(4, names).topology(), domain="(rack[0-9]+)-")
    assert [len(d) for d in topology.domains] == [8, 8] and servers(topology) == {4: 4}


def test_scale_up_links_are_added_only_where_stated(read):
    text = Subnet(2).topology()
    assert read("ibnetdiscover", text).attribute("part").count("generic") == 8
    stated = read("ibnetdiscover", text, accelerator="h100-sxm")
    assert stated.links == 8 + 4 + 2 * 4 * 18
    assert stated.attribute("part").count("h100-sxm") == 8 and stated.attribute("part").count("nvswitch3") == 2 * 4
    assert read("ibnetdiscover", text, accelerator="h100-sxm", scaleup="none").links == 8 + 4


def test_a_servers_adapters_share_modules(read):
    """Four links of 400 Gb/s on one face plate are two twin-port modules, not four."""

    def modules(topology):
        return sum(row["quantity"] for row in describe(topology)["bill_of_materials"] if row["kind"] == "optic")

    text = Subnet(2).topology()
    switches = 4 * 2 + 2  # each leaf: two servers and the spine on three links, the spine four
    assert modules(read("ibnetdiscover", text)) == switches + 2 * 2
    assert modules(read("ibnetdiscover", text, infer="none")) == switches + 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("guid\n1\n", "columns are guid"),
        ("guid,server\n99,a\n", "no compute adapter has the GUID '99'"),
        (f"guid,server\n{card(0)},a\n{card(0)},b\n", "twice"),
        (f"guid,server\n{card(0)}\n", "1 of 2 columns"),
        (f"guid,server,rail\n{card(0)},a,x\n", "rail = 'x'"),
        (f"guid,server\n{card(0)},\n", "server = ''"),
        ("", "empty"),
    ],
)
def test_maps_that_do_not_fit(read, tmp_path, text, message):
    path = tmp_path / "map.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read("ibnetdiscover", Subnet(2).topology(), servers=str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domain": "("}, "no regular expression"),
        ({"domain": "x"}, "has no group"),
        ({"domain": "(x)"}, "fits none"),
        ({"servers": "nowhere.csv"}, "No such file"),
        ({"accelerator": "h100"}, "h100"),
        ({"infer": "some"}, "some"),
    ],
)
def test_options_that_do_not_fit(read, options, message):
    with pytest.raises(ConfigError, match=message):
        read("ibnetdiscover", Subnet(2).topology(), **options)


REPORT = Subnet(2).report()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (REPORT[: len(REPORT) // 2], "line"),
        (REPORT.replace("NDR", "ZDR", 1), "ZDR"),
        (REPORT.replace("4x NDR", "2x NDR", 1), "200 Gb/s here"),
        (REPORT + REPORT, "stands in line"),
        (REPORT + "hello\n", "cannot be read"),
    ],
)
def test_reports_that_are_damaged(read, text, message):
    with pytest.raises((ConfigError, TopologyError), match=message) as told:
        read("ibnetdiscover", text)
    assert "fabric.file" in str(told.value)


def test_the_real_cluster(real):
    """466 named adapters of 119 hosts, 109 with four and ten with three; the rest by GUIDs and ports."""
    topology = build(str(real("ibnetdiscover/dgx-ndr-cluster.out")))
    assert (len(topology.accelerators), topology.links) == (538, 1070)
    told = " ".join(topology.notes)
    assert "466 adapters are in 119 servers by the host name" in told
    by_server = {n: topology.graph.nodes[n].get("tray") for n in topology.accelerators}
    for node, server in by_server.items():
        if "dgx" in node:
            assert server == node.split(" ")[0]
    leaves = Counter((server, next(iter(topology.graph[n]))) for n, server in by_server.items() if server)
    assert max(leaves.values()) <= 2 and max(Counter(by_server.values()).values()) <= 8
