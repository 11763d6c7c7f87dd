"""Operations: each time from the row that states it, steps that add up, robots that take turns."""

import pytest

from fabric.planning.operations import (
    DELAY,
    ROWS,
    SWITCH_LINK_UP,
    failing_fraction,
    layer_operations,
    operations,
    stage_seconds,
)
from topologies.parts import CircuitSwitch, Optic, catalogue, part
from topologies.registry import build


def ms(*values):
    return pytest.approx(sum(values) / 1e3)


def test_devices_that_state_a_time_use_it_and_the_rest_the_class():
    parts = catalogue()
    mems, silent = operations("palomar-136", parts), operations("lumentum-r64", parts)
    assert mems.steps["settle"].row == "palomar-136" and mems.delay_s(steps=("settle",)) == ms(30)
    assert silent.steps["settle"].row == ROWS["settle"] and operations("nobody", parts).steps == silent.steps
    assert all(time.source for own in (mems, silent) for time in own.steps.values())


def test_delay_is_command_optics_lock_link_and_routes():
    own = operations("polatis-384", catalogue(), optic=part("800g-lpo", Optic))
    assert own.delay_s() == ms(26, 25, 5.2, 5670, 100)
    port = operations("polatis-384", catalogue(), link_up=SWITCH_LINK_UP)
    assert port.delay_s() == ms(26, 25, 6.2, 1000, 100)
    assert [own.delay_s(steps=DELAY[:n]) for n in range(6)] == sorted(own.delay_s(steps=DELAY[:n]) for n in range(6))


@pytest.mark.parametrize(
    ("switch", "moves", "seconds"),
    [("telescent-g4", 1, 120), ("telescent-g4", 7, 840), ("calient-s320", 1, 0.013), ("calient-s320", 9, 0.2),
     ("polatis-384", 9, 0.025)],
)  # fmt: skip
def test_robots_take_turns_and_mirrors_do_not(switch, moves, seconds):
    assert operations(switch, catalogue()).settle_s(moves) == pytest.approx(seconds)


def test_a_stage_waits_for_its_slowest_switch():
    parts = catalogue()
    robot, mems = operations("telescent-g4", parts), operations("palomar-136", parts)
    found = stage_seconds([(robot, 2), (mems, 64)], 66)
    assert found == {"drain": 30, "command": 0.026, "settle": 240, "relock": 0.0062, "link-up": 5.67, "routing": 0.1,
                     "qualify": 60, "undrain": 30}  # fmt: skip
    assert stage_seconds([(robot, 2)], 2, 0.02)["repair"] == 1800
    down_only = stage_seconds([(mems, 5)], 0, 0.02)
    assert down_only["qualify"] == down_only["link-up"] == 0 and down_only["settle"] == 0.03
    assert sum(stage_seconds([], 0).values()) == 0


def test_a_layer_takes_each_device_as_it_is():
    layer = build("ocs-flat:n=12,degree=4,ocs=telescent-g4").circuits
    own = layer_operations(layer, catalogue())
    assert [one.switch for one in own] == ["telescent-g4"] * layer.devices


def test_every_step_has_a_row_and_every_switch_a_finite_delay():
    parts = catalogue()
    switches = parts.of_kind(CircuitSwitch)
    assert len(switches) > 8
    for row in switches:
        assert 0 < operations(row, parts).delay_s() < 1e4
    share = failing_fraction(parts)
    assert (share.low_s, share.seconds, share.high_s) == (0.01, 0.02, 0.03)
