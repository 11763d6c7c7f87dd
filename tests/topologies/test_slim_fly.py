"""Slim Fly: every prime power gives a regular graph of diameter 2; the Hoffman-Singleton graph by its equation."""

from collections import Counter

import networkx as nx
import numpy as np
import pytest

from fabric.metrics import distances
from fabric.simulation import simulate
from fabric.symmetry import symmetry
from topologies.errors import ConfigError, TopologyError
from topologies.fields import field
from topologies.registry import build
from topologies.slim_fly import generator_sets


def wiring(topology):
    """The graph of routers."""
    return topology.graph.subgraph([v for v in topology.graph if str(v).startswith("router")])


@pytest.mark.parametrize("q", [3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 25, 27])
def test_counts_degree_and_diameter(q):
    """2 q^2 routers of degree (3q - d)/2, q = 4w + d; p = ceil(degree / 2) (Besta and Hoefler)."""
    built = build(f"slim-fly:q={q}")
    d = {0: 0, 1: 1, 3: -1}[q % 4]
    degree = (3 * q - d) // 2
    p = (degree + 1) // 2
    n = 2 * q * q
    assert len(built.accelerators) == p * n and built.attribute("kind").count("switch") == n
    assert {size for _, size in wiring(built).degree} == {degree}
    assert built.links == n * (p + degree / 2)
    diameter, average, routers = distances(built)
    assert (diameter, routers) == (4, 2)
    # of n - 1 other routers `degree` are one link away and the rest two; p - 1 accelerators are on one's own
    hops = 2 * (p - 1) + p * (3 * degree + 4 * (n - 1 - degree))
    assert average == pytest.approx(hops / (n * p - 1), rel=1e-12)


@pytest.mark.parametrize("q", [4, 5, 7, 8, 9, 11, 16, 19, 25, 27, 32, 37])
def test_generator_sets(q):
    """Each holds the negatives of all it holds, not 0, and as many as (q - d)/2 (Hafner 2004)."""
    gf = field(q)
    d = {0: 0, 1: 1, 3: -1}[q % 4]
    for chosen in generator_sets(gf):
        held = set(chosen.tolist())
        assert len(held) == len(chosen) == (q - d) // 2
        assert 0 not in held and set(gf.negative(chosen).tolist()) == held


def test_hoffman_and_singleton():
    """A^2 + A - 6 I = J: the one graph of degree 7 and girth 5 with 50 nodes."""
    a = nx.to_numpy_array(wiring(build("slim-fly:q=5,p=1")), weight="count")
    assert np.array_equal(a @ a + a - 6 * np.eye(50), np.ones((50, 50)))


def test_all_to_all_of_fifty_routers():
    """Unique shortest paths: 50 x 91 router hops over 350 arcs, 13 pairs of routers an arc, 4 x 4 accelerators each."""
    found = simulate("slim-fly:q=5,rate_gbps=8,latency_ns=0", "all-to-all", 200 * 10**9)
    assert found.routing == "ugal" and found.time_us == pytest.approx(13 * 16 * 1e6)


@pytest.mark.parametrize(("q", "expected"), [(5, 1), (8, 2), (9, 1), (13, 1), (7, 2)])
def test_orbits(q, expected):
    """q = 4w + 1: one router is like another (Hafner 2004); for others the halves are at most two kinds."""
    found = symmetry(build(f"slim-fly:q={q},p=2"))
    assert len(found.sizes) == expected and found.sizes.sum() == 4 * q * q


def test_parts_and_end_points():
    built = build("slim-fly:q=5,p=3,switch=qm9700,nic=cx7-400g,technology=pluggable")
    assert Counter(built.attribute("part"))["qm9700"] == 50
    assert list(built.graph["acc-4"]) == ["router-0-0-1"]
    assert {edge["technology"] for _, _, edge in built.edges} == {"pluggable"}


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("slim-fly:q=6", ConfigError, "q = 6 is not a prime power from 3 on; give q = 5 or q = 7"),
        ("slim-fly:q=10", ConfigError, "give q = 9 or q = 11"),
        ("slim-fly:q=12", ConfigError, "give q = 11 or q = 13"),
        ("slim-fly:q=2", ConfigError, "give q = 3"),
        ("slim-fly:q=999999999999999999", ConfigError, "more than 1,000,000,000,000,000 nodes"),
        ("slim-fly:q=27,p=25,switch=qm9700", TopologyError, "41 links to routers and 25 to accelerators exceed the 64"),
        ("slim-fly", ConfigError, "needs q"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)
