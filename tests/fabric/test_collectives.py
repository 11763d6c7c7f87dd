"""Collectives: factors of nccl-tests, targets, files of permutations."""

import numpy as np
import pytest

from fabric.collectives import COLLECTIVES, collective
from topologies.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "factor", "received"),
    [
        ("all-reduce", 14 / 8, 14), ("all-gather", 7 / 8, 7), ("reduce-scatter", 7 / 8, 7), ("all-to-all", 7 / 8, 7),
        ("broadcast", 1, 7), ("reduce", 1, 7), ("send-recv", 1, 8), ("permutation", 1, 8),
    ],
)  # fmt: skip
def test_factor_and_received(name, factor, received):
    made = collective(name, 8)
    assert made.busbw_factor == pytest.approx(factor) and made.received == received


@pytest.mark.parametrize("n", [2, 3, 4, 7, 64])
def test_targets(n):
    ranks = np.arange(n)
    assert np.array_equal(collective("send-recv", n).target, (ranks + 1) % n)
    assert np.array_equal(collective("permutation", n).target, (ranks + n // 2) % n)
    assert np.array_equal(collective("permutation", n, shift=n + 1).target, (ranks + 1) % n)
    assert np.array_equal(collective("permutation", n, shift=-1).target, (ranks - 1) % n)
    assert all(collective(name, n).target is None for name in COLLECTIVES if name not in ("send-recv", "permutation"))


@pytest.mark.parametrize("text", ["1 0 2 3", "1, 0, 2, 3\n", "1\n0\n2\n3\n"])
def test_a_permutation_from_a_file(tmp_path, text):
    path = tmp_path / "p.txt"
    path.write_text(text, "utf-8")
    made = collective("permutation", 4, permutation=path)
    assert made.target.tolist() == [1, 0, 2, 3] and made.received == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 0", "2 numbers that are not a permutation of the ranks 0 to 3"), ("1 1 2 3", "not a permutation"),
        ("0 1 2 4", "not a permutation"), ("", "0 numbers"), ("a b c d", "not a list of ranks"),
        ("1.5 0 2 3", "not a list"),
        ("0 1 2 3", "every rank sends to itself"), ("99999999999999999999999 0 1 2", "not a list of ranks"),
        (b"\xff\xfe\x00", "not a list of ranks"),
    ],
)  # fmt: skip
def test_a_bad_permutation_file(tmp_path, text, said):
    path = tmp_path / "p.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"p\.txt") as error:
        collective("permutation", 4, permutation=path)
    assert said in str(error.value)


def test_refused(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'all-reduce'"):
        collective("allreduce", 4)
    with pytest.raises(ConfigError, match="moves nothing; give --shift from 1 to 3"):
        collective("permutation", 4, shift=8)
    with pytest.raises(ConfigError, match="belong to the collective permutation"):
        collective("all-reduce", 4, shift=1)
    with pytest.raises(ConfigError, match="not both"):
        collective("permutation", 4, shift=1, permutation=tmp_path)
    with pytest.raises(ConfigError, match="give a file of 4 ranks"):
        collective("permutation", 4, permutation=tmp_path / "absent")


@pytest.mark.parametrize("given", [[1, 0, 2], (1, 0, 2), np.array([1, 0, 2], np.int32), iter([1, 0, 2])])
def test_a_permutation_of_numbers(given):
    assert collective("permutation", 3, permutation=given).target.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([1, 0], "permutation: 2 numbers"), ([1, 1, 2], "not a permutation"), ([0, 1, 2], "nothing moves"),
        ([1.5, 0, 2], "not a list of ranks"), (["1", "0", "2"], "not a list of ranks"), (7, "not a list of ranks"),
        ([10**30, 0, 1], "not a list of ranks"), ([[1, 0, 2]], "not a list of ranks"), ("1 0 2", "give a file"),
    ],
)  # fmt: skip
def test_a_bad_permutation_of_numbers(given, said):
    with pytest.raises(ConfigError, match=said):
        collective("permutation", 3, permutation=given)


def test_a_path_may_be_text(tmp_path):
    (tmp_path / "p.txt").write_text("1 0 2")
    assert collective("permutation", 3, permutation=str(tmp_path / "p.txt")).target.tolist() == [1, 0, 2]


@pytest.mark.parametrize("shift", ["1", 1.5, [1]])
def test_a_shift_is_a_whole_number(shift):
    with pytest.raises(ConfigError, match="is not a whole number"):
        collective("permutation", 4, shift=shift)
