"""Plans: written the same twice, read back, verified anew, undone; every corruption is found."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.planning.between import of_pods
from fabric.planning.check import check
from fabric.planning.files import digest, document_of, plan_of, plan_text, read_document, write_plan
from fabric.planning.planner import Options, plan, plan_change
from fabric.planning.pods import Pod, Slice
from fabric.planning.ports import ports_of_wiring
from fabric.planning.replaying import Replay
from fabric.planning.states import read_base
from fabric.planning.timeline import timeline
from fabric.planning.wiring import Wiring
from topologies.errors import ConfigError, InfeasibleError
from topologies.parts import catalogue
from topologies.registry import build


def after(made, base):
    """The base state once a plan has been carried out."""
    replay = Replay(made, base)
    list(replay.moments())
    slots = {}
    N = len(base.wiring.blocks)
    for slot, (pool, port) in enumerate(zip(base.slots.pool.tolist(), base.slots.port.tolist(), strict=True)):
        slots[pool // N, port] = slot
    side = 0 if base.one_sided else 1
    rows = [(slots[2 * k, a], slots[2 * k + side, b]) for k, own in enumerate(replay.state) for a, b in sorted(own)
            if not replay.doubled or a <= b]  # fmt: skip
    return replace(base, circuits=np.array(rows, np.int32).reshape(-1, 2))


@pytest.fixture(scope="module")
def made(mesh):
    wiring, before, target = mesh(8, 4, 4, 0.2)
    base = ports_of_wiring(wiring, before)
    return base, plan_change(base, wiring.links(target), None, Options(effort="low"), catalogue())


def test_same_bytes_and_read_back(made, tmp_path):
    base, first = made
    again = plan_change(base, _links(base, first), None, Options(effort="low"), catalogue())
    assert plan_text(again) == plan_text(first)
    write_plan(first, tmp_path / "plan.json")
    document = read_document(tmp_path / "plan.json")
    assert plan_text(plan_of(document)) == plan_text(first) == (tmp_path / "plan.json").read_text()
    document["stages"][0]["weather"] = "fine"
    assert plan_of(document) == plan_of(document_of(first))


def _links(base, made):
    place = {name: b for b, name in enumerate(base.wiring.blocks)}
    wanted = np.zeros((len(place),) * 2, np.int64)
    for links in made.target:
        wanted[place[links.a], place[links.b]] = wanted[place[links.b], place[links.a]] = links.number
    return wanted


@pytest.mark.parametrize(("text", "error"), [
    ("[]", "no \"format_version\""), ("{", "not JSON"), ('{"format_version": "2.0"}', "this program reads 1.x"),
    ('{"format_version": "1.0", "x": NaN}', "not JSON"),
])  # fmt: skip
def test_what_is_no_plan(tmp_path, text, error):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ConfigError, match=error):
        read_document(tmp_path / "plan.json")


def test_every_key_is_asked_for(made):
    """What is missing or of another type is said in one line, at any depth."""
    whole = document_of(made[1])
    for path in (("stages",), ("floor", "share"), ("summary", "down"), ("stages", 0, "changes", 0, "delete"),
                 ("stages", 0, "seconds"), ("target", 0, "number"), ("switches", 0, "name")):  # fmt: skip
        for change in ("gone", "odd"):
            document = copy.deepcopy(whole)
            inner = document
            for key in path[:-1]:
                inner = inner[key]
            if change == "gone":
                del inner[path[-1]]
            else:
                inner[path[-1]] = {"odd": [1]} if path[-1] != "seconds" else "odd"
            with pytest.raises(ConfigError, match=path[-1]):
                plan_of(document)


def test_a_plan_holds_and_so_does_its_undoing(made):
    base, first = made
    assert check(document_of(first), base) is None
    end, back = after(first, base), first.reversed()
    assert back.base == first.after and back.after == first.base
    assert check(document_of(back), end) is None
    assert after(back, end).crosses(after(back, end).circuits).tolist() == base.crosses(base.circuits).tolist()
    assert "stale" in check(document_of(first), end)


def test_the_timeline_agrees(made):
    base, first = made
    spans = timeline(first, base)
    during = [span for span in spans if span.seconds]
    assert [round(span.low, 4) for span in during] == [round(stage.throughput, 4) for stage in first.stages]
    assert sum(span.seconds for span in during) / 60 == pytest.approx(first.summary["minutes"], abs=0.01)
    before = sum(links.number for stage in first.stages for links in stage.drain)
    assert before == first.summary["down"]


def test_stated_again_after_a_change_it_is_still_refused(made):
    """The digest alone finds what no other rule forbids."""
    base, first = made
    document = document_of(first)
    document["stages"][0]["reason"] = "because"
    assert check(document, base).startswith("the digest is not that of the file")


def corrupted(document, draws):
    """One random thing that must not be."""
    stages = document["stages"]
    stage = stages[draws.integers(len(stages))]
    changes = [c for c in stage["changes"] if c["add"] and c["delete"]]
    change = changes[draws.integers(len(changes))]
    kind = draws.integers(12)
    rows = change["add"] if draws.integers(2) else change["delete"]
    row = rows[draws.integers(len(rows))]
    if kind == 0:  # ports swapped between two cross-connects, or the two of one
        if len(rows) > 1:
            other = rows[(rows.index(row) + 1) % len(rows)]
            row[1], other[1] = other[1], row[1]
        else:
            row[0], row[1] = row[1] + 1, row[0]
    elif kind == 1:
        rows.remove(row)
    elif kind == 2:
        rows.append(list(row))
    elif kind == 3:
        key = ["before", "after"][draws.integers(2)]
        change[key] = change[key][::-1]
    elif kind == 4:
        document["floor"]["share"] += 0.01 + 0.3 * draws.random()
    elif kind == 5:
        document["floor"]["throughput"] += 0.01 + draws.random()
    elif kind == 6:
        stage["throughput"] += 0.01 + draws.random()
    elif kind == 7:
        document["summary"][["down", "up", "kept", "stages"][draws.integers(4)]] += 1
    elif kind == 8:
        table = document[["base", "after"][draws.integers(2)]]
        table[draws.choice(sorted(table))] = "0" * 64
    elif kind == 9:
        links = stage[["drain", "undrain"][draws.integers(2)]]
        links[draws.integers(len(links))]["number"] += 1
    elif kind == 10:
        stages.remove(stage)
    else:
        document["target"][draws.integers(len(document["target"]))]["number"] += 1
    for one in stages:  # as one would who knows the format
        one["rollback"] = [
            {"switch": c["switch"], "delete": c["add"], "add": c["delete"], "before": c["after"], "after": c["before"]}
            for c in reversed(one["changes"])
        ]
    document["digest"] = digest(document)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_corruption_is_found(made, seed):
    base, first = made
    document = copy.deepcopy(document_of(first))
    corrupted(document, np.random.default_rng(seed))
    assert check(document, base) is not None


def test_a_rollback_that_is_not_one(made):
    base, first = made
    document = document_of(first)
    document["stages"][0]["rollback"].pop()
    document["digest"] = digest(document)
    assert check(document, base) == "stage 1: its rollback is not its changes backwards"


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from(["bidi", "duplex", "simplex"]))
def test_any_two_legal_states(seed, blocks, kind):
    draws = np.random.default_rng(seed)
    states = []
    for _ in range(2):
        state = np.zeros((2, blocks, blocks), np.int16)
        for _ in range(12):
            k, i, j = draws.integers(2), *draws.integers(blocks, size=2)
            out, into = state[k].sum(axis=1), state[k].sum(axis=0)
            used = (out + into)[[i, j]] if kind == "duplex" else np.array([out[i], into[j]])
            state[k, i, j] += i != j and (used < 3).all()
        states.append(state)
    there = np.full((blocks, 2), 3, np.int32)
    wiring = Wiring(kind, [f"b{i}" for i in range(blocks)], ["x", "y"], there, there, np.zeros(2, np.int32))
    base = ports_of_wiring(wiring, states[0])
    try:
        found = plan_change(base, wiring.links(states[1]), None, Options(effort="low", seed=seed), catalogue())
    except InfeasibleError as error:
        assert "no placement found" in str(error)
        return
    assert check(document_of(found), base) is None
    end = after(found, base)
    assert (end.wiring.links(end.counts()) == wiring.links(states[1])).all()
    assert check(document_of(found.reversed()), end) is None


@pytest.mark.parametrize(("slice_", "moves"), [("8x8x8", 96), ("4x4x8", 64)])
def test_a_cube_is_swapped(slice_, moves):
    """A cube has 96 strands on 48 switches; where it is alone in a dimension it joins itself there, one circuit for
    two strands: 4 x 4 x 8 has two such dimensions of 16 switches."""
    topology = build(f"tpu-pod:slice={slice_}")
    cubes = tuple(range(len(topology.accelerators) // 64))
    before, after = (Pod((Slice(topology, (*cubes[:-1], last)),)).layer() for last in (cubes[-1], 20))
    found = of_pods(Pod((Slice(topology, cubes),)), Pod((Slice(topology, (*cubes[:-1], 20)),)))
    assert found.exact and (found.before.state == before.state).all() and (found.after.state == after.state).all()
    made = plan(before, after)
    touched = {change.switch for stage in made.stages for change in stage.changes}
    assert (made.summary["down"], made.summary["up"], len(touched)) == (moves, moves, 48)


def test_from_and_to_of_other_wirings():
    with pytest.raises(ConfigError, match="a plan moves circuits on the same switches"):
        plan("jupiter:blocks=4,uplinks=6", "jupiter:blocks=64,uplinks=512")
    with pytest.raises(ConfigError, match="has no circuit switches"):
        plan("ring:n=4", "ring:n=4")
    with pytest.raises(ConfigError, match="says no target"):
        plan("tpu-pod:slice=4x4x8")
    assert len(read_base("tpu-pod:slice=4x4x8", catalogue()).wiring.blocks) == 64


def test_blocks_are_added():
    before, after = "jupiter:blocks=6,uplinks=20", "jupiter:blocks=8,uplinks=20"
    made = plan(before, after, effort="low")
    base = read_base(before, catalogue(), after)
    assert check(document_of(made), base) is None and made.summary["up"] > made.summary["down"]
    assert "2 blocks added: block-6 to block-7" in made.warnings


def test_a_pod_says_what_stays_usable():
    made = plan("2*tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8+tpu-pod:slice=4x4x8,twist=true")
    assert [made.summary[f"chips_{when}"] for when in ("before", "during", "after")] == [256, 128, 256]
