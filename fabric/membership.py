"""Membership: which ranks of a job are in which group, from what a user writes."""

from collections.abc import Mapping, Sequence
from math import prod
from operator import index
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.groups import Groups
from fabric.placement import Placement, placed
from topologies.errors import ConfigError
from topologies.graph import Topology

MOST = 10**9  # a rank or a size above which nothing is read


def groups_of(
    topology: Topology,
    *,
    ranks: "str | Sequence[int] | None" = None,
    group: "str | Mapping[str, int] | None" = None,
    over: "str | Sequence[str] | None" = None,
    placement: Placement = "packed",
    seed: int = 0,
) -> Groups | None:
    """Who takes part; None where nothing is asked, so that all accelerators do in their own order.

    `placement` puts the ranks of the job on accelerators (`fabric.placement`), `ranks` ("0-7,16-23") takes some of
    them, in that order. `group` ("tp=8,dp=16") numbers these as Megatron does: the first dimension varies fastest, what
    the product leaves over is an outermost one. `over` names the dimensions that a group extends over; all groups run
    at once. ConfigError says which of them does not fit.

    >>> from topologies.registry import build
    >>> t = build("rail:servers=2,gpus=4")
    >>> groups_of(t, group="tp=4,dp=2", over="dp").members.tolist()
    [[0, 4], [1, 5], [2, 6], [3, 7]]
    >>> groups_of(t, ranks="0-2,6").members.tolist()
    [[0, 1, 2, 6]]
    """
    check_membership(ranks, group, over)
    if ranks is None and group is None and isinstance(placement, str) and placement == "packed":
        return None
    where = placed(topology, placement, seed)
    taken = np.arange(len(where)) if ranks is None else chosen_ranks(ranks, len(where))
    labels = taken[None, :] if group is None else _grouped(taken, *_dimensions(group, over), topology.name)
    if labels.shape[1] < 2:
        what = f"a group of --group {_text(group)}" if group is not None else "--ranks"
        raise ConfigError(f"{what} is one rank, which has nobody to talk to; give at least 2")
    name = str(placement) if isinstance(placement, str | Path) else "given"
    return Groups(where[labels], labels, name)


def check_membership(
    ranks: "str | Sequence[int] | None", group: "str | Mapping[str, int] | None", over: "str | Sequence[str] | None"
) -> None:
    """Raise ConfigError for what no fabric could answer: text that cannot be read, a dimension that is not there.

    >>> check_membership("3-1", None, None)
    Traceback (most recent call last):
    topologies.errors.ConfigError: ranks '3-1': the range 3-1 runs backwards; write e.g. 0-7,16-23
    """
    if isinstance(ranks, str):
        _spans(ranks)
    if group is not None:
        _dimensions(group, over)
    elif over is not None:
        raise ConfigError("--over names a dimension of --group; give e.g. --group tp=8,dp=16 --over tp")


def chosen_ranks(text: "str | Sequence[int]", n: int) -> NDArray[np.int64]:
    """Ranks of a list such as "0-7,16-23", in its order; ConfigError for one that is no rank of n, or given twice.

    >>> chosen_ranks("6,0-2", 8).tolist()
    [6, 0, 1, 2]
    """
    if isinstance(text, str):
        spans = _spans(text)
        last = max(end for _, end in spans)
        if last < n:
            found = np.concatenate([np.arange(start, end + 1) for start, end in spans])
    else:
        try:
            found = np.array([index(rank) for rank in text], np.int64)
        except (TypeError, OverflowError):
            raise ConfigError("ranks are no whole numbers; give a list of ranks, or text such as '0-7,16-23'") from None
        last = int(max(found.max(initial=-1), n if found.min(initial=0) < 0 else -1))
    if last >= n:
        raise ConfigError(f"ranks '{_text(text)}': {last} is out of range; the job has ranks 0 to {n - 1}")
    used, times = np.unique(found, return_counts=True)
    if (times > 1).any():
        raise ConfigError(f"ranks '{_text(text)}': {used[np.argmax(times > 1)]} is given twice; give each rank once")
    return found


def _spans(text: str) -> list[tuple[int, int]]:
    return [_span(part.strip(), text) for part in text.split(",")]


def _span(part: str, text: str) -> tuple[int, int]:
    """First and last rank of "3" or "0-7"."""
    example = "write e.g. 0-7,16-23"
    first, dash, last = (piece.strip() for piece in part.partition("-"))
    ends = (first, last) if dash else (first, first)
    if not all(end.isascii() and end.isdigit() and len(end) < len(str(MOST)) for end in ends):
        raise ConfigError(f"ranks '{text:.60}': '{part:.40}' is no rank and no range; {example}")
    start, end = int(ends[0]), int(ends[1])
    if end < start:
        raise ConfigError(f"ranks '{text:.60}': the range {part} runs backwards; {example}")
    return start, end


def _dimensions(
    group: "str | Mapping[str, int]", over: "str | Sequence[str] | None"
) -> tuple[dict[str, int], list[str]]:
    """Sizes by dimension, and the dimensions that a group extends over."""
    sizes = sizes_of(group)
    if over is None:
        if len(sizes) > 1:
            raise ConfigError(f"--group {_text(group)} has several dimensions; give --over {' or '.join(sizes)}")
        return sizes, list(sizes)
    names = [name.strip() for name in over.split(",")] if isinstance(over, str) else list(over)
    lost = next((name for name in names if name not in sizes), None)
    if lost is not None or not names:
        raise ConfigError(f"--over {lost or 'nothing'}: --group {_text(group)} has {' and '.join(sizes)}; give one")
    if len(set(names)) < len(names):
        raise ConfigError(f"--over {','.join(names)} names a dimension twice")
    return sizes, names


def sizes_of(group: "str | Mapping[str, int]") -> dict[str, int]:
    """Sizes by dimension, of text such as "tp=8,dp=16"; ConfigError where it cannot be read."""
    example = "write e.g. tp=8,dp=16"
    if not isinstance(group, str):
        if not group or not all(isinstance(size, int) and 0 < size < MOST for size in group.values()):
            raise ConfigError(f"group {dict(group)} is not a size of 1 or more by dimension, such as {{'tp': 8}}")
        return dict(group)
    sizes: dict[str, int] = {}
    for part in group.split(","):
        name, _, size = (piece.strip() for piece in part.partition("="))
        if not name or not (size.isascii() and size.isdigit() and 0 < int(size[:10]) < MOST):
            raise ConfigError(f"--group {group:.60}: '{part:.40}' is not a dimension and its size; {example}")
        if name in sizes:
            raise ConfigError(f"--group {group:.60}: {name} is given twice; {example}")
        sizes[name] = int(size)
    return sizes


def _grouped(ranks: NDArray[np.int64], sizes: dict[str, int], over: list[str], name: str) -> NDArray[np.int64]:
    """The ranks of every group: all others of the dimensions stand outside, the slowest first."""
    product = prod(sizes.values())
    if len(ranks) % product:
        text = " x ".join(f"{dimension} {size}" for dimension, size in sizes.items())
        raise ConfigError(f"{text} = {product:,} does not divide the {len(ranks):,} ranks on {name}; give a divisor")
    slowest_first = list(reversed(sizes))
    cube = ranks.reshape(len(ranks) // product, *(sizes[dimension] for dimension in slowest_first))
    inner = [1 + i for i, dimension in enumerate(slowest_first) if dimension in over]
    outer = [axis for axis in range(cube.ndim) if axis not in inner]
    return cube.transpose(*outer, *inner).reshape(-1, prod(sizes[dimension] for dimension in over))


def _text(given: object) -> str:
    """What was given, short enough for a line."""
    if isinstance(given, Mapping):
        given = ",".join(f"{name}={size}" for name, size in given.items())
    text = ",".join(map(str, given[:8])) if isinstance(given, Sequence) and not isinstance(given, str) else str(given)
    return f"{text:.60}"
