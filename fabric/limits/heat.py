"""The thermal wall: heat of racks, dies and modules against what carries it away."""

from collections.abc import Iterator, Sequence

from fabric.limits.conditions import Conditions, cooling_ways
from fabric.limits.judging import CELSIUS, Check, Span, kilowatts
from fabric.limits.racks import RackLoad, end_power_w, hottest, hottest_box
from topologies.graph import Topology, once
from topologies.kinds import Cage, Coolant, Facility
from topologies.parts import Accelerator, Cable, Catalogue, Optic, Part
from topologies.reach import cable_lengths
from topologies.units import format_number

AIR = "air"
LIQUIDS = ("liquid", "immersion")  # cooling whose coolant is pumped through the rack
IN_PACKAGE = ("cpo", "npo")  # engines that are in no cage of a face plate
L_PER_CUBIC_FOOT = 28.316846592


def heat_checks(topology: Topology, loads: Sequence[RackLoad], given: Conditions) -> list[Check]:
    """Racks of every kind: heat, coolant, temperature, dies; boxes of the network, first where nothing is known of
    racks; then the hottest module in its cage.

    >>> from fabric.limits.racks import rack_loads
    >>> from topologies.registry import build
    >>> nvl72, warm = build("nvl72"), Conditions(supply_c=60)
    >>> [check.name for check in heat_checks(nvl72, rack_loads(nvl72, warm), warm) if check.state == "over"]
    ['coolant flow', 'coolant supply']
    """
    parts = topology.catalogue
    checks = [check for load in hottest(loads) for check in _rack(load, parts, given)]
    box, cage = _box(topology), _cage(topology)
    if box is not None:
        known = any(check.value is not None for check in checks)
        checks = [*checks, box] if known else [box, *checks]
    return checks if cage is None else [*checks, cage]


def _rack(load: RackLoad, parts: Catalogue, given: Conditions) -> Iterator[Check]:
    total, name = load.total_w, given.cooling or (load.rack.cooling if load.rack is not None else None)
    way = cooling_ways(parts).get(name or "")
    if total is None or way is None:
        lacks = "the heat of its racks" if total is None else "how its racks are cooled"
        yield Check("heat", None, None, "kW", f"nothing is known of {lacks}; --rack names a rack, --cooling a way")
        return
    air = cooling_ways(parts)[AIR]
    wet = liquid_share(load, way) if way.cooling in LIQUIDS else Span.exact(0.0)
    if wet.value > 0:
        yield from _coolant(load, _part(total, wet), way, parts, given)
        dry = _part(total, Span(1 - wet.high, 1 - wet.value, 1 - wet.low))
        if dry.value > 0:
            yield _by_class(load, dry, air, "air beside the liquid")
    else:
        yield _by_class(load, total, way, "heat")
    yield _temperature(load, total, wet, way, parts, given)
    yield from _die(load, way, parts)


def _part(total: Span, share: Span) -> Span:
    return Span(total.low * share.low, total.value * share.value, total.high * share.high)


def liquid_share(load: RackLoad, way: Facility) -> Span:
    """Share of a rack's heat that liquid takes: what its row says, all of it in a tank, or where nobody says."""
    own = None if load.rack is None or load.rack.cooling != way.cooling else Span.of(load.rack, "liquid_fraction")
    return own or Span.exact(1.0)


def _by_class(load: RackLoad, heat: Span, way: Facility, name: str) -> Check:
    """Heat of a rack against what its way of cooling carries away."""
    limit = Span.of(way, "power_max_w")
    what = f"{_title(load)} leaves {kilowatts(heat.value)} to {way.cooling}"
    if limit is None:
        return Check(name, heat.times(1e-3), None, "kW", f"{what}; no source limits it")
    why = f"{what}, which carries {kilowatts(limit.value)} ({kilowatts(limit.low)} to {kilowatts(limit.high)}) a rack"
    moves = ""
    if heat.value > limit.value:
        fit = int(load.accelerators * limit.value / heat.value)
        other = {"air": "a rear door or cold plates", "rear-door": "cold plates"}.get(way.cooling or "", "more flow")
        moves = f"{kilowatts(heat.value - limit.value)} short: {other}, or at most {fit} {load.model} a rack"
    return Check(name, heat.times(1e-3), limit.times(1e-3), "kW", why, moves)


def _coolant(load: RackLoad, heat: Span, way: Facility, parts: Catalogue, given: Conditions) -> Iterator[Check]:
    """Litres a minute that the heat needs at the rise, against those of the rack; without a figure the class decides.

    Flow = heat / (density x heat capacity x rise); the rise ends where the return would be too warm.
    """
    fluid, rise, supply = _fluid(way, parts), _rise(load, way, given), _supply(load, way, given)
    limit = None if load.rack is None else Span.of(load.rack, "coolant_flow_l_per_min")
    if limit is None:
        yield _by_class(load, heat, way, "heat")
    if rise is None or rise.value <= 0:
        yield Check("coolant flow", None, limit, "L/min", f"supply at {supply:g} C leaves no rise below its return")
        return
    flow = heat.over(rise).times(60 / fluid.heat_j_per_l_k)
    why = f"{kilowatts(heat.value)} in {fluid.title.split(' (')[0].lower()} at a rise of {rise.value:.3g} K need "
    why += f"{format_number(flow.value, 3)} L/min"
    if limit is None:
        yield Check("coolant flow", flow, None, "L/min", f"{why}; no source states the flow of the rack")
        return
    why += f" of {limit.value:g} ({limit.low:g} to {limit.high:g})"
    moves = ""
    if flow.value > limit.value:
        needed = flow.value / limit.value * rise.value
        moves = f"a rise of {needed:.3g} K, or {format_number(flow.value - limit.value, 3)} L/min more"
    yield Check("coolant flow", flow, limit, "L/min", why, moves)


def _temperature(load: RackLoad, total: Span, wet: Span, way: Facility, parts: Catalogue, given: Conditions) -> Check:
    """The warmest supply, or the return, against what the rack bears."""
    supply = _supply(load, way, given)
    if wet.value == 0 or way.coolant_return_max_c is None:
        limit = Span.exact(way.coolant_supply_max_c) if way.coolant_supply_max_c is not None else None
        why = f"air comes at {supply:g} C" + _airflow(load, total, way, parts)
        why += "" if limit is None else f"; servers bear {limit.value:g} C at their inlets"
        moves = "" if limit is None or supply <= limit.value else f"supply below {limit.value:g} C"
        return Check("inlet air", Span.exact(supply), limit, CELSIUS, why, moves)
    warmest = _bears(load, way, "coolant_supply_max_c")
    why = f"coolant comes at {supply:g} C; cold plates bear {warmest:g} C at their inlets"
    return Check(
        "coolant supply", Span.exact(supply), Span.exact(warmest), CELSIUS, why,
        "" if supply <= warmest else f"supply below {warmest:g} C",
    )  # fmt: skip


def _airflow(load: RackLoad, total: Span, way: Facility, parts: Catalogue) -> str:
    """The rise of the air through the rack, where its row gives the flow of all its accelerators."""
    rack = load.rack
    if rack is None or rack.airflow_cfm is None or not rack.accelerators:
        return ""
    litres = rack.airflow_cfm * L_PER_CUBIC_FOOT / 60 * load.accelerators / rack.accelerators
    return f" and leaves {total.value / (litres * _fluid(way, parts).heat_j_per_l_k):.0f} K warmer"


def _box(topology: Topology) -> Check | None:
    """The hottest box of the network against what its way of cooling carries away: how many stand in a rack."""
    found = hottest_box(topology)
    way = None if found is None else cooling_ways(topology.catalogue).get(found[0].cooling or "")
    limit = None if way is None else Span.of(way, "power_max_w")
    if found is None or way is None or limit is None:
        return None
    row, watts, _ = found
    why = f"{row.name} with its modules leaves {kilowatts(watts.value)} to {way.cooling}: "
    why += f"{int(limit.value / watts.value)} make a rack of {kilowatts(limit.value)}"
    moves = "" if watts.value <= limit.value else "another way of cooling"
    return Check("switch box", watts.times(1e-3), limit.times(1e-3), "kW", why, moves)


def _die(load: RackLoad, way: Facility, parts: Catalogue) -> Iterator[Check]:
    """Watts of a square centimetre of die against what is bolted onto it."""
    row, limit = parts.get(load.model), Span.of(way, "heat_flux_w_per_cm2")
    flux = Span.of(row, "heat_flux_w_per_cm2") if isinstance(row, Accelerator) else None
    if flux is None:
        return
    why = f"{load.model} leaves {flux.value:g} W on a square centimetre of its dies"
    why += "; no source limits it" if limit is None else f", of {limit.value:g} that {way.cooling} takes"
    moves = "" if limit is None or flux.value <= limit.value else "cold plates, or two phases"
    yield Check("die heat flux", flux, limit, "W/cm2", why, moves)


def _fluid(way: Facility, parts: Catalogue) -> Coolant:
    return parts.part(way.known("coolant"), Coolant)


def _supply(load: RackLoad, way: Facility, given: Conditions) -> float:
    return given.supply_c if given.supply_c is not None else float(way.known("coolant_supply_c"))


def _bears(load: RackLoad, way: Facility, key: str) -> float:
    """A temperature that the rack's own row states, else its class."""
    own = None if load.rack is None else getattr(load.rack, key)
    return float(way.known(key) if own is None else own)


def _rise(load: RackLoad, way: Facility, given: Conditions) -> Span | None:
    """The rise that is asked for, or the class's, as far as the return may warm up."""
    room = _bears(load, way, "coolant_return_max_c") - _supply(load, way, given)
    asked = Span.exact(given.rise_k) if given.rise_k is not None else Span.of(way, "coolant_rise_k")
    return None if asked is None else Span(*(min(end, room) for end in asked))


def _title(load: RackLoad) -> str:
    return f"{load.rack.name if load.rack is not None else 'a rack'} with {load.accelerators} {load.model}"


@once
def plugged(topology: Topology) -> tuple[Part, float] | None:
    """The module or active cable end that draws most for its cage, and its watts; None where nothing is plugged in."""
    hottest: tuple[float, Part, float] | None = None
    for name in dict(cable_lengths(topology)):
        row = topology.catalogue.get(name)
        if not isinstance(row, Cable | Optic) or row.technology in IN_PACKAGE:
            continue
        watts = row.power_max_w or row.power_typical_w if isinstance(row, Optic) else end_power_w(row, row.rate_gbps)
        cage = _cage_of(row, topology.catalogue)
        if cage is None or not watts:
            continue
        share = watts / cage.power_max_w
        if hottest is None or (share, row.name) > (hottest[0], hottest[1].name):
            hottest = share, row, watts
    return None if hottest is None else hottest[1:]


def _cage_of(row: Cable | Optic, parts: Catalogue) -> Cage | None:
    """The smallest cage that takes a module of its rate."""
    fit = [cage for cage in parts.of_kind(Cage) if cage.rate_gbps >= row.rate_gbps]
    return min(fit, key=lambda cage: cage.rate_gbps, default=None)


def _cage(topology: Topology) -> Check | None:
    """The hottest module against its cage."""
    found = plugged(topology)
    if found is None:
        return None
    row, watts = found
    assert isinstance(row, Cable | Optic)
    cage = _cage_of(row, topology.catalogue)
    limit = None if cage is None else Span.of(cage, "power_max_w")
    assert cage is not None and limit is not None
    key = "power_max_w" if isinstance(row, Optic) and row.power_max_w is not None else "power_typical_w"
    value = Span.of(row, key) if isinstance(row, Optic) else Span.exact(watts)
    why = f"{row.name} leaves {watts:g} W in a {cage.name}, which carries {limit.value:g} W off"
    moves = "" if watts <= limit.value else "linear modules, co-packaged optics, or fewer lanes a module"
    return Check("module cage", value, limit, "W", why, moves)
