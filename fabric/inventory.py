"""Inventory: how many switches, circuit switches and optical modules a fabric has."""

from collections.abc import Mapping
from dataclasses import dataclass

from fabric.metrics import switches_by_tier
from topologies.bill import network_rows
from topologies.graph import Topology
from topologies.parts import CircuitSwitch, Optic


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a fabric is built of: switches outside scale-up domains, and boxes or chips by tier; circuit switches, a
    fraction where they are shared; optical modules and engines."""

    switches: int
    switches_by_tier: Mapping[str, int]
    circuit_switches: float
    modules: int


def inventory(topology: Topology) -> Inventory:
    """Counts of boxes and modules, from nodes and the bill of materials.

    >>> from topologies.registry import build
    >>> found = inventory(build("dgx-h100-superpod-256"))
    >>> found.switches_by_tier, found.switches, found.modules
    ({'scale-up': 128, 'leaf': 8, 'spine': 4}, 12, 512)
    """
    tiers = switches_by_tier(topology)
    rows = network_rows(topology)
    ocs = sum(row.quantity for row in rows if isinstance(row.part, CircuitSwitch))
    optics = sum(row.quantity for row in rows if isinstance(row.part, Optic))
    outside = sum(number for tier, number in tiers.items() if tier != "scale-up")
    return Inventory(outside, tiers, ocs, round(optics))
