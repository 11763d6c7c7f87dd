"""The best algorithm at every size: crossovers to the byte, and no named algorithm below the best."""

import itertools
import math
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from fabric.crossovers import Crossover, crossovers, named
from fabric.drawing.axes import Scale, round_ticks, size_ticks, spread
from fabric.drawing.speeds import draw_speeds
from fabric.schedules.msccl import read_algorithm
from fabric.schedules.tuned import best_file, files_of_spans
from fabric.timing import Assumptions, candidates
from fabric.tuning import parse_sizes, tune
from topologies.errors import ConfigError, InfeasibleError

FABRICS = ["switch:n=6", "torus:dims=4x4", "rail:servers=4,gpus=4", "full-mesh:n=5", "fat-tree:k=4", "ring:n=7"]
RING = "ring:n=4,rate_gbps=400,latency_ns=1000"


def test_algorithms_cross_where_their_lines_do():
    """Two lines a + b S meet at (a2 - a1) / (b1 - b2); the best changes at the next whole byte."""
    tuned = tune("torus:dims=4x4,latency_ns=1000", "all-reduce")
    lines = {p.schedule.algorithm: (Fraction(p.latency_s), Fraction(p.per_byte_s)) for p in tuned.plans}
    assert tuned.crossovers
    for crossover in tuned.crossovers:
        (a1, b1), (a2, b2) = lines[crossover.before], lines[crossover.after]
        assert abs(crossover.size_bytes - math.ceil((a2 - a1) / (b1 - b2))) <= 1


@settings(max_examples=20, deadline=None)
@given(
    spec=st.sampled_from(FABRICS),
    name=st.sampled_from(["all-reduce", "all-gather", "broadcast", "all-to-all"]),
    sizes=st.lists(st.integers(1, 2**34), min_size=1, max_size=6),
)
def test_best_is_least_and_bound_is_above_and_time_rises(built, spec, name, sizes):
    tuned = tune(built(spec), name, sizes)
    assert [row.size_bytes for row in tuned.rows] == sorted(set(sizes))
    times = [row.time_us for row in tuned.rows]
    assert all(a < b for a, b in itertools.pairwise(times))
    for i, row in enumerate(tuned.rows):
        assert row.time_us <= min(curve.time_us[i] for curve in tuned.curves) * (1 + 1e-9)
        assert row.bound_time_us <= row.time_us * (1 + 1e-9)
        assert 0 < row.of_bound <= 1 + 1e-9
        assert row.next is None or row.next.time_us >= row.time_us * (1 - 1e-9)


@pytest.mark.parametrize("spec", FABRICS)
def test_best_is_what_simulate_takes_and_changes_only_at_crossovers(built, spec):
    tuned = tune(built(spec), "all-reduce", "1KiB-1GiB")
    starts = {start: plan.schedule.algorithm for start, _, plan in tuned.spans()}
    for row in tuned.rows[::7]:
        found = fabric.simulate(built(spec), "all-reduce", row.size_bytes, tune="best")
        assert row.time_us == pytest.approx(found.time_us, rel=1e-12)
        assert row.of_bound == pytest.approx(found.of_bound, rel=1e-12)
        assert row.algorithm == starts[max(start for start in starts if start <= row.size_bytes)]
    for crossover in tuned.crossovers:
        names = [named(tuned.best(size).schedule.algorithm, tuned.best(size).protocol(size))
                 for size in (crossover.size_bytes - 1, crossover.size_bytes)]  # fmt: skip
        assert names == [crossover.before, crossover.after] and names[0] != names[1]


@pytest.mark.parametrize("spec", ["rail:servers=4,gpus=4", "nvl72:gpus=8"])
def test_library_takes_what_it_would_by_itself(built, spec):
    """Never faster than the best of all at its costs; the same as `solve` without --tune."""
    tuned = tune(built(spec), "all-reduce", "1KiB-1GiB")
    assert tuned.transport == "nccl" and tuned.library
    for row in tuned.rows[::3]:
        found = fabric.simulate(built(spec), "all-reduce", row.size_bytes)
        chosen = row.library
        assert (chosen.algorithm, chosen.protocol) == (found.algorithm, found.protocol)
        assert chosen.time_us == pytest.approx(found.time_us, rel=1e-12)
        assert chosen.takes == pytest.approx(chosen.time_us / row.time_us, rel=1e-12) and chosen.takes > 1 - 1e-9
    taken = [named(row.library.algorithm, row.library.protocol) for row in tuned.rows]
    changes = [b for a, b in itertools.pairwise(taken) if a != b]
    assert set(changes) <= {crossover.after for crossover in tuned.library_crossovers}
    assert len(changes) <= len(tuned.library_crossovers)
    raw = tune(built(spec), "all-reduce", "1KiB-1GiB", transport="ideal")
    assert {row.library for row in raw.rows} == {None} and not raw.library_crossovers
    assert all(row.protocol is None for row in raw.rows)


def test_every_size_is_the_same_solve(built):
    """Named, one algorithm is left: nothing is next, nothing crosses."""
    tuned = tune(built("torus:dims=4x4"), "all-reduce", "1MiB", algorithm="ring")
    (row,) = tuned.rows
    assert (row.algorithm, row.next, tuned.crossovers) == ("ring", None, ())


def test_candidates_are_all_that_apply(built):
    from fabric.collectives import collective

    pattern = collective("all-to-all", 16)
    names = {p.schedule.algorithm for p in candidates(built("rail:servers=4,gpus=4"), pattern, Assumptions())}
    assert {"direct", "pxn"} <= names and "bucket" not in names
    with pytest.raises(InfeasibleError):
        candidates(built("switch:n=6"), collective("all-reduce", 6), Assumptions("bucket"))


def test_sizes():
    assert parse_sizes("1KiB-16GiB") == [2**k for k in range(10, 35)]
    assert parse_sizes("7") == [7] and parse_sizes("1KiB-1KiB") == [1024]
    for wrong in ("2KiB-1KiB", "", "1KiB-", "0-1KiB", "1KiB,,2KiB", [], "1KiB-2KiB-4KiB", "1-100EiB"):
        with pytest.raises(ConfigError):
            parse_sizes(wrong)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 300), min_size=1, max_size=15))
def test_labels_are_apart_and_in_order(wanted):
    places = spread(wanted, 14, 0, 300)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert all(places[b] - places[a] >= 14 - 1e-6 for a, b in itertools.pairwise(order))
    assert min(places) >= -1e-6 and max(places) <= 300 + 1e-6


@given(st.floats(1e-3, 1e6))
def test_ticks_are_few_and_cover(high):
    ticks = round_ticks(high)
    assert ticks[0] == 0 and ticks[-2] < high <= ticks[-1] * (1 + 1e-9) and 3 <= len(ticks) <= 7


def test_scales_and_size_ticks():
    assert Scale(1024, 4096, 10, 30, log=True).at(2048) == 20
    assert size_ticks(1000, 1001) == [1000] and len(size_ticks(1, 2**60)) <= 9


def test_picture_names_every_algorithm_once_at_its_line(built):
    tuned = tune(built("rail:servers=4,gpus=4"), "all-reduce", "1KiB-16GiB")
    drawn = draw_speeds(tuned)
    for plan in tuned.plans:
        assert len(re.findall(rf'font-weight="normal">{plan.schedule.algorithm} [0-9]', drawn)) == 1
    assert ">bound " in drawn and drawn.count('#9aa3ae" stroke-dasharray="2 3"') == len(tuned.crossovers)
    assert draw_speeds(tune(built("switch:n=6"), "all-reduce", "1MiB")).endswith("</svg>\n")


def test_files_of_spans_are_for_their_sizes(built, tmp_path):
    """Between them they cover all sizes, and each is our own time at one of them."""
    fabric_of = built(RING)
    tuned = tune(fabric_of, "all-reduce", "1KiB-1GiB", overlap="phased")
    files = files_of_spans(tuned)
    assert len(files) == len(tuned.crossovers) + 1 > 1
    ends = []
    for number, (name, made) in enumerate(files.items(), start=1):
        (tmp_path / name).write_text(made.text)
        read = read_algorithm(tmp_path / name)
        assert name == f"{number}-{tuned.best(read.sizes[0]).schedule.algorithm}.xml"
        ends += read.sizes
        ours = fabric.simulate(
            fabric_of, "all-reduce", read.sizes[1], algorithm=name[2:-4], fidelity="fluid", overlap="phased"
        )
        assert fabric.replay(fabric_of, tmp_path / name, read.sizes[1]).time_us == pytest.approx(ours.time_us, rel=1e-9)
    assert (ends[0], ends[-1]) == (1024, 2**30)
    assert all(b == a + 1 for a, b in zip(ends[1:-1:2], ends[2::2], strict=True))


def test_one_file_at_a_size(built):
    tuned = tune(built(RING), "all-reduce", "1KiB-1GiB", algorithm="ring")
    assert 'name="aifabric-ring-all-reduce"' in best_file(tuned, 2**30).text
    assert "minBytes" not in best_file(tuned, 2**30).text
    under = tune(built("nvl72:gpus=8"), "all-reduce", "1KiB", transport="nccl", algorithm="ring")
    assert ' proto="LL" ' in best_file(under, 1024).text
    with pytest.raises(InfeasibleError, match="nvls lets switches reduce"):
        best_file(tune(built("nvl72:gpus=8"), "all-reduce", "1GiB", algorithm="nvls"), 2**30)
    with pytest.raises(InfeasibleError, match="direct has 48,000,000 messages or more; at most 30,000"):
        best_file(tune(built("fat-tree:k=4"), "all-reduce", "1KiB", algorithm="direct", overlap="chunked:100000"), 1024)


def test_direct_and_ring_cross_by_hand_on_a_ring_of_four(built):
    """Links of B = 50e9 bytes/s and 1 us. Direct, twice: S/4 to both neighbours and S/4 to the rank opposite, half each
    way over two links, S/2 on each link, 2 us: S/B + 4 us. Ring both ways: 2 3/4 S/2 and 6 rounds: 3/4 S/B + 6 us.
    They meet at S = 4 B 2 us = 400,000 bytes; one byte more, and the ring is faster.
    """
    plans = tune(RING, "all-reduce", "1KiB").plans
    two = [plan for plan in plans if plan.schedule.algorithm in ("direct", "ring")]
    assert [plan.time_s(0) for plan in two] == pytest.approx([4e-6, 6e-6])
    assert crossovers(two, 1, 2**30) == [Crossover(400_001, "direct", "ring")]
    assert crossovers(two, 1, 400_000) == crossovers(two, 400_001, 2**30) == []
