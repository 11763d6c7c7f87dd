"""ibnetdiscover files: a small synthetic cluster, the real one, and files that are damaged."""

from collections import Counter
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies.errors import ConfigError, FabricError, TopologyError
from topologies.formats.ibnetdiscover import read_adapters, read_ibnetdiscover
from topologies.formats.subnet import rate_gbps, read_devices
from topologies.parts import catalogue
from topologies.registry import build

INPUTS = Path(__file__).parents[3] / "shared/inputs/ibnetdiscover"
REAL = INPUTS / "dgx-ndr-cluster.out"
BAD = INPUTS / "bad.out"
needs_real = pytest.mark.skipif(not REAL.is_file(), reason="the real cluster's dump is not on this machine")
UNNAMED = "MT4129 ConnectX7   Mellanox Technologies"


def guid(number):
    return f"{number:016x}"


def dump(descriptions, links, devids=None):
    """The text of a subnet: descriptions by key ("S-..." or "H-..."), links (key, port, key, port, speed)."""
    ports = {key: [] for key in descriptions}
    for a, i, b, j, speed in links:
        ports[a].append((i, b, j, speed))
        ports[b].append((j, a, i, speed))
    lines = ["#", "# Topology file: generated on Wed Aug  6 16:11:23 2025", "# Initiated from node 0 port 0"]
    for key, description in descriptions.items():
        switch = key.startswith("S")
        devid = 0xD2F2 if switch else (devids or {}).get(key, 0x1021)
        lines += ["", "vendid=0x2c9", f"devid={devid:#x}", f"sysimgguid=0x{key[2:]}"]
        if switch:
            lines += [f"switchguid=0x{key[2:]}({key[2:]})"]
            lines += [f'Switch\t65 "{key}"\t\t# "{description}" enhanced port 0 lid 7 lmc 0']
        else:
            lines += [f"caguid=0x{key[2:]}", f'Ca\t2 "{key}"\t\t# "{description}"']
        for i, peer, j, speed in ports[key]:
            own = f"[{i}]" if switch else f"[{i}]({key[2:]}) "
            far = f'"{peer}"[{j}]' + ("" if peer.startswith("S") else f"({peer[2:]}) ")
            lids = "" if switch else "lid 9 lmc 0 "
            lines += [f'{own}\t{far}\t\t# {lids}"{descriptions[peer]}" lid 8 {speed}']
    return "\n".join([*lines, ""])


LEAVES = [f"S-{guid(1)}", f"S-{guid(2)}"]
SPINE = f"S-{guid(3)}"
HOSTS = [f"H-{guid(16 + i)}" for i in range(4)]
ENGINE = f"H-{guid(32)}"
DESCRIPTIONS = {
    **{leaf: f"MF0;leaf-{i}:MQM9701/U1" for i, leaf in enumerate(LEAVES)},
    SPINE: "MF0;spine-0:MQM8700/U1",
    HOSTS[0]: "dgx-01 HCA-1",
    HOSTS[1]: UNNAMED,
    HOSTS[2]: "dgx-03 HCA-1",
    HOSTS[3]: UNNAMED,
    ENGINE: "Mellanox Technologies Aggregation Node",
}
LINKS = [
    (LEAVES[0], 1, HOSTS[0], 1, "4xNDR"),
    (LEAVES[0], 2, HOSTS[1], 1, "4xNDR"),
    (LEAVES[1], 1, HOSTS[2], 1, "2xNDR"),
    (LEAVES[1], 2, HOSTS[3], 1, "4xNDR"),
    (LEAVES[0], 33, SPINE, 1, "4xHDR"),
    (LEAVES[0], 34, SPINE, 2, "4xHDR"),
    (LEAVES[1], 33, SPINE, 3, "4xHDR"),
    (LEAVES[1], 34, SPINE, 4, "4xHDR"),
    (LEAVES[0], 65, ENGINE, 1, "4xNDR"),
]
TEXT = dump(DESCRIPTIONS, LINKS)


@pytest.fixture
def read(tmp_path):
    def read_text(text, name="small.out"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_ibnetdiscover(path, catalogue())

    return read_text


def roles(tmp_path, descriptions, links):
    (tmp_path / "roles.out").write_text(dump(descriptions, links))
    return {adapter.guid: adapter.role for adapter in read_adapters(tmp_path / "roles.out")}


def test_small_cluster(read):
    topology = read(TEXT)
    graph = topology.graph
    assert (topology.name, topology.family, dict(topology.parameters)) == ("small.out", "ibnetdiscover", {})
    assert topology.accelerators == [
        "dgx-01 HCA-1",
        f"MT4129 ConnectX7 Mellanox Technologies {guid(17)}",
        "dgx-03 HCA-1",
        f"MT4129 ConnectX7 Mellanox Technologies {guid(19)}",
    ]
    end = {"kind": "accelerator", "forwards": False, "part": "generic", "parts": {"cx7-400g": 1}}
    leaf = {"kind": "switch", "forwards": True, "part": "qm9700", "tier": 1}
    addresses = ("guid", "lid", "ports")

    def of(node):
        return {key: value for key, value in graph.nodes[node].items() if key not in addresses}

    assert of("dgx-01 HCA-1") == end
    assert of("leaf-0") == leaf | {"reduces": True}
    assert of("leaf-1") == leaf
    assert of("spine-0") == leaf | {"part": "qm8700", "tier": 2}
    assert [graph.nodes["leaf-1"][key] for key in ("guid", "lid")] == [guid(2), 7]
    assert graph.nodes["dgx-01 HCA-1"]["ports"] == {"1": "leaf-0"}
    assert (len(graph), graph.number_of_edges(), topology.links) == (7, 6, 8)
    uplink = graph.edges["leaf-0", "spine-0"]
    assert (uplink["rate_gbps"], uplink["count"], uplink["length_m"]) == (200, 2, 30)
    assert uplink["technology"] == "pluggable" and "nic" not in uplink
    host = graph.edges["dgx-03 HCA-1", "leaf-1"]
    assert (host["rate_gbps"], host["count"], host["nic"]) == (200, 1, "cx7-400g")
    assert topology.notes[0].startswith("5 adapters: 4 compute, 1 SHARP aggregation nodes;")
    assert "30 m" in " ".join(topology.notes)
    assert "2 adapters are in 2 servers by the host name in their description" in topology.notes
    assert "each compute adapter is one generic accelerator" in topology.notes[-1]


def test_options_of_ibnetdiscover_change_nothing(read):
    """Grouping (-g), full information (-f), Windows line ends, capital GUIDs."""
    plain = read(TEXT)
    grouped = TEXT.replace("[33]\t", "[33][ext 17]\t").replace("4xHDR", "4xHDR s=6 w=2")
    grouped = grouped.replace("# Initiated", "Chassis 1 (guid 0x5)\n\nNon-Chassis Nodes\n# Initiated")
    for text in (grouped, TEXT.replace("\n", "\r\n"), TEXT.replace(guid(17), guid(17).upper())):
        again = read(text)
        assert again.nodes == plain.nodes and nx.utils.graphs_equal(again.graph, plain.graph)


def test_repeated_and_unknown_switches_go_by_guid(read):
    text = TEXT.replace("MF0;leaf-1:MQM9701/U1", "MF0;leaf-0:MQM9701/U1")
    text = text.replace("MF0;spine-0:MQM8700/U1", "Quantum Mellanox Technologies")
    graph = read(text).graph
    assert {guid(1), guid(2), guid(3)} < set(graph)
    assert graph.nodes[guid(3)]["part"] is None


def test_unknown_adapters_have_no_nic(read):
    text = dump(DESCRIPTIONS, LINKS, {HOSTS[0]: 0x9999, HOSTS[2]: 0x101B})
    graph = read(text).graph
    assert "parts" not in graph.nodes["dgx-01 HCA-1"] and "nic" not in graph.edges["dgx-01 HCA-1", "leaf-0"]
    assert graph.nodes["dgx-03 HCA-1"]["parts"] == {"cx6-200g": 1}


def test_parallel_links_of_several_speeds_keep_their_sum(read):
    links = [*LINKS[:5], (LEAVES[0], 34, SPINE, 2, "2xHDR"), *LINKS[6:]]
    topology = read(dump(DESCRIPTIONS, links))
    edge = topology.graph.edges["leaf-0", "spine-0"]
    assert edge["rate_gbps"] * edge["count"] == 300
    assert any("several speeds" in note for note in topology.notes)


def test_adapter_with_two_ports(read):
    graph = read(dump(DESCRIPTIONS, [*LINKS, (LEAVES[1], 9, HOSTS[0], 2, "4xNDR")])).graph
    assert set(graph["dgx-01 HCA-1"]) == {"leaf-0", "leaf-1"} and len(graph) == 7


@pytest.mark.parametrize(
    ("description", "role"),
    [
        ("A09-P1-DGX-04-c01 mlx5_5", "compute"),
        ("gpu-017 mlx5_0", "compute"),
        ("B11-P1-CUFM-02 mlx5_0", "management"),
        ("storage01 mlx5_0", "storage"),
        ("Mellanox Technologies Aggregation Node", "aggregation"),
    ],
)
def test_role_by_name(tmp_path, description, role):
    assert roles(tmp_path, DESCRIPTIONS | {HOSTS[0]: description}, LINKS)[guid(16)] == role


@pytest.mark.parametrize("description", [UNNAMED, "localhost HCA-1", ""])
def test_unnamed_adapters_go_with_their_nearest_neighbour(tmp_path, description):
    leaf, dgx, ufm, new = LEAVES[0], HOSTS[0], HOSTS[1], HOSTS[2]
    descriptions = {leaf: "MF0;leaf:MQM9700/U1", dgx: "dgx-1 HCA-1", ufm: "ufm-1 mlx5_0", new: description}
    for port, role in ((2, "compute"), (10, "compute"), (12, "management"), (19, "management")):
        links = [(leaf, 1, dgx, 1, "4xNDR"), (leaf, 21, ufm, 1, "4xNDR"), (leaf, port, new, 1, "4xNDR")]
        assert roles(tmp_path, descriptions, links)[new[2:]] == role


def test_unnamed_adapters_among_themselves_are_compute(tmp_path):
    found = roles(tmp_path, DESCRIPTIONS | dict.fromkeys(HOSTS, UNNAMED), LINKS)
    assert Counter(found.values()) == {"compute": 4, "aggregation": 1}


def test_speeds():
    rates = {"4xSDR": 10, "4xDDR": 20, "4xQDR": 40, "4xFDR10": 40, "4xFDR": 56, "4xEDR": 100, "2xHDR": 100}
    rates |= {"4xHDR": 200, "1xNDR": 100, "2xNDR": 200, "4xNDR": 400, "4xXDR": 800}
    assert {speed: rate_gbps(speed) for speed in rates} == rates


def line_of(text, needle):
    return next(i for i, line in enumerate(text.split("\n"), start=1) if needle in line)


PORT = f'[33]\t"{SPINE}"[1]'


@pytest.mark.parametrize(
    ("old", "new", "kind", "says"),
    [
        ("4xHDR", "4xZDR", ConfigError, "'4xZDR' is unknown"),
        ("4xHDR", "3xHDR", ConfigError, "'3xHDR' is unknown"),
        ("4xHDR", "4xEDR", TopologyError, "100 Gb/s here, 200 Gb/s in line"),
        (PORT, f'[33]\t"S-{guid(9)}"[1]', ConfigError, "not in the file"),
        (PORT, f'[33]\t"{SPINE}"[9]', TopologyError, "does not lead back"),
        (PORT, f'[34]\t"{SPINE}"[1]', ConfigError, "stands in line"),
        (PORT, f'[66]\t"{SPINE}"[1]', ConfigError, "65 ports"),
        (PORT, f'[33]\t"{SPINE}[1]', ConfigError, "cannot be read"),
    ],
)
def test_wrong_port_line(read, old, new, kind, says):
    number = line_of(TEXT, PORT)
    lines = TEXT.split("\n")
    lines[number - 1] = lines[number - 1].replace(old, new)
    with pytest.raises(kind, match=says) as caught:
        read("\n".join(lines))
    assert "line " in str(caught.value) and "\n" not in str(caught.value)


def test_link_seen_from_one_side_only(read):
    text = "\n".join(line for line in TEXT.split("\n") if not line.startswith(PORT))
    number = line_of(text, f'[1]\t"{LEAVES[0]}"[33]')
    with pytest.raises(TopologyError, match=f"line {number}: .* does not lead back"):
        read(text)


def test_link_to_itself(read):
    looped = [*LINKS[:4], (LEAVES[0], 33, LEAVES[0], 34, "4xHDR"), *LINKS[6:]]
    with pytest.raises(TopologyError, match="itself"):
        read(dump(DESCRIPTIONS, looped))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n", "empty"),
        ("# a comment\n", "no switch and no adapter"),
        ("root:x:0:0\n", "not the output of ibnetdiscover"),
        (b"\x7fELF\x00\xff\xfe", "not text"),
        (b"vendid=0x2c9\x00\n", "not text"),
        (TEXT.replace("S-", "H-"), "Switch is named H-"),
        (TEXT + TEXT, "stands in line"),
        ("\n".join(TEXT.split("\n")[: line_of(TEXT, "Switch")]), "has no link"),
    ],
)
def test_not_a_dump(read, text, says):
    with pytest.raises(ConfigError, match=says):
        read(text)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.out", tmp_path):
        with pytest.raises(ConfigError, match="give the output of ibnetdiscover"):
            read_devices(path)


def test_no_compute_adapter(read):
    text = TEXT.replace("dgx-01", "ufm-01").replace("dgx-03", "ufm-03")
    with pytest.raises(TopologyError, match="0 accelerators"):
        read(text)


def test_switch_that_reaches_no_end_point(read):
    lost, ufm = f"S-{guid(4)}", f"H-{guid(40)}"
    descriptions = DESCRIPTIONS | {lost: "MF0;lost:MQM9700/U1", ufm: "ufm HCA-1"}
    links = [*LINKS, (lost, 1, ufm, 1, "4xNDR"), (LEAVES[1], 20, ufm, 2, "4xNDR")]
    with pytest.raises(TopologyError, match="lost reaches no compute adapter"):
        read(dump(descriptions, links))


LINES = TEXT.split("\n")


def test_cut_off_at_any_line(read):
    """A file that ends early is refused, whether it ends after a line or within it."""
    starts = [len("\n".join(LINES[:i])) for i in range(len(LINES) - 1)]
    for cut in sorted({start + more for start in starts for more in (0, 3, 9, 40)}):
        with pytest.raises(FabricError) as caught:
            read(TEXT[: min(cut, len(TEXT) - 2)])
        assert "\n" not in str(caught.value)


PIECES = ["#", "[1]", '"', "Ca", "Switch", "4xNDR", "lid", "S-", "H-", "(", "]", "\t", "0", "٣", "\0", "\x85"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_raise_fabric_errors_only(read, data):
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        i = data.draw(st.integers(0, len(lines) - 1))
        action = data.draw(st.sampled_from(["drop", "repeat", "swap", "cut", "insert", "digit"]))
        at = data.draw(st.integers(0, len(lines[i])))
        if action == "drop":
            del lines[i]
        elif action == "repeat":
            lines.insert(i, lines[i])
        elif action == "swap":
            j = data.draw(st.integers(0, len(lines) - 1))
            lines[i], lines[j] = lines[j], lines[i]
        elif action == "cut":
            lines[i] = lines[i][:at]
        elif action == "digit":
            old, new = data.draw(st.sampled_from("0123456789")), data.draw(st.sampled_from("0129f"))
            lines[i] = lines[i].replace(old, new)
        else:
            piece = data.draw(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)))
            lines[i] = lines[i][:at] + piece + lines[i][at:]
    try:
        graph = read("\n".join(lines).encode("utf-8", "surrogatepass")).graph
    except FabricError as error:
        assert "\n" not in str(error)
    else:
        assert nx.is_connected(graph)


@needs_real
def test_real_cluster():
    topology = build(str(REAL))
    graph = topology.graph
    devices = read_devices(REAL)
    assert sum(device.is_switch for device in devices.values()) == 40
    found = read_adapters(REAL)
    assert len(found) == 582
    assert Counter(adapter.role for adapter in found) == {"compute": 538, "aggregation": 40, "management": 4}
    assert Counter(topology.attribute("tier")) == {None: 538, 1: 31, 2: 9}
    switches = {n: a for n, a in graph.nodes(data=True) if a["kind"] == "switch"}
    assert all((a["tier"] == 1) == ("IBLEAF" in n) for n, a in switches.items())
    assert all(a["reduces"] and a["part"] == "qm9700" for a in switches.values())
    assert topology.links == 538 + REAL.read_text().count(']\t"S-') // 2 == 1070
    assert {a["rate_gbps"] for _, _, a in graph.edges(data=True)} == {400}
    assert graph.edges["B09-P1-IBLEAF-04-08", "A10-P1-IBSPINE-01"]["count"] == 2
    assert len(topology.nodes) == 578 and nx.is_connected(graph)
    assert topology.notes[0].startswith("582 adapters: 538 compute, 4 management, 40 SHARP aggregation nodes")


@needs_real
def test_unnamed_adapters_of_the_real_cluster():
    """The 69 nameless adapters and the three of a host called localhost stand in the slots of DGX servers."""
    unnamed = [adapter for adapter in read_adapters(REAL) if not adapter.named]
    names = Counter((adapter.description.split()[0], adapter.role) for adapter in unnamed)
    assert names == {("MT4129", "compute"): 69, ("localhost", "compute"): 3, ("ubuntu", "management"): 2}
    assert all(("dgx" in adapter.why) == (adapter.role == "compute") for adapter in unnamed)


@pytest.mark.skipif(not BAD.is_file(), reason="the malformed dump is not on this machine")
def test_real_cut_off_file():
    with pytest.raises(ConfigError, match="line 10: 'dgx-gb200-n01-c1 HCA-1' has no link"):
        read_ibnetdiscover(BAD, catalogue())
