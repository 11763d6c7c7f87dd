"""Ready-made systems, rack and below: the counts and the rates that their vendors publish, worked out on paper."""

from collections import Counter

import pytest

from topologies.bill import bill_of_materials
from topologies.errors import ConfigError
from topologies.families import systems
from topologies.parts import Accelerator, part
from topologies.registry import build

SWITCHED = [
    # name, accelerators, switch chips, one way GB/s an accelerator, TB/s of all both ways
    ("hgx-a100", 8, 6, 300, 4.8),
    ("hgx-a100-40gb", 8, 6, 300, 4.8),
    ("hgx-h100", 8, 4, 450, 7.2),
    ("hgx-h800", 8, 4, 200, 3.2),
    ("hgx-h20", 8, 4, 450, 7.2),
    ("hgx-h200", 8, 4, 450, 7.2),
    ("hgx-b200", 8, 2, 900, 14.4),
    ("hgx-b300", 8, 2, 900, 14.4),
    ("nvl72", 72, 18, 900, 129.6),
    ("nvl72-pluggable", 72, 18, 900, 129.6),
    ("nvl72-cpo", 72, 18, 900, 129.6),
    ("gb300-nvl72", 72, 18, 900, 129.6),
    ("vera-rubin-nvl72", 72, 36, 1800, 259.2),
    ("vera-rubin-nvl72-cpo", 72, 36, 1800, 259.2),
    ("rubin-ultra-nvl144", 144, 72, 1800, 518.4),
    ("amd-helios", 72, 12, 1800, 259.2),
]
MESHED = [
    # name, links of a pair, one way GB/s a link, one way GB/s an accelerator
    ("gh200-4", 6, 25, 450),
    ("mi300x-8", 1, 64, 448),
    ("mi325x-8", 1, 64, 448),
    ("mi355x-8", 1, 76.8, 537.6),
    ("gaudi3-8", 3, 25, 525),
    ("gaudi2-8", 3, 12.5, 262.5),
]
GRIDS = [
    # name, dims, one way GB/s an accelerator, circuit switches
    ("trainium2-16", (4, 4), 512, 0),
    ("trainium2-64", (4, 4, 4), 640, 0),
    ("tpu-v4-4096", (16, 16, 16), 300, 48),
    ("tpu-v4-256-twisted", (4, 8, 8), 300, 48),
    ("tpu-v5e-256", (16, 16), 200, 0),
    ("tpu-v6e-256", (16, 16), 400, 0),
    ("tpu-v5p-6144", (16, 16, 24), 600, 48),
    ("tpu-v5p-8960", (16, 20, 28), 600, 48),
    ("ironwood-64", (4, 4, 4), 600, 48),
    ("ironwood-9216", (16, 24, 24), 600, 48),
]


def out_gb_per_s(topology):
    """One-way GB/s of every accelerator, over all its links; the set of values that occur."""
    graph, sums = topology.graph, Counter()
    for a, b, edge in graph.edges(data=True):
        for end in (a, b):
            sums[end] += edge["rate_gbps"] * edge["count"] / 8
    return {round(sums[node], 9) for node in topology.accelerators}


@pytest.mark.parametrize(("name", "accelerators", "chips", "each", "total_tb"), SWITCHED, ids=[r[0] for r in SWITCHED])
def test_switched_domains(name, accelerators, chips, each, total_tb):
    built = build(name)
    assert len(built.accelerators) == accelerators
    assert built.attribute("kind").count("switch") == chips
    assert out_gb_per_s(built) == {each}
    assert 2 * each * accelerators / 1e3 == pytest.approx(total_tb)
    row = part(built.parameters["accelerator"], Accelerator)
    assert each * 8 == row.scaleup_gbps


def test_links_of_an_accelerator_are_dealt_as_built():
    def counts(name):
        built = build(name)
        return [e["count"] for _, _, e in built.graph.edges(built.accelerators[0], data=True)]

    assert counts("hgx-a100") == [2] * 6 and counts("hgx-h100") == [5, 5, 4, 4] and counts("hgx-b200") == [9, 9]
    assert counts("gb300-nvl72") == [1] * 18 and counts("vera-rubin-nvl72") == [1] * 36
    assert counts("amd-helios") == [6] * 12 and counts("rubin-ultra-nvl144") == [1] * 72


def test_copper_pairs_and_modules():
    """5,184 pairs in a GB200, GB300 or Vera Rubin spine; 648 modules in the place of the first, 1,296 of the last."""

    def bill(name):
        return {row.part.name: row.quantity for row in bill_of_materials(build(name))}

    assert bill("gb300-nvl72")["nvlink5-cartridge"] == 5184 == bill("vera-rubin-nvl72")["nvlink6-cartridge"]
    assert bill("nvl72-pluggable")["1600g-dr8"] == 648 == bill("nvl72-cpo")["1600g-cpo"]
    assert bill("vera-rubin-nvl72-cpo")["1600g-cpo"] == 1296


@pytest.mark.parametrize(("name", "links", "link", "each"), MESHED, ids=[r[0] for r in MESHED])
def test_meshed_servers(name, links, link, each):
    built = build(name)
    n = int(name.split("-")[-1])
    assert len(built.accelerators) == n and built.links == n * (n - 1) // 2 * links
    assert {(e["count"], e["rate_gbps"] / 8) for _, _, e in built.edges} == {(links, link)}
    assert out_gb_per_s(built) == {each}
    row = part(built.parameters["accelerator"], Accelerator)
    assert (row.scaleup_gbps, row.scaleup_links) == (pytest.approx(each * 8), (n - 1) * links)


@pytest.mark.parametrize(("name", "dims", "each", "switches"), GRIDS, ids=[r[0] for r in GRIDS])
def test_grids(name, dims, each, switches):
    built = build(name)
    assert built.grid.dims == dims and out_gb_per_s(built) == {each}
    assert (0 if built.circuits is None else built.circuits.devices) == switches
    row = part(built.parameters["accelerator"], Accelerator)
    assert each * 8 == row.scaleup_gbps or name == "trainium2-16"


@pytest.mark.parametrize(("name", "chips"), [("trainium3-64", 64), ("trainium3-144", 36 * 4)])
def test_trainium3_is_all_to_all_and_says_what_is_not_published(name, chips):
    built = build(name)
    assert len(built.accelerators) == chips and out_gb_per_s(built) == {1280}
    assert any("not published" in note for note in built.notes)


def test_a_ub_mesh_rack_joins_rows_and_columns():
    """64 NPUs with seven neighbours in their row and seven in their column: 448 links, 14 x 50 GB/s out of each."""
    built = build("ub-mesh-rack")
    assert len(built.accelerators) == 64 and built.links == 64 * 14 / 2
    assert {d for _, d in built.graph.degree()} == {14} and out_gb_per_s(built) == {700}


def test_strands_of_whole_pods():
    """96 a cube: 6,144 of a v4 pod, 13,824 of an Ironwood superpod, 1.5 a chip."""
    for name, strands in (("tpu-v4-4096", 6144), ("ironwood-9216", 13824), ("tpu-v5p-8960", 13440)):
        built = build(name)
        assert len(built.circuits.strands) == strands == 1.5 * len(built.accelerators)


def test_a_pod_of_more_strands_than_its_switches_have_is_refused():
    said = "144 cubes need 144 strands on either side of each palomar-136, which has 128"
    with pytest.raises(ConfigError, match=said):
        build("ironwood-9216:ocs=palomar-136")


def test_a_slice_without_sixteen_on_an_axis_has_no_wraparound_there():
    for generation in ("v5e", "v6e"):
        wraps = {n: build(f"tpu-{generation}-{n}").grid.wrap for n in (16, 64, 128, 256)}
        assert wraps == {16: (False, False), 64: (False, False), 128: (False, True), 256: (True, True)}


COUNTED = [n for n in systems() if n.startswith(("tpu-", "ironwood-", "trainium", "mi3", "gaudi", "dgx-"))]


@pytest.mark.parametrize("name", COUNTED)
def test_the_number_in_a_name_counts_accelerators(name):
    number = int([p for p in name.split("-") if p.isdigit()][-1])
    assert len(build(name).accelerators) == number


def test_links_of_a_dimension():
    built = build("trainium2-64")
    links = Counter()
    for a, b, edge in built.edges:
        axis = next(i for i, (p, q) in enumerate(zip(a.split("-"), b.split("-"), strict=True)) if p != q)
        links[axis] += edge["count"]
    assert links == {0: 128, 1: 128, 2: 64}
    with pytest.raises(ConfigError, match="K names 2 dimensions, dims 3; give one for all or one each"):
        build("torus:dims=4x4x4,K=1x2")
    plain, twice = build("torus:dims=2x4,rate_gbps=400"), build("torus:dims=2x4,rate_gbps=200,K=2")
    assert plain.csr().capacity.tolist() == twice.csr().capacity.tolist()
    assert {e["count"] for *_, e in twice.edges} == {2, 4}
