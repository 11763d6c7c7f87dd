"""Stages: as few as the linear program proves possible, and throughput held to a second solver."""

import numpy as np
import pytest

from fabric.planning.planner import Options, plan_change
from fabric.planning.ports import ports_of_wiring
from fabric.planning.simplex import carried
from fabric.planning.stages import Rules
from fabric.planning.throughput import Carrier
from topologies.errors import InfeasibleError
from topologies.parts import catalogue


def planned(case, **options):
    wiring, before, after = case
    ports = ports_of_wiring(wiring, before)
    return plan_change(ports, wiring.links(after), None, Options(**options), catalogue())


@pytest.mark.parametrize("floor", [0.9, 0.8])
@pytest.mark.parametrize("change", ["expand", 0.2])
@pytest.mark.parametrize("shape", [(8, 4, 4), (12, 8, 4)], ids=str)
def test_as_few_stages_as_proven(mesh, shape, change, floor):
    summary = planned(mesh(*shape, change), floor=floor, effort="low").summary
    assert summary["stages"] == summary["stage_lower_bound"]
    assert summary["throughput_during_min"] >= floor * summary["throughput_before"] - 2e-6


def test_twelve_blocks_grow_at_95_percent(mesh):
    summary = planned(mesh(12, 16, 4, "expand", 21), floor=0.95, effort="low").summary
    assert summary["stages"] == summary["stage_lower_bound"]


@pytest.mark.parametrize("seed", range(4))
def test_feasible_values_are_feasible(seed):
    draws = np.random.default_rng(seed)
    links = draws.integers(0, 6, (7, 7)).astype(float)
    np.fill_diagonal(links, 0)
    demand = links * draws.random((7, 7))
    best, carrier = carried(links, demand)[0], Carrier(demand)
    low, high = carrier.bounds(links)
    assert low <= best * (1 + 1e-7) and high >= best * (1 - 1e-7) and high - low < 1e-5 * best
    assert carrier.carries(links, best * 0.999) and not carrier.carries(links, best * 1.001)
    carrier.bounds(links, 0.01)  # leaves a split to start from
    for share in np.linspace(0.5, 1.1, 13) * best:
        assert not carrier._fills(links, share) or share <= best * (1 + 1e-6)
        fewer = np.maximum(links - draws.integers(0, 2, (7, 7)), 0)
        assert not carrier._fills(fewer, share) or share <= carried(fewer, demand)[0] * (1 + 1e-6)


def test_rules_of_stages(mesh):
    case = mesh(8, 4, 4, 0.2)
    domains = {f"ocs-{k}": k for k in range(4)}
    one = planned(case, rules=Rules(one_domain=True), effort="low")
    assert all(len({domains[c.switch] for c in stage.changes}) == 1 for stage in one.stages)
    two = planned(case, rules=Rules(most_switches=2), effort="low")
    assert max(len(stage.changes) for stage in two.stages) == 2
    spare = planned(mesh(8, 4, 4, "expand"), rules=Rules(adds_first=True), effort="low")
    assert not any(change.delete for change in spare.stages[0].changes)
    lost = planned(case, rules=Rules(one_more_lost=True), effort="low")
    assert lost.floor["share"] <= 0.75 and lost.warnings  # one of four switches is gone
    failing = planned(case, rules=Rules(failing=0.02), effort="low")
    assert "repair" in failing.stages[0].seconds and "expected to fail" in failing.stages[0].postchecks[-1]


def test_a_floor_of_capacity(mesh):
    found = planned(mesh(8, 4, 4, 0.2), rules=Rules(by_capacity=True), floor=0.8, effort="low")
    ports_before = 2 * 4 * 4
    for stage in found.stages:
        lost = np.zeros(8, int)
        for links in stage.drain:
            for end in (links.a, links.b):
                lost[int(end[6:])] += links.number
        assert (ports_before - lost >= 0.8 * ports_before - 1e-9).all()


def test_a_floor_that_cannot_be_kept(mesh):
    case = mesh(8, 4, 4, 0.2)
    with pytest.raises(InfeasibleError, match="no stages keep 100% of the throughput"):
        planned(case, floor=1.0, effort="low")
    assert planned(case, effort="low").floor["share"] <= 0.9


def test_pinned_blocks_keep_their_circuits(mesh):
    wiring, before, _ = mesh(8, 4, 4, 0.2)
    ports = ports_of_wiring(wiring, before)
    wanted = wiring.links(before)
    for a, b, sign in ((4, 5, -1), (6, 7, -1), (4, 6, 1), (5, 7, 1)):
        wanted[a, b] += sign
        wanted[b, a] += sign
    found = plan_change(ports, wanted, None, Options(pinned=["block-0", "block-1"], effort="low"), catalogue())
    touched = {end for stage in found.stages for links in stage.drain for end in (links.a, links.b)}
    assert touched and not touched & {"block-0", "block-1"}


def test_nothing_to_change(mesh):
    wiring, before, _ = mesh(8, 4, 4, 0.2)
    found = plan_change(ports_of_wiring(wiring, before), wiring.links(before), None, Options(), catalogue())
    assert found.stages == [] and found.base == found.after and found.summary["down"] == 0
