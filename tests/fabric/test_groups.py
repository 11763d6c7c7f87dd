"""Groups that run at once: times by hand, contention on shared links, and what must hold whatever the groups."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from fabric.bounds import collective_bound
from fabric.collectives import collective
from fabric.contention import sharers
from fabric.explaining import explanation, planned
from fabric.groups import Groups
from fabric.placement import placed
from fabric.timing import Assumptions, choose
from topologies.errors import ConfigError, InfeasibleError
from topologies.registry import build

S = 2.0**30  # bytes
NIC, NVLINK, TORUS = 50e9, 450e9, 50e9  # bytes/s of a ConnectX-7, of 18 NVLink 4, of a generic link
TREE = "clos:hosts=32,leaf_hosts=8,uplinks=2"  # 400 GB/s below each leaf, 100 GB/s above: four to one
COLLECTIVES = ["all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce", "all-to-all", "send-recv"]


def simulate(spec, name="all-reduce", size=S, **asked):
    """The answer at raw rates."""
    return fabric.simulate(spec, name, size, transport="ideal", **asked)


def bandwidth_s(spec, name, **asked):
    """Time without its latency, s."""
    result = simulate(spec, name, S, **asked)
    return (result.time_us - result.latency_us) / 1e6


def test_tp_groups_inside_servers_take_the_time_of_one():
    """16 groups of 8 on NVSwitch share nothing: by NVLS 9/8 S / 450 GB/s, as a single server takes."""
    spec = "rail:servers=16,gpus=8"
    assert bandwidth_s(spec, "all-reduce", group="tp=8") == pytest.approx(9 / 8 * S / NVLINK)
    all_at_once, one = (simulate(spec, size=S, **w) for w in ({"group": "tp=8"}, {"ranks": "0-7"}))
    assert all_at_once.time_us == pytest.approx(one.time_us, rel=1e-12)
    assert all_at_once.time_us == pytest.approx(simulate("hgx-h100", size=S).time_us, rel=1e-12)
    assert (all_at_once.accelerators, all_at_once.groups, all_at_once.ranks) == (8, 16, 128)
    assert (one.accelerators, one.groups, one.ranks, one.fabric_accelerators) == (8, 1, 8, 128)


@pytest.mark.parametrize("size", [2.0**16, S])
def test_under_a_library_too_groups_of_servers_take_the_time_of_one(size):
    """NCCL on Hopper: a group finds one domain of 8, or 4 domains of one GPU, whatever the others do beside it."""
    for every, one in (
        ({"group": "tp=8"}, {"ranks": "0-7"}),
        ({"group": "tp=8,dp=4", "over": "dp"}, {"ranks": "0,8,16,24"}),
    ):
        together, alone = (fabric.simulate("rail:servers=4,gpus=8", "all-reduce", size, **w) for w in (every, one))
        assert together.transport == "nccl"
        assert together.time_us == pytest.approx(alone.time_us, rel=1e-9)


def test_dp_groups_across_servers_have_each_its_own_rail():
    """8 groups over 128 servers: by SHARP S / 50 GB/s each, on its own adapter; nobody shares a link."""
    asked = {"group": "tp=8,dp=128", "over": "dp"}
    assert bandwidth_s("rail:servers=128", "all-reduce", **asked) == pytest.approx(S / NIC)
    plan = planned(build("rail:servers=128"), "all-reduce", S, "ring", **asked)
    assert len(sharers(plan).groups) == 1
    assert sharers(plan).fold == pytest.approx(1)


def test_dp_groups_that_share_uplinks_wait_for_each_other():
    """8 groups over 4 leaves by rings, 2 (3/4) S out of each rank: one fills its adapters; 8 send 12 S through the 100
    GB/s of a leaf: four-fold."""
    asked = {"algorithm": "ring", "routing": "ecmp"}
    alone = bandwidth_s(TREE, "all-reduce", ranks="0,8,16,24", **asked)
    assert alone == pytest.approx(1.5 * S / NIC)
    every = bandwidth_s(TREE, "all-reduce", group="tp=8,dp=4", over="dp", **asked)
    assert every == pytest.approx(8 * 1.5 * S / 100e9) == pytest.approx(4 * alone)


def test_striped_tp_groups_leave_nvlink_for_their_adapters():
    """Dealt out over 16 servers a group of 8 has one GPU on each of 8: 450 / 50 = nine times the bandwidth term."""
    packed, striped = (
        bandwidth_s("rail:servers=16,gpus=8", "all-reduce", group="tp=8", placement=p, algorithm="direct")
        for p in ("packed", "striped")
    )
    assert striped == pytest.approx(9 * packed)


def test_packed_against_striped_on_an_oversubscribed_tree():
    """4 leaves of 8 hosts, 4 groups of 8. Packed: a leaf each, 7/8 S through every adapter. Striped: two ranks of each
    group on each leaf; 8 ranks send 6/8 S each out of it, 6 S through 100 GB/s; all groups meet there."""
    asked = {"group": "tp=8", "routing": "ecmp"}
    assert bandwidth_s(TREE, "all-to-all", **asked) == pytest.approx(7 / 8 * S / NIC)
    assert bandwidth_s(TREE, "all-to-all", placement="striped", **asked) == pytest.approx(6 * S / 100e9)
    plan = planned(build(TREE), "all-to-all", S, "direct", placement="striped", **asked)
    found = sharers(plan)
    assert found.groups == (0, 1, 2, 3)
    assert found.complete
    assert found.fold == pytest.approx(4)


def test_rings_in_rank_order_cross_the_tree_on_every_hop_when_striped():
    """2 (7/8) S out of every rank: packed through its adapter; striped 8 ranks of a leaf share 100 GB/s: fourfold."""
    asked = {"group": "tp=8", "routing": "ecmp", "algorithm": "ring"}
    assert bandwidth_s(TREE, "all-reduce", **asked) == pytest.approx(1.75 * S / NIC)
    striped = bandwidth_s(TREE, "all-reduce", placement="striped", **asked)
    assert striped == pytest.approx(8 * 1.75 * S / 100e9) == pytest.approx(4 * 1.75 * S / NIC)


def test_all_to_all_of_expert_groups_by_hand_and_at_its_bound():
    """EP groups of 32 on four servers: 24 of 32 shares leave a server, by the adapters of its 8 GPUs: 24/32 S / 50."""
    result = simulate("rail:servers=16,gpus=8", "all-to-all", S, group="ep=32")
    assert (result.time_us - result.latency_us) / 1e6 == pytest.approx(24 / 32 * S / NIC)
    assert result.algorithm == "pxn"
    assert result.bound_gap == 0
    assert result.of_bound == pytest.approx(1, abs=1e-3)


def test_random_placement_on_a_torus_against_packed():
    """Packed, tp=4 are the rings along x: 2 (3/4) S / 2 on each link. Shuffled, they are no rings and share links."""
    packed, shuffled = (
        bandwidth_s("torus:dims=4x4x4", "all-reduce", group="tp=4", placement=p) for p in ("packed", "random")
    )
    assert packed == pytest.approx(2 * 3 / 4 * S / (2 * TORUS))
    assert shuffled > 2 * packed


def test_planes_of_a_torus_run_their_bucket_side_by_side():
    """dp=16 over y and z of 4x4x4: 2 (15/16) S over 4 links each, as on a torus of 4x4."""
    asked = simulate("torus:dims=4x4x4", size=S, group="tp=4,dp=16", over="dp", algorithm="bucket")
    alone = simulate("torus:dims=4x4", size=S, algorithm="bucket")
    assert asked.time_us == pytest.approx(alone.time_us, rel=1e-12)


@pytest.mark.parametrize("name", COLLECTIVES)
@pytest.mark.parametrize(
    ("spec", "n"), [("torus:dims=4x4", 16), ("rail:servers=3,gpus=4", 12), ("fat-tree:k=4", 16), ("ring:n=7", 7)]
)
def test_a_group_of_all_ranks_is_the_plain_answer(spec, n, name):
    plain, grouped = (simulate(spec, name, S, **w) for w in ({}, {"group": f"dp={n}"}))
    assert grouped.row() == plain.row()


@pytest.mark.parametrize("name", COLLECTIVES)
def test_relabelling_by_an_automorphism_changes_nothing(name):
    """Servers of a rail change places, a torus is shifted: groups that were alike take the same time."""
    rail, torus = build("rail:servers=4,gpus=4"), build("torus:dims=4x4")
    groups = Groups(np.arange(16).reshape(2, 8))
    for topology, image in (
        (rail, np.arange(16).reshape(4, 4)[[2, 0, 3, 1]].ravel()),
        (torus, (np.arange(16) // 4 * 4 + (np.arange(16) + 1) % 4)),
    ):
        moved = Groups(image[groups.members])
        given = Assumptions(transport="ideal", routing="ecmp")
        plans = [choose(topology, collective(name, 8, groups=g), S, given) for g in (groups, moved)]
        assert plans[1].time_s(S) == pytest.approx(plans[0].time_s(S), rel=1e-12)
        bounds = [collective_bound(topology, collective(name, 8, groups=g), gap=None) for g in (groups, moved)]
        assert bounds[1].per_byte_s == pytest.approx(bounds[0].per_byte_s, rel=1e-9)


FABRICS = ["torus:dims=4x4", "rail:servers=4,gpus=4", "clos:hosts=16,leaf_hosts=4,uplinks=1,spines=1", "mesh:dims=4x4"]


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(FABRICS), st.sampled_from(COLLECTIVES), st.sampled_from(["auto", "direct", "ring"]),
    st.sampled_from([1e3, S]), st.permutations(range(16)), st.sampled_from([2, 4, 8]),
)  # fmt: skip
def test_merging_groups_makes_none_faster_and_beats_no_bound(built, spec, name, algorithm, size, order, n):
    topology = built(spec)
    groups = Groups(np.array(order).reshape(-1, n))
    pattern = collective(name, n, groups=groups)
    given = Assumptions(transport="ideal", algorithm=algorithm, routing="ecmp")
    try:
        together = choose(topology, pattern, size, given)
    except InfeasibleError:
        return
    bound = collective_bound(topology, pattern, gap=None)
    assert together.time_s(size) >= bound.time_s(size) * (1 - 1e-9)
    for row in (0, len(groups) - 1):
        alone = replace(pattern, groups=Groups(groups.members[row : row + 1]))
        assert together.time_s(size) >= choose(topology, alone, size, given).time_s(size) * (1 - 1e-9)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(FABRICS[:2]), st.sampled_from(COLLECTIVES), st.permutations(range(16)), st.sampled_from([4, 8]))
def test_fluid_groups_are_not_below_the_bound_nor_one_group(built, spec, name, order, n):
    topology, members = built(spec), np.array(order).reshape(-1, n).tolist()
    asked = {"fidelity": "fluid", "routing": "ecmp", "algorithm": "direct"}
    try:
        flat = [rank for row in members for rank in row]
        names = [topology.accelerators[rank] for rank in flat]
        every = simulate(topology, name, S, group={"tp": n}, placement=names, **asked)
    except InfeasibleError:
        return
    first = simulate(topology, name, S, ranks=members[0], **asked)
    assert every.time_us >= every.bound_time_us * (1 - 1e-9)
    assert every.time_us >= first.time_us * (1 - 1e-9)


def test_fluid_of_groups_on_links_of_their_own_is_that_of_one():
    for name in ("all-reduce", "all-to-all", "broadcast"):
        every, one = (
            simulate("rail:servers=4,gpus=4", name, S, fidelity="fluid", **w)
            for w in ({"group": "tp=4"}, {"ranks": "4-7"})
        )
        assert every.time_us == pytest.approx(one.time_us, rel=1e-9)


def test_groups_that_differ_run_side_by_side_in_fluid():
    """Two in one server, two in two: merged message by message, as slow as the slowest by itself."""
    names = [f"gpu-{s}-{g}" for s, g in [(0, 0), (0, 1), (1, 0), (2, 0)]]
    asked = {"algorithm": "direct", "fidelity": "fluid"}
    every = simulate("rail:servers=4,gpus=4", size=S, group="tp=2", placement=names, **asked)
    slow = simulate("rail:servers=4,gpus=4", size=S, placement=names, ranks="2,3", **asked)
    assert every.time_us == pytest.approx(slow.time_us, rel=1e-9)


def test_the_shared_bound_by_hand():
    """8 all-reduces across 16 servers must bring 8 S out of each, by 8 adapters: S / 50 GB/s. 4 planes of a torus: 15
    of 16 ranks send each byte and get it back: 4 x 2 x 15 S over all 64 x 6 links."""
    rail = build("rail:servers=16,gpus=8")
    across = Groups(np.arange(128).reshape(16, 8).T)
    found = collective_bound(rail, collective("all-reduce", 16, groups=across))
    assert found.per_byte_s == pytest.approx(1 / NIC)
    assert found.gap == 1
    planes = Groups(np.arange(64).reshape(16, 4).T)
    found = collective_bound(build("torus:dims=4x4x4"), collective("all-reduce", 16, groups=planes))
    assert found.per_byte_s == pytest.approx(4 * 2 * 15 / (64 * 6 * TORUS))
    gathers = collective_bound(rail, collective("all-gather", 16, groups=across))
    assert gathers.per_byte_s == pytest.approx(15 / 16 / NIC)  # 15/16 S of each gather comes into each server


def test_explain_names_who_shares_the_binding_link():
    tree = build(TREE)
    said = explanation(tree, "all-to-all", S, "direct", group="tp=8", placement="striped", routing="ecmp")
    assert said["sharing"] == {"groups": [0, 1, 2, 3], "of": 4, "fold": pytest.approx(4), "complete": True}
    names = "Groups 0, 1, 2 and 3 of 4 (0: ranks 0 to 7) share the link leaf-0 > "
    assert any(line.startswith(names) for line in said["help"])
    assert explanation(tree, "all-to-all", S, "direct", routing="ecmp")["sharing"] is None


def test_answers_say_what_they_take_for_granted():
    names = [f"gpu-{s}-{g}" for s, g in [(0, 0), (0, 1), (1, 0), (2, 0)]]
    uneven = simulate("rail:servers=4,gpus=4", group="tp=2", placement=names, overlap="phased")
    assert any("keep pace" in line for line in uneven.estimates)
    even = simulate("rail:servers=4,gpus=4", group="tp=2", overlap="phased")
    assert not any("keep pace" in line for line in even.estimates)
    some = simulate("rail:servers=4,gpus=4", ranks="0-3")
    assert any("12 accelerators that take no part" in line for line in some.estimates)


def test_energy_counts_the_bits_of_all_groups():
    one, all_at_once = (simulate("nvl72", "all-to-all", S, **w) for w in ({"ranks": "0-7"}, {"group": "ep=8"}))
    assert one.network_power_w == all_at_once.network_power_w
    assert one.energy_pj_per_bit == pytest.approx(9 * all_at_once.energy_pj_per_bit, rel=1e-9)


def test_compared_sets_count_the_groups():
    compared = fabric.compare(["torus:dims=4x4", "switch:n=16", "ring:n=12"], ["all-gather"], group="tp=4")
    names = [name.partition(",")[0] for name in compared.sets]
    assert names == ["4 groups of 4 x generic", "3 groups of 4 x generic"]
    with pytest.raises(ConfigError, match="one group"):
        simulate("switch:n=8", "permutation", permutation="random", group="tp=4")


def test_groups_that_are_alike_are_built_once_and_linear_in_ranks():
    """Groups of one kind are given one schedule, and their traffic is as long as their ranks are many."""
    rail = build("rail:servers=64,gpus=8")
    groups = Groups(np.arange(512).reshape(64, 8))
    assert len(list(groups.kinds(rail))) == 1
    traffic = choose(rail, collective("all-to-all", 8, groups=groups), S, Assumptions()).schedule.steps[0].traffic
    assert len(traffic.list_rank) == 512  # linear in ranks: one list a group


def test_a_part_of_each_domain():
    """The first 64 of each 72; and what there is no room for."""
    topology = build("nvl72-x8")
    found = placed(topology, "packed:64")
    assert (found % 72 < 64).all()
    assert len(found) == 512
    for wrong in ("packed:73", "packed:0", "packed:x"):
        with pytest.raises(ConfigError, match="domains of 72; give packed:72 or less"):
            placed(topology, wrong)
    with pytest.raises(ConfigError, match="has no domains; give packed"):
        placed(build("torus:dims=4x4"), "packed:4")
