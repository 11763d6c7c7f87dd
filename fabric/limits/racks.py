"""What a rack draws: accelerators, their hosts, and the part of the network that stands in it; racks alike once."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, isclose

from fabric.limits.conditions import Conditions
from fabric.limits.judging import NOTHING, Span
from fabric.powering import house_of, unit_power_w
from topologies.bill import modules
from topologies.graph import GENERIC, Topology, once
from topologies.kinds import PowerDelivery, Rack
from topologies.parts import Accelerator, Cable, Catalogue, Component, Nic, Optic, Part, Switch

ESTIMATED = {"power_host_w": "watts of hosts", "power_feed_w": "feed", "liquid_fraction": "heat to liquid"}
IN_RACK_TIER = 0  # switches of a scale-up domain stand with its accelerators


@dataclass(frozen=True, slots=True)
class RackLoad:
    """Racks alike: `count` of them, each with `accelerators` of one model; spans of watts of one rack.

    `chips_w` are TDPs, or the share `drawn` of them; `network_w` is of its switches, adapters and modules. None where
    no source gives watts. `default` where nobody says how many accelerators stand in a rack; `missing` names what is
    left out of the network for want of watts.
    """

    rack: Rack | None
    count: int
    accelerators: int
    model: str
    chips_w: Span | None
    hosts_w: Span | None
    network_w: Span
    efficiency: Span
    default: bool = False
    missing: tuple[str, ...] = ()
    drawn: float = 1.0

    @property
    def total_w(self) -> Span | None:
        """What the feed delivers and the cooling carries away, losses of conversion in the rack included."""
        if self.chips_w is None or self.hosts_w is None:
            return None
        return self.chips_w.plus(self.hosts_w).plus(self.network_w).over(self.efficiency)

    @property
    def said(self) -> str:
        """What stands behind it beside published figures; empty where nothing does, or nothing is known."""
        if self.rack is None:
            return ""
        guesses = [name for key, name in ESTIMATED.items() if key in self.rack.estimates]
        where = f"{self.accelerators} {self.model} in a rack ({self.rack.name})" if self.default else self.rack.name
        told = f"; estimates: its {', '.join(guesses)}" if guesses else ""
        return f"walls: {where}{told}" if self.default or guesses else ""

    def drawing(self, share: float) -> "RackLoad":
        """The same rack whose accelerators draw a share of their TDP."""
        chips_w = None if self.chips_w is None else self.chips_w.times(share)
        return replace(self, chips_w=chips_w, drawn=self.drawn * share)

    def times(self, density: float) -> "RackLoad":
        """The same rack with so many times as much in it."""
        return replace(
            self,
            accelerators=ceil(self.accelerators * density),
            chips_w=None if self.chips_w is None else self.chips_w.times(density),
            hosts_w=None if self.hosts_w is None else self.hosts_w.times(density),
            network_w=self.network_w.times(density),
        )


@dataclass(slots=True)
class Census:
    """What stands in each rack (None: wherever accelerators stand), and the boxes of the network elsewhere."""

    chips: dict[str | None, Counter[str]] = field(default_factory=dict)
    parts: dict[str | None, Counter[str]] = field(default_factory=dict)
    modules_w: dict[str | None, list[float]] = field(default_factory=dict)
    boxes: dict[Hashable, "Box"] = field(default_factory=dict)


@dataclass(slots=True)
class Box:
    """A node of the network outside the racks of accelerators: boxes of one part, and watts of the modules in them."""

    part: str
    number: int
    modules_w: float = 0.0


@once
def census(topology: Topology) -> Census:
    """One pass over nodes and links: parts and watts of modules by rack, and boxes elsewhere."""
    found = Census()
    place: dict[Hashable, str | None] = {}
    alike: Counter[tuple[str, str | None, str | None, tuple[tuple[str, int], ...]]] = Counter()
    where = bool(topology.racks)
    for node, own in topology.graph.nodes(data=True):
        if own.get("layer") in topology.left_out:
            continue
        kind, part, held = own["kind"], own.get("part"), own.get("parts")
        if kind == "switch" and own.get("tier", 1) != IN_RACK_TIER:
            name, number = next(iter(held.items())) if part is None and held else (part, 1)
            if name is not None:
                found.boxes[node] = Box(name, number)
            continue
        rack = place[node] = own.get("rack") if where else None
        alike[kind, part, rack, tuple(held.items()) if held else ()] += 1
    for (kind, part, rack, held), number in alike.items():
        stands = found.parts.setdefault(rack, Counter())
        stands.update({name: each * number for name, each in held})
        if kind == "accelerator":
            found.chips.setdefault(rack, Counter())[part or GENERIC] += number
        elif part is not None:
            stands[part] += number
    _add_modules(topology, found, place)
    return found


def _add_modules(topology: Topology, found: Census, place: Mapping[Hashable, str | None]) -> None:
    """Watts of what is plugged in at the ends of links, shared by rate where several links share a module."""
    each: dict[tuple[str, float], float] = {}
    dark = {row.name for row in topology.catalogue.of_kind(Cable) if not row.power_w_per_end}
    no_cage = {row.name for row in topology.catalogue.of_kind(Switch) if row.integrated_optics}
    for a, b, edge in topology.edges:
        cable = edge["cable"]
        if cable in dark or edge.get("layer") in topology.left_out:
            continue
        key = cable, edge["rate_gbps"]
        if key not in each:
            each[key] = end_power_w(topology.catalogue.get(cable), edge["rate_gbps"])
        for end in (a, b):
            if end in place:
                found.modules_w.setdefault(place[end], [0.0])[0] += each[key] * edge["count"]
            elif end in found.boxes and found.boxes[end].part not in no_cage:
                found.boxes[end].modules_w += each[key] * edge["count"]


def end_power_w(row: Part | None, rate_gbps: float) -> float:
    """Watts of one end of a link of that rate: its share of a module, or an active cable's end; 0 where unknown.

    >>> from topologies.parts import part
    >>> end_power_w(part("800g-2xdr4"), 400.0), end_power_w(part("1600g-dr8"), 400.0)
    (8.5, 6.25)
    """
    if isinstance(row, Cable):
        return row.power_w_per_end or 0.0
    if not isinstance(row, Optic):
        return 0.0
    together = row.links_per_module or max(1, int(row.rate_gbps / rate_gbps + 1e-9))
    return row.power_typical_w * modules(row, together, rate_gbps) / together


def rack_loads(topology: Topology, given: Conditions) -> list[RackLoad]:
    """Racks with accelerators, those alike as one, the fullest first.

    Where the topology names no racks, accelerators stand in the rack that the catalogue has for them, as many as it
    holds, and the network inside scale-up domains, the adapters and their modules stand with them.

    >>> from topologies.registry import build
    >>> [(load.rack.name, load.count) for load in rack_loads(build("dgx-h100-superpod-256"), Conditions())]
    [('dgx-h100-rack', 8)]
    """
    found = census(topology)
    loads = _placed(topology, found, given) if topology.racks else _arranged(topology, found, given)
    drawn = 1.0 if given.duty is None else given.duty.drawn
    return sorted((load.drawing(drawn) for load in loads), key=lambda load: -load.accelerators)


def hottest(loads: Sequence[RackLoad]) -> list[RackLoad]:
    """Of the racks of each name and model the one that draws most, in the order of the loads."""
    best: dict[tuple[str | None, str], RackLoad] = {}
    for load in loads:
        key = (None if load.rack is None else load.rack.name, load.model)
        other = best.get(key)
        if other is None or (load.total_w or NOTHING) > (other.total_w or NOTHING):
            best[key] = load
    return list(best.values())


def _placed(topology: Topology, found: Census, given: Conditions) -> Iterator[RackLoad]:
    """Racks that the topology names."""
    alike: Counter[tuple[str, frozenset[tuple[str, int]], frozenset[tuple[str, int]], float]] = Counter()
    for label, chips in found.chips.items():
        named = topology.racks.get(str(label), "") if given.rack is None else given.rack
        plugged = round(found.modules_w.get(label, [0.0])[0], 6)
        alike[named, frozenset(chips.items()), frozenset(found.parts[label].items()), plugged] += 1
    for (named, chips_of, parts_of, plugged), count in alike.items():
        chips = Counter(dict(chips_of))
        model = chips.most_common(1)[0][0]
        rack = topology.catalogue.part(named, Rack) if named else house_of(model, topology.catalogue)
        network, missing = _watts(topology.catalogue, Counter(dict(parts_of)))
        network = network.plus(Span.exact(plugged))
        beside = 1 if named or rack is None or not rack.accelerators else ceil(chips.total() / rack.accelerators)
        each = Counter({name: ceil(number / beside) for name, number in chips.items()})  # racks of a domain beyond one
        load = _load(topology.catalogue, rack, each, count * beside, network.times(1 / beside), default=beside > 1)
        yield replace(load, missing=missing)


def _arranged(topology: Topology, found: Census, given: Conditions) -> Iterator[RackLoad]:
    """Racks of the catalogue, filled one after the other; the network of all of them shared out by accelerators."""
    parts = topology.catalogue
    everywhere = sum((chips.total() for chips in found.chips.values()), 0)
    held: Counter[str] = sum(found.parts.values(), Counter())
    network, missing = _watts(parts, held)
    network = network.plus(Span.exact(sum(watts for (watts,) in found.modules_w.values())))
    models: Counter[str] = sum(found.chips.values(), Counter())
    for model, number in models.items():
        rack = parts.part(given.rack, Rack) if given.rack is not None else house_of(model, parts)
        holds = given.per_rack or (rack.accelerators if rack is not None else None)
        each = min(holds or number, number)
        share = network.times(each / everywhere)
        default = given.per_rack is None
        load = _load(parts, rack, Counter({model: each}), ceil(number / each), share, default=default)
        yield replace(load, missing=missing)


def _load(
    parts: Catalogue, rack: Rack | None, chips: Counter[str], count: int, network: Span, *, default: bool
) -> RackLoad:
    model, number = chips.most_common(1)[0][0], chips.total()
    hosts = None if rack is None else Span.of(rack, "power_host_w")
    stage = None if rack is None or rack.power_stage is None else parts.part(rack.power_stage, PowerDelivery)
    efficiency = None if stage is None else Span.of(stage, "efficiency")
    watts: Span | None = NOTHING
    for name, held in chips.items():
        row = parts.get(name)
        tdp = Span.of(row, "tdp_w") if isinstance(row, Accelerator) else None
        watts = None if watts is None or tdp is None else watts.plus(tdp.times(held))
    return RackLoad(
        rack, count, number, model, watts, None if hosts is None else hosts.times(number), network,
        efficiency or Span.exact(1.0), default,
    )  # fmt: skip


def _watts(parts: Catalogue, held: Counter[str]) -> tuple[Span, tuple[str, ...]]:
    """Watts of adapters and switches, and the names of those without a figure."""
    total, missing = NOTHING, []
    for name, number in held.items():
        row = parts.get(name)
        watts = unit_power_w(row) if isinstance(row, Nic | Switch) else None
        if watts is not None:
            total = total.plus(Span(watts[1], watts[0], watts[2]).times(number))
        elif not isinstance(row, Component):
            missing.append(name)
    return total, tuple(missing)


def hottest_box(topology: Topology) -> tuple[Switch, Span, int] | None:
    """The box of the network outside the racks of accelerators that draws most, its modules included, and how many of
    it make a node (a block of an aggregation layer)."""
    best: tuple[Switch, Span, int] | None = None
    for box in census(topology).boxes.values():
        row = topology.catalogue.get(box.part)
        watts = unit_power_w(row) if isinstance(row, Switch) else None
        if watts is None or not isinstance(row, Switch):
            continue
        plugged = Span.exact(box.modules_w / box.number)
        whole = Span(watts[1], watts[0], watts[2]).plus(plugged)
        if best is None or (whole.value > best[1].value and not isclose(whole.value, best[1].value)):
            best = row, whole, box.number
    return best
