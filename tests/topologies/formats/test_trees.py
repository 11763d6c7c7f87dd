"""Trees of switches over hosts: Lingjun's table, topograph's models, and the servers that the user states."""

import pytest

from fabric import simulate
from topologies.errors import ConfigError, TopologyError
from topologies.formats.hierarchy import expanded
from topologies.registry import build

TABLE = "ip,DSW,PSW,ASW\n" + "".join(f"h{i},G1,P{i // 4},S{i // 2 % 2}\n" for i in range(8))
MODEL = """
switches:
  core:
    switches: [spine-1, spine-2]
  spine-1: {switches: [leaf-1, leaf-2]}
  spine-2: {switches: [leaf-1, leaf-2]}
blocks:
- switch: leaf-1
  nodes: ["n[01-04]"]
  annotations: {accelerator.test/domain: nvl-1}
- switch: leaf-2
  nodes: ["n[05-07,08]"]
  annotations: {accelerator.test/domain: nvl-2}
"""


def test_lingjun_switches_go_by_the_names_above_them(read, kinds):
    topology = read("lingjun", TABLE)
    assert kinds(topology) == {"accelerator": 8, "switch": 4 + 2 + 1}
    assert topology.links == 8 + 4 + 2
    assert {topology.graph.nodes[n]["tier"] for n in ("G1/P0/S0", "G1/P0", "G1")} == {1, 2, 3}
    rates = [topology.graph.edges[e]["rate_gbps"] for e in (("h0", "G1/P0/S0"), ("G1/P0/S0", "G1/P0"), ("G1/P0", "G1"))]
    assert rates == [400, 800, 1600]


def test_uplinks_take_the_oversubscription_at_every_tier(read):
    topology = read("lingjun", TABLE, oversubscription="2", rate_gbps="200")
    rates = [topology.graph.edges[e]["rate_gbps"] for e in (("h0", "G1/P0/S0"), ("G1/P0/S0", "G1/P0"), ("G1/P0", "G1"))]
    assert rates == [200, 200, 200]


def test_columns_of_any_order(read):
    rows = [line.split(",")[::-1] for line in TABLE.splitlines()]
    assert read("lingjun", "\n".join(map(",".join, rows))).links == 8 + 4 + 2


def test_topograph(read, kinds):
    topology = read("topograph", MODEL)
    assert kinds(topology) == {"accelerator": 8, "switch": 5}
    # each leaf has two spines above, the spines one core: half of a leaf's rate goes to each
    assert topology.links == 8 + 4 + 2
    assert topology.graph.edges["leaf-1", "spine-1"]["rate_gbps"] == 4 * 400 / 2
    assert topology.domains == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert "n05" in topology.graph


TREE = """
switches:
- name: sw3
  switches: [sw11, sw12]
- {name: sw11, capacity_blocks: [cb11]}
- {name: sw12, nodes: [n12-1]}
capacity_blocks:
- {name: cb11, type: GB200, nvlink: nvl1, nodes: ["n11-[1-2]"]}
"""


def test_topograph_of_capacity_blocks_and_nodes_of_switches(read, kinds):
    topology = read("topograph", TREE)
    assert kinds(topology) == {"accelerator": 3, "switch": 3} and topology.links == 3 + 2
    assert topology.domains == [[0, 1]]
    assert [topology.graph.nodes[n]["part"] for n in topology.accelerators] == ["gb200", "gb200", "generic"]
    with pytest.raises(ConfigError, match="no switch has it or its node 'n9'"):
        read("topograph", TREE + "- {name: cb9, nodes: [n9]}\n")


def test_a_scale_up_domain_is_added_only_where_the_user_states_it(read):
    plain = read("topograph", MODEL, gpus="4")
    assert plain.links == 32 + 4 + 2 and "no link inside them" in " ".join(plain.notes)
    joined = read("topograph", MODEL, gpus="4", accelerator="gb200")
    # two domains of 16 GPUs, each with 18 links over 18 chips
    assert joined.links == 32 + 4 + 2 + 32 * 18
    assert simulate(joined, "all-reduce").accelerators == 32
    off = read("topograph", MODEL, gpus="4", accelerator="gb200", scaleup="none")
    assert off.links == plain.links and {off.graph.nodes[n]["part"] for n in off.accelerators} == {"gb200"}


@pytest.mark.parametrize(
    ("accelerator", "gpus", "links"),
    [("h100-sxm", 8, 8 * 18), ("a100-80gb", 8, 8 * 12), ("b200-sxm", 8, 8 * 18), ("mi300x", 8, 28), ("generic", 8, 0)],
)
def test_links_inside_a_server(read, accelerator, gpus, links):
    topology = read("lingjun", TABLE, gpus=str(gpus), accelerator=accelerator)
    assert topology.links == 8 * gpus + 4 + 2 + 8 * links
    assert [len(domain) for domain in topology.domains] == [8] * 8


def test_more_than_a_domain_holds(read):
    with pytest.raises(TopologyError, match="at most 8"):
        read("lingjun", TABLE, gpus="16", accelerator="h100-sxm")


def test_names_of_slurm():
    assert expanded("a[1-3,7]b,c", "x", 10) == ["a1b", "a2b", "a3b", "a7b", "c"]
    for text in ("a[1-3", "a[3-1]", "a[x]", "a[1][2]", ",", "a[1-999999999]"):
        with pytest.raises(ConfigError):
            expanded(text, "x", 100)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("lingjun", "", "empty"),
        ("lingjun", "a,b\n1,2\n", "columns are a, b"),
        ("lingjun", TABLE.rsplit(",", 1)[0], "line 9: 3 of 4 columns"),
        ("lingjun", TABLE + "h0,G1,P1,S1\n", "'h0' stands there twice"),
        ("lingjun", TABLE + "h9,G2,P1,S1\n", "2 core switches"),
        ("lingjun", TABLE + "h9,,P1,S1\n", "DSW = ''"),
        ("lingjun", "ip,DSW,PSW,ASW\nh0,G1,P1,S1\n", "1 accelerators"),
        ("topograph", "", "empty"),
        ("topograph", "blocks: []", "switches is None"),
        ("topograph", "switches: {a: {switches: [b]}}", "blocks is None"),
        ("topograph", MODEL.replace("switch: leaf-1", "switch: leaf-9"), "'leaf-9' is not among"),
        ("topograph", MODEL.replace("n[01-04]", "n[05-08]"), "'n05' stands there twice"),
        ("topograph", MODEL.replace("[spine-1, spine-2]", "[spine-1, core]"), "above itself"),
        ("topograph", MODEL.replace("n[01-04]", "n[0-99999999]"), "more than"),
        ("topograph", MODEL.replace("  spine-1:", "  core:"), "twice"),
    ],
)
def test_what_is_wrong_is_said(read, name, text, message):
    with pytest.raises((ConfigError, TopologyError), match=message) as told:
        read(name, text)
    assert "\n" not in str(told.value)


def test_lingjun_real(real, kinds):
    """847 hosts under 119 access switches (pairs of pod and access name) in 3 pods of one core."""
    path = real("lingjun/topo.csv")
    rows = [line.split(",") for line in path.read_text().split()[1:]]
    topology = build(str(path))
    assert kinds(topology) == {"accelerator": 847, "switch": 119 + 3 + 1}
    assert topology.links == 847 + 119 + 3 == len(rows) + len({tuple(r[1:]) for r in rows}) + len({r[2] for r in rows})


def test_topograph_real(real, kinds):
    topology = build(str(real("topograph/nvl72.yaml")))
    assert kinds(topology) == {"accelerator": 4 * 18, "switch": 4 + 2 + 1}
    assert topology.links == 72 + 4 + 2 and [len(d) for d in topology.domains] == [18] * 4


def test_topograph_real_with_the_racks_that_it_models(real, read):
    """Four NVL72: each 72 GPUs x 18 links."""
    text = real("topograph/nvl72.yaml").read_text()
    assert read("topograph", text, gpus="4", accelerator="gb200").links == 288 + 4 + 2 + 4 * build("nvl72").links
