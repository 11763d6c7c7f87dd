"""Demand of blocks from files and collectives: what is read, what is refused, and sums over ranks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.planning.demand import (
    blocks_of_ranks,
    collective_demand,
    demand_of,
    filling,
    port_bound,
    read_demand,
    summed,
)
from fabric.traffic import Traffic
from topologies.errors import ConfigError, TopologyError
from topologies.graph import Topology

BLOCKS = ["block-0", "block-1", "block-2"]
PLAIN = "0,1,2\n3,0,5\n6,7,0\n"
MATRIX = [[0, 1, 2], [3, 0, 5], [6, 7, 0]]


def _written(folder: Path, text: str) -> Path:
    path = folder / "demand.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        ",block-0,block-1,block-2\nblock-0,0,1,2\nblock-1,3,0,5\nblock-2,6,7,0\n",
        "from/to, block-2, block-0, block-1\n\nblock-1,5,3,9\nblock-0,2,9,1\nblock-2,9,6,7\n",
    ],
)
def test_every_csv_form_is_one_matrix_whose_diagonal_needs_no_circuit(tmp_path: Path, text: str) -> None:
    assert read_demand(_written(tmp_path, text), BLOCKS).tolist() == MATRIX


def test_blocks_that_a_named_file_leaves_out_want_nothing(tmp_path: Path) -> None:
    assert read_demand(_written(tmp_path, ",block-2\nblock-0,4\n"), BLOCKS).tolist() == [[0, 0, 4], [0] * 3, [0] * 3]


def test_npy_is_read_whatever_its_numbers(tmp_path: Path) -> None:
    for kind in (np.int16, np.float32, np.float64):
        np.save(tmp_path / "demand.npy", np.array(MATRIX, kind))
        assert read_demand(tmp_path / "demand.npy", BLOCKS).tolist() == MATRIX


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("0,1\n1,0\n", "2 x 2 is not the demand between 3 blocks"),
        ("0,1,2\n3,0\n", "a row has 2 numbers where others have 3"),
        (PLAIN.replace("5", "-5"), "from block-1 to block-2 is -5"),
        (PLAIN.replace("5", "nan"), "from block-1 to block-2 is nan"),
        (PLAIN.replace("5", "inf"), "from block-1 to block-2 is inf"),
        (PLAIN.replace("5", "1e19"), "zero or from 1e-06 to 1e+18"),
        (PLAIN.replace("5", "1e9"), "leave the smallest out"),
        ("0,1,2\n3,x,5\n6,7,0\n", "'x' is no number"),
        ("0,0,0\n0,0,0\n0,0,0\n", "no block sends another anything"),
        ("7,0,0\n0,7,0\n0,0,7\n", "no block sends another anything"),
        (",block-0,block-9\nblock-0,0,1\n", "no block is named 'block-9'"),
        (",block-0,block-0\nblock-1,0,1\n", "'block-0' stands there twice"),
    ],
)
def test_a_file_that_is_no_demand_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_demand(_written(tmp_path, text), BLOCKS)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_numbers_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "cube.npy", np.zeros((3, 3, 3)))
    np.save(tmp_path / "text.npy", np.array([["a"]]))
    np.save(tmp_path / "objects.npy", np.array([[None]], object), allow_pickle=True)
    (tmp_path / "other.npy").write_bytes(b"\x93NUMPY\x01\x00garbage")
    (tmp_path / "none.npy").write_bytes(b"")
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe\x00")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ConfigError, match=path.name):
            read_demand(path, BLOCKS)
    with pytest.raises(ConfigError, match="No such file"):
        read_demand(tmp_path / "absent.csv", BLOCKS)


def test_all_to_all_between_blocks_is_hosts_times_hosts_over_ranks(built: Callable[[str], Topology]) -> None:
    topology = built("jupiter:blocks=4,uplinks=6,hosts=5")
    blocks = [f"block-{b}" for b in range(4)]
    demand, what = demand_of("all-to-all", topology, blocks)
    assert np.allclose(demand, (1 - np.eye(4)) * 5 * 5 / 20)
    assert "all-to-all" in what
    ring = collective_demand(topology, "all-reduce:ring", blocks)
    assert np.allclose(ring.sum(), 4 * 2 * 2 * 19 / 20 / 2)  # 2 (n-1)/n over the ring's links between blocks, once
    shifted = collective_demand(topology, "permutation", blocks)
    assert shifted.tolist() == [[0, 0, 5, 0], [0, 0, 0, 5], [5, 0, 0, 0], [0, 5, 0, 0]]


def test_cubes_are_blocks_of_chips(built: Callable[[str], Topology]) -> None:
    topology = built("tpu-pod:slice=4x4x8")
    demand = collective_demand(topology, "all-to-all", ["cube-0", "cube-1"])
    assert np.allclose(demand, [[0, 64 * 64 / 128], [64 * 64 / 128, 0]])


def test_a_demand_nobody_knows_is_refused(built: Callable[[str], Topology]) -> None:
    topology = built("jupiter:blocks=4,uplinks=6")
    for given_ in ("all-to-al", "demand.txt"):
        with pytest.raises(ConfigError):
            demand_of(given_, topology, BLOCKS)
    with pytest.raises(ConfigError, match="algorithm"):
        demand_of("all-reduce:rung", topology, BLOCKS)
    with pytest.raises(TopologyError, match="no circuit switches"):
        blocks_of_ranks(built("ring:n=4"))


@given(st.lists(st.integers(0, 3), min_size=3, max_size=12))
def test_sums_over_ranks_are_those_pair_by_pair(groups: list[int]) -> None:
    group, n = np.array(groups), len(groups)
    source, target = np.arange(n), np.roll(np.arange(n), 1)
    for traffic in (Traffic.uniform(n, 0.5), Traffic.pairs(n, source, target, source + 1.0)):
        expected = np.zeros((4, 4))
        for s, t, amount in zip(*traffic.as_pairs(), strict=True):
            expected[group[s], group[t]] += amount
        np.fill_diagonal(expected, 0)
        assert np.allclose(summed(traffic, group, 4), expected)


def test_a_demand_that_fills_the_ports_has_the_bound_one() -> None:
    demand, gbps = np.array(MATRIX, float), np.array([100.0, 200, 300])
    scaled = filling(demand, gbps)
    assert port_bound(scaled, gbps) == pytest.approx(1)
    assert (np.maximum(scaled.sum(0), scaled.sum(1)) <= gbps * (1 + 1e-9)).all()
