"""Ranks and Pareto marks of comparable sets."""

from fabric.comparison import _dominates


def test_an_unknown_measure_beats_no_known_one():
    unknown = float("inf")
    assert not _dominates((1.0, unknown, unknown), (1.0, 10.0, 5.0))
    assert _dominates((1.0, 10.0, 5.0), (1.0, unknown, unknown))
    assert not _dominates((1.0, 10.0, unknown), (1.0, 10.0, unknown))


def test_half_a_per_cent_of_time_is_no_merit():
    assert _dominates((1.004, 9.0, 5.0), (1.0, 10.0, 5.0))
    assert not _dominates((1.0, 10.0, 5.0), (1.004, 10.0, 5.0))
    assert _dominates((1.0, 10.0, 5.0), (1.1, 10.0, 5.0))
