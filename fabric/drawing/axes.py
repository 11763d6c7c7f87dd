"""Axes: a plot's area, its scales, ticks and grid, for pictures of numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log2, log10
from xml.sax.saxutils import escape

from topologies.units import format_number, format_size

INK, FAINT = "#444", "#e3e7ec"
LINE = 15.0  # height of a line of text


@dataclass(frozen=True, slots=True)
class Scale:
    """A quantity from `low` to `high` onto pixels from `start` to `end`; doublings equally far apart where `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value.

        >>> Scale(1, 16, 0, 100, log=True).at(4), Scale(0, 10, 100, 0).at(2.5)
        (50.0, 75.0)
        """
        low, high, here = (log2(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        return self.start + (self.end - self.start) * (here - low) / (high - low)


def round_ticks(high: float, wanted: int = 5) -> list[float]:
    """Round values from 0 to above `high`, about so many: steps of 1, 2 or 5 times a power of ten.

    >>> round_ticks(930)
    [0, 200, 400, 600, 800, 1000]
    """
    raw = high / wanted
    power = 10.0 ** floor(log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * (1 - 1e-9))
    values = [step * k for k in range(ceil(high / step * (1 - 1e-9)) + 1)]
    return [int(v) if float(v).is_integer() else round(v, 12) for v in values]


def size_ticks(low: int, high: int) -> list[int]:
    """Powers of two at which a scale of sizes is labelled, at most some nine of them.

    >>> size_ticks(1024, 2**34)
    [1024, 8192, 65536, 524288, 4194304, 33554432, 268435456, 2147483648, 17179869184]
    """
    first, last = ceil(log2(low)), floor(log2(high))
    step = max(1, ceil((last - first) / 8))
    return [1 << k for k in range(first, last + 1, step)] or [low]


def size_axis(x: Scale, y: Scale, ticks: Sequence[int], title: str) -> Iterator[str]:
    """The horizontal axis of message sizes, with its grid."""
    for tick in ticks:
        at = x.at(tick)
        yield f'<path d="M{at:.1f} {y.start:.1f}V{y.end:.1f}" stroke="{FAINT}"/>'
        yield text(at, y.start + LINE + 2, format_size(tick), "middle")
    yield text((x.start + x.end) / 2, y.start + 2.5 * LINE, title, "middle")


def value_axis(x: Scale, y: Scale, ticks: Sequence[float], title: str) -> Iterator[str]:
    """The vertical axis of plain numbers, with its grid."""
    for tick in ticks:
        at = y.at(tick)
        yield f'<path d="M{x.start:.1f} {at:.1f}H{x.end:.1f}" stroke="{FAINT}"/>'
        yield text(x.start - 6, at + 4, format_number(tick), "end")
    yield text(12, y.end - LINE, title)


def text(x: float, y: float, words: str, anchor: str = "start", fill: str = INK, weight: str = "normal") -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )


def line(points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = "") -> str:
    """A line through points."""
    path = " ".join(f"{'L' if i else 'M'}{px:.1f} {py:.1f}" for i, (px, py) in enumerate(points))
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round"{dashed}/>'


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to the wanted ones as a gap between neighbours allows, from `low` to `high` where they fit.

    >>> spread([10, 11, 50], 5, 0, 100)
    [8.0, 13.0, 50.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    blocks: list[tuple[list[int], float]] = []  # labels that touch, and the place of the first
    for i in order:
        members, place = [i], float(min(max(wanted[i], low), high))
        while blocks and blocks[-1][1] + gap * len(blocks[-1][0]) > place:
            members = blocks.pop()[0] + members
            mean = sum(wanted[m] - gap * k for k, m in enumerate(members)) / len(members)
            place = float(max(low, min(mean, high - gap * (len(members) - 1))))
        blocks.append((members, place))
    places = [0.0] * len(wanted)
    for members, place in blocks:
        for k, m in enumerate(members):
            places[m] = place + gap * k
    return places
