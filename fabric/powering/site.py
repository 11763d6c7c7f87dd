"""What a whole site draws: racks of accelerators and hosts, the network outside them, and the facility around both."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil

from fabric.boundary import scale_up_parts
from fabric.powering.delivery import BASELINE, Delivery, deliver
from fabric.powering.nameplates import NOTHING, Watts, ranged, row_watts
from fabric.powering.network import Power, network_power
from fabric.powering.sides import Side, side_networks
from fabric.results import accelerator_of
from topologies.bill import BillRow
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Accelerator, Catalogue, Nic, Rack
from topologies.power_kinds import PowerShare

PUE_ROW = "pue-liquid-hall"
BUSY, HOSTS = "share-accelerator", "share-host"
IN_RACK = ("nic", "scale-up", "serdes")  # of the network: within the watts of racks and accelerators


@dataclass(frozen=True, slots=True)
class SitePower:
    """Watts of a site. `racks_w` are the accelerators' racks with all that stands in them (hosts, fans, adapters,
    scale-up switches), `network_w` the fabric outside them, `sides` storage and management where asked for; together
    `it_w`. `facility_w` is `it_w` x PUE, corrected by what the chain of delivery takes more or less than 54 V.

    Pumps, coolant distribution units, chillers and the stages upstream of the racks are in the PUE; fans and power
    supplies of racks are in the racks' watts: each once.
    """

    accelerators: int
    accelerator: str | None
    rack: str | None
    racks: int
    rack_w: Watts  # one full rack
    accelerator_w: float  # TDP of one
    hosts_w: float  # typical, all: what a rack draws beside accelerators, adapters and scale-up switches
    racks_w: Watts
    network_w: Watts
    inside_w: Watts  # of racks_w: adapters and scale-up switches
    sides: tuple[Side, ...]
    it_w: Watts
    pue: float
    pue_range: tuple[float, float]
    facility_w: Watts
    delivery: Delivery
    network: Power
    estimates: tuple[str, ...]
    left_out: tuple[str, ...]


def site_power(
    topology: Topology,
    *,
    pue: float | None = None,
    delivery: str = BASELINE,
    rack: str | None = None,
    scope: Collection[str] = ("compute",),
) -> SitePower:
    """Idle, typical and largest power of all racks, the network and the facility.

    `pue` is that of the row `pue-liquid-hall` where not given, `rack` the row of the catalogue that names the
    accelerator (watts per accelerator of TDP and a host share where none does). ConfigError where the accelerator has
    no TDP, or the network a part without watts.

    >>> from topologies.registry import build
    >>> site = site_power(build("nvl72"))
    >>> site.rack, site.rack_w.maximum, round(site.facility_w.maximum)
    ('gb200-nvl72', 132000.0, 151800)
    """
    parts, n = topology.catalogue, len(topology.accelerators)
    row, found = _accelerator(topology), rack_of(topology, rack)
    outside, inside = _outside(topology), _inside(topology)
    each = _nameplate(found) if found is not None else _without_rack(row, parts, 1 / n * inside)
    full = 1 if found is None or found.accelerators is None else found.accelerators
    racks_w, hosts_w = _idling(n / full * each, row, n, inside, parts)
    sides = tuple(side_networks(n, scope, parts))
    it_w = racks_w + outside
    for side in sides:
        it_w += side.watts
    taken, *bounds = taken_pue(pue, parts)
    chain = deliver(it_w.typical, n / full, delivery, parts)
    more = chain.more_than_baseline_w / it_w.typical
    network = network_power(topology)
    return SitePower(
        accelerators=n, accelerator=row.name, rack=None if found is None else found.name, racks=ceil(n / full - 1e-9),
        rack_w=full / n * racks_w, accelerator_w=float(row.known("tdp_w")), hosts_w=hosts_w, racks_w=racks_w,
        network_w=outside, inside_w=inside, sides=sides, it_w=it_w, pue=taken, pue_range=(bounds[0], bounds[1]),
        facility_w=_facility(it_w, taken + more, (bounds[0] + more, bounds[1] + more)), delivery=chain,
        network=network, estimates=(*_said(found, row, sides), *network.estimates),
        left_out=tuple(sorted(topology.left_out)),
    )  # fmt: skip


def drawn_facility_w(site: SitePower, share: float, parts: Catalogue) -> float:
    """Watts of the facility while accelerators draw a share of their TDP, the mean over a step: the typical ones, in
    which they draw what they do while they compute (`share-accelerator`), less or more by the difference, x PUE.

    >>> from topologies.registry import build
    >>> nvl72 = build("nvl72")
    >>> site = site_power(nvl72)
    >>> round(drawn_facility_w(site, 0.9, nvl72.catalogue) - site.facility_w.typical)
    0
    >>> round(site.facility_w.typical - drawn_facility_w(site, 0.4, nvl72.catalogue))  # 72 x 1,200 W / 2 x 1.15
    49680
    """
    busy = float(parts.part(BUSY, PowerShare).known("compute_fraction"))
    more = (share - busy) * site.accelerators * site.accelerator_w
    return site.facility_w.typical * (1 + more / site.it_w.typical)


def rack_of(topology: Topology, rack: str | None = None) -> Rack | None:
    """The row of the catalogue that houses a fabric's accelerators: the one named, else the first for them, or None.

    >>> from topologies.registry import build
    >>> rack_of(build("tpu-v4-4096")).name
    'tpu-v4-cube-rack'
    """
    if rack is not None:
        return topology.catalogue.part(rack, Rack)
    name = accelerator_of(topology)
    return None if name is None else house_of(name, topology.catalogue)


def house_of(accelerator: str, parts: Catalogue) -> Rack | None:
    """The rack in which accelerators of a model stand by default; None where the catalogue has none.

    >>> from topologies.parts import catalogue
    >>> house_of("gb200", catalogue()).name, house_of("generic", catalogue())
    ('gb200-nvl72', None)
    """
    return next((row for row in parts.of_kind(Rack) if accelerator in row.houses), None)


def _accelerator(topology: Topology) -> Accelerator:
    name = accelerator_of(topology)
    row = None if name is None else topology.catalogue.get(name)
    if not isinstance(row, Accelerator):
        raise ConfigError(
            f"{topology.name} has accelerators of several kinds or of none; a site needs one of known TDP"
        )
    if row.tdp_w is None:
        raise ConfigError(
            f"accelerator '{row.name}' has no tdp_w; name one that has (accelerator=), or use --parts FILE"
        )
    return row


def _nameplate(rack: Rack) -> Watts:
    """A rack's own watts; where it gives one of typical and maximum only, the range of that one gives the other."""
    typical_key = "power_typical_w" if rack.power_typical_w is not None else "power_max_w"
    typical, low, high = ranged(rack, typical_key)
    most = high if rack.power_max_w is None else max(float(rack.power_max_w), high)
    return Watts(typical, typical, most, low, high)


def _without_rack(row: Accelerator, parts: Catalogue, inside: Watts) -> Watts:
    """Watts of an accelerator with its share of hosts, adapters and scale-up switches."""
    tdp, low, high = ranged(row, "tdp_w")
    share, least, most = ranged(parts.part(HOSTS, PowerShare), "host_fraction")
    own = tdp * (1 + share)
    return inside + Watts(own, own, high * (1 + share), low * (1 + least), high * (1 + most))


def _outside(topology: Topology) -> Watts:
    """The fabric outside the racks."""
    outside = network_power(topology, exclude=IN_RACK)
    if outside.external is None:
        raise ConfigError(f"{topology.name}: no power of {', '.join(outside.missing)}; add it with --parts FILE")
    return outside.external


def _inside(topology: Topology) -> Watts:
    """The fabric inside the racks: adapters and scale-up switches; nothing where one of them has no watts, which the
    nameplate of a rack holds all the same."""
    inside = NOTHING
    for draw in network_power(topology).draws:
        if draw.watts is not None and not draw.serdes and isinstance(draw.part, Nic):
            inside += draw.watts
    for name, number in scale_up_parts(topology).items():
        watts = row_watts(BillRow(topology.catalogue[name], number), topology.catalogue)
        inside += watts if watts is not None else NOTHING
    return inside


def _idling(racks_w: Watts, row: Accelerator, n: int, inside: Watts, parts: Catalogue) -> tuple[Watts, float]:
    """The racks with what they draw while nothing runs, and the typical watts of their hosts."""
    share, host = parts.part(BUSY, PowerShare), parts.part(HOSTS, PowerShare)
    tdp = n * float(row.known("tdp_w"))
    busy, idle = (float(share.known(key)) for key in ("compute_fraction", "idle_fraction"))
    hosts_w = max(0.0, racks_w.typical - busy * tdp - inside.typical)
    falls = (busy - idle) * tdp + float(host.known("dynamic_fraction")) * hosts_w + inside.typical - inside.idle
    return replace(racks_w, idle=max(0.0, racks_w.typical - falls)), hosts_w


def _facility(it_w: Watts, factor: float, bounds: tuple[float, float]) -> Watts:
    """At most is never below the range, whose end has the sources' highest PUE."""
    whole, high = factor * it_w, bounds[1] * it_w.high
    return replace(whole, maximum=max(whole.maximum, high), low=bounds[0] * it_w.low, high=high)


def _said(rack: Rack | None, row: Accelerator, sides: Sequence[Side]) -> list[str]:
    """What the site stands on beside published figures."""
    if rack is None:
        said = [f"no rack of {row.name} is known: TDP and {HOSTS}"]
    else:
        said = [f"power of rack {rack.name}"] if {"power_typical_w", "power_max_w"} & set(rack.estimates) else []
    said += [f"TDP of {row.name}"] if "tdp_w" in row.estimates else []
    return said + [f"{side.scope} network scaled from {side.row}" for side in sides]


def taken_pue(pue: float | None, parts: Catalogue) -> tuple[float, float, float]:
    """(value, low, high) of facility power over IT power: the one given, else the catalogue's. ConfigError for none.

    >>> from topologies.parts import catalogue
    >>> taken_pue(1.3, catalogue())
    (1.3, 1.3, 1.3)
    """
    if pue is None:
        return ranged(parts[PUE_ROW], "power_usage_effectiveness")
    check_pue(pue)
    return pue, pue, pue


def check_pue(pue: float) -> None:
    """ConfigError for what is none."""
    if not 1 <= pue < 10:
        raise ConfigError(f"PUE {pue:g} is not between 1 and 10; it is facility power over IT power, e.g. 1.15")
