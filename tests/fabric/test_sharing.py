"""Time-shared links and fabrics of circuits: shares of time, waits, and the papers' arithmetic, worked out by hand."""

import networkx as nx
import pytest

from fabric.describing import describe
from fabric.sharing import said, sharing
from fabric.simulation import simulate
from topologies.graph import Topology
from topologies.registry import build

GB = 1e9
ROTOR = "rotor:racks=8,uplinks=2,hosts=2,slot_us=200,guard_us=20,latency_ns=0"  # four slots, up 180 of 800 us


def solved(spec, collective, size=8e9, **options):
    return simulate(spec, collective, size, transport="ideal", **options)


def full_mesh(**link):
    graph = nx.complete_graph(4)
    nx.set_edge_attributes(graph, {edge: {"rate_gbps": 400, "latency_ns": 0, **link} for edge in graph.edges})
    return graph


class TestShareOfTime:
    """A link that is up half of the time carries half."""

    @pytest.mark.parametrize("fidelity", ["steady", "fluid", "bound"])
    def test_bandwidth_and_no_latency(self, fidelity):
        """A fourth of 8 GB over 50 GB/s a pair; what is known of the wait is nothing, and it is said."""
        whole, half = (solved(full_mesh(**more), "all-to-all", fidelity=fidelity) for more in ({}, {"duty": 0.5}))
        assert whole.time_us == pytest.approx(40_000) and half.time_us == pytest.approx(80_000)
        assert half.bottleneck["utilisation"] == pytest.approx(1)
        assert whole.latency_us == 0
        assert (half.latency_us is None) == (fidelity != "bound")
        assert any("no latency: of 6 time-shared links only the share of time is known" in x for x in half.estimates)
        assert not any("time-shared" in line for line in whole.estimates)

    @pytest.mark.parametrize("fidelity", ["steady", "fluid"])
    def test_the_wait_is_in_the_latency(self, fidelity):
        shared = full_mesh(duty=0.5, wait_ns=3_000, worst_wait_ns=9_000)
        found = solved(shared, "all-to-all", fidelity=fidelity)
        assert found.latency_us == pytest.approx(3) and found.time_us == pytest.approx(80_003)
        wait = "latency includes the mean wait for a link's slot, 3 us; at worst it is 9 us"
        assert wait in found.estimates
        assert found.bound_time_us == pytest.approx(80_000)

    def test_a_bound_does_not_wait(self):
        """Who knows the slots sends in them: the least time of a smallest message holds no wait."""
        found = solved(full_mesh(duty=0.5, wait_ns=3_000, worst_wait_ns=9_000), "all-to-all", 1, fidelity="bound")
        assert found.latency_us == 0

    def test_bisection_is_an_average(self):
        """Two of four: four links of 50 GB/s between them, half of the time."""
        assert describe(full_mesh(duty=0.5))["bisection_gb_per_s"] == pytest.approx(100)

    def test_a_wait_is_a_number(self):
        from topologies.errors import TopologyError

        with pytest.raises(TopologyError, match="wait_ns = -1 is not a number of zero or more"):
            Topology.from_graph(full_mesh(duty=0.5, wait_ns=-1))

    def test_nothing_is_shared(self):
        assert sharing(build("ring:n=4")) is None and said(build("ring:n=4")) == []


class TestRotor:
    """RotorNet: a rack has uplinks x up-share, spread over all others; seven of eight matchings' slots are in use."""

    up = 2 * 50 * 0.9 * 7 / 8  # GB/s of a rack to all others together

    def test_uniform_goes_direct_at_full_duty(self):
        """A rack sends 2 x 14/16 of 8 GB to others: what its links carry together, no more and no less."""
        found = solved(ROTOR, "all-to-all")
        assert found.bottleneck["medium"] == "circuit" and found.bottleneck["utilisation"] == pytest.approx(1, abs=5e-3)
        assert found.time_us - found.latency_us == pytest.approx(14 * GB / (self.up * GB) * 1e6)

    @pytest.mark.parametrize("routing", ["auto", "te"])
    def test_a_permutation_takes_two_hops(self, routing):
        """Direct c of a rack's capacity C = 7 c, the rest through a third: (C + c)/2 = N/(2 (N - 1)) C = 4/7."""
        found = solved(ROTOR, "permutation", shift=8, routing=routing)
        assert found.time_us - found.latency_us == pytest.approx(16 * GB / (self.up * 4 / 7 * GB) * 1e6, rel=1e-6)
        assert found.of_bound > 0.99

    def test_valiant_alone_halves(self):
        """All middles, the pair's own racks among them: 7/8 of the traffic takes a first hop, 7/8 a second."""
        found = solved(ROTOR, "permutation", shift=8, routing="valiant")
        arc = self.up / 7  # to each of seven others
        assert found.time_us - found.latency_us == pytest.approx(16 * GB * 2 / 8 / (arc * GB) * 1e6, rel=1e-6)

    def test_without_a_detour_one_link_is_left(self):
        found = solved(ROTOR, "permutation", shift=8, routing="ecmp")
        assert found.time_us - found.latency_us == pytest.approx(16 * GB / (self.up / 7 * GB) * 1e6)

    def test_latency_is_one_mean_wait(self):
        """Down 620 of 800 us: 620^2/1600; hosts' links add nothing, the fibre of 100 m and its modules under 1 us."""
        found = solved(ROTOR, "all-to-all", 1)
        assert found.latency_us == pytest.approx(620**2 / 1600, abs=1)
        assert any("at worst it is 620 us" in line for line in found.estimates)

    def test_fluid_agrees(self):
        steady, fluid = (solved(ROTOR, "all-to-all", fidelity=f) for f in ("steady", "fluid"))
        assert fluid.time_us == pytest.approx(steady.time_us, rel=1e-6)

    def test_bisection_of_opera(self):
        """54 x 54 pairs of racks, each 10 Gb/s for 584 of 18 x 594 us."""
        pair = 10 / 8 * 584 / (18 * 594)
        assert describe("opera-648")["bisection_gb_per_s"] == pytest.approx(54 * 54 * pair)


class TestCircuits:
    """All-reduce and all-to-all where the papers' arithmetic says what they take."""

    @pytest.mark.parametrize(("n", "degree", "rings"), [(16, 2, 2), (16, 4, 4), (16, 6, 6), (16, 5, 4), (17, 8, 8)])
    @pytest.mark.parametrize("pattern", ["totient", "random"])
    def test_all_reduce_uses_all_rings(self, n, degree, rings, pattern):
        """TopoOpt: d rings, each one way on links of 50 GB/s: 2 (n-1)/n S/(d B); an odd port is in none."""
        spec = f"ocs-flat:n={n},degree={degree},latency_ns=0,pattern={pattern}"
        found = solved(spec, "all-reduce", algorithm="ring")
        assert found.time_us == pytest.approx(2 * (n - 1) / n * 8 / (rings * 50) * 1e6)

    def test_all_to_all_over_strides_is_no_faster_than_its_hops(self):
        """Each byte crosses 3.606 links on average (degree 6, n = 128): at least (n-1)/n S d_avg/(6 B)."""
        built = build("ocs-flat:n=128,degree=6,latency_ns=0")
        hops = nx.average_shortest_path_length(built.graph)
        least = 127 / 128 * 8 * hops / (6 * 50) * 1e6
        found = solved("ocs-flat:n=128,degree=6,latency_ns=0", "all-to-all")
        assert least * (1 - 1e-9) <= found.time_us < 1.5 * least
        assert least * 0.98 <= found.bound_time_us * (1 + 1e-9) <= found.time_us * (1 + 1e-9)

    @pytest.mark.parametrize(("ports", "rate"), [(2, 25), (4, 25)])
    def test_rails_reduce_along_rings(self, ports, rate):
        """2 (N-1)/N S/8 on each rail, 25 GB/s a way of the adapter's 50: half either way round."""
        found = solved(f"photonic-rail:servers=16,ports={ports}", "all-reduce", algorithm="hierarchical")
        assert found.time_us - found.latency_us == pytest.approx(2 * 15 / 16 * 1 / (2 * rate) * 1e6)

    @pytest.mark.parametrize(("nodes", "lit"), [(16, 1), (15, 2)])
    def test_khop_rings(self, nodes, lit):
        """8 links of 100 GB/s either way, whatever they are spread over: 2 (n-1)/n S/(2 x 800)."""
        found = solved(f"khop-ring:nodes={nodes},lit={lit},gpus=4", "all-reduce", algorithm="ring")
        n = 4 * nodes
        assert found.time_us - found.latency_us == pytest.approx(2 * (n - 1) / n * 8 / 1600 * 1e6)

    def test_regions_meet_in_the_packet_network(self):
        """16 servers in regions of 4: 12/16 of what 8 accelerators send leaves a region, through two adapters."""
        found = solved("mixnet:servers=16,region=4", "all-to-all")
        assert found.time_us - found.latency_us == pytest.approx(8 * 8 * 12 / 16 / (2 * 50) * 1e6)
        assert found.of_bound > 0.99

    def test_one_region_meets_in_circuits(self):
        """Four servers: to each of three others 8 x 8/32 of 8 GB over two circuits."""
        found = solved("mixnet:servers=4,region=4", "all-to-all")
        assert found.bottleneck["medium"] == "circuit"
        assert found.time_us - found.latency_us == pytest.approx(8 * 8 / 32 * 8 / (2 * 50) * 1e6)

    def test_pods(self):
        """64 hosts to each of 15 other pods: 64 x 64/1024 of 8 GB over the one link of a pair."""
        spec = "pod-ocs:pods=16,tors=8,hosts=8,uplinks=16"
        found = solved(spec, "all-to-all")
        assert found.time_us - found.latency_us == pytest.approx(64 * 64 / 1024 * 8 / 50 * 1e6)
