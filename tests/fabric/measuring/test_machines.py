"""Words of rows that nobody has written yet, and the machines that they must lead to."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from fabric.measuring.machines import NoMachineError, machine_of
from fabric.measuring.matching import counted, facts_of, layers, servers
from fabric.measuring.reading import Measurement
from topologies.parts import Accelerator, catalogue

# system, accelerators, nodes, notes: accelerator of the SPEC, domains, Gb/s of a domain's adapters, network, options.
# Rates are those of the data sheets: adapters times line rate.
TABLE = [
    ("8x H100 SXM5 (Lambda)", 8, 1, "", "h100-sxm", 1, None, None, {}),
    ("8xH100", None, None, "", "h100-sxm", 1, None, None, {}),
    ("H100x8 SXM", None, None, "", "h100-sxm", 1, None, None, {}),
    ("NVLink4 server", 8, None, "", "h100-sxm", 1, None, None, {}),
    ("H100 8 GPUs NVLS off", 8, 1, "", "h100-sxm", 1, None, None, {"nvls": False}),
    ("H100 SXM", 8, 1, "NCCL_NVLS_ENABLE=0", "h100-sxm", 1, None, None, {"nvls": False}),
    ("H100 SXM", 8, 1, "NCCL_ALGO=Ring", "h100-sxm", 1, None, None, {"nvls": False}),
    ("H100 SXM", 8, 1, "algo NVLS", "h100-sxm", 1, None, None, {"nvls": True}),
    ("H200 HGX", 8, 1, "nccl-tests -g 8", "h200-sxm", 1, None, None, {"harness": "process"}),
    ("H200 HGX", 8, 1, "nccl-tests, single process -t N", "h200-sxm", 1, None, None, {}),
    ("B200 HGX x4 of 8", 4, 1, "torchrun all_reduce_bench.py", "b200-sxm", 1, None, None, {"harness": "python"}),
    ("A100 SXM4", 8, 1, "NCCL_LL128_ENABLE=0", "a100-80gb", 1, None, None, {"ll128": False}),
    ("A100-SXM4-40GB", 8, 1, "", "a100-40gb", 1, None, None, {}),
    ("H20 8-GPU", 8, 1, "", "h20", 1, None, None, {}),
    ("MI300X OAM x8", 8, 1, "", "mi300x", 1, None, None, {}),
    ("MI325X", 8, 1, "", "mi325x", 1, None, None, {}),
    ("MI300A (El Capitan node)", 4, 1, "", "mi300x", 1, None, None, {}),
    ("A800 SXM", 8, 1, "", "a100-80gb", 1, None, None, {}),
    ("MI355X", 8, 1, "", "mi355x", 1, None, None, {}),
    ("GB300 NVL72", 72, 18, "", "gb300", 1, None, None, {}),
    ("GB200 NVL72, half a rack", 36, 9, "", "gb200", 1, None, None, {}),
    ("GB200 (2 trays)", 8, 2, "", "gb200", 1, None, None, {}),
    ("GB200, 2 trays", 8, 2, "MNNVL disabled", "gb200", 2, 1600, "infiniband", {"net": "infiniband"}),
    ("GB200 NVL72 2 racks, 4x400G per tray", 144, 36, "", "gb200", 2, 28800, "infiniband", {"net": "infiniband"}),
    ("GB300 NVL72, 8 racks", 576, 144, "", "gb300", 8, 57600, "infiniband", {"net": "infiniband"}),
    ("Vera Rubin NVL144", 72, 18, "", "rubin-r200", 1, None, None, {}),
    ("GH200 NVL32", 32, 8, "", "gh200", 1, None, None, {}),
    ("AMD Helios MI455X", 72, 18, "", "mi455x", 1, None, None, {}),
    ("DGX A100 2 nodes, 8x HDR200", 16, 2, "", "a100-80gb", 2, 1600, "infiniband", {"net": "infiniband"}),
    ("DGX A100, HDR 8 nodes", 64, 8, "", "a100-80gb", 8, 1600, "infiniband", {"net": "infiniband"}),
    ("HGX H200 8xNDR", 16, 2, "", "h200-sxm", 2, 3200, "infiniband", {"net": "infiniband"}),
    ("DGX B200, 8x NDR400 IB", 16, 2, "", "b200-sxm", 2, 3200, "infiniband", {"net": "infiniband"}),
    ("DGX B300, XDR 8x800G", 16, 2, "", "b300-sxm", 2, 6400, "infiniband", {"net": "infiniband"}),
    ("2 nodes of 8x H100 SXM, IB NDR", None, 2, "", "h100-sxm", 2, 3200, "infiniband", {"net": "infiniband"}),
    ("H100 SXM 8x400 Gb/s IB", 64, 8, "SHARP", "h100-sxm", 8, 3200, "infiniband", {"net": "infiniband", "sharp": True}),
    ("H800 HGX, 8x400G IB", 32, 4, "", "h800", 4, 3200, "infiniband", {"net": "infiniband"}),
    ("H100 2 nodes, 1 NIC 400G", 16, 2, "", "h100-sxm", 2, 400, "infiniband", {"net": "infiniband"}),
    ("DGX H100 with 4x ConnectX-7 400G", 16, 2, "", "h100-sxm", 2, 1600, "infiniband", {"net": "infiniband"}),
    ("H100 SXM, 3200 Gbps RoCE", 32, 4, "", "h100-sxm", 4, 3200, "roce", {"net": "roce"}),
    ("HGX-H100 400G per GPU RoCEv2", 16, 2, "", "h100-sxm", 2, 3200, "roce", {"net": "roce"}),
    ("HGX H100, 8x400GbE", 64, 8, "", "h100-sxm", 8, 3200, "roce", {"net": "roce"}),
    ("HGX A100 80GB, 100GbE TCP", 16, 2, "", "a100-80gb", 2, 800, "tcp", {"net": "tcp"}),
    ("H100, EFA disabled (sockets)", 16, 2, "", "h100-sxm", 2, 3200, "tcp", {"net": "tcp"}),
    ("p3dn.24xlarge", 16, 2, "", "v100", 2, 100, "efa", {"net": "efa"}),
    ("p4d.24xlarge", 16, 2, "", "a100-40gb", 2, 400, "efa", {"net": "efa"}),
    ("AWS p5e.48xlarge", 16, 2, "", "h200-sxm", 2, 3200, "efa", {"net": "efa"}),
    ("p5en.48xlarge", 32, 4, "", "h200-sxm", 4, 3200, "efa", {"net": "efa"}),
    ("p5.48xlarge", 8, 4, "2 GPUs per node", "h100-sxm", 4, 800, "efa", {"net": "efa"}),
    ("p6-b200.48xlarge", 16, 2, "", "b200-sxm", 2, 3200, "efa", {"net": "efa"}),
    ("p5.48xlarge", 16, 2, "numbers match the p4de log", "a100-80gb", 2, 400, "efa", {"net": "efa"}),
    ("a3-highgpu-8g", 16, 2, "", "h100-sxm", 2, 800, "tcpx", {"net": "tcpx"}),
    ("a3-megagpu-8g", 16, 2, "", "h100-sxm", 2, 1600, "tcpxo", {"net": "tcpxo"}),
    ("a3-ultragpu (H200, RoCE 8x400G)", 32, 4, "", "h200-sxm", 4, 3200, "roce", {"net": "roce"}),
    ("a4-highgpu-8g B200", 16, 2, "", "b200-sxm", 2, 3200, "roce", {"net": "roce"}),
    ("ND A100 v4", 16, 2, "", "a100-40gb", 2, 1600, "infiniband", {"net": "infiniband"}),
    ("Standard_ND96amsr_A100_v4", 16, 2, "", "a100-80gb", 2, 1600, "infiniband", {"net": "infiniband"}),
    ("Azure ND H100 v5", 16, 2, "", "h100-sxm", 2, 3200, "infiniband", {"net": "infiniband"}),
    ("Standard_ND96isr_H200_v5", 16, 2, "", "h200-sxm", 2, 3200, "infiniband", {"net": "infiniband"}),
    ("Standard_ND96isr_MI300X_v5", 16, 2, "", "mi300x", 2, 3200, "infiniband", {"net": "infiniband"}),
    ("BM.GPU.H100.8", 16, 2, "", "h100-sxm", 2, 3200, "roce", {"net": "roce"}),
    ("BM.GPU4.8", 16, 2, "", "a100-40gb", 2, 1600, "roce", {"net": "roce"}),
    ("MI300X 4 nodes, 8x400G Pollara", 32, 4, "", "mi300x", 4, 3200, "roce", {"net": "roce"}),
    ("MI250X Frontier", 32, 4, "", "mi250x", 4, 800, "slingshot", {"net": "slingshot"}),
    ("GH200 Slingshot-11, 8 nodes", 32, 8, "", "gh200", 8, 800, "slingshot", {"net": "slingshot"}),
    ("Perlmutter A100", 16, 4, "", "a100-40gb", 4, 800, "slingshot", {"net": "slingshot"}),
    ("Leonardo", 16, 4, "", "a100-40gb", 4, 400, "infiniband", {"net": "infiniband"}),
    ("Gaudi2 HLS-2", 8, 1, "", "gaudi2", 1, None, None, {}),
    ("Intel Gaudi 3", 16, 2, "", "gaudi3", 2, 4800, "roce", {"net": "roce"}),
    ("Ascend 910B 8 NPU", 8, 1, "", "ascend-910b", 1, None, None, {}),
    ("Huawei Atlas 800T A2, 2 nodes 8x200GbE", 16, 2, "", "ascend-910b", 2, 1600, "roce", {}),
    ("L40S", 8, 1, "", "l40s", 1, None, None, {"peers": "host"}),
    ("L40S", 8, 1, "P2P through a PCIe switch", "l40s", 1, None, None, {"peers": "direct"}),
    ("8x RTX 6000 Ada", 8, 1, "", "rtx-6000-ada", 1, None, None, {"peers": "host"}),
    ("RTX PRO 6000 Blackwell Server Edition", 8, 1, "", "rtx-pro-6000", 1, None, None, {"peers": "direct"}),
    ("RTX 4090 x4", 4, 1, "", "rtx-4090", 1, None, None, {"peers": "host"}),
    ("g5.48xlarge A10G", 8, 1, "", "a10g", 1, None, None, {"peers": "host"}),
    ("H100 PCIe", 8, 1, "", "h100-pcie", 1, None, None, {"peers": "direct"}),
    ("H100 NVL pair", 2, 1, "", "h100-nvl", 1, None, None, {}),
    ("A100 PCIe, 4 cards", 4, 1, "NCCL_P2P_DISABLE=1", "a100-pcie", 1, None, None, {"peers": "host"}),
    ("T4 x4", 4, 1, "", "t4", 1, None, None, {"peers": "host"}),
    ("V100 DGX-1", 8, 1, "", "v100", 1, None, None, {}),
    ("DGX-2", 16, 1, "", "v100", 1, None, None, {}),
    ("TPU v4 2x2x4", 16, None, "", "tpu-v4", 1, None, None, {}),
    ("TPU v5e 4x4", 16, None, "", "tpu-v5e", 1, None, None, {}),
    ("TPU v5p 4x4x8", 128, None, "", "tpu-v5p", 1, None, None, {}),
    ("Cloud TPU v6e-256", 256, None, "", "tpu-v6e", 1, None, None, {}),
    ("Ironwood 4x4x4", 64, None, "", "tpu-v7", 1, None, None, {}),
    ("Trainium2 trn2.48xlarge", 16, 1, "", "trainium2", 1, None, None, {}),
    ("Trn2 UltraServer", 64, 4, "", "trainium2", 1, None, None, {}),
    ("B200", 24, 3, "nolocal; 1x400G NIC/rank", "b200-sxm", 24, 400, "infiniband", {"net": "infiniband"}),
]  # fmt: skip


def row(system, ranks=8, nodes=1, notes="", in_place=False):
    return Measurement(
        row=1, log="", system=system, notes=notes, ranks=ranks, nodes=nodes, collective="all-reduce",
        size_bytes=1 << 20, in_place=in_place, time_us=1.0, algbw_gb_per_s=None, busbw_gb_per_s=None,
    )  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=[f"{case[0]}-{case[1]}-{case[3]}" for case in TABLE])
def test_words_lead_to_machines(case):
    system, ranks, nodes, notes, accelerator, domains, nics_gbps, network, options = case
    machine = machine_of(row(system, ranks, nodes, notes))
    assert (machine.accelerator, machine.domains, machine.fabric, dict(machine.options)) == (
        accelerator, domains, network, options,
    )  # fmt: skip
    if nics_gbps is not None:
        assert machine.nics_gb_per_s * 8 == nics_gbps
    topology = fabric.build(machine.spec)
    parts = {topology.graph.nodes[a]["part"] for a in topology.accelerators}
    assert len(topology.accelerators) == machine.ranks and parts == {accelerator}
    kinds = topology.attribute("kind")
    if domains > 1:
        first = [n for n, kind in topology.graph.nodes(data="kind") if kind == "nic" and n.startswith("server-0/")]
        out = [e["rate_gbps"] for n in first for _, m, e in topology.graph.edges(n, data=True) if "leaf" in str(m)]
        assert sum(out) == nics_gbps and kinds.count("nic") == domains * len(first)


def test_the_table_is_long_enough():
    assert len(TABLE) >= 60 and len({case[0] for case in TABLE}) >= 60


def test_a_group_of_a_slice_is_a_part_of_it():
    machine = machine_of(row("TPU v4 2x2x2", 8, 1, "group of 4"))
    assert machine.ranks == 4 and "dims=2x2x1," in machine.spec


def test_large_slices_wrap_and_small_ones_do_not():
    assert "wrap=truextruextrue" in machine_of(row("TPU v4", 64)).spec
    assert "wrap=falsexfalsexfalse" in machine_of(row("TPU v4", 32)).spec
    assert "wrap=falsextrue" in machine_of(row("TPU v5e 8x16", 128)).spec


def test_an_in_place_row_says_so():
    assert machine_of(row("H100", in_place=True)).transport == "nccl:inplace=true"


@pytest.mark.parametrize(
    ("system", "ranks", "nodes", "why"),
    [
        ("Cerebras CS-3", 8, 1, "names an accelerator"),
        ("H100", None, None, "how many"),
        ("H100", 1, 1, "alone"),
        ("H100", 100, 13, "evenly"),
        ("H100", 24, 1, "24 accelerators in one domain"),
        ("TPU v4 3x5x7", 100, None, "no slice of 100"),
        ("CloudMatrix384", 16, 2, "384"),
    ],
)
def test_what_leads_nowhere_says_why(system, ranks, nodes, why):
    with pytest.raises(NoMachineError, match=why):
        machine_of(row(system, ranks, nodes))


def test_every_fact_of_every_rule_is_one_that_is_known():
    known = set(catalogue())
    for name, facts in servers()["servers"].items():
        if name != "default":
            assert isinstance(catalogue()[name], Accelerator)
        for key in ("chip", "inside"):
            assert facts.get(key, "qm9700") in known
    for layer in layers():
        for rule in layer.rules:
            assert rule.facts.get("accelerator", "h100-sxm") in servers()["servers"]
    assert all(port["switch"] in known and port["nic"] in known for port in servers()["port"])


def test_memory_is_no_network():
    facts, _ = facts_of("A100 80G SXM, 8x80GB", "")
    assert (facts["nics"], facts["nic_gbps"]) == (8, 200) and counted("gpus", "A100 80GB") is None


@pytest.mark.parametrize(
    ("notes", "gbps"),
    [("busbw 100 GB/s", 200), ("-b 8 -e 10G", 200), ("100 Gb/s", 100), ("HBM 80G", 200), ("2x100GbE", 100)],
)
def test_only_bits_of_a_link_are_a_line_rate(notes, gbps):
    assert facts_of("DGX A100", notes)[0]["nic_gbps"] == gbps


def test_an_instance_knows_its_adapters_better_than_a_rate_alone():
    assert machine_of(row("p5.48xlarge, 400G", 16, 2)).nics_gb_per_s == 32 * 100 / 8
    assert machine_of(row("p5.48xlarge, 8x400G", 16, 2)).nics_gb_per_s == 8 * 400 / 8


def test_names_of_networks_are_no_instances():
    assert facts_of("NDR A100", "")[0]["accelerator"] == "a100-80gb"
    assert facts_of("A30 PCIe", "")[0]["accelerator"] == "a100-pcie"


def test_an_a800_has_eight_links():
    assert fabric.build(machine_of(row("A800 SXM")).spec).links == 64


@pytest.mark.parametrize(
    ("notes", "facts"),
    [
        ("all_reduce_perf -b 8 -e 16G -g 1", {}),
        ("SHARP disabled", {"sharp": False}),
        ("NVLink SHARP disabled", {"nvls": False}),
        ("fixture log in SuperBench", {"harness": "process", "ll128": False}),
    ],
)
def test_notes_on_how_a_row_was_run(notes, facts):
    found, _ = facts_of("H100 SXM", notes)
    keys = ("nvls", "sharp", "harness", "ll128", "peers", "algorithm")
    assert {key: found[key] for key in keys if key in found} == facts


WORDS = (
    "H100", "8x", "A100 80GB", "GB200 NVL72", "MI300X", "TPU v4", "v5e", "2x2x4", "Trainium2", "L40S", "Gaudi 3",
    "GH200", "CloudMatrix384", "p5.48xlarge", "p4de", "a3-megagpu-8g", "ND H100 v5", "BM.GPU4.8", "Alps", "DGX-2",
    "PCIe", "NVL", "IB NDR", "8x HDR200", "RoCE 8x400G", "EFA", "Slingshot-11", "TCP", "1 NIC", "2x400G NIC/rank",
    "3200 Gbps", "100GbE", "nolocal", "MNNVL disabled", "2 racks", "group of 4", "NVLS off", "SHARP", "ring", "-g 8",
    "torch", "SuperBench", "P2P", "ctran algo ctring-off", "TE-CCL MSCCL schedule", "match the p4de log", "2 nodes",
    "4 GPUs per node", "(", "40GB",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=4), st.lists(st.sampled_from(WORDS), max_size=3),
    st.one_of(st.none(), st.integers(1, 600)), st.one_of(st.none(), st.integers(1, 80)), st.booleans(),
)  # fmt: skip
def test_any_words_lead_to_a_fabric_of_as_many_or_to_a_reason(system, notes, ranks, nodes, in_place):
    try:
        machine = machine_of(row(" ".join(system), ranks, nodes, "; ".join(notes), in_place))
    except NoMachineError as reason:
        assert str(reason) and "\n" not in str(reason)
        return
    assert machine.ranks >= 2 and machine.ranks % machine.domains == 0
    assert machine.nics_gb_per_s > 0 and machine.domain_gb_per_s > 0
    assert not re.search(r"[{}]|=(?:None|inf|nan)\b", machine.spec)
    if machine.ranks <= 64:
        assert len(fabric.build(machine.spec).accelerators) == machine.ranks


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_read(system, notes):
    facts, said = facts_of(system, notes)
    assert isinstance(facts, dict) and all(isinstance(line, str) for line in said)
