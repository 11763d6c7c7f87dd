"""The least that a schedule comes to is never above what routing makes of it, and auto loses nothing by it."""

import pytest

from fabric import timing
from fabric.algorithms.floors import floor
from fabric.collectives import collective
from fabric.timing import Assumptions, candidates, choose
from fabric.work import least_work, work_of
from topologies.registry import build

CASES = (
    ("dgx-h100-superpod-256:servers=8", "all-reduce"),
    ("dgx-h100-superpod-256:servers=8", "all-to-all"),
    ("rail:servers=16,gpus=4,switch=sn5600,oversubscription=3", "all-to-all"),
    ("nvl72", "all-gather"),
    ("aws-p5", "reduce-scatter"),
)
BEST = Assumptions(tune="best")


@pytest.mark.parametrize(("spec", "name"), CASES)
def test_no_work_is_below_the_least_at_any_cost(spec, name):
    fabric = build(spec)
    pattern = collective(name, len(fabric.accelerators))
    for plan in candidates(fabric, pattern, BEST):
        least = least_work(fabric, pattern, plan.schedule, floor(fabric, plan.schedule))
        done = work_of(fabric, pattern, plan.schedule, plan.loads)
        for key in ("inside_s", "rank_s", "outside_s", "rounds_inside", "rounds_outside", "messages"):
            assert getattr(least, key) <= getattr(done, key) * (1 + 1e-9), (plan.schedule.algorithm, key)
        for size in (1.0, 2.0**20, 2.0**33):
            least_s = timing._least_s(fabric, pattern, plan.schedule, plan.pricing, size)
            assert least_s <= plan.time_s(size) * (1 + 1e-9), plan.schedule.algorithm


@pytest.mark.parametrize(("spec", "name"), CASES)
@pytest.mark.parametrize("given", [Assumptions(), BEST], ids=["library", "best"])
def test_auto_is_the_first_of_the_fastest_of_all(spec, name, given):
    fabric = build(spec)
    pattern = collective(name, len(fabric.accelerators))
    every = candidates(fabric, pattern, given)
    for size in (1024, 2**20, 2**30):
        times = [plan.time_s(size) for plan in every]
        first = next(plan for plan, s in zip(every, times, strict=True) if s <= min(times) * (1 + timing.SAME))
        assert choose(fabric, pattern, size, given).schedule.algorithm == first.schedule.algorithm


def test_what_can_only_tie_with_an_earlier_one_is_not_routed(monkeypatch):
    asked, route = [], timing.routed
    monkeypatch.setattr(timing, "routed", lambda *a: asked.append(a[2].algorithm) or route(*a))
    fabric = build("dgx-h100-superpod-256")
    for size in (2**20, 2**30):
        choose(fabric, collective("all-reduce", 256), size, Assumptions())
    assert asked == ["tree", "ring"]  # NVLS inside domains saves nothing where adapters are full
