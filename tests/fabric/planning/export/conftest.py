"""Plans made by hand from lists of states, and the names of their ports."""

from itertools import pairwise
from types import SimpleNamespace

import pytest

from fabric.planning.export import kind
from fabric.planning.export.names import all_names
from fabric.planning.fingerprints import fingerprint
from fabric.planning.plan import Change, Links, Plan, Stage, Switch
from topologies.parts import catalogue

collect_ignore = ["ssh_front.py"]  # runs in a process of its own
PORTS = 16


def plan_of(states, *, wiring="bidi", any_to_any=False, part="unknown"):
    """A plan through lists of states, each {switch: pairs}: a stage from each to the next."""
    prints = [{name: fingerprint(pairs, any_to_any) for name, pairs in state.items()} for state in states]
    stages = [
        Stage(
            id=number,
            reason=f"step {number}",
            drain=[Links("block-0", "block-1", 1)],
            changes=[
                Change(name, sorted(set(old[name]) - set(new[name])), sorted(set(new[name]) - set(old[name])),
                       prints[number - 1][name], prints[number][name])
                for name in old if set(old[name]) != set(new[name])
            ],
            undrain=[Links("block-0", "block-2", 1)],
            throughput=0.92,
            certificate={},
            seconds={"drain": 60.0, "switch": 0.2},
        )
        for number, (old, new) in enumerate(pairwise(states), 1)
    ]  # fmt: skip
    return Plan(
        wiring=wiring,
        after=prints[-1],
        target=[Links("block-0", "block-1", 2), Links("block-0", "block-2", len(states))],
        blocks=["block-0", "block-1", "block-2"],
        switches=[Switch(name, part) for name in states[0]],
        base=prints[0],
        floor={
            "throughput": 0.9,
            "share": 0.9,
            "before": [1.0, 1.0],
            "after": [1.0, 1.0],
            "of": "throughput before",
            "demand": "the smaller of present and target links between two blocks",
            "routing": "any path",
        },
        summary={
            "down": 3,
            "up": 3,
            "kept": 3,
            "lower_bound_down": 3,
            "stages": len(stages),
            "stage_lower_bound": 1,
            "minutes": 1.0,
            "throughput_before": 1.0,
            "throughput_during_min": 0.9,
            "throughput_after": 1.0,
        },
        stages=stages,
    )


def names_for(plan, kinds, any_to_any=False):
    """Names of all switches, 16 ports a side."""
    chosen = {"": kind(kinds)} if isinstance(kinds, str) else {name: kind(of) for name, of in kinds.items()}
    return all_names(plan.switches, chosen, catalogue(), {"all": {"ports_per_side": PORTS, "any_to_any": any_to_any}})


STATES = [
    {"ocs-0": [(0, 0), (1, 1), (2, 2)], "ocs-1": [(3, 4), (4, 3), (8, 8)]},
    {"ocs-0": [(0, 1), (1, 0), (2, 2)], "ocs-1": [(3, 4), (4, 3), (8, 8)]},
    {"ocs-0": [(0, 1), (1, 0)], "ocs-1": [(3, 3), (4, 4), (8, 8), (9, 15)]},
]


@pytest.fixture
def hand():
    """What makes plans, and the one that the goldens show: two switches, two stages."""
    return SimpleNamespace(plan_of=plan_of, names_for=names_for, states=STATES, plan=plan_of(STATES))


@pytest.fixture(scope="module")
def fabric_names():
    """Names of that plan's switches as Polatis devices."""
    return names_for(plan_of(STATES), "polatis-netconf")
