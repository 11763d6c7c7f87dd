"""Intervals from residuals: quantiles by hand, coverage of left-out systems, widening, and the file they stand in."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.collectives import collective
from fabric.intervals import BANDS, Spread, Table, interval, read_table, shipped
from fabric.intervals import evidence as evidence_of
from fabric.measuring.baselines import nccl_tuning
from fabric.measuring.residuals import (
    Residual,
    calibrated,
    coverage,
    evidence,
    read_left_out,
    residuals,
    spread,
    strains,
    table,
    widening,
    written,
)
from fabric.timing import Assumptions, priced_by
from topologies.errors import ConfigError
from topologies.registry import build

KINDS = ("switched:hopper", "switched:ampere", "network:efa", "pcie:ada")
WIDER = {"per_doubling": 0.1, "unseen": {"large": 1.34, "small": 1.11}, "least": {"large": 0.0, "small": 0.0}}


def drawn(seed, systems=24, rows=60, between=0.08, within=0.05):
    """Residuals of systems that differ from each other more than their rows do."""
    random = np.random.default_rng(seed)
    offsets = random.normal(0, between, systems)
    return [
        Residual(f"s{s}", KINDS[s % len(KINDS)], band, 1, float(offsets[s] + noise))
        for band in BANDS for s in range(systems) for noise in random.standard_t(4, rows) * within
    ]  # fmt: skip


def test_spread_by_hand_weighs_systems_alike():
    few = [Residual("few", "x", "large", 1, 1.0)]
    many = [Residual("many", "x", "large", 1, v / 100) for v in range(100)]
    low, high = spread([*few, *many], 0.9)  # half of all weight lies at 1, a twentieth below 0.1
    assert (low, high) == (pytest.approx(-0.2 * (1.0 - 0.09)), 1.0)
    assert spread([*many, *(Residual("many", "x", "large", 1, -v / 100) for v in range(100))], 0.9) == (-0.9, 0.89)


@pytest.mark.parametrize("seed", range(4))
def test_left_out_intervals_cover_nine_of_ten_rows(seed):
    every = drawn(seed)
    scale = calibrated(every, WIDER)
    assert all(0.85 <= coverage(every, scale[band], WIDER, band) <= 0.95 for band in BANDS)


def test_unseen_systems_of_the_same_kinds_are_covered_too():
    every, later = drawn(7, systems=40), drawn(7, systems=80)
    made = table(every, calibrated(every, WIDER), WIDER)
    fresh = [r for r in later if int(r.system[1:]) >= 40]
    held = []
    for r in fresh:
        low, high = made.factors(1 << 30 if r.band == "large" else 1, r.kind)
        held.append(low <= math.exp(r.log_ratio) <= high)
    assert 0.8 < np.mean(held) < 0.99


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)))
def test_a_larger_scale_covers_no_less(seed, scales):
    every = drawn(seed, systems=6, rows=10)
    low, high = sorted(scales)
    assert coverage(every, low, WIDER, "large") <= coverage(every, high, WIDER, "large")


def test_a_kind_of_one_system_takes_its_class_and_a_class_of_one_everything():
    every = [
        *(Residual("a", "switched:hopper", "large", 1, 0.0) for _ in range(3)),
        *(Residual("b", "switched:ampere", "large", 1, 0.1) for _ in range(3)),
        *(Residual("c", "network:efa", "large", 2, 0.2) for _ in range(3)),
    ]  # fmt: skip
    assert evidence(every, "large", "switched:hopper")[0] == "switched"
    name, pool = evidence(every, "large", "network:efa")
    assert (name, len(pool)) == ("*", 9)


def test_one_generation_does_not_speak_for_another():
    every = [
        *(Residual(s, "grid:tpu-v7", "large", 1, v) for s in "ab" for v in (-0.01, 0.01)),
        *(Residual(s, k, "large", 1, v) for s, k in (("c", "pcie:ada"), ("d", "pcie:ampere")) for v in (-0.3, 0.4)),
    ]  # fmt: skip
    assert evidence(every, "large", "grid:tpu-v7")[0] == "grid:tpu-v7"
    assert evidence(every, "large", "grid:tpu-v4")[0] == "*"
    assert evidence(every, "large", "pcie:hopper")[0] == "pcie"
    made = table(every, {"large": 1.0, "small": 1.0}, WIDER)
    assert {s.kind for s in made.spreads} == {"*", "grid:tpu-v7", "pcie"}


def test_intervals_widen_with_domains_and_for_unseen_kinds():
    known = (Spread("large", "network:efa", -0.1, 0.2, 9, 2, 2), Spread("large", "network", -0.2, 0.3, 20, 4, 8))
    made = Table(known, 0.1, {"large": 1.5}, {"large": 0.05})
    assert interval(100, 1 << 30, "network:efa", 2, made) == pytest.approx((100 * math.exp(-0.1), 100 * math.exp(0.2)))
    assert interval(100, 1 << 30, "network:efa", 8, made) == pytest.approx(
        (100 * math.exp(-0.12), 100 * math.exp(0.24))
    )
    assert interval(100, 1 << 30, "network:roce", 8, made) == pytest.approx(
        (100 * math.exp(-0.3), 100 * math.exp(0.45))
    )
    assert interval(100, 1 << 30, "switched:hopper", 1, made) == (None, None)
    assert interval(100, 1, "network:efa", 2, made) == (None, None)


def test_no_interval_is_narrower_than_two_testers_of_one_machine():
    made = Table((Spread("large", "*", -0.001, 0.002, 9, 2, 1),), 0.1, {"large": 1.0}, {"large": 0.05})
    low, high = interval(100, 1 << 30, "switched:hopper", 1, made)
    assert (low, high) == (pytest.approx(100 * math.exp(-0.05)), pytest.approx(100 * math.exp(0.05)))


def test_rows_within_the_least_interval_need_no_scale():
    every = [Residual(f"s{i}", "x", "large", 1, value) for i, value in enumerate((0.01, -0.02, 0.04, 0.5))]
    found = strains(every, {**WIDER, "least": {"large": 0.05, "small": 0.0}}, "large")
    assert found[:3].tolist() == [0, 0, 0] and found[3] > 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=20, unique=True), st.floats(0.1, 4))
def test_an_interval_holds_its_prediction(values, scale):
    every = [Residual(f"s{i % 2}", "switched:hopper", "large", 1, value) for i, value in enumerate(values)]
    made = table(every, {"large": scale, "small": 1.0}, WIDER)
    low, high = interval(100, 1 << 30, "switched:hopper", 1, made)
    assert low <= 100 <= high


def test_a_table_survives_its_file(tmp_path):
    every = drawn(3, systems=8, rows=10)
    made = table(every, {"large": 0.9, "small": 1.4}, WIDER)
    file = tmp_path / "intervals.toml"
    file.write_text(written(made, {"rows": len(every), "scale": {"large": 0.9}}))
    again = read_table(file)
    assert [(s.band, s.kind, s.rows, s.systems) for s in again.spreads] == [
        (s.band, s.kind, s.rows, s.systems) for s in made.spreads
    ]
    for now, then in zip(again.spreads, made.spreads, strict=True):
        assert (now.low, now.high) == pytest.approx((then.low, then.high), abs=1e-4)


def test_what_was_measured_covers_itself_left_out(shipped_comparison):
    found = shipped_comparison
    simple = {
        row.row: time for row, machine in zip(found.rows, found.machines, strict=True)
        if (time := nccl_tuning(machine, row.collective, row.size_bytes)) is not None
    }  # fmt: skip
    every = residuals(found, simple)
    assert 300 < len(every) < len(found.rows)
    wider = widening()
    scale = calibrated(every, wider)
    assert all(0.85 <= coverage(every, scale[band], wider, band) <= 0.95 for band in BANDS)


def test_predictions_left_out_come_from_a_file(tmp_path):
    file = tmp_path / "left.csv"
    file.write_text("row,predicted_us\n1,2.5\n7,9\n")
    assert read_left_out(file) == {1: 2.5, 7: 9.0}
    for text, why in (("a,b\n", "no columns"), ("row,predicted_us\n1,x\n", "line 2")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=why):
            read_left_out(file)


def test_the_shipped_table_is_in_order():
    for known in shipped().spreads:
        assert known.low < 0 < known.high and known.rows >= known.systems >= 2


def test_a_simulation_has_the_kind_of_the_rows_of_its_machine(shipped_comparison):
    seen = set()
    for machine in {(m.spec, m.transport): m for m in shipped_comparison.machines}.values():
        pattern = collective("all-gather", machine.ranks)
        priced = priced_by(build(machine.spec), pattern, Assumptions(transport=machine.transport))
        assert evidence_of(priced) == (machine.kind, machine.domains), machine.spec
        seen.add(machine.kind.partition(":")[0])
    assert seen >= {"switched", "network", "pcie", "grid", "ctran"}
