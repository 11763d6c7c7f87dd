"""PolarFly: the polarity graph by its equation, M M = J + q I with the quadrics' loops in M."""

import networkx as nx
import numpy as np
import pytest

from fabric.metrics import distances
from fabric.symmetry import symmetry
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


@pytest.mark.parametrize("q", [2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 23, 25, 27, 31])
def test_any_two_points_have_one_line(q):
    """Lines of a projective plane meet in one point, so two routers have one neighbour in common, loops counted."""
    built = build(f"polarfly:q={q},p=1")
    routers = built.graph.subgraph([v for v in built.graph if str(v).startswith("router")])
    m = nx.to_numpy_array(routers, weight="count")
    n = q * q + q + 1
    degree = m.sum(axis=1)
    assert len(m) == n and sorted(set(degree.tolist())) == [q, q + 1] and (degree == q).sum() == q + 1
    m += np.diag(degree == q)
    assert np.array_equal(m @ m, np.ones((n, n)) + q * np.eye(n))
    assert built.links == n + q * (q + 1) ** 2 // 2
    diameter, average, between = distances(built)
    assert (diameter, between) == (4, 2)
    pairs = n * (n - 1)
    near = q * (q + 1) ** 2  # ordered pairs of joined routers
    assert average == pytest.approx((3 * near + 4 * (pairs - near)) / pairs, rel=1e-12)


@pytest.mark.parametrize(("q", "p"), [(3, 2), (7, 4), (8, 5), (31, 16)])
def test_end_points(q, p):
    """p = ceil((q + 1) / 2)."""
    assert len(build(f"polarfly:q={q}").accelerators) == p * (q * q + q + 1)


def test_share_of_the_moore_bound():
    """Radix 32: 993 of 1 + 32^2 routers, 96.9 %, as published."""
    built = build("polarfly:q=31,p=1")
    assert built.attribute("kind").count("switch") / (1 + 32**2) == pytest.approx(0.969, abs=5e-4)


@pytest.mark.parametrize(("q", "kinds"), [(5, 3), (7, 3), (9, 3), (4, 3), (8, 3)])
def test_orbits(q, kinds):
    """Odd q: quadrics, points on tangents, points on none (Lakhotia et al., section IV). Even q: quadrics, their one
    common neighbour, the rest."""
    found = symmetry(build(f"polarfly:q={q},p=1"))
    assert len(found.sizes) == kinds
    expected = [q + 1, q * (q + 1) // 2, q * (q - 1) // 2] if q % 2 else [q + 1, 1, q * q - 1]
    assert sorted(found.sizes.tolist()) == sorted(expected)


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("polarfly:q=6", ConfigError, "q = 6 is not a prime power; give q = 5 or q = 7"),
        ("polarfly:q=1", ConfigError, "give q = 2"),
        ("polarfly:q=400", ConfigError, "at most 16,777,216"),
        ("polarfly:q=47,switch=qm9700", TopologyError, "48 links to routers and 24 to accelerators exceed the 64"),
        ("polarfly:q=1,p=0", ConfigError, "p = 0 is below 1"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)
