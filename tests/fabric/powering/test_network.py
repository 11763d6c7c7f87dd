"""Watts of a network at each level and by kind: counts times nameplates worked out here, and what must never happen."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.boundary import rows_within
from fabric.powering import Watts, by_kind, network_power, row_watts, side_networks, unit_power_w
from topologies.bill import BillRow, bill_of_materials, ends_at, host_ends
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import catalogue, part
from topologies.registry import build

SPECS = [
    "nvl72", "nvl72-cpo", "nvl72-pluggable", "tpu-v4-512", "dgx-h100-superpod-256:servers=8", "cloudmatrix384",
    "torus:dims=4x4,technology=aec", "clos:hosts=32,technology=lpo", "opus-2048:servers=16",
]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_kinds_add_up_to_the_network(spec, built):
    power = network_power(built(spec))
    kinds = [kind.watts for kind in by_kind(power, built(spec).catalogue)]
    for level in ("idle", "typical", "low"):
        assert sum(getattr(watts, level) for watts in kinds) == pytest.approx(getattr(power.total, level)), level
    assert all(watts.low <= watts.typical * (1 + 1e-9) for watts in kinds)
    assert all(watts.typical <= watts.high * (1 + 1e-9) for watts in kinds)


@pytest.mark.parametrize("spec", SPECS)
def test_levels_are_in_order(spec, built):
    total = network_power(built(spec)).total
    assert 0 < total.idle <= total.typical <= total.maximum
    assert total.low <= total.typical <= total.high


def test_serdes_of_direct_connect_fabrics():
    """A TPU v4 chip: 6 links of 400 Gb/s at 5 to 8 pJ/bit an end; a B200: 18 of 400 Gb/s at 4 to 6."""
    for spec, low, typical, high in (("tpu-v4-64", 12.0, 14.4, 19.2), ("nvl72", 28.8, 36.0, 43.2)):
        topology = build(spec)
        watts, n = network_power(topology).in_accelerator, len(topology.accelerators)
        assert (watts.low / n, watts.typical / n, watts.high / n) == pytest.approx((low, typical, high)), spec
        assert {k.kind: k.watts.typical for k in by_kind(network_power(topology), topology.catalogue)}[
            "SerDes in accelerators"
        ] == pytest.approx(typical * n)


def test_a_box_whose_maximum_holds_its_modules_is_not_charged_for_them_twice():
    """16 hosts on one QM9700: 1,720 W with all that is in its cages; modules at the hosts come on top."""
    topology = build("clos:hosts=16,switch=qm9700,nic=cx7-400g")
    modules = host_ends(topology)
    at_hosts = sum(n * unit_power_w(part(name))[2] for name, n in modules.items())
    power = network_power(topology)
    assert power.external.maximum == pytest.approx(1720 + at_hosts + 16 * 26)
    assert power.external.typical == pytest.approx(
        747
        + 16 * 25
        + sum(r.quantity * unit_power_w(r.part)[0] for r in rows_within(topology, ["nic"]) if r.part.kind == "optic")
    )


def test_what_follows_load_is_the_switches_share():
    topology = build("dgx-h100-superpod-256:servers=8")
    power = network_power(topology)
    share = part("share-switch").dynamic_fraction
    boxes = sum(r.quantity * unit_power_w(r.part)[0] for r in bill_of_materials(topology) if r.part.kind == "switch")
    assert power.total.typical - power.total.idle == pytest.approx(share * boxes)
    assert "cx7-400g" in power.constant and "qm9700" not in power.constant


@given(a=st.floats(0, 1), b=st.floats(0, 1), spec=st.sampled_from(["nvl72", "torus:dims=4x4", "clos:hosts=32"]))
@settings(max_examples=30, deadline=None)
def test_more_load_never_lowers_power(a, b, spec):
    total = network_power(_BUILT.setdefault(spec, build(spec))).total
    assert (total.at(a) <= total.at(b)) if a <= b else (total.at(a) >= total.at(b))


_BUILT: dict[str, Topology] = {}


@given(name=st.sampled_from([n for n, p in catalogue().items() if unit_power_w(p)]), a=st.integers(1, 99),
       more=st.integers(0, 99))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_power_grows_with_counts_and_keeps_its_order(name, a, more):
    few, many = (row_watts(BillRow(part(name), n), catalogue()) for n in (a, a + more))
    for level in ("idle", "typical", "maximum", "low", "high"):
        assert getattr(few, level) <= getattr(many, level)
    assert few.idle <= few.typical <= few.maximum and few.low <= few.typical <= few.high


def test_what_is_excluded():
    topology = build("dgx-h100-superpod-256:servers=8")
    whole = network_power(topology).external.typical
    parts = {
        name: network_power(topology, exclude=[name]).external.typical for name in ("nic", "host-ends", "scale-up")
    }
    assert whole - parts["nic"] == pytest.approx(64 * part("cx7-400g").power_typical_w)
    assert whole - parts["scale-up"] == pytest.approx(32 * part("nvswitch3").power_typical_w)
    hosts = sum(n * unit_power_w(part(name))[0] for name, n in host_ends(topology).items())
    assert whole - parts["host-ends"] == pytest.approx(hosts)
    assert network_power(topology, exclude=["serdes"]).in_accelerator.typical == 0
    with pytest.raises(ConfigError, match="did you mean 'nic'"):
        network_power(topology, exclude=["nics"])


def test_both_ends_of_all_links_are_the_bill():
    """Modules at hosts and modules at switches are all modules, in a fabric whose plates are not shared."""
    topology = build("clos:hosts=32,switch=qm9700")
    at = [ends_at(topology, lambda d, kind=kind: (d["kind"] == "switch") == kind) for kind in (False, True)]
    rows = {r.part.name: r.quantity for r in bill_of_materials(topology) if r.part.kind == "optic"}
    assert {name: at[0][name] + at[1][name] for name in rows} == rows


def test_a_graph_of_ones_own():
    power = network_power(Topology.from_graph(nx.path_graph(3)))
    end = part("dac-400g").power_w_per_end
    assert power.external.typical == pytest.approx(4 * end) and power.idle_w == power.total_w <= power.maximum_w


def test_side_networks_scale_with_accelerators():
    small, large = (side_networks(n, ["storage"], catalogue())[0] for n in (1016, 4064))
    watts = 16 * 747 + 254 * 25 + 520 * 17
    assert small.watts.typical == pytest.approx(watts) and large.watts.typical == pytest.approx(4 * watts)
    with pytest.raises(ConfigError, match="did you mean 'storage'"):
        side_networks(8, ["storag"], catalogue())


def test_watts_add_and_scale():
    assert 2 * Watts(1, 2, 5, 1, 3) + Watts.constant(1) == Watts(3, 5, 11, 3, 7)
