"""The devices of an InfiniBand subnet as `ibnetdiscover` prints them, every link alike at both its ends."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from topologies.errors import ConfigError, TopologyError
from topologies.formats.contents import read_lines

LANE_GBPS = {
    "SDR": 2.5, "DDR": 5.0, "QDR": 10.0, "FDR10": 10.0, "FDR": 14.0,
    "EDR": 25.0, "HDR": 50.0, "NDR": 100.0, "XDR": 200.0,
}  # fmt: skip
LANES = (1, 2, 4, 8, 12)
WANTED = "the output of ibnetdiscover"

# ibnetdiscover(8), "Topology file format"; -g adds chassis lines and [ext n], -f adds key=value at the end.
_SKIPPED = re.compile(r"\s*(#.*|(Non-)?Chassis\b.*)?$")
_IDENTITY = re.compile(
    r"(vendid|devid|sysimgguid|switchguid|caguid)=0x([0-9a-fA-F]{1,16})(?:\([0-9a-fA-F]+\))?\s*(?:#.*)?$"
)
_DEVICE = re.compile(r'(Switch|Ca)\s+([0-9]{1,3})\s+"([SH]-[0-9a-fA-F]{16})"\s*#\s*"(.*)"([^"]*)$')
_PORT = re.compile(
    r"\[([0-9]{1,3})\](?:\[ext [^\]]*\])?(?:\(([0-9a-fA-F]+)\))?\s+"
    r'"([SHR]-[0-9a-fA-F]{16})"\[([0-9]{1,3})\](?:\[ext [^\]]*\])?(?:\([0-9a-fA-F]+\))?\s*'
    r'#\s*(?:lid ([0-9]{1,5}) lmc [0-9]+ )?"(.*)" lid [0-9]+ (\S+)(?: \w+=\S+)*\s*$'
)
# ibnetdiscover -p: kind, lid, port, guid, width and speed of an end, the other end, both descriptions.
_LISTED = re.compile(
    r"(CA|SW|RT) +([0-9]{1,5}) +([0-9]{1,3}) 0x([0-9a-fA-F]{16}) +([0-9]{1,2}x) +([A-Z0-9]+)"
    r"(?: +- +(CA|SW|RT) +[0-9]{1,5} +([0-9]{1,3}) 0x([0-9a-fA-F]{16}) +\( *'(.*)' - '(.*)' *\)| +'.*')\s*$"
)
_ONE_CARD = 16  # port GUIDs of one adapter are at most so far apart
_LID = re.compile(r"\blid ([0-9]{1,5})\b")
_SPEED = re.compile(r"([0-9]{1,2})x([A-Z0-9]+)$")


@dataclass(frozen=True, slots=True)
class Port:
    """One end of a link: where the other end is, what the link runs at, the line that says so; an adapter's LID."""

    guid: str | None
    peer: str
    peer_port: int
    rate_gbps: float
    line: int
    lid: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A switch or an adapter; `key` is S- or H- and its GUID, `ports` hold the live links by port number, `own_lid` is
    that of a switch."""

    key: str
    description: str
    devid: int
    size: int
    line: int
    ports: dict[int, Port]
    own_lid: int | None = None

    @property
    def guid(self) -> str:
        """16 hex digits."""
        return self.key[2:]

    @property
    def lid(self) -> int | None:
        """The local identifier of a switch, or of the first port of an adapter; None where the file has none."""
        return self.own_lid if self.is_switch else self.ports[min(self.ports)].lid

    @property
    def is_switch(self) -> bool:
        """Switch or adapter."""
        return self.key.startswith("S-")


def rate_gbps(speed: str) -> float:
    """Gb/s of a link: width times the lane rate that its speed goes by (SDR to QDR with their 8b/10b coding).

    ConfigError for a width or a speed that InfiniBand does not have.

    >>> rate_gbps("4xNDR"), rate_gbps("2xNDR"), rate_gbps("4xHDR"), rate_gbps("4xFDR")
    (400.0, 200.0, 200.0, 56.0)
    """
    match = _SPEED.match(speed)
    if match is None or int(match[1]) not in LANES or match[2] not in LANE_GBPS:
        widths = ", ".join(f"{lanes}x" for lanes in LANES)
        raise ConfigError(f"speed {speed[:20]!r} is unknown; there are {widths} of {', '.join(LANE_GBPS)}")
    return int(match[1]) * LANE_GBPS[match[2]]


def read_devices(path: Path) -> dict[str, Device]:
    """Devices of an `ibnetdiscover` file by key, in the order of the file.

    ConfigError names the line of what cannot be read or is cut off, TopologyError the line of a link whose
    ends do not agree.

    >>> read_devices(Path("nowhere.out"))
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.out: No such file or directory; give the output of ibnetdiscover
    """
    devices = _parse(read_lines(path, WANTED), str(path))
    if not devices:
        raise ConfigError(f"{path}: no switch and no adapter; give the whole output of ibnetdiscover")
    for device in devices.values():
        if not device.ports:
            raise ConfigError(
                f"{path}: line {device.line}: {device.description[:60]!r} has no link; the file is cut off, "
                "run ibnetdiscover again"
            )
    if not any(device.is_switch for device in devices.values()):
        raise ConfigError(f"{path}: {len(devices)} devices, no switch; cut off? run ibnetdiscover again")
    _check_ends(devices, str(path))
    return devices


def read_text(path: Path, wanted: str) -> str:
    """The text of a file; ConfigError, which says what is wanted, where there is none."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give {wanted}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not text; give {wanted}") from error
    if "\0" in text:
        raise ConfigError(f"{path}: not text; give {wanted}")
    if not text.strip():
        raise ConfigError(f"{path}: the file is empty; give {wanted}")
    return text


def _parse(lines: Iterator[tuple[int, str]], path: str) -> dict[str, Device]:
    devices: dict[str, Device] = {}
    current: Device | None = None
    devid, known = 0, False
    for number, raw in lines:
        line = raw.rstrip()
        if _SKIPPED.match(line):
            continue
        where = f"{path}: line {number}"
        if not known and is_port(line):
            return port_devices(chain([(number, line)], lines), path)
        if identity := _IDENTITY.match(line):
            current, known = None, True
            devid = int(identity[2], 16) if identity[1] == "devid" else devid
        elif header := _DEVICE.match(line):
            current, known = _device(header, devid, number, where), True
            if current.key in devices:
                raise ConfigError(f"{where}: {current.key} stands in line {devices[current.key].line} too")
            devices[current.key], devid = current, 0
        elif (port := _PORT.match(line)) and current is not None:
            _add_port(current, port, number, where)
        elif not known:
            raise ConfigError(f"{where}: not the output of ibnetdiscover: {line[:60]!r}")
        else:
            raise ConfigError(f"{where} cannot be read: {line[:60]!r}")
    return devices


def is_port(line: str) -> bool:
    """Is this a line of the ports report (`ibnetdiscover -p`)?"""
    return _LISTED.match(line) is not None


def port_devices(lines: Iterator[tuple[int, str]], path: str) -> dict[str, Device]:
    """Devices of a ports report: a line for each end of a link, no device ids.

    Ports of one description, of different numbers and neighbouring GUIDs are one adapter.
    """
    rows: list[tuple[int, re.Match[str]]] = []
    for number, line in lines:
        match = _LISTED.match(line.rstrip())
        if match is None and not _SKIPPED.match(line):
            raise ConfigError(f"{path}: line {number} cannot be read: {line[:60]!r}")
        if match is not None and match[7] is not None:  # a port without a link ends in its own name
            rows.append((number, match))
    devices: dict[str, Device] = {}
    key_of: dict[str, str] = {}
    adapters: dict[str, list[Device]] = {}
    for number, row in rows:
        guid, description = row[4].lower(), _printable(row[10])
        key = f"{'S' if row[1] == 'SW' else 'H'}-{guid}"
        if key not in devices and row[1] != "SW":
            near = [d for d in adapters.get(description, []) if abs(int(d.guid, 16) - int(guid, 16)) <= _ONE_CARD]
            key = next((d.key for d in near if int(row[3]) not in d.ports), key)
        if key not in devices:
            lid = int(row[2]) if row[1] == "SW" else None
            devices[key] = Device(key, description, 0, 255, number, {}, lid)
            if row[1] != "SW" and len(adapters.setdefault(description, [])) < _ONE_CARD:
                adapters[description].append(devices[key])
        key_of[key[:2] + guid] = key
        where = f"{path}: line {number}"
        if int(row[3]) in devices[key].ports:
            raise ConfigError(
                f"{where}: port {row[3]} of {key} stands in line {devices[key].ports[int(row[3])].line} too"
            )
        try:
            rate = rate_gbps(row[5] + row[6])
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        peer = f"{'S' if row[7] == 'SW' else 'H'}-{row[9].lower()}"
        own = None if row[1] == "SW" else int(row[2])
        devices[key].ports[int(row[3])] = Port(guid, peer, int(row[8]), rate, number, own)
    for device in devices.values():
        for number, port in device.ports.items():
            device.ports[number] = replace(port, peer=key_of.get(port.peer, port.peer))
    return devices


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def _device(header: re.Match[str], devid: int, number: int, where: str) -> Device:
    key = header[3][:2] + header[3][2:].lower()
    if (header[1] == "Switch") != key.startswith("S-"):
        raise ConfigError(f"{where}: a {header[1]} is named {key}; S- is a switch, H- an adapter")
    description = _printable(header[4])
    lid = _LID.search(header[5])
    return Device(key, description, devid, int(header[2]), number, {}, int(lid[1]) if lid else None)


def _add_port(device: Device, port: re.Match[str], number: int, where: str) -> None:
    own = int(port[1])
    if not 1 <= own <= device.size:
        raise ConfigError(f"{where}: port {own} of a device with {device.size} ports")
    if own in device.ports:
        raise ConfigError(f"{where}: port {own} stands in line {device.ports[own].line} too")
    try:
        rate = rate_gbps(port[7])
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    peer = port[3][:2] + port[3][2:].lower()
    lid = int(port[5]) if port[5] else None
    device.ports[own] = Port(port[2] and port[2].lower(), peer, int(port[4]), rate, number, lid)


def _check_ends(devices: Mapping[str, Device], path: str) -> None:
    """Every link stands twice, once at each of its ends, with one speed."""
    for key, device in devices.items():
        for number, port in device.ports.items():
            where = f"{path}: line {port.line}"
            peer = devices.get(port.peer)
            if peer is None:
                raise ConfigError(f"{where}: a link to {port.peer}, which is not in the file; is it cut off?")
            back = peer.ports.get(port.peer_port)
            if back is None or (back.peer, back.peer_port) != (key, number):
                raise TopologyError(
                    f"{where}: {port.peer} port {port.peer_port} does not lead back to {key} port {number}; "
                    "a link stands at both its ends"
                )
            if (port.peer, port.peer_port) == (key, number):
                raise TopologyError(f"{where}: port {number} of {key} leads to itself")
            if back.rate_gbps != port.rate_gbps:
                raise TopologyError(
                    f"{where}: {port.rate_gbps:g} Gb/s here, {back.rate_gbps:g} Gb/s in line {back.line}, "
                    "the other end of the link"
                )
