"""What each adapter of an InfiniBand subnet is for: compute, storage, management, reduction in a switch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from topologies.formats.subnet import Device

Role = Literal["compute", "storage", "management", "aggregation"]
ROLES: tuple[Role, ...] = ("compute", "storage", "management", "aggregation")

_AGGREGATION = "aggregation node"  # the SHARP engine of a switch, which the subnet sees as an adapter
_MANAGEMENT = re.compile(r"ufm|(^|[^a-z])(mgmt|mgt|management|login|head|bastion|opensm|bcm)")
_STORAGE = re.compile(r"storage|lustre|gpfs|weka|(^|[^a-z])(stor|nfs|nas|ddn|oss|mds|ost)([^a-z]|$)")
# What firmware and installers call a machine that nobody named.
_DEFAULT_HOSTS = {"localhost", "localhost.localdomain", "ubuntu", "debian", "linux", "(none)", "unknown"}
_MODEL = re.compile(r"mt[0-9]+\b|.*\bmellanox technologies$|.*\bconnectx")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter, its role, and why it has it; `named` is False where the role comes from its neighbour."""

    description: str
    guid: str
    role: Role
    why: str
    named: bool


def adapters(devices: Mapping[str, Device]) -> list[Adapter]:
    """Every adapter of a subnet with its role, in the order of the file.

    The description decides where it names a host. An adapter without a host name of its own has the role of
    the named one on the nearest port of its switch (the lower of two), and is compute where none is named.

    >>> from topologies.formats.subnet import Port
    >>> port = Port(None, "S-000000000000000a", 1, 400.0, 2)
    >>> host = Device("H-0000000000000001", "dgx-01 HCA-1", 0x1021, 1, 1, {1: port})
    >>> [(a.role, a.why) for a in adapters({host.key: host})]
    [('compute', 'its host name says DGX')]
    """
    own = {key: _by_name(device.description) for key, device in devices.items() if not device.is_switch}
    found = []
    for key, by_name in own.items():
        role, why = by_name or _by_neighbour(devices[key], devices, own)
        device = devices[key]
        found.append(Adapter(device.description, device.guid, role, why, by_name is not None))
    return found


def _by_name(description: str) -> tuple[Role, str] | None:
    """Role and reason from the description; None where it names no host."""
    name = description.lower()
    host = name.split(" ")[0]
    if _AGGREGATION in name:
        return "aggregation", "SHARP aggregation node of a switch"
    if "dgx" in host:
        return "compute", "its host name says DGX"
    if not host or host in _DEFAULT_HOSTS or _MODEL.match(name):
        return None
    if _MANAGEMENT.search(host):
        return "management", "its host name is one of management"
    if _STORAGE.search(host):
        return "storage", "its host name is one of storage"
    return "compute", "a named host, neither management nor storage"


def _by_neighbour(
    device: Device, devices: Mapping[str, Device], own: Mapping[str, tuple[Role, str] | None]
) -> tuple[Role, str]:
    """Role and reason from the nearest named adapter of the switch behind the first port."""
    uplink = device.ports[min(device.ports)]
    nearest: tuple[int, int] | None = None
    role: Role = "compute"
    for number, port in devices[uplink.peer].ports.items():
        named = own.get(port.peer)
        distance = abs(number - uplink.peer_port), number
        if named is not None and named[0] != "aggregation" and (nearest is None or distance < nearest):
            nearest, role = distance, named[0]
    place = f"no host name; on port {uplink.peer_port} of {devices[uplink.peer].description}"
    if nearest is None:
        return role, f"{place}, where nothing has one: taken as compute"
    neighbour = devices[devices[uplink.peer].ports[nearest[1]].peer].description
    return role, f"{place}, nearest to {neighbour} on port {nearest[1]}"
