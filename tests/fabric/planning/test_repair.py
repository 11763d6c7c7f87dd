"""Repair: leaving it comes first and costs nothing; every other option is a legal state that is worth its circuits."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.planning.check import check
from fabric.planning.files import document_of
from fabric.planning.planner import Options
from fabric.planning.pods import read_pod
from fabric.planning.ports import ports_of_layer
from fabric.planning.repair import Faults, dead_ports, read_faults, repair, repair_pod
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError
from topologies.graph import Topology

Built = Callable[[str], Topology]
LOW = Options(effort="low")


def _layer(built: Built, spec: str) -> CircuitLayer:
    layer = built(spec).circuits
    assert layer is not None
    return layer


def test_faults_are_read_in_any_mixture() -> None:
    read = read_faults("ocs=3, port=5:A17,link=ocs-4:A17-B40,cube=cube-9,ocs=3")
    assert read == Faults((3,), ((5, 0, 17),), ((4, 17, 40),), (9,))


@pytest.mark.parametrize(
    "text", ["", "ocs", "ocs=", "ocs=x", "ocs=-1", "switch=3", "port=3", "port=3:C4", "link=3:4", "x=1"]
)
def test_what_is_no_fault_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_faults(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ocs=9", "there is no ocs-9"),
        ("port=0:A130", "no fibre leads to port A130"),
        ("link=0:0-0", "has no cross-connect 0-0"),
        ("cube=1", "TPU pod"),
    ],
)
def test_faults_of_what_is_not_there_are_refused(built: Built, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        repair(_layer(built, "jupiter:blocks=8,uplinks=28,devices=7"), read_faults(text))


def test_a_lost_switch_costs_its_share_of_the_links(built: Built) -> None:
    """Seven switches of two shifts each carry two links a pair but for the farthest: without one, six of seven parts
    of every block's ports are left, and no routing carries more."""
    layer = _layer(built, "jupiter:blocks=8,uplinks=28,devices=7")
    options = repair(layer, read_faults("ocs=2"), options=LOW)
    assert options[0].title == "leave it"
    assert (options[0].down, options[0].up, options[0].minutes) == (0, 0, 0)
    assert 0.5 < (options[0].throughput or 0) <= 6 / 7 + 1e-9
    for option in options[1:]:
        assert (option.throughput or 0) <= 6 / 7 + 1e-9


def test_levelling_pays_where_one_pair_lost_all(built: Built) -> None:
    """A fault that takes all direct links of two blocks which want each other most."""
    layer = _layer(built, "jupiter:blocks=6,uplinks=20,devices=5")
    ports = ports_of_layer(layer)
    demand = ports.links(ports.counts()) * 400.0
    names = list(ports.wiring.blocks)
    ends = layer.end_pairs()
    hit = np.isin(ends, (0, 1)).all(axis=1)
    faults = Faults(ports=tuple((int(k), 0, int(a)) for k, a, _ in layer.state[hit].tolist()))
    options = repair(layer, faults, options=Options(effort="low", demand=demand))
    assert names[:2] == ["block-0", "block-1"]
    best = max(options[1:], key=lambda option: option.throughput or 0)
    assert (best.throughput or 0) >= (options[0].throughput or 0)
    assert [option.throughput for option in options[1:]] == sorted(
        (option.throughput for option in options[1:]), reverse=True, key=lambda value: value or 0
    )


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_options_are_legal_states_that_keep_off_what_is_dead(built: Built, data: st.DataObject) -> None:
    layer = _layer(built, "jupiter:blocks=6,uplinks=20,devices=5")
    rows = data.draw(st.lists(st.sampled_from(layer.state.tolist()), min_size=1, max_size=4, unique_by=tuple))
    faults = Faults(
        switches=tuple(data.draw(st.sets(st.integers(0, 4), max_size=1))),
        ports=tuple((k, side, port) for k, *both in rows[:2] for side, port in [(0, both[0])]),
        links=tuple(tuple(row) for row in rows[2:]),
    )
    dead = {tuple(row) for row in dead_ports(layer, faults).tolist()}
    broken = layer.with_failed(np.array(sorted(dead), np.int32))
    options = repair(layer, faults, options=LOW)
    assert options[0].title == "leave it"
    for option in options:
        assert 0 <= (option.throughput or 0) <= 1 + 1e-6
        if option.layer is not None:  # its constructor refuses dead, double and dark ports
            used = {(k, side, port) for k, *both in option.layer.state.tolist() for side, port in enumerate(both)}
            assert not used & dead
            assert option.up == len(option.layer.state) - len(broken.state)
        if option.plan is not None:
            assert check(document_of(option.plan), ports_of_layer(broken)) is None
            assert option.throughput > options[0].throughput  # type: ignore[operator]
            used = {(int(c.switch[4:]), side, port) for stage in option.plan.stages for c in stage.changes
                    for pair in c.add for side, port in enumerate(pair)}  # fmt: skip
            assert not used & dead


def test_a_dead_port_moves_its_fibre_to_a_free_port_and_brings_all_links_back(built: Built) -> None:
    layer = _layer(built, "jupiter:blocks=8,uplinks=28,devices=7")
    options = repair(layer, read_faults("port=0:A3"), options=LOW)
    assert options[1].title == "move 1 fibre to free ports of the same switch"
    assert (options[1].up, options[1].fibres, options[1].minutes) == (1, 1, None)
    assert options[1].throughput == pytest.approx(1)
    full = _layer(built, "jupiter:blocks=34,uplinks=34,devices=5,ocs=palomar-136")  # 4 shifts x 34 = all 136 ports
    assert not any(option.fibres for option in repair(full, read_faults("port=0:A3"), options=LOW))


@pytest.mark.parametrize(("spec", "circuits", "chips"), [("8x8x8", 96, 512), ("4x4x8", 64, 128)])
def test_a_lost_cube_is_swapped_for_a_spare_one(spec: str, circuits: int, chips: int) -> None:
    pod = read_pod(f"tpu-pod:slice={spec}")
    options = repair_pod(pod, read_faults("cube=1"))
    assert (options[0].title, options[0].chips) == ("leave it", 0)
    assert len(options) > 2
    for option in options[1:]:
        assert (option.down, option.up, option.chips) == (circuits, circuits, chips)
        assert option.plan is not None
        assert option.plan.summary["down"] == circuits
        assert option.minutes == option.plan.summary["minutes"] > 0


def test_chips_of_slices_that_a_fault_does_not_touch_stay_in_use() -> None:
    pod = read_pod("tpu-pod:slice=8x8x8+tpu-pod:slice=4x4x8")
    assert [repair_pod(pod, read_faults(text))[0].chips for text in ("cube=0", "cube=9", "cube=40", "ocs=0")] == [
        128, 512, 640, 0,
    ]  # fmt: skip
    whole = read_pod("tpu-pod:slice=16x16x16")
    assert [option.title for option in repair_pod(whole, read_faults("cube=5"))] == ["leave it"]
    moved = repair_pod(pod, read_faults("port=0:A9"))[1]
    assert (moved.fibres, moved.up, moved.chips) == (1, 1, 640)
    with pytest.raises(ConfigError, match="no cube 64"):
        repair_pod(pod, read_faults("cube=64"))
