"""Walls under a workload: what it holds and draws by hand, and how far it can grow until memory binds."""

from dataclasses import replace

import pytest

from fabric.cli import main
from fabric.limits import DEFAULT, checks, walls
from fabric.limits.conditions import Duty
from fabric.limits.room import rooms
from fabric.limits.under import walls_under
from fabric.powering import drawn_facility_w, site_power
from fabric.workloads.comparing import workload
from fabric.workloads.models.zoo import model
from fabric.workloads.replicas import Load
from fabric.workloads.steps.memory import memory
from fabric.workloads.steps.splits import read_question
from topologies.registry import build

LLAMA = "llama-3.1-70b"
SERVED = Load(concurrency=64, stack="vllm", weights="bf16")
TRAINED = "tp=4,pp=2,batch=64,seq=4096,recompute=none"


def test_what_a_served_model_holds_by_hand():
    """70.55 B parameters in bf16 over 8; 64 requests behind 1,024 + 512 tokens of 327,680 B each, over 8 as well; and
    0.9 x 80 GB hold floor((72 - 17.64) GB / 62.9 MB) requests."""
    found = walls_under(build("hgx-h100"), LLAMA, SERVED, layout="tp=8")
    held = dict(found.duty.held_gb)
    request_gb = 1536 * 327_680 / 8 / 1e9
    assert held["weights"] == pytest.approx(70_553_706_496 * 2 / 8 / 1e9, rel=1e-3)
    assert held["caches"] == pytest.approx(64 * request_gb)
    users, prompt, parameters = found.rooms
    assert users.most == (72 - held["weights"]) // request_gb
    longest = (72 - held["weights"]) / 64 / (327_680 / 8 / 1e9) - 512
    assert prompt.most == int(longest)
    assert parameters.times == pytest.approx(72 / (held["weights"] + held["caches"]))


def test_what_is_held_is_judged_against_what_may_be_filled():
    fabric = build("hgx-h100")
    found = walls_under(fabric, LLAMA, SERVED, layout="tp=8")
    wall = walls(fabric, replace(DEFAULT, duty=found.duty))["memory"]
    assert (wall["value"], wall["limit"]) == (pytest.approx(found.duty.total_gb), pytest.approx(72))
    full = replace(found.duty, held_gb=(("weights", 60.0), ("caches", 20.0)))
    wall = walls(fabric, replace(DEFAULT, duty=full))["memory"]
    assert wall["state"] == "over" and wall["moves"].startswith("1.11 times as many accelerators")


def test_a_time_of_a_token_that_is_asked_for_is_a_wall():
    fabric = build("hgx-h100")
    found = walls_under(fabric, LLAMA, replace(SERVED, concurrency=None, floor=40), layout="tp=8")
    own = {check.name: check for check in checks(fabric, replace(DEFAULT, duty=found.duty))["memory"]}
    assert own["token"].limit.value == pytest.approx(25) and own["token"].value.value <= 25


def test_racks_draw_what_the_step_lets_accelerators_draw():
    """Half of 72 x 1.2 kW, hosts and network as they are, over the same conversion."""
    fabric = build("nvl72")
    whole = walls(fabric)["power"]["value"]
    half = walls(fabric, replace(DEFAULT, duty=Duty("w", (("weights", 1.0),), drawn=0.5)))
    assert whole - half["power"]["value"] == pytest.approx(43.2 / 0.965, rel=0.01)
    assert half["thermal"]["value"] < walls(fabric)["thermal"]["value"]
    assert "accelerators at 50 % of TDP 43.2 kW" in half["power"]["why"]
    site = site_power(fabric)
    fed = replace(DEFAULT, duty=Duty("w", (), drawn=0.5), site_w=1e6)
    check = next(c for c in checks(fabric, fed)["power"] if c.name == "site")
    assert check.value.value == pytest.approx(drawn_facility_w(site, 0.5, fabric.catalogue) / 1e3)
    assert site.facility_w.typical / 1e3 - check.value.value == pytest.approx(0.4 * 86.4 * 1.15)


def test_training_draws_by_what_it_computes_and_waits():
    fabric = build("rail:servers=4")
    found = walls_under(fabric, "llama-3.1-8b", read_question(TRAINED))
    step = workload([fabric], "llama-3.1-8b", read_question(TRAINED))[0].step
    busy = step.compute_s / step.step_s
    assert found.drawn.share == pytest.approx(0.9 * busy + 0.35 * (1 - busy))
    assert found.drawn.tokens_per_joule == pytest.approx(step.tokens_per_s / found.drawn.facility_w)


def test_room_of_training_is_the_last_that_fits():
    fabric, llama = build("rail:servers=4"), model("llama-3.1-8b")
    answer = workload([fabric], llama, read_question(TRAINED))[0]
    limit, p = answer.step.memory_limit_bytes, answer.step.parallel
    duty = walls_under(fabric, llama, read_question(TRAINED)).duty
    tokens, sequences, parameters = rooms(fabric, llama, answer, duty)
    at = [memory(llama, replace(p, sequence=int(tokens.most) + more)).total for more in (0, 1)]
    assert at[0] <= limit < at[1]
    wide = int(sequences.most)
    for size, fits in ((wide, True), (wide + 1, False)):
        layout = replace(p, micro_batch=size, global_batch=size * p.replicas * p.micro_batches)
        assert (memory(llama, layout).total <= limit) is fits
    assert parameters.times == pytest.approx(limit / answer.step.memory.total)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nvl72", "--weights", "140"], 2, "--weights 140 is 140 bytes; did you mean 140GB?"),
        (["nvl72", "--weights", "140GB", "--kv", "40"], 2, "--kv 40 is 40 bytes"),
        (["nvl72", "--batch", "8"], 2, "--batch is of a workload; give --workload MODEL"),
        (["nvl72", "--workload", "llama-3.1-8b", "--weights", "1GB"], 2, "--weights and --workload both"),
        (["nvl72", "--workload", "lama-3"], 3, "no model is named 'lama-3'"),
        (["nvl72", "hgx-h100", "--scale", "2"], 2, "are of one fabric; give one SPEC"),
        (["hgx-h100", "--workload", "llama-3.1-405b", "--mode", "serve", "--precision", "bf16"], 4, "no layout"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(words, code, said, capsys):
    with pytest.raises(SystemExit) as left:
        main(["walls", *words])
    error = capsys.readouterr().err
    assert (left.value.code, error.count("\n"), said in error) == (code, 1, True), error
