"""The fastest split: equal to trying all, never slower than a named one; bounds below prices."""

from dataclasses import replace

import pytest

from fabric.workloads.comparing import workload
from fabric.workloads.models.zoo import model
from fabric.workloads.searching import fastest
from fabric.workloads.steps.achieved import achieved
from fabric.workloads.steps.least import spread
from fabric.workloads.steps.memory import memory
from fabric.workloads.steps.mix import Exchange, mix
from fabric.workloads.steps.occupancy import alike, occupancies
from fabric.workloads.steps.parallel import Parallel
from fabric.workloads.steps.splits import SPACE, fits, read_question, splits
from fabric.workloads.steps.wiring import Wiring
from fabric.workloads.training import accelerator_with_rate, timed, train
from topologies.errors import ConfigError, InfeasibleError
from topologies.registry import build

RAIL = "rail:servers=4,gpus=4,scaleup_switches=none"


@pytest.fixture(scope="module")
def fabrics():
    return {spec: build(spec) for spec in (RAIL, "torus:dims=4x4,accelerator=tpu-v5p")}


def search(topology, name, text):
    return fastest(Wiring(topology), model(name), read_question(text), accelerator_with_rate(topology), achieved())


@pytest.mark.parametrize(
    ("spec", "name", "text"),
    [
        (RAIL, "llama-3.1-8b", "auto,batch=16,seq=4096,mbs=1,recompute=full"),
        (RAIL, "mixtral-8x7b", "auto,batch=16,seq=4096,mbs=1,recompute=full,cp=1,zero=1,pp=1"),
        ("torus:dims=4x4,accelerator=tpu-v5p", "llama-3.1-8b", "auto,batch=16,seq=2048,cp=1,recompute=none"),
    ],
)
def test_auto_is_the_best_of_all(fabrics, spec, name, text):
    topology, shape = fabrics[spec], model(name)
    limit = accelerator_with_rate(topology).memory_gb * 1e9
    every = [p for p in splits(read_question(text), 16, shape) if fits(shape, p, limit)]
    wiring, row = Wiring(topology), accelerator_with_rate(topology)
    steps = [
        timed(topology, shape, p, row, tuple(map(wiring.wired, mix(shape, p))), achieved(), power=False).step_s
        for p in every
    ]
    found = search(topology, name, text)
    assert found.step_s == pytest.approx(min(steps), rel=1e-12)
    assert (found.fitting, found.priced <= found.fitting <= found.splits) == (len(every), True)
    for p in every:  # what no exchange can undercut
        for exchange in mix(shape, p):
            assert wiring.least_s(exchange) <= wiring.wired(exchange).one_s * (1 + 1e-9), exchange
    assert train(topology, shape, found.parallel).step_s == pytest.approx(found.step_s, rel=1e-12)


def test_splits_without_a_path_are_left_out():
    """Rails that nothing joins carry what follows a rail; the fastest of the splits that stay on them."""
    topology, shape = build("rail:servers=4,gpus=4,core=none"), model("llama-3.1-8b")
    wiring, row = Wiring(topology), accelerator_with_rate(topology)
    asked = read_question("auto,batch=16,seq=4096,mbs=1,recompute=full")
    steps, lost = [], 0
    for p in splits(asked, 16, shape):
        try:
            wires = tuple(map(wiring.wired, mix(shape, p)))
        except InfeasibleError:
            lost += 1
            continue
        steps.append(timed(topology, shape, p, row, wires, achieved(), power=False).step_s)
    found = fastest(wiring, shape, asked, row, achieved())
    assert lost > 0
    assert found.step_s == pytest.approx(min(steps), rel=1e-12)
    assert found.unreached <= lost
    with pytest.raises(InfeasibleError, match="no path from"):  # eight ranks in a ring cross from rail to rail
        fastest(Wiring(topology), shape, read_question("auto,batch=16,seq=4096,cp=8"), row, achieved())


@pytest.mark.parametrize("named", ["tp=4,pp=4", "tp=2,pp=2,v=2", "tp=4,zero=3", "tp=4,cp=2,recompute=full"])
def test_auto_is_never_slower_than_a_named_split(fabrics, named):
    more = ",batch=32,seq=4096"
    step = train(fabrics[RAIL], "llama-3.1-8b", named + more)
    assert step.fits
    assert search(fabrics[RAIL], "llama-3.1-8b", "auto" + more).step_s <= step.step_s * (1 + 1e-12)


def test_the_first_domain_stands_for_all(fabrics):
    """Groups inside domains take as long as they do when all of them are routed."""
    topology, shape = fabrics[RAIL], model("llama-3.1-8b")
    layout = Parallel(tp=2, cp=2, global_batch=16, sequence=4096).on(16, shape)
    one, all_of_them = Wiring(topology), Wiring(topology)
    all_of_them.domain = None
    assert alike(topology) == 4
    for exchange in mix(shape, layout):
        assert one.wired(exchange).one_s == pytest.approx(all_of_them.wired(exchange).one_s, rel=1e-9)


def test_domains_of_unlike_sizes_do_not(fabrics):
    assert alike(fabrics["torus:dims=4x4,accelerator=tpu-v5p"]) is None


def test_a_pattern_is_priced_once(fabrics):
    topology, shape = fabrics[RAIL], model("llama-3.1-8b")
    wiring = Wiring(topology)
    for sequence in (1024, 2048, 4096):
        layout = Parallel(tp=4, global_batch=16, sequence=sequence).on(16, shape)
        assert [spread(e) for e in map(wiring.wired, mix(shape, layout)) for e in [e.exchange]] == [(1, 4), (4, 4)]
    assert wiring.priced == 2


def test_splits_by_hand():
    """Eight accelerators, four heads at most: tp x pp x cp x dp = 8 with every part a power of two."""
    shape = model("llama-3.1-8b")
    found = list(splits(read_question("auto,mbs=1,recompute=none,zero=1,v=1,cp=1,batch=8"), 8, shape))
    assert sorted({(p.tp, p.pp, p.dp) for p in found}) == sorted(
        (tp, pp, 8 // tp // pp) for tp in (1, 2, 4, 8) for pp in (1, 2, 4, 8) if 8 % (tp * pp) == 0
    )
    assert "tp divides the heads" in SPACE


def test_memory_is_checked_first(fabrics):
    found = search(fabrics[RAIL], "llama-3.1-8b", "auto,batch=16,seq=65536")
    assert memory(model("llama-3.1-8b"), found.parallel).total <= 80e9
    assert found.fitting < found.splits
    with pytest.raises(InfeasibleError, match=r"takes [\d,]+ GB a rank in the leanest of"):
        search(fabrics[RAIL], "llama-3.1-405b", "auto,batch=16,seq=8192")


def test_what_cannot_be_asked(fabrics):
    with pytest.raises(ConfigError, match="both give precision"):
        read_question("auto,precision=fp8", precision="bf16")
    with pytest.raises(ConfigError, match="a batch of 7 is no multiple of dp x micro_batch = 16 x 1"):
        search(fabrics[RAIL], "llama-3.1-8b", "auto,batch=7,tp=1,pp=1,cp=1")
    with pytest.raises(ConfigError, match="tp = 16 does not divide the 12 heads"):
        twelve = replace(model("llama-3.1-8b"), heads=12, kv_heads=4, head_dim=128)
        list(splits(read_question("auto,tp=16"), 16, twelve))
    assert {p.pp for p in splits(read_question("auto,v=8,batch=16"), 16, model("llama-3.1-8b"))} == {1, 2, 4}
    with pytest.raises(ConfigError, match="nothing"):
        read_question("auto,nothing=1")


SIXES = "rail:servers=4,gpus=6,scaleup_switches=none"


@pytest.mark.parametrize(
    ("spec", "name", "text"),
    [
        (SIXES, "llama-3.1-8b", "auto,batch=48,seq=4096,mbs=1,recompute=full,cp=1,zero=1,v=1"),
        ("rail:servers=2,gpus=12,scaleup_switches=none", "mixtral-8x7b",
         "auto,batch=48,seq=4096,mbs=1,recompute=full,cp=1,zero=1,pp=2,v=1"),
    ],
)  # fmt: skip
def test_auto_is_the_best_of_all_who_may_work(spec, name, text):
    """Every split of every occupancy, priced in full."""
    topology, shape = build(spec), model(name)
    row, asked = accelerator_with_rate(topology), read_question(text)
    steps = {}
    for who in occupancies(topology, shape):
        wiring = Wiring(topology).occupied(who)
        for p in splits(asked, who.ranks, shape):
            if fits(shape, p, row.memory_gb * 1e9):
                wires = tuple(map(wiring.wired, mix(shape, p)))
                for wire in wires:
                    assert wiring.least_s(wire.exchange) <= wire.one_s * (1 + 1e-9), wire
                steps[who, p] = timed(topology, shape, p, row, wires, achieved(), power=False).step_s
    found = search(topology, name, text)
    assert len({who for who, _ in steps}) > 1
    assert found.step_s == pytest.approx(min(steps.values()), rel=1e-12)
    assert steps[found.occupancy, found.parallel] == pytest.approx(found.step_s, rel=1e-12)


def test_blocks_do_not_straddle_domains_where_leaving_out_is_faster():
    """tp = 16 on domains of 72: each ninth group lies in two domains and holds up all; 64 of each 72 are faster."""
    text = "tp=16,pp=4,batch=576,seq=8192,recompute=full"
    (answer,) = workload(["nvl72-x8"], "llama-3.1-405b", read_question(text))
    straddled = train("nvl72-x8", "llama-3.1-405b", text)
    assert (answer.step.accelerators, answer.step.parallel.ranks, straddled.parallel.ranks) == (576, 512, 576)
    assert answer.step.step_s < straddled.step_s
    assert answer.rate == pytest.approx(576 * 8192 / answer.step.step_s / 576)
    assert "64 of 72 accelerators of each domain work, 512 of 576 in all; rates are of all" in "\n".join(answer.said)
    (held,) = workload(["nvl72-x8"], "llama-3.1-405b", read_question(text + ",dp=9"))
    assert held.step.step_s == straddled.step_s
    assert "tp: blocks of 16 ranks straddle domains of 72" in held.said


def test_who_may_work_by_hand():
    """Of 13 domains of 72: 72, 64 (8 to 64 divide) or 72 - 72 % 48 = 48 of each where 48 heads are; 13, 12 or 8."""
    topology = build("nvl72-x8:servers=13")
    for name, each in (("llama-3.1-8b", {72, 64}), ("mixtral-8x22b", {72, 64, 48})):
        found = occupancies(topology, model(name))
        assert {one.per_domain for one in found} == each
        assert {one.domains for one in found} == {13, 12, 8}
        assert [one.ranks for one in found] == sorted((a * b for a in each for b in (13, 12, 8)), reverse=True)
        assert (found[0].placement, found[0].said) == ("packed", [])
    assert len(occupancies(build("torus:dims=4x4,accelerator=tpu-v5p"), model("llama-3.1-8b"))) == 1


def test_what_stays_in_a_domain_takes_its_links():
    """Ranks 0, 4, .. 28 of a rack of 72 have a rail's switch in common, which is no way between them: 4 x 18 links of
    50 GB/s in a tray bring a neighbour 1 GB in 1/900 s, whatever rails join the racks."""
    exchange = Exchange("cp", "send-recv", 2, 1e9, 1, 1e9, "tp=4,cp=2,dp=72", "cp")
    racks, rack = Wiring(build("nvl72-x8"), "ideal"), Wiring(build("nvl72"), "ideal")
    assert racks.wired(exchange).one_s == pytest.approx(1e9 / 900e9, rel=0.01)
    assert racks.wired(exchange).one_s == pytest.approx(rack.wired(replace(exchange, group="tp=4,cp=2,dp=9")).one_s)


@pytest.mark.parametrize("name", ["llama-3.1-70b", "mixtral-8x22b"])
def test_a_larger_domain_is_no_slower(name):
    """The best split of 144 accelerators in domains of 8, 72 and 144."""
    asked = read_question("auto,batch=288,seq=8192,mbs=1,recompute=none,zero=1")
    found = workload(["nvl72-x8:servers=2"], name, asked, vary=["domain=8,72,144"])
    steps = {int(answer.values["domain"]): answer.step.step_s for answer in found}
    assert steps[144] <= steps[72] * 1.001
    assert steps[72] <= steps[8] * 1.001


@pytest.mark.parametrize("given", ["schedule=dualpipe", "schedule=zero-bubble", "copies=2"])
def test_a_given_schedule_leaves_what_fits_it(given: str) -> None:
    m = model("llama-3-70b")
    found = list(splits(read_question(f"auto,{given},batch=64,seq=8192,recompute=none,zero=1"), 64, m))
    assert found
    for p in found:
        assert p.on(64, m).v == 1 or given.startswith("copies")
        assert p.schedule != "dualpipe" or not (p.pp % 2 or p.micro_batches % 2)
        assert not given.startswith("copies") or p.dp % 2 == 0


def test_a_step_says_what_no_published_one_shows():
    wide = train(RAIL, "llama-3.1-8b", "cp=4,pp=2,batch=16,seq=4096").said
    narrow = train(RAIL, "llama-3.1-8b", "cp=2,batch=16,seq=4096").said
    for line in ("cp = 4, published steps have 2 at most", "the last has it beside"):
        assert any(line in one for one in wide)
        assert not any(line in one for one in narrow)
