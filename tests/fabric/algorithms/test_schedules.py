"""Algorithms: what every rank sends and receives, per byte of size, against the closed forms of the collectives."""

from functools import cache

import numpy as np
import pytest

from fabric.algorithms import ALGORITHMS, NotApplicable
from fabric.algorithms.grouped import scheduled
from fabric.algorithms.ring import rings_of
from fabric.algorithms.tours import Tours
from fabric.collectives import COLLECTIVES, collective
from fabric.moe import Moe
from fabric.patterns import pattern_of
from topologies.registry import build
from topologies.selection import with_ranks

fabric = cache(build)  # one of each, to look at

FABRICS = [
    "ring:n=2", "ring:n=7", "torus:dims=4x4", "torus:dims=4x2x3", "torus:dims=3x3", "mesh:dims=3x4",
    "torus:dims=4x4x8,twist=true",
    "full-mesh:n=2", "full-mesh:n=8", "switch:n=2", "switch:n=6", "fat-tree:k=4", "nvl72", "rail:servers=2,gpus=2",
    "rail:servers=4",
    "rail:servers=3,gpus=4", "rail:servers=5,gpus=6,rails=3", "rail:servers=4,gpus=4,core=none",
    "rail:servers=4,gpus=1",
]  # fmt: skip


def schedule(spec, name, algorithm, **options):
    topology = fabric(spec)
    return ALGORITHMS[algorithm](topology, collective(name, len(topology.accelerators), **options))


def applicable(spec):
    """(collective, what the algorithm makes of it) of all that apply, on one fabric."""
    topology = fabric(spec)
    for name in COLLECTIVES:
        for make in ALGORITHMS.values():
            try:
                yield name, make(topology, collective(name, len(topology.accelerators)))
            except NotApplicable:
                continue


each_fabric = pytest.mark.parametrize("spec", FABRICS)


def least(name, n):
    """What each rank at least has to receive, per byte of size: nobody can do with less data, whatever the algorithm.

    The root of a reduce may get it summed by one sender; a rank of a reduce-scatter needs one sum of its share.
    """
    receives = np.full(
        n,
        {"all-reduce": 1.0, "all-gather": (n - 1) / n, "reduce-scatter": 1 / n, "all-to-all": (n - 1) / n}.get(
            name, 1.0
        ),
    )
    if name == "broadcast":
        receives[0] = 0.0
    if name == "reduce":
        receives[1:] = 0.0
    return receives


@each_fabric
def test_every_rank_receives_what_it_must(spec):
    n = len(fabric(spec).accelerators)
    for name, made in applicable(spec):
        received = sum(step.traffic.received[:n] for step in made.steps)
        assert np.all(received >= least(name, len(received)) - 1e-9), (name, made.algorithm)


@each_fabric
def test_every_rank_sends_what_only_it_has(spec):
    """Each rank's own contribution has to leave it: its vector, its share, or what it must pass to one other."""
    n = len(fabric(spec).accelerators)
    for name, made in applicable(spec):
        sent = sum(step.traffic.sent[:n] for step in made.steps)
        where = (name, made.algorithm)
        shares = {"all-gather": 1 / n, "reduce-scatter": (n - 1) / n, "all-to-all": (n - 1) / n}
        if name == "broadcast":
            assert sent[0] >= 1 - 1e-9, where
        elif name == "reduce":
            assert np.all(sent[1:] >= 1 - 1e-9), where
        elif made.algorithm == "bucket" and spec.startswith("mesh"):
            assert np.all(sent > 0), where  # on a line a rank adds to what passes by and sends one sum
        else:
            assert np.all(sent >= shares.get(name, 1.0) - 1e-9), where


@each_fabric
def test_the_total_is_that_of_an_algorithm_without_waste(spec):
    """All but van de Geijn's broadcast and reduce, relays, and rings that do not close move the least there is."""
    for name, made in applicable(spec):
        n = len(fabric(spec).accelerators)
        total, wanted = sum(step.traffic.total for step in made.steps), collective(name, n).received
        where = (name, made.algorithm, total, wanted)
        if made.ends > n:  # what switches add up and multicast is sent once, and received by them
            continue
        assert total >= wanted - 1e-9, where
        if made.algorithm == "bruck" and name == "all-to-all":
            assert total <= n / 2 * (n - 1).bit_length() + 1e-9, where  # every message holds up to half of the data
        elif folds(made.algorithm, n) or (made.algorithm == "recursive-doubling" and name == "all-reduce"):
            assert total <= wanted + n * (n - 1).bit_length() + 1e-9, where  # folded vectors; whole ones each round
        elif name in ("broadcast", "reduce") or made.relays is not None or odd_rail(spec):
            assert total <= 2.0 * wanted + 1e-9, where
        else:
            assert total == pytest.approx(wanted), where


def folds(algorithm, n):
    """Does the algorithm take 2^q ranks, the others leaving their part to one of these?"""
    return algorithm in ("halving", "recursive-doubling") and n & (n - 1) != 0


def odd_rail(spec):
    return spec.startswith("rail") and len(fabric(spec).domains) % 2 == 1


@pytest.mark.parametrize(
    "spec", ["ring:n=7", "torus:dims=4x2x3", "torus:dims=4x4", "switch:n=6", "full-mesh:n=8", "rail:servers=4"]
)
@pytest.mark.parametrize("name", ["all-reduce", "all-gather", "reduce-scatter"])
def test_symmetric_algorithms_load_every_rank_alike(spec, name):
    topology = fabric(spec)
    n = len(topology.accelerators)
    for algorithm, make in ALGORITHMS.items():
        if algorithm in ("double-binary-tree", "tree", "nvls", "nvls-tree", "sharp"):  # leaves and switches differ
            continue
        try:
            made = make(topology, collective(name, n))
        except NotApplicable:
            continue
        if folds(made.algorithm, n) or (made.algorithm == "recursive-doubling" and name == "all-reduce"):
            continue
        expected = (2 if name == "all-reduce" else 1) * (n - 1) / n
        np.testing.assert_allclose(sum(s.traffic.received for s in made.steps), expected, err_msg=made.algorithm)
        np.testing.assert_allclose(sum(s.traffic.sent for s in made.steps), expected, err_msg=made.algorithm)


def test_two_ranks_exchange_in_a_ring():
    """All-reduce of two: each sends half, receives the other's sum, and both links are used alike."""
    for spec in ("ring:n=2", "switch:n=2", "full-mesh:n=2"):
        (step,) = schedule(spec, "all-reduce", "ring").steps
        assert step.traffic.sent.tolist() == pytest.approx([1.0, 1.0])
        assert step.traffic.received.tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("name", "rounds"), [("all-reduce", 10), ("all-gather", 5), ("reduce-scatter", 5), ("broadcast", 5)]
)
def test_rounds_of_a_ring(name, rounds):
    (step,) = schedule("ring:n=6", name, "ring").steps
    assert step.rounds == rounds and step.chain


@pytest.mark.parametrize("dims", ["8", "4x4", "2x2", "3x4", "4x3x2", "4x4x8", "5x3x4"])
def test_a_ring_on_a_torus_walks_along_links(dims):
    for twist in ("", ",twist=true") if dims == "4x4x8" else ("",):
        topology = fabric(f"torus:dims={dims}{twist}")
        (step,) = ALGORITHMS["ring"](topology, collective("all-gather", len(topology.accelerators))).steps
        source, target, _ = step.traffic.as_pairs()
        assert all(
            topology.graph.has_edge(topology.nodes[s], topology.nodes[t]) for s, t in zip(source, target, strict=True)
        )
        assert len(set(source.tolist())) == len(topology.nodes)


@pytest.mark.parametrize(
    "spec", ["rail:servers=4", "rail:servers=4,core=none", "rail:servers=6,gpus=4", "dgx-h100-superpod-256"]
)
def test_rail_rings_stay_on_their_rail(spec):
    """Between servers every hop joins accelerators of one rail, and every adapter carries the same."""
    topology = fabric(spec)
    size = len(topology.domains[0])
    (step,) = ALGORITHMS["ring"](topology, collective("all-reduce", len(topology.accelerators))).steps
    source, target, amount = step.traffic.as_pairs()
    out = source // size != target // size
    assert np.array_equal(source[out] % size, target[out] % size)
    leaving = np.bincount(source[out], amount[out], minlength=len(topology.accelerators))
    np.testing.assert_allclose(leaving, leaving[0])


@pytest.mark.parametrize("n", [4, 5, 8, 9])
def test_rings_of_a_full_mesh_load_every_link_alike(n: int):
    """An all-gather takes (n-1)/n of the data into every rank, by n-1 links: 1/n on each, 7 of 7 links of an MI300X."""
    (step,) = schedule(f"full-mesh:n={n}", "all-gather", "ring").steps
    source, target, amount = step.traffic.as_pairs()
    load = np.zeros((n, n))
    np.add.at(load, (source, target), amount)
    np.testing.assert_allclose(load, (1 - np.eye(n)) / n)


def test_tree_between_single_accelerators():
    """Two domains of one rank: no chain, and S each way; what waits for nothing inside waits for two hops across."""
    spec = "server:servers=2,gpus=1,nics=1,pcie_switches=1,sockets=1,scaleup_switch=none"
    steps = schedule(spec, "all-reduce", "tree").steps
    assert sum(step.traffic.total for step in steps) == pytest.approx(2.0)
    assert sum(step.rounds for step in steps) == 2


def pairs(traffic):
    return {(s, t): a for s, t, a in zip(*(x.tolist() for x in traffic.as_pairs()), strict=True)}


def test_tours():
    """Half each way round; open from the first rank to both of its neighbours' sides, and back."""
    tours = Tours.both_ways([np.array([2, 0, 1])])
    closed = {(2, 0): 0.5, (0, 1): 0.5, (1, 2): 0.5, (2, 1): 0.5, (1, 0): 0.5, (0, 2): 0.5}
    assert pairs(tours.traffic(3, 0.5)) == closed
    open_ = pairs(tours.traffic(3, 0.5, closed=False))
    assert open_ == {k: v for k, v in closed.items() if k not in ((1, 2), (0, 2))}
    back = pairs(tours.reversed.traffic(3, 0.5, closed=False))
    assert {(t, s): a for (s, t), a in back.items()} == open_


def test_hierarchical_steps():
    """All-reduce on N servers of g: 2 (g-1)/g inside, 2 (N-1)/N/g across, all across on rails."""
    made = schedule("rail:servers=5,gpus=4", "all-reduce", "hierarchical")
    inside, across, last = (step.traffic for step in made.steps)
    np.testing.assert_allclose(inside.sent, 3 / 4)
    np.testing.assert_allclose(last.sent, 3 / 4)
    np.testing.assert_allclose(across.sent, 2 * 4 / 5 / 4)
    for traffic, same in ((inside, lambda s, t: s // 4 == t // 4), (across, lambda s, t: s % 4 == t % 4)):
        source, target, _ = traffic.as_pairs()
        assert np.all(same(source, target))


def test_hierarchical_reduce_flows_towards_the_root():
    """Across servers the root's server receives and sends nothing; the furthest sends and receives nothing."""
    made = schedule("rail:servers=4,gpus=4", "reduce", "hierarchical")
    across = next(step.traffic for step in made.steps if step.name == "across domains")
    assert across.sent[:4].tolist() == [0.0] * 4
    np.testing.assert_allclose(across.received[:4], 1 / 4)
    broadcast = schedule("rail:servers=4,gpus=4", "broadcast", "hierarchical")
    down = next(step.traffic for step in broadcast.steps if step.name == "across domains")
    assert down.received[:4].tolist() == [0.0] * 4
    np.testing.assert_allclose(down.sent, across.received)


def test_pxn_steps():
    """(i, r) -> (i, s) -> (j, s): N shares to each neighbour in the server, g to each peer of the rail."""
    made = schedule("rail:servers=5,gpus=4", "all-to-all", "pxn")
    inside, across = (step.traffic for step in made.steps)
    np.testing.assert_allclose(inside.sent, 3 * 5 / 20)
    np.testing.assert_allclose(across.sent, 4 * 4 / 20)
    source, target, amount = across.as_pairs()
    assert np.array_equal(source % 4, target % 4) and np.allclose(amount, 4 / 20)
    assert "sender's server" in made.relays


def test_bucket_loads_every_dimension_of_a_cube_alike():
    made = schedule("torus:dims=4x4x4", "all-reduce", "bucket")
    assert len(made.steps) == 6 and [s.rounds for s in made.steps] == [3] * 6
    by_axis = np.zeros(3)
    for step in made.steps:
        source, target, amount = step.traffic.as_pairs()
        apart = np.abs(source - target)
        np.add.at(by_axis, (apart >= 4).astype(int) + (apart >= 16), amount)
    np.testing.assert_allclose(by_axis, 2 * 63 / 3)


@pytest.mark.parametrize(
    ("spec", "name", "algorithm", "said"),
    [
        ("switch:n=4", "all-reduce", "bucket", "bucket needs a grid"),
        ("ring:n=4", "broadcast", "bucket", "not broadcast"),
        ("switch:n=4", "all-reduce", "hierarchical", "no two scale-up domains"),
        ("nvl72", "all-reduce", "hierarchical", "no two scale-up domains"),
        ("rail:servers=4", "all-to-all", "hierarchical", "not all-to-all"),
        ("rail:servers=4", "all-reduce", "pxn", "pxn does all-to-all, not all-reduce"),
        ("switch:n=4", "all-to-all", "pxn", "no two scale-up domains"),
        ("ring:n=4", "all-to-all", "ring", "not all-to-all"),
    ],
)
def test_not_applicable(spec, name, algorithm, said):
    with pytest.raises(NotApplicable, match=said):
        schedule(spec, name, algorithm)


def test_rings_through_unlike_servers_take_an_adapter_each():
    """8 of 32 ranks in one domain of 72 and 24 in the next: eight rings cross, each by adapters of its own."""
    topology = build("nvl72-x8")
    ranks = np.arange(64, 96)
    rings = rings_of(with_ranks(topology, ranks))[0]
    assert len(rings) == 8
    assert all(sorted(order.tolist()) == list(range(32)) for order in rings)
    far = np.array([[(a, b) for a, b in zip(o, np.roll(o, -1), strict=True) if (a < 8) != (b < 8)] for o in rings])
    assert far.shape == (8, 2, 2)
    assert [len(set(far[:, hop, end].tolist())) for hop in (0, 1) for end in (0, 1)] == [8] * 4


def test_tokens_of_groups_inside_and_across_domains_take_two_hops():
    """Of groups of 16 on domains of 72 most are inside one and some lie in two; each token crosses once."""
    topology = build("nvl72-x8")
    moe = Moe(tokens=256, hidden=512, topk=4, experts=64)
    pattern = pattern_of(topology, "moe-combine", group="ep=16,edp=36", over="ep", moe=moe)
    found = scheduled(ALGORITHMS["two-hop"], topology, pattern)
    assert [step.name for step in found.steps] == ["to or from experts and inside the domain", "along the rail"]
    with pytest.raises(NotApplicable):
        scheduled(ALGORITHMS["two-hop"], topology, pattern_of(topology, "moe-combine", ranks="60-91", moe=moe))
