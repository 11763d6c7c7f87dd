"""The device catalogue as data: read straight from the TOML files, without our packages."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).parents[2] / "topologies" / "catalogue"
FILES = {
    "accelerators": {"accelerator"},
    "backplanes": {"backplane"},
    "cables": {"cable"},
    "cages": {"cage"},
    "channels": {"channel", "serdes", "fec"},
    "circuit_switches": {"ocs"},
    "circuit_technologies": {"ocs-technology", "ocs-operation"},
    "ocs_operations": {"ocs-operation"},
    "components": {"component"},
    "coolants": {"coolant"},
    "copper": {"copper-mode", "twinax"},
    "facilities": {"facility", "power-delivery"},
    "failure_rates": {"failure-rate"},
    "floors": {"floor"},
    "hosts": {"host"},
    "latencies": {"path-latency"},
    "nics": {"nic"},
    "number_formats": {"number-format"},
    "one_sided": {"one-sided-kernel"},
    "optical_budgets": {"optical-budget"},
    "optics": {"optic"},
    "power_shares": {"power-share"},
    "prices": {"price"},
    "racks": {"rack"},
    "recoveries": {"recovery"},
    "side_networks": {"side-network"},
    "site_power": {"generation", "energy-storage"},
    "switches": {"switch", "switch-chip"},
}
REQUIRED = {
    "cable": ["technology", "medium", "rate_gbps", "lane_gbps", "propagation_ns_per_m", "phy_latency_ns"],
    "copper-mode": ["lane_gbps", "nyquist_ghz", "allowance_db"],
    "nic": ["rate_gbps", "power_typical_w"],
    "ocs": ["ports_per_side", "technology"],
    "optic": ["technology", "medium", "rate_gbps", "lane_gbps", "power_typical_w"],
    "rack": ["power_max_w|power_typical_w"],
    "switch": ["technology", "capacity_gbps", "max_ports", "port_gbps", "power_typical_w"],
    "twinax": ["gauge_awg", "diameter_mm", "loss_db_per_m"],
}
SIGNED = ("insertion_loss", "return_loss", "tx_", "rx_", "offset_usd")
BOOKKEEPING = {"name", "title", "kind", "source", "year", "confidence", "sources", "estimates"}


def read(stem):
    return tomllib.loads((CATALOGUE / f"{stem}.toml").read_text("utf-8"))["part"]


ROWS = [(stem, row) for stem in FILES for row in read(stem)]
PARTS = {row["name"]: row for _, row in ROWS}
each_row = pytest.mark.parametrize(("stem", "row"), ROWS, ids=[row["name"] for _, row in ROWS])


def ordered(low, value, high):
    """low <= value <= high, for numbers and for tables of numbers with the same keys."""
    if isinstance(value, dict):
        return low.keys() == value.keys() == high.keys() and all(low[key] <= value[key] <= high[key] for key in value)
    return low <= value <= high


def test_files_and_size():
    found = {path.stem for path in CATALOGUE.glob("*.toml")}
    assert FILES.keys() <= found
    assert 300 <= len(ROWS) <= 500
    assert len(PARTS) == len(ROWS), [n for n, k in Counter(r["name"] for _, r in ROWS).items() if k > 1]


@each_row
def test_head(stem, row):
    assert row["name"] == row["name"].lower() and " " not in row["name"] and "_" not in row["name"]
    assert row["title"].strip() and row["source"].strip()
    assert row["kind"] in FILES[stem]
    assert 2010 <= row["year"] <= 2030
    assert row["confidence"] in {"high", "medium", "low"}
    for field in REQUIRED.get(row["kind"], []):
        assert any(name in row for name in field.split("|")), field


@each_row
def test_values_and_ranges(stem, row):
    for field, value in row.items():
        if field.endswith(("_low", "_high")):
            assert field.removesuffix("_low").removesuffix("_high") in row, field
        elif f"{field}_low" in row or f"{field}_high" in row:
            assert ordered(row.get(f"{field}_low", value), value, row.get(f"{field}_high", value)), field
        if isinstance(value, int | float) and not field.startswith(SIGNED):
            assert value >= 0, field


@each_row
def test_sources_and_estimates(stem, row):
    sources, estimates = row.get("sources", {}), row.get("estimates", {})
    fields = {f for f in row if not f.endswith(("_low", "_high"))} - BOOKKEEPING
    assert sources.keys() <= fields and estimates.keys() <= fields
    assert not sources.keys() & estimates.keys()
    for text in sources.values():
        title, year, confidence = text.rsplit(", ", 2)
        assert title and 2010 <= int(year) <= 2030 and confidence in {"high", "medium", "low"}
    for field, method in estimates.items():
        assert method.strip(), field
        assert f"{field}_low" in row and f"{field}_high" in row, field


@each_row
def test_units_are_in_the_key(stem, row):
    wrong = ("_mw", "_kw", "_tbps", "_mbps", "_us", "_cm", "_km", "_eur", "_gbytes")
    assert not [
        field for field in row if field.endswith(wrong) and field not in ("loss_db_per_km", "coolant_flow_l_per_min_kw")
    ]


@pytest.mark.parametrize("stem", ["cables", "optics"])
def test_one_default_per_technology_and_rate(stem):
    defaults = Counter((r["technology"], rate) for r in read(stem) for rate in r.get("default_for_gbps", []))
    assert max(defaults.values()) == 1, defaults
    expected = {
        "cables": {
            "dac": [100, 200, 400, 800, 1600],
            "acc": [800, 1600],
            "aec": [400, 800, 1600],
            "aoc": [100, 400, 800],
            "board": [200, 400, 800],
            "cartridge": [400],
        },
        "optics": {name: [100, 200, 400, 800, 1600] for name in ("pluggable", "lro", "lpo", "cpo")}
        | {"coherent": [400, 800]},
    }[stem]
    assert set(defaults) == {(name, rate) for name, rates in expected.items() for rate in rates}


def test_cables_have_copper_modes_that_admit_their_reach():
    for row in read("cables"):
        if "copper_mode" not in row:
            continue
        mode = PARTS[row["copper_mode"]]
        assert mode["lane_gbps"] == row["lane_gbps"], row["name"]
        loss = PARTS[f"twinax-{row['gauge_awg']}awg"]["loss_db_per_m"]
        limit = mode["allowance_db"] / loss[str(mode["nyquist_ghz"])]
        reach = row.get("reach_m", row.get("length_m"))
        assert reach <= 1.15 * limit, (row["name"], limit)
        assert row["name"] == "aec-1600g" or reach <= limit, (row["name"], limit)


def test_twinax_loss_is_the_published_formula():
    for row in read("copper"):
        if row["kind"] == "twinax":
            for frequency, loss in row["loss_db_per_m"].items():
                f = float(frequency)
                assert loss == pytest.approx(0.338 * f**0.5 / row["diameter_mm"] + 0.0345 * f, abs=0.03)


def test_switches_fill_their_capacity_and_cages():
    for row in read("switches"):
        if row["kind"] != "switch":
            continue
        ports = row["capacity_gbps"] / row["port_gbps"]
        assert ports == int(ports) and ports <= row["max_ports"], row["name"]
        if "cages" in row:
            assert row["cages"] * row["cage_gbps"] == row["capacity_gbps"], row["name"]


def test_scale_up_totals():
    for row in read("accelerators"):
        if {"scaleup_links", "scaleup_link_gbps"} <= row.keys():
            assert row["scaleup_links"] * row["scaleup_link_gbps"] == pytest.approx(row["scaleup_gbps"]), row


def test_known_values():
    qm9700 = PARTS["qm9700"]
    assert qm9700["capacity_gbps"] == 64 * 400
    assert (qm9700["cages"], qm9700["cage_gbps"], qm9700["max_ports"]) == (32, 800, 128)
    assert qm9700["power_typical_w"] == 747
    assert PARTS["sn5600"]["capacity_gbps"] == 64 * 800
    chip = PARTS["nvswitch4"]
    assert chip["capacity_gbps"] == 28800 and chip["max_ports"] == 72
    assert 72 * PARTS["gb200"]["scaleup_gbps"] == 18 * chip["capacity_gbps"]
    assert 72 * PARTS["rubin-r200"]["scaleup_gbps"] == 36 * PARTS["nvswitch6"]["capacity_gbps"]
    assert 8 * PARTS["h100-sxm"]["scaleup_gbps"] <= 4 * PARTS["nvswitch3"]["capacity_gbps"]
    palomar = PARTS["palomar-136"]
    assert palomar["ports_per_side"] == 136 and palomar["power_max_w"] == 108
    cartridge = PARTS["nvlink5-cartridge"]
    assert 72 * 18 * cartridge["assemblies_per_link"] == 5184
    assert 5184 * cartridge["price_usd"] == pytest.approx(218000, rel=1e-3)
    # GPU to GPU one way through one switch, as measured
    nvlink5 = 2 * PARTS["nvlink5-board"]["phy_latency_ns"] + chip["latency_ns"]
    nvlink4 = 2 * PARTS["nvlink4-board"]["phy_latency_ns"] + PARTS["nvswitch3"]["latency_ns"]
    assert (nvlink5, nvlink4) == (790, 822)
    assert PARTS["800g-2xdr4"]["price_usd"] == 1399 and PARTS["cx7-400g"]["price_usd"] == 1499


def test_boxes_of_one_capacity_agree_within_their_ranges():
    """Sources disagree on a 51.2T box ($95,000 and 750 W, $51,999 and 940 W): each range holds the other's value."""
    boxes = [PARTS[name] for name in ("th5-64x800g", "sn5600", "sn5610")]
    for box in boxes:
        for other in boxes:
            for key in ("price_usd", "power_typical_w"):
                assert box[f"{key}_low"] <= other[key] <= box[f"{key}_high"], (box["name"], other["name"], key)


def test_a_cost_of_materials_is_an_estimate_of_a_price():
    assert "cost of materials" in PARTS["1600g-dr8"]["estimates"]["price_usd"]
