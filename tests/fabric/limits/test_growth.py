"""Where growth ends: domains, lanes and density by hand, and margins that only fall."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.limits import Conditions, walls
from fabric.limits.growth import wall_growth
from fabric.limits.judging import STATES
from fabric.limits.lanes import judged, mode_of, scale_up_link
from topologies.errors import ConfigError, ReachError
from topologies.parts import catalogue
from topologies.registry import build

once = cache(build)


def along(spec, axis, *values, **given):
    return wall_growth(once(spec), **{axis: values}, given=Conditions(**given)).points


def test_a_domain_of_two_racks_by_hand():
    """NVL72 x2: one rack pitch of 0.6 m more of 28AWG, 1.6 x 9.51 dB of 13.2; x4 two pitches, longer than any sold."""
    two, four = along("nvl72", "scale", 2, 4)
    assert (two.domain, two.racks, two.per_rack, two.length_m) == (144, 2, 72, 1.6)
    assert two.walls["copper"]["margin"] == pytest.approx(13.2 - 1.6 * 9.51)
    assert (two.walls["copper"]["state"], four.walls["copper"]["state"]) == ("marginal", "over")
    assert two.walls["power"] == walls("nvl72")["power"]


def test_a_domain_that_leaves_its_board_crosses_the_rack_in_cables_of_its_lanes():
    """Eight H100 are joined on a board; sixteen by 2 m of 26AWG at 100G: 16 - 2 x 5.22 dB, in one rack still."""
    one, two = along("hgx-h100", "scale", 1, 2)
    assert one.walls["copper"]["margin"] is None and one.walls["copper"]["state"] == "ok"
    assert (two.racks, two.per_rack, two.length_m) == (1, 16, 2.0)
    assert two.walls["copper"]["margin"] == pytest.approx(16 - 2 * 5.22)
    assert two.walls["power"]["value"] == pytest.approx(2 * one.walls["power"]["value"])


def test_light_goes_on():
    found = wall_growth("nvl72:technology=pluggable", scale=[2, 8])
    assert found.first("scale") is None and found.points[-1].walls["copper"]["unit"] == "m"


def test_more_hosts_take_no_longer_cables():
    """Of a fabric without scale-up domains only the number of links grows."""
    (point,) = along("switch:n=8,technology=dac,length_m=2", "scale", 64)
    assert (point.length_m, point.racks, point.walls["copper"]["state"]) == (2.0, None, "ok")


def test_lanes_by_hand():
    """1 m of 28AWG: 16 - 6.34, 13.2 - 9.51, 12.27 - 14.52 dB; twice the lane, twice the watts of network and SerDes."""
    slow, same, fast = along("nvl72", "lane", 112, 224, 448)
    margins = [point.walls["copper"]["margin"] for point in (slow, same, fast)]
    assert margins == pytest.approx([16 - 6.34, 13.2 - 9.51, 12.27 - 14.52])
    assert same.walls == walls("nvl72")
    more = fast.walls["power"]["value"] - same.walls["power"]["value"]
    assert more == pytest.approx((18 * 560 + 2592) / 965)  # 72 x 7.2 Tb/s x 5 pJ/bit are 2,592 W


def test_boards_are_not_judged_at_other_lanes():
    assert [p.walls["copper"]["state"] for p in along("hgx-h100", "lane", 112, 224)] == ["ok", "unknown"]


@pytest.mark.parametrize(
    ("lane", "mode"), [(25, "passive-25g"), (56, "passive-50g"), (112, "passive-100g"), (200, "passive-200g"),
                       (224, "passive-200g"), (448, "passive-400g"), (10, None), (900, None)],
)  # fmt: skip
def test_serdes_classes_count_as_their_payload(lane, mode):
    found = mode_of("passive-100g", lane, catalogue())
    assert (None if found is None else found.name) == mode


def test_density_by_hand():
    """Twice the rack draws twice as much of the same feed."""
    (two,) = along("nvl72", "density", 2)
    rack = walls("nvl72")["power"]
    assert two.per_rack == 144
    assert two.walls["power"]["margin"] == pytest.approx(rack["limit"] - 2 * rack["value"])


def test_which_wall_ends_growth():
    found = wall_growth("nvl72", scale=[2, 4, 8], density=[1, 2])
    assert found.hits("scale")["copper"] == {"marginal_at": 2, "over_at": 4}
    assert found.hits("scale")["power"] == {"marginal_at": None, "over_at": None}
    assert found.first("scale") == ("copper", "over", 4) and found.first("density") == ("thermal", "over", 2)
    assert found.first("lane") is None


def test_memory_grows_with_the_domain():
    """1.4 TB over 8 H100 of 80 GB do not fit, over 32 they do."""
    states = [p.walls["memory"]["state"] for p in along("hgx-h100", "scale", 1, 2, 4, weights_bytes=1.4e12)]
    assert states == ["over", "over", "ok"]


@settings(deadline=None)
@given(
    st.sampled_from(["nvl72", "hgx-h100", "tpu-v4-64", "gb300-nvl72", "nvl72:technology=pluggable"]),
    st.floats(1, 40), st.floats(1, 40), st.sampled_from(["scale", "density"]),
)  # fmt: skip
def test_growth_never_raises_a_margin(spec, some, more, axis):
    """A domain on a board has no margin in dB before it leaves it, and none is compared with one."""
    some, more = sorted((some, more))
    few, many = along(spec, axis, some, more) if some < more else along(spec, axis, some) * 2
    for name in ("copper", "power", "thermal"):
        before, after = few.walls[name], many.walls[name]
        assert STATES.index(after["state"]) >= STATES.index(before["state"])
        if before["margin"] is not None and before["unit"] == after["unit"] and before["limit"] == after["limit"]:
            assert after["margin"] <= before["margin"] + 1e-9, name


@given(st.floats(0.1, 8), st.floats(0.1, 8))
def test_length_never_raises_the_margin_of_a_domain(short, long):
    short, long = sorted((short, long))
    link = scale_up_link(once("nvl72"))
    near, far = (judged(link, catalogue(), length_m=metres) for metres in (short, long))
    assert far["margin"] <= near["margin"]


@pytest.mark.parametrize("axis", ["scale", "lane", "density"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_factors_that_cannot_be(axis, value):
    with pytest.raises(ConfigError, match="is not above zero"):
        wall_growth(once("nvl72"), **{axis: [value]})


def test_lanes_that_no_copper_has():
    with pytest.raises(ReachError, match="there are 25, 50, 100, 200, 400"):
        wall_growth(once("nvl72"), lane=[2000])
