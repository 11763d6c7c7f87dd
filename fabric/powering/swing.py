"""How a site's power swings over one step of training, and the storage that would smooth it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from fabric.powering.site import BUSY, HOSTS, SitePower, site_power
from fabric.simulation import simulate
from topologies.errors import ConfigError
from topologies.graph import Topology
from topologies.parts import Catalogue
from topologies.power_kinds import EnergyStorage, Generation, PowerShare


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a step: IT watts of all racks and of the network outside them, and of the facility."""

    name: str
    start_ms: float
    duration_ms: float
    racks_w: float
    network_w: float
    facility_w: float


@dataclass(frozen=True, slots=True)
class Swing:
    """A quantity over a step: highest, mean, lowest, the largest change from one phase to the next, and that over the
    time it takes (at least: the time is the longest that the sources give)."""

    peak_w: float
    mean_w: float
    least_w: float
    step_w: float
    ramp_w_per_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """One step, repeated: its phases, the swings of a rack and of the site, the energy that storage would have to take
    and give back in a step to leave the mean, and the class of storage for it."""

    phases: tuple[Phase, ...]
    period_ms: float
    rack: Swing
    site: Swing
    storage_j: float
    storage_j_per_accelerator: float
    storage: str
    storage_why: str
    generation: str | None
    generation_follows: bool | None


def power_trace(
    topology: Topology,
    compute_ms: float,
    collectives: Sequence[tuple[str, str | float]],
    *,
    site: SitePower | None = None,
    generation: str | None = None,
    transport: str = "auto",
) -> Trace:
    """Power over a step: computation, then each collective (name, size) with nothing beside it.

    While accelerators compute, the network idles; while they wait for a collective, it carries its full load. Cooling
    is slower than a step and stays at its mean. ConfigError for a step without length.

    >>> from topologies.registry import build
    >>> t = power_trace(build("nvl72"), 100, [("all-reduce", "1GiB")])
    >>> t.rack.peak_w > t.rack.mean_w > t.rack.least_w, t.storage
    (True, 'psu-capacitors')
    """
    check_compute(compute_ms)
    site = site if site is not None else site_power(topology)
    durations = [("compute", compute_ms)] if compute_ms else []
    for name, size in collectives:
        durations.append((name, simulate(topology, name, size, transport=transport).time_us / 1e3))
    if not durations or sum(length for _, length in durations) <= 0:
        raise ConfigError("a step without computation and collectives has no power; give --compute-ms or --collective")
    return _trace(site, durations, generation, topology.catalogue)


def check_compute(compute_ms: float) -> None:
    """ConfigError for a time that is none."""
    if not 0 <= compute_ms < 1e9:
        raise ConfigError(f"compute time {compute_ms:g} ms is not between 0 and 1e9; give the step's, e.g. 250")


def _trace(site: SitePower, durations: Sequence[tuple[str, float]], generation: str | None, parts: Catalogue) -> Trace:
    busy = parts.part(BUSY, PowerShare)
    levels = [_levels(site, name == "compute", busy, parts) for name, _ in durations]
    lengths = [length for _, length in durations]
    it_w = [sum(pair) for pair in levels]
    cooling = _mean(it_w, lengths) * (site.facility_w.typical / site.it_w.typical - 1)
    whole = [watts + cooling for watts in it_w]
    starts = accumulate(lengths[:-1], initial=0.0)
    phases = tuple(
        Phase(name, start, length, racks, network, total)
        for (name, length), start, (racks, network), total in zip(durations, starts, levels, whole, strict=True)
    )
    seconds = float(busy.known("transition_ms")) / 1e3
    share = site.rack_w.typical / site.racks_w.typical
    rack = _swing([racks * share for racks, _ in levels], lengths, seconds)
    swing = _swing(whole, lengths, seconds)
    energy = smoothing_j(whole, lengths)
    period = sum(lengths)
    each = energy / site.accelerators
    chosen, why = storage_for(period / 1e3, each, parts)
    follows = None
    if generation is not None:
        plant = parts.part(generation, Generation)
        follows = swing.ramp_w_per_s <= float(plant.known("ramp_fraction_per_s")) * swing.peak_w
    return Trace(phases, period, rack, swing, energy, each, chosen, why, generation, follows)


def _levels(site: SitePower, computing: bool, busy: PowerShare, parts: Catalogue) -> tuple[float, float]:
    """Watts of all racks and of the networks outside them in a phase."""
    most, least = float(busy.known("compute_fraction")), float(busy.known("idle_fraction"))
    level = most if computing else float(busy.known("communication_fraction"))
    load = 0.0 if computing else 1.0
    follows = float(parts.part(HOSTS, PowerShare).known("dynamic_fraction"))
    hosts = site.hosts_w * (1 - follows * (most - level) / (most - least))
    racks = level * site.accelerator_w * site.accelerators + hosts + site.inside_w.at(load)
    return racks, site.network_w.at(load) + sum(side.watts.typical for side in site.sides)


def _mean(values: Sequence[float], lengths: Sequence[float]) -> float:
    return sum(v * t for v, t in zip(values, lengths, strict=True)) / sum(lengths)


def _swing(values: Sequence[float], lengths: Sequence[float], seconds: float) -> Swing:
    following = [*values[1:], values[0]]
    step = max(abs(b - a) for a, b in zip(values, following, strict=True))
    return Swing(max(values), _mean(values, lengths), min(values), step, step / seconds)


def smoothing_j(watts: Sequence[float], lengths_ms: Sequence[float]) -> float:
    """Joules that go into and out of a store in one period that leaves the mean: the range of the running surplus.

    >>> smoothing_j([300.0, 100.0], [1000.0, 1000.0])  # 100 W above the mean for a second
    100.0
    """
    mean = _mean(watts, lengths_ms)
    surplus = accumulate(((w - mean) * t / 1e3 for w, t in zip(watts, lengths_ms, strict=True)), initial=0.0)
    levels = list(surplus)
    return max(levels) - min(levels)


def storage_for(period_s: float, joules_per_accelerator: float, parts: Catalogue) -> tuple[str, str]:
    """The first class of storage that follows swings of that period for years and holds them, and why.

    >>> from topologies.parts import catalogue
    >>> [storage_for(s, j, catalogue())[0] for s, j in ((0.2, 40), (0.2, 400), (600, 4e5))]
    ['psu-capacitors', 'supercapacitor-shelf', 'battery']
    """
    said = f"{joules_per_accelerator:.3g} J an accelerator, every {period_s:.3g} s"
    for row in parts.of_kind(EnergyStorage):
        held = row.energy_j_per_accelerator
        if period_s <= row.period_max_s and (held is None or joules_per_accelerator <= held):
            sold = "" if held is None else f"; {held:g} J are built in"
            return row.name, said + sold
    return "none", f"{said}; no class of storage in the catalogue follows that"
