"""Predicted times against measured ones, one point a row on logarithmic scales, beside equality and 10 % off it."""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from fabric.drawing.axes import FAINT, LINE, Scale, line, text
from topologies.units import format_size, format_time_us

if TYPE_CHECKING:
    from fabric.measuring.comparison import Compared

COLOURS = (
    "#2f7fc1", "#c4502f", "#4a9a4a", "#8a3fb0", "#c79a1e", "#1f9e9e", "#d05f9b", "#6b5b45", "#5b74d6", "#8aa31e",
)  # fmt: skip
OTHERS = "#9aa3ae"
SIDE = 520.0  # of the square
LEFT, TOP, BOTTOM, LEGEND = 66.0, 84.0, 56.0, 310.0
OFF = 0.1
LEAST, MOST_US = 1e-3, 1e12
WORDS = 38  # characters of a name in the legend


def draw_scatter(rows: "Sequence[Compared]") -> str:
    """The picture as SVG text: colours are systems, those of most rows first; rings are sizes below 16 MiB, dots above.

    >>> from fabric.measuring.comparing import compare_measured
    >>> draw_scatter(compare_measured(only="TPU7x*").rows).count("<circle")
    14
    """
    times = [t for row in rows for t in (row.measured_us, row.predicted_us)] or [1.0, 10.0]
    low, high = 10.0 ** floor(log10(max(LEAST, min(times)))), 10.0 ** ceil(log10(min(MOST_US, max(times)) * 1.0001))
    x = Scale(low, high, LEFT, LEFT + SIDE, log=True)
    y = Scale(low, high, TOP + SIDE, TOP, log=True)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.system] = counts.get(row.system, 0) + 1
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    colours = {name: COLOURS[i] if i < len(COLOURS) else OTHERS for i, name in enumerate(ranked)}
    drawn = [*_axes(x, y, low, high), *_diagonals(x, y, low, high), *_points(rows, x, y, colours)]
    return "\n".join([*_head(rows), *drawn, *_legend(ranked, counts, colours), "</svg>", ""])


def _head(rows: "Sequence[Compared]") -> list[str]:
    width, height = LEFT + SIDE + LEGEND, TOP + SIDE + BOTTOM
    heading = f"Predicted against measured time of {len(rows):,} collectives"
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11">',
        f"<title>{escape(heading)}</title>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="20" y="26" font-size="15" font-weight="bold">{escape(heading)}</text>',
        text(20, 26 + LINE + 3, f"within 10 %: {_share(rows):.0%} of rows; dots 16 MiB and more, rings below",
             fill="#666"),
    ]  # fmt: skip


def _share(rows: "Sequence[Compared]") -> float:
    return sum(abs(row.error) <= OFF for row in rows) / max(1, len(rows))


def _axes(x: Scale, y: Scale, low: float, high: float) -> Iterator[str]:
    tick = low
    while tick <= high * 1.001:
        across, up, told = x.at(tick), y.at(tick), format_time_us(tick)
        yield f'<path d="M{across:.1f} {y.start:.1f}V{y.end:.1f}M{x.start:.1f} {up:.1f}H{x.end:.1f}" stroke="{FAINT}"/>'
        yield text(across, y.start + LINE + 2, told, "middle")
        yield text(x.start - 6, up + 4, told, "end")
        tick *= 10
    yield text((x.start + x.end) / 2, y.start + 2.5 * LINE, "measured", "middle")
    yield text(12, y.end - 10, "predicted")


def _diagonals(x: Scale, y: Scale, low: float, high: float) -> Iterator[str]:
    """Where a prediction is right, and where it is 10 % off."""
    yield line([(x.at(low), y.at(low)), (x.at(high), y.at(high))], "#444", 1.2)
    for factor in (1 + OFF, 1 - OFF):
        start, end = max(low, low / factor), min(high, high / factor)
        ends = [(x.at(start), y.at(start * factor)), (x.at(end), y.at(end * factor))]
        yield line(ends, "#444", 0.8, "4 3")


def _points(rows: "Sequence[Compared]", x: Scale, y: Scale, colours: dict[str, str]) -> Iterator[str]:
    for row in rows:
        colour = colours[row.system]
        large = row.size_bytes >= 16 << 20
        paint = f'fill="{colour}" fill-opacity="0.75"' if large else f'fill="none" stroke="{colour}"'
        said = f"{row.system}: {row.collective} {format_size(row.size_bytes)}, row {row.row}, {row.error:+.0%}"
        place = f'cx="{x.at(row.measured_us):.1f}" cy="{y.at(row.predicted_us):.1f}" r="2.6"'
        yield f"<circle {place} {paint}><title>{escape(said)}</title></circle>"


def _legend(ranked: Sequence[str], counts: dict[str, int], colours: dict[str, str]) -> Iterator[str]:
    """Names of the colours; those that share one stand together."""
    left, top = LEFT + SIDE + 18, TOP + 8
    named = ranked[: len(COLOURS)]
    entries = [(name, counts[name], colours[name]) for name in named]
    if rest := ranked[len(COLOURS) :]:
        entries.append((f"{len(rest)} more systems", sum(counts[name] for name in rest), OTHERS))
    for i, (name, number, colour) in enumerate(entries):
        cut = name if len(name) <= WORDS else f"{name[: WORDS - 1]}…"
        yield f'<circle cx="{left:.1f}" cy="{top + 18 * i:.1f}" r="4" fill="{colour}"/>'
        yield text(left + 10, top + 18 * i + 4, f"{cut} ({number:,})")
    after = top + 18 * len(entries) + 8
    yield f'<circle cx="{left:.1f}" cy="{after:.1f}" r="2.6" fill="#444"/>'
    yield text(left + 10, after + 4, "16 MiB and more")
    yield f'<circle cx="{left:.1f}" cy="{after + 18:.1f}" r="2.6" fill="none" stroke="#444"/>'
    yield text(left + 10, after + 22, "below 16 MiB")
    yield text(left, after + 44, "line: equal; dashed: 10 % off", fill="#666")
