"""Targets: scaling, rounding and direct links against enumeration, linear programs and what must hold of any target."""

from collections.abc import Callable
from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from fabric.planning.curve import curve, document, lines, picture
from fabric.planning.demand import port_bound
from fabric.planning.ports import Ports, ports_of_layer
from fabric.planning.target import FAINT, block_links, direct_links, engineer, gbps_of, rounded, scaled
from fabric.planning.wiring import lower_bound
from topologies.errors import ConfigError, InfeasibleError
from topologies.graph import Topology

Built = Callable[[str], Topology]


def _ports(built: Built, spec: str) -> Ports:
    layer = built(spec).circuits
    assert layer is not None
    return ports_of_layer(layer)


@st.composite
def demands(draw: st.DrawFn, least: int = 3, most: int = 7) -> np.ndarray:
    n = draw(st.integers(least, most))
    values = draw(st.lists(st.sampled_from([0.0, 1, 2, 5, 30]), min_size=n * n, max_size=n * n))
    matrix = np.array(values, float).reshape(n, n)
    np.fill_diagonal(matrix, 0)
    matrix[0, 1] += 1
    return matrix


@settings(max_examples=40, deadline=None)
@given(demands(), st.lists(st.integers(1, 12), min_size=7, max_size=7))
def test_scaled_links_are_symmetric_and_fill_the_ports(demand: np.ndarray, ports: list[int]) -> None:
    own = np.array(ports[: len(demand)])
    found = scaled(np.maximum(demand, demand.T), own)
    assert np.array_equal(found, found.T)
    assert (found.sum(axis=1) <= own * (1 + 1e-9)).all()
    usable = np.minimum(own, own.sum() - own)  # a block with more ports than all others leaves some idle
    if (2 * usable < usable.sum()).all():
        assert found.sum(axis=1) == pytest.approx(usable, rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(demands(), st.lists(st.integers(1, 12), min_size=7, max_size=7), st.floats(1.01, 100), st.data())
def test_more_demand_of_a_pair_never_lowers_its_share(
    demand: np.ndarray, ports: list[int], factor: float, data: st.DataObject
) -> None:
    wanted = np.maximum(demand, demand.T)
    i, j = data.draw(st.sampled_from(np.argwhere(np.triu(wanted) > 0).tolist()))
    own = np.array(ports[: len(demand)])
    more = wanted.copy()
    more[[i, j], [j, i]] *= factor
    before, after = scaled(wanted, own)[i, j], scaled(more, own)[i, j]
    assert after >= before - 1000 * FAINT * own.max()


def test_a_product_of_weights_scales_to_the_closed_form_of_equal_blocks() -> None:
    """Equal demand, equal ports: ports / (n - 1) links a pair."""
    for n, p in ((4, 6), (5, 8), (64, 512)):
        assert scaled(np.ones((n, n)), np.full(n, p))[0, 1:] == pytest.approx(p / (n - 1))


def _enumerated(fraction: np.ndarray, ports: np.ndarray, now: np.ndarray, slack: float) -> tuple[int, int]:
    """Most links and, with as many, fewest taken down, over all connected roundings."""
    n = len(ports)
    i, j = np.triu_indices(n, 1)
    low = np.maximum(0, np.ceil(fraction[i, j] - slack - 1e-9)).astype(int)
    high = np.floor(fraction[i, j] + slack + 1e-9).astype(int)
    choices = [range(a, b + 1) for a, b in zip(low, high, strict=True)]
    best = (0, 0)
    for links in product(*choices):
        whole = np.zeros((n, n), int)
        whole[i, j] = links
        whole += whole.T
        if (whole.sum(axis=1) <= ports).all() and nx.is_connected(nx.from_numpy_array(whole)):
            best = max(best, (sum(links), -lower_bound(now, whole)))
    return best[0], -best[1]


@settings(max_examples=25, deadline=None)
@given(demands(4, 4), st.lists(st.integers(2, 5), min_size=4, max_size=4), st.integers(0, 10**6))
def test_rounding_has_most_links_and_moves_fewest_of_all_roundings(
    demand: np.ndarray, ports: list[int], seed: int
) -> None:
    own, draws = np.array(ports), np.random.default_rng(seed)
    fraction = scaled(np.maximum(demand, demand.T), own)
    now = np.triu(draws.integers(0, 3, (4, 4)), 1)
    now = now + now.T
    for slack in (1.0, 2.0):
        links, moved = _enumerated(fraction, own, now, slack)
        found = rounded(fraction, own, now, slack, seed=seed)
        assert (int(found.sum()) // 2, lower_bound(now, found)) == (links, moved)


@settings(max_examples=15, deadline=None)
@given(st.data(), st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0]))
def test_an_engineered_target_is_symmetric_within_ports_connected_and_within_slack(
    built: Built, data: st.DataObject, slack: float
) -> None:
    ports = _ports(built, "jupiter:blocks=6,uplinks=20")
    values = data.draw(st.lists(st.integers(0, 50), min_size=36, max_size=36))
    demand = np.array(values, float).reshape(6, 6)
    np.fill_diagonal(demand, 0)
    demand[2, 3] += 1
    found = engineer(ports, demand, slack=slack, seed=len(values))
    assert np.array_equal(found.links, found.links.T)
    assert not np.diag(found.links).any()
    assert (found.links.sum(axis=1) <= block_links(ports)).all()
    assert nx.is_connected(nx.from_numpy_array(found.links))
    assert (np.abs(found.links - found.fraction) <= max(slack, 1.0) + 1e-6).all()
    assert found.throughput <= found.upper <= found.bound == port_bound(demand, gbps_of(ports))


def test_the_whole_links_of_an_equal_demand_are_the_mesh_that_is_wired(built: Built) -> None:
    ports = _ports(built, "jupiter-64x512")
    found = engineer(ports, 100 * (1 - np.eye(64)))
    assert found.moved == 0
    assert np.array_equal(found.links, ports.links(ports.counts()))


def test_links_that_slack_saves_at_64_blocks(built: Built) -> None:
    """The same number of links within 1, 1.5 and 2 of the fraction: each moves far fewer than the nearest rounding."""
    ports = _ports(built, "jupiter-64x512")
    draws = np.random.default_rng(1)
    fraction = scaled((lambda d: np.maximum(d, d.T))(draws.lognormal(0, 0.1, (64, 64))), block_links(ports))
    now = ports.links(ports.counts())
    moved = []
    for slack in (0.0, 1.0, 2.0):
        links = rounded(fraction, block_links(ports), now, slack)
        assert links.sum() == 64 * 512
        moved.append(lower_bound(now, links))
    assert moved[1] < 0.7 * moved[0]
    assert moved[2] < 0.3 * moved[1]


def test_two_seeds_break_ties_differently_and_one_seed_the_same() -> None:
    fraction = np.full((6, 6), 1.5) - 1.5 * np.eye(6)
    own, none = np.full(6, 7), np.zeros((6, 6), np.int64)
    found = [rounded(fraction, own, none, 0.0, seed=seed).tobytes() for seed in (0, 0, 1, 2, 3)]
    assert found[0] == found[1]
    assert len(set(found)) > 1


def test_blocks_that_want_nothing_of_each_other_stay_connected(built: Built) -> None:
    ports = _ports(built, "jupiter:blocks=6,uplinks=20")
    demand = np.zeros((6, 6))
    demand[0, 1] = demand[2, 3] = demand[4, 5] = 400.0
    found = engineer(ports, demand, slack=0)
    assert nx.is_connected(nx.from_numpy_array(found.links))
    assert found.throughput == pytest.approx(19, abs=1)  # all ports but those that tie the three pairs together


def test_direct_links_carry_what_the_linear_program_allows_but_for_whole_links(built: Built) -> None:
    draws = np.random.default_rng(5)
    for n, p in ((4, 40), (6, 100)):
        wanted = draws.integers(1, 20, (n, n)).astype(float)
        wanted = np.triu(wanted, 1) + np.triu(wanted, 1).T
        links = direct_links(wanted, np.full(n, p), [str(b) for b in range(n)])
        assert (links.sum(axis=1) <= p).all()
        off = ~np.eye(n, dtype=bool)
        multiple = (links[off] / wanted[off]).min()
        best = linprog([-1.0], wanted.sum(axis=1)[:, None], np.full(n, p)).x[0]
        assert multiple <= best + 1e-9
        # no larger multiple has room: each pair needs the next whole link
        more = np.ceil((multiple + 1e-6) * wanted)
        assert (more.sum(axis=1) > p).any()


def test_direct_targets_keep_every_pair_on_its_own_links(built: Built) -> None:
    ports = _ports(built, "jupiter:blocks=4,uplinks=12")
    demand = 400.0 * np.array([[0, 6, 2, 1], [1, 0, 1, 2], [2, 1, 0, 6], [1, 2, 1, 0]])
    found = engineer(ports, demand, direct=True)
    both = np.maximum(demand, demand.T) / 400
    off = both > 0
    assert (found.links[off] / both[off]).min() == pytest.approx(found.throughput)
    assert found.throughput == pytest.approx(4 / 3, abs=1 / 3)
    with pytest.raises(InfeasibleError, match="leave --direct out"):
        direct_links(np.ones((4, 4)), np.full(4, 2), "abcd")


def test_slower_blocks_count_at_their_rate(built: Built) -> None:
    ports = _ports(built, "jupiter:blocks=6,uplinks=20,generations=200x400,generation_blocks=3x3")
    found = engineer(ports, 100.0 * (1 - np.eye(6)))
    assert found.bound == pytest.approx(20 * 200 / 500)
    # alike within either generation (s) and between them (m): s s / (m m) = (1/2 1/4) / (1/2 1/2), 2 s + 3 m = 20
    alike = 20 / (2 + 3 * 2**0.5)
    assert found.fraction[[0, 4, 0], [1, 5, 5]] == pytest.approx([alike, alike, alike * 2**0.5], rel=1e-4)


def test_the_curve_rises_and_is_the_same_twice(built: Built) -> None:
    ports = _ports(built, "jupiter:blocks=8,uplinks=28")
    draws = np.random.default_rng(2)
    demand = 400 * draws.lognormal(0, 1, (8, 8)) * (1 - np.eye(8))
    target = engineer(ports, demand)
    points = curve(ports, demand, target)
    assert points[0].moved == 0
    assert [p.moved for p in points] == sorted(p.moved for p in points)
    assert all(p.throughput <= p.upper <= target.bound for p in points)
    assert max(p.throughput for p in points) > points[0].throughput
    assert any(p.moved == target.moved and p.throughput == pytest.approx(target.throughput, rel=0.02) for p in points)
    assert curve(ports, demand, target) == points
    assert len(lines(points, target.bound)) == len(points) + 1 == len(document(points)) + 1
    assert picture(points, target.bound).count("<circle") == len(points)


def test_what_no_target_can_be_is_refused(built: Built) -> None:
    ports = _ports(built, "jupiter:blocks=4,uplinks=6")
    for slack in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match="slack"):
            engineer(ports, 1 - np.eye(4), slack=slack)


def test_one_pair_alone_takes_all_ports_of_direct_links_and_is_told_what_follows(built: Built) -> None:
    ports = _ports(built, "jupiter:blocks=6,uplinks=20")
    demand = np.zeros((6, 6))
    demand[0, 1] = 400.0
    found = engineer(ports, demand, direct=True)
    assert found.links[0, 1] == 20
    assert found.throughput == found.bound == 20
    assert any("nothing connects" in note for note in found.notes)
    assert any("nothing need move" in note for note in engineer(ports, demand).notes)
