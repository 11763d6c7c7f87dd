"""Some accelerators of a fabric as its ranks: order, domains, and the grid that remains."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.graph import Grid
from topologies.registry import build
from topologies.selection import coordinates, subgrid, with_ranks

TORUS = Grid((4, 4, 8), (True, True, False))


def grid_of(grid, ranks):
    return subgrid(grid, coordinates(grid, np.array(ranks)))


@pytest.mark.parametrize(
    ("ranks", "dims", "wrap"),
    [
        (range(4), (4,), (True,)),  # all of x
        (range(2), (2,), (False,)),  # a part of x
        (range(16), (4, 4), (True, True)),  # a plane
        ([0, 16, 32, 48], (4,), (False,)),  # half of z, which does not wrap
        ([0, 1, 4, 5, 16, 17, 20, 21], (2, 2, 2), (False, False, False)),  # a corner
        ([3, 0], (2,), (False,)),  # across the wraparound
        ([0, 4, 8, 12, 1, 5, 9, 13], (4, 2), (True, False)),  # y first
        ([0, 2], (2,), (True,)),  # every second of x closes
        ([0, 32, 64, 96], (4,), (False,)),  # every second of z
    ],
)
def test_a_choice_that_is_a_grid_keeps_it(ranks, dims, wrap):
    assert grid_of(TORUS, list(ranks)) == Grid(dims, wrap)


@pytest.mark.parametrize("ranks", [[0, 1, 3], [0, 5, 10], [0, 1, 2, 4, 5, 6, 8, 9], [1, 0, 2, 3], [0, 1, 4, 6]])
def test_a_choice_that_is_no_grid_has_none(ranks):
    assert grid_of(TORUS, ranks) is None


def test_a_twisted_grid_has_no_part_that_is_known_to_be_one():
    assert with_ranks(build("torus:dims=4x4x8,twist=true"), np.arange(16)).grid is None


@given(st.permutations(range(16)), st.integers(2, 16))
def test_neighbours_of_a_kept_grid_are_as_far_apart_as_its_stride(order, n):
    """Whatever is called a grid is one: ranks one apart in a dimension are a constant number of links apart."""
    torus = build("torus:dims=4x4")
    view = with_ranks(torus, np.array(order[:n]))
    if view.grid is None or n == 16:
        return
    hops = dict(nx.all_pairs_shortest_path_length(torus.graph))
    stride = 1
    for size in view.grid.dims:
        apart = {
            hops[view.accelerators[r]][view.accelerators[r + stride]]
            for r in range(n) if r // stride % size < size - 1
        }  # fmt: skip
        assert len(apart) == 1
        stride *= size


def test_ranks_domains_and_arrays_follow_the_choice():
    rail = build("rail:servers=2,gpus=4")
    view = with_ranks(rail, np.array([5, 1, 4]))
    assert view.accelerators == ["gpu-1-1", "gpu-0-1", "gpu-1-0"]
    assert view.domains == [[0, 2], [1]]
    assert [view.nodes[i] for i in view.csr().accelerators] == view.accelerators
    assert view.csr().heads is rail.csr().heads
    assert view.links == rail.links


def test_tours_follow_where_all_accelerators_are_chosen():
    """A tour of circuits is one of the same nodes, whatever number they have."""
    fabric = build("khop-ring:nodes=8,lit=2")
    assert fabric.tours
    order = np.random.default_rng(0).permutation(len(fabric.accelerators))
    view = with_ranks(fabric, order)
    for tour, moved in zip(fabric.tours, view.tours, strict=True):
        assert [fabric.accelerators[r] for r in tour] == [view.accelerators[r] for r in moved]
    assert with_ranks(fabric, order[:4]).tours == ()


def test_all_in_order_is_the_fabric_itself():
    torus = build("torus:dims=4x4")
    assert with_ranks(torus, np.arange(16)) is torus
