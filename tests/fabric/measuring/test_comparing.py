"""Errors and what they come to: hand arithmetic on few rows, and the shipped ones in a budget of time."""

import csv
import io
from itertools import pairwise

import numpy as np
import pytest

from fabric.measuring.baselines import BASELINES, line_rate, nccl_tuning, simai
from fabric.measuring.comparing import compare_measured
from fabric.measuring.comparison import Judged, bands, figures
from fabric.measuring.machines import machine_of
from fabric.measuring.predicting import predict
from fabric.measuring.reading import SHIPPED, read_rows

HEAD = "system,gpus,nodes,collective,size_bytes,time_us,notes\n"


def machine(line):
    return machine_of(read_rows(HEAD + line)[0][0])


def test_a_band_starts_at_16_mib():
    assert [Judged("a", "all-reduce", size, 0.0).band for size in (2**24 - 1, 2**24)] == ["small", "large"]


def test_figures_of_rows_and_of_systems():
    judged = [Judged("a", "x", 2**24, e) for e in (0.1, -0.2, 0.3)] + [Judged("b", "x", 2**24, -1.0)]
    told = bands(judged)
    assert told["by_band"]["large"] == figures([0.1, -0.2, 0.3, -1.0])
    assert told["by_band"]["large"]["median_abs_error"] == pytest.approx(0.25)
    assert told["over_systems"]["large"]["rows"] == 2
    assert told["over_systems"]["large"]["median_abs_error"] == pytest.approx((0.2 + 1.0) / 2)
    assert told["by_band"]["small"] == figures([])


def test_every_shipped_row_is_accounted_for(shipped_comparison):
    found = shipped_comparison
    with SHIPPED.open() as file:
        numbers = set(range(1, sum(1 for _ in csv.reader(file))))
    accounted = [r.row for r in found.rows] + [r.row for r in found.unmatched] + [r.row for r in found.skipped]
    assert sorted(accounted) == sorted(numbers)
    summary = found.summary
    assert summary["rows"] == len(numbers) and summary["matched"] == len(found.rows)
    assert sum(told["large"]["rows"] + told["small"]["rows"] for told in summary["by_system"].values()) == len(numbers)
    for row in found.rows:
        assert row.error == pytest.approx(row.predicted_us / row.measured_us - 1)
    assert {r.reason for r in found.unmatched} == {
        "no word of 'Huawei Ascend 8 NPU (product not stated, doc example)' names an accelerator that is known"
    }


def test_a_row_without_a_machine_is_an_error_of_a_hundred_per_cent(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(HEAD + "abacus,8,1,all_reduce,1024,5,\nTrainium2,16,1,all_reduce,1024,5,\n")
    found = compare_measured(file)
    assert [(r.row, len(r.reason) > 0) for r in found.unmatched] == [(1, True)]
    assert found.summary["by_system"]["abacus"]["small"]["median_abs_error"] == 1
    assert found.summary["by_system"]["abacus"]["small"]["median_error"] == -1
    document = found.document()
    assert list(document)[:3] == ["rows", "unmatched", "summary"]
    assert set(document["summary"]) == {"rows", "matched", "by_band", "over_systems", "by_system", "by_collective"}
    assert set(document["rows"][0]) == {
        "row", "system", "spec", "collective", "size_bytes", "measured_us", "predicted_us", "low_us", "high_us",
        "error",
    }  # fmt: skip


def test_rows_of_one_machine_keep_what_their_own_words_assume(tmp_path):
    file = tmp_path / "rows.csv"
    lines = ("DGX H100 8x400G IB,16,2,all_reduce,1024,5,", "DGX H100,16,2,all_reduce,1024,5,")
    file.write_text(HEAD + "\n".join(lines))
    first, second = compare_measured(file).machines
    assert first.spec == second.spec and "as usual" not in first.said[0] and "as usual" in second.said[0]


def test_predictions_of_many_sizes_are_those_of_one():
    found = machine("Trainium2,16,1,all_reduce,1024,5,")
    sizes = [1 << 10, 1 << 20, 1 << 30]
    together = [p.time_us for p in predict(found, "all-to-all", sizes)]
    assert together == [predict(found, "all-to-all", [size])[0].time_us for size in sizes]
    assert np.all(np.diff(together) > 0)


def test_line_rate_by_hand():
    gigabyte = 10**9
    assert line_rate(machine("H100,8,1,all_gather,8,1,"), "all-gather", gigabyte) == pytest.approx(875e3 / 450)
    two = machine("H100 8x400G,16,2,all_reduce,8,1,")  # a node's 400 GB/s of adapters are less than the 450 of a GPU
    assert line_rate(two, "all-reduce", gigabyte) == pytest.approx(1.875e6 / 400)
    assert line_rate(two, "all-to-all", gigabyte) == pytest.approx(8 * 0.5e6 / 400)


def test_constants_of_nccl_by_hand():
    eight = machine("A100,8,1,all_gather,8,1,")
    large, small = 1 << 30, 1 << 10
    # Ring, Simple: 8.4 + 7 x 3.4 us and 12 links of 20 GB/s
    assert nccl_tuning(eight, "all-gather", large) == pytest.approx(32.2 + large * 0.875 / 240e3)
    # Ring, LL: 6.6 + 7 x 0.6 us and at most 87.7 GB/s
    assert nccl_tuning(eight, "all-gather", small) == pytest.approx(10.8 + small * 0.875 / 87.7e3)
    assert nccl_tuning(machine("TPU v4,64,,all_gather,8,1,"), "all-gather", small) is None


def test_nvls_only_where_it_is_on():
    on, off = machine("H100,8,1,all_reduce,8,1,"), machine("H100,8,1,all_reduce,8,1,NVLS off")
    size = 1 << 30
    assert nccl_tuning(on, "all-reduce", size) < nccl_tuning(off, "all-reduce", size)
    assert nccl_tuning(on, "all-gather", size) == nccl_tuning(off, "all-gather", size)


def test_simai_takes_its_table_at_a_size_and_its_last_row_as_one():
    eight = machine("H100,8,1,all_gather,8,1,")
    last = 1 << 34
    assert simai(eight, "all-gather", last) == pytest.approx(last * 0.875 / (18 * 20.6e3))
    assert simai(eight, "all-gather", 1 << 24) == pytest.approx((1 << 24) * 0.875 / (18 * 20.6e3 * 0.45 / 0.81))


@pytest.mark.parametrize("name", BASELINES)
def test_more_bytes_take_no_less_time(name):
    for where in ("H100,8,1", "A100 HDR 8x200G,32,4", "L40S,4,1", "GB200 NVL72 2 racks,144,36"):
        found = machine(f"{where},all_reduce,8,1,")
        for pattern in ("all-reduce", "all-gather", "all-to-all", "broadcast", "send-recv"):
            times = [BASELINES[name](found, pattern, 1 << k) for k in range(25, 35)]
            assert all(a < b for a, b in pairwise(times))


def test_picture_has_a_point_for_every_row(shipped_comparison):
    from xml.etree import ElementTree

    from fabric.drawing.scatter import draw_scatter

    rows = shipped_comparison.rows
    tree = ElementTree.parse(io.StringIO(draw_scatter(rows)))
    titles = [node for node in tree.iter() if node.tag.endswith("circle") and len(node)]
    assert len(titles) == len(rows)
    assert ElementTree.fromstring(draw_scatter([])).tag.endswith("svg")
