"""Phases of a training step: their order, their windows, and that they cost what `simulate` says."""

import numpy as np
import pytest

import fabric
from fabric.planning.phase import Phase
from fabric.planning.phase_times import cost_s, fabrics, phase_s
from fabric.planning.phases import read_iteration
from fabric.planning.schedule import closed_walk
from fabric.planning.worth import worth
from topologies.errors import ConfigError
from topologies.parts import catalogue
from topologies.registry import build

MS = 10**6  # nanoseconds
HEAD = "HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: {} ep: {} pp: 1 vpp: 1 ga: 1 all_gpus: {}\n{}\n{}\n"
REDUCE, EXPERTS = "ALLREDUCE\t67108864", "ALLTOALL_EP\t67108864"
NUMBERS = {"tp": 4, "dp": 4}


@pytest.fixture
def step(tmp_path):
    """A step of a file: what [step] says, layers, and specs of configurations."""

    def write(said, *specs, rows=(), sizes=(4, 4, 16), more=""):
        (tmp_path / "w.txt").write_text(HEAD.format(*sizes, len(rows), "\n".join(rows)))
        tables = "".join(f'[[configuration]]\nname = "{i}"\nspec = "{spec}"\n' for i, spec in enumerate(specs))
        text = f"[step]\n{said}\n[switching]\ndelay_ms = 1\n{tables}{more}"
        (tmp_path / "step.toml").write_text(text)
        return read_iteration(tmp_path / "step.toml")

    return write


def row(forward, inputs, weights):
    return "\t".join(["layer", "-1", *forward, *inputs, *weights, "0"])


LAYER = row(("2000000", REDUCE), ("3000000", EXPERTS), ("1000000", "NONE\t0"))
GRADIENTS = row(("0", EXPERTS), ("0", EXPERTS), ("5000000", REDUCE))


def test_layers_in_their_order(step):
    """Forward 2 ms, TP; experts at once, and at once again on the way back; 5 ms, DP; 3 ms, experts."""
    made = step('layers = "w.txt"', "torus:dims=4x4", rows=(LAYER, GRADIENTS))
    found = [(p.name.partition(" ")[0], p.collective, round(p.idle_s * 1e3), p.times, p.over) for p in made.phases]
    assert found == [
        ("TP", "all-reduce", 2, 1, ("tp",)), ("EP", "all-to-all", 0, 2, ("ep",)),
        ("DP", "all-reduce", 5, 1, ("ep", "dp")), ("EP", "all-to-all", 3, 1, ("ep",)),
    ]  # fmt: skip
    assert [p.ranks for p in made.phases] == [4, 4, 4, 4]


CIRCUITS = {
    "ocs-flat:n=16,degree=4": "ocs-flat:n=16,degree=4,pattern=random,seed=1",
    "photonic-rail:servers=2,gpus=8": "photonic-rail:servers=2,gpus=8,ports=4",
    "mixnet:servers=8": "mixnet:servers=8,packet_nics=4",
    "tpu-pod:slice=4x4x8": "tpu-pod:slice=4x4x8,twist=true",
}


@pytest.mark.parametrize("spec", CIRCUITS)
def test_costs_on_circuit_fabrics_are_those_of_simulate(step, spec):
    """Each phase in each state with all groups at once; the walk is the least of those costs and the switches."""
    ranks = len(build(spec).accelerators)
    sizes = 4, ranks // 4, ranks
    made = step('layers = "w.txt"', spec, CIRCUITS[spec], rows=(LAYER, GRADIENTS), sizes=sizes)
    cost, _ = cost_s(made, fabrics(made, catalogue()))
    group = f"tp=4,ep={ranks // 4},dp=1,pp=1"
    for c, own in enumerate((spec, CIRCUITS[spec])):
        if np.isfinite(cost[:2, c]).all():
            tensor = fabric.simulate(own, "all-reduce", 67108864, group=group, over="tp").time_us
            experts = fabric.simulate(own, "all-to-all", 67108864, group=group, over="ep").time_us
            assert cost[:2, c] * 1e6 == pytest.approx([tensor, 2 * experts], rel=1e-12)
    assert np.isfinite(cost).any()
    idle = np.array([phase.idle_s for phase in made.phases])
    if np.isfinite(cost).any(axis=1).all():
        found = worth(made, catalogue())
        assert found.walk.seconds == closed_walk(cost, 1e-3 * (1 - np.eye(2)), idle).seconds <= cost.sum(axis=0).min()


def test_twisting_between_experts_and_gradients_pays(step):
    """A twist speeds all-to-all over all 128 chips up and slows groups of a grid down; windows of 20 ms hide 1 ms."""
    rows = [row((str(20 * MS), "ALLREDUCE\t1073741824"), ("0", "NONE\t0"), ("0", "NONE\t0")),
            row((str(20 * MS), "ALLTOALL_EP\t1073741824"), ("0", "NONE\t0"), ("0", "NONE\t0"))]  # fmt: skip
    specs = "tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true"
    found = worth(step('layers = "w.txt"', *specs, rows=rows, sizes=(4, 32, 128)), catalogue())
    best = found.cost_s.min(axis=1).sum()
    assert found.pays == (best < found.static_s) and found.walk.seconds == pytest.approx(best)


def test_phases_over_dimensions_are_groups(step):
    """tp = 4 fastest: groups of 4 neighbours, and of 4 that are 4 apart."""
    torus, size = build("torus:dims=4x4"), 2**26
    for over, stride in (("tp", 1), ("dp", 4)):
        named = Phase(name="a", collective="all-reduce", size_bytes=size, numbering=NUMBERS, over=(over,))
        plain = Phase(name="a", collective="all-reduce", size_bytes=size, group=4, stride=stride)
        assert phase_s(named, torus) == pytest.approx(phase_s(plain, torus), rel=1e-12)
        many = Phase(name="a", collective="all-reduce", size_bytes=size, numbering=NUMBERS, over=(over,), times=3)
        assert phase_s(many, torus) == pytest.approx(3 * phase_s(named, torus), rel=1e-12)
    phase = '[[phase]]\ncollective = "all-reduce"\nsize = "64MiB"\nover = "dp"\ntimes = 3\n'
    (read,) = step('group = "tp=4,dp=4"', "torus:dims=4x4", more=phase).phases
    assert (read.over, read.times, read.ranks, read.whole_bytes) == (("dp",), 3, 4, 3 * 2**26)


WRONG = {
    "no such file": ('layers = "none.txt"', "", "No such file"),
    "no layers": ('layers = "step.toml"', "", "no schedule"),
    "both": ('layers = "w.txt"\ngroup = "tp=4"', "", "says all phases"),
    "half": ('model = "mixtral-8x7b"', "", "model and parallel go together"),
    "a strange key": ('layer = "w.txt"', "", "did you mean 'layers'"),
    "a strange model": ('model = "mixtrel-8x7b"\nparallel = "tp=2"', "", "did you mean"),
    "no numbering": ("", '[[phase]]\ncollective = "all-reduce"\nsize = 8\nover = "tp"\n', "give [step] group"),
    "a strange dimension": (
        'group = "tp=4"',
        '[[phase]]\ncollective = "all-reduce"\nsize = 8\nover = "dp"\n',
        "dimension",
    ),
    "over and group": (
        'group = "tp=4"',
        '[[phase]]\ncollective = "all-reduce"\nsize = 8\nover = "tp"\ngroup = 4\n',
        "leave one out",
    ),
    "no times": ('group = "tp=4"', '[[phase]]\ncollective = "all-reduce"\nsize = 8\ntimes = 0\n', "times = 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_read_is_one_line(name, step):
    said, more, says = WRONG[name]
    with pytest.raises(ConfigError) as caught:
        step(said, "torus:dims=4x4", rows=(LAYER,), more=more)
    assert says in str(caught.value) and "\n" not in str(caught.value)
