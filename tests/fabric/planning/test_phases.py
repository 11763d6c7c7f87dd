"""Phases: files read or refused in one line, times as simulate has them, moves counted, one sentence that is right."""

import json
from math import inf
from pathlib import Path

import numpy as np
import pytest

from fabric.planning.phase import Phase
from fabric.planning.phase_times import cost_s, fabrics, grouped, phase_s
from fabric.planning.phases import read_iteration
from fabric.planning.worth import DELAYS_S, worth
from fabric.simulation import simulate
from topologies.errors import ConfigError, InfeasibleError
from topologies.parts import catalogue
from topologies.registry import build

TOY = """
[switching]
delay_ms = 10
[[configuration]]
name = "halves"
[[configuration]]
name = "experts"
[[configuration]]
name = "gradients"
[[phase]]
name = "exchange"
size = "2500MB"
times_ms = {halves = 100, experts = 50, gradients = 500}
[[phase]]
name = "gradients"
size = "5GB"
idle_ms = 20
times_ms = {halves = 200, experts = 1000, gradients = 100}
"""
RINGS = """
[[configuration]]
name = "ring"
spec = "photonic-rail:servers=8,ports=4,forwarding=true"
[[configuration]]
name = "strides"
spec = "photonic-rail:servers=8,ports=4,forwarding=true,pattern=totient"
[[phase]]
name = "exchange"
collective = "all-to-all"
size = "64MiB"
[[phase]]
name = "gradients"
collective = "all-reduce"
size = "64MiB"
"""


@pytest.fixture
def step(tmp_path):
    """The iteration of a TOML text."""

    def read(text):
        path = tmp_path / "step.toml"
        path.write_text(text, encoding="utf-8")
        return read_iteration(path)

    return read


def test_a_step_worked_by_hand(step):
    found = worth(step(TOY), catalogue())
    # 50 + 100, the switch to the gradients hidden, the one back open: 160 ms against 300; 150 + d + max(0, d - 20)
    assert (found.walk.seconds, found.walk.switches, found.static_s) == pytest.approx((0.160, 2, 0.300))
    assert found.pays_below_s == pytest.approx(0.085)
    assert "pays at 10 ms a switch: 160 ms a step with 2 switches against 300 ms in 'halves'" in found.answer
    assert "up to 85 ms a switch" in found.answer and found.answer.endswith("down to 0.0667 times these sizes.")
    slow = worth(step(TOY), catalogue(), delay_s=1.0)
    assert not slow.pays and "does not pay at 1 s" in slow.answer and "below 85 ms a switch" in slow.answer
    # 150 x + 980 + 1000 = 300 x
    assert slow.answer.endswith("from 13.2 times these sizes on.")


def test_bytes_from_which_each_phase_is_worth_its_switch(step):
    first, second = worth(step(TOY), catalogue()).break_even
    assert [first["bytes"][name] for name in DELAYS_S] == pytest.approx(
        [0.5e6, 500e6, 1.25e9, 5e9, 10e9, 50e9, 3e12]
    )  # 25 GB/s against 50
    assert [second["bytes"][name] for name in DELAYS_S] == pytest.approx([0, 0, 0.25e9, 4e9, 9e9, 49e9, 2.999e12])
    assert (first["delay_ms"], second["delay_ms"]) == pytest.approx((50, 120))


def test_times_are_those_of_simulate(step):
    iteration = step(RINGS)
    own = fabrics(iteration, catalogue())
    times, reasons = cost_s(iteration, own)
    assert not reasons
    for p, phase in enumerate(iteration.phases):
        told = simulate(own[p], phase.collective, phase.size_bytes)
        assert times[p, p] * 1e6 == pytest.approx(told.time_us)


def test_groups_of_a_ring_of_tori():
    torus, size = build("torus:dims=4x4x4"), 2**28
    row = phase_s(Phase(name="rows", collective="all-reduce", size_bytes=size, group=4), torus)
    # rings of four, both ways round: 2 x 3/4 of the bytes over two directions of 50 GB/s
    assert row == pytest.approx(1.5 * size / 100e9, rel=1e-3)
    plane = phase_s(Phase(name="columns", collective="all-reduce", size_bytes=size, group=4, stride=16), torus)
    assert plane == pytest.approx(row, rel=1e-9)
    pairs = phase_s(Phase(name="next", collective="send-recv", size_bytes=size, group=4), torus)
    assert pairs == pytest.approx(size / 50e9, rel=1e-3)
    assert sorted(grouped(64, 4, 16).ravel().tolist()) == list(range(64))


@pytest.mark.parametrize("suffix", [".csv", ".npy"])
def test_a_matrix_of_bytes(step, tmp_path, suffix):
    matrix = np.zeros((8, 8))
    matrix[0, 1], matrix[3, 3] = 50e9, 7
    if suffix == ".npy":
        np.save(tmp_path / "sent.npy", matrix)
    else:
        np.savetxt(tmp_path / "sent.csv", matrix, delimiter=",")
    text = f"""
    [switching]
    delay_ms = 1
    [[configuration]]
    spec = "full-mesh:n=8"
    [[phase]]
    demand = "sent{suffix}"
    """
    iteration = step(text)
    times, _ = cost_s(iteration, fabrics(iteration, catalogue()))
    assert times[0, 0] == pytest.approx(1.0, rel=1e-5)


def test_moves_are_counted_where_the_ports_are_the_same(step):
    found = worth(step(RINGS), catalogue())
    # two rings a rail; one of them goes to the next server in both states
    assert found.delay["moves"] == 8 and found.delay["switch"] == "polatis-384"
    robot = worth(step(RINGS), catalogue(), ocs="telescent-g4")
    assert robot.delay["seconds"] == pytest.approx(8 * 120 + 0.026 + 0.0062 + 5.67 + 0.1)
    assert all(row["source"] for row in found.delay["steps"])


def test_devices_are_told_apart(step):
    rows = {row["switch"]: row for row in worth(step(TOY), catalogue()).devices}
    assert rows["polatis-384"]["optics"] == pytest.approx({"delay_ms": 25, "step_ms": 150 + 25 + 5, "switches": 2})
    assert rows["telescent-g4"]["optics"]["switches"] == 0 and "rotor-128" not in rows


def test_one_switch_for_the_whole_job(step):
    text = TOY.replace("halves = 100", "halves = 900")
    job = worth(step(text.replace("experts = 1000", "experts = 850")), catalogue()).job
    # 1,100 ms become 600, that of the gradients' configuration
    assert (job["to"], job["steps"]) == ("gradients", pytest.approx(0.01 / 0.5))
    assert worth(step(TOY), catalogue()).job is None


def test_where_no_configuration_serves_all(step):
    text = RINGS.replace("forwarding=true,", "").replace(",forwarding=true", "")
    with pytest.raises(InfeasibleError, match=r"phase 'exchange': ring does not serve exchange: "):
        worth(step(text), catalogue())


def test_phases_that_only_a_switch_can_serve(step, tmp_path):
    """Rings to the next server and to the third next, as states of one fabric: 8 circuits a rail move."""
    spec = "photonic-rail:servers=8"
    state = build(spec).circuits.state.copy()
    for device in np.unique(state[:, 0]):
        own = state[:, 0] == device
        state[own, 2] = np.roll(state[own, 2], -2)
    np.save(tmp_path / "third.npy", state)
    for name, target in (("one", 8), ("three", 24)):  # accelerator 0 of the servers 1 and 3
        sent = np.zeros((64, 64))
        sent[0, target] = 1e9
        np.save(tmp_path / f"{name}.npy", sent)
    text = f"""
    [[configuration]]
    name = "next"
    spec = "{spec}"
    [[configuration]]
    name = "third"
    spec = "{spec}"
    state = "third.npy"
    [[phase]]
    demand = "one.npy"
    [[phase]]
    demand = "three.npy"
    """
    found = worth(step(text), catalogue())
    assert (found.static, found.walk.configurations, found.delay["moves"]) == (None, (0, 1), 8)
    assert found.answer.startswith("No one configuration serves every phase: the step switches 2 times")
    assert found.document()["phases"][0]["times_ms"]["third"] is None and found.pays_below_s == inf
    assert sum("does not serve" in note for note in found.notes) == 2


def test_the_document_is_whole(step):
    document = worth(step(TOY), catalogue()).document()
    again = json.loads(json.dumps(document, allow_nan=False))
    assert [s["switches"] for s in again["stretches"]] == [2, 0] and again["stretches"][-1]["to_ms"] is None
    assert again["phases"][0]["times_ms"] == {"halves": 100, "experts": 50, "gradients": 500}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no \\[\\[phase\\]\\] table"),
        ("x = 1", "no key is named 'x'"),
        ("a = [", "not a TOML file of phases"),
        (TOY.replace('name = "experts"', 'name = "halves"'), "named 'halves'"),
        (TOY.replace("experts = 50", "exprets = 50"), "did you mean 'experts'"),
        (TOY.replace("experts = 50, ", ""), "has no spec and phase 'exchange' no times_ms"),
        (TOY.replace("idle_ms = 20", "idle_ms = -1"), "number of milliseconds"),
        (TOY.replace("idle_ms = 20", "idle_ms = nan"), "number of milliseconds"),
        (TOY.replace("halves = 100", "halves = 1e308"), "number of milliseconds"),
        (TOY.replace("idle_ms = 20", "group = 4"), "group goes with"),
        (TOY.replace("idle_ms = 20", "stride = 4"), "give group as well"),
        (TOY.replace("delay_ms = 10", 'delay_ms = 10\nocs = "palomar-136"'), "give one of them"),
        (TOY.replace("delay_ms = 10", 'steps = ["lock"]'), "no step is named 'lock'"),
        (TOY.replace("delay_ms = 10", 'ocs = "polatis"'), "no ocs is named 'polatis'"),
        (TOY.replace("delay_ms = 10", "planes = 0"), "whole number from 1"),
        (TOY.replace("delay_ms = 10", ""), "nothing says how long a switch takes"),
        (RINGS.replace('size = "64MiB"', ""), "has no size"),
        (RINGS.replace("all-reduce", "all-reduced"), "did you mean 'all-reduce'"),
        (RINGS.replace("servers=8,ports=4,forwarding=true,p", "servers=16,ports=4,forwarding=true,p"), "as many acc"),
        (RINGS.replace('size = "64MiB"', 'size = "64MiB"\ngroup = 7', 1), "7 that are 1 apart"),
        (RINGS.replace('name = "ring"', 'name = "ring"\nstate = "no.npy"'), "no.npy: No such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(step, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        worth(step(text), catalogue())
    assert "\n" not in str(caught.value)


def test_the_example_answers():
    example = Path(__file__).parents[3] / "examples" / "planning" / "phases.toml"
    found = worth(read_iteration(example), catalogue())
    assert found.delay["seconds"] == pytest.approx(0.0622) and "a switch" in found.answer
