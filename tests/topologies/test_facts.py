"""Every record of the device facts stands in a part of the catalogue, or in a short list that says why not."""

import json
import tomllib
from pathlib import Path

import pytest

from topologies.parts import catalogue

FACTS = Path(__file__).parents[3] / "shared/facts/devices.json"
WHERE = tomllib.loads(Path(__file__).with_name("facts.toml").read_text("utf-8"))
ROUNDED = {"@usd_per_gbps": 0.005, "@serdes_w": 0.01}  # printed with few digits


@pytest.fixture(scope="module")
def records():
    """The records by "kind | name | field", without those whose source says that nothing was found."""
    if not FACTS.is_file():
        pytest.skip(f"no device facts at {FACTS}")
    rows = json.loads(FACTS.read_text("utf-8"))
    found = [r for r in rows if any(r[k] is not None for k in ("value", "low", "high"))]
    return {f"{r['kind']} | {r['name']} | {r['field']}": r for r in found}


def place(key):
    """(part, field, factor, are the bounds about this field?) of a record; None where no part holds it."""
    kind, name, field = key.split(" | ")
    if key in WHERE["ignored"]:
        return None
    if kind == "accelerator":
        text = f"{WHERE['accelerators'][name]} {WHERE['accelerator-fields'][field]}"
    else:
        text = WHERE["rows"][kind][f"{name} | {field}"]
    part, target, *more = text.split()
    factor = next((float(m[1:]) for m in more if m.startswith("*")), 1.0)
    return part, target, factor, "~" not in more


def held(part, target):
    """(value, low, high) that a part has in a field, a table's entry or a computed one."""
    row = catalogue()[part]
    if target.startswith("@ports_"):
        value = row.ports(float(target.removeprefix("@ports_")))
        return value, value, value
    if target == "@usd_per_gbps":
        value = row.price_usd / row.capacity_gbps
        return value, value, value
    if target == "@serdes_w":
        watts = [row.scaleup_gbps * pj / 1000 for pj in (row.serdes_pj_per_bit, *row.ranges["serdes_pj_per_bit"])]
        return tuple(watts)
    field, _, entry = target.partition(".")
    if entry:
        tables = (getattr(row, field), getattr(row, f"{field}_low"), getattr(row, f"{field}_high"))
        return tuple(table[entry] for table in tables)
    value = getattr(row, field)
    return (value, *row.ranges.get(field, (value, value)))


def test_every_record_has_a_place(records):
    missing = []
    for key in records:
        try:
            place(key)
        except KeyError:
            missing.append(key)
    assert not missing


def test_no_place_is_for_nothing(records):
    kinds = {f"{k} | {row}" for k, rows in WHERE["rows"].items() for row in rows}
    assert kinds <= records.keys() and WHERE["ignored"].keys() <= records.keys()
    assert len(WHERE["ignored"]) <= 12 and all(WHERE["ignored"].values())


def test_every_value_is_the_parts_or_within_its_range(records):
    """To a thousandth, the facts being rounded; text must be there, in the catalogue's words."""
    wrong = []
    for key, record in records.items():
        if (found := place(key)) is None or record["value"] is None:
            continue
        part, target, factor, _ = found
        value, low, high = held(part, target)
        if not isinstance(record["value"], int | float) or isinstance(value, str):
            wrong += [key] * (not value)
            continue
        stated = record["value"] * factor
        slack = ROUNDED.get(target, 1e-3) * abs(stated)
        if not (abs(value - stated) <= slack or low - slack <= stated <= high + slack):
            wrong.append((key, stated, value, low, high))
    assert not wrong


def test_every_range_of_the_facts_is_within_the_parts(records):
    wrong = []
    for key, record in records.items():
        found = place(key)
        if found is None or not found[3]:
            continue
        part, target, factor, _ = found
        _, low, high = held(part, target)
        stated = [record[end] * factor for end in ("low", "high") if record[end] is not None]
        slack = [ROUNDED.get(target, 1e-3) * abs(bound) for bound in stated]
        if any(not low - s <= bound <= high + s for bound, s in zip(stated, slack, strict=True)):
            wrong.append((key, stated, low, high))
    assert not wrong


def test_what_the_facts_estimate_is_marked(records):
    """A number that nobody published stays an estimate in the catalogue, unless the part has a better source."""
    unmarked = []
    for key, record in records.items():
        if record["source_code"] == "EST" and isinstance(record["value"], int | float) and (found := place(key)):
            part, target = catalogue()[found[0]], found[1]
            if target not in part.estimates and target not in part.sources and not target.startswith("@"):
                unmarked.append(key)
    assert not unmarked


def test_stages_of_power_delivery_give_the_published_chains():
    """Grid to core: 82.0 % over 54 V, 87.4 % over 800 VDC (SemiAnalysis 2026); the chains hold the partial products."""

    def stage(name):
        return catalogue()[f"stage-{name}"].efficiency

    old, new = catalogue()["chain-54v"], catalogue()["chain-800vdc"]
    to_rack = stage("transformer") * stage("ups") * stage("pdu") * stage("rack-psu")
    assert to_rack == pytest.approx(old.efficiency_grid_to_rack, abs=1e-3)
    assert to_rack * stage("54-12v") == pytest.approx(old.efficiency_grid_to_board, abs=2e-3)
    assert to_rack * stage("54-12v") * stage("vrm") == pytest.approx(old.efficiency_grid_to_core, abs=2e-3)
    assert new.efficiency_grid_to_board * stage("vrm") == pytest.approx(new.efficiency_grid_to_core, abs=1e-3)


def test_failures_agree_with_their_counts():
    """Llama 3: the 18 causes are the 419 interruptions, and FIT are events over device-hours."""
    rows = catalogue()
    whole = rows["llama3-405b"]
    causes = [p for n, p in rows.items() if n.startswith("llama3-") and n != whole.name]
    assert len(causes) == 18 and sum(p.events for p in causes) == whole.events
    device_hours = whole.accelerators * whole.hours
    assert device_hours / whole.events == pytest.approx(whole.accelerator_hours_per_event, rel=1e-3)
    assert rows["llama3-network"].events / device_hours * 1e9 == pytest.approx(rows["network-per-gpu"].fit, rel=1e-3)
    link = rows["hpn-nic-link"]
    assert link.failures_per_month / 730 * 1e9 == pytest.approx(link.fit, rel=1e-2)


def test_figures_follow_from_each_other():
    """Counts and rates that their sources give on their own agree when worked out on paper."""
    rows = catalogue()
    spine, rubin = rows["spine-nvl72"], rows["spine-vera-rubin"]
    assert spine.cables == 72 * 18 * 4 and spine.optics_modules == 72 * 18 * 400 * 2 / 1600
    assert spine.total_length_m / spine.cables == pytest.approx(spine.mean_length_m, abs=0.005)
    for row in (spine, rubin):
        assert 72 * row.accelerator_gbps == pytest.approx(row.aggregate_gbps, rel=0.005)
    assert spine.optics_power_w == pytest.approx(
        spine.optics_modules * rows["1600g-dr8"].ranges["power_typical_w"][1], rel=0.03
    )
    assert rows["kp4-100g"].block_fill_ns == pytest.approx(5440 / 106.25)
    assert rows["kp4-400g"].block_fill_ns == pytest.approx(2 * 5440 / (4 * 106.25))
    host = rows["channel-100g-c2m"]
    limit = 0.05 + 1.8 * host.frequency_ghz**0.5 + 0.2513 * host.frequency_ghz
    assert host.insertion_loss_db == pytest.approx(limit, abs=0.05)
    lpo = rows["budget-100g-dr-lpo"]
    assert lpo.channel_loss_db + lpo.mpi_penalty_db + lpo.tdecq_db == pytest.approx(6.7)
    electric, fibre = rows["slim-fly-electric"], rows["slim-fly-fibre"]
    dearer = fibre.offset_usd_per_gbps - electric.offset_usd_per_gbps
    assert dearer / (electric.usd_per_gbps_m - fibre.usd_per_gbps_m) == pytest.approx(fibre.crossover_m, rel=0.001)
    assert rows["ironwood-superpod"].power_typical_w / 9216 == pytest.approx(1085, rel=0.001)
    one32 = rows["ipronics-one32"]
    assert one32.power_base_w + 32 * one32.power_w_per_port == pytest.approx(one32.power_typical_w, rel=0.01)
    assert one32.insertion_loss_raw_db - one32.gain_db == one32.insertion_loss_db
    module = rows["800g-2xdr4"]
    assert module.power_typical_w / module.rate_gbps * 1e3 == pytest.approx(module.energy_pj_per_bit, rel=0.02)


@pytest.mark.parametrize("name", ["1600g-dr8", "1600g-lro", "1600g-lpo", "1600g-cpo", "800g-cpo-bailly"])
def test_energy_of_a_module_is_its_watts_over_its_rate(name):
    """Vendors round either, and quote them of different parts: the one lies in the other's range, 15 % wider."""
    row = catalogue()[name]
    low, high = row.ranges.get("energy_pj_per_bit", (row.energy_pj_per_bit,) * 2)
    watts = row.ranges.get("power_typical_w", (row.power_typical_w,) * 2)
    assert watts[0] / row.rate_gbps * 1e3 <= high * 1.15 and watts[1] / row.rate_gbps * 1e3 >= low / 1.15
