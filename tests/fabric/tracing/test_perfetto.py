"""The trace for Perfetto: one slice for every operation that takes time, none across another on its thread."""

import json
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

import fabric
from fabric.tracing.perfetto import MOST_EVENTS, trace_events
from fabric.tracing.timeline import Timeline
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
    found = busy(hand)
    slices = [event for event in events(found) if event["ph"] == "X"]
    assert len(slices) == found.operations == 5
    last = next(event for event in slices if event["name"] == "sum")
    assert (last["pid"], last["ts"], last["dur"]) == (2, pytest.approx(5), 3)
    assert last["args"] == {"compute_us": 3.0, "critical": True}
    sent = next(event for event in slices if event["name"] == "from 0")
    assert sent["args"]["to"] == "rank 2" and sent["args"]["waiting_us"] == pytest.approx(3)


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
    assert set(names) == set(threads) and sorted(names.values()) == ["compute", "send", "send", "send 2", "send 2"]
    assert [e["args"]["name"] for e in made if e["name"] == "process_name"] == ["rank 0", "rank 1", "rank 2"]


def test_too_many_operations():
    many = MOST_EVENTS + 1
    line = Timeline(
        ["rank 0"], np.ones(1, np.int64), ("compute",), np.zeros(many, np.int16), np.zeros(many, np.int32),
        np.full(many, -1, np.int32), np.zeros(many), np.ones(many), np.zeros((many, 4)), np.zeros(many + 1, np.int64),
        np.zeros(0, np.int32), str,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="holds 2,000,000"):
        trace_events(line, np.zeros(0, np.int64))
