"""aifabric trace: usage, what it writes, and what it says while it works."""

import json

import pytest


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["ring:n=4", "none.txt"], 3, "No such file"),
        (["ring:n=4", "none"], 3, "no schedule 'none'; give a file"),
        (["ring:n=3", "step.goal"], 3, "has 4 ranks"),
        (["rign:n=4", "step.goal"], 3, "did you mean"),
        (["ring:n=4", "step.goal", "--fidelity", "bound"], 2, "fidelity of a trace"),
        (["ring:n=4", "step.goal", "--routing", "emcp"], 2, "did you mean 'ecmp'"),
        (["ring:n=4", "step.goal", "-s", "1MiB"], 2, "--size has no effect: goal files hold their own bytes"),
        (["ring:n=4", "step.goal", "--perfetto", "/no/such/folder/x.json"], 2, "no folder"),
        (["ring:n=4", "step.goal", "--json", "-o", "x.csv"], 2, "is named as CSV"),
        (["switch:n=16", "layers.txt"], 3, "the workload has 32 ranks, switch:n=16 16 accelerators"),
        (["switch:n=32", "layers.txt", "--placement", "nowhere"], 3, "nowhere"),
    ],
)
def test_wrong_words(words, code, says, run, inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    told = run("trace", *words)
    assert told.code == code and told.out == ""
    assert says in told.err and told.err.count("\n") == 1


def test_a_file_for_perfetto(run, inputs, tmp_path):
    path = tmp_path / "out.json"
    told = run("trace", "switch:n=4", inputs / "step.goal", "--perfetto", path, "--json")
    assert told.code == 0 and "timeline written into" in told.err
    events = json.loads(path.read_text())["traceEvents"]
    found = json.loads(told.out)["trace"]
    assert sum(event["ph"] == "X" for event in events) == found["operations"]
    assert max(event["ts"] + event["dur"] for event in events if event["ph"] == "X") == pytest.approx(
        found["makespan_us"], abs=1e-5
    )


def test_nothing_stands_there_when_it_fails(run, inputs, tmp_path):
    assert run("trace", "switch:n=2", inputs / "step.goal", "--perfetto", tmp_path / "out.json").code == 3
    assert not list(tmp_path.iterdir())
