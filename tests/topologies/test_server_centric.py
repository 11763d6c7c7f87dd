"""BCube and DCell: built again from their definitions, with published counts, and all-to-all by hand."""

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from fabric.metrics import bisection, distances
from fabric.simulation import simulate
from fabric.symmetry import symmetry
from topologies.dcell import cell_sizes
from topologies.errors import ConfigError, TopologyError
from topologies.registry import build


@pytest.mark.parametrize(("n", "k"), [(4, 1), (2, 4), (3, 2), (5, 1), (2, 1), (8, 2)])
def test_bcube(n, k):
    """n^(k+1) servers of k + 1 ports, (k + 1) n^k switches of n; a switch holds servers that differ in one digit."""
    built = build(f"bcube:n={n},k={k}")
    servers = n ** (k + 1)
    assert len(built.accelerators) == servers and built.links == (k + 1) * servers
    assert built.attribute("kind").count("switch") == (k + 1) * n**k
    degree = dict(built.graph.degree)
    assert {degree[a] for a in built.accelerators} == {k + 1}
    assert {degree[v] for v in degree if v.startswith("switch")} == {n}
    digits = np.array([np.base_repr(i, n).zfill(k + 1) for i in range(servers)])
    for name in degree:
        if name.startswith("switch"):
            held = [digits[int(a.split("-")[1])] for a in built.graph[name]]
            apart = [{w[place] for w in held} for place in range(k + 1)]
            level = int(name.split("-")[1])
            assert [len(found) for found in apart] == [n if place == k - level else 1 for place in range(k + 1)]
    diameter, average, _ = distances(built)
    assert diameter == 2 * (k + 1)
    assert average == pytest.approx(2 * (k + 1) * (1 - 1 / n) * servers / (servers - 1), rel=1e-12)
    assert symmetry(built).one_orbit


@pytest.mark.parametrize(("n", "k"), [(4, 1), (3, 2), (2, 3)])
def test_all_to_all_on_bcube(n, k):
    """Of its n^(k+1) - 1 messages a server's port of each level sends those whose digit there differs, and what it
    relays: n^k (n - 1) a port in all."""
    found = simulate(f"bcube:n={n},k={k},rate_gbps=8,latency_ns=0", "all-to-all", n ** (k + 1) * 10**9)
    assert found.routing == "ecmp" and found.algorithm == "direct"
    assert found.time_us == pytest.approx(1e6 * n**k * (n - 1), rel=1e-9)
    assert found.of_bound == pytest.approx(1)


def test_a_block_of_bcube_is_parted_by_less_than_a_digit():
    """n = 6: halves along a digit cut 18 links, a block of 4 x 4 servers and two more 16."""
    low, high = bisection(build("bcube:n=6,k=1,rate_gbps=8"))
    assert low <= high <= 16
    assert bisection(build("bcube:n=2,k=3,rate_gbps=8"))[1] == 8  # a hypercube of 16: n/2


def recursive_dcell(n, k):
    """The links of a DCell_k and its servers, by the paper's recursion."""
    if k == 0:
        return nx.star_graph(n), n  # node 0 is the switch, servers are 1 .. n
    inner, size = recursive_dcell(n, k - 1)
    whole = nx.disjoint_union_all([inner] * (size + 1))
    own = len(inner)
    servers = [v for v in inner if inner.nodes[v].get("kind") != "switch" and inner.degree(v) == k]
    switches = set(inner) - set(servers)
    assert len(servers) == size and len(switches) == size // n
    for i, j in combinations(range(size + 1), 2):
        whole.add_edge(i * own + servers[j - 1], j * own + servers[i])
    return whole, size * (size + 1)


@pytest.mark.parametrize(("n", "k", "servers"), [(4, 1, 20), (5, 1, 30), (6, 2, 1806), (4, 2, 420), (5, 2, 930)])
def test_dcell(n, k, servers):
    """t_k = t_(k-1) (t_(k-1) + 1); every server has k + 1 links, every switch n."""
    built = build(f"dcell:n={n},k={k}")
    assert len(built.accelerators) == servers and built.attribute("kind").count("switch") == servers // n
    degree = dict(built.graph.degree)
    assert {degree[a] for a in built.accelerators} == {k + 1} and built.links == servers + k * servers // 2
    assert {degree[v] for v in degree if v.startswith("switch")} == {n}
    oracle, size = recursive_dcell(n, k)
    assert size == servers
    if n > k + 1:  # servers and switches are told apart by degree
        place, ends = {}, iter(sorted(v for v in oracle if oracle.degree(v) == k + 1))
        for a in built.accelerators:
            place[a] = next(ends)
        ours = {frozenset((place[a], place[b])) for a, b, _ in built.edges if a in place and b in place}
        theirs = {frozenset(e) for e in oracle.edges if all(oracle.degree(v) == k + 1 for v in e)}
        assert ours == theirs
    assert distances(built)[0] <= 3 * 2**k - 1  # 2^k hops over switches and 2^k - 1 between servers (DCellRouting)


def test_dcell_of_two_levels_is_symmetric():
    """A DCell_1 is the ordered pairs of its cells."""
    assert symmetry(build("dcell:n=5,k=1")).one_orbit


def test_all_to_all_on_dcell_by_hand():
    """n = 2, k = 1: six servers and three switches in a ring, paths between servers unique."""
    built = build("dcell:n=2,k=1,rate_gbps=8,latency_ns=0")
    assert nx.is_isomorphic(built.graph, nx.cycle_graph(9))
    paths = [nx.shortest_path(built.graph, a, b) for a, b in combinations(built.accelerators, 2)]
    carried = [sum({u, v} <= set(path) for path in paths) for u, v, _ in built.edges]
    assert simulate(built, "all-to-all", 6 * 10**9).time_us == pytest.approx(max(carried) * 1e6)


def test_parts():
    built = build("bcube:n=4,k=1,switch=qm9700,accelerator=h100-sxm")
    assert built.attribute("part").count("qm9700") == 8 and built.attribute("part").count("h100-sxm") == 16


@pytest.mark.parametrize(
    ("spec", "kind", "said"),
    [
        ("bcube:n=1,k=1", ConfigError, "n = 1 joins nothing; give at least 2 servers a switch"),
        ("bcube:n=65,k=1,switch=qm9700", TopologyError, "n = 65 servers exceed the 64 ports of qm9700"),
        ("bcube:n=2,k=999999999999999999", ConfigError, "more than 1,000,000,000,000,000 nodes"),
        ("bcube:n=8,k=8", ConfigError, "at most 16,777,216"),
        ("bcube:n=8", ConfigError, "needs k"),
        ("dcell:n=1,k=1", ConfigError, "n = 1 joins nothing"),
        ("dcell:n=6,k=4", ConfigError, "at most 16,777,216"),
        ("dcell:n=4,k=999999999999999999", ConfigError, "more than 1,000,000,000,000,000 nodes"),
        ("dcell:n=65,k=1,switch=qm9700", TopologyError, "exceed the 64 ports of qm9700"),
    ],
)
def test_refused(spec, kind, said):
    with pytest.raises(kind) as error:
        build(spec)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (3, 2), (2, 3)])
def test_a_larger_dcell_reads_the_same_from_its_end(n, k):
    """Colour refinement from hop counts tells no more servers apart than the reversal leaves alike."""
    assert symmetry(build(f"dcell:n={n},k={k}")).sizes.tolist() == [2] * (cell_sizes(n, k)[-1] // 2)
