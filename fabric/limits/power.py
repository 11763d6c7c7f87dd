"""The power wall: what racks, rows and the site draw against what feeds them."""

from collections.abc import Sequence

from fabric.limits.conditions import Conditions
from fabric.limits.judging import Check, Span, kilowatts
from fabric.limits.racks import RackLoad, hottest, hottest_box
from fabric.powering import drawn_facility_w, site_power
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.kinds import Floor, Rack
from topologies.parts import Catalogue

FLOOR = "floor-600mm"


def power_checks(topology: Topology, loads: Sequence[RackLoad], given: Conditions) -> list[Check]:
    """Racks of every kind, the boxes of the network (first where nothing is known of racks), row and site where their
    feeds are given.

    >>> from fabric.limits.racks import rack_loads
    >>> from topologies.registry import build
    >>> four_dgx = build("dgx-h100-superpod-256")
    >>> [check.name for check in power_checks(four_dgx, rack_loads(four_dgx, Conditions()), Conditions(row_w=1e6))]
    ['rack', 'switch box', 'row']
    """
    checks = [_rack(load, topology.catalogue) for load in hottest(loads)]
    known = [check for check in checks if check.value is not None]
    boxes = _box(topology)
    if boxes is not None:
        checks = [*checks, boxes] if known else [boxes, *checks]
    if given.row_w is not None:
        checks.append(_row(loads, given.row_w, topology.catalogue))
    if given.site_w is not None:
        checks.append(_site(topology, given))
    return checks


def _rack(load: RackLoad, parts: Catalogue) -> Check:
    """One rack against its feed."""
    total, feed = load.total_w, None if load.rack is None else Span.of(load.rack, "power_feed_w")
    if total is None:
        return Check("rack", None, feed, "kW", _unknown(load))
    name = load.rack.name if load.rack is not None else "rack"
    why = f"{name} with {load.accelerators} {load.model}: {_shares(load, total)} add up to {kilowatts(total.value)}"
    why += f" without {', '.join(load.missing)}, whose watts no source states," if load.missing else ""
    if feed is None:
        return Check("rack", _kw(total), None, "kW", f"{why}; no source states what feeds it{_nameplate(load)}")
    why += f" of a feed of {kilowatts(feed.value)}"
    if (feed.low, feed.high) != (feed.value, feed.value):
        why += f" ({kilowatts(feed.low)} to {kilowatts(feed.high)} by redundancy and source)"
    why += _nameplate(load)
    found = Check("rack", _kw(total), _kw(feed), "kW", why)
    return found if found.state == "ok" else Check(*_first(found), why, _fewer(load, total, feed, parts))


def _first(check: Check) -> tuple[str, Span | None, Span | None, str]:
    return check.name, check.value, check.limit, check.unit


def _shares(load: RackLoad, total: Span) -> str:
    assert load.chips_w is not None and load.hosts_w is not None
    chips = "TDPs" if load.drawn == 1 else f"accelerators at {100 * load.drawn:.0f} % of TDP"
    parts = {chips: load.chips_w.value, "hosts": load.hosts_w.value, "network": load.network_w.value}
    parts["conversion"] = total.value - sum(parts.values())
    return ", ".join(f"{name} {kilowatts(watts)}" for name, watts in parts.items() if watts > 0)


def _nameplate(load: RackLoad) -> str:
    """The rack's own figure, by which `power` and `size` go, beside the sum of its parts."""
    plate = None if load.rack is None else load.rack.power_max_w or load.rack.power_typical_w
    if load.rack is None or plate is None or load.rack.accelerators not in (None, load.accelerators):
        return ""
    return f"; its nameplate says {kilowatts(plate)}"


def _unknown(load: RackLoad) -> str:
    """Why nothing is known of a rack."""
    if load.chips_w is None:
        return f"no source states the watts of {load.model}; name an accelerator with accelerator="
    return f"the catalogue has no rack for {load.model}; --rack names one"


def _fewer(load: RackLoad, total: Span, feed: Span, parts: Catalogue) -> str:
    """What would move it: fewer accelerators a rack, or a rack that is fed more."""
    fit = int(load.accelerators * feed.value / total.value)
    larger = [
        (rack.power_feed_w, rack.name)
        for rack in parts.of_kind(Rack)
        if rack.power_feed_w is not None and rack.power_feed_w >= total.value
    ]
    short = f"{kilowatts(total.value - feed.value)} short: at most {fit} {load.model} a rack"
    return short + (f", or the feed of {min(larger)[1]} ({kilowatts(min(larger)[0])})" if larger else "")


def _box(topology: Topology) -> Check | None:
    """The hottest box of the network against the feed of an ordinary rack: how many stand in one."""
    hottest = hottest_box(topology)
    feeds = [rack for rack in topology.catalogue.of_kind(Rack) if rack.power_feed_w is not None]
    if hottest is None or not feeds:
        return None
    row, watts, number = hottest
    least = min(feeds, key=lambda rack: rack.power_feed_w or 0.0)
    feed = Span.of(least, "power_feed_w")
    assert feed is not None
    fit = int(feed.value / watts.value)
    block = f", a block of {number} {kilowatts(number * watts.value)}" if number > 1 else ""
    why = f"{row.name} with its modules draws {kilowatts(watts.value)}{block}: "
    why += f"{fit} stand in a rack with the feed of {least.name} ({kilowatts(feed.value)})"
    return Check("switch box", _kw(watts), _kw(feed), "kW", why, "" if fit else "a rack of its own feed")


def _row(loads: Sequence[RackLoad], row_w: float, parts: Catalogue) -> Check:
    """A row of the hottest racks against its feed."""
    total = max((load.total_w for load in loads if load.total_w is not None), default=None)
    limit = Span.exact(row_w)
    if total is None:
        return Check("row", None, _kw(limit), "kW", "nothing is known of its racks")
    racks = min(parts.part(FLOOR, Floor).racks_per_row, sum(load.count for load in loads))
    value = total.times(racks)
    why = f"{racks} racks in a row draw {kilowatts(value.value)} of {kilowatts(row_w)}"
    moves = f"at most {int(row_w / total.value)} such racks a row, or a larger feed" if value.value > row_w else ""
    return Check("row", _kw(value), _kw(limit), "kW", why, moves)


def _site(topology: Topology, given: Conditions) -> Check:
    """The whole facility, cooling and delivery included, against its feed: by nameplates, the accelerators by what a
    workload lets them draw."""
    site_w = given.site_w or 0.0
    limit = Span.exact(site_w)
    try:
        found = site_power(topology)
    except ConfigError as error:
        return Check("site", None, _kw(limit), "kW", str(error))
    watts = found.facility_w
    draw, how = Span(watts.low, watts.typical, watts.high), "nameplates of racks and network"
    if given.duty is not None:
        draw = draw.times(drawn_facility_w(found, given.duty.drawn, topology.catalogue) / watts.typical)
        how += f", accelerators at {100 * given.duty.drawn:.0f} % of TDP,"
    why = f"{how} come to {kilowatts(draw.value)} at a PUE of {found.pue:g} of {kilowatts(site_w)}"
    more = draw.value - site_w
    moves = f"{kilowatts(more)} short: fewer racks, or a larger feed" if more > 0 else ""
    return Check("site", _kw(draw), _kw(limit), "kW", why, moves)


def _kw(watts: Span | None) -> Span | None:
    return None if watts is None else watts.times(1e-3)
