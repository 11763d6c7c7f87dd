"""GOAL of our own schedules: read again and run, it takes what the schedule takes."""

import pytest

import fabric
from fabric.schedules.goal_writing import goal_of, goal_text
from fabric.schedules.program import Program
from topologies.errors import FabricError, InfeasibleError
from topologies.registry import build

FABRICS = {spec: build(spec) for spec in ("switch:n=8", "torus:dims=4x4", "rail:servers=2")}
CASES = [
    (spec, name, algorithm)
    for spec, algorithms in (
        ("switch:n=8", ("direct", "halving", "double-binary-tree")), ("torus:dims=4x4", ("ring", "bucket", "swing")),
        ("rail:servers=2", ("ring", "hierarchical", "tree")),
    ) for algorithm in algorithms for name in ("all-reduce", "all-gather", "broadcast")
    if not (algorithm in ("tree", "double-binary-tree") and name == "all-gather")
    and not (algorithm in ("halving", "bucket", "swing", "tree") and name == "broadcast")
    and (algorithm, name) != ("halving", "all-gather")
]  # fmt: skip
LOST = ("halving", "bucket", "hierarchical", "tree")  # whose steps wait for what their target does, too


@pytest.mark.parametrize(("spec", "name", "algorithm"), CASES)
def test_there_and_back_again(spec, name, algorithm, tmp_path):
    """To the last digit where messages are whole bytes: the same flows and paths, and waits that are enough."""
    made = goal_text(FABRICS[spec], name, algorithm, "1MiB")
    (tmp_path / "t.goal").write_text(made.text)
    ours = fabric.simulate(FABRICS[spec], name, "1MiB", algorithm=algorithm, fidelity="fluid", transport="ideal")
    again = fabric.trace(FABRICS[spec], tmp_path / "t.goal", threads=1)
    assert again.makespan_s * 1e6 == pytest.approx(ours.time_us, rel=1e-12)
    assert algorithm in LOST or not [note for note in made.notes if "left out" in note]


def test_fractions_of_bytes_and_waits_that_no_rank_knows_of_are_told(tmp_path):
    made = goal_text(build("switch:n=3"), "all-reduce", "ring", 100)
    assert "messages are rounded to whole bytes" in made.notes and "send 17b to" in made.text
    assert any("96 waits" in note for note in goal_text(FABRICS["rail:servers=2"], "all-gather", "bruck", 2**20).notes)


def test_computations_and_tags(tmp_path):
    """Two messages between the same two ranks have tags of their own; 3 us of work before the second."""
    two = Program(2, "two")
    first = two.send(0, "a", 1, 0, 50e3)
    two.send(0, "b", 1, 0, 25e3, after=[two.compute(0, "work", 3e-6, after=[first])])
    two.receive(1, "a", 0, 0, 50e3)
    two.receive(1, "b", 0, 0, 25e3)
    text = goal_of(two.flows(), 2, "two").text
    assert "s1: send 50000b" not in text and "s0: send 50000b to 1 tag 0" in text and "25000b to 1 tag 1" in text
    (tmp_path / "t.goal").write_text(text)
    found = fabric.trace("switch:n=2,rate_gbps=400,latency_ns=500", tmp_path / "t.goal")
    assert found.makespan_s == pytest.approx(2e-6 + 3e-6 + 1.5e-6)


@pytest.mark.parametrize(("algorithm", "size", "says"), [("nvls", "1MiB", "switches reduce"), ("rign", "1MiB", "ring"),
                                                         ("ring", "-1", "size")])  # fmt: skip
def test_what_cannot_be_written(algorithm, size, says):
    with pytest.raises(FabricError, match=says):
        goal_text(build("hgx-h100"), "all-reduce", algorithm, size)


def test_too_many_messages(monkeypatch):
    monkeypatch.setattr("fabric.schedules.goal_writing.MAX_FLOWS", 10)
    with pytest.raises(InfeasibleError, match="of at most 10 is written"):
        goal_text(FABRICS["switch:n=8"], "all-to-all", "direct", "1MiB")
