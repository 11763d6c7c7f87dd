"""SimGrid runs the platforms that are exported: the same graph, and flows that take the time that ours say.

SimGrid's CM02 model without its corrections for TCP and with latencies of 0 is max-min fairness (with latencies it
shares in proportion to 1/latency). It takes one path for each pair, and ours are given the same: its routes, which are
those of dor on rings and tori (half way round it goes in the negative direction from the middle, as nobody else does).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from fabric.fluid import fluid_completion
from topologies.formats.writing.simgrid import simgrid_text
from topologies.registry import build

DRIVER = Path(__file__).with_name("simgrid_driver.py")
PURE = [
    "network/model:CM02", "network/crosstraffic:0", "network/TCP-gamma:0", "network/weight-S:0",
    "network/bandwidth-factor:1", "network/latency-factor:1",
]  # fmt: skip


def _interpreter():
    for python in ("/usr/bin/python3", sys.executable):
        try:
            if subprocess.run([python, "-c", "import simgrid"], capture_output=True, timeout=60).returncode == 0:
                return python
        except OSError:
            continue
    return None


@pytest.fixture(scope="session")
def simgrid(tmp_path_factory):
    """Run flows (source, target, bytes; all pairs of unequal size by default) on the platform of a fabric."""
    python = _interpreter()
    if python is None:
        pytest.skip("SimGrid is not installed (Debian: apt-get install python3-simgrid)")
    folder = tmp_path_factory.mktemp("simgrid")

    def run(topology, flows):
        text = simgrid_text(topology).text
        ranks = len(topology.accelerators)
        named = [f"node-{i}" for i in range(ranks)] if "<cluster" in text else list(map(str, topology.accelerators))
        (folder / "platform.xml").write_text(text)
        (folder / "flows.json").write_text(json.dumps({"hosts": named, "flows": flows}))
        words = [python, DRIVER, folder / "platform.xml", folder / "flows.json", *(f"--cfg={c}" for c in PURE)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def all_pairs(ranks, unequal=True):
    return [
        (s, t, 1_000_000 * (1 + (7 * s + 3 * t) % 5 * unequal)) for s in range(ranks) for t in range(ranks) if s != t
    ]


def columns(flows):
    source, target, size = zip(*flows, strict=True)
    return {"source": source, "target": target, "bytes": np.array(size, float)}


def compare(theirs, ours):
    assert ours.makespan == pytest.approx(theirs["makespan"], rel=1e-6)
    assert ours.finish == pytest.approx(theirs["done"], rel=5e-3)


def given_paths(topology, theirs, flows, ends):
    """Paths along the nodes that SimGrid's routes pass; `ends` has both of our nodes for each of its links."""
    ptr, nodes = [0], []
    for s, t, _ in flows:
        walk = [topology.accelerators[s]]
        for link in theirs["routes"][f"{s} {t}"]["links"]:
            if link != "end":
                a, b = ends[link.rpartition("_")[0]]
                walk.append(b if walk[-1] == a else a)
        assert walk[-1] == topology.accelerators[t]
        nodes += [topology.index[node] for node in walk]
        ptr.append(len(nodes))
    return {"ptr": ptr, "node": nodes}


def numbered(theirs):
    """SimGrid's name of each link of a cluster, and what it tells: the numbers of its ends, its own."""
    names = {name.rpartition("_")[0] for name in theirs["links"] if "link_from_" in name}
    return {name: re.findall("[0-9]+", name.partition("link_from_")[2]) for name in names}


@pytest.mark.parametrize("unequal", [False, True])
@pytest.mark.parametrize("spec", ["ring:n=7", "ring:n=8", "torus:dims=4x4", "torus:dims=3x4x3", "torus:dims=5x1x3"])
def test_ring_and_torus(simgrid, spec, unequal):
    topology = build(f"{spec},latency_ns=0")
    ranks = topology.accelerators
    flows = all_pairs(len(ranks), unequal)
    theirs = simgrid(topology, flows)
    ends = {name: (ranks[int(a)], ranks[int(b)]) for name, (a, b) in numbered(theirs).items()}
    assert {frozenset(pair) for pair in ends.values()} == {frozenset((a, b)) for a, b, _ in topology.edges}
    compare(theirs, fluid_completion(topology, columns(flows), paths=given_paths(topology, theirs, flows, ends)))
    dor = fluid_completion(topology, columns(flows), routing="dor", tie="positive")
    assert dor.makespan == pytest.approx(theirs["makespan"], rel=1e-6)
    if all(size % 2 for size in topology.grid.dims):  # nothing is half way round
        compare(theirs, dor)


@pytest.mark.parametrize("spec", ["switch:n=8", "fat-tree:k=4", "fat-tree:k=6"])
def test_fat_tree(simgrid, spec):
    topology = build(f"{spec},latency_ns=0")
    flows = all_pairs(len(topology.accelerators))
    theirs = simgrid(topology, flows)
    graph, mine = nx.Graph(), nx.Graph(topology.graph.edges)
    ends = {}
    for name, (a, b, own) in numbered(theirs).items():
        # switches are numbered apart from end points, whose links come first
        ends[name] = (int(a) if int(own) < len(topology.accelerators) else f"switch {a}", f"switch {b}")
        graph.add_edge(*ends[name])
    rank = {node: i for i, node in enumerate(topology.accelerators)}
    nx.set_node_attributes(mine, {node: rank.get(node, -1) for node in mine}, "rank")
    nx.set_node_attributes(graph, {node: -1 if isinstance(node, str) else node for node in graph}, "rank")
    matcher = nx.isomorphism.GraphMatcher(graph, mine, node_match=lambda a, b: a["rank"] == b["rank"])
    assert matcher.is_isomorphic()
    ends = {name: tuple(matcher.mapping[end] for end in pair) for name, pair in ends.items()}
    compare(theirs, fluid_completion(topology, columns(flows), paths=given_paths(topology, theirs, flows, ends)))


def test_parallel_links_of_a_fat_tree(simgrid):
    topology = build("clos:hosts=128,latency_ns=0")  # 4 leaves, 2 spines, 16 links between
    assert 'topo_parameters="2;32,4;1,2;1,16"' in simgrid_text(topology).text
    theirs = simgrid(topology, [(0, 127, 50_000_000_000)])
    assert theirs["makespan"] == pytest.approx(1.0)
    assert len(numbered(theirs)) == topology.links == 128 + 4 * 2 * 16


@pytest.mark.parametrize(
    "spec", ["mesh:dims=3x3,latency_ns=0", "torus:dims=4x2,latency_ns=0", "dragonfly:p=1,a=4,h=1,latency_ns=0"]
)
def test_zone_of_shortest_routes(simgrid, spec):
    topology = build(spec)
    flows = all_pairs(len(topology.accelerators))
    theirs = simgrid(topology, flows)
    compare(theirs, fluid_completion(topology, columns(flows), paths=_zone_paths(topology, theirs, flows)))


def _zone_paths(topology, theirs, flows):
    return given_paths(topology, theirs, flows, {f"link-{i}": (a, b) for i, (a, b, _) in enumerate(topology.edges)})


@pytest.mark.parametrize("spec", ["rail:servers=4,gpus=4", "nvl72:gpus=8,switches=4,links=8", "clos:hosts=8,planes=2"])
def test_routes_cross_no_end_point_and_have_the_latency_of_the_path(simgrid, spec):
    topology = build(spec)
    flows = all_pairs(len(topology.accelerators))
    theirs = simgrid(topology, flows)
    paths = _zone_paths(topology, theirs, flows)  # given_paths refuses one that crosses an end point
    ours = fluid_completion(topology, {**columns(flows), "bytes": 0.0}, paths=paths)
    told = [theirs["routes"][f"{s} {t}"]["latency"] for s, t, _ in flows]
    assert ours.finish == pytest.approx(told, rel=1e-9)


def test_rates_and_latencies_are_exact(simgrid):
    topology = build("torus:dims=4x3,rate_gbps=123.456,latency_ns=1234.5")
    links = simgrid(topology, [(0, 1, 1000)])["links"]
    assert {link["bandwidth"] for name, link in links.items() if "link" in name} == {123.456e9 / 8}
    own = [link["latency"] for name, link in links.items() if "link_from" in name]
    assert own == pytest.approx([1234.5e-9] * len(own), rel=1e-12) and len(own) == 2 * 24
    path = build("fat-tree:k=4,switch=qm9700")
    route = simgrid(path, [(0, 15, 1000)])["routes"]["0 15"]
    ours = fluid_completion(path, {"source": [0], "target": [15], "bytes": 0.0}, routing="dmodk")
    assert route["latency"] == pytest.approx(ours.makespan, rel=1e-9)
