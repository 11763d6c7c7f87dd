"""Bucket: links of every dimension equally busy, on sides however unequal, with and without wraparound or twist."""

from functools import cache

import numpy as np
import pytest

from fabric.algorithms.lattice import Lattice
from fabric.bounds import collective_bound
from fabric.collectives import collective
from fabric.timing import Assumptions, choose
from topologies.graph import Grid
from topologies.registry import build

fabric = cache(build)


def plan(spec, name):
    topology = fabric(spec)
    pattern = collective(name, len(topology.accelerators))
    return choose(topology, pattern, 1.0, Assumptions("bucket", transport="ideal"))


@pytest.mark.parametrize("name", ["all-reduce", "all-gather", "reduce-scatter"])
@pytest.mark.parametrize(
    "spec",
    ["torus:dims=4x8", "torus:dims=2x9", "torus:dims=4x4x8", "torus:dims=2x3x7", "torus:dims=4x4x4",
     "torus:dims=3x5,K=2x1", "torus:dims=4x8,twist=true", "torus:dims=4x4x8,twist=true", "torus:dims=4x8x8,twist=true"],
)  # fmt: skip
def test_on_a_torus_nothing_is_faster(spec, name):
    """(n-1)/n S through all links of a rank, twice for all-reduce: the bound, whatever the sides."""
    found = plan(spec, name)
    n = found.collective.n
    csr = found.topology.csr()
    out = csr.capacity[csr.indptr[0] : csr.indptr[1]].sum()
    assert found.per_byte_s == pytest.approx((1 + (name == "all-reduce")) * (n - 1) / n / out, rel=1e-4)
    assert found.per_byte_s == pytest.approx(collective_bound(found.topology, found.collective).per_byte_s, rel=1e-4)


@pytest.mark.parametrize("spec", ["mesh:dims=5", "mesh:dims=3x7", "mesh:dims=2x3x4", "torus:dims=4x8,wrap=falsextrue"])
def test_on_lines_a_corner_is_always_busy(spec):
    """All-gather: a corner has one link in each line and two in each ring, and all bring it the same."""
    found = plan(spec, "all-gather")
    n, csr = found.collective.n, found.topology.csr()
    into = csr.capacity[csr.indptr[0] : csr.indptr[1]].sum()
    assert found.per_byte_s == pytest.approx((n - 1) / n / into, rel=1e-4)


def test_an_all_reduce_on_a_line_takes_s_each_way():
    assert plan("mesh:dims=5,rate_gbps=8", "all-reduce").per_byte_s == pytest.approx(1e-9)


def test_shares_of_two_copies_by_hand():
    """4 x 8: x first puts 24/32 on x and 7/32 on y, y first 3/32 and 28/32; 25/42 and 17/42 of them are equal."""
    found = plan("torus:dims=4x8", "all-gather")
    np.testing.assert_allclose(found.arcs, 31 / 32 / 4, rtol=1e-4)


@pytest.mark.parametrize("dims", [(4, 8), (4, 4, 8), (4, 8, 8), (5, 10)])
def test_a_twisted_lattice_is_a_group(dims):
    """Steps commute, lines tile the ranks, and the lengths of any order multiply to all ranks."""
    lattice = Lattice(Grid(dims, (True,) * len(dims), True))
    ranks, unit = np.arange(lattice.n), np.eye(len(dims), dtype=np.int64)
    for a in range(len(dims)):
        assert sorted(lattice.lines(a).ravel().tolist()) == ranks.tolist()
        for b in range(len(dims)):
            there = lattice.shifted(lattice.shifted(ranks, unit[a]), unit[b])
            assert np.array_equal(there, lattice.shifted(lattice.shifted(ranks, unit[b]), unit[a]))
        order = [a, *(i for i in range(len(dims)) if i != a)]
        assert np.prod(lattice.lengths(order)) == lattice.n
        assert sorted(lattice.around(order, np.array([3]))[0].tolist()) == ranks.tolist()
