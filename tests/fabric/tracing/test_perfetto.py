"""The trace for Perfetto: one slice for every operation that takes time, none across another on its thread."""

import json
from collections import defaultdict
from itertools import pairwise

import pytest

import fabric
from fabric.tracing.perfetto import shown, trace_events
from topologies.errors import ConfigError

US = 1e-6


def events(found):
    document = json.loads(found.perfetto())
    assert list(document) == ["displayTimeUnit", "traceEvents"]
    return document["traceEvents"]


def busy(hand):
    """Two messages of 50 kB to one rank at once, and a computation behind them."""
    made = hand(3)
    got = []
    for rank in (0, 1):
        made.send(rank, f"from {rank}", 2, rank, 50e3)
        got.append(made.receive(2, "a", rank, rank, 50e3))
        made.send(rank, f"more from {rank}", 2, 5 + rank, 50e3)
        got.append(made.receive(2, "b", rank, 5 + rank, 50e3))
    made.compute(2, "sum", 3 * US, after=got)
    return fabric.trace("switch:n=3,rate_gbps=400,latency_ns=500", hand(made))


def test_slices(hand):
    """Each message stands at both ends; a computation once."""
    found = busy(hand)
    slices = [event for event in events(found) if event["ph"] == "X"]
    assert found.operations == 5 and len(slices) == 5 + 4
    last = next(event for event in slices if event["name"] == "sum")
    assert (last["pid"], last["ts"], last["dur"]) == (2, pytest.approx(5), 3)
    assert last["args"] == {"compute_us": 3.0, "critical": True}
    sent, come = (event for event in slices if event["name"] == "from 0")
    assert sent["args"]["to"] == "rank 2" and sent["args"]["waiting_us"] == pytest.approx(3)
    assert come["args"]["from"] == "rank 0" and (sent["pid"], come["pid"]) == (0, 2)
    assert (sent["ts"], sent["dur"]) == (come["ts"], come["dur"])


def test_threads_hold_slices_that_do_not_cross(hand):
    found = busy(hand)
    made = events(found)
    threads = defaultdict(list)
    for event in made:
        if event["ph"] == "X":
            threads[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in threads.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-6 for a, b in pairwise(spans))
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in made if e["name"] == "thread_name"}
    assert set(names) == set(threads)
    arriving = [f"send, arriving{number}" for number in ("", " 2", " 3", " 4")]
    assert sorted(names.values()) == ["compute", "send", "send", "send 2", "send 2", *arriving]
    assert [e["args"]["name"] for e in made if e["name"] == "process_name"] == ["rank 0", "rank 1", "rank 2"]


KEYS = {
    "M": {"ph", "name", "pid", "args"}, "X": {"ph", "name", "cat", "pid", "tid", "ts", "dur", "args"},
    "s": {"ph", "name", "cat", "id", "pid", "tid", "ts"}, "f": {"ph", "name", "cat", "id", "pid", "tid", "ts", "bp"},
}  # fmt: skip


def test_every_event_is_one_of_the_format(hand):
    """Its keys and types; arrows in pairs, each end within a slice of its thread, none that goes back in time."""
    made = events(busy(hand))
    slices, arrows = defaultdict(list), defaultdict(dict)
    for event in made:
        assert set(event) - {"tid"} == KEYS[event["ph"]] - {"tid"}
        assert all(isinstance(event[key], int) for key in ("pid", "tid", "id") if key in event)
        assert all(isinstance(event[key], float | int) and event[key] >= 0 for key in ("ts", "dur") if key in event)
        if event["ph"] == "X":
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
        elif event["ph"] in "sf":
            arrows[event["id"]][event["ph"]] = event
    assert len(arrows) == 4 + 1  # messages, and on the path a message before the sum
    for pair in arrows.values():
        assert set(pair) == {"s", "f"} and pair["s"]["name"] == pair["f"]["name"]
        assert pair["s"]["ts"] <= pair["f"]["ts"] and pair["f"]["bp"] == "e"
        for end in pair.values():
            assert any(a <= end["ts"] < b for a, b in slices[end["pid"], end["tid"]])


def test_some_ranks_alone(hand):
    """What goes to ranks that are not shown stands at its source, without an arrow."""
    made = json.loads(busy(hand).perfetto("0"))["traceEvents"]
    assert [(e["name"], e["pid"]) for e in made if e["ph"] == "X"] == [("from 0", 0), ("more from 0", 0)]
    assert not [e for e in made if e["ph"] in "sf"]
    with pytest.raises(ConfigError, match="3"):
        busy(hand).perfetto("3")


def test_of_too_many_ranks_those_of_the_path_are_shown_and_then_the_slowest(hand):
    """Ranks end at 1, 4, 9 and 3 us, with 1, 2, 3 and 3 slices."""
    made = hand(4)
    for rank, micros in enumerate((1, 2, 3, 1)):
        for _ in range(3 if rank > 1 else rank + 1):
            made.compute(rank, "c", micros * US, processor=0)
    found = fabric.trace("switch:n=4", hand(made))
    parts = {most: shown(found.timeline, found.path, found.slowest, most=most) for most in (2, 3, 6, 8, 9)}
    assert {most: part.rows.tolist() for most, part in parts.items()} == {
        2: [2], 3: [2], 6: [1, 2], 8: [1, 2, 3], 9: [0, 1, 2, 3]
    }  # fmt: skip
    assert {part.until_s for most, part in parts.items() if most > 2} == {found.makespan_s}
    cut = json.loads(trace_events(found.timeline, found.path, parts[2]))["traceEvents"]
    assert parts[2].until_s / US == pytest.approx(6)
    assert [event["ts"] for event in cut if event["ph"] == "X"] == [0, pytest.approx(3)]
