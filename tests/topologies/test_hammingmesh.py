"""HammingMesh: wired again from the paper's words, its published bisection and switches, trees of long lines."""

from collections import Counter

import networkx as nx
import pytest

from fabric.metrics import bisection, describe, distances
from fabric.simulation import simulate
from fabric.symmetry import symmetry
from topologies.errors import ConfigError
from topologies.registry import build


def spec(a, b, x, y, **more):
    given = "".join(f",{key}={value}" for key, value in more.items())
    return f"hammingmesh:a={a},b={b},x={x},y={y}{given}"


def wired(a, b, x, y):
    """Boards in a mesh; the ends of all boards' lines of a row, and of a column, on one switch."""
    graph = nx.Graph()
    for i in range(a * x):
        for j in range(b * y):
            if (i + 1) % a:
                graph.add_edge((i, j), (i + 1, j), count=1)
            if (j + 1) % b:
                graph.add_edge((i, j), (i, j + 1), count=1)
    for board in range(x):
        for other in range(y):
            for j in range(b):
                for i in (0, a - 1):
                    join(graph, (a * board + i, b * other + j), ("row", other), x)
            for i in range(a):
                for j in (0, b - 1):
                    join(graph, (a * board + i, b * other + j), ("column", board), y)
    return graph


def join(graph, accelerator, switch, boards):
    if boards > 1:
        count = graph.edges[accelerator, switch]["count"] + 1 if graph.has_edge(accelerator, switch) else 1
        graph.add_edge(accelerator, switch, count=count)


@pytest.mark.parametrize(
    ("a", "b", "x", "y"),
    [(2, 2, 4, 4), (2, 3, 4, 2), (4, 4, 2, 3), (1, 1, 3, 4), (1, 2, 3, 2), (3, 2, 1, 4), (3, 3, 1, 1)],
)
def test_wiring(a, b, x, y):
    built = build(spec(a, b, x, y, ports=256))
    ours = nx.relabel_nodes(built.graph, {n: at for n, at in built.graph.nodes(data="position") if at is not None})
    theirs = wired(a, b, x, y)
    grid = [v for v in theirs if isinstance(v[0], int)]
    assert built.graph.nodes[built.accelerators[1]]["position"] == ((1, 0) if a * x > 1 else (0, 1))
    bare = ours.subgraph(grid)
    assert {frozenset(e) for e in bare.edges} == {frozenset(e) for e in theirs.subgraph(grid).edges}
    groups = [
        {frozenset((v, g.edges[v, s]["count"]) for v in g[s]) for s in g if s not in grid} for g in (ours, theirs)
    ]
    assert groups[0] == groups[1] and len(groups[0]) == len(ours) - len(grid)
    assert {e["medium"] for u, v, e in built.edges if {u, v} <= set(built.accelerators)} <= {"board"}
    hops = [
        d for v, found in nx.all_pairs_shortest_path_length(theirs) for u, d in found.items() if v in bare and u in bare
    ]
    diameter, average, _ = distances(built)
    assert diameter == max(hops) and average == pytest.approx(sum(hops) / (len(bare) * (len(bare) - 1)))


@pytest.mark.parametrize(
    ("shape", "switches", "links_to_switches", "trunks"),
    [
        ((2, 2, 16, 16), 32, 2048, 0),  # 2 lines of 32 ports a switch
        ((4, 4, 8, 8), 16, 1024, 0),  # 4 lines of 16
        ((1, 1, 32, 32), 64, 4096, 0),  # a line of 64
        ((4, 4, 32, 32), 256, 16384, 0),
        ((2, 2, 64, 64), 256 * 6, 32768, 256 * 128),  # a line of 128 ports: 4 leaves, 2 spines
        ((2, 2, 40, 4), 8 * 5 + 40, 160 * 2 * 2 * 2, 8 * 96),  # 80 ports: 3 leaves and 2 spines; 2 lines of 8
    ],
)
def test_published_switches(shape, switches, links_to_switches, trunks):
    """With 64 ports, as behind the prices of Table II: lines share a switch, or have a tree of their own."""
    built = build(spec(*shape))
    a, b, x, y = shape
    assert built.attribute("kind").count("switch") == switches
    kinds = Counter()
    for u, v, edge in built.edges:
        kinds[sum(built.graph.nodes[n]["kind"] == "switch" for n in (u, v))] += edge["count"]
    assert kinds == Counter(
        {k: n for k, n in enumerate((((a - 1) * b + (b - 1) * a) * x * y, links_to_switches, trunks)) if n}
    )
    degree = built.graph.degree(weight="count")
    assert max(degree[v] for v in built.graph if built.graph.nodes[v]["kind"] == "switch") <= 64


@pytest.mark.parametrize(("a", "x"), [(2, 16), (4, 8), (2, 8), (1, 16), (3, 6)])
def test_published_bisection(a, x):
    """1/(2a) of the injection of half of the accelerators, four links each, along the boards' edges."""
    built = build(spec(a, a, x, x))
    shown = describe(built)
    share = 2 * shown["bisection_gb_per_s"] / shown["injection_gb_per_s"]
    assert share <= 1 / (2 * a) * (1 + 1e-9) and shown["bisection_low_gb_per_s"] <= shown["bisection_gb_per_s"]
    if a * a * x * x > 512:  # no narrower halves are searched for
        assert share == pytest.approx(1 / (2 * a))


def test_planes_share_the_rate():
    one, four = build(spec(2, 2, 4, 4)), build(spec(2, 2, 4, 4, planes=4))
    assert bisection(four)[1] == pytest.approx(bisection(one)[1])
    assert four.links == 4 * one.links and four.attribute("kind").count("switch") == 4 * 8
    assert {e["rate_gbps"] for _, _, e in four.edges} == {100}


@pytest.mark.parametrize(
    ("text", "orbits"),
    [(spec(2, 2, 4, 4), 1), (spec(2, 2, 4, 3, planes=2), 1), (spec(4, 4, 3, 3), 4), (spec(2, 2, 16, 4, ports=16), 1),
     (spec(2, 2, 16, 16, ports=16), 1), (spec(1, 1, 4, 4), 1), (spec(3, 1, 4, 1), 2)],
)  # fmt: skip
def test_orbits(text, orbits):
    """Boards change places, and turn over: what is left is a quarter of a board."""
    assert len(symmetry(build(text)).sizes) == orbits


def test_all_to_all_of_one_accelerator_boards():
    """a = b = 1 is a HyperX over line switches, two links to each: of the 12 messages that change its column, a rank
    sends or relays 4 x 3 on the 2 links of its row."""
    found = simulate(spec(1, 1, 4, 4, rate_gbps=8, latency_ns=0), "all-to-all", 16 * 10**9)
    assert found.routing == "ecmp" and found.time_us == pytest.approx(6e6)


def test_links_by_kind():
    built = build(spec(2, 2, 4, 4, switch="qm9700", column_technology="pluggable", column_length_m=30))
    kinds = Counter((e["technology"], e["length_m"]) for _, _, e in built.edges)
    assert kinds == {("board", 0.3): 64, ("dac", 1.0): 64, ("pluggable", 30.0): 64}
    assert Counter(e["technology"] for _, _, e in build(spec(2, 2, 4, 4)).edges) == {"board": 64, "dac": 64, "aoc": 64}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (spec(1, 1, 1, 1), "one board of one accelerator joins nothing"),
        (spec(2, 2, 2, 2, ports=1), "ports = 1 of a switch join nothing"),
        (spec(2, 2, 4, 4, switch="qm9700", ports=32), "ports has no effect without switch=none"),
        (spec(99999, 99999, 9999, 9999), "at most 16,777,216"),
        ("hammingmesh:a=2,b=2,x=2", "needs y"),
    ],
)
def test_refused(text, said):
    with pytest.raises(ConfigError) as error:
        build(text)
    assert said in str(error.value) and "\n" not in str(error.value)
