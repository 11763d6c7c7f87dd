"""Copper classes against the objectives of their standards, and margins that only fall with length."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.limits import link_walls, walls
from topologies.copper import copper_budget
from topologies.kinds import Channel
from topologies.parts import Cable, CopperMode, Twinax, catalogue, part
from topologies.registry import build

MODES = [row.name for row in catalogue().of_kind(CopperMode)]
GAUGES = [row.gauge_awg for row in catalogue().of_kind(Twinax)]

# Mode, gauge, objective in metres, margin there in dB by hand: allowance less length times loss per metre.
OBJECTIVES = [
    ("passive-25g", 26, 5.0, 18.3 - 5 * 3.44),  # IEEE 802.3bj, 100GBASE-CR4
    ("passive-50g", 26, 3.0, 13.0 - 3 * 3.50),  # IEEE 802.3cd, 50GBASE-CR
    ("passive-100g", 26, 2.0, 16.0 - 2 * 5.22),  # IEEE 802.3ck, 100GBASE-CR1
    ("passive-200g", 26, 1.0, 9.0 - 1 * 7.92),  # IEEE 802.3dj, 200GBASE-CR1
    ("cartridge-200g", 28, 1.0, 13.2 - 1 * 9.51),  # a rack's backplane of cables
    ("acc-100g", 26, 4.0, 26.1 - 4 * 5.22),  # NVIDIA MCP7Y50
    ("aec-100g", 28, 6.0, 40.0 - 6 * 6.34),  # Amphenol and Credo
    ("aec-200g", 26, 4.0, 36.0 - 4 * 7.92),
]
# Twice the objective and less: what no source lets a passive cable of that rate do.
BEYOND = [("passive-50g", 26, 6.0), ("passive-100g", 26, 4.0), ("passive-200g", 26, 2.0), ("passive-400g", 26, 2.0)]


def reach(mode, awg, length_m):
    return copper_budget(mode, part(mode, CopperMode), part(f"twinax-{awg}awg", Twinax), length_m)


@pytest.mark.parametrize(("mode", "awg", "length_m", "margin_db"), OBJECTIVES)
def test_every_class_reaches_its_objective(mode, awg, length_m, margin_db):
    found = reach(mode, awg, length_m)
    assert found.margin_db == pytest.approx(margin_db)
    assert found.state == "ok"


@pytest.mark.parametrize(("mode", "awg", "length_m"), BEYOND)
def test_no_class_reaches_twice_its_objective(mode, awg, length_m):
    assert reach(mode, awg, length_m).state == "over"


@pytest.mark.parametrize(
    ("channel", "mode", "termination_db"),
    [("channel-25g-cr-cable", "passive-25g", 2.1), ("channel-50g-cr-cable", "passive-50g", 2.1),
     ("channel-100g-cr-cable", "passive-100g", 1.9)],
)  # fmt: skip
def test_an_allowance_is_the_standards_assembly_less_its_terminations(channel, mode, termination_db):
    assembly = part(channel, Channel).insertion_loss_db
    assert part(mode, CopperMode).allowance_db == pytest.approx(assembly - 2 * termination_db, abs=0.1)


def test_the_cartridge_is_what_the_channel_leaves():
    """40 dB die to die, less packages, the accelerator's board of 4 inches, the switch's, two connectors."""
    whole, board = part("channel-200g-kr-cr", Channel), part("pcb-megtron8", Channel)
    left = whole.insertion_loss_db * (1 - whole.package_fraction) - 4 * board.loss_db_per_inch - 3.8 - 2 * 1.0
    assert part("cartridge-200g", CopperMode).allowance_db == pytest.approx(left)


@pytest.mark.parametrize(
    ("channel", "reach_mm"),
    [("cei-224g-vsr", 220), ("channel-200g-host-pluggable", 220), ("channel-200g-host-npo", 50),
     ("channel-200g-host-cpo", 50)],
)  # fmt: skip
def test_chip_to_module_reaches_its_module(channel, reach_mm):
    """Board of 1.25 dB an inch at 56 GHz: 22 dB carry 447 mm, more than the 220 mm of VSR; 4 dB a package's width."""
    board = part("pcb-megtron8", Channel).loss_db_per_inch
    assert part(channel, Channel).insertion_loss_db / board * 25.4 >= reach_mm


def test_400g_lanes_go_a_metre_of_the_thickest_common_cable():
    """The allowance is fitted to a metre of 26AWG, 0.6 to 1.25 m by the slides: nothing is left there."""
    assert reach("passive-400g", 26, 1.0).margin_db == pytest.approx(0, abs=0.01)
    assert reach("passive-400g", 26, 1.25).state == "marginal" and reach("passive-400g", 34, 1.0).state == "over"


@given(st.sampled_from([(m, g) for m in MODES for g in GAUGES]), st.floats(0, 20), st.floats(0, 20))
def test_more_length_never_raises_a_margin(kind, short, long):
    short, long = sorted((short, long))
    near, far = (reach(*kind, length) for length in (short, long))
    order = ("ok", "marginal", "over")
    assert far.margin_db <= near.margin_db
    assert order.index(far.state) >= order.index(near.state)


@given(st.sampled_from(MODES), st.floats(0.1, 10))
def test_a_thicker_wire_never_lowers_a_margin(mode, length_m):
    margins = [reach(mode, awg, length_m).margin_db for awg in sorted(GAUGES)]
    assert margins == sorted(margins, reverse=True)


def test_every_copper_cable_has_a_mode_of_its_lanes():
    for row in catalogue().of_kind(Cable):
        if row.copper_mode is not None:
            assert part(row.copper_mode, CopperMode).lane_gbps == row.lane_gbps, row.name


def test_every_cable_of_a_fabric_at_its_longest():
    """A GB200 rack, two racks of DGX H100 and their leaves: three cables, each with gauge, length and margin."""
    built = build(str(Path(__file__).parents[3] / "examples" / "mixed.toml"))
    found = dict(link_walls(built))
    assert found["nvlink5-cartridge 28AWG 1 m"]["margin"] == pytest.approx(13.2 - 9.51)
    assert found["acc-800g 26AWG 4.9 m"]["margin"] == pytest.approx(26.1 - 4.9 * 5.22)
    assert min(wall["margin"] for wall in found.values()) == walls(built)["copper"]["margin"]


def test_cables_without_a_budget_are_judged_by_their_reach():
    found = dict(link_walls(build("clos:hosts=128,length_m=600")))
    wall = found["800g-2xdr4 600 m"]
    assert (wall["state"], wall["margin"], wall["unit"]) == ("over", -100, "m") and "800g-2xfr4" in wall["moves"]
    assert link_walls(build("hgx-h100")) == []


def test_a_midplane_by_hand():
    """A metre of traces at 1.25 dB an inch loses 49.2 dB of the 24 that packages leave; 0.5 m of the best close."""
    kyber = walls("rubin-ultra-nvl144")["copper"]
    assert (kyber["state"], kyber["limit"]) == ("marginal", 24)
    assert kyber["value"] == pytest.approx(39.37 * 1.25, abs=0.01)
    assert kyber["moves"].startswith("at most 0.49 m of it")
    assert walls("hgx-b200")["copper"]["margin"] == pytest.approx(24 - 0.3 * 39.37 * 1.25, abs=0.01)
    assert walls("rubin-ultra-nvl144:length_m=2")["copper"]["state"] == "over"
    assert "not judged" in walls("hgx-h100")["copper"]["why"]  # 100G lanes: no source gives both numbers
