"""The four walls: no machine that is sold fails one, what cannot work does; each says why, and what would move it."""

import pytest

from fabric.limits import Conditions, broken, checks, first_wall, walls
from topologies.errors import ConfigError
from topologies.families import systems

# What papers built through circuit switches of higher loss closes at the mean, not at the 99th percentile; of
# Trainium's cables nobody states gauge and mode; of Kyber, which is not sold, nobody states the run of its midplane.
NOT_OK = {
    **dict.fromkeys(("mixnet-1024", "opera-648", "rotornet-128"), "marginal"),
    **dict.fromkeys(("rubin-ultra-nvl144", "nvl576-cpo"), "marginal"),
    **dict.fromkeys(("trainium2-16", "trainium2-64", "trainium3-64", "trainium3-144"), "unknown"),
}
NOBODY_SELLS = {"nvl576-copper": "four racks of copper, the twin of nvl576-cpo, for comparison"}

# every ready-made system, the largest with fewer servers
SPECS = [name if row.parameters.get("servers", 0) < 1500 else f"{name}:servers=512" for name, row in systems().items()]


@pytest.mark.parametrize("name", [spec for spec in SPECS if spec not in NOBODY_SELLS])
def test_a_shipping_machine_passes(name, built):
    found = walls(built(name))
    assert found.keys() == {"copper", "power", "thermal", "memory"}
    assert broken(found) is None
    assert found["copper"]["state"] == NOT_OK.get(name, "ok")
    assert not [check for asked in checks(built(name)).values() for check in asked if check.state == "over"]


@pytest.mark.parametrize("name", NOBODY_SELLS)
def test_what_nobody_sells_is_over(name, built):
    assert broken(walls(built(name))).startswith("over the copper wall")


@pytest.mark.parametrize(
    ("spec", "power", "thermal"),
    [
        ("nvl72", "ok", "ok"),
        ("gb300-nvl72", "ok", "ok"),
        ("dgx-h100-superpod-256", "ok", "ok"),  # four air-cooled DGX H100 in a rack
        ("switch:n=64,switch=qm9700,technology=dac,length_m=2", "ok", "ok"),  # the box alone
        ("tpu-v4-64", "unknown", "ok"),  # nobody publishes what feeds a cube
        ("rubin-ultra-nvl144", "marginal", "ok"),  # 603 kW of 600 to 660 provisioned; not sold
        ("jupiter-64x512", "ok", "ok"),  # the boxes of a block; its accelerators are generic
        ("ring:n=8", "unknown", "unknown"),
    ],
)
def test_by_name(spec, power, thermal, built):
    found = walls(built(spec))
    states = found["copper"]["state"], found["power"]["state"], found["thermal"]["state"]
    assert states == (NOT_OK.get(spec, "ok"), power, thermal)


def test_the_racks_of_those_names(built):
    said = {name: walls(built(name))["power"]["why"] for name in ("nvl72", "dgx-h100-superpod-256", "jupiter-64x512")}
    assert said["nvl72"].startswith("gb200-nvl72 with 72 gb200: TDPs 86.4 kW, hosts 18 kW")
    assert "add up to 118.6 kW of a feed of 231 kW" in said["nvl72"]
    assert said["nvl72"].endswith("its nameplate says 132 kW")  # by which power and size go
    assert said["dgx-h100-superpod-256"].startswith("dgx-h100-rack with 32 h100-sxm: TDPs 22.4 kW")
    assert "add up to 40.57 kW" in said["dgx-h100-superpod-256"]
    assert "th5-64x800g with its modules draws 1.454 kW, a block of 8 11.63 kW: 31" in said["jupiter-64x512"]
    heat = {check.name: check.why for check in checks(built("jupiter-64x512"))["thermal"]}
    assert heat["switch box"] == "th5-64x800g with its modules leaves 1.454 kW to air: 30 make a rack of 45 kW"


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        ("nvl72", "ok"), ("switch:n=8,technology=dac,length_m=2", "ok"),
        ("switch:n=8,technology=dac,length_m=3", "marginal"),
        ("switch:n=8,technology=dac,length_m=4", "over"), ("switch:n=8,rate_gbps=1600,length_m=3", "over"),
        ("switch:n=8,rate_gbps=1600,length_m=1", "ok"), ("nvl72:length_m=3", "over"), ("clos:hosts=128", "ok"),
        ("clos:hosts=128,length_m=1000", "over"), ("nvl72:technology=pluggable,length_m=20", "ok"),
    ],
)  # fmt: skip
def test_states_of_links(spec, state):
    wall = walls(spec)["copper"]
    assert wall["state"] == state
    assert wall["why"]
    assert (wall["moves"] is None) == (state == "ok")
    if wall["margin"] is None:
        assert wall["value"] is None and "no copper cable" in wall["why"]
    else:
        assert wall["margin"] == pytest.approx(wall["limit"] - wall["value"])
        assert (wall["margin"] < 0) == (state == "over")


def test_units_of_links():
    assert walls("nvl72")["copper"]["unit"] == "dB"
    long = walls("clos:hosts=128,length_m=1000")["copper"]
    assert (long["unit"], long["limit"], long["value"]) == ("m", 500, 1000)
    assert "use another module" in long["why"] and "800g-2xfr4" in long["moves"]


@pytest.mark.parametrize(
    ("spec", "moves"),
    [
        ("nvl72:length_m=1.6", "2.0 dB short: 26AWG leaves +0.5 dB, or acc-1600g at +1.6 W an end"),
        ("switch:n=8,technology=dac,length_m=3", "0.3 dB left: 24AWG leaves +3.0 dB"),
        ("switch:n=8,rate_gbps=800,length_m=3", "7.2 dB short: acc-800g at +1.4 W an end"),
        ("switch:n=8,technology=dac,length_m=4", "4.9 dB short: acc-800g at"),
    ],
)
def test_what_would_move_a_cable(spec, moves):
    assert walls(spec)["copper"]["moves"].startswith(moves)


def test_active_optical_cable_beyond_its_reach_is_over():
    assert walls("clos:hosts=128,cable=aoc-400g,length_m=2000")["copper"]["state"] == "over"


def test_a_wall_says_where_its_cable_is_not_in_the_bill():
    apart, counted = (f"jupiter:blocks=4,uplinks=6,boundary={b}" for b in ("blocks+spine", "hosts+blocks+spine"))
    assert "links of hosts, which the bill leaves out" in walls(apart)["copper"]["why"]
    assert "leaves out" not in walls(counted)["copper"]["why"]


def test_the_first_wall_is_the_most_severe():
    assert first_wall(walls("nvl72:length_m=5")) == "copper"
    assert first_wall(walls("nvl72", Conditions(rack="orv3-hpr"))) == "copper"  # of whose hosts nothing is known
    assert first_wall(walls("nvl72", Conditions(cooling="air"))) == "thermal"
    assert first_wall(walls("nvl72", Conditions(weights_bytes=140e12))) == "memory"
    assert first_wall({"copper": None, "power": None}) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rack": "gb200-nvl27"}, "did you mean 'gb200-nvl72'"),
        ({"rack": "qm9700"}, "a part of kind rack is needed"),
        ({"cooling": "wind"}, "there are air, rear-door, liquid, immersion"),
        ({"per_rack": 0}, "per_rack = 0 is not a number above zero"),
        ({"weights_bytes": float("nan")}, "weights_bytes = nan"),
        ({"rise_k": -3.0}, "rise_k = -3"),
    ],
)
def test_conditions_that_cannot_be(given, said):
    with pytest.raises(ConfigError, match=said):
        walls("nvl72", Conditions(**given))
