"""Reach: what is sold passes, what physics forbids does not."""

import pytest

from topologies.parts import Cable, CopperMode, Twinax, catalogue, part
from topologies.reach import Reach, beyond_reach, copper_reach, tightest_copper
from topologies.registry import build, systems


def reach(name, length_m):
    return copper_reach(part(name, Cable), length_m, catalogue())


@pytest.mark.parametrize("name", systems())
def test_a_shipping_machine_passes(name, built):
    machine = built(name)
    tightest = tightest_copper(machine)
    assert tightest is None or tightest.state == "ok", tightest
    assert beyond_reach(machine) == []


def test_the_fabrics_of_copper_are_judged():
    assert tightest_copper(build("nvl72")).cable == "nvlink5-cartridge"
    assert tightest_copper(build("tpu-v4-64")).cable == "ici-v4-copper"
    assert tightest_copper(build("dgx-h100-superpod-256")) is None
    assert tightest_copper(build("dgx-b200-superpod-512")) is None


@pytest.mark.parametrize(
    ("name", "length_m", "state"),
    [
        ("dac-400g", 2.0, "ok"), ("dac-400g", 3.0, "marginal"), ("dac-400g", 3.1, "over"),
        ("dac-800g", 2.0, "marginal"),
        ("dac-800g", 3.0, "over"), ("dac-1600g", 1.0, "ok"), ("dac-1600g", 2.0, "over"), ("dac-1600g", 3.0, "over"),
        ("nvlink5-cartridge", 1.0, "ok"), ("nvlink5-cartridge", 3.0, "over"), ("dac-100g", 5.0, "ok"),
        ("dac-200g", 3.0, "ok"),
    ],
)  # fmt: skip
def test_states(name, length_m, state):
    assert reach(name, length_m).state == state


@pytest.mark.parametrize("row", [c for c in catalogue().of_kind(Cable) if c.copper_mode], ids=lambda c: c.name)
def test_the_budget_is_allowance_less_length_times_loss(row):
    mode = part(row.copper_mode, CopperMode)
    loss = part(f"twinax-{row.gauge_awg}awg", Twinax).loss_db_per_m[str(mode.nyquist_ghz)]
    found = copper_reach(row, 1.5, catalogue())
    assert found.margin_db == pytest.approx(mode.allowance_db - 1.5 * loss)
    assert copper_reach(row, 3.0, catalogue()).margin_db < found.margin_db
    assert f"{found.loss_db:.1f} dB" in found.why and row.name in found.why


@pytest.mark.parametrize(
    "row", [c for c in catalogue().of_kind(Cable) if c.copper_mode and c.reach_m], ids=lambda c: c.name
)
def test_a_cable_carries_its_published_reach(row):
    if row.name != "aec-1600g":  # its published reach is stated without a gauge
        assert copper_reach(row, row.reach_m, catalogue()).margin_db >= 0


@pytest.mark.parametrize(("name", "length_m"), [("dac-100g", 5.2), ("dac-200g", 3.6)])
def test_beyond_what_its_mode_supports_a_cable_is_over(name, length_m):
    """copper.toml: max_length_m caps a mode at what standards or vendors support."""
    mode = part(part(name, Cable).copper_mode, CopperMode)
    assert length_m > mode.max_length_m
    assert reach(name, length_m).state == "over"


def test_a_board_is_not_judged():
    assert reach("nvlink4-board", 0.3) is None


@pytest.mark.parametrize(
    ("margin", "state"), [(-0.01, "over"), (0.0, "marginal"), (0.99, "marginal"), (1.0, "ok"), (9.0, "ok")]
)
def test_margins(margin, state):
    assert Reach("c", 1.0, 100, 10.0, 10.0 + margin, False).state == state


def test_the_tightest_is_found():
    built = build("clos:hosts=128,technology=dac,length_m=2.5")
    assert tightest_copper(built).length_m == 2.5
    mixed = build("nvl72:length_m=3")
    assert tightest_copper(mixed).state == "over"


@pytest.mark.parametrize(("length", "names"), [(500, []), (501, ["800g-2xdr4"]), (3000, ["800g-2xdr4"])])
def test_optics_beyond_their_reach(length, names):
    found = beyond_reach(build(f"clos:hosts=128,length_m={length}"))
    assert [(row.name, metres) for row, metres in found] == [(n, length) for n in names]
