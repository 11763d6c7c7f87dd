"""InfraGraph: both spellings of a connection, devices taken apart or whole, and what stands in the real files."""

import pytest

from fabric import simulate
from topologies.registry import build

SERVER = """
- name: server
  components:
  - {name: cpu, choice: cpu, count: 1}
  - {name: npu, choice: npu, count: 2, description: NVIDIA H100}
  - {name: nvlsw, choice: switch, count: 1, description: NVLink Switch}
  - {name: pciesw, choice: switch, count: 1, description: PCI Express Switch Gen 4}
  - {name: nic, choice: nic, count: 2, description: ConnectX-7}
  links: [{name: nvlink}, {name: pcie, description: PCI Express PCIE_GEN5 x16}]
  edges:
  - {ep1: {component: npu}, ep2: {component: nvlsw}, link: nvlink, scheme: many2many}
  - {ep1: {component: "cpu[0]"}, ep2: {component: "pciesw[0]"}, link: pcie, scheme: one2one}
  - {ep1: {component: "npu[0:2]"}, ep2: {component: pciesw}, link: pcie, scheme: many2many}
  - {ep1: {component: nic}, ep2: {component: pciesw}, link: pcie, scheme: many2many}
"""
SWITCH = """
- name: switch
  components: [{name: asic, choice: cpu, count: 1}, {name: port, choice: port, count: 16}]
  links: [{name: ic}]
  edges: [{ep1: {component: asic}, ep2: {component: port}, link: ic, scheme: many2many}]
"""
CLOS = f"""
name: clos
devices:{SERVER}{SWITCH}
instances:
- {{name: host, device: server, count: 4}}
- {{name: leafsw, device: switch, count: 2}}
links:
- {{name: up, physical: {{bandwidth: {{choice: gigabits_per_second, gigabits_per_second: 400}}}}}}
edges:
- {{ep1: {{instance: "host[0:2]", component: nic}}, ep2: {{instance: "leafsw[0]", component: "port[0:4]"}}, link: up}}
- {{ep1: {{instance: "host[2:4]", component: nic}}, ep2: {{instance: "leafsw[1]", component: "port[0:4]"}}, link: up}}
- ep1: {{instance: "leafsw[0]", component: "port[4]"}}
  ep2: {{instance: "leafsw[1]", component: "port[4]"}}
  link: up
"""


def test_edges_of_instances(read, kinds):
    topology = read("infragraph", CLOS)
    assert kinds(topology) == {"accelerator": 8, "switch": 4 + 2, "nic": 8, "host": 4 * 2}
    # each server: two accelerators on their chip; four adapters on each leaf, one link between the leaves
    assert topology.links == 4 * 2 + 8 + 1
    pcie = sum(e["count"] for _, _, e in topology.edges if e["technology"] == "pcie")
    assert pcie == 4 * (1 + 2 + 2)
    assert topology.graph.edges["host.0.nic.0", "leafsw.0"]["rate_gbps"] == 400
    assert topology.graph.edges["host.0.npu.0", "host.0.nvlsw.0"]["rate_gbps"] == 200
    assert {topology.graph.nodes[n]["part"] for n in topology.accelerators} == {"h100-sxm"}
    rates = {round(e["rate_gbps"], 2) for _, _, e in topology.edges if e["technology"] == "pcie"}
    assert rates == {504.12}


def test_accelerators_reach_the_leaves_over_their_adapters(read):
    topology = read("infragraph", CLOS)
    answer = simulate(topology, "permutation", shift=4, transport="ideal")
    assert answer.bottleneck["to"].startswith("leafsw") or answer.bottleneck["from"].startswith("leafsw")
    assert [len(domain) for domain in topology.domains] == [2] * 4
    # shift 4: all four accelerators of a leaf send over its one link to the other, 100 Gb/s each
    assert answer.busbw_gb_per_s == pytest.approx(400 / 4 / 8, rel=1e-3)


def test_what_stays_in_a_server_stays_off_pcie(read):
    """Both neighbours hang on one PCIe bridge, too: two hops either way."""
    topology = read(
        "infragraph",
        CLOS.replace(
            'scheme: many2many}\n  - {ep1: {component: "cpu', 'scheme: many2many}\n  - {ep1: {component: "cpu'
        ),
    )
    answer = simulate(topology, "permutation", permutation=[1, 0, 3, 2, 5, 4, 7, 6], transport="ideal")
    assert answer.busbw_gb_per_s == pytest.approx(25, rel=1e-3)
    assert "nvlsw" in answer.bottleneck["to"] + answer.bottleneck["from"]


def test_a_device_alone(read, kinds):
    text = SERVER.strip().removeprefix("- ").replace("\n  ", "\n")
    topology = read("infragraph", text)
    assert kinds(topology) == {"accelerator": 2, "switch": 1, "nic": 2, "host": 2} and topology.links == 2


def test_schemes(read):
    text = """
devices:
- name: server
  components: [{name: npu, choice: npu, count: 6}]
  links: [{name: x, bandwidth: {gigabytes_per_second: 50}}]
  edges: [{ep1: {component: npu}, ep2: {component: npu}, link: x, scheme: SCHEME}]
instances: [{name: s, device: server, count: 1}]
"""
    mesh = read("infragraph", text.replace("SCHEME", "many2many"))
    assert mesh.links == 15 and {e["rate_gbps"] for _, _, e in mesh.edges} == {400}
    assert read("infragraph", text.replace("SCHEME", "ring")).links == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("a: 1", "0 accelerators"),
        ("infrastructure: 3", "not a table"),
        ("connections: [a.0.b]", "3 words between its dots"),
        ("connections: [a.0.x.b.1]", "9 words"),
        ("connections: [a.0.c.x.l.b.0.d.0]", "the number of c"),
        ("connections: [a.0.c.-1.l.b.0.d.0]", "the number of c"),
        ("connections: [a.0.c.99999999999.l.b.0.d.0]", "the number of c"),
        (CLOS.replace("gigabits_per_second: 400", "gigabits_per_second: -400"), "-400"),
        (CLOS.replace("gigabits_per_second: 400", "gigabits_per_second: .nan"), "nan"),
        (CLOS.replace("gigabits_per_second: 400", "furlongs: 400"), "no gigabits_per_second"),
        (CLOS.replace("npu[0:2]", "npu[0:9]"), "outside of 2 npu"),
        (CLOS.replace("npu[0:2]", "npu["), "is not read"),
        (CLOS.replace("scheme: one2one", "scheme: some2some"), "some2some"),
        (CLOS.replace("{component: nvlsw}", "{component: nvsw}"), "'nvsw' is not among"),
        (CLOS.replace("component: \"port[0:4]\"", "component: \"port[0:3]\""), "one2one joins 4 places with 3"),
        (CLOS.replace("name: switch\n", "name: server\n"), "stands there twice"),
        (CLOS.replace("count: 4", "count: 999999999"), "count"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(read, text, message):
    with pytest.raises(Exception, match=message) as told:
        read("infragraph", text)
    assert told.type.__name__ in ("ConfigError", "TopologyError") and "\n" not in str(told.value)


def test_dgx_a100_real(real, kinds):
    """8 GPUs x 8 chips, 2 processors and 4 bridges, 8 adapters; one link between processors, 4 + 8 + 8 of PCIe."""
    topology = build(str(real("infragraph/dgxa100.yaml")))
    assert kinds(topology) == {"accelerator": 8, "switch": 8, "host": 2 + 4, "nic": 8}
    assert topology.links == 64
    assert sum(e["technology"] == "pcie" for _, _, e in topology.edges) == 20
    assert {topology.graph.nodes[n]["part"] for n in topology.accelerators} == {"a100-40gb"}


def test_two_tier_clos_real(real, kinds):
    """4 servers x 4 adapters at 100 GB/s, 4 leaves x 3 spines at 400 GB/s."""
    topology = build(str(real("infragraph/two-tier-clos.yaml")))
    assert kinds(topology) == {"accelerator": 16, "switch": 4 + 3} and topology.links == 16 + 12
    assert {e["rate_gbps"] for _, _, e in topology.edges} == {800, 3200}
    assert {topology.graph.nodes[f"spinesw.{i}"]["tier"] for i in range(3)} == {2}
