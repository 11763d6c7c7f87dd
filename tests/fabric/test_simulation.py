"""Answers against closed forms worked out here: bandwidth terms, latency chains, energy, what auto picks."""

from functools import cache, partial
from math import prod

import networkx as nx
import numpy as np
import pytest

from fabric.algorithms import ALGORITHMS
from fabric.collectives import COLLECTIVES, collective
from fabric.powering import network_power
from fabric.simulation import simulate as simulate_under
from fabric.timing import Assumptions, choose
from topologies.errors import ConfigError, InfeasibleError, TopologyError
from topologies.graph import Topology
from topologies.registry import build

fabric = cache(build)  # one of each, to look at
simulate = partial(simulate_under, transport="ideal")

S = 2**30
LINK = 50e9  # bytes/s of 400 Gb/s


def bandwidth_s(spec, name="all-reduce", **options):
    """Seconds of the bandwidth term alone."""
    result = simulate(fabric(spec), name, S, **options)
    return (result.time_us - result.latency_us) * 1e-6


def all_reduce(n, bytes_per_s):
    return 2 * (n - 1) / n * S / bytes_per_s


@pytest.mark.parametrize(
    ("spec", "algorithm", "seconds"),
    [
        ("ring:n=8,latency_ns=0", "auto", all_reduce(8, 2 * LINK)),
        ("ring:n=8,latency_ns=0", "bucket", all_reduce(8, 2 * LINK)),
        ("ring:n=8,latency_ns=0", "ring", all_reduce(8, 2 * LINK)),
        ("ring:n=7,latency_ns=0,rate_gbps=100", "ring", all_reduce(7, 2 * LINK / 4)),
        ("torus:dims=4x4x4,latency_ns=0", "bucket", all_reduce(64, 6 * LINK)),
        ("torus:dims=4x4,latency_ns=0", "bucket", all_reduce(16, 4 * LINK)),
        ("torus:dims=2x2x2,latency_ns=0", "bucket", all_reduce(8, 6 * LINK)),
        ("torus:dims=4x1x4,latency_ns=0", "bucket", all_reduce(16, 4 * LINK)),
        ("torus:dims=4x4x4,latency_ns=0", "ring", all_reduce(64, 2 * LINK)),
        ("torus:dims=4x4x8,latency_ns=0", "bucket", all_reduce(128, 6 * LINK)),
        ("torus:dims=2x8,latency_ns=0", "bucket", all_reduce(16, 4 * LINK)),
        ("torus:dims=3x5x2,latency_ns=0", "bucket", all_reduce(30, 6 * LINK)),
        ("fat-tree:k=4,latency_ns=0", "direct", all_reduce(16, LINK)),
        ("fat-tree:k=8,latency_ns=0", "direct", all_reduce(128, LINK)),
        ("clos:hosts=128,latency_ns=0", "direct", all_reduce(128, LINK)),
        ("clos:hosts=128,planes=2,latency_ns=0,tiers=2", "direct", all_reduce(128, LINK)),
        ("full-mesh:n=8,latency_ns=0", "direct", all_reduce(8, 7 * LINK)),
        ("switch:n=8,latency_ns=0", "direct", all_reduce(8, LINK)),
        ("switch:n=8,latency_ns=0", "ring", all_reduce(8, LINK)),
        ("nvl72", "direct", all_reduce(72, 900e9)),
        ("nvl:gpus=8,accelerator=h100-sxm,switch=nvswitch3,switches=4,rate_gbps=200", "direct", all_reduce(8, 450e9)),
    ],
)
def test_all_reduce(spec, algorithm, seconds):
    assert bandwidth_s(spec, algorithm=algorithm) == pytest.approx(seconds, rel=1e-9)


def test_a_link_time_is_the_whole_time_without_latency():
    result = simulate("ring:n=8,latency_ns=0", "all-reduce", S)
    assert result.latency_us == 0
    assert result.time_us == pytest.approx(all_reduce(8, 2 * LINK) * 1e6, rel=1e-12)
    assert result.busbw_gb_per_s == pytest.approx(100) and result.algbw_gb_per_s == pytest.approx(100 / 1.75)
    assert result.bottleneck["utilisation"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["all-gather", "reduce-scatter"])
@pytest.mark.parametrize("n", [4, 5, 16])
def test_a_line_takes_twice_as_long_as_a_ring(name, n):
    line, ring = (bandwidth_s(f"{f},latency_ns=0", name, algorithm="bucket") for f in (f"mesh:dims={n}", f"ring:n={n}"))
    assert ring == pytest.approx((n - 1) / n * S / (2 * LINK), rel=1e-9)
    assert line == pytest.approx(2 * ring, rel=1e-9)


def test_a_line_doubles_an_all_reduce_one_half_after_the_other():
    line, ring = (
        bandwidth_s(f"{f},latency_ns=0", algorithm="bucket", overlap="phased") for f in ("mesh:dims=8", "ring:n=8")
    )
    assert line == pytest.approx(2 * ring, rel=1e-9)


@pytest.mark.parametrize("name", ["broadcast", "reduce"])
def test_a_pipelined_chain_moves_the_vector_once(name):
    assert bandwidth_s("switch:n=8,latency_ns=0", name, algorithm="ring") == pytest.approx(S / LINK)
    assert bandwidth_s("ring:n=8,latency_ns=0", name, algorithm="ring") == pytest.approx(S / (2 * LINK))


def test_point_to_point():
    assert bandwidth_s("switch:n=8,latency_ns=0", "send-recv") == pytest.approx(S / LINK)
    assert bandwidth_s("switch:n=8,latency_ns=0", "permutation") == pytest.approx(S / LINK)
    assert bandwidth_s("ring:n=8,latency_ns=0", "permutation") == pytest.approx(
        4 * S / 2 / LINK
    )  # 4 hops, half each way
    assert bandwidth_s("ring:n=8,latency_ns=0", "permutation", shift=1) == pytest.approx(S / LINK)
    assert bandwidth_s("ring:n=8,latency_ns=0", "permutation", tie="positive") == pytest.approx(4 * S / LINK)


@pytest.mark.parametrize(
    ("spec", "links"),
    [
        ("torus:dims=4x4x8", 0.9922), ("torus:dims=4x4x8,twist=true", 1.7318), ("torus:dims=4x8x8", 0.9961),
        ("torus:dims=4x8x8,twist=true", 1.3859), ("torus:dims=8x8x16,twist=true", 0.8601),
        ("tpu-pod:slice=4x4x8,twist=true", 1.7318),
        ("torus:dims=16x16x16", 0.4999),
    ],
)  # fmt: skip
def test_all_to_all_on_tori(spec, links):
    """Throughput per node, (N-1)/N of the size over the time, in links (facts/systems.md section 1)."""
    n = len(fabric(spec).accelerators)
    per_node = (n - 1) / n * S / bandwidth_s(spec, "all-to-all")
    assert per_node / LINK == pytest.approx(links, rel=1e-3)


def test_all_to_all_of_a_symmetric_torus_is_links_over_distance():
    """Edge-symmetric: 6 links a node over the mean distance, which NetworkX finds."""
    graph = fabric("torus:dims=4x4x8,twist=true").graph
    lengths = nx.single_source_shortest_path_length(graph, "0-0-0")
    mean = sum(lengths.values()) / 127
    assert bandwidth_s("torus:dims=4x4x8,twist=true", "all-to-all") == pytest.approx(
        127 / 128 * S / (6 / mean * LINK), rel=1e-9
    )


def test_tpu_v5e_pod():
    result = simulate("tpu-v5e-256:latency_ns=0", "all-reduce", S)
    assert 256 * result.busbw_gb_per_s / 1e3 == pytest.approx(51.2, rel=1e-3)


def test_rewiring_a_pod_gives_the_answer_of_a_pod_built_that_way():
    regular, twisted = fabric("tpu-pod:slice=4x4x8"), fabric("tpu-pod:slice=4x4x8,twist=true")
    for start, end in ((regular, twisted), (twisted, regular)):
        moved, built = (simulate(t, "all-to-all", S).time_us for t in (start.with_state(end.circuits.state), end))
        assert moved == pytest.approx(built, rel=1e-3)


def test_hierarchical_on_128_servers_of_8_h100():
    """S = 2^30 on N = 128 servers of g = 8: across, each adapter sends 2 (N-1)/N S/g at 50 GB/s; inside, each GPU sends
    (g-1)/g S twice at 18 x 25 = 450 GB/s. Pipelined, the adapters bind; phased, one comes after the other."""
    across = 2 * 127 / 128 * S / 8 / 50e9
    inside = 2 * 7 / 8 * S / 450e9
    assert across == pytest.approx(5.3268e-3, rel=1e-5) and across + inside == pytest.approx(9.50e-3, rel=1e-3)
    spec = "dgx-h100-superpod-1024"
    assert bandwidth_s(spec, algorithm="hierarchical") == pytest.approx(across, rel=1e-9)
    assert bandwidth_s(spec, algorithm="hierarchical", overlap="pipelined") == pytest.approx(across, rel=1e-9)
    assert bandwidth_s(spec, algorithm="hierarchical", overlap="phased") == pytest.approx(across + inside, rel=1e-9)


def shares_of(spec, name, algorithm):
    """(bytes that leave servers, bytes that climb from leaves to spines) of a plan."""
    topology = fabric(spec)
    plan = choose(topology, collective(name, len(topology.accelerators)), S, Assumptions(algorithm))
    csr, loads = topology.csr(), plan.arcs
    kind = np.array(topology.attribute("kind"))
    tier = np.array([-1 if t is None else t for t in topology.attribute("tier")])
    tails, heads = csr.tails, csr.heads
    leaving = loads[(kind[tails] == "accelerator") & (tier[heads] == 1)].sum()
    climbing = loads[(tier[tails] == 1) & (tier[heads] == 2)].sum()
    return leaving, climbing


def test_seven_eighths_of_direct_traffic_between_servers_climbs_to_spines():
    """Of eight rails, one is the sender's own leaf; the other seven are across the spines. PXN keeps to its rail."""
    leaving, climbing = shares_of("dgx-h100-superpod-256", "all-to-all", "direct")
    assert leaving == pytest.approx(256 * (256 - 8) / 256)
    assert climbing / leaving == pytest.approx(0.875)
    leaving, climbing = shares_of("dgx-h100-superpod-256", "all-to-all", "pxn")
    assert leaving == pytest.approx(256 * (256 - 8) / 256)
    assert climbing == 0


SPECS = [
    "ring:n=8",
    "torus:dims=4x4x8",
    "fat-tree:k=4",
    "nvl72",
    "dgx-h100-superpod-256",
    "tpu-v4-64",
    "full-mesh:n=8",
    "mesh:dims=3x5",
]


@pytest.mark.parametrize("spec", SPECS)
def test_time_grows_with_size_and_starts_at_the_latency(spec):
    for name in COLLECTIVES:
        results = [simulate(fabric(spec), name, size) for size in (1, 2**20, 2**25, 2**36)]
        times = [r.time_us for r in results]
        assert times == sorted(times) and times[0] > 0, name
        assert times[0] == pytest.approx(results[0].latency_us, rel=1e-3), name
        factor = collective(name, results[0].accelerators).busbw_factor
        for r in results:
            assert r.time_us >= r.latency_us
            assert r.algbw_gb_per_s == pytest.approx(r.size_bytes / r.time_us / 1e3)
            assert r.busbw_gb_per_s == pytest.approx(r.algbw_gb_per_s * factor)
            assert 0 < r.bottleneck["utilisation"] <= 1 + 1e-9


@pytest.mark.parametrize("spec", SPECS)
def test_auto_picks_the_fastest(spec):
    for name in COLLECTIVES:
        for size in (1, S):
            times = {}
            for algorithm in ALGORITHMS:
                try:
                    times[algorithm] = simulate(fabric(spec), name, size, algorithm=algorithm).time_us
                except InfeasibleError:
                    continue
            picked = simulate(fabric(spec), name, size)
            assert picked.time_us == min(times.values()) == times[picked.algorithm], (name, size, times)


@pytest.mark.parametrize("spec", SPECS)
def test_faster_links_are_never_slower(spec):
    graph = fabric(spec).graph
    slow = Topology.from_graph(graph)
    fast = Topology.from_graph(nx.Graph(graph))
    for _, _, edge in fast.graph.edges(data=True):
        edge["rate_gbps"] *= 2
    for name in ("all-reduce", "all-to-all", "broadcast"):
        before, after = (simulate(t, name, S, algorithm="direct") for t in (slow, fast))
        assert after.time_us - after.latency_us == pytest.approx((before.time_us - before.latency_us) / 2)


@pytest.mark.parametrize("spec", [*SPECS, "dgx-h100-superpod-1024", "torus:dims=4x8x8,twist=true"])
@pytest.mark.parametrize("name", ["all-reduce", "all-to-all"])
def test_threads_do_not_change_a_bit(spec, name):
    topology = fabric(spec)
    one, two, again = (simulate(topology, name, S, threads=k) for k in (1, 2, 2))
    assert one.row() == two.row() == again.row()


@pytest.mark.parametrize(
    ("graph", "seconds"),
    [
        (nx.cycle_graph(8), all_reduce(8, 2 * 12.5e9)),
        (nx.complete_graph(6), all_reduce(6, 5 * 12.5e9)),
        (nx.path_graph(2), all_reduce(2, 12.5e9)),
    ],
)
def test_a_plain_graph(graph, seconds):
    result = simulate(graph, "all-reduce", S, rate_gbps=100)
    assert result.time_us - result.latency_us == pytest.approx(seconds * 1e6)
    assert result.topology == "graph" and result.network_power_w > 0
    assert "power of generic SerDes energy" in result.estimates


def test_a_graph_with_switches_is_the_family():
    graph = nx.star_graph(4)
    nx.set_node_attributes(graph, {i: "accelerator" if i else "switch" for i in graph}, "kind")
    assert simulate(graph, "all-reduce", S).time_us == pytest.approx(simulate("switch:n=4", "all-reduce", S).time_us)


@pytest.mark.parametrize("spec", ["nvl72", "tpu-v4-64", "dgx-h100-superpod-256", "jupiter:blocks=4,uplinks=8"])
def test_energy_is_power_times_time(spec):
    result = simulate(spec, "all-reduce", S)
    n = result.accelerators
    assert result.network_power_w == network_power(fabric(spec)).total_w
    assert result.network_power_w == result.network_power_external_w + result.network_power_in_accelerator_w
    assert result.network_power_w_per_accelerator == pytest.approx(result.network_power_w / n)
    assert result.energy_j == pytest.approx(result.network_power_w * result.time_us * 1e-6)
    assert result.energy_pj_per_bit == pytest.approx(result.energy_j / (2 * (n - 1) * S * 8) * 1e12)


def test_latency_of_a_smallest_message():
    """NVL72: two links of 195 + 4.5 ns and a switch of 400 ns a message, two messages after each other."""
    assert simulate("nvl72", "all-reduce", 1).latency_us == pytest.approx(2 * (2 * 199.5 + 400) / 1e3)
    assert simulate("nvl72", "all-to-all", 1).latency_us == pytest.approx((2 * 199.5 + 400) / 1e3)
    assert simulate("ring:n=8,latency_ns=100", "all-to-all", 1).latency_us == pytest.approx(4 * 0.1)
    assert simulate("ring:n=8,latency_ns=100", "all-reduce", 1, algorithm="ring").latency_us == pytest.approx(14 * 0.1)
    assert simulate("ring:n=8,latency_ns=100", "all-gather", 1, algorithm="bucket").latency_us == pytest.approx(7 * 0.1)


def test_the_bottleneck_is_named():
    result = simulate("rail:servers=64,oversubscription=3", "all-to-all", S, algorithm="direct")
    assert {result.bottleneck["from"].split("-")[0], result.bottleneck["to"].split("-")[0]} == {"leaf", "spine"}
    assert result.bottleneck["medium"] == "optical"
    assert simulate("nvl72", "all-reduce", S).bottleneck["medium"] == "copper"


def test_rails_that_nothing_joins_need_a_relay():
    assert simulate("rail:servers=4,core=none", "all-to-all", S).algorithm == "pxn"
    assert "server" in simulate("rail:servers=4,core=none", "all-to-all", S).relays
    with pytest.raises(InfeasibleError, match="join the rails"):
        simulate("rail:servers=4,core=none", "all-to-all", S, algorithm="direct")
    with pytest.raises(InfeasibleError, match="no path from"):
        simulate("rail:servers=4,core=none", "permutation", S, shift=9)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"algorithm": "rnig"}, "did you mean 'ring'"), ({"overlap": "none"}, "not one of auto, pipelined, phased"),
        ({"fidelity": "packet"}, "not one of bound"), ({"transport": "nccl9"}, "no transport is named"),
        ({"size": "0"}, "below one byte"),
        ({"size": "big"}, "cannot be read"), ({"collective_name": "allreduce"}, "did you mean 'all-reduce'"),
        ({"routing": "dor", "topology": "switch:n=4"}, "it is no grid"), ({"tie": "even"}, "not one of split"),
    ],
)  # fmt: skip
def test_refused(options, said):
    with pytest.raises(ConfigError) as error:
        simulate(**{"topology": "ring:n=4", **options})
    assert said in str(error.value)


def test_a_broken_graph_is_refused():
    with pytest.raises(TopologyError):
        simulate(nx.Graph([(0, 1), (2, 3)]))
    with pytest.raises(TopologyError):
        simulate(nx.DiGraph([(0, 1)]))


def test_cube_against_product_of_sizes():
    """The same ranks folded flat: a cube of 4 beats a ring of 64 by its three dimensions."""
    cube, ring = (
        bandwidth_s(s, algorithm="bucket") for s in ("torus:dims=4x4x4,latency_ns=0", "ring:n=64,latency_ns=0")
    )
    assert prod((4, 4, 4)) == 64 and ring == pytest.approx(3 * cube)


def test_an_answer_names_the_boundary_and_what_it_leaves_out():
    counted = simulate("jupiter:blocks=4,uplinks=6", "all-to-all")
    assert counted.left_out == ["hosts"]
    assert "boundary blocks+spine: watts and dollars leave out hosts" in counted.estimates
    assert simulate("jupiter:blocks=4,uplinks=6,boundary=hosts+blocks+spine", "all-to-all").left_out == []
