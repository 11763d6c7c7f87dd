"""Failures for the eye: a row for each class of components, or what was asked for, and what a job keeps."""

from collections.abc import Callable, Sequence
from math import isinf
from typing import Any

from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import facts_table
from fabric.failures import Answer, Failures, Span
from fabric.failures.rates import Events
from topologies.units import format_number

LEGEND = (
    "gone: accelerators that die or are cut off, the worst case. left: of what those that remain had among themselves, "
    "worst of the class: all-to-all (a2a) {how}, all-reduce by the narrowest cut.{most} back: until the job runs again."
)
BY_CUT = " by cut: the narrowest cut, where it leaves more: near it with routing round the loss (--gap solves for it)."
MEASURES = (
    ("all-to-all left, equal splits", "splits"), ("all-to-all left, narrowest cut", "cuts"),
    ("all-to-all left, best routing", "low"), ("  at most", "high"), ("all-reduce left, narrowest cut", "all_reduce"),
)  # fmt: skip
SPLITS, CUTS = "by equal splits over shortest paths", "~ by the narrowest cut, as all pairs take too long"


def failures_tables(found: Failures, width: int, quiet: bool) -> list[Any]:
    """Everything that the command prints."""
    topology = found.topology
    jobs = "one job" if found.jobs == 1 else f"{found.jobs:,} jobs of {found.job:,}"
    title = f"failures of {topology.name}: {len(topology.accelerators):,} accelerators, {jobs}"
    if found.asked is not None:
        shown: list[Any] = [Text(title, style="bold"), Text(), facts_table(_asked(found.asked))]
    else:
        shown = [*_classes(title, found.classes, width), Text(), facts_table(_kept(found))]
    if not quiet and found.asked is None:
        how = {CUTS if each.left("splits") is None else SPLITS for each in found.classes if each.left("cuts")}
        most = BY_CUT if any(_by_cut(each) for each in found.classes) else ""
        shown += [Text(), Text(LEGEND.format(how=" or ".join(sorted(how)), most=most), style="dim")]
    if found.estimates and not quiet:
        shown += [Text(), Text("stands on estimates and defaults (~):", style="dim")]
        shown += [Text(f"  {line}", style="dim") for line in found.estimates]
    return shown


def _classes(title: str, classes: Sequence[Answer], width: int) -> list[Any]:
    def column(head: str, name: str, of: Callable[[Answer], str], leaves: int = 0) -> Column:
        return Column(head, name, [Text(of(each)) for each in classes], leaves)

    names = Column("class", "class", [Text(each.name + ("" if each.exact else "*")) for each in classes], 0, True)
    columns = [
        column("how\nmany", "how many", lambda e: f"{e.count:,}"),
        column("gone", "gone", lambda e: f"{e.lost.worst:,.0f}"),
        column("jobs\nlost", "jobs lost", lambda e: f"{e.jobs.worst:,.0f}"),
        column("a2a\nleft", "all-to-all left", all_to_all),
        column("a2a\nby cut", "a2a left by cut", _by_cut, 1),
        column("all-red.\nleft", "all-reduce left", lambda e: share(e.left("all_reduce"))),
        column("fail\na day", "failures a day", lambda e: rate(e.per_day)),
        column("back", "back", lambda e: minutes(e.recovery.minutes, bool(e.recovery.estimates))),
        column("flaps\na day", "flaps a day", lambda e: rate(e.flaps_per_day) if e.kind == "link" else "", 1),
        column("mean", "mean all-to-all left", lambda e: _if_other(all_to_all(e, mean=True), all_to_all(e)), 2),
        column("range", "range a day", lambda e: span(e.per_day), 3),
        column("spare", "spare", _spare, 4),
    ]
    told = [each for each in columns if any(cell.plain for cell in each.cells)]
    lines = laid_out(title, Column("", "", [Text() for _ in classes]), names, told, width)
    sampled = [Text("* drawn at random, not every kind of place", style="dim")]
    return lines + (sampled if any(not each.exact for each in classes) else [])


def _if_other(text: str, known: str) -> str:
    return "" if text == known else text


def _by_cut(each: Answer) -> str:
    """What the narrowest cut leaves of an all-to-all in the worst case, where equal splits leave less."""
    splits, cuts = (each.left(what) for what in ("splits", "cuts"))
    if each.left("low") is not None or splits is None or cuts is None or cuts.worst <= splits.worst:
        return ""
    return _if_other(share(cuts), share(splits))


def _spare(each: Answer) -> str:
    return "" if not each.spares else f"{each.spares:,} ports a switch"


def all_to_all(each: Answer, mean: bool = False) -> str:
    """What is left of an all-to-all in the worst case, or in the mean; with ~ where only cuts say so."""
    solved, splits, cuts = (each.left(what) for what in ("low", "splits", "cuts"))
    best = solved or splits
    return share(best, mean) if best is not None else ("~" if cuts else "") + share(cuts, mean)


def share(found: Span | None, mean: bool = False) -> str:
    """The worst, or the mean, in per cent; a loss is never rounded away.

    >>> share(Span(1.0, 0.99996)), share(Span(1.0, 1.0)), share(None)
    ('99.99 %', '100 %', '-')
    """
    if found is None:
        return "-"
    percent = 100 * (found.mean if mean else found.worst)
    if 99.95 < percent < 100 - 1e-9:
        return f"{min(percent, 99.99):.2f} %"
    return "100 %" if percent >= 99.95 else f"{percent:.1f} %"


def rate(events: Events | None) -> str:
    """Events a day; - where no source says."""
    return "-" if events is None else f"{'~' if events.estimates else ''}{figures(events.value)}"


def span(events: Events | None) -> str:
    """The range of the sources."""
    return "" if events is None else f"{figures(events.low)} to {figures(events.high)}"


def figures(value: float) -> str:
    """A number to two figures.

    >>> figures(0.070844), figures(12.3), figures(0.0000671)
    ('0.071', '12', '6.7e-05')
    """
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"


def minutes(value: float, estimated: bool) -> str:
    """A time in the unit that suits it."""
    mark = "~" if estimated else ""
    if value < 1:
        return f"{mark}{figures(value * 60)} s"
    if value >= 2880:
        return f"{mark}{figures(value / 1440)} days"
    return f"{mark}{figures(value)} min" if value < 120 else f"{mark}{figures(value / 60)} h"


def _asked(each: Answer) -> list[tuple[str, Any]]:
    number = len(each.outcomes)
    how = "exact" if number == 1 else f"{number} kinds of places, exact" if each.exact else f"{number} drawings"
    dead, cut = (sum(getattr(o, key) * o.share for o in each.outcomes) for key in ("dead", "cut_off"))
    worst = max(each.outcomes, key=lambda o: o.dead + o.cut_off)
    facts: list[tuple[str, Any]] = [
        ("fails", f"{each.name}: {each.count:,} component{'s' if each.count > 1 else ''}, {how}"),
        ("accelerators dead", f"{worst.dead:,} at worst, {format_number(dead)} in the mean"),
        ("cut off", f"{worst.cut_off:,} at worst, {format_number(cut)} in the mean"),
        ("jobs lost", f"{each.jobs.worst:,.0f} at worst, {format_number(each.jobs.mean)} in the mean; "
                      f"some in {format_number(100 * each.interrupts)} % of cases"),
    ]  # fmt: skip
    for name, what in MEASURES:
        left = each.left(what)
        if left is not None:
            facts.append((name, f"{share(left)} at worst, {share(left, True)} in the mean"))
    for name, way in (("job back", each.recovery), ("repair", each.repair)):
        facts.append((name, f"{minutes(way.minutes, bool(way.estimates))}: {way.action}"))
    return facts


def _kept(found: Failures) -> list[tuple[str, Any]]:
    """Interruptions and goodput of a job, and of a pod's slices."""
    kept, facts = found.goodput, []
    if found.software is not None:
        facts.append(("software and other", f"{rate(found.software)} a day ({span(found.software)}), all jobs"))
    if kept is not None:
        every = "never" if not kept.per_day.value else minutes(1440 / kept.per_day.value, True)
        facts.append(("a job stops", f"{rate(kept.per_day)} times a day ({span(kept.per_day)}), every {every}"))
        best = "none" if isinf(kept.interval_s) else minutes(kept.interval_s / 60, True)
        facts.append(("checkpoint every", f"{best} of work (Young and Daly)"))
        facts.append(("effective time", f"~{100 * kept.share:.1f} % ({100 * kept.low:.1f} to {100 * kept.high:.1f})"))
    for one in found.slices:
        said = f"{100 * one.reconfigurable:.1f} % of the pod, {100 * one.fixed:.1f} % without circuit switches"
        facts.append((f"slices, hosts up {100 * one.host_availability:g} %", said))
    return facts
