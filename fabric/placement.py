"""Placement: which accelerator each rank of a job runs on."""

from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fabric.routing.contraction import contract
from topologies.errors import ConfigError
from topologies.graph import Topology

PLACEMENTS = ("packed", "striped", "random")
PACKED = "packed:"  # and how many of each scale-up domain

Placement = str | Path | Sequence[Hashable]


def placed(topology: Topology, placement: Placement = "packed", seed: int = 0) -> NDArray[np.int64]:
    """int64[ranks]: the accelerator of every rank, by its place in the fabric's own order.

    `packed` keeps that order, which fills domains one after the other; `packed:64` takes the first 64 accelerators of
    each scale-up domain, so that blocks of 16 or 64 ranks do not straddle domains of 72; `striped` deals ranks out in
    turn to the scale-up domains (to the switches that accelerators hang on, where there are no domains); `random` is a
    seeded shuffle. Else a file of node names, one a line, rank 0 first, or the names themselves; accelerators that are
    not named are idle. ConfigError for a name that is no accelerator, or one that is given twice.

    >>> from topologies.registry import build
    >>> placed(build("rail:servers=2,gpus=4"), "striped").tolist()
    [0, 4, 1, 5, 2, 6, 3, 7]
    >>> placed(build("rail:servers=2,gpus=4"), "packed:3").tolist()
    [0, 1, 2, 4, 5, 6]
    """
    n = len(topology.accelerators)
    if placement == "packed":
        return np.arange(n)
    if isinstance(placement, str) and placement.startswith(PACKED):
        return _first(topology, placement)
    if placement == "striped":
        return _striped(topology)
    if placement == "random":
        return np.random.default_rng(seed).permutation(n)
    return _named(topology, placement)


def _first(topology: Topology, placement: str) -> NDArray[np.int64]:
    """The first accelerators of each domain, as many as `packed:K` says."""
    text = placement.removeprefix(PACKED)
    smallest = min((len(ranks) for ranks in topology.domains), default=0)
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= smallest):
        what = f"domains of {smallest:,}; give packed:{smallest} or less" if smallest else "no domains; give packed"
        raise ConfigError(f"placement '{placement:.30}': {topology.name} has {what}")
    taken: NDArray[np.int64] = np.concatenate([np.sort(ranks)[: int(text)] for ranks in topology.domains])
    return taken


def _striped(topology: Topology) -> NDArray[np.int64]:
    """Rank i on the i-th place of a round over all homes, each giving its next accelerator; full ones are passed by."""
    home = _homes(topology)
    order = np.argsort(home, kind="stable")
    sizes = np.bincount(home)
    turn = np.empty(len(home), np.int64)
    turn[order] = np.arange(len(home)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    dealt: NDArray[np.int64] = np.lexsort((home, turn))
    return dealt


def _homes(topology: Topology) -> NDArray[np.int64]:
    """int64[n]: the domain of each accelerator, or its switch, numbered as they come."""
    n = len(topology.accelerators)
    home = np.arange(n)
    if len(topology.domains) > 1:
        for domain, ranks in enumerate(topology.domains):
            home[ranks] = n + domain
    else:
        home = contract(topology).node_of_rank.astype(np.int64)
    _, start, label = np.unique(home, return_index=True, return_inverse=True)
    if len(start) == n:
        raise ConfigError(
            f"striped deals ranks out over domains or switches; {topology.name} has one accelerator on each; "
            "give packed, random or a file"
        )
    numbers: NDArray[np.int64] = np.argsort(np.argsort(start))[label]
    return numbers


def _named(topology: Topology, placement: Placement) -> NDArray[np.int64]:
    """The accelerators that a file or a sequence names."""
    if isinstance(placement, str | Path):
        where, names = str(placement), _lines(Path(placement))
    else:
        where, names = "placement", [str(name) for name in placement]
    place = {str(label): rank for rank, label in enumerate(topology.accelerators)}
    lost = next((name for name in names if name not in place), None)
    if lost is not None:
        ends = topology.accelerators
        raise ConfigError(
            f"{where}: '{lost}' is no accelerator of {topology.name}; give names from {ends[0]} to {ends[-1]}"
        )
    ranks = np.array([place[name] for name in names], np.int64)
    used, times = np.unique(ranks, return_counts=True)
    if (times > 1).any():
        twice = topology.accelerators[int(used[np.argmax(times > 1)])]
        raise ConfigError(f"{where}: {twice} is given to {times.max()} ranks; give each accelerator one rank at most")
    return ranks


def _lines(path: Path) -> list[str]:
    """Lines of a file without the empty ones and comments (#)."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        names = ", ".join(PLACEMENTS)
        raise ConfigError(
            f"placement '{path}' is not one of {names}, and no file of node names: {error.strerror}"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not a text file; give node names, one a line, rank 0 first") from None
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
