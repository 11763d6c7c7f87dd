"""Pictures: every family draws, nothing overlaps, links are all there, loads show."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest

from fabric.drawing import draw, lay_out
from fabric.drawing.bundles import bundles
from fabric.drawing.layout import Glyph
from fabric.explaining import planned
from topologies.families import FAMILIES, family
from topologies.graph import Topology
from topologies.parameters import example
from topologies.registry import build

EXAMPLES = Path(__file__).parents[3] / "examples"
SPECS = [
    *(example(family(name)) for name in FAMILIES), "nvl72", "fat-tree:k=16", "torus:dims=3x3x3x3", "mesh:dims=5x4",
    "tpu-v4-4096", "dgx-h100-superpod-256", "dragonfly:p=4,a=8,h=4", "torus:dims=4x4x8,twist=true", "ring:n=100",
    "hammingmesh:a=2,b=3,x=8,y=4,ports=8", "hammingmesh:a=2,b=2,x=3,y=3,planes=2", "hammingmesh:a=4,b=4,x=16,y=4",
    "hyperx:dims=3x4x3,T=2", "hyperx:dims=8x8x4x4,direct=true", "dcell:n=2,k=2", "hammingmesh:a=2,b=2,x=4,y=1",
    "dragonfly-plus:p=2,l=3,s=3,h=2,g=4", "aws-p5", "aws-p5:servers=3", "opus-2048", "mixnet-1024",
]  # fmt: skip


def parsed(text):
    root = ElementTree.fromstring(text)
    assert "nan" not in text and "inf" not in text
    return root


@pytest.mark.parametrize("spec", dict.fromkeys(SPECS))
def test_every_family_draws_the_same_picture_each_time(spec):
    topology = build(spec)
    text = draw(topology)
    root = parsed(text)
    assert text == draw(build(spec))
    assert len(text) < 3_000_000
    x, y, width, height = map(float, root.get("viewBox").split())
    for tag in ("rect", "circle"):
        for shape in root.iter(f"{{http://www.w3.org/2000/svg}}{tag}"):
            at = float(shape.get("x") or shape.get("cx")), float(shape.get("y") or shape.get("cy"))
            assert x <= at[0] <= x + width and y <= at[1] <= y + height


def overlap(a: Glyph, b: Glyph) -> bool:
    return (
        abs(a.x - b.x) < (a.width + b.width) / 2 - 0.5 and abs(a.y - b.y) < (a.height + b.height) / 2 - 0.5
    )  # fmt: skip


@pytest.mark.parametrize("spec", [s for s in dict.fromkeys(SPECS) if s not in ("tpu-v4-4096",)])
def test_no_glyph_hides_another(spec):
    glyphs = lay_out(build(spec)).glyphs
    hidden = [(a.name, b.name) for a, b in combinations(glyphs[:400], 2) if overlap(a, b)]
    assert hidden == []


@pytest.mark.parametrize("spec", ["nvl72", "torus:dims=4x4x8", "ring:n=8", "full-mesh:n=6", "switch:n=8"])
def test_a_small_fabric_is_drawn_whole(spec):
    topology = build(spec)
    layout = lay_out(topology)
    assert layout.of.min() >= 0
    assert sum(bundle.links for bundle in bundles(topology, layout, None)) == topology.links


def test_what_is_left_out_is_said():
    topology = build("fat-tree:k=16")
    layout = lay_out(topology)
    drawn = int((layout.of[topology.csr().accelerators] >= 0).sum())
    assert 0 < drawn < 1024
    assert f"accelerators: {drawn} of 1,024 drawn" in layout.captions


def test_wraparounds_are_stubs_and_neighbours_are_not():
    layout = lay_out(build("torus:dims=4x4"))
    assert len(layout.stubs) == 8  # one for each row and column
    assert lay_out(build("mesh:dims=4x4")).stubs == set()


def test_media_have_their_colours_and_the_legend_counts_them():
    text = draw(build("tpu-v4-512"))
    assert "copper 1,152" in text and "circuit 384" in text  # 8 cubes of 144 copper links; 3 x 512 - 1152


def test_links_inside_hosts_are_told_apart():
    topology = build("aws-p5")
    drawn = sum(edge["count"] for _, _, edge in topology.edges)
    assert drawn > topology.links == 144  # 8 GPUs of 18 NVLinks
    assert f"{drawn - 144} of them inside hosts" in draw(topology) and "inside hosts" not in draw(build("nvl72"))


def test_load_is_width():
    topology = build("dgx-h100-superpod-256")
    plan = planned(topology, "all-to-all", "1GiB", "pxn")
    busy = plan.busy(2**30)
    found = bundles(topology, lay_out(topology), busy)
    by_medium = {m: max(b.busy for b in found if b.medium == m) for m in ("optical", "board")}
    assert by_medium["optical"] == pytest.approx(busy.max())
    assert by_medium["board"] < by_medium["optical"]
    widths = {float(w) for w in re.findall(r'stroke-width="([\d.]+)" opacity', draw(topology, busy))}
    assert max(widths) / min(widths) > 3
    assert f", busy {busy.max():.1%}" in draw(topology, busy) and ", busy" not in draw(topology)


def test_the_busier_direction_counts():
    topology = build("ring:n=4")
    csr = topology.csr()
    busy = np.zeros(len(csr.heads))
    busy[5] = 0.5
    found = bundles(topology, lay_out(topology), busy)
    assert sorted(b.busy for b in found) == [0, 0, 0, 0.5]


def test_names_are_escaped():
    graph = nx.relabel_nodes(nx.cycle_graph(3), {0: "<a&b>", 1: '"', 2: "]]>"})
    assert parsed(draw(Topology.from_graph(graph, name="<&>"))) is not None


def test_any_graph_has_a_picture():
    topology = Topology.from_graph(nx.random_regular_graph(3, 20, seed=1))
    assert lay_out(topology).of.min() >= 0


def test_circuits_are_spokes_until_a_load_is_shown():
    topology = build("jupiter:blocks=32,uplinks=62,hosts=2")
    layout = lay_out(topology)
    spokes = [b for b in bundles(topology, layout, None) if b.medium == "circuit"]
    assert len(spokes) == 32 and {b.links for b in spokes} == {62}
    chords = bundles(topology, layout, np.zeros(len(topology.csr().heads)))
    assert len([b for b in chords if b.medium == "circuit"]) == 32 * 31 // 2


def test_boards_stand_on_a_grid_with_a_frame_each():
    topology = build("hammingmesh:a=2,b=2,x=3,y=2")
    layout = lay_out(topology)
    assert len(layout.frames) == 6 and layout.of.min() >= 0
    glyph = {str(topology.nodes[i]): layout.glyphs[layout.of[i]] for i in range(len(topology.nodes))}
    rows, columns = ([g for n, g in glyph.items() if n.startswith(kind)] for kind in ("row", "column"))
    dots = [g for g in layout.glyphs if g.kind == "accelerator"]
    assert len(rows) == 2 and min(g.x for g in rows) > max(g.x for g in dots)
    assert len(columns) == 3 and min(g.y for g in columns) > max(g.y for g in dots)


def test_a_hyperx_is_its_dimensions():
    """Neighbours along a dimension stand in line; of 3 rows of 4 and 4 columns of 3, the links beyond them bend."""
    topology = build("hyperx:dims=4x3,T=1")
    layout = lay_out(topology)
    assert sorted({round(g.x) for g in layout.glyphs}) == [0, 40, 80, 120]
    assert len({round(g.y) for g in layout.glyphs}) == 3
    assert len(layout.bent) == 3 * 3 + 4 * 1


@pytest.mark.parametrize(
    ("spec", "groups"), [("slim-fly:q=5", 10), ("dragonfly-plus:p=2,l=2,s=2,h=2", 5), ("dcell:n=3,k=1", 4)]
)
def test_groups_stand_together(spec, groups):
    """Whoever shares a group is nearer than the next group's middle."""
    topology = build(spec)
    layout = lay_out(topology)
    inside = {}
    for i, label in enumerate(topology.nodes):
        if layout.of[i] >= 0:
            glyph = layout.glyphs[layout.of[i]]
            inside.setdefault(topology.graph.nodes[label]["position"][0], []).append(complex(glyph.x, glyph.y))
    middles = [sum(at) / len(at) for at in inside.values()]
    assert len(middles) == groups
    apart = min(abs(a - b) for a, b in combinations(middles, 2))
    for middle, members in zip(middles, inside.values(), strict=True):
        assert all(abs(at - middle) < apart / 2 for at in members)


def test_the_rows_of_a_server_are_what_lies_between_accelerators_and_processors():
    topology = build("aws-p4d")
    layout = lay_out(topology)
    assert layout.of.min() >= 0
    height = {}
    for i, label in enumerate(topology.nodes):
        kind = label.split("/")[-1].split("-")[0]
        height.setdefault(kind, set()).add(round(layout.glyphs[layout.of[i]].y))
    assert height["port"] == height["pcie"]  # a port is drawn with its switch
    (chip,), (gpu,), (pcie,), (nic,), (cpu,) = (height[kind] for kind in ("nvs", "gpu", "pcie", "nic", "cpu"))
    assert chip > gpu > pcie > nic > cpu


def test_rails_of_circuit_switches_are_rows():
    layout = lay_out(build("photonic-rail:servers=4,gpus=3,scaleup_switch=none"))
    devices = [g for g in layout.glyphs if g.kind == "ocs"]
    dots = [g for g in layout.glyphs if g.kind == "accelerator"]
    assert len(dots) == 12 and len(layout.frames) == 4
    assert sorted(g.y for g in devices) == sorted({g.y for g in dots})
    assert len(layout.bent) == 3  # from the last server to the first on each rail


def test_sites_are_tiers_with_gateways_on_top():
    layout = lay_out(build(str(EXAMPLES / "two-sites.toml")))
    gateways = [g for g in layout.glyphs if "gateway" in g.name]
    assert gateways and max(g.y for g in gateways) < min(g.y for g in layout.glyphs if "gateway" not in g.name)


def test_the_packet_switches_beside_circuits_are_drawn():
    topology = build("mixnet:servers=16")
    layout = lay_out(topology)
    assert [g.name for g in layout.glyphs if g.kind == "switch"] == ["leaf-0"]
    found = [b for b in bundles(topology, layout, None) if b.medium == "optical"]
    assert sum(b.links for b in found) == 32 and len(found) == 16
