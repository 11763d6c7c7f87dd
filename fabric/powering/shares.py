"""A network's power by kind of device, with what fans and lasers take of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fabric.powering.nameplates import NOTHING, Watts, row_watts
from fabric.powering.network import Draw, Power
from topologies.bill import BillRow
from topologies.parts import Cable, Catalogue, CircuitSwitch, Nic, Optic, Part, Switch
from topologies.power_kinds import PowerShare

SWITCHES, NICS, DSP, LINEAR, CPO = "switch silicon", "NICs", "DSP optics", "LPO", "CPO"
ACTIVE, PASSIVE, CIRCUITS, LASERS, FANS = "active copper", "passive copper", "OCS", "lasers", "fans"
SERDES, OTHER = "SerDes in accelerators", "passive optics"
KINDS_OF_POWER = (SWITCHES, FANS, NICS, DSP, LINEAR, CPO, LASERS, ACTIVE, PASSIVE, CIRCUITS, OTHER, SERDES)
OPTICS = (DSP, LINEAR, CPO, LASERS)  # light, with what makes it
_OPTICS = {"lpo": LINEAR, "npo": LINEAR, "cpo": CPO, "socket": CPO}
_SHARE = {DSP: "share-dsp-optic", LINEAR: "share-linear-optic", CPO: "share-cpo"}


@dataclass(frozen=True, slots=True)
class KindPower:
    """What one kind of device draws in a network."""

    kind: str
    watts: Watts


def kind_of(part: Part) -> str:
    """The kind of power that a part counts to; boxes and modules with their fans and lasers.

    >>> from topologies.parts import part
    >>> [kind_of(part(name)) for name in ("qm9700", "1600g-dr8", "dac-400g", "aec-400g", "palomar-136")]
    ['switch silicon', 'DSP optics', 'passive copper', 'active copper', 'OCS']
    """
    if isinstance(part, Optic):
        return _OPTICS.get(part.technology, DSP)
    if isinstance(part, Cable):
        if part.medium == "optical":
            return DSP
        return ACTIVE if part.medium == "active-copper" or part.technology in ("acc", "aec") else PASSIVE
    kinds = ((Switch, SWITCHES), (Nic, NICS), (CircuitSwitch, CIRCUITS))
    return next((name for kind, name in kinds if isinstance(part, kind)), OTHER)


def by_kind(power: Power, parts: Catalogue) -> tuple[KindPower, ...]:
    """Power of each kind that a network has, in the order of KINDS_OF_POWER; their sum is the network's, but for parts
    without a figure and, at most, for modules that are within their boxes' maximum.

    Fans are a share of boxes cooled by air, lasers a share of optics, both by the catalogue's `power-share` rows; what
    co-packaged optics draw inside a box is told apart from its silicon by the row of an engine.

    >>> from fabric.powering import network_power
    >>> from topologies.registry import build
    >>> t = build("nvl72")
    >>> [(k.kind, round(k.watts.typical)) for k in by_kind(network_power(t), t.catalogue)]
    [('switch silicon', 10080), ('SerDes in accelerators', 2592)]
    """
    sums = dict.fromkeys(KINDS_OF_POWER, NOTHING)
    for draw in power.draws:
        for kind, watts in _divided(draw, parts):
            sums[kind] += watts
    return tuple(KindPower(kind, watts) for kind, watts in sums.items() if watts.high > 0)


def _divided(draw: Draw, parts: Catalogue) -> Iterable[tuple[str, Watts]]:
    if draw.watts is None:
        return []
    if draw.serdes:
        return [(SERDES, draw.watts)]
    kind = kind_of(draw.part)
    if isinstance(draw.part, Switch):
        return _of_box(draw.part, draw.quantity, draw.watts, parts)
    if kind in _SHARE:
        return _with_lasers(kind, draw.watts, parts)
    return [(kind, draw.watts)]


def _of_box(box: Switch, quantity: float, watts: Watts, parts: Catalogue) -> list[tuple[str, Watts]]:
    found: list[tuple[str, Watts]] = []
    share = parts.get("share-switch")
    if box.cooling == "air" and isinstance(share, PowerShare) and share.fan_fraction:
        found.append((FANS, share.fan_fraction * watts))
    engine = _engine(parts) if box.integrated_optics else None
    if engine is not None:
        inside = row_watts(BillRow(engine, quantity * box.capacity_gbps / engine.rate_gbps), parts)
        if inside is not None:
            found += _with_lasers(CPO, _at_most(inside, watts), parts)
    rest = watts
    for _, part in found:
        rest += -1 * part
    return [(SWITCHES, rest), *found]


def _engine(parts: Catalogue) -> Optic | None:
    share = parts.get("share-cpo")
    row = parts.get(share.optic) if isinstance(share, PowerShare) and share.optic is not None else None
    return row if isinstance(row, Optic) else None


def _at_most(inside: Watts, whole: Watts) -> Watts:
    """Optics of a box: the same at any load, and as far up and down as the box's own range leaves room."""
    typical = min(inside.typical, whole.idle)
    low, high = min(inside.low, whole.low, typical), max(typical, min(inside.high, whole.high))
    return replace(inside, idle=typical, typical=typical, maximum=min(high, whole.maximum), low=low, high=high)


def _with_lasers(kind: str, watts: Watts, parts: Catalogue) -> list[tuple[str, Watts]]:
    share = parts.get(_SHARE[kind])
    lasers = (share.laser_fraction or 0.0) if isinstance(share, PowerShare) else 0.0
    return [(kind, (1 - lasers) * watts), *([(LASERS, lasers * watts)] if lasers else [])]
