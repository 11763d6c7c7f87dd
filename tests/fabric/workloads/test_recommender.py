"""Recommenders: parameters and exchanges by hand."""

import pytest

from fabric.workloads.recommender import lookup_share, recommender
from fabric.workloads.recommending import Work, on_each, shown, touched_rows, train_recommender, worked
from fabric.workloads.steps.achieved import achieved
from fabric.workloads.steps.wiring import Wiring
from topologies.errors import ConfigError
from topologies.kinds import Accelerator
from topologies.parts import part
from topologies.registry import build


def test_exchanges_by_hand() -> None:
    found = recommender("DLRM-DCNv2").mix(8, value_bytes=2)
    rows, dense = found
    assert rows.size_bytes == 65536 * 26 * 128 * 2 / 8
    assert rows.sent_bytes == 2 * 7 / 8 * rows.size_bytes
    layers = 13 * 512 + 512 + 512 * 256 + 256 + 256 * 128 + 128 + 3 * (2 * 3456 * 512 + 3456)
    layers += 3456 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 256 + 256 + 256 + 1
    assert dense.size_bytes == 4 * layers


def test_an_exchange_is_priced_like_any_other() -> None:
    rows = recommender("dlrm-dcnv2").mix(8)[0]
    found = Wiring(build("switch:n=8,rate_gbps=400"), transport="ideal").wired(rows)
    assert found.one_s == pytest.approx(7 / 8 * rows.size_bytes / 50e9, rel=0.01)


def test_a_step_by_hand() -> None:
    """65,536 samples on 8 H100. Networks: 16.0 M weights, 2 operations each, three passes. Rows: 214 lookups a sample
    of 512 bytes, those of small tables often the same; read once, updated by two more passes over memory."""
    dlrm, h100, a = recommender("dlrm"), part("h100-sxm", Accelerator), achieved()
    work = worked(dlrm, 8, "bf16", h100, a)
    weights = 512 * 3456 * 2 * 3 + 3456 * 1024 + 1024 * 1024 + 1024 * 512 + 512 * 256 + 256
    rate = 989e12 * a.gemm_16 * a.sustained(h100)
    assert work.top_s == pytest.approx(65536 / 8 * 2 * weights / rate)
    assert sum(dlrm.hotness) == 214
    read = touched_rows(dlrm) / 8 * 512
    assert 0.9e9 < read * 8 / 0.7 < 10.3e9  # 7.2 GB if no row came twice
    assert (work.lookup_s, work.update_s) == (pytest.approx(read / (3.35e12 * lookup_share())), 2 * work.lookup_s)


@pytest.mark.parametrize(
    ("rows", "gradients", "compute", "ep", "dp"),
    [(0.0, 0.0, 1 + 9 + 2, 0, 0), (1.0, 0.0, 12, 2, 0), (0.0, 5.0, 12, 0, 4), (1.0, 5.0, 12, 1, 4)],
)
def test_what_shows_by_hand(rows: float, gradients: float, compute: float, ep: float, dp: float) -> None:
    """1 s of reading, 2 of updating, a bottom network of 0.5 s forward and 1 backward, a top one of 3 s forward: rows
    go out before the top network, back behind it beside what the bottom one has left."""
    work = Work(lookup_s=1.0, update_s=2.0, bottom_s=0.5, top_s=3.0)
    assert shown(work, rows, gradients) == (compute, {"ep": ep, "dp": dp})


def test_a_step_adds_up_and_more_ranks_take_less() -> None:
    steps, lost = on_each(["hgx-h100", "dgx-h100-superpod-256:servers=8", "ring:n=8"], "dlrm", batch=131072)
    assert [s.accelerators for s in steps] == [64, 8]
    assert lost[0][0] == "ring:n=8"
    for step in steps:
        assert step.step_s == pytest.approx(step.compute_s + sum(step.exposed_s.values()))
        assert step.samples_per_s == pytest.approx(131072 / step.step_s)
        assert step.samples_per_joule is not None
        assert step.facility_power_w is not None
        assert step.samples_per_joule == pytest.approx(step.samples_per_s / step.facility_power_w)
    assert steps[1].memory_bytes == pytest.approx(204_184_588 * 129 * 4 / 8, rel=0.03)
    with pytest.raises(ConfigError, match="accelerator=h100-sxm"):
        train_recommender("ring:n=8", "dlrm")


def test_what_does_not_fit() -> None:
    with pytest.raises(ConfigError, match="does not split over 7"):
        recommender("dlrm-dcnv2").mix(7)
    with pytest.raises(ConfigError, match="no recommender is named"):
        recommender("wide-and-deep")
