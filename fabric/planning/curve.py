"""Curve: circuits moved against throughput gained, before anything is assigned to switches."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.sax.saxutils import escape

from fabric.planning.demand import Matrix, port_bound
from fabric.planning.ports import Ports
from fabric.planning.target import CURVE_GAP, Links, Target, block_links, carried, gbps_of, rounded
from fabric.planning.wiring import lower_bound

BLENDS = (0.25, 0.5, 0.75)
SLACKS = (0.0, 1.0, 2.0, 4.0)
WIDTH, HEIGHT, LEFT, TOP = 640, 360, 70, 60  # of the picture; margins


@dataclass(frozen=True, slots=True)
class Point:
    """One target: `blend` of the way from what is wired to what is wanted, rounded within `slack`; circuits taken down
    at least, and the certified multiple of the demand that it carries."""

    blend: float
    slack: float
    links: int
    moved: int
    throughput: float
    upper: float


def curve(
    ports: Ports,
    demand: Matrix,
    target: Target,
    *,
    slack: float = 1.0,
    seed: int = 0,
    blends: Sequence[float] = BLENDS,
    slacks: Sequence[float] = SLACKS,
) -> list[Point]:
    """What is wired; blends of it with the target's fractions; and the target within several slacks; fewest moved
    first.

    >>> from topologies.registry import build
    >>> from fabric.planning.ports import ports_of_layer
    >>> from fabric.planning.target import engineer
    >>> import numpy as np
    >>> ports = ports_of_layer(build("jupiter:blocks=4,uplinks=6").circuits)
    >>> skewed = np.array([[0, 4, 1, 1], [4, 0, 1, 1], [1, 1, 0, 4], [1, 1, 4, 0]]) * 400.0
    >>> [(p.moved, round(p.throughput, 2)) for p in curve(ports, skewed, engineer(ports, skewed), blends=())]
    [(0, 0.8), (2, 0.8), (4, 1.0)]
    """
    now, own = ports.links(ports.counts()), block_links(ports)
    bound = port_bound(demand, gbps_of(ports))
    wanted: dict[bytes, tuple[float, float, Links]] = {now.tobytes(): (0.0, 0.0, now)}
    for blend, within in [(b, slack) for b in blends] + [(1.0, s) for s in sorted({*slacks, slack})]:
        mixed = (1 - blend) * now + blend * target.fraction
        links = rounded(mixed, own, now, within, seed=seed)
        wanted.setdefault(links.tobytes(), (blend, within, links))
    points = []
    for blend, within, links in wanted.values():
        low, high = carried(links, demand, ports, CURVE_GAP)
        moved = lower_bound(now, links)
        points.append(Point(blend, within, int(links.sum()) // 2, moved, min(low, bound), min(high, bound)))
    return sorted(points, key=lambda point: (point.moved, -point.throughput))


def document(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The rows of a plan's `curve`."""
    return [asdict(point) for point in points]


def lines(points: Sequence[Point], bound: float) -> list[str]:
    """The curve as text, a point a line; throughput as a multiple of the demand and as a share of the ports' bound."""
    rows = ["moved at least  throughput  of bound  target"]
    for point in points:
        what = "as wired" if point.blend == 0 else f"{point.blend:.0%} of the way" if point.blend < 1 else "wanted"
        rounding = "" if point.blend == 0 else f", slack {point.slack:g}"
        rows.append(
            f"{point.moved:14,}  {point.throughput:10.3f}  {point.throughput / bound:8.1%}  {what}{rounding}"
        )
    return rows


def picture(points: Sequence[Point], bound: float) -> str:
    """The curve as SVG text; the same bytes for the same points.

    >>> picture([Point(0, 0, 6, 0, 0.5, 0.5), Point(1, 0, 6, 4, 1.0, 1.0)], 1.0).startswith("<svg")
    True
    """
    most, top = max([point.moved for point in points] + [1]), max(bound, 1e-9)

    def place(moved: float, throughput: float) -> tuple[float, float]:
        return LEFT + moved / most * (WIDTH - LEFT - 40), HEIGHT - 50 - throughput / top * (HEIGHT - 50 - TOP)

    path = " ".join("{:.1f},{:.1f}".format(*place(p.moved, p.throughput)) for p in points)
    x1, y0 = place(most, 0)
    _, limit = place(0, bound)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11">',
        "<title>Circuits moved against throughput</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="15" font-weight="bold">Circuits moved against throughput</text>',
        f'<path d="M{LEFT} {TOP} V{y0:.1f} H{x1:.1f}" fill="none" stroke="#444"/>',
        f'<path d="M{LEFT} {limit:.1f} H{x1:.1f}" stroke="#b4662f" stroke-dasharray="5 4"/>',
        f'<text x="{x1:.1f}" y="{limit - 5:.1f}" text-anchor="end" fill="#b4662f">ports / largest row sum: '
        f"{bound:.3f}</text>",
        f'<polyline points="{path}" fill="none" stroke="#2f7fc1" stroke-width="2"/>',
    ]
    for point in points:
        x, y = place(point.moved, point.throughput)
        what = "as wired" if point.blend == 0 else f"{point.blend:.0%}, slack {point.slack:g}"
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#2f7fc1"><title>{escape(what)}</title></circle>')
        out.append(f'<text x="{x + 6:.1f}" y="{y + 14:.1f}" fill="#444">{point.moved:,}: {point.throughput:.3f}</text>')
    out.append(f'<text x="{(LEFT + x1) / 2:.1f}" y="{HEIGHT - 14}" text-anchor="middle">circuits taken down</text>')
    middle = (TOP + y0) / 2
    out.append(
        f'<text x="18" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 18 {middle:.1f})">multiple of the '
        "demand</text>"
    )
    return "\n".join([*out, "</svg>", ""])
