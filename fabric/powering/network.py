"""Network power: external and in the accelerators, from the bill of materials."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fabric.boundary import excluded, rows_within
from fabric.powering.nameplates import NOTHING, Watts, dynamic_fraction, power_key, ranged, row_watts
from topologies.bill import BillRow, ends_at
from topologies.graph import Topology, once
from topologies.links import HOST_TECHNOLOGIES
from topologies.parts import Accelerator, Optic, Part, Switch


@dataclass(frozen=True, slots=True)
class Draw:
    """One part of a network and what all of it draws; `watts` is None where the part gives none. `part` is an
    accelerator's where the SerDes of its own links are meant, and `optic` then a co-packaged engine that lowers them.
    `constant` where no source says how its power follows its load."""

    part: Part
    quantity: float
    watts: Watts | None
    estimated: bool
    constant: bool
    serdes: bool = False


@dataclass(frozen=True, slots=True)
class Power:
    """Watts of a whole network, typical; `low_w` to `high_w` from the sources' ranges, `idle_w` while it carries
    nothing, `maximum_w` at most. None where a part gives none.

    `missing` names the parts without a figure, `estimates` those whose figure nobody publishes, `constant` those that
    are counted the same at any load because no source says otherwise, `excluded` what was left out by name.
    """

    external_w: float | None
    in_accelerator_w: float | None
    low_w: float | None
    high_w: float | None
    missing: tuple[str, ...]
    estimates: tuple[str, ...]
    external: Watts | None = None
    in_accelerator: Watts | None = None
    constant: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    draws: tuple[Draw, ...] = ()

    @property
    def total_w(self) -> float | None:
        """External and in-accelerator together."""
        if self.external_w is None or self.in_accelerator_w is None:
            return None
        return self.external_w + self.in_accelerator_w

    @property
    def total(self) -> Watts | None:
        """All watts of both together."""
        if self.external is None or self.in_accelerator is None:
            return None
        return self.external + self.in_accelerator

    @property
    def idle_w(self) -> float | None:
        """While it carries nothing."""
        return None if self.total is None else self.total.idle

    @property
    def maximum_w(self) -> float | None:
        """At most, by nameplate."""
        return None if self.total is None else self.total.maximum


def network_power(topology: Topology, *, exclude: Collection[str] = ()) -> Power:
    """Power of the fabric: switches, adapters, cable ends, modules, circuit switches, and the SerDes of the
    accelerators' own links (one-way rate x pJ/bit of an end; a link through an adapter is the adapter's).

    `exclude` leaves out `nic` (adapters), `host-ends` (modules and cable ends at accelerators, adapters and hosts),
    `scale-up` (switches of tier 0), `serdes` (what is drawn inside accelerators). ConfigError for another name.

    >>> from topologies.registry import build
    >>> round(network_power(build("nvl72")).in_accelerator_w)
    2592
    """
    names = excluded(exclude)
    return _power(topology, names) if names else _whole(topology)


@once
def _whole(topology: Topology) -> Power:
    return _power(topology, ())


def _power(topology: Topology, left_out: tuple[str, ...]) -> Power:
    rows = rows_within(topology, left_out)
    outside = [_draw(topology, row) for row in rows]
    inside, unnamed = ([], []) if "serdes" in left_out else _serdes_draws(topology)
    unknown_serdes = [f"SerDes of {name}" for name in unnamed]
    missing = [draw.part.name for draw in outside if draw.watts is None] + unknown_serdes
    ideal = _switches_without_part(topology, left_out)
    if ideal:
        missing.append(f"{ideal} switches without a part (switch= names one)")
    external = _summed(outside)
    held_most, held_high = _within_boxes(topology, rows)
    most = max(external.typical, external.maximum - held_most)
    external = replace(external, maximum=most, high=min(external.high - held_high, most))
    within, whole = _summed(inside), not missing
    known = whole or set(missing) == set(unknown_serdes)
    estimates = [d.part.name for d in outside if d.estimated]
    estimates += [f"{d.part.name} SerDes energy" for d in inside if d.estimated]
    return Power(
        external_w=external.typical if known else None,
        in_accelerator_w=within.typical if not unknown_serdes else None,
        low_w=external.low + within.low if whole else None,
        high_w=external.high + within.high if whole else None,
        missing=tuple(missing),
        estimates=tuple(dict.fromkeys(estimates)),
        external=external if known else None,
        in_accelerator=within if not unknown_serdes else None,
        constant=tuple(dict.fromkeys(d.part.name for d in outside if d.constant and d.watts and d.watts.typical)),
        excluded=left_out,
        draws=(*outside, *inside),
    )


def _draw(topology: Topology, row: BillRow) -> Draw:
    watts = row_watts(row, topology.catalogue)
    estimated = power_key(row.part) in row.part.estimates
    return Draw(row.part, row.quantity, watts, estimated, not dynamic_fraction(row.part, topology.catalogue))


def _summed(draws: list[Draw]) -> Watts:
    return sum((draw.watts for draw in draws if draw.watts is not None), NOTHING)


def _within_boxes(topology: Topology, rows: list[BillRow]) -> tuple[float, float]:
    """Watts of modules whose boxes hold them already: at most, and by the range where its end is that maximum."""
    boxes = [row.part for row in rows if isinstance(row.part, Switch) and row.part.power_max_covers_optics]
    most = _modules_at(topology, {box.name for box in boxes})
    ends = {box.name for box in boxes if box.ranges.get("power_typical_w", (0, 0))[1] == box.power_max_w}
    return most.maximum, _modules_at(topology, ends).high


def _modules_at(topology: Topology, boxes: set[str]) -> Watts:
    """Modules and cable ends at boxes of some parts."""
    known, which = _modules_known(topology), frozenset(boxes)
    if which not in known:
        at_boxes = ends_at(topology, lambda attributes: attributes.get("part") in which) if which else {}
        counted = [BillRow(topology.catalogue[name], number) for name, number in at_boxes.items()]
        found = (row_watts(row, topology.catalogue) for row in counted)
        known[which] = sum((watts for watts in found if watts is not None), NOTHING)
    return known[which]


@once
def _modules_known(_topology: Topology) -> dict[frozenset[str], Watts]:
    """Answers of `_modules_at` on a topology, each of which crosses all of its links."""
    return {}


def _switches_without_part(topology: Topology, left_out: tuple[str, ...]) -> int:
    nodes = [d for _, d in topology.graph.nodes(data=True) if d["kind"] == "switch"]
    inside = "scale-up" in left_out
    return sum(not d.get("part") and not d.get("parts") and not (inside and d.get("tier", 1) == 0) for d in nodes)


def _serdes_draws(topology: Topology) -> tuple[list[Draw], list[str]]:
    """What the accelerators' own link ends draw, by what gives their energy; the accelerators that none gives."""
    gbps = _own_gbps(topology)
    draws: list[Draw] = []
    unnamed: list[str] = []
    for (name, cable), rate in sorted(gbps.items(), key=str):
        part, field = _serdes(topology, name, cable)
        if part is None:
            unnamed.append(name or "an accelerator without a part")
            continue
        typical, low, high = (rate * energy * 1e-3 for energy in ranged(part, field))  # Gb/s x pJ/bit = mW
        watts = Watts(typical, typical, high, low, high)  # a link sends symbols whether it carries data or not
        draws.append(Draw(part, rate, watts, field in part.estimates, constant=True, serdes=True))
    return draws, unnamed


def _own_gbps(topology: Topology) -> dict[tuple[str | None, str], float]:
    """Gb/s of the accelerators' own link ends, by accelerator and cable."""
    kinds, kind = topology.edge_kinds
    named: dict[str | None, int] = {}
    described = zip(topology.attribute("part"), topology.attribute("kind"), strict=True)
    part = np.array([named.setdefault(p, len(named)) if k == "accelerator" else -1 for p, k in described])
    cables: dict[str, int] = {}
    cable = np.array([cables.setdefault(edge["cable"], len(cables)) if _own(topology, edge) else -1 for edge in kinds])
    rate = np.array([edge["rate_gbps"] * edge["count"] for edge in kinds])
    ends = part[topology.edge_ends]
    end, side = np.nonzero(((ends >= 0) & (cable[kind] >= 0)).T)
    key = ends[side, end] * len(cables) + cable[kind[end]]
    total = np.bincount(key, rate[kind[end]])
    names = [(name, by) for name in named for by in cables]
    return {names[k]: float(total[k]) for k in np.unique(key).tolist()}


def _own(topology: Topology, edge: Mapping[str, Any]) -> bool:
    """Is this a link that an accelerator's own SerDes drive, rather than an adapter's or a host's?"""
    if edge.get("nic") is not None or edge.get("layer") in topology.left_out:
        return False
    return edge["technology"] not in HOST_TECHNOLOGIES


def _serdes(topology: Topology, accelerator: str | None, cable: str) -> tuple[Part | None, str]:
    """The row that says what an accelerator's end of a link costs: a co-packaged engine's, else its own."""
    optic = topology.catalogue.get(cable)
    if isinstance(optic, Optic) and optic.host_serdes_pj_per_bit is not None:
        return optic, "host_serdes_pj_per_bit"
    row = topology.catalogue.get(accelerator) if accelerator is not None else None
    known = isinstance(row, Accelerator) and row.serdes_pj_per_bit is not None
    return (row if known else None), "serdes_pj_per_bit"
