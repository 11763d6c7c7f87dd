"""Variants: the grid of values, and what each costs in tiers, or why it cannot be."""

import pytest

import fabric
from fabric.varying import variant, varied_specs
from topologies.errors import ConfigError


def varied(spec, *vary):
    return [variant(one)[0] for one in varied_specs([spec], vary)]


def test_a_faster_link_costs_a_tier():
    """64 ports of 400G make 64^2/2 = 2,048 hosts in two tiers; 32 of 800G make 512, so that 2,048 take three."""
    slow, fast = varied("clos:hosts=2048", "rate_gbps=400,800")
    assert (slow.tiers, slow.inventory.switches) == (2, 2048 // 32 + 32)
    assert (fast.tiers, fast.inventory.switches) == (3, 2048 // 16 * 2 + 64)
    assert fast.network_power_w > slow.network_power_w


def test_what_cannot_be_built_says_why_and_is_never_ranked():
    found = fabric.compare(["nvl72:length_m=5"], ["all-reduce"], vary=["technology=dac,pluggable"])
    dac, pluggable = found.variants
    assert "5 m" in dac.why and dac.accelerators is None and dac.row()["walls"] is None
    assert pluggable.why is None and pluggable.inventory.modules == 648
    assert [row.result.topology for row in found.rows] == ["nvl72:length_m=5,technology=pluggable"]


def test_a_rate_beyond_the_adapter_takes_the_faster_of_its_series():
    slow, fast = varied("dgx-h100-superpod-256", "rate_gbps=400,800")
    assert fast.spec == "dgx-h100-superpod-256:rate_gbps=800,nic=cx8-800g" and fast.values == {"rate_gbps": "800"}
    assert slow.spec == "dgx-h100-superpod-256:rate_gbps=400" and slow.why is fast.why is None
    (named,) = varied("rail:servers=4,nic=cx7-400g", "rate_gbps=800")  # a spec's own choice stands
    assert named.why == (
        "adapter 'cx7-400g' carries 400 Gb/s, the fabric 800 Gb/s; name another: nic=cx8-800g, nic=thor-ultra-800g"
    )
    (none,) = varied("rail:servers=4", "rate_gbps=6400")
    assert none.why.endswith("none in the catalogue is as fast; add one with --parts FILE")


def test_several_make_a_grid_in_order():
    specs = [one.spec for one in varied_specs(["ring:n=4", "ring:n=8,rate_gbps=100"], ["n=5,6", "rate_gbps=1,2"])]
    assert specs[:4] == [f"ring:n={n},rate_gbps={r}" for n in (5, 6) for r in (1, 2)] and len(set(specs[4:])) == 4


@pytest.mark.parametrize(
    ("specs", "vary", "said"),
    [
        ([], ["n=1"], "give one"),
        (["ring:n=4"], ["n"], "not key=value"),
        (["ring:n=4"], ["n=1,,2"], "not key=value"),
        (["ring:n=4"], ["n=5,5"], "twice"),
        (["ring:n=4"], ["n=5", "n=6"], "twice"),
        (["ring:n=4"], ["m=5"], "no parameter 'm'"),
        (["pod.toml"], ["n=5"], "is a file"),
        (["ring:n=4"], [f"n={','.join(map(str, range(3, 73)))}"], "70 variants are more than 64"),
    ],
)
def test_what_cannot_be_varied(specs, vary, said):
    with pytest.raises(ConfigError, match=said):
        varied_specs(specs, vary)


def test_modules_fail_more_often_than_copper():
    """192 links: each a passive cable, or two ends of a twin-port module's half: 500 FIT a module."""
    dac, optic = varied("torus:dims=4x4x4", "technology=dac,pluggable")
    assert optic.failures.hard.value == pytest.approx(192 * 2 / 2 * 500 * 24e-9)
    assert dac.failures.hard.value < optic.failures.hard.value / 2
    assert dac.failures.flaps is None and optic.failures.flaps.value > 0
