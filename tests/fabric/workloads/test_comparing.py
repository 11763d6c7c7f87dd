"""Workloads on several fabrics: ranked, in domains of other sizes, served by the best layout of all."""

import pytest

import fabric
from fabric.workloads.comparing import places, workload
from fabric.workloads.inference import accelerator_of_fabric, infer
from fabric.workloads.models.zoo import model
from fabric.workloads.replicas import Load, best_replica, holds, layouts
from fabric.workloads.rows import parts_of, row_of, written
from fabric.workloads.scale_up import with_domain
from fabric.workloads.serving.layout import Layout
from fabric.workloads.steps.splits import read_question
from fabric.workloads.training import train
from topologies.errors import ConfigError, InfeasibleError
from topologies.parts import catalogue
from topologies.registry import build

STEP = "batch=32,seq=4096"


def test_fabrics_are_ranked_and_reasons_kept():
    specs = ["rail:servers=4,rate_gbps=100,nic=cx6-200g", "rail:servers=4", "ring:n=8"]
    best, second, none = fabric.workload(specs, "llama-3.1-8b", read_question("tp=4,zero=0," + STEP))
    assert (best.spec, best.rate > second.rate, none.step) == ("rail:servers=4", True, None)
    assert "no rate" in none.why or "several kinds" in none.why


def test_a_named_layout_is_what_train_says():
    (answer,) = workload(["rail:servers=4"], "llama-3.1-8b", read_question("tp=4,pp=2," + STEP))
    step = train("rail:servers=4", "llama-3.1-8b", "tp=4,pp=2," + STEP)
    assert answer.step.step_s == step.step_s
    assert sum(seconds for _, seconds in parts_of(answer.step)) == pytest.approx(step.step_s)
    assert written(answer.step.parallel).startswith("tp=4,dp=4,pp=2,micro_batch=1,batch=32,seq=4096")
    assert train("rail:servers=4", "llama-3.1-8b", written(step.parallel)).step_s == step.step_s
    assert row_of(answer, 1)["search"] is None


def test_what_does_not_fit_is_not_ranked():
    """Weights, gradients and state of 70B without ZeRO: 16 B x 70.6e9 / 16 = 70.6 GB and activations, of 80 and 141."""
    asked = read_question("tp=8,pp=2,zero=0,batch=32,seq=8192,mbs=1")
    fits, over = workload(["rail:servers=4", "rail:servers=4,accelerator=h200-sxm"], "llama-3.1-70b", asked)
    assert (fits.spec, fits.ranked, over.ranked) == ("rail:servers=4,accelerator=h200-sxm", True, False)
    assert (over.fits, over.walls["memory"]["state"], fits.walls["memory"]["state"]) == (False, "over", "ok")
    assert 70.6e9 < over.step.memory.total == fits.step.memory.total < 141e9


@pytest.mark.parametrize("size", [2, 8, 24])
def test_domains_of_a_size(size):
    made = with_domain("rail:servers=6,gpus=4", size, catalogue())
    assert [len(ranks) for ranks in made.domains] == [size] * (24 // size)
    assert len(made.accelerators) == 24


def test_parameters_vary_with_domains():
    found = workload(
        ["rail:servers=4,gpus=4"], "llama-3.1-8b", read_question("tp=4,batch=16,seq=4096"),
        vary=["rate_gbps=200,400", "domain=4,8"],
    )  # fmt: skip
    assert sorted((a.values["rate_gbps"], a.values["domain"]) for a in found) == [
        ("200", "4"), ("200", "8"), ("400", "4"), ("400", "8"),
    ]  # fmt: skip
    step = {tuple(a.values.values()): a.step for a in found}
    assert step["200", "4"].wire_s["dp"] > step["400", "4"].wire_s["dp"] * 1.2


def test_domains_that_cannot_be():
    with pytest.raises(ConfigError, match=r"a domain of 16 exceeds the 8 accelerators"):
        with_domain("nvl:gpus=8", 16, catalogue())
    with pytest.raises(ConfigError, match="builds rail and nvl fabrics"):
        with_domain("torus:dims=4x4", 8, catalogue())


def test_a_larger_domain_is_never_slower_for_a_layout_that_fits_it():
    """tp = 8 inside domains of 8 and of 16, across those of 4."""
    found = workload(["rail:servers=8,gpus=8"], "llama-3.1-8b", read_question("tp=8," + STEP), vary=["domain=4,8,16"])
    steps = {answer.values["domain"]: answer.step for answer in found}
    assert steps["4"].wire_s["tp"] > steps["8"].wire_s["tp"] * 1.5
    assert steps["16"].step_s <= steps["8"].step_s * 1.01


@pytest.mark.parametrize("floor", [None, 55.0])
def test_the_best_replica_of_all(floor):
    topology, shape = build("hgx-h100"), model("llama-3.1-70b")
    row, load = accelerator_of_fabric(topology), Load(stack="vllm", concurrency=64, floor=floor)
    best = 0.0
    for layout in layouts(shape, 8):
        if holds(shape, row, layout, load):
            each = 64 / (8 // layout.accelerators)
            (point,) = infer(topology, shape, layout, stack="vllm", concurrency=[each]).points
            best = max(best, point.tokens_per_s if floor is None or point.tokens_per_s_per_user >= floor else 0.0)
    found = best_replica(topology, shape, row, "auto", load)
    assert found.point.tokens_per_s == pytest.approx(best)
    assert floor is None or found.point.tokens_per_s_per_user >= floor


def test_phases_apart_leave_a_replica_for_decode():
    """Eight accelerators with one replica of two that prefills: at most four to a replica."""
    topology, shape = build("hgx-h100"), model("llama-3.1-70b")
    row, load = accelerator_of_fabric(topology), Load(stack="vllm", concurrency=16, prefill_replicas=1)
    found = best_replica(topology, shape, row, "auto", load)
    assert found.inference.layout.accelerators <= 4
    assert found.inference.transfer_s > 0
    with pytest.raises(ConfigError, match="8 replicas that prefill leave none of 8 accelerators"):
        best_replica(topology, shape, row, "auto", Load(prefill_replicas=8))


@pytest.mark.parametrize("name", ["mixtral-8x7b", "deepseek-v3"])
def test_layouts_are_as_stated(name):
    shape = model(name)
    for one in layouts(shape, 64):
        assert shape.heads % one.tp == shape.layers % one.pp == 0
        assert one.dp == 1 or shape.experts % (one.tp * one.dp) == 0
        assert one.ep in (1, one.expert_ranks)
        assert one.accelerators <= 64


def test_replicas_without_requests_idle():
    """One request on eight accelerators: seven of eight replicas wait, and the rate is that of one."""
    topology, shape = build("hgx-h100"), model("llama-3.1-8b")
    row = accelerator_of_fabric(topology)
    found = best_replica(topology, shape, row, "tp=1", Load(stack="vllm", concurrency=1))
    (alone,) = infer(topology, shape, Layout(), stack="vllm", concurrency=[1]).points
    assert found.point.tokens_per_s == pytest.approx(alone.tokens_per_s / 8)
    assert found.point.tokens_per_s_per_user == alone.tokens_per_s_per_user


def test_wafers_serve_in_pipelines():
    """70B in bf16 on wafers of 44 GB: four of them; 80 layers of 17 us are the floor of a token."""
    (answer,) = workload(["switch:n=9,accelerator=wse-3"], "llama-3.1-70b", Load(concurrency=8))
    found = answer.serving
    assert (found.inference.replicas, found.inference.layout.pp) in {(2, 4), (1, 9)}
    assert 80 * 17e-6 < found.point.token_s < 80 * 17e-6 * 1.15
    assert found.point.tokens_per_s == pytest.approx(8 / found.point.token_s, rel=1e-6)
    with pytest.raises(InfeasibleError, match="takes 4 x wse-3"):
        workload(["switch:n=3,accelerator=wse-3"], "llama-3.1-70b", Load())


def test_what_cannot_be_served():
    topology = build("hgx-h100")
    row = accelerator_of_fabric(topology)
    with pytest.raises(InfeasibleError, match="no layout of up to 8 x h100-sxm holds deepseek-v3 in bf16"):
        best_replica(topology, model("deepseek-v3"), row, "auto", Load(weights="bf16"))
    with pytest.raises(InfeasibleError, match="gives a user"):
        best_replica(topology, model("llama-3.1-70b"), row, "auto", Load(floor=1e6))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nvl72"], 2, "give SPEC and MODEL"),
        (["hgx-h100", "llama-4-x"], 3, "no model is named 'llama-4-x'"),
        (["hgx-h100", "llama-3.1-8b", "--mode", "both"], 2, "no mode is named 'both'"),
        (["hgx-h100", "llama-3.1-8b", "--batch", "8", "--concurrency", "8"], 2, "--concurrency is of serving"),
        (["hgx-h100", "llama-3.1-8b", "--vary", "domain=8,x"], 2, "write it like domain=8,72,144,576"),
        (["hgx-h100", "llama-3.1-8b", "--parallel", "tp=8,tp=4"], 2, "tp is given twice"),
        (["hgx-h100", "llama-3.1-8b", "--parallel", "tp=8,batch=8", "--batch", "8"], 2, "both give global_batch"),
        (["hgx-h100", "llama-3.1-8b", "--stack", "none-such"], 2, "no serving stack is named 'none-such'"),
        (["hgx-h100", "llama-3.1-8b", "--input", "nan"], 2, "input = nan is not a number from 1 on"),
        (["hgx-h100", "llama-3.1-8b", "--output-tokens", "0.5"], 2, "output tokens = 0.5 is not a number from 1"),
        (["hgx-h100", "llama-3.1-8b", "--min-tokens-per-user", "0"], 2, "per user = 0 is not a number above 0"),
        (["hgx-h100", "llama-3.1-8b", "--input", "1e9"], 3, "exceed the 131,072 of llama-3.1-8b"),
        (["hgx-h100", "llama-3.1-8b", "--parallel", "tp=16", "--input", "8"], 3, "takes 16 accelerators"),
        (["hgx-h100", "llama-3.1-8b", "--prefill-replicas", "9"], 3, "leave none of 8 accelerators"),
        (["llama-3.1-8b", "hgx-h100"], 2, "'llama-3.1-8b' is a model; it comes last"),
        (["hgx-h100", "nonesuch"], 3, "no model is named 'nonesuch'; aifabric models lists them"),
        (["hgx-h100", "llama-3.1-8b", "--parallel", "dp=8", "--mode", "serve"], 3, "which has no experts"),
        (["hgx-h100", "llama-3.1-405b", "--batch", "8"], 4, "give more accelerators, or a smaller batch"),
    ],
)
def test_bad_input_takes_one_line(words, code, says, capsys):
    from fabric.cli import main

    with pytest.raises(SystemExit) as left:
        main(["workload", *words])
    said = capsys.readouterr().err
    assert (left.value.code, said.count("\n"), says in said) == (code, 1, True), said


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        ("tp=3", "tp = 3 does not divide the 64 heads of llama-3.1-70b; give 2 or 4"),
        ("tp=8,pp=7", "tp x cp x pp = 56 does not divide 64 accelerators; give 32 or 64"),
        ("tp=8,pp=100", "pp x v = 100 exceeds the 80 layers and two ends of llama-3.1-70b; give 82 at most"),
        ("tp=8,cp=3", "cp = 3 does not divide the sequence of 8,192; give 2 or 4"),
        ("tp=8,cp=64", "tp x cp x pp = 512 does not divide 64 accelerators; give 64"),
        ("tp=8,dp=3", "tp x cp x dp x pp = 24, not the 64 accelerators; leave dp out"),
        ("tp=8,ep=8", "ep = 8 of llama-3.1-70b, which has no experts; leave ep out"),
        ("tp=8,batch=7", "a batch of 7 is no multiple of dp x micro_batch = 8 x 1; give one"),
        ("auto,tp=5", "tp = 5 does not divide the 64 heads of llama-3.1-70b; give 4 or 8"),
    ],
)
def test_a_layout_that_fits_nothing_says_what_does(layout, says):
    with pytest.raises(ConfigError) as error:
        workload(["rail:servers=8"], "llama-3.1-70b", read_question(layout))
    assert str(error.value) == says


def test_a_replica_of_what_heads_do_not_divide():
    with pytest.raises(ConfigError, match=r"tp = 3 does not divide the 64 heads of llama-3\.1-70b; give 2 or 4"):
        workload(["hgx-h100"], "llama-3.1-70b", Load(), layout="tp=3")


def test_the_front_is_what_no_layout_beats():
    """The slower a user, the more tokens a second of all; no point of any layout lies above it."""
    topology, shape = build("hgx-h200"), model("deepseek-r1")
    row, load = accelerator_of_fabric(topology), Load(stack="sglang")
    found = best_replica(topology, shape, row, "auto", load)
    speeds = [point.tokens_per_s_per_user for _, point in found.front]
    rates = [point.tokens_per_s for _, point in found.front]
    assert (speeds, rates) == (sorted(speeds, reverse=True), sorted(rates))
    assert len({layout for layout, _ in found.front}) > 1  # sharded for a fast user, attention apart for all
    assert rates[-1] == found.point.tokens_per_s
    for layout in layouts(shape, 8):
        if holds(shape, row, layout, load):
            for point in infer(topology, shape, layout, stack="sglang").points:
                reached = [r for s, r in zip(speeds, rates, strict=True) if s >= point.tokens_per_s_per_user]
                assert max(reached) >= point.tokens_per_s * (1 - 1e-12)


def test_machines_of_sram_are_ranked_apart() -> None:
    found = workload(["cs3-4", "hgx-h100", "nvl72", "groqrack-8"], "llama-2-70b", Load())
    assert [(a.spec, place) for a, place in zip(found, places(found), strict=True)] == [
        ("cs3-4", 1), ("nvl72", 1), ("hgx-h100", 2), ("groqrack-8", 2),
    ]  # fmt: skip
