"""What racks draw and how they are cooled: published racks, and sums by hand."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.limits import Conditions, checks
from fabric.limits.conditions import cooling_ways
from fabric.limits.judging import STATES
from fabric.limits.racks import hottest, rack_loads
from fabric.powering import site_power
from fabric.workloads.scale_up import with_domain
from topologies.kinds import PowerDelivery
from topologies.parts import Accelerator, Rack, catalogue, part
from topologies.registry import build

EXAMPLES = Path(__file__).parents[3] / "examples"
PUBLISHED = {  # kW of a rack, from the lowest to the highest source
    "nvl72": (115, 132), "gb300-nvl72": (132, 163), "vera-rubin-nvl72": (188, 230), "rubin-ultra-nvl144": (430, 660),
    "dgx-h100-superpod-256": (26, 40.8), "amd-helios": (225, 245), "tpu-v4-64": (16, 25), "ironwood-64": (60, 75),
    "cloudmatrix384": (35, 43),
}  # fmt: skip


def asked(spec, wall, **given):
    return {check.name: check for check in checks(spec if not isinstance(spec, str) else build(spec),
                                                  Conditions(**given))[wall]}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_rack_draws_what_is_published(name, built):
    """From TDP, hosts and the network's parts; no published draw of a rack goes in."""
    (load,) = rack_loads(built(name), Conditions())
    low, high = PUBLISHED[name]
    assert load.total_w.low <= high * 1e3 and load.total_w.high >= low * 1e3


def test_nvl72_by_hand():
    """72 x (1,200 + 250) W and 18 chips of 560 W, behind a supply of 96.5 %."""
    (load,) = rack_loads(build("nvl72"), Conditions())
    assert load.total_w.value == pytest.approx((72 * 1450 + 18 * 560) / 0.965)
    rack = asked("nvl72", "power")["rack"]
    assert (rack.limit.low, rack.limit.value, rack.limit.high) == (132, 231, 264)


def test_four_dgx_h100_by_hand():
    """32 x 700 W, 430 W of host, 25 W of adapter and 8.5 W of half a twin-port module each; 16 chips of 120 W."""
    racks = rack_loads(build("dgx-h100-superpod-256"), Conditions())
    assert [(load.count, load.accelerators) for load in racks] == [(8, 32)]
    assert racks[0].total_w.value == pytest.approx((32 * (700 + 430 + 25 + 8.5) + 16 * 120) / 0.965)


def test_the_flow_of_coolant_by_hand():
    """0.87 x 118.6 kW over 1.016 kg/L x 3,930 J/kg/K x 15 K."""
    flow = asked("nvl72", "thermal")["coolant flow"].value.value
    heat = 0.87 * (72 * 1450 + 18 * 560) / 0.965
    assert flow == pytest.approx(heat / (1.016 * 3930 * 15) * 60)
    assert asked("nvl72", "thermal", rise_k=7.5)["coolant flow"].value.value == pytest.approx(2 * flow)
    assert asked("nvl72", "thermal", supply_c=55)["coolant flow"].value.value == pytest.approx(1.5 * flow)  # 10 K left


@pytest.mark.parametrize(
    ("cooling", "check", "state"),
    [("air", "heat", "over"), ("rear-door", "heat", "over"), ("liquid", "coolant flow", "ok"),
     ("immersion", "coolant flow", "over")],
)  # fmt: skip
def test_nvl72_under_other_cooling(cooling, check, state):
    assert asked("nvl72", "thermal", cooling=cooling)[check].state == state


def test_four_hgx_b200_need_a_rear_door():
    """57.2 kW: more than air takes at best, within the range of rear doors; two of them stay in air."""
    four = {"rack": "hgx-b200-air-rack", "per_rack": 32}
    assert asked("dgx-b200-superpod-512", "thermal", **four)["heat"].state == "over"
    assert asked("dgx-b200-superpod-512", "thermal", **four, cooling="rear-door")["heat"].state == "marginal"
    assert asked("dgx-b200-superpod-512", "thermal")["heat"].state == "ok"


def test_rows_and_sites_are_judged_where_their_feeds_are_given():
    spec = "dgx-h100-superpod-256"
    row = asked(spec, "power", row_w=200e3)["row"]
    assert row.value.value == pytest.approx(8 * asked(spec, "power")["rack"].value.value)
    assert row.state == "over" and "at most 4 such racks" in row.moves
    site = asked(spec, "power", site_w=1e6)["site"]
    assert site.state == "ok" and site.value.value == pytest.approx(site_power(build(spec)).facility_w.typical / 1e3)
    assert not {"row", "site"} & asked(spec, "power").keys()
    assert asked("ring:n=8", "power", site_w=1e6, row_w=1e6)["site"].state == "unknown"


def test_racks_that_a_file_places():
    """Eight NVL72 on a floor: the rack of the catalogue where the file names none, adapters with it; the nearer its
    leaves the fewer watts of cables; one of them stands for all."""
    loads = rack_loads(build(str(EXAMPLES / "nvl72-pod.toml")), Conditions())
    (alone,) = rack_loads(build("nvl72"), Conditions())
    assert {(load.rack.name, load.accelerators) for load in loads} == {("gb200-nvl72", 72)}
    assert sum(load.count for load in loads) == 8
    assert min(load.network_w.value for load in loads) >= alone.network_w.value + 72 * 25
    assert hottest(loads) == [max(loads, key=lambda load: load.total_w.value)]


@given(st.integers(1, 256), st.integers(1, 256))
def test_more_accelerators_in_a_rack_never_raise_a_margin(some, more):
    some, more = sorted((some, more))
    spec = built_once("dgx-h100-superpod-256")
    for wall, name in (("power", "rack"), ("thermal", "heat")):
        few, many = (asked(spec, wall, per_rack=n)[name] for n in (some, more))
        assert many.margin <= few.margin + 1e-9
        assert STATES.index(many.state) >= STATES.index(few.state)


@given(st.floats(-10, 90), st.floats(-10, 90), st.sampled_from(["nvl72", "dgx-h100-superpod-256", "tpu-v4-64"]))
def test_a_warmer_supply_never_raises_a_margin(cold, warm, name):
    cold, warm = sorted((cold, warm))
    spec = built_once(name)
    before, after = (asked(spec, "thermal", supply_c=c) for c in (cold, warm))
    for key, check in before.items():
        if after[key].margin is not None:
            assert after[key].margin <= check.margin + 1e-9, key
        elif check.margin is not None:  # no rise is left: the supply itself is too warm
            assert after["coolant supply"].state == "over"


def built_once(name, found={}):  # noqa: B006
    if name not in found:
        found[name] = build(name)
    return found[name]


def test_every_house_is_of_an_accelerator_and_known_by_its_watts():
    """A rack that houses accelerators by default says how many, how it is cooled, and what its hosts draw."""
    for rack in catalogue().of_kind(Rack):
        for name in rack.houses:
            assert part(name, Accelerator).tdp_w is not None
            assert rack.accelerators and rack.cooling in cooling_ways(catalogue()), rack.name
            assert rack.power_host_w and part(rack.power_stage, PowerDelivery).efficiency <= 1, rack.name


def test_a_domain_beyond_a_rack_stands_in_several():
    """144 GPUs in one unit of a composition: two racks of 72, each with half of the unit's network."""
    loads = rack_loads(with_domain("nvl72-x8", 144, catalogue()), Conditions())
    assert {load.accelerators for load in loads} == {72} and sum(load.count for load in loads) == 8
