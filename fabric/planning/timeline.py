"""Timeline: the throughput between blocks before, during and after every stage of a plan."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from fabric.planning.capacity import Matrix, Meter
from fabric.planning.check import demand_of
from fabric.planning.plan import Plan
from fabric.planning.ports import Ports
from fabric.planning.replaying import BreachError, Replay
from fabric.planning.throughput import ANY, FINE, Carrier
from topologies.errors import ConfigError

WIDTH, HEIGHT, LEFT, TOP = 760, 260, 60, 40


@dataclass(frozen=True, slots=True)
class Span:
    """From `start_s` for `seconds`, what is up carries between `low` and `high` times the demand."""

    what: str
    start_s: float
    seconds: float
    low: float | None
    high: float | None
    links: int


def timeline(plan: Plan, base: Ports) -> list[Span]:
    """Every stage replayed on the base state and solved anew: before all, during and after each.

    ConfigError where the base state is not the plan's, or a change cannot be made.
    """
    try:
        replay, meter = Replay(plan, base), Meter.of(base)
        start = replay.circuits()
        moments = list(replay.moments())
        replay.finish()
        demand = demand_of(plan, base, start, replay.circuits())
    except BreachError as error:
        raise ConfigError(str(error)) from None
    carrier = Carrier(demand, plan.floor.get("routing") != ANY)
    clock, spans = 0.0, []

    def add(what: str, seconds: float, circuits: Matrix) -> None:
        low, high = carrier.bounds(meter.gbps(circuits), FINE)
        known = np.isfinite(low)
        links = int(meter.links(circuits).sum()) // (1 if meter.directed and not meter.paired else 2)
        spans.append(Span(what, clock, seconds, low if known else None, high if known else None, links))

    add("before", 0.0, start)
    for moment in moments:
        seconds = sum(moment.stage.seconds.values())
        add(f"stage {moment.stage.id}", seconds, moment.during)
        clock += seconds
        add(f"after stage {moment.stage.id}", 0.0, moment.after)
    return spans


def timeline_svg(spans: list[Span], floor: float | None) -> str:
    """The throughput over time as SVG: a step for every stage, the floor dashed."""
    most = max([span.low or 0.0 for span in spans] + [floor or 0.0]) * 1.1 or 1.0
    end = max(span.start_s + span.seconds for span in spans) or 1.0

    def x(seconds: float) -> float:
        return LEFT + seconds / end * (WIDTH - LEFT - 20)

    def y(value: float) -> float:
        return TOP + (1 - value / most) * (HEIGHT - TOP - 40)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">throughput, times the demand</text>',
        f'<line x1="{LEFT}" y1="{y(0):.1f}" x2="{WIDTH - 20}" y2="{y(0):.1f}" stroke="#444"/>',
    ]
    path = []
    for span in spans:
        value = y(span.low or 0.0)
        path += [f"{x(span.start_s):.1f},{value:.1f}", f"{x(span.start_s + span.seconds):.1f},{value:.1f}"]
        if span.seconds:
            middle = x(span.start_s + span.seconds / 2)
            lines.append(f'<text x="{middle:.1f}" y="{value - 6:.1f}" text-anchor="middle">{span.low or 0:.3f}</text>')
            lines.append(f'<text x="{middle:.1f}" y="{y(0) + 16:.1f}" text-anchor="middle">{escape(span.what)}</text>')
    lines.append(f'<polyline points="{" ".join(path)}" fill="none" stroke="#2f7fc1" stroke-width="2"/>')
    if floor is not None:
        lines.append(f'<line x1="{LEFT}" y1="{y(floor):.1f}" x2="{WIDTH - 20}" y2="{y(floor):.1f}" stroke="#c0392b" '
                     'stroke-dasharray="6 4"/>')  # fmt: skip
        lines.append(f'<text x="{LEFT - 4}" y="{y(floor) + 4:.1f}" text-anchor="end" fill="#c0392b">{floor:.3f}</text>')
    return "\n".join([*lines, "</svg>", ""])
