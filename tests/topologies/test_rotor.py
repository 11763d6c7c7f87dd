"""Rotor fabrics: matchings, shares of time, waits, and the expander of one moment."""

from collections import Counter
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.errors import ConfigError, TopologyError
from topologies.registry import build
from topologies.rotor import _matchings


@given(st.integers(2, 40), st.integers(0, 3))
def test_matchings_hold_every_pair_once(racks, seed):
    found = _matchings(racks, Random(seed))
    pairs = Counter()
    for left, right in found:
        ends = np.concatenate([left, right])
        assert len(set(ends.tolist())) == len(ends) == racks - racks % 2
        pairs.update(frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True))
    assert pairs == Counter(frozenset(pair) for pair in combinations(range(racks), 2))
    assert len(found) == racks - 1 + racks % 2


@pytest.mark.parametrize(
    ("spec", "slots", "duty"),
    [
        ("racks=8,uplinks=7,slot_us=200,guard_us=20", 1, 0.9),
        ("racks=8,uplinks=1,slot_us=200,guard_us=0", 7, 1 / 7),
        ("racks=9,uplinks=3,slot_us=100,guard_us=10", 3, 0.3),  # nine matchings, one rack out of each
        ("racks=8,uplinks=2,slot_us=100,guard_us=10", 4, 0.9 / 4),  # one of eight slots is dark
    ],
)
def test_shares_and_waits(spec, slots, duty):
    """Down for D of a cycle T: a message waits D/2 with probability D/T, at most D."""
    built = build(f"rotor:{spec}")
    edges = [edge for _, _, edge in built.graph.edges(data=True) if edge["medium"] == "circuit"]
    racks = built.attribute("kind").count("switch")
    assert len(edges) == racks * (racks - 1) // 2
    slot = float(spec.split("slot_us=")[1].split(",")[0])
    cycle = slots * slot
    down = cycle - duty * cycle
    [(share, mean, worst)] = {(edge["duty"], edge["wait_ns"], edge["worst_wait_ns"]) for edge in edges}
    assert share == pytest.approx(duty)
    assert (mean, worst) == pytest.approx((down * down / (2 * cycle) * 1e3, down * 1e3))


def test_modules_and_strands():
    built = build("rotor:racks=10,uplinks=3,hosts=2")
    layer = built.circuits
    assert (layer.devices, len(layer.strands), layer.circuits) == (3, 2 * 30, 30)  # five links a switch, each way
    assert built.graph.number_of_edges() == 45 + 20
    with pytest.raises(TopologyError, match="go through a cycle; no state of them can be set"):
        built.with_state(layer.state[:2])


def test_opera_counts_hops_where_rotornet_waits():
    waits, hops = (build(f"rotor:racks=16,uplinks=5,schedule={s},slot_us=400") for s in ("rotornet", "opera"))
    [slow] = {edge["latency_ns"] for _, _, edge in waits.edges if edge["duty"] < 1}
    [fast] = {edge["latency_ns"] for _, _, edge in hops.edges if edge["duty"] < 1}
    assert {edge["wait_ns"] for _, _, edge in hops.edges if edge["duty"] < 1} == {0.0}
    assert 1.5 * slow < fast < 3 * slow  # four of five uplinks up: 4 of 15 racks are one hop away
    assert any("at one moment 4 of 5 uplinks join the racks" in note for note in hops.notes)


def test_hops_of_a_moment_by_hand():
    """Four racks, three switches, one slot: two matchings that are up make a ring, of mean distance 4/3."""
    built = build("rotor:racks=4,uplinks=3,hosts=1,schedule=opera,slot_us=300")
    assert any("1.33 hops on average, at most 2 seen" in note for note in built.notes)


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("racks=1,uplinks=1", ConfigError, "racks = 1 joins nothing"),
        ("racks=4,uplinks=4", ConfigError, "4 uplinks exceed the 3 matchings"),
        ("racks=8,uplinks=2,slot_us=20", ConfigError, "a slot of 20 us is all guard (20 us)"),
        ("racks=129,uplinks=2", TopologyError, "129 racks need as many ports on either side of each rotor-128"),
        ("racks=8,uplinks=1,schedule=opera", ConfigError, "opera needs more uplinks"),
        ("racks=16,uplinks=2,schedule=opera", ConfigError, "do not join 16 racks at every moment"),
        ("racks=64,uplinks=32,hosts=40,switch=qm9700", TopologyError, "40 hosts and 32 uplinks exceed the 64 ports"),
        ("racks=8,uplinks=2,optic=400g-fr4-bidi", ConfigError, "has not one fibre each way"),
        ("racks=8,uplinks=2,ocs=palomar", ConfigError, "no ocs is named 'palomar'"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(f"rotor:{spec}")
    assert said in str(error.value) and "\n" not in str(error.value)
