"""Watts and dollars, from counts times nameplates worked out here."""

import networkx as nx
import pytest

from fabric.costing import capital_cost, unit_price_usd
from fabric.powering import network_power, unit_power_w
from fabric.simulation import estimates, simulate
from topologies.bill import network_rows
from topologies.families import systems
from topologies.graph import Topology
from topologies.parts import Optic, part
from topologies.registry import build


def watts(name):
    return part(name).power_typical_w


def price(name):
    return part(name).price_usd


BLOCKS, UPLINKS = 64, 512
BOXES = BLOCKS * 2 * UPLINKS // 128  # a block's uplinks and as many host links, 128 ports of 400G a box
SPINES = BLOCKS * UPLINKS // 128


def test_jupiter_power(built):
    """Blocks and spine: 128 circuit switches, a module an uplink and circulators; or spine boxes and two modules."""
    direct = 128 * watts("palomar-136") + BLOCKS * UPLINKS * watts("400g-fr4-bidi") + BOXES * watts("th5-64x800g")
    spine = 2 * BLOCKS * UPLINKS * watts("400g-fr4") + (BOXES + SPINES) * watts("th5-64x800g")
    assert network_power(built("jupiter-64x512")).total_w == pytest.approx(direct)
    assert network_power(built("jupiter-64x512:spine=true")).total_w == pytest.approx(spine)
    assert 1 - direct / spine == pytest.approx(0.41, abs=0.08)  # Poutievski et al., SIGCOMM 2022: 41 %


def test_jupiter_capex(built):
    circuit_switch = 136 * part("palomar-136").price_usd_per_port
    module = price("400g-fr4-bidi") + price("circulator")
    direct = 128 * circuit_switch + BLOCKS * UPLINKS * module + BOXES * price("th5-64x800g")
    spine = 2 * BLOCKS * UPLINKS * price("400g-fr4") + (BOXES + SPINES) * price("th5-64x800g")
    assert capital_cost(built("jupiter-64x512")).capex_usd == pytest.approx(direct)
    assert capital_cost(built("jupiter-64x512:spine=true")).capex_usd == pytest.approx(spine)
    assert 1 - direct / spine == pytest.approx(0.30, abs=0.08)  # ibid.: 30 %


def test_jupiter_boundaries_grow():
    """Four blocks of 64 uplinks and as many hosts: 128 ports of 400G, a box each."""
    bounds = ("spine", "blocks+spine", "hosts+blocks+spine")
    totals = [network_power(build(f"jupiter:blocks=4,uplinks=64,boundary={b}")).total_w for b in bounds]
    assert totals[1] - totals[0] == pytest.approx(4 * watts("th5-64x800g"))
    host_links = 4 * 64
    passive = 2 * part("dac-400g").power_w_per_end + 400e-3 * part("generic").serdes_pj_per_bit
    assert totals[2] - totals[1] == pytest.approx(host_links * passive)


def test_nvl72_in_copper():
    power = network_power(build("nvl72"))
    assert power.external_w == pytest.approx(18 * watts("nvswitch4"))
    gbps = 72 * 18 * 400
    assert power.in_accelerator_w == pytest.approx(gbps * part("gb200").serdes_pj_per_bit * 1e-3)
    assert power.low_w < power.total_w < power.high_w


def test_nvl72_in_optics_draws_16_to_20_kw_more():
    """648 modules of 1.6T at 25 to 30 W: the 20 kW that copper saves (NVIDIA, GTC 2024)."""
    copper, optical = build("nvl72"), build("nvl72:technology=pluggable")
    modules = {r.part.name: r.quantity for r in network_rows(optical) if isinstance(r.part, Optic)}
    more = network_power(optical).total_w - network_power(copper).total_w
    assert more == pytest.approx(sum(q * watts(n) for n, q in modules.items()))
    assert 16_000 <= more <= 20_000


def test_tpu_pod_power():
    power = network_power(build("tpu-v4-4096"))
    copper, optical = 64 * 144, 64 * 96 // 2
    external = (
        48 * watts("palomar-136")
        + 2 * optical * watts("ici-osfp-400g")
        + 2 * copper * part("ici-v4-copper").power_w_per_end
    )
    assert power.external_w == pytest.approx(external)
    assert power.in_accelerator_w == pytest.approx(2 * 12288 * 400e-3 * part("tpu-v4").serdes_pj_per_bit)


def test_a_slice_pays_its_share(built):
    whole, part_of = network_power(built("tpu-v4-4096")), network_power(built("tpu-v4-64"))
    assert 64 * part_of.total_w == pytest.approx(whole.total_w)
    assert 64 * capital_cost(built("tpu-v4-64")).capex_usd == pytest.approx(
        capital_cost(built("tpu-v4-4096")).capex_usd
    )
    assert any("share" in text for text in estimates(built("tpu-v4-64")))
    assert not any("share" in text for text in estimates(built("tpu-v4-4096")))


def test_dgx_h100_power():
    """A link through an adapter is the adapter's: only NVLink counts in the accelerator."""
    power = network_power(build("dgx-h100-superpod-256"))
    external = 12 * watts("qm9700") + 256 * watts("cx7-400g") + 512 * watts("800g-2xdr4") + 128 * watts("nvswitch3")
    assert power.external_w == pytest.approx(external)
    assert power.in_accelerator_w == pytest.approx(256 * 18 * 200e-3 * part("h100-sxm").serdes_pj_per_bit)


# every ready-made system, the largest with fewer servers
SPECS = [name if row.parameters.get("servers", 0) < 1500 else f"{name}:servers=512" for name, row in systems().items()]


# Nobody publishes what their switches draw: NeuronSwitch, and rotors.
UNKNOWN = ("trainium3-64", "trainium3-144", "opera-648", "rotornet-128")


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_power_is_said(name, built):
    power = network_power(built(name))
    assert power.missing and power.total_w is None


@pytest.mark.parametrize(
    "name", [n for n in SPECS if n not in UNKNOWN and (not n.startswith("dgx-b200") or n.endswith("512"))]
)
def test_power_is_known_of_every_shipped_system_and_lies_in_its_range(name, built):
    power = network_power(built(name))
    assert power.missing == ()
    assert 0 < power.low_w <= power.total_w <= power.high_w


@pytest.mark.parametrize("spec", ["switch:n=8", "fat-tree:k=4"])
def test_an_ideal_switch_has_no_power_and_no_price(spec):
    result = simulate(spec, "all-reduce", "1GiB")
    assert result.network_power_w is None and result.network_power_external_w is None
    assert (
        result.energy_j is None and result.energy_pj_per_bit is None and result.network_power_w_per_accelerator is None
    )
    assert result.capex_usd is None
    assert result.network_power_in_accelerator_w > 0
    assert any(text.startswith("no power:") and "without a part" in text for text in result.estimates)
    assert any(text.startswith("no price:") and "without a part" in text for text in result.estimates)


def test_a_missing_price_is_named_and_never_zero():
    cost = capital_cost(build("nvl72"))
    assert part("nvswitch4").price_usd is None
    assert cost.capex_usd is None and cost.missing == ("nvswitch4",)
    assert cost.priced_usd == pytest.approx(5184 * price("nvlink5-cartridge")) == pytest.approx(218_000, rel=1e-3)
    result = simulate("nvl72", "all-reduce", "1GiB")
    assert result.capex_usd is None and "no price: nvswitch4" in result.estimates


def test_accelerators_without_a_part_have_no_serdes():
    graph = nx.path_graph(2)
    nx.set_node_attributes(graph, None, "part")
    power = network_power(Topology.from_graph(graph))
    assert power.in_accelerator_w is None and power.total_w is None
    assert power.external_w == pytest.approx(2 * part("dac-400g").power_w_per_end)
    assert power.missing == ("SerDes of an accelerator without a part",)


def test_units():
    assert unit_power_w(part("dac-400g"))[0] == pytest.approx(2 * part("dac-400g").power_w_per_end)
    assert unit_power_w(part("gb200")) is None and unit_price_usd(part("gb200")) is None
    assert unit_price_usd(part("nvswitch4")) is None
    for name in ("qm9700", "1600g-dr8", "cx7-400g", "palomar-136"):
        typical, low, high = unit_power_w(part(name))
        assert low <= typical <= high and typical == watts(name)


def test_estimated_parts_are_said(built):
    said = estimates(built("jupiter-64x512"))
    for name in ("palomar-136", "400g-fr4-bidi", "th5-64x800g"):
        assert f"power of {name}" in said
    assert {"price of palomar-136", "price of 400g-fr4-bidi", "price of circulator"} <= set(said)
    assert all(text in estimates(built("nvl72")) for text in built("nvl72").notes)


@pytest.mark.parametrize("spec", ["clos:hosts=256", "rail:servers=32"])
def test_more_oversubscription_costs_and_draws_less(spec):
    totals = [build(f"{spec},oversubscription={o}") for o in (1, 3)]
    full, thin = (network_power(t).external_w for t in totals)
    assert thin < full
    assert capital_cost(totals[1]).priced_usd < capital_cost(totals[0]).priced_usd


@pytest.mark.parametrize(
    ("spec", "said", "never"),
    [
        ("nvl72", "length of nvlink5-cartridge: 1 m, longest run", "pluggable"),
        ("nvl72:technology=pluggable", "default: 1 m", "cartridge"),
        ("nvl72:technology=cpo", "default: 1 m", "cartridge"),
        ("nvl72:technology=cpo", "1600g-cpo lowers the SerDes energy of the accelerators' ends only", "cartridge"),
        ("nvl72:length_m=1", "length of nvlink5-cartridge", "default"), ("ring:n=4", "default: 1 m dac", "length"),
        ("ring:n=4,technology=aec", "default: 1 m", "default: 1 m aec"), ("ring:n=4,length_m=2", "default: dac", " m "),
        ("ring:n=4,cable=aec-400g,length_m=2", "power of generic", "default"),
        ("tpu-v4-64", "default: 1 m, optical_length_m = 50 m", "dac"),
        ("dgx-h100-superpod-256", "default: 30 m pluggable", "cartridge"),
        ("jupiter:blocks=4,uplinks=6", "host links are 2 m of dac-400g", "pluggable"),
    ],
)  # fmt: skip
def test_what_the_user_did_not_say_is_said(spec, said, never):
    found = estimates(build(spec))
    assert [line for line in found if said in line]
    assert not [line for line in found if never in line]


def test_one_length_of_one_cartridge():
    lengths = {
        edge["length_m"]
        for spec in ("nvl72", "nvl72-x8:servers=2")
        for _, _, edge in build(spec).edges
        if edge["cable"] == "nvlink5-cartridge"
    }
    assert lengths == {1.0}


def test_what_links_of_a_graph_do_not_say_is_said():
    graph = nx.path_graph(3)
    graph.edges[0, 1]["length_m"] = 2
    assert [line for line in estimates(Topology.from_graph(graph)) if "default" in line] == [
        "default: 1 m on 1 of 2 edges", "default: dac on 2 of 2 edges", "default: 400 Gb/s on 2 of 2 edges",
    ]  # fmt: skip


@pytest.mark.parametrize(("k", "watts"), [(4, 20 * (65.343 + 4 * 3.5018 + 4 * 4.5)), (16, 61_879.0), (36, 572_520.6)])
def test_a_switch_whose_watts_go_by_the_port(k, watts):
    """Teh et al.: 5 k^2/4 switches of k ports, 4.5 W a transceiver at every port of them, none at the servers."""
    spec = f"fat-tree:k={k},rate_gbps=100,switch=jocn-switch,cable=jocn-transceiver,nic=jocn-server-port"
    assert network_power(build(spec)).external_w == pytest.approx(watts, abs=0.05)


def test_a_switch_whose_price_goes_by_the_port():
    """5 ports, 6 modules and an adapter for each host of a fat tree of three tiers."""
    spec = "fat-tree:k=8,switch=mixnet-switch-400g,cable=400g-dr4,nic=cx7-400g"
    assert capital_cost(build(spec)).capex_usd == 128 * (5 * 1090 + 6 * 659 + 1499)
    assert network_power(build(spec)).external_w is None  # no watts are stated
