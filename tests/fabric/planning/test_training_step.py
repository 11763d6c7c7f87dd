"""Switching circuits during a model's step: the step is that of workload, and what a switch costs is worked by hand."""

import numpy as np
import pytest

from fabric.planning.circuit_states import states_of
from fabric.planning.phases import Configuration, Iteration, Switching, read_iteration
from fabric.planning.schedule import closed_walk, static
from fabric.planning.training_step import trained, training_costs
from fabric.planning.worth import worth
from fabric.workloads.models.zoo import model
from fabric.workloads.steps.mix import mix
from fabric.workloads.steps.parallel import parse_parallel
from fabric.workloads.training import train
from topologies.errors import ConfigError
from topologies.parts import catalogue
from topologies.registry import build

LLAMA, RAILS = "llama-3.1-70b", "photonic-rail:servers=16"
LAYOUT = "tp=8,pp=4,batch=64,seq=8192"  # 4 data-parallel copies of 4 stages of 8, 16 micro-batches
DP, PP = f"{RAILS},ring=4,stride=1", f"{RAILS},ring=4,stride=4"


def asked(*specs, parallel=LAYOUT, name=LLAMA, delay_s=0.025):
    own = [Configuration(spec, spec) for spec in specs]
    return Iteration([], own, Switching(delay_s=delay_s), model=name, parallel=parallel)


@pytest.mark.parametrize(
    ("spec", "name", "parallel"),
    [
        ("rail:servers=16", LLAMA, LAYOUT), ("tpu-pod:slice=4x4x8", LLAMA, "tp=4,pp=4,batch=32,seq=4096"),
        ("tpu-pod:slice=4x4x8,twist=true", "mixtral-8x7b", "tp=2,ep=8,pp=2,batch=64,seq=4096"),
        ("rail:servers=4", "llama-3.1-8b", "tp=2,zero=3,batch=16,seq=8192"),
    ],
)  # fmt: skip
def test_in_one_configuration_the_step_is_that_of_workload(spec, name, parallel):
    topology = build(spec)
    found = training_costs(trained(name, parallel, topology), [topology])
    step = train(topology, name, parallel).step_s
    assert found.base_s + found.cost_s().sum() == pytest.approx(step, rel=1e-12)


def test_phases_have_the_bytes_of_the_mix():
    topology = build("tpu-pod:slice=4x4x8")
    one = trained("mixtral-8x7b", "tp=2,ep=8,pp=2,batch=64,seq=4096", topology)
    found = training_costs(one, [topology])
    for dimension in ("tp", "ep", "pp", "dp"):
        sent = sum(e.size_bytes * e.count for e in mix(one.model, one.parallel) if e.dimension == dimension)
        own = [p.whole_bytes for p, name in zip(found.phases, found.dimensions, strict=True) if name == dimension]
        assert sum(own) == pytest.approx(sent, rel=1e-6)
    m = one.parallel.micro_batches
    assert found.dimensions == ("tp", "ep", "pp") * m + ("dp",)


def test_rings_of_stages_and_of_copies_by_hand():
    """Two ports of 25 GB/s an adapter. A ring of 4 reduces 3/4 of the gradients over both, twice (gradients, weights);
    a stage sends to the next over one of them."""
    rails = [build(spec) for spec in (DP, PP)]
    one = trained(LLAMA, LAYOUT, rails[0])
    found = training_costs(one, rails, transport="ideal")
    gradients, hop = (next(e for e in mix(one.model, one.parallel) if e.dimension == name) for name in ("dp", "pp"))
    assert np.isinf(found.wire_s["dp"][1]) and np.isinf(found.wire_s["pp"][0])
    assert found.wire_s["dp"][0] == pytest.approx(2 * gradients.size_bytes * 0.75 / 50e9, rel=1e-3)
    assert found.wire_s["pp"][1] == pytest.approx(32 * hop.size_bytes / 25e9, rel=0.02)
    assert (gradients.count, hop.count) == (2, 32)


def test_what_a_switch_costs_by_hand():
    """To the rings of copies: nothing hides the delay, and the gradients come out from behind the last micro-batch.
    Back to those of stages: behind the update and the first micro-batch, as far as hops do not hide there."""
    rails = [build(spec) for spec in (DP, PP)]
    one = trained(LLAMA, LAYOUT, rails[0])
    costs, m = training_costs(one, rails), 16
    hops, gradients = float(costs.wire_s["pp"][1]), float(costs.wire_s["dp"][0])
    shown = one.shown_s("pp", hops) + one.shown_s("dp", gradients)
    behind = gradients - one.shown_s("dp", gradients)
    window = costs.phases[0].idle_s
    update = one.parts.update_s
    hidden_hops = one.hidden_s("pp", hops) / m
    assert costs.phases[1].idle_s == pytest.approx(window - update)
    in_domain = (costs.base_s - one.step_s({})) / m
    assert window == pytest.approx(update + one.parts.micro_batch_s + in_domain - hidden_hops)
    assert costs.phases[-1].idle_s == pytest.approx(-behind)
    for delay in (0.0, 0.01, 0.2, 1.0):
        found = worth(asked(DP, PP, delay_s=delay), catalogue())
        by_hand = costs.base_s + shown + delay + behind + max(0.0, delay - window)
        assert found.base_s + found.walk.seconds == pytest.approx(by_hand)
        assert found.walk.switches == 2 and found.static is None
        assert "No one configuration serves every phase: the step switches 2 times" in found.answer


def test_photonic_rails_of_2048_cost_less_than_six_percent():
    """Ding et al., arXiv:2602.12521: less than 6 % over packet rails at the delays of switches that are sold."""
    layout, shape = "tp=8,pp=16,batch=512,seq=8192", "llama-3.1-405b"
    parts = catalogue()
    complete = parse_parallel(layout).on(2048, model(shape))
    states = states_of(["opus-2048"], model(shape), complete, parts)
    assert [c.name for c in states] == ["opus-2048:ring=16,stride=1", "opus-2048:ring=16,stride=16"]
    packets = train("rail:servers=256", shape, layout).step_s
    for delay in (0.001, 0.025):  # a fast switch, and the mirrors of a polatis-384
        found = worth(Iteration([], states, Switching(delay_s=delay), model=shape, parallel=layout), parts)
        assert 0 < (found.base_s + found.walk.seconds) / packets - 1 < 0.06


def test_a_slice_of_its_own_for_gradients_pays_as_long_as_windows_hide_it():
    """4x4x16 shortens the rings of gradients, 4x8x8 the way to the next stage: the walk is the least of all walks, and
    the delay up to which it pays is where switching takes as long as staying."""
    shape, layout = "mixtral-8x7b", "tp=2,ep=8,batch=512,seq=4096,pp=2"
    specs = "tpu-pod:slice=4x8x8", "tpu-pod:slice=4x4x16"
    found = worth(asked(*specs, name=shape, parallel=layout, delay_s=0.0), catalogue())
    idle = np.array([p.idle_s for p in found.iteration.phases])
    apart = 1 - np.eye(2)
    if found.pays_below_s > 0:
        for share, pays in ((0.99, True), (1.01, False)):
            walk = closed_walk(found.cost_s, share * found.pays_below_s * apart, idle)
            assert (walk.seconds < static(found.cost_s)[1] * (1 - 1e-12)) is pays
    assert found.walk.seconds <= static(found.cost_s)[1]


def test_sizes_from_which_a_switch_pays_are_where_it_wins_its_delay():
    shape, layout = "mixtral-8x7b", "tp=2,ep=8,batch=512,seq=4096,pp=2"
    specs = [build(s) for s in ("tpu-pod:slice=4x8x8", "tpu-pod:slice=4x4x16")]
    costs = training_costs(trained(shape, layout, specs[0]), specs)
    found = worth(asked("tpu-pod:slice=4x8x8", "tpu-pod:slice=4x4x16", name=shape, parallel=layout), catalogue())
    row = next(r for r in found.break_even if r["phase"].startswith("pp"))
    place = costs.dimensions.index("pp")
    factor = row["bytes"]["25 ms"] / row["size_bytes"]
    before, after = costs.cost_s(factor)[place, [1, 0]]
    assert before - after == pytest.approx(0.025 - costs.phases[place].idle_s, rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (RAILS, [DP, PP]),
        ("tpu-pod:slice=4x4x8", ["tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true"]),
        ("tpu-pod:slice=4x4x8,twist=true",
         ["tpu-pod:slice=4x4x8,twist=true", "tpu-pod:slice=4x4x8,twist=false"]),
    ],
)  # fmt: skip
def test_states_of_one_fabric(spec, names):
    shape = model(LLAMA)
    layout = parse_parallel("tp=8,pp=4,batch=64,seq=8192").on(128, shape)
    found = states_of([spec], shape, layout, catalogue())
    assert [c.name for c in found] == names
    assert all(len(build(c.spec).accelerators) == 128 for c in found)


@pytest.mark.parametrize("specs", [["rail:servers=16"], ["ring:n=128", "ring:n=128"], ["torus:dims=4x4x8"]])
def test_what_has_no_second_state(specs):
    shape = model(LLAMA)
    with pytest.raises(ConfigError, match=r"states? of circuits"):
        states_of(specs, shape, parse_parallel(LAYOUT).on(128, shape), catalogue())


def test_a_file_names_a_model_and_its_layout(tmp_path):
    tables = "".join(f'[[configuration]]\nspec = "{spec}"\n' for spec in (DP, PP))
    head = f'[step]\nmodel = "{LLAMA}"\nparallel = "{LAYOUT}"\n[switching]\ndelay_ms = 25\n'
    (tmp_path / "step.toml").write_text(head + tables)
    found = worth(read_iteration(tmp_path / "step.toml"), catalogue())
    assert found.document() == worth(asked(DP, PP), catalogue()).document()
    assert found.document()["base_ms"] == pytest.approx(found.base_s * 1e3)


def test_what_stays_inside_domains_needs_no_circuits():
    topology = build("nvl72")
    with pytest.raises(ConfigError, match="inside scale-up domains only"):
        training_costs(trained("llama-3.1-8b", "tp=8,batch=72,seq=4096", topology), [topology])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["a.toml", "b.toml"], 2, "SPECs go with --workload MODEL"),
        (["a.toml", "--parallel", "tp=8"], 2, "--parallel is of --workload"),
        ([RAILS, "--workload", LLAMA], 2, "--workload takes a layout"),
        ([RAILS, "--workload", LLAMA, "--parallel", "tp=x"], 2, "is not a whole number"),
        ([RAILS, "--workload", LLAMA, "--parallel", "tp=7"], 3, "does not divide"),
        (["rail:servers=16", "--workload", LLAMA, "--parallel", LAYOUT], 3, "one state of circuits is given"),
        ([RAILS, "--workload", "lama", "--parallel", LAYOUT], 3, "no model is named"),
    ],
)
def test_bad_input_is_one_line(words, code, says, capsys):
    from fabric.cli import main

    with pytest.raises(SystemExit) as left:
        main(["plan", "phases", *words])
    said = capsys.readouterr().err
    assert (left.value.code, said.count("\n"), says in said) == (code, 1, True), said
