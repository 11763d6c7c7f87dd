"""Collective patterns: what each rank must send, and the bandwidths that nccl-tests quotes."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.groups import Groups
from fabric.moe import OPERATIONS, Moe
from topologies.errors import ConfigError, unknown

COLLECTIVES = (
    "all-reduce", "all-gather", "reduce-scatter", "broadcast", "reduce", "all-to-all", "send-recv", "permutation",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Collective:
    """A pattern over n ranks; `target` is where each rank of send-recv or permutation sends, `moe` the layer of experts
    that moe-dispatch and moe-combine serve. Rank 0 is the root.

    With `groups` of n ranks each all of them do it at once, each on its own data; without, all ranks of a fabric do.
    """

    name: str
    n: int
    target: NDArray[np.int64] | None = None
    groups: Groups | None = None
    moe: Moe | None = None

    @property
    def busbw_factor(self) -> float:
        """busbw = algbw x factor (nccl-tests doc/PERFORMANCE.md).

        >>> collective("all-reduce", 8).busbw_factor
        1.75
        """
        share = (self.n - 1) / self.n
        return {
            "all-reduce": 2 * share,
            "all-gather": share,
            "reduce-scatter": share,
            "all-to-all": share,
        }.get(self.name, 1.0)

    @property
    def together(self) -> int:
        """How many groups do it at once."""
        return 1 if self.groups is None else len(self.groups)

    @property
    def placement(self) -> str:
        """Where the ranks are: `packed` unless told otherwise."""
        return "packed" if self.groups is None else self.groups.placement

    @property
    def received(self) -> float:
        """Bytes that all ranks of a group together have to receive, per byte of size."""
        if self.target is not None:
            return float(np.count_nonzero(self.target != np.arange(self.n)))
        if self.moe is not None:
            return float(self.n)  # a size is what one rank sends to others, on average
        return (2.0 if self.name == "all-reduce" else 1.0) * (self.n - 1)


def collective(
    name: str,
    n: int,
    *,
    shift: int | None = None,
    permutation: "Path | str | Sequence[int] | None" = None,
    groups: Groups | None = None,
    moe: Moe | None = None,
) -> Collective:
    """A pattern over n ranks, of each of `groups` where there are any; `shift` (n/2 by default) or `permutation`, ranks
    or a file of them, say where permutation sends; `moe` is the layer of moe-dispatch and moe-combine.

    >>> collective("permutation", 4).target.tolist(), collective("send-recv", 3).target.tolist()
    ([2, 3, 0, 1], [1, 2, 0])
    """
    if name not in (*COLLECTIVES, *OPERATIONS):
        raise ConfigError(unknown("collective", name, (*COLLECTIVES, *OPERATIONS)))
    if name != "permutation" and (shift is not None or permutation is not None):
        raise ConfigError(f"--shift and --permutation belong to the collective permutation, not to {name}")
    if shift is not None and permutation is not None:
        raise ConfigError("give --shift or --permutation, not both")
    if name in OPERATIONS:
        return Collective(name, n, groups=groups, moe=moe or Moe())
    if moe is not None:
        raise ConfigError(f"tokens and experts belong to {' and '.join(OPERATIONS)}, not to {name}")
    ranks = np.arange(n)
    if name == "send-recv":
        return Collective(name, n, (ranks + 1) % n, groups)
    if name != "permutation":
        return Collective(name, n, groups=groups)
    if permutation is not None:
        return Collective(name, n, _permuted(permutation, n), groups)
    try:
        by = (n // 2 if shift is None else index(shift)) % n
    except TypeError:
        raise ConfigError(f"shift {shift!r:.40} is not a whole number") from None
    if by == 0:
        raise ConfigError(f"a permutation by {shift} of {n} ranks moves nothing; give --shift from 1 to {n - 1}")
    return Collective(name, n, (ranks + by) % n, groups)


def _permuted(given: "Path | str | Sequence[int]", n: int) -> NDArray[np.int64]:
    """The target of every rank, from a file or as it is given."""
    where = str(given) if isinstance(given, Path | str) else "permutation"
    try:
        ranks = map(int, _words(Path(given), n)) if isinstance(given, Path | str) else map(index, given)
        target = np.array(list(ranks), np.int64)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{where}: not a list of ranks; give {n} whole numbers, the target of rank 0 first") from None
    if len(target) != n or not np.array_equal(np.sort(target), np.arange(n)):
        raise ConfigError(f"{where}: {len(target)} numbers that are not a permutation of the ranks 0 to {n - 1}")
    if np.array_equal(target, np.arange(n)):
        raise ConfigError(f"{where}: every rank sends to itself; nothing moves")
    return target


def _words(path: Path, n: int) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").replace(",", " ").split()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a file of {n} ranks") from None
