"""Networks beside the fabric, storage and management, scaled from a published machine."""

from collections.abc import Collection
from dataclasses import dataclass

from fabric.powering.nameplates import Watts, row_watts
from topologies.bill import BillRow
from topologies.errors import ConfigError, unknown
from topologies.parts import Catalogue
from topologies.power_kinds import SideNetwork

SCOPES = ("compute", "storage", "inband", "oob")


@dataclass(frozen=True, slots=True)
class Side:
    """A network beside the fabric: its scope, the row it is scaled from, its switches, adapters and modules here."""

    scope: str
    row: str
    switches: float
    nics: float
    modules: float
    watts: Watts


def check_scope(scope: Collection[str]) -> tuple[str, ...]:
    """The scopes asked for, in order; ConfigError for one that there is not, or none."""
    for name in scope:
        if name not in SCOPES:
            raise ConfigError(unknown("scope", name, SCOPES, f"there are {', '.join(SCOPES)}"))
    if not scope:
        raise ConfigError(f"scope is empty; give some of {', '.join(SCOPES)}")
    return tuple(name for name in SCOPES if name in scope)


def side_networks(accelerators: int, scope: Collection[str], parts: Catalogue) -> list[Side]:
    """The networks of the scopes beside `compute`, for so many accelerators: counts of the catalogue's machine in
    proportion, an estimate by construction.

    >>> from topologies.parts import catalogue
    >>> [(s.scope, s.switches) for s in side_networks(2032, ["compute", "storage", "oob"], catalogue())]
    [('storage', 32.0), ('oob', 16.0)]
    """
    asked = check_scope(scope)
    rows = [row for row in parts.of_kind(SideNetwork) if row.scope in asked]
    return [_scaled(row, accelerators / row.accelerators, parts) for row in rows]


def _scaled(row: SideNetwork, times: float, parts: Catalogue) -> Side:
    watts = Watts.constant(0.0)
    if row.switch_power_w is not None:
        low, high = row.ranges.get("switch_power_w", (row.switch_power_w, row.switch_power_w))
        each = Watts(row.switch_power_w, row.switch_power_w, high, low, high)
        watts += row.switches * each
    devices = ((row.switch, row.switches), (row.nic, row.nics), (row.optic, row.modules))
    for name, number in devices:
        found = None if name is None else row_watts(BillRow(parts[name], number), parts)
        watts += found if found is not None else Watts.constant(0.0)
    return Side(row.scope, row.name, times * row.switches, times * row.nics, times * row.modules, times * watts)
