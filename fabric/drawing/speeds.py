"""Speeds: bus bandwidth against message size of every algorithm, the best one, and the bound above them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from fabric.crossovers import fastest, named
from fabric.drawing.axes import LINE, Scale, line, round_ticks, size_axis, size_ticks, spread, text, value_axis

if TYPE_CHECKING:
    from fabric.tuning import Tuning

COLOURS = (
    "#2f7fc1", "#4a9a4a", "#8a3fb0", "#1f9e9e", "#d05f9b", "#6b5b45", "#5b74d6", "#8aa31e", "#a83250", "#3d7a63",
    "#c79a1e", "#5a6472",
)  # fmt: skip
BEST, BOUND, LIBRARY = "#1c2430", "#1c2430", "#f0640a"
WIDTH, HEIGHT = 860.0, 460.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 190.0, 92.0, 52.0  # margins
CHARACTER = 6.4  # width of one
POINTS = 8  # in every doubling

Speed = Callable[[float], float]


def draw_speeds(tuning: "Tuning") -> str:
    """The picture as SVG text: thin lines of all algorithms, a thick one of the best, the bound dashed; a strip above
    says which is best where.

    >>> from fabric.tuning import tune
    >>> draw_speeds(tune("switch:n=4", "all-reduce", "1KiB-1MiB")).startswith("<svg")
    True
    """
    rows = tuning.rows
    first, last = rows[0].size_bytes, max(rows[-1].size_bytes, rows[0].size_bytes + 1)
    sizes = _sizes(first, last)

    def speed(time_s: Speed) -> list[float]:
        return [size / time_s(size) / 1e9 * tuning.busbw_factor for size in sizes]

    bound = speed(tuning.bound.time_s)
    ticks = round_ticks(max(bound))
    x = Scale(first, last, LEFT, WIDTH - RIGHT, log=True)
    y = Scale(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    colours = {plan.schedule.algorithm: COLOURS[i % len(COLOURS)] for i, plan in enumerate(tuning.plans)}
    lines = [(plan.schedule.algorithm, speed(plan.time_s)) for plan in tuning.plans]

    def points(speeds: Sequence[float]) -> list[tuple[float, float]]:
        return [(x.at(size), y.at(value)) for size, value in zip(sizes, speeds, strict=True)]

    chosen = [speed(lambda size: fastest(tuning.library, size).time_s(size))] if tuning.library else []
    best = [max(values) for values in zip(*(speeds for _, speeds in lines), strict=True)]
    drawn = [
        *size_axis(x, y, size_ticks(first, last), "message size"),
        *value_axis(x, y, ticks, "busbw GB/s"),
        *_strip(tuning, x, colours),
        line(points(best), BEST, 3.6),
        *(line(points(speeds), colours[name], 1.4) for name, speeds in lines),
        *(line(points(speeds), LIBRARY, 2.4, "2 3") for speeds in chosen),
        line(points(bound), BOUND, 1.4, "6 4"),
        *_labels(
            [*lines, *(("library", speeds) for speeds in chosen), ("bound", bound)],
            [*(colours[name] for name, _ in lines), *(LIBRARY for _ in chosen), BOUND], y, x.end,
        ),
    ]  # fmt: skip
    return "\n".join([*_head(tuning), *drawn, "</svg>", ""])


def _sizes(first: int, last: int) -> list[float]:
    sizes, k = [float(first)], 1
    while (size := first * 2 ** (k / POINTS)) < last:
        sizes.append(size)
        k += 1
    return [*sizes, float(last)]


def _head(tuning: "Tuning") -> list[str]:
    ranks = len(tuning.topology.accelerators)
    heading = f"{tuning.collective} on {tuning.topology.name}: {ranks:,} accelerators"
    said = f"{tuning.routing} routing, {tuning.transport} transport; thick: the best, dashed: what nothing can beat"
    said += ", dotted: what the library takes" if tuning.library else ""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" '
        f'height="{HEIGHT:.0f}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11">',
        f"<title>{escape(heading)}</title>",
        f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="#ffffff"/>',
        f'<text x="20" y="26" font-size="15" font-weight="bold">{escape(heading)}</text>',
        text(20, 26 + LINE + 3, said, fill="#666"),
    ]


def _strip(tuning: "Tuning", x: Scale, colours: dict[str, str]) -> Iterator[str]:
    """Above the plot a bar of the best algorithm's colour over the sizes at which it is best, with its name, and its
    protocol, where there is room."""
    top = TOP - 26
    for start, end, plan in tuning.spans():
        name, protocol = plan.schedule.algorithm, plan.protocol(start)
        whole = named(name, protocol)
        left, right = x.at(start), x.at(max(end, start))
        yield f'<path d="M{left:.1f} {top:.1f}H{right:.1f}" stroke="{colours[name]}" stroke-width="5">' + (
            f"<title>{escape(whole)}</title></path>"
        )
        fits = [words for words in (whole, name, protocol or "") if CHARACTER * len(words) < right - left]
        if fits:
            yield text((left + right) / 2, top - 6, fits[0], "middle", colours[name], "bold")
    for crossover in tuning.crossovers:
        at = x.at(crossover.size_bytes)
        yield f'<path d="M{at:.1f} {top - 4:.1f}V{HEIGHT - BOTTOM:.1f}" stroke="#9aa3ae" stroke-dasharray="2 3"/>'


def _labels(
    lines: Sequence[tuple[str, Sequence[float]]], colours: Sequence[str], y: Scale, edge: float
) -> Iterator[str]:
    """Names beside the ends of the lines, kept apart from each other."""
    ends = [y.at(speeds[-1]) for _, speeds in lines]
    places = spread(ends, LINE - 1, y.end, y.start)
    for (name, speeds), colour, end, place in zip(lines, colours, ends, places, strict=True):
        yield f'<path d="M{edge:.1f} {end:.1f}L{edge + 14:.1f} {place:.1f}" stroke="{colour}" fill="none"/>'
        yield text(edge + 18, place + 4, f"{name} {_number(speeds[-1])}", fill=colour)


def _number(value: float) -> str:
    from topologies.units import format_number

    return format_number(value, 3)
