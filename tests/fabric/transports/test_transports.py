"""Transports: libraries by name and machine, times by hand, never faster than raw rates, constants accounted for."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.simulation import simulate
from fabric.transports import machine, parse_transport, pricing
from fabric.transports.joining import join
from topologies.errors import ConfigError
from topologies.library_kinds import DomainTransport, Fitted, Library, NetworkTransport
from topologies.parts import catalogue
from topologies.registry import build

fabric = cache(build)
PARTS = catalogue()
RAILS = "rail:servers=4,gpus=8"


@pytest.mark.parametrize(
    ("spec", "domains", "size", "line", "adapters", "on_pcie"),
    [
        ("hgx-h100", 1, 8, 450, 0, False), ("nvl72", 1, 72, 900, 0, False), (RAILS, 4, 8, 450, 400, False),
        ("nvl72-x8", 8, 72, 900, 3600, False), ("aws-p5:servers=2", 2, 8, 450, 400, False),
        ("tpu-v4-64", 1, 64, 300, 0, False), ("fat-tree:k=4", 1, 16, 50, 0, False),
        ("server:accelerator=l40s,scaleup_switch=none", 1, 8, 64, 0, True),
    ],
)  # fmt: skip
def test_machines_as_a_library_finds_them(spec, domains, size, line, adapters, on_pcie):
    found = machine(fabric(spec))
    assert (found.domains, found.size, found.on_pcie) == (domains, size, on_pcie)
    assert (found.line_gb_per_s, found.adapters_gb_per_s) == (line, adapters)


@pytest.mark.parametrize(
    ("spec", "library"),
    [
        ("hgx-h100", "nccl"), ("mi300x-8", "rccl"), ("gaudi3-8", "gaudi"), ("tpu-v5p-64", "tpu-ici"),
        ("switch:n=4", "ideal"),
    ],
)  # fmt: skip
def test_auto_is_the_accelerators_own_library(spec, library):
    assert simulate(fabric(spec), "all-reduce", "1MiB").transport == library


@pytest.mark.parametrize(
    ("spec", "transport", "network"),
    [
        (RAILS, "nccl", "infiniband"), (f"{RAILS},switch=sn5600", "nccl", "roce"),
        (RAILS, "nccl:net=slingshot", "slingshot"),
        ("aws-p5:servers=2", "nccl", "efa"), ("gcp-a3-mega:servers=2", "nccl", "tcpxo"),
    ],
)  # fmt: skip
def test_networks_by_option_system_and_switch(spec, transport, network):
    topology = fabric(spec)
    found = pricing(parse_transport(transport, PARTS), machine(topology), topology.name, PARTS)
    assert found.constants.network.fabric == network


def test_a_ring_on_eight_h100_by_hand():
    """All-gather of 1 GiB out of place: 7/8 S at 0.856 of 450 GB/s and S/8 copied, joined with the floor of 7 steps."""
    row, library = PARTS.part("nccl-nvlink4", DomainTransport), PARTS.part("nccl", Library)
    size = 2.0**30
    floor = row.floor_us + 7 * row.step_floor_us
    bulk = size / 450e3 * (7 / 8 / row.share + 1 / 8 / row.copy_share)
    by_hand = (floor**library.join + bulk**library.join) ** (1 / library.join)
    found = simulate(fabric("hgx-h100"), "all-gather", "1GiB")
    assert found.algorithm == "ring" and found.protocol == "Simple"
    assert found.time_us == pytest.approx(by_hand, rel=1e-9)
    small = simulate(fabric("hgx-h100"), "all-gather", 8)
    assert small.protocol == "LL" and small.time_us == pytest.approx(row.launch_us + 7 * row.hop_us, rel=1e-3)


def test_nvls_on_eight_h100_and_without():
    """S (1 + 1/n) at its share of the line; a ring where it is off, and below five GPUs."""
    row = PARTS.part("nccl-nvlink4", DomainTransport)
    on = simulate(fabric("hgx-h100"), "all-reduce", "1GiB")
    assert on.algorithm == "nvls"
    by_hand = row.multicast_rank_us * 8 + 2.0**30 * 9 / 8 / (row.multicast_share * 450e3)
    assert on.time_us == pytest.approx(by_hand, rel=1e-6)
    for spec, transport in (("hgx-h100", "nccl:nvls=false"), ("hgx-h100:gpus=4", "nccl"), ("hgx-a100", "nccl")):
        assert simulate(fabric(spec), "all-reduce", "1GiB", transport=transport).algorithm == "ring"


def test_two_servers_take_the_tree_across():
    """S, not 15/8 S, crosses 400 GB/s of adapters of a server, and 9/8 S the NVLinks: the slower of the two."""
    network, library = PARTS.part("net-infiniband", NetworkTransport), PARTS.part("nccl", Library)
    domain = PARTS.part("nccl-nvlink4", DomainTransport)
    found = simulate(fabric("rail:servers=2,gpus=8"), "all-reduce", "8GiB")
    assert found.algorithm == "nvls-tree"
    floor = network.floor_us + 30 * library.network_step_us
    outside, inside = 2.0**33 / (network.share * 400e3), 9 / 8 * 2.0**33 / (domain.multicast_share * 450e3)
    assert found.time_us == pytest.approx(floor + max(outside, inside), rel=0.01)


def test_launches_of_one_process_follow_each_other():
    slow = simulate(fabric("hgx-a100"), "all-reduce", 8, transport="nccl:harness=process")
    assert slow.time_us > 8 * PARTS["harness-process"].launch_us_per_rank
    assert slow.transport == "nccl:harness=process"
    assert slow.time_us > 1.5 * simulate(fabric("hgx-a100"), "all-reduce", 8).time_us


def test_host_memory_is_slower_than_direct_peers():
    box = fabric("server:accelerator=l40s,scaleup_switch=none,pcie_gbps=256")
    host, direct = (
        simulate(box, "all-reduce", "64MiB", transport=f"nccl:peers={way}").time_us for way in ("host", "direct")
    )
    assert host > 3 * direct
    assert any("peers=host" in line for line in simulate(box, "all-reduce", "64MiB").estimates)


@pytest.mark.parametrize(
    ("accelerator", "gpus", "busbw"), [("rtx-5090", 4, 35), ("rtx-5090", 8, 28), ("a100-pcie", 3, 20)]
)
def test_published_rates_on_pcie(accelerator, gpus, busbw):
    """All-reduces of nccl-tests in NVIDIA's issues: nccl 1639, nccl-tests 178."""
    pcie = 512 if accelerator == "rtx-5090" else 256
    box = f"server:gpus={gpus},nics=1,pcie_switches=1,sockets=1,pcie_gbps={pcie},scaleup_switch=none"
    found = simulate(fabric(f"{box},accelerator={accelerator}"), "all-reduce", 2**33)
    assert found.busbw_gb_per_s == pytest.approx(busbw, rel=0.02)


def test_a_bridged_pair_has_the_library_of_its_links():
    """Two A100 cards, 12 links of 25 GB/s: S/(0.8016 300) and the copy of S/2 at 1.997 300, and small floors."""
    found = simulate(fabric("full-mesh:n=2,links=12,rate_gbps=200,accelerator=a100-pcie"), "all-reduce", 2**33)
    by_hand = 2**33 / 300e3 * (1 / 0.8016 + 0.5 / 1.997)
    assert found.transport == "nccl"
    assert by_hand < found.time_us < 1.01 * by_hand


def test_servers_of_cards_are_as_fast_as_their_pcie():
    """Four direct peers on 64 GB/s in each of two servers, adapters of 100: 0.4293 of PCIe binds."""
    box = "server:servers=2,gpus=4,nics=2,rate_gbps=400,pcie_switches=2,sockets=2,pcie_gbps=512,scaleup_switch=none"
    found = simulate(fabric(f"{box},accelerator=h100-pcie"), "all-gather", 2**34, algorithm="ring")
    assert found.busbw_gb_per_s == pytest.approx(0.4293 * 64, rel=0.02)
    assert found.transport == "nccl"


def test_best_is_never_above_the_librarys_choice():
    for name in ("all-reduce", "all-gather", "all-to-all"):
        for size in ("1KiB", "1MiB", "1GiB"):
            library, best = (simulate(fabric(RAILS), name, size, tune=t).time_us for t in ("library", "best"))
            assert best <= library * (1 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(
    spec=st.sampled_from(["hgx-h100", "hgx-b200", "hgx-a100:gpus=2", "nvl72", RAILS, "mi300x-8", "tpu-v4-64"]),
    name=st.sampled_from(["all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce", "all-to-all"]),
    size=st.integers(1, 2**36),
)
def test_no_library_beats_raw_rates_or_the_bound(spec, name, size):
    """Nor is any time without its interval, where measurements of its kind are known."""
    found = simulate(fabric(spec), name, size)
    assert found.transport != "ideal"
    assert found.time_us >= found.bound_time_us * (1 - 1e-9)
    assert found.time_us >= simulate(fabric(spec), name, size, transport="ideal").time_us * (1 - 1e-9)
    if found.time_low_us is not None:
        assert found.time_low_us <= found.time_us <= found.time_high_us


@settings(max_examples=40, deadline=None)
@given(spec=st.sampled_from(["hgx-h100", "hgx-b200", RAILS, "mi300x-8"]), size=st.integers(1, 2**34))
def test_more_bytes_are_never_faster(spec, size):
    less, more = (simulate(fabric(spec), "all-reduce", s).time_us for s in (size, size + size // 3 + 1))
    assert more >= less * (1 - 0.06)  # NVLS takes larger chunks from 4 GiB up: there it gains a twentieth


@given(st.floats(0.3, 8), st.floats(0.1, 1e6), st.floats(0.1, 1e6))
def test_a_join_lies_above_the_larger(p, a, b):
    joined = float(join(p, a, np.array(b)))
    assert joined >= max(a, b) * (1 - 1e-12)
    assert joined == pytest.approx((a**p + b**p) ** (1 / p), rel=1e-9)


def test_constants_are_counted_and_have_sources():
    """At most 110 are fitted; a fitted one is a value of its row, and one that serves a single log says so."""
    rows = [row for row in PARTS.values() if isinstance(row, Fitted)]
    assert 80 < sum(len(row.fitted) for row in rows) <= 110
    for row in rows:
        assert all(isinstance(getattr(row, key), float | int) for key in row.fitted), row.name
        assert (row.logs > 0) == bool(row.fitted), row.name
        assert not row.fitted or "fit" in row.source, row.name


@pytest.mark.parametrize(
    "text", ["nccl:", "nccl:nvls", "nccl:nvls=yes", "nccl:harness=perl", "ideal:nvls=true", "mccl", "nccl:nvl=true"]
)
def test_transports_that_cannot_be_read(text):
    with pytest.raises(ConfigError):
        parse_transport(text, PARTS)
