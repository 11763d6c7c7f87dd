"""The power of one step as a picture: facility watts over time, racks and network within them."""

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from topologies.units import format_power_w, format_time_us

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760.0, 375.0, 90.0, 50.0, 75.0
CHARACTER, LINE = 6.2, 12.0  # width of one, height of a line of them
LAYERS = (("facility_w", "facility", "#d9e2ec"), ("it_w", "IT", "#9fb8d0"), ("racks_w", "racks", "#5f84a8"))


def draw_trace(name: str, trace: dict[str, Any]) -> str:
    """SVG text of a trace, its phases as columns as wide as they are long; the same bytes for the same trace.

    >>> phase = dict(name="compute", start_ms=0, duration_ms=10, racks_w=80, network_w=10, facility_w=100)
    >>> draw_trace("x", {"phases": [phase], "period_ms": 10, "site": {"peak_w": 100, "mean_w": 100}}).count("<rect")
    7
    """
    phases, peak = trace["phases"], trace["site"]["peak_w"]
    wide, tall = WIDTH - LEFT - 20, HEIGHT - TOP - BOTTOM
    x_per_ms, y_per_w = wide / trace["period_ms"], tall / (1.05 * peak)
    floor = HEIGHT - BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" '
        f'height="{HEIGHT:.0f}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11">',
        f"<title>{escape(name)}: power of one step</title>",
        f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="#ffffff"/>',
        f'<text x="{LEFT:.0f}" y="26" font-size="15" font-weight="bold">{escape(name)}: power of one step</text>',
    ]
    for key, _, colour in LAYERS:
        for phase in phases:
            watts = phase["racks_w"] + phase["network_w"] if key == "it_w" else phase[key]
            x, height = LEFT + phase["start_ms"] * x_per_ms, watts * y_per_w
            lines.append(
                f'<rect x="{x:.2f}" y="{floor - height:.2f}" width="{phase["duration_ms"] * x_per_ms:.2f}" '
                f'height="{height:.2f}" fill="{colour}"/>'
            )
    lines += _labels(phases, x_per_ms, floor)
    lines += _axis(trace, y_per_w, floor)
    return "\n".join([*lines, "</svg>", ""])


def _labels(phases: Sequence[dict[str, Any]], x_per_ms: float, floor: float) -> list[str]:
    """Name and length of each phase under it; a narrow one's a line lower, up to its right end, where there is room."""
    found, free = [], LEFT
    for phase in phases:
        wide, x = phase["duration_ms"] * x_per_ms, LEFT + phase["start_ms"] * x_per_ms
        text = f"{phase['name']} {format_time_us(1e3 * phase['duration_ms'])}"
        needs = CHARACTER * len(text)
        if wide >= needs:
            middle = x + wide / 2
            found.append(f'<text x="{middle:.2f}" y="{floor + 16:.2f}" text-anchor="middle">{escape(text)}</text>')
            continue
        end = max(x + wide, free + needs)
        if end <= WIDTH - 20:
            found.append(f'<text x="{end:.2f}" y="{floor + 31:.2f}" text-anchor="end">{escape(text)}</text>')
            free = end + 2 * CHARACTER
    return found


def _axis(trace: dict[str, Any], y_per_w: float, floor: float) -> list[str]:
    site, found = trace["site"], []
    for watts, dash in ((site["peak_w"], ""), (site["mean_w"], ' stroke-dasharray="4 3"'), (0.0, "")):
        y = floor - watts * y_per_w
        below = LINE if watts == site["mean_w"] and (site["peak_w"] - watts) * y_per_w < LINE else 0.0
        found.append(f'<path d="M{LEFT:.0f} {y:.2f}H{WIDTH - 20:.0f}" stroke="#444"{dash}/>')
        at = y + 4 + below
        found.append(f'<text x="{LEFT - 6:.0f}" y="{at:.2f}" text-anchor="end">{format_power_w(watts)}</text>')
    x = LEFT
    for _, name, colour in LAYERS:
        found.append(f'<rect x="{x:.0f}" y="{HEIGHT - 26:.0f}" width="12" height="12" fill="{colour}"/>')
        found.append(f'<text x="{x + 18:.0f}" y="{HEIGHT - 16:.0f}">{name}</text>')
        x += 90
    return found
