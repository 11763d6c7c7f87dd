"""Applying a plan to switches in memory: order, stop and undo at the first mismatch, resume, refusal of stale plans."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabric.planning.apply import DeviceError, apply_plan, stages_in_force
from topologies.errors import ConfigError


class Bench:
    """A switch in memory with an operator who meddles: `before[n]` runs before edit or read number n."""

    def __init__(self, pairs, any_to_any=False):
        self.up = set(pairs)
        self.any_to_any = any_to_any
        self.log = []
        self.before = {}

    def _step(self, what):
        self.log.append(what)
        meddle = self.before.pop(len(self.log), None)
        if meddle:
            meddle(self)

    def read(self):
        self._step("read")
        return sorted(self.up)

    def delete(self, pairs):
        self._step("delete")
        if not set(pairs) <= self.up:
            raise DeviceError("refused: data-missing")
        self.up -= set(pairs)

    def add(self, pairs):
        self._step("add")
        if {a for a, _ in pairs} & {a for a, _ in self.up}:
            raise DeviceError("refused: data-exists")
        self.up |= set(pairs)


def bench(state):
    return {name: Bench(pairs) for name, pairs in state.items()}


def state_of(devices):
    return {name: set(device.up) for name, device in devices.items()}


def wanted(state):
    return {name: set(pairs) for name, pairs in state.items()}


def test_one_stage_by_default_then_the_rest_then_nothing(hand):
    devices = bench(hand.states[0])
    assert apply_plan(hand.plan, devices).stages == 1
    assert state_of(devices) == wanted(hand.states[1])
    assert apply_plan(hand.plan, devices, stages=None).stages == 2
    assert state_of(devices) == wanted(hand.states[2])
    assert apply_plan(hand.plan, devices, stages=None).stages == 2
    assert devices["ocs-1"].log.count("delete") == devices["ocs-1"].log.count("add") == 1


def test_deletes_before_adds_between_two_reads(hand):
    devices = bench(hand.states[0])
    apply_plan(hand.plan, devices)
    assert devices["ocs-0"].log == ["read", "read", "delete", "add", "read"]
    assert devices["ocs-1"].log == ["read"]


def test_a_stale_plan_sends_nothing(hand):
    devices = bench({**hand.states[0], "ocs-1": [(5, 5)]})
    with pytest.raises(ConfigError, match="ocs-1 has cross-connects that no step"):
        apply_plan(hand.plan, devices)
    devices = bench({"ocs-0": hand.states[0]["ocs-0"], "ocs-1": hand.states[2]["ocs-1"]})
    with pytest.raises(ConfigError, match="stands after stage 2, others do not"):
        apply_plan(hand.plan, devices)
    assert {what for device in devices.values() for what in device.log} == {"read"}


def test_a_device_that_does_not_answer_at_the_start(hand):
    devices = bench(hand.states[0])

    def silent(device):
        raise DeviceError("no answer: TimeoutExpiredError")

    devices["ocs-0"].before[1] = silent
    with pytest.raises(ConfigError, match="ocs-0: no answer"):
        stages_in_force(hand.plan, devices)


FOREIGN = {"in the way": (9, 0), "beside": (12, 12)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(FOREIGN)), st.sampled_from(["ocs-0", "ocs-1"]), st.integers(2, 9))
def test_meddling_stops_the_stage_and_leaves_what_is_foreign(hand, where, switch, moment):
    """Whenever somebody adds a cross-connect, we end between stages, or say that we do not; theirs stays."""
    devices = bench(hand.states[0])
    devices[switch].before[moment] = lambda device: device.up.add(FOREIGN[where])
    done = apply_plan(hand.plan, devices, stages=None)
    ours = {name: up - {FOREIGN[where]} for name, up in state_of(devices).items()}
    meddled = FOREIGN[where] in devices[switch].up
    assert meddled == (not devices[switch].before)
    assert ours == wanted(hand.states[done.stages]) and done.undone
    assert (done.failed is None) == (done.stages == 2)


def test_an_interrupt_undoes_the_stage(hand):
    devices = bench(hand.states[1])

    def interrupt(device):
        raise KeyboardInterrupt

    devices["ocs-1"].before[4] = interrupt  # before its adds
    with pytest.raises(KeyboardInterrupt):
        apply_plan(hand.plan, devices)
    assert state_of(devices) == wanted(hand.states[1])


def test_a_device_that_goes_silent_is_not_said_to_be_undone(hand):
    devices = bench(hand.states[0])

    def silent(device):
        device.before[len(device.log) + 1] = silent
        raise DeviceError("no answer")

    devices["ocs-0"].before[4] = silent
    told = []
    done = apply_plan(hand.plan, devices, say=told.append)
    assert (done.stages, done.failed, done.undone) == (0, 1, False)
    assert told == ["stage 1: ocs-0: not undone: no answer"]


def test_any_two_ports_in_either_order(hand):
    states = [{"ocs-0": [(1, 4)]}, {"ocs-0": [(2, 4)]}]
    plan = hand.plan_of(states, any_to_any=True)
    devices = {"ocs-0": Bench([(4, 1)], any_to_any=True)}
    devices["ocs-0"].delete = lambda pairs: devices["ocs-0"].up.clear()
    assert apply_plan(plan, devices).stages == 1 and devices["ocs-0"].up == {(2, 4)}
