"""Ranks and Pareto marks of comparable sets."""

import pytest

from fabric.comparison import _dominates, compare
from topologies.errors import ConfigError


def test_an_unknown_measure_beats_no_known_one():
    unknown = float("inf")
    assert not _dominates((1.0, unknown, unknown), (1.0, 10.0, 5.0))
    assert _dominates((1.0, 10.0, 5.0), (1.0, unknown, unknown))
    assert not _dominates((1.0, 10.0, unknown), (1.0, 10.0, unknown))


def test_half_a_per_cent_of_time_is_no_merit():
    assert _dominates((1.004, 9.0, 5.0), (1.0, 10.0, 5.0))
    assert not _dominates((1.0, 10.0, 5.0), (1.004, 10.0, 5.0))
    assert _dominates((1.0, 10.0, 5.0), (1.1, 10.0, 5.0))


@pytest.mark.parametrize(
    ("specs", "measures"),
    [
        (["ring:n=8", "ring:n=8,technology=pluggable"], "time, power and capex"),
        (["nvl72", "nvl72:technology=pluggable"], "time and power"),  # an NVSwitch has no price
        (["ring:n=8", "switch:n=8"], "time, power where known and capex where known"),
        (["switch:n=8", "switch:n=8,rate_gbps=800"], "time"),
    ],
)
def test_the_front_is_in_what_is_known(specs, measures):
    assert list(compare(specs, ["all-reduce"]).measures.values()) == [measures]


def test_what_stands_alone_has_no_front():
    assert compare(["ring:n=8"], ["all-reduce"]).measures == {}


SMALL = "jupiter:blocks=8,uplinks=64"


@pytest.mark.parametrize("rank_all", [False, True])
def test_rows_that_count_other_layers_are_not_ranked_together(rank_all):
    specs = [SMALL, f"{SMALL},spine=true", f"{SMALL},boundary=hosts+blocks+spine", "clos:hosts=512"]
    sets = compare(specs, ["all-to-all"], rank_all=rank_all).sets
    assert [{row.result.topology for row in rows} for rows in sets.values()] == [set(specs[:2]), set(specs[2:])]
    assert ["without hosts" in name for name in sets] == [True, False]


def test_what_cannot_be_built_is_not_ranked():
    specs = ["nvl72:length_m=5", "nvl72:technology=pluggable", "nvl72"]
    rows = compare(specs, ["all-reduce"]).rows
    assert [(row.result.topology, row.rank) for row in rows] == [(specs[2], 1), (specs[1], 2), (specs[0], None)]
    assert rows[2].pareto is None and "over the copper wall: 5 m of nvlink5-cartridge" in rows[2].unranked
    assert [row.unranked for row in rows[:2]] == [None, None]


def test_what_is_left_may_stand_alone_or_be_nothing():
    pair = compare(["nvl72:length_m=5", "nvl72"], ["all-reduce"])
    assert [row.rank for row in pair.rows] == [None, None]
    assert pair.measures == {} and "nvl72 stands alone" in next(iter(pair.sentences.values()))
    assert list(compare(["nvl72:length_m=5"], ["all-reduce"]).sentences.values()) == [
        "Nothing here can be built as given."
    ]


def test_what_has_no_answer_does_not_stop_the_others():
    specs = ["torus:dims=4x4", "switch:n=16"]
    found = compare(specs, ["all-reduce", "broadcast"], algorithm="bucket")
    assert [(row.result.topology, row.result.collective) for row in found.rows] == [(specs[0], "all-reduce")]
    assert [(row.topology, row.collective) for row in found.infeasible] == [
        (specs[0], "broadcast"), (specs[1], "all-reduce"), (specs[1], "broadcast"),
    ]  # fmt: skip
    assert all("bucket" in row.error and "\n" not in row.error for row in found.infeasible)


def test_a_misspelt_fabric_is_an_error_and_no_row():
    with pytest.raises(ConfigError, match="did you mean 'torus'"):
        compare(["ring:n=4", "torsu:dims=4x4"])


def test_a_routing_that_does_not_fit_one_fabric_does_not_stop_the_others():
    found = compare(["torus:dims=4x4", "switch:n=16"], ["all-reduce"], routing="dor")
    assert len(found.rows) == 1 and "it is no grid" in found.infeasible[0].error


@pytest.mark.parametrize(
    "wrong",
    [{"algorithm": "x"}, {"routing": "x"}, {"overlap": "x"}, {"tie": "x"}, {"transport": "x"}, {"size": 0},
     {"collectives": ["x"]}],
)  # fmt: skip
def test_a_misspelt_choice_is_an_error_and_no_row(wrong):
    with pytest.raises(ConfigError):
        compare(["ring:n=4"], **wrong)
