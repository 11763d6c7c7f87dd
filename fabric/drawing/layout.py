"""Layout: where each node of a fabric is drawn; a glyph may stand for many of them, and what is left out is said."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from topologies.graph import Topology

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Glyph:
    """A dot or a box at (x, y), in pixels, y downwards, for one node or for several of a kind.

    `label` is written into or beside it; `name` is what a reader sees on pointing at it.
    """

    x: float
    y: float
    kind: str
    name: str
    label: str = ""
    width: float = 10.0
    height: float = 10.0

    @property
    def radius(self) -> float:
        """Half its larger side."""
        return max(self.width, self.height) / 2


@dataclass(slots=True)
class Layout:
    """Glyphs, the glyph of every node (int32[V], -1 where it is not drawn), frames behind them, and captions.

    `stubs` are pairs of glyphs whose links leave the picture and come in again, as wraparounds do: each end gets a
    stub. those of `bent` are arcs, so that links along a row or column show beyond the next glyph. `spokes`
    (glyph, glyph, links) are drawn in place of the circuits where no load is to be shown.
    """

    of: NDArray[np.int32]
    glyphs: list[Glyph] = field(default_factory=list)
    frames: list[tuple[float, float, float, float, str]] = field(default_factory=list)  # x, y, width, height, title
    captions: list[str] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)  # where "..." stands for what is left out
    stubs: set[tuple[int, int]] = field(default_factory=set)
    spokes: list[tuple[int, int, int]] = field(default_factory=list)
    bent: set[tuple[int, int]] = field(default_factory=set)

    @classmethod
    def empty(cls, topology: Topology) -> "Layout":
        """Nothing drawn yet."""
        return cls(np.full(len(topology.nodes), -1, np.int32))

    def add(self, glyph: Glyph, members: Sequence[int] | NDArray[np.int64]) -> int:
        """Place a glyph that stands for those nodes (their positions); its own position."""
        self.of[np.asarray(members, np.int64)] = len(self.glyphs)
        self.glyphs.append(glyph)
        return len(self.glyphs) - 1


def kept(items: Sequence[T], most: int) -> tuple[list[T], int]:
    """The first items and the last one where there are more than fit, and how many are left out before the last.

    >>> kept("abcdefg", 4), kept("abc", 4)
    ((['a', 'b', 'c', 'g'], 3), (['a', 'b', 'c'], 0))
    """
    if len(items) <= most:
        return list(items), 0
    return [*items[: most - 1], items[-1]], len(items) - most


def row(items: Sequence[T], most: int, pitch: float, centre: float = 0.0) -> tuple[list[tuple[T, float]], float | None]:
    """Items spread evenly round a centre, and where the gap before the last lies if some are left out.

    >>> row("ab", 4, 10.0)
    ([('a', -5.0), ('b', 5.0)], None)
    """
    shown, left = kept(items, most)
    places = len(shown) + (1 if left else 0)
    xs = [centre + (i - (places - 1) / 2) * pitch for i in range(places)]
    if not left:
        return list(zip(shown, xs, strict=True)), None
    return list(zip(shown, [*xs[:-2], xs[-1]], strict=True)), xs[-2]


def titled(kind: str, labels: Sequence[Hashable]) -> str:
    """What a glyph stands for, in words.

    >>> titled("accelerator", ["a", "b"]), titled("switch", ["s"])
    ('a to b (2 accelerators)', 's')
    """
    return str(labels[0]) if len(labels) == 1 else f"{labels[0]} to {labels[-1]} ({len(labels):,} {plural(kind)})"


def plural(kind: str) -> str:
    """
    >>> plural("switch"), plural("nic")
    ('switches', 'nics')
    """
    return kind + ("es" if kind.endswith("ch") else "s")
