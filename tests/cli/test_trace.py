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
        (["step.goal"], 2, "give SPEC and FILE"),
        (["ring:n=4", "ring:n=5", "step.goal", "--explain"], 2, "are of one fabric; give one SPEC"),
        (["ring:n=4", "step.goal", "--vary", "n=4,5", "--perfetto", "x.json"], 2, "are of one fabric"),
        (["ring:n=4", "step.goal", "--vary", "m=4,5"], 2, "has no parameter 'm'"),
        (["ring:n=4", "step.goal", "--perfetto-ranks", "0"], 2, "has no effect without --perfetto"),
        (["ring:n=4", "step.goal", "--compute-scale", "-1"], 3, "no number above zero"),
        (["ring:n=4", "step.goal", "--csv", "--json"], 2, "--csv"),
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
    slices = [event for event in events if event["ph"] == "X"]
    assert sum("from" not in event["args"] for event in slices) == found["operations"]
    assert max(event["ts"] + event["dur"] for event in events if event["ph"] == "X") == pytest.approx(
        found["makespan_us"], abs=1e-5
    )


def test_nothing_stands_there_when_it_fails(run, inputs, tmp_path):
    assert run("trace", "switch:n=2", inputs / "step.goal", "--perfetto", tmp_path / "out.json").code == 3
    assert not list(tmp_path.iterdir())


def test_a_timeline_of_some_ranks(run, inputs, tmp_path):
    path = tmp_path / "out.json"
    told = run("trace", "switch:n=4", inputs / "step.goal", "--perfetto", path, "--perfetto-ranks", "1,3", "-q")
    assert "timeline of 2 of 4 ranks; written into" in told.err
    assert {event["pid"] for event in json.loads(path.read_text())["traceEvents"]} == {1, 3}


def test_fabrics_side_by_side(run, inputs):
    """The fastest first, each as it is alone; the schedule is read once."""
    told = run("trace", "switch:n=4", inputs / "step.goal", "--vary", "rate_gbps=200,800,400", "--json")
    rows = json.loads(told.out)["rows"]
    assert [row["topology"] for row in rows] == [f"switch:n=4,rate_gbps={rate}" for rate in (800, 400, 200)]
    alone = json.loads(run("trace", "switch:n=4,rate_gbps=200", inputs / "step.goal", "--json").out)["trace"]
    assert rows[2]["makespan_us"] == alone["makespan_us"] and rows[2]["floor_us"] == pytest.approx(33)
    head, *lines = run("trace", "switch:n=4", "ring:n=4", inputs / "step.goal", "--csv").out.splitlines()
    assert head.startswith("topology,accelerators,ranks") and [line.split(",")[0] for line in lines] == [
        "ring:n=4", "switch:n=4"
    ]  # fmt: skip


def test_nothing_is_told_meanwhile_where_nobody_watches(run, inputs, monkeypatch):
    monkeypatch.setattr("fabric.cli.trace.PATIENCE_S", -1.0)
    assert run("trace", "rail:servers=4", inputs / "layers.txt").err == ""
