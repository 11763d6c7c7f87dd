"""Rates: how many hard failures and how many flaps a day a class of components has, with the range of the sources."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from fabric.failures.kinds import Components
from fabric.powering.nameplates import ranged
from topologies.failure_kinds import FailureRate
from topologies.parts import Cable, Catalogue, Optic, Part

HOURS_OF_FITS = 1e9
HOURS = {"failures_per_year": 8760.0, "failures_per_month": 730.0}  # of a year and of a month
DAY_H = 24.0
COPPER = ("copper", "active-copper")


@dataclass(frozen=True, slots=True)
class Events:
    """Events a day, expected and within the sources; `estimates` name what stands on a guess, `sources` who says so."""

    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    estimates: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)

    def plus(self, other: "Events") -> "Events":
        """Both together."""
        return Events(
            self.value + other.value, self.low + other.low, self.high + other.high,
            tuple(dict.fromkeys([*self.estimates, *other.estimates])), {**self.sources, **other.sources},
        )  # fmt: skip

    def times(self, factor: float) -> "Events":
        """So many times as often."""
        return Events(self.value * factor, self.low * factor, self.high * factor, self.estimates, self.sources)


def total(each: Iterable["Events | None"]) -> Events:
    """The sum of what is known."""
    found = Events()
    for events in each:
        found = found if events is None else found.plus(events)
    return found


def class_rate(component: str, parts: Catalogue) -> FailureRate | None:
    """The row of the catalogue that is the rate of a class."""
    return next((row for row in parts.of_kind(FailureRate) if row.component == component), None)


def row_rate(row: Part) -> Events | None:
    """Failures a day of one device of a catalogue row: its FIT, its rate a year or month, or one over its MTBF.

    >>> from topologies.parts import part
    >>> rate = row_rate(part("packet-switch")); round(rate.value * 1e6, 1), round(rate.high / rate.value, 1)
    (16.8, 2.0)
    """
    for key in ("fit", *HOURS, "mtbf_h"):
        if getattr(row, key, None) is None:
            continue
        value, low, high = ranged(row, key)
        if key == "mtbf_h":
            value, low, high = 1 / value, 1 / high, 1 / low
        scale = DAY_H if key == "mtbf_h" else DAY_H / HOURS.get(key, HOURS_OF_FITS)
        why = row.estimates.get(key)
        guess = () if why is None else (f"failures of {row.name}: {why}",)
        source = {row.name: row.sources.get(key, row.source)}
        return Events(value * scale, low * scale, high * scale, guess, source)
    return None


def hard_failures(each: Components, parts: Catalogue) -> Events | None:
    """Failures a day of all components of a class that do not heal by themselves; None where no source gives a rate."""
    if each.kind == "link":
        found = [_link(parts.get(name or ""), parts, count, each.rate_gbps) for name, count in each.parts.items()]
        return None if all(one is None for one in found) else total(found)
    row = class_rate("scale-up" if each.name == "scale-up" else each.kind, parts)
    rate = None if row is None else row_rate(row)
    if rate is None or row is None:
        return None
    others = [name for name in each.parts if name is not None]
    if each.kind == "accelerator" and any(not name.startswith(("h100", "h200", "h800", "h20")) for name in others):
        rate = Events(
            rate.value, rate.low, rate.high, (*rate.estimates, f"failures of {', '.join(others)}: as of {row.title}"),
            rate.sources,
        )  # fmt: skip
    return rate.times(each.count)


def _link(row: Part | None, parts: Catalogue, count: int, rate_gbps: float | None) -> Events | None:
    """Of links: a cable of its own row, or the modules at both ends, shared by as many links as one carries."""
    if isinstance(row, Optic):
        own = row_rate(row) or _of_class(row.technology, parts) or _as_pluggable(row, parts)
        fit = 1 if rate_gbps is None else max(1, int(row.rate_gbps / rate_gbps + 1e-9))
        ends = 2.0 * (row.modules_per_end or 1) / (row.links_per_module or fit)
        return None if own is None else own.times(count * ends)
    if isinstance(row, Cable):
        own = row_rate(row) or (_of_class("copper", parts) if row.medium in COPPER else None)
        return None if own is None else own.times(count)
    return None


def _as_pluggable(row: Optic, parts: Catalogue) -> Events | None:
    """Of a module whose technology has no rate of its own, and that it is a stand-in."""
    own = _of_class("pluggable", parts)
    said = f"failures of {row.name}: as of a pluggable module"
    return None if own is None else Events(own.value, own.low, own.high, (*own.estimates, said), own.sources)


def _of_class(component: str, parts: Catalogue) -> Events | None:
    row = class_rate(component, parts)
    return None if row is None else row_rate(row)


def flaps(each: Components, parts: Catalogue) -> Events | None:
    """Times a day that links of a class go down and come back by themselves; None where that is not known of them."""
    if each.kind != "link":
        return None
    row = class_rate("flaps", parts)
    found = []
    for name, count in each.parts.items():
        part = parts.get(name or "")
        if not isinstance(part, Optic):
            continue
        if part.flaps_per_day is not None:
            value, low, high = ranged(part, "flaps_per_day")
            source = {part.name: part.sources.get("flaps_per_day", part.source)}
            found.append(Events(value, low, high, (), source).times(count))
        elif row is not None and row.flap_fit is not None:
            value, low, high = (number * DAY_H / HOURS_OF_FITS for number in ranged(row, "flap_fit"))
            guess = (f"flaps of {row.name}: {row.estimates.get('flap_fit', row.source)}",)
            found.append(Events(value, low, high, guess, {row.name: row.source}).times(count))
    return total(found) if found else None
