"""Wiring: which blocks have how many ports on which circuit switch, and states counted by block."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError, TopologyError

Kind = Literal["bidi", "duplex", "simplex"]
Counts = NDArray[np.int16]  # [switches, blocks, blocks]: circuits from a north port of one to a south port of another
ARRAYS = ("state", "target", "north_ports", "south_ports")


@dataclass(frozen=True, slots=True, eq=False)
class Wiring:
    """Ports of blocks on circuit switches: `north` and `south` int32[N, K] on sides A and B.

    `bidi`: one cross-connect is one link of either direction (circulators). `duplex`: a link takes a port on both
    sides at both blocks and two cross-connects; `north` counts these pairs of ports, `south` is the same. `simplex`:
    links are directed, and so is what is wanted. `domains` int32[K] are failure domains of the switches.
    """

    kind: Kind
    blocks: Sequence[str]
    switches: Sequence[str]
    north: NDArray[np.int32]
    south: NDArray[np.int32]
    domains: NDArray[np.int32]

    def links(self, counts: Counts) -> NDArray[np.int64]:
        """int64[N, N]: links between blocks on all switches; symmetric unless the wiring is simplex."""
        total: NDArray[np.int64] = counts.sum(axis=0, dtype=np.int64)
        return total if self.kind == "simplex" else total + total.T

    def check(self, counts: Counts) -> None:
        """Raise TopologyError where a state uses more ports than there are."""
        out, into = counts.sum(axis=2).T, counts.sum(axis=1).T
        used = ((out + into, self.north, "north"),) if self.kind == "duplex" else (
            (out, self.north, "north"), (into, self.south, "south"))  # fmt: skip
        for taken, there, side in used:
            over = np.argwhere(taken > there)
            if len(over):
                i, k = over[0]
                raise TopologyError(
                    f"{self.blocks[i]} has {taken[i, k]} circuits on {there[i, k]} {side} ports of {self.switches[k]}"
                )


def lower_bound(before: NDArray[np.int64], after: NDArray[np.int64]) -> int:
    """Links that any plan takes down: those that pairs of blocks have today beyond what they shall have.

    Both are int64[N, N], symmetric.

    >>> lower_bound(np.array([[0, 3], [3, 0]]), np.array([[0, 1], [1, 0]]))
    2
    """
    return int(np.triu(np.maximum(before - after, 0)).sum())


def read_arrays(path: Path) -> tuple[Wiring, Counts, NDArray[np.int64]]:
    """Wiring, state and wanted links of an .npz file: `state` [K, N, N], `target` [N, N], `north_ports` and
    `south_ports` [N, K]; bidi wiring, a failure domain a quarter of the switches.

    ConfigError for a file that cannot be read or whose arrays do not fit each other.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            missing = [name for name in ARRAYS if name not in file]
            if missing:
                raise ConfigError(f"{path}: no array '{missing[0]}'; it needs {', '.join(ARRAYS)}")
            state, target, north, south = (np.asarray(file[name]) for name in ARRAYS)
    except ConfigError:
        raise
    except (OSError, ValueError, EOFError, KeyError, TypeError, BadZipFile) as error:
        why = getattr(error, "strerror", None) or "not an .npz file"
        raise ConfigError(f"{path}: {why}; give an .npz file of {', '.join(ARRAYS)}") from None
    for name, array in zip(ARRAYS, (state, target, north, south), strict=True):
        if array.dtype.kind not in "iu" or (array.size and int(array.min()) < 0) or int(array.max(initial=0)) > 30_000:
            raise ConfigError(f"{path}: {name} is {array.dtype} with values outside 0 to 30,000; give whole numbers")
    switches, blocks = (state.shape[0], state.shape[1]) if state.ndim == 3 else (0, 0)
    shapes = ((switches, blocks, blocks), (blocks, blocks), (blocks, switches), (blocks, switches))
    for name, array, shape in zip(ARRAYS, (state, target, north, south), shapes, strict=True):
        if array.shape != shape or 0 in shape:
            raise ConfigError(
                f"{path}: {name} has the shape {array.shape}, not [K, N, N], [N, N], [N, K] of one fabric"
            )
    if (target != target.T).any() or np.diag(target).any():
        raise ConfigError(f"{path}: target is not symmetric with a zero diagonal, as links between blocks are")
    wiring = Wiring(
        "bidi", [f"block-{i}" for i in range(blocks)], [f"ocs-{k}" for k in range(switches)],
        np.ascontiguousarray(north, np.int32), np.ascontiguousarray(south, np.int32),
        (np.arange(switches) * 4 // switches).astype(np.int32),
    )  # fmt: skip
    counts = np.ascontiguousarray(state, np.int16)
    wiring.check(counts)
    return wiring, counts, target.astype(np.int64)
