"""Everything that `power` prints about one fabric, by the keys of its JSON."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

from fabric.boundary import excluded
from fabric.choices import check_choices
from fabric.limits.conditions import Conditions
from fabric.limits.racks import hottest, rack_loads
from fabric.powering.delivery import BASELINE, stages_of
from fabric.powering.nameplates import NOTHING, Watts, ranged
from fabric.powering.network import Power, network_power
from fabric.powering.shares import OPTICS, by_kind
from fabric.powering.sides import SCOPES, Side, check_scope, side_networks
from fabric.powering.site import SitePower, site_power, taken_pue
from fabric.powering.swing import Trace, check_compute, power_trace
from fabric.simulation import simulate
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Accelerator, Catalogue, Rack
from topologies.power_kinds import Generation, PowerDelivery


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a fabric's power beside its nameplates."""

    exclude: Collection[str] = ()
    scope: Collection[str] = ("compute",)
    load: float = 1.0
    pue: float | None = None
    delivery: str = BASELINE
    rack: str | None = None
    generation: str | None = None
    compute_ms: float | None = None
    collectives: Sequence[tuple[str, str]] = ()
    transport: str = "auto"


def check_asked(asked: Asked, parts: Catalogue) -> None:
    """ConfigError for the first value that no fabric could answer: a misspelt name, a load above 1, a negative time.

    >>> from topologies.parts import catalogue
    >>> check_asked(Asked(delivery="chain-54V"), catalogue())
    Traceback (most recent call last):
    topologies.errors.ConfigError: no power-delivery is named 'chain-54V'; did you mean 'chain-54v'?
    """
    if not 0 <= asked.load <= 1:
        raise ConfigError(f"load {asked.load:g} is not between 0 and 1; it is the share of its capacity in use")
    check_scope(asked.scope)
    excluded(asked.exclude)
    taken_pue(asked.pue, parts)
    check_compute(asked.compute_ms or 0.0)
    stages_of(parts.part(asked.delivery, PowerDelivery), parts)
    for name, kind in ((asked.rack, Rack), (asked.generation, Generation)):
        if name is not None:
            parts.part(name, kind)
    for name, size in asked.collectives:
        check_choices(collectives=[name], size=size, transport=asked.transport, parts=parts)


def report(topology: Topology, asked: Asked) -> dict[str, Any]:
    """Network, kinds, side networks, accelerators' SerDes, site, generation, collectives and the trace of a step; what
    cannot be answered is None, with its reason in `site_why`.

    >>> from topologies.registry import build
    >>> found = report(build("nvl72"), Asked())
    >>> found["site"]["rack"], round(found["network"]["in_accelerator"]["typical_w"])
    ('gb200-nvl72', 2592)
    """
    check_asked(asked, topology.catalogue)
    scope = check_scope(asked.scope)
    power = network_power(topology, exclude=asked.exclude)
    sides = side_networks(len(topology.accelerators), scope, topology.catalogue)
    kinds = by_kind(power, topology.catalogue)
    site, why = _site(topology, asked, scope)
    stepped = asked.compute_ms is not None or asked.collectives
    if stepped and site is None:
        raise ConfigError(f"no power trace: {why}")
    trace = power_trace(
        topology, asked.compute_ms or 0.0, asked.collectives, site=site, generation=asked.generation,
        transport=asked.transport,
    ) if stepped else None  # fmt: skip
    return {
        "topology": topology.name,
        "accelerators": len(topology.accelerators),
        "network": _network(topology, power, asked.load),
        "by_kind": [{"kind": k.kind, **k.watts.row()} for k in kinds],
        "optics": sum((k.watts for k in kinds if k.kind in OPTICS), NOTHING).row(),
        "serdes": _serdes(topology),
        "scope": list(scope),
        "not_counted": [*(f"{name} network" for name in SCOPES if name not in scope), *topology.left_out],
        "sides": [_side(side) for side in sides],
        "site": None if site is None else {**_site_row(site), **_parts_of_rack(topology, site, asked)},
        "site_why": why,
        "generation": _generation(topology, site, asked.generation),
        "collectives": [_collective(topology, power, name, size, asked.transport) for name, size in asked.collectives],
        "trace": None if trace is None else _trace_row(trace),
        "missing": list(power.missing),
        "constant": list(power.constant),
        "estimates": list(dict.fromkeys([*power.estimates, *(() if site is None else site.estimates)])),
    }


def _site(topology: Topology, asked: Asked, scope: Collection[str]) -> tuple[SitePower | None, str | None]:
    """The site, or why there is none; what the user asked for wrongly is an error all the same."""
    accelerators = {topology.graph.nodes[node].get("part") for node in topology.accelerators}
    rows = [topology.catalogue.get(name) for name in accelerators if name is not None]
    known = [row for row in rows if isinstance(row, Accelerator) and row.tdp_w is not None]
    if len(accelerators) != 1 or not known:
        names = ", ".join(sorted(str(name) for name in accelerators))
        return None, f"no TDP of {names} alone: name accelerators of one kind (accelerator=)"
    outside = network_power(topology, exclude=("nic", "scale-up", "serdes"))
    if outside.external is None:
        return None, f"no power of {', '.join(outside.missing)}; --parts adds it"
    told = site_power(topology, pue=asked.pue, delivery=asked.delivery, rack=asked.rack, scope=scope)
    return told, None


def _network(topology: Topology, power: Power, load: float) -> dict[str, Any]:
    total = power.total
    at_load = None if total is None else total.at(load)
    gbps = received_gbps(topology)
    return {
        "total": _row(total), "external": _row(power.external), "in_accelerator": _row(power.in_accelerator),
        "load": load, "at_load_w": at_load, "excluded": list(power.excluded),
        "dynamic_fraction": None if total is None or not total.typical else 1 - total.idle / total.typical,
        "w_per_accelerator": None if total is None else total.typical / len(topology.accelerators),
        "pj_per_bit_injected": None if total is None or not gbps or at_load is None else 1e3 * at_load / gbps,
    }  # fmt: skip


def received_gbps(topology: Topology) -> float:
    """Gb/s that all accelerators together can receive at once through their links and adapters."""
    kinds = dict(topology.graph.nodes(data="kind"))
    ends = ((a, b, edge["rate_gbps"] * edge["count"] * edge.get("duty", 1.0)) for a, b, edge in topology.edges)
    return float(sum(gbps * ((kinds[a] == "accelerator") + (kinds[b] == "accelerator")) for a, b, gbps in ends))


def _row(watts: Watts | None) -> dict[str, float] | None:
    return None if watts is None else watts.row()


def _serdes(topology: Topology) -> list[dict[str, Any]]:
    """What the links of one accelerator draw inside it, by the row that gives the energy."""
    watts: dict[str, Watts] = {}
    gbps: dict[str, float] = {}
    for draw in network_power(topology).draws:
        if draw.serdes and draw.watts is not None:
            name = draw.part.name
            watts[name] = watts.get(name, NOTHING) + draw.watts
            gbps[name] = gbps.get(name, 0.0) + draw.quantity
    n = len(topology.accelerators)
    return [
        {"part": name, "gbps_per_accelerator": gbps[name] / n, **(1 / n * each).row()} for name, each in watts.items()
    ]


def _side(side: Side) -> dict[str, Any]:
    return {
        "scope": side.scope, "row": side.row, "switches": side.switches, "nics": side.nics, "modules": side.modules,
        **side.watts.row(),
    }  # fmt: skip


def _site_row(site: SitePower) -> dict[str, Any]:
    chain = site.delivery
    return {
        "accelerator": site.accelerator, "tdp_w": site.accelerator_w, "rack": site.rack, "racks": site.racks,
        "one_rack": site.rack_w.row(), "racks_w": site.racks_w.row(), "hosts_w": site.hosts_w,
        "network_outside_racks": site.network_w.row(), "it": site.it_w.row(), "pue": site.pue,
        "pue_low": site.pue_range[0], "pue_high": site.pue_range[1], "facility": site.facility_w.row(),
        "network_share": (site.network_w.typical + site.inside_w.typical) / site.it_w.typical,
        "delivery": {
            "chain": chain.chain, "grid_to_core": chain.grid_to_core, "grid_to_core_low": chain.grid_to_core_low,
            "grid_to_core_high": chain.grid_to_core_high, "published": chain.published,
            "more_than_54v_w": chain.more_than_baseline_w, "voltage_v": chain.voltage_v,
            "current_a_per_rack": chain.current_a, "busbar_kg": chain.busbar_kg, "busbar_loss_w": chain.busbar_loss_w,
            "stages": [asdict(stage) for stage in chain.stages],
        },
    }  # fmt: skip


def _parts_of_rack(topology: Topology, site: SitePower, asked: Asked) -> dict[str, Any]:
    """By what racks count, and beside it what the parts of the fullest add up to, by which walls judge its feed."""
    loads = hottest(rack_loads(topology, Conditions(rack=asked.rack)))
    total = loads[0].total_w if loads and loads[0].rack is not None and loads[0].rack.name == site.rack else None
    by = "TDP and a share for hosts" if site.rack is None else "nameplate"
    return {"racks_by": by, "rack_parts_w": None if total is None else total.value,
            "rack_parts_of": None if total is None else loads[0].accelerators}  # fmt: skip


def _generation(topology: Topology, site: SitePower | None, name: str | None) -> dict[str, Any] | None:
    """Machines for the largest facility power, one to spare; their fuel at typical power, and what they cost."""
    if name is None:
        return None
    plant = topology.catalogue.part(name, Generation)
    if site is None:
        return {"name": name, "units": None, "fuel_w": None, "capex_usd": None}
    units = ceil(site.facility_w.maximum / plant.unit_w - 1e-9) + 1
    value, low, high = ranged(plant, "efficiency")
    dollars = None if plant.usd_per_w is None else units * plant.unit_w * plant.usd_per_w
    typical = site.facility_w.typical
    return {
        "name": name, "units": units, "unit_w": plant.unit_w, "fuel_w": typical / value, "fuel_low_w": typical / high,
        "fuel_high_w": typical / low, "capex_usd": dollars,
    }  # fmt: skip


def _collective(topology: Topology, power: Power, name: str, size: str, transport: str) -> dict[str, Any]:
    found = simulate(topology, name, size, transport=transport)
    watts = power.total_w
    bits = None
    if found.energy_pj_per_bit and found.energy_j is not None:
        bits = found.energy_j / found.energy_pj_per_bit * 1e12
    joules = None if watts is None else watts * found.time_us * 1e-6
    return {
        "collective": name, "size_bytes": found.size_bytes, "time_us": found.time_us, "energy_j": joules,
        "pj_per_bit": None if joules is None or not bits else joules / bits * 1e12,
    }  # fmt: skip


def _trace_row(trace: Trace) -> dict[str, Any]:
    row = asdict(trace)
    row["phases"] = [asdict(phase) for phase in trace.phases]
    return row
