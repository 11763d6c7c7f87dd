"""The commands of `aifabric plan`, end to end: files written, verified, replayed, undone; exit codes."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """A mesh of six blocks on two switches whose target swaps the far ends of two circuits."""
    state = np.zeros((2, 6, 6), np.int16)
    for shift, k in ((1, 0), (2, 0), (3, 1), (1, 1)):
        for i in range(6):
            state[k, i, (i + shift) % 6] += 1
    links = state.sum(axis=0, dtype=np.int64)
    target = links + links.T
    for a, b, sign in ((0, 1, -1), (2, 3, -1), (0, 3, 1), (1, 2, 1)):
        target[a, b] += sign
        target[b, a] += sign
    there = np.full((6, 2), 2, np.int32)
    path = tmp_path_factory.mktemp("arrays") / "ring.npz"
    np.savez(path, state=state, target=target, north_ports=there, south_ports=there)
    return path


def test_a_plan_through_its_life(run, arrays, tmp_path):
    file = tmp_path / "plan.json"
    made = run("plan", arrays, "-o", file)
    assert made.code == 0 and "Plan: 2 to put up, 2 to take down, 22 unchanged" in made.out
    assert run("plan", "show", file).out == made.out
    checked = run("plan", "check", file, arrays)
    assert (checked.code, checked.out) == (0, "everything holds\n")
    assert json.loads(run("plan", "check", file, arrays, "--json").out)["check"] == {"ok": True, "breach": None}
    replayed = run("plan", "simulate", file, arrays, "--svg", tmp_path / "time.svg")
    assert "after stage 1" in replayed.out and (tmp_path / "time.svg").read_text().startswith("<svg")
    back = run("plan", "rollback", file, "-o", tmp_path / "back.json")
    assert "Plan: 2 to put up, 2 to take down, 22 unchanged" in back.out
    assert run("plan", "diff", file, file).code == 0 and run("plan", "diff", file, tmp_path / "back.json").code == 1
    stale = run("plan", "check", tmp_path / "back.json", arrays)
    assert stale.code == 1 and "the plan is stale" in stale.out
    refused = run("plan", "simulate", tmp_path / "back.json", arrays)
    assert refused.code == 3 and refused.err.count("\n") == 1 and "the plan is stale" in refused.err


def test_json_is_the_plan(run, arrays, tmp_path):
    found = run("plan", arrays, "--json")
    (tmp_path / "plan.json").write_text(found.out)
    assert json.loads(found.out)["schema"] == "aifabric.plan/1"
    assert run("plan", "check", tmp_path / "plan.json", arrays).code == 0


@pytest.mark.parametrize(("given", "code", "error"), [
    ([], 3, "says no target"), (["--floor", "1"], 4, "no stages keep 100%"), (["--floor", "90 percent"], 2, "give 0.9"),
    (["--pin", "nobody"], 3, "no block is named 'nobody'"), (["--window", "today"], 2, "is no window"),
    (["--window", "2026-01-01T00:00/2026-01-01T00:01"], 4, "fits into none of the windows"),
])  # fmt: skip
def test_one_line_and_the_right_code(run, arrays, given, code, error):
    found = run("plan", *given, *([arrays] if given else ["tpu-v4-512"]))
    assert (found.code, found.out) == (code, "") and error in found.err


def test_without_a_floor_the_best_is_kept(run, arrays):
    found = run("plan", arrays, "--one-more-lost")
    assert found.code == 0 and "the best floor found is" in found.out
