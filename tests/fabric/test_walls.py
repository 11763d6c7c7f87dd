"""The copper wall: what ships does not meet it, what cannot work does."""

import pytest

from fabric.walls import broken, walls
from topologies.registry import build, systems

# What papers built through circuit switches of higher loss closes at the mean, not at the 99th percentile; of
# Trainium's cables nobody states gauge and mode.
NOT_OK = {
    **dict.fromkeys(("mixnet-1024", "opera-648", "rotornet-128"), "marginal"),
    **dict.fromkeys(("trainium2-16", "trainium2-64", "trainium3-64", "trainium3-144"), "unknown"),
}


# every ready-made system, the largest with fewer servers
SPECS = [name if row.parameters.get("servers", 0) < 1500 else f"{name}:servers=512" for name, row in systems().items()]


@pytest.mark.parametrize("name", [spec for spec in SPECS if spec != "nvl576-copper"])  # which nobody sells
def test_a_shipping_machine_passes(name, built):
    found = walls(built(name))
    assert found.keys() == {"copper", "power", "thermal", "memory"}
    assert broken(found) is None
    assert found["copper"]["state"] == NOT_OK.get(name, "ok")


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
def test_states(spec, state):
    wall = walls(build(spec))["copper"]
    assert wall["state"] == state
    assert wall["why"]
    if wall["margin"] is None:
        assert wall["value"] is None and "no copper cable" in wall["why"]
    else:
        assert wall["margin"] == pytest.approx(wall["limit"] - wall["value"])
        assert (wall["margin"] < 0) == (state == "over")


def test_units():
    assert walls(build("nvl72"))["copper"]["unit"] == "dB"
    long = walls(build("clos:hosts=128,length_m=1000"))["copper"]
    assert (long["unit"], long["limit"], long["value"]) == ("m", 500, 1000)
    assert "use another module" in long["why"]


def test_active_optical_cable_beyond_its_reach_is_over():
    assert walls(build("clos:hosts=128,cable=aoc-400g,length_m=2000"))["copper"]["state"] == "over"


def test_a_wall_says_where_its_cable_is_not_in_the_bill():
    apart, counted = (f"jupiter:blocks=4,uplinks=6,boundary={b}" for b in ("blocks+spine", "hosts+blocks+spine"))
    assert "links of hosts, which the bill leaves out" in walls(build(apart))["copper"]["why"]
    assert "leaves out" not in walls(build(counted))["copper"]["why"]
