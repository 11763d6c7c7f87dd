"""A layout and its links as one SVG file: media by colour, load or number of links by width."""

from collections.abc import Iterator, Sequence
from math import hypot, log2
from xml.sax.saxutils import escape

from fabric.drawing.bundles import Bundle
from fabric.drawing.layout import Glyph, Layout
from topologies.graph import Topology
from topologies.links import MEDIA
from topologies.units import format_number

COLOURS = {
    "copper": "#b4662f", "active-copper": "#d9a03f", "optical": "#2f7fc1", "circuit": "#8a3fb0", "board": "#5f8f3f",
}  # fmt: skip
FILLS = {"accelerator": "#3f4a5a", "switch": "#e8eef5", "nic": "#cfd8c6", "host": "#efe6d2", "ocs": "#eadcf2"}
MARGIN = 30.0
LEAST_WIDTH = 640.0
CHARACTER = 6.2  # width of one at 11 px
HEAD = 9.6  # width of one of the heading, at 15 px and bold
STUB = 16.0
BEND = 0.24  # of a link's length: how far an arc's handle lies off it


def render(topology: Topology, layout: Layout, links: Sequence[Bundle]) -> str:
    """The SVG text; the same bytes for the same fabric."""
    left, top, right, bottom = _bounds(layout)
    heading = _heading(topology)
    loaded = any(bundle.busy is not None for bundle in links)
    legend = _legend(topology, loaded)
    captions = _wrapped(layout.captions, max(LEAST_WIDTH, right - left))
    width = max(LEAST_WIDTH, right - left, HEAD * len(heading)) + 2 * MARGIN
    height = bottom - top + 2 * MARGIN + 60 + 18 * len(captions) + 26
    x0, y0 = left - (width - (right - left)) / 2, top - MARGIN - 40
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{x0:.1f} {y0:.1f} {width:.1f} {height:.1f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" '
        'font-size="11">',
        f"<title>{escape(heading)}</title>",
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#ffffff"/>',
        f'<text x="{x0 + MARGIN:.1f}" y="{y0 + 26:.1f}" font-size="15" font-weight="bold">{escape(heading)}</text>',
    ]
    lines += _frames(layout)
    lines += _lines(layout, links)
    lines += _glyphs(layout)
    lines += [f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#666">···</text>' for x, y in layout.gaps]
    y = bottom + MARGIN + 22
    for caption in captions:
        lines.append(f'<text x="{x0 + MARGIN:.1f}" y="{y:.1f}" fill="#444">{escape(caption)}</text>')
        y += 18
    lines += _keys(legend, x0 + MARGIN, y + 8)
    return "\n".join([*lines, "</svg>", ""])


def _heading(topology: Topology) -> str:
    switches = topology.attribute("kind").count("switch")
    counts = f"{len(topology.accelerators):,} accelerators, {switches:,} switches, {topology.links:,} links"
    if topology.circuits is not None:
        counts += f", {topology.circuits.circuits:,} circuits"
    return f"{topology.name}: {counts}"


def _bounds(layout: Layout) -> tuple[float, float, float, float]:
    boxes = [(g.x - g.width / 2, g.y - g.height / 2, g.x + g.width / 2, g.y + g.height / 2) for g in layout.glyphs]
    boxes += [(x, y - 14, x + w, y + h) for x, y, w, h, _ in layout.frames]
    boxes += [(x, y, x, y) for x, y in (_apex(layout.glyphs[a], layout.glyphs[b], 0.5) for a, b in layout.bent)]
    pad = STUB if layout.stubs else 4.0
    lows, highs = [min(b[i] for b in boxes) - pad for i in (0, 1)], [max(b[i] for b in boxes) + pad for i in (2, 3)]
    return lows[0], lows[1], highs[0], highs[1]


def _wrapped(captions: Sequence[str], width: float) -> list[str]:
    from textwrap import wrap

    return [line for caption in captions for line in wrap(caption, int(width / CHARACTER))]


def _frames(layout: Layout) -> Iterator[str]:
    for x, y, w, h, title in layout.frames:
        yield (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="4" fill="#f7f8fa" stroke="#c5cbd3"/>'
        )
        if title:
            yield f'<text x="{x + 3:.1f}" y="{y - 3:.1f}" fill="#666">{escape(title)}</text>'


def _lines(layout: Layout, links: Sequence[Bundle]) -> Iterator[str]:
    """Links, grouped by colour; faint ones where there are many, so that the busy ones stand out."""
    most = max((bundle.links for bundle in links), default=1)
    crowd = len(links) / max(1, len(layout.glyphs))
    faint, widest = (0.85, 6.0) if crowd < 4 else (0.5, 3.0) if crowd < 12 else (0.3, 2.0)
    for medium in MEDIA:
        mine = [bundle for bundle in links if bundle.medium == medium]
        if not mine:
            continue
        yield f'<g fill="none" stroke="{COLOURS[medium]}" stroke-linecap="round">'
        for bundle in mine:
            width = _width(bundle, most, widest)
            opacity = faint if bundle.busy is None else 0.25 + 0.75 * min(1.0, bundle.busy)
            said = _said(layout, bundle)
            for path in _paths(layout, bundle):
                yield f'<path d="{path}" stroke-width="{width:.2f}" opacity="{opacity:.2f}">{said}</path>'
        yield "</g>"


def _width(bundle: Bundle, most: int, widest: float) -> float:
    if bundle.busy is not None:
        return 0.3 + (widest - 0.3) * min(1.0, bundle.busy)
    return 1.0 if most == 1 else 0.8 + 2.2 * log2(1 + bundle.links) / log2(1 + most)


def _said(layout: Layout, bundle: Bundle) -> str:
    ends = f"{layout.glyphs[bundle.a].name} - {layout.glyphs[bundle.b].name}"
    busy = "" if bundle.busy is None else f", busy {bundle.busy:.1%}"
    number = f"{bundle.links:,} link{'s' if bundle.links > 1 else ''}"
    return f"<title>{escape(ends)}: {number}, {bundle.medium}{busy}</title>"


def _paths(layout: Layout, bundle: Bundle) -> Iterator[str]:
    a, b = layout.glyphs[bundle.a], layout.glyphs[bundle.b]
    if (bundle.a, bundle.b) in layout.stubs:
        yield from (_stub(a, b), _stub(b, a))
    elif (bundle.a, bundle.b) in layout.bent:
        bend = _apex(a, b, 1.0)
        yield f"M{a.x:.1f} {a.y:.1f}Q{bend[0]:.1f} {bend[1]:.1f} {b.x:.1f} {b.y:.1f}"
    else:
        yield f"M{a.x:.1f} {a.y:.1f}L{b.x:.1f} {b.y:.1f}"


def _apex(a: Glyph, b: Glyph, share: float) -> tuple[float, float]:
    """The handle of an arc, above a row and right of a column; half way to it the arc's own middle."""
    far = share * BEND * hypot(a.x - b.x, a.y - b.y)
    x, y = (a.x + b.x) / 2, (a.y + b.y) / 2
    return (x, y - far) if abs(a.y - b.y) < abs(a.x - b.x) else (x + far, y)


def _stub(a: Glyph, b: Glyph) -> str:
    """From a, away from b: the link comes in again on the other side."""
    distance = hypot(a.x - b.x, a.y - b.y) or 1.0
    x, y = a.x + (a.x - b.x) / distance * STUB, a.y + (a.y - b.y) / distance * STUB
    return f"M{a.x:.1f} {a.y:.1f}L{x:.1f} {y:.1f}"


def _glyphs(layout: Layout) -> Iterator[str]:
    for glyph in layout.glyphs:
        fill = FILLS[glyph.kind]
        ink = "#ffffff" if glyph.kind == "accelerator" else "#222222"
        said = f"<title>{escape(glyph.name)}</title>"
        corner = 'rx="2" ' if glyph.kind != "accelerator" else ""
        if glyph.width == glyph.height and not glyph.label and glyph.kind == "accelerator":
            at = f'cx="{glyph.x:.1f}" cy="{glyph.y:.1f}" r="{glyph.width / 2:.1f}"'
            yield f'<circle {at} fill="{fill}">{said}</circle>'
            continue
        at = f'x="{glyph.x - glyph.width / 2:.1f}" y="{glyph.y - glyph.height / 2:.1f}"'
        size = f'width="{glyph.width:.1f}" height="{glyph.height:.1f}"'
        yield f'<rect {at} {size} {corner}fill="{fill}" stroke="#5b6673">{said}</rect>'
        if glyph.label:
            points = min(11.0, (glyph.width - 4) / (0.6 * len(glyph.label)))
            at = f'x="{glyph.x:.1f}" y="{glyph.y + points * 0.36:.1f}" text-anchor="middle" font-size="{points:.1f}"'
            yield f'<text {at} fill="{ink}">{escape(glyph.label)}</text>'


def _legend(topology: Topology, loaded: bool) -> list[tuple[str | None, str]]:
    counts = dict.fromkeys(MEDIA, 0)
    for _, _, edge in topology.edges:
        counts[edge["medium"]] += edge["count"]
    keys: list[tuple[str | None, str]] = [
        (COLOURS[medium], f"{medium} {format_number(number, 9)}") for medium, number in counts.items() if number
    ]
    inside = sum(counts.values()) - topology.links
    if inside:
        keys.append((None, f"{inside:,} of them inside hosts (PCIe, sockets)"))
    return [*keys, (None, "width: share of the time that the fullest link is busy" if loaded else "width: links")]


def _keys(legend: Sequence[tuple[str | None, str]], x: float, y: float) -> Iterator[str]:
    for colour, text in legend:
        if colour is not None:
            yield f'<path d="M{x:.1f} {y - 4:.1f}h22" stroke="{colour}" stroke-width="4"/>'
            x += 28
        yield f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
        x += CHARACTER * len(text) + 22
