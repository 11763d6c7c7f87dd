"""aifabric export: files written whole, formats by name or ending, what a format leaves unsaid on stderr."""

import json

import pytest

from fabric.cli.export import FORMATS
from topologies.formats.writing import WRITERS

SPECS = {"nccl": "nvl72:gpus=8,switches=4,links=8", "astra-sim": "torus:dims=4x4"}


def test_help_names_every_format(run):
    assert FORMATS.split(", ") == list(WRITERS)
    told = "".join(run("export", "-h").out.split())  # lines break at hyphens
    assert all(name in told for name in (*WRITERS, "msccl"))


@pytest.mark.parametrize("form", WRITERS)
def test_file_is_what_a_pipe_gets(form, run, tmp_path):
    spec = SPECS.get(form, "torus:dims=3x3")
    told = run("export", spec, "--format", form)
    assert told.code == 0 and told.out
    path = tmp_path / "fabric"
    assert run("export", spec, "--format", form, "-o", path)[:2] == (0, "")
    assert path.read_text() == told.out
    assert run("export", spec, "--format", form, "-q").err == ""
    listed = run("export", spec, "--format", form, "-o", tmp_path / "other.json", "--json")
    document = json.loads(listed.out)
    assert document["schema"] == "aifabric.export/1" and document["bytes"] == len(told.out.encode())
    assert document["notes"] == [line.removeprefix("note: ") for line in told.err.splitlines()]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fabric", "other.json"]


@pytest.mark.parametrize(("ending", "form"), [("graphml", "graphml"), ("dot", "dot"), ("yml", "astra-sim")])
def test_format_by_ending(ending, form, run, tmp_path):
    path = tmp_path / f"ring.{ending}"
    assert run("export", "ring:n=4", "-o", path).code == 0
    assert path.read_text() == run("export", "ring:n=4", "-f", form).out


def test_a_schedule_is_exported_and_run(run, tmp_path):
    """One ring on a switch: what our own takes."""
    path = tmp_path / "ring.xml"
    assert run("export", "switch:n=4", "-f", "msccl", "-c", "all-gather", "-o", path)[:3] == (0, "", "")
    found = json.loads(run("solve", "switch:n=4", "--schedule", path, "-s", "1MiB", "--json").out)
    words = "-c", "all-gather", "-s", "1MiB", "--algorithm", "ring", "--fidelity", "fluid"
    ours = json.loads(run("solve", "switch:n=4", *words, "--json").out)
    assert found["result"]["time_us"] == pytest.approx(ours["result"]["time_us"])
    assert found["result"].keys() == ours["result"].keys()
    assert found["provenance"]["parameters"]["schedule"] == str(path)
    assert "aifabric-ring-all-gather" in run("solve", "switch:n=4", "--schedule", path).out


def test_a_schedule_in_goal_is_traced(run, tmp_path):
    """A ring all-gather on a star: 3 steps of 256 kB; options that do not belong to a format are refused."""
    path = tmp_path / "ring.goal"
    told = run("export", "switch:n=4", "-c", "all-gather", "-s", "1MiB", "-o", path)
    assert (told.code, told.out, told.err) == (0, "", "note: ring, pipelined\n")
    found = json.loads(run("trace", "switch:n=4", path, "--json").out)["trace"]
    words = "-c", "all-gather", "-s", "1MiB", "--algorithm", "ring", "--fidelity", "fluid"
    ours = json.loads(run("solve", "switch:n=4", *words, "--json").out)["result"]
    assert found["makespan_us"] == pytest.approx(ours["time_us"], rel=1e-12)
    assert run("export", "switch:n=4", "-f", "msccl", "-s", "1MiB").code == 2
    assert run("export", "switch:n=4", "-f", "dot", "-c", "all-gather").code == 2


def test_native_is_a_spec_again(run, tmp_path):
    path = tmp_path / "pod.json"
    assert run("export", "tpu-v4-64", "-f", "native", "-o", path).code == 0
    own, again = (json.loads(run("show", spec, "--json").out)["topology"] for spec in ("tpu-v4-64", path))
    assert own == again


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["ring:n=4"], 2, "no file says which; give --format"),
        (["ring:n=4", "-o", "x.xml"], 2, "may be simgrid, nccl; give --format"),
        (["ring:n=4", "-f", "grapml"], 2, "did you mean 'graphml'"),
        (["ring:n=4", "-f", "dot", "--json"], 2, "give -o FILE"),
        (["ring:n=4", "-f", "dot", "-o", "/no/such/folder/x"], 2, "no folder"),
        (["ring:n=4", "-f", "dot", "-c", "all-reduce"], 2, "belong to --format msccl"),
        (["ring:n=4", "-f", "msccl", "-c", "permutation"], 3, "msccl has no collective permutation"),
        (["ring:n=4", "-f", "msccl", "--algorithm", "rong"], 3, "did you mean 'ring'"),
        (["ring:n=4", "-f", "msccl", "-c", "all-to-all"], 4, "ring does"),
        (["rign:n=4", "-f", "dot"], 3, "did you mean"),
        (["mesh:dims=4x4", "-f", "astra-sim"], 3, "no wraparound"),
    ],
)
def test_wrong_words(words, code, says, run):
    told = run("export", *words)
    assert told.code == code and told.out == ""
    assert says in told.err and told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--schedule", "none.xml"], 3, "No such file"),
        (["--schedule", "none"], 3, "no schedule 'none'; give a file"),
        (["--schedule", "t.goal", "-s", "1MiB"], 2, "--size has no effect: goal schedules hold their own bytes"),
        (["--schedule", "t.goal", "--algorithm", "ring"], 2, "--algorithm has no effect"),
        (["--schedule", "t.goal", "-c", "all-gather"], 2, "is not that of the schedule, none"),
        (["--schedule", "t.goal", "--fidelity", "steady"], 2, "run flow by flow"),
        (["--schedule", "t.goal", "--explain"], 2, "--explain has no effect"),
        (["--schedule", "t.goal", "--routing", "valiant"], 4, "fluid has no paths for routing 'valiant'"),
        (["--schedule", "t.goal"], 0, ""),
    ],
)
def test_words_of_a_schedule(words, code, says, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sends = "num_ranks 2\nrank 0 {\nsend 8b to 1\n}\nrank 1 {\nrecv 8b from 0\n}\n"
    (tmp_path / "t.goal").write_text(sends)
    told = run("solve", "switch:n=2", *words)
    assert told.code == code and says in told.err
    assert told.err.count("\n") == (code > 0)
