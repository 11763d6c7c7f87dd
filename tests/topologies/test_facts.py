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
