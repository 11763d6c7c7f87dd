"""A site's watts, its delivery and its swing: hand arithmetic, and that each loss is counted once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.drawing.trace import draw_trace
from fabric.powering import deliver, rack_of, site_power
from fabric.powering.report import Asked, report
from fabric.powering.swing import power_trace, smoothing_j, storage_for
from topologies.errors import ConfigError
from topologies.parts import catalogue, part
from topologies.registry import build


def test_an_nvl72_rack(built):
    site = site_power(built("nvl72"), pue=1.15)
    rack = part("gb200-nvl72")
    assert (site.racks, site.it_w.typical, site.it_w.maximum) == (1, rack.power_typical_w, rack.power_max_w)
    assert site.facility_w.maximum == pytest.approx(1.15 * 132_000)
    assert int(4e6 / site.facility_w.maximum) == 26  # of them in 4 MW, before a scale-out network
    assert site.hosts_w == pytest.approx(120_000 - 0.9 * 72 * 1200 - 18 * 560)
    assert site.it_w.idle < 0.5 * site.it_w.typical


@pytest.mark.parametrize("spec", ["tpu-v4-64", "mi300x-8", "nvl72", "nvl72-x8", "rail:servers=8,switch=sn5600"])
def test_at_most_is_never_below_the_range(built, spec):
    """The sources' highest PUE and their highest rack are within what the site draws at most."""
    site = site_power(built(spec))
    for watts in (site.rack_w, site.racks_w, site.network_w, site.it_w, site.facility_w):
        assert watts.low <= watts.typical <= watts.high <= watts.maximum * (1 + 1e-12)
        assert watts.idle <= watts.typical


def test_links_of_one_tpu_are_one_figure_and_54_volts_no_more_than_itself(built):
    """Copper and circuits draw from one energy a bit: 6 links x 400 Gb/s x 6 pJ/bit, 5 to 8."""
    found = report(built("tpu-v4-64"), Asked())
    (links,) = found["serdes"]
    assert links["gbps_per_accelerator"] == pytest.approx(2400)
    assert (links["low_w"], links["typical_w"], links["high_w"]) == pytest.approx((12, 14.4, 19.2))
    assert found["site"]["delivery"]["more_than_54v_w"] == 0


def test_parts_inside_racks_are_counted_once(built):
    """Eight racks and their network: adapters and NVSwitches are within the racks' 120 kW, leaves and modules not."""
    topology = built("nvl72-x8")
    site = site_power(topology)
    counts = {r.part.name: r.quantity for r in _rows(topology)}
    outside = counts["qm9700"] * 747 + counts["800g-2xdr4"] * 17
    assert site.network_w.typical == pytest.approx(outside)
    assert site.it_w.typical == pytest.approx(8 * 120_000 + outside)
    assert site.inside_w.typical == pytest.approx(8 * 18 * 560 + 576 * 25)


def _rows(topology):
    from topologies.bill import bill_of_materials

    return bill_of_materials(topology)


def test_without_a_rack_a_share_for_hosts_is_said():
    site = site_power(build("torus:dims=4x4,accelerator=tpu-v5e"))
    assert site.rack is None and site.racks_w.typical == pytest.approx(16 * 200 * 1.5)
    assert any("no rack of tpu-v5e" in line for line in site.estimates)
    with pytest.raises(ConfigError, match="'generic' has no tdp_w"):
        site_power(build("ring:n=4"))
    with pytest.raises(ConfigError, match=r"PUE 0.9 is not between 1 and 10"):
        site_power(build("nvl72"), pue=0.9)
    assert rack_of(build("nvl72"), "gb300-nvl72").name == "gb300-nvl72"


@pytest.mark.parametrize("chain", ["chain-54v", "chain-800vdc", "chain-800vdc-rectified"])
def test_stages_multiply_to_what_is_published(chain):
    told = deliver(1e6, 8, chain, catalogue())
    product = 1.0
    for stage in told.stages:
        product *= stage.efficiency
    assert told.grid_to_core == pytest.approx(product)
    assert told.grid_to_core == pytest.approx(told.published, abs=0.01)
    assert told.grid_to_core_low <= told.grid_to_core <= told.grid_to_core_high
    assert told.loss_w == pytest.approx(told.stages[0].in_w * (1 - product))


def test_800_volts_need_less_copper_and_less_from_the_grid():
    low, high = (deliver(1e6, 8, chain, catalogue()) for chain in ("chain-54v", "chain-800vdc"))
    assert low.busbar_kg == pytest.approx(200) and low.current_a == pytest.approx(1e6 / 8 / 54)  # 200 kg a MW
    assert high.busbar_kg == pytest.approx(200 * 54 / 800 * high.rack_input_w / 1e6)
    assert high.busbar_loss_w < low.busbar_loss_w < 0.01 * 1e6
    assert low.more_than_baseline_w == pytest.approx(0) and high.more_than_baseline_w < 0
    bar = part("copper-bar")  # the same density of current, hence loss in proportion to copper
    along = 2 * part("busbar-54v").busbar_length_m
    section = 200 / 8 / bar.density_kg_per_m3 / along
    assert low.busbar_loss_w == pytest.approx(8 * low.current_a**2 * bar.resistivity_ohm_m * along / section)


@pytest.fixture(scope="module")
def trace():
    return power_trace(build("nvl72"), 100.0, [("all-reduce", "1GiB"), ("all-to-all", "8GiB")])


def test_a_step(trace):
    assert [phase.name for phase in trace.phases] == ["compute", "all-reduce", "all-to-all"]
    assert trace.period_ms == pytest.approx(sum(phase.duration_ms for phase in trace.phases))
    for before, after in zip(trace.phases, trace.phases[1:], strict=False):
        assert after.start_ms == pytest.approx(before.start_ms + before.duration_ms)
    for swing in (trace.rack, trace.site):
        assert swing.least_w <= swing.mean_w <= swing.peak_w
        assert swing.step_w == pytest.approx(swing.peak_w - swing.least_w)
    accelerators = (0.9 - 0.35) * 72 * 1200
    hosts = site_power(build("nvl72")).hosts_w * 0.5 * (0.9 - 0.35) / (0.9 - 0.12)
    network = 0.08 * 18 * 560  # switches carry nothing while accelerators compute
    assert trace.rack.step_w == pytest.approx(accelerators + hosts - network)
    compute = trace.phases[0]
    surplus = (compute.facility_w - trace.site.mean_w) * compute.duration_ms / 1e3
    assert trace.storage_j == pytest.approx(surplus)


def test_the_picture_of_a_step_is_the_same_every_time(trace):
    from dataclasses import asdict

    row = {**asdict(trace), "phases": [asdict(phase) for phase in trace.phases]}
    assert draw_trace("nvl72", row) == draw_trace("nvl72", row)
    assert draw_trace("a<b", row).count("a&lt;b") == 2


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.1, 1e3)), min_size=1, max_size=8))
def test_storage_that_smooths(phases):
    watts, lengths = zip(*phases, strict=True)
    energy = smoothing_j(watts, lengths)
    mean = sum(w * t for w, t in phases) / sum(lengths)
    above = sum(max(0.0, w - mean) * t / 1e3 for w, t in phases)
    assert -1e-6 <= energy <= above + 1e-6 + 1e-9 * above  # never more than all that lies above the mean
    if len(set(watts)) == 1:
        assert energy == pytest.approx(0, abs=1e-3)


def test_storage_by_how_long_it_must_follow():
    assert storage_for(0.1, 64, catalogue())[0] == "psu-capacitors"
    assert storage_for(0.1, 66, catalogue())[0] == "supercapacitor-shelf"
    assert storage_for(1e6, 1, catalogue())[0] == "none"


def test_a_step_needs_a_length():
    with pytest.raises(ConfigError, match="give --compute-ms or --collective"):
        power_trace(build("nvl72"), 0, [])
    with pytest.raises(ConfigError, match="compute time nan ms"):
        power_trace(build("nvl72"), float("nan"), [])


@given(scope=st.sets(st.sampled_from(["compute", "storage", "inband", "oob"]), min_size=1))
@settings(max_examples=8, deadline=None)
def test_a_report_names_what_it_does_not_count(scope):
    found = report(_NVL72, Asked(scope=tuple(scope)))
    assert set(found["not_counted"]) == {f"{n} network" for n in ("compute", "storage", "inband", "oob")} - {
        f"{n} network" for n in scope
    }
    assert {side["scope"] for side in found["sides"]} == scope - {"compute"}


_NVL72 = build("nvl72")


def test_a_report_of_what_is_not_known():
    found = report(build("fat-tree:k=4"), Asked())
    assert found["site"] is None and "no TDP of generic" in found["site_why"]
    assert found["network"]["total"] is None and found["missing"]
    with pytest.raises(ConfigError, match="no power trace: no TDP"):
        report(build("fat-tree:k=4"), Asked(compute_ms=5))


def test_energy_of_a_collective_is_watts_times_seconds():
    found = report(_NVL72, Asked(collectives=[("all-reduce", "1GiB")], exclude=("serdes",)))
    (row,) = found["collectives"]
    assert row["energy_j"] == pytest.approx(18 * 560 * row["time_us"] * 1e-6)
    bits = 2 * 71 * 2**30 * 8  # of a ring, received by all: 2 (n - 1) S
    assert row["pj_per_bit"] == pytest.approx(row["energy_j"] / bits * 1e12, rel=0.02)


def test_generation_has_one_machine_to_spare():
    found = report(_NVL72, Asked(generation="gas-engine", compute_ms=100, collectives=[("all-reduce", "1GiB")]))
    plant = found["generation"]
    assert plant["units"] == 2 and plant["fuel_w"] == pytest.approx(1.15 * 120_000 / 0.45)
    assert found["trace"]["generation_follows"] is False
