"""Bills of materials: modules by face plate, cables by assembly, circuit switches by share."""

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.bill import bill_of_materials, modules, network_rows
from topologies.errors import ConfigError
from topologies.families import systems
from topologies.graph import Topology
from topologies.parts import Accelerator, Optic, catalogue, part
from topologies.registry import build

# every ready-made system, the largest with fewer servers
SPECS = [name if row.parameters.get("servers", 0) < 1500 else f"{name}:servers=512" for name, row in systems().items()]


def bill(spec):
    built = build(spec) if isinstance(spec, str) else spec
    return {row.part.name: row.quantity for row in bill_of_materials(built)}


def test_nvl72_copper():
    assert bill("nvl72") == {"gb200": 72, "nvlink5-cartridge": 5184, "nvswitch4": 18}


def test_nvl72_optical_takes_648_modules():
    """648 modules of 1.6T in place of the spine: 18 compute trays and 9 switch trays of 72 and 144 links of 400G."""
    assert bill("nvl72:cable=1600g-dr8")["1600g-dr8"] == 18 * 72 // 4 + 9 * 144 // 4 == 648
    optical = bill("nvl72:technology=pluggable")
    assert {n: q for n, q in optical.items() if isinstance(catalogue()[n], Optic)} == {"1600g-dr8": 648}


def test_dgx_h100_has_four_twin_port_modules_a_server():
    servers, leaves, spines = 32, 8, 4
    expected = servers * 8 // 2 + leaves * 64 // 2 + spines * 64 // 2
    found = bill("dgx-h100-superpod-256")
    assert found["800g-2xdr4"] == expected == 32 * 4 + 384
    assert (found["cx7-400g"], found["qm9700"], found["nvswitch3"]) == (256, 12, 128)
    assert found["nvlink4-board"] == 256 * 18


def test_plates_are_not_shared_between_servers():
    """Three 400G links on one tray need two twin-port modules; on three trays, three of a single port."""
    graph = nx.star_graph(3)
    nx.set_node_attributes(graph, {0: "switch", 1: "accelerator", 2: "accelerator", 3: "accelerator"}, "kind")
    nx.set_node_attributes(graph, "generic", "part")
    graph.nodes[0]["part"] = "qm9700"
    nx.set_edge_attributes(graph, "pluggable", "technology")
    found = bill(Topology.from_graph(graph))
    assert (found["800g-2xdr4"], found["400g-dr4"]) == (2, 3)
    nx.set_node_attributes(graph, dict.fromkeys((1, 2, 3), "tray-0"), "tray")
    assert bill(Topology.from_graph(graph))["800g-2xdr4"] == 2 + 2


def test_tpu_pod():
    assert bill("tpu-v4-4096") == {
        "tpu-v4": 4096, "ici-v4-copper": 64 * 144, "ici-osfp-400g": 64 * 96, "circulator": 64 * 96, "palomar-136": 48,
    }  # fmt: skip
    assert bill("tpu-v4-64")["palomar-136"] == pytest.approx(48 / 64)


def test_jupiter():
    assert bill("jupiter-64x512") == {
        "generic": 32768, "400g-fr4-bidi": 64 * 512, "circulator": 64 * 512, "palomar-136": 128, "th5-64x800g": 64 * 8,
    }  # fmt: skip
    assert bill("jupiter:spine=true,hosts=1") == {"generic": 64, "400g-fr4": 2 * 64 * 512, "th5-64x800g": 64 * 5 + 256}


@pytest.mark.parametrize(
    ("boundary", "expected"),
    [
        ("spine", {"400g-fr4-bidi": 64, "palomar-136": 2}),
        ("blocks+spine", {"400g-fr4-bidi": 64, "palomar-136": 2, "th5-64x800g": 8}),
        ("hosts+blocks+spine", {"400g-fr4-bidi": 64, "palomar-136": 2, "th5-64x800g": 8, "dac-400g": 8 * 3}),
    ],
)
def test_jupiter_boundaries(boundary, expected):
    found = bill(f"jupiter:blocks=8,uplinks=8,hosts=3,boundary={boundary}")
    # 4 shifts of 8 ports fit one switch of 136: its strands are all that the count follows
    expected = expected | {"palomar-136": build("jupiter:blocks=8,uplinks=8,hosts=3").circuits.devices}
    assert {n: q for n, q in found.items() if n not in ("generic", "circulator")} == expected


@given(st.integers(1, 500), st.sampled_from([100.0, 200.0, 400.0, 800.0, 1600.0]))
def test_modules_hold_their_links(links, rate):
    for name in ("800g-2xdr4", "1600g-dr8", "400g-fr4"):
        optic = part(name, Optic)
        number = modules(optic, links, rate)
        assert number * optic.rate_gbps >= links * rate
        if optic.rate_gbps >= rate:
            assert (number - 1) * (optic.rate_gbps // rate) < links
        else:
            assert number == links * rate / optic.rate_gbps


@pytest.mark.parametrize("name", [n for n in SPECS if not n.endswith("8192")])
def test_rows_are_in_the_order_of_the_catalogue_and_counted_from_the_graph(name, built):
    system = built(name)
    rows = bill_of_materials(system)
    order = list(catalogue())
    assert [order.index(r.part.name) for r in rows] == sorted(order.index(r.part.name) for r in rows)
    assert all(row.quantity > 0 for row in rows)
    assert sum(r.quantity for r in rows if isinstance(r.part, Accelerator)) == len(system.accelerators)
    assert network_rows(system) == [r for r in rows if not isinstance(r.part, Accelerator)]


def test_unknown_parts_are_named():
    graph = nx.path_graph(2)
    graph.nodes[0]["part"] = "gizmo"
    with pytest.raises(ConfigError, match="names the part 'gizmo'"):
        bill(Topology.from_graph(graph))
    graph = nx.path_graph(2)
    graph.nodes[0]["parts"] = {"widget": 2}
    with pytest.raises(ConfigError, match="names the part 'widget'"):
        bill(Topology.from_graph(graph))


def test_dark_ports_keep_their_modules():
    """A module does not leave its cage when its circuit goes dark."""
    regular = build("tpu-pod:slice=4x4x4")
    dark = regular.with_state(regular.circuits.state[:-1])
    assert bill(dark)["ici-osfp-400g"] == bill(regular)["ici-osfp-400g"]


@pytest.mark.parametrize(
    ("more", "alone", "twin"),
    [
        ("", {"400g-dr4": 64}, {"800g-2xdr4": 32}), (",planes=2", {}, {"800g-2xdr4": 64 + 2 * 16}),
        (",technology=lpo", {"400g-dr4-lpo": 64}, {"800g-lpo": 32}),
        (",cable=800g-sr8", {"400g-sr4": 64}, {"800g-sr8": 32}),
        (",technology=lro", {}, {"800g-lro": 64 + 32}), (",rate_gbps=800,switch=q3400", {}, {"800g-2xdr4": 64 + 64}),
    ],
)  # fmt: skip
def test_a_link_alone_on_its_plate_has_a_module_of_one_port(more, alone, twin):
    """64 hosts on one switch: each host's only link is a 400G module, the switch's share twin-port ones."""
    found = bill(f"clos:hosts=64,tiers=1{more}")
    optics = {name: number for name, number in found.items() if isinstance(catalogue()[name], Optic)}
    assert optics == alone | twin


def test_single_modules_are_optics_of_the_same_technology():
    for row in catalogue().of_kind(Optic):
        if row.single is not None:
            alone = part(row.single, Optic)
            assert alone.technology == row.technology and alone.rate_gbps * 2 == row.rate_gbps
