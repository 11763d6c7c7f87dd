"""Interfaces: the packet side of a stage, from the ends that its cross-connects reach: drain before, undrain after."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fabric.planning.export.names import Names
from fabric.planning.plan import Change, Links, Plan, Stage
from topologies.errors import ConfigError
from topologies.formats.contents import read_whole, short

WEIGHTS = "traffic-engineering.csv"
COLUMNS = ("switch", "side", "port", "system", "device", "interface", "neighbour")
SYSTEMS = ("sonic", "infiniband")
# SONiC: sonic-utilities doc/Command-Reference.md; InfiniBand: ibportstate(8) of infiniband-diags
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
_GUID = re.compile(r"0x[0-9a-fA-F]{1,16}")
Phase = Literal["drain", "shut-down", "bring-up", "check", "undrain"]
PHASES: tuple[Phase, ...] = ("drain", "shut-down", "bring-up", "check", "undrain")  # circuits move after the second
_OF_SESSIONS = ("drain", "undrain")
_LINES: dict[tuple[str, Phase], tuple[str, ...]] = {
    ("sonic", "drain"): ("config bgp shutdown neighbor {at.neighbour}",),
    ("sonic", "shut-down"): ("config interface shutdown {at.interface}",),
    ("sonic", "bring-up"): ("config interface startup {at.interface}",),
    ("sonic", "check"): ("show interfaces status {at.interface}", "show lldp neighbors {at.interface}"),
    ("sonic", "undrain"): ("config bgp startup neighbor {at.neighbour}",),
    ("infiniband", "drain"): (),
    ("infiniband", "shut-down"): ("ibportstate -G {at.device} {at.interface} disable",),
    ("infiniband", "bring-up"): ("ibportstate -G {at.device} {at.interface} enable",),
    ("infiniband", "check"): ("ibportstate -G {at.device} {at.interface} query",),
    ("infiniband", "undrain"): (),
}
SOURCES = {
    "sonic": "SONiC: Command Reference of sonic-utilities. A session of an interface is the same after it is rewired "
    "(unnumbered BGP); with addresses per link, write those of the new link into the switch first",
    "infiniband": "InfiniBand: ibportstate(8) of infiniband-diags, which sets ports of switches; the subnet manager "
    "routes round a port that is disabled",
    "traffic": "traffic engineering: weights in proportion to the links of the table",
}
_SHORTEST, _LONGEST = 6, 7  # cells of a row: the neighbour may be left out


@dataclass(frozen=True, slots=True, order=True)
class Interface:
    """What a port's fibre leads to: an interface of a SONiC switch, with its BGP neighbour, or an InfiniBand port."""

    system: str
    device: str
    interface: str
    neighbour: str = ""


Interfaces = Mapping[tuple[str, str, str], Interface]  # by switch, side, name of the port
LinkCounts = Mapping[tuple[str, str], int]  # by pair of blocks


def read_interfaces(path: Path) -> dict[tuple[str, str, str], Interface]:
    """A CSV file with the header switch,side,port,system,device,interface,neighbour: the port by the device's own name,
    side A or B; system sonic (device = host name) or infiniband (device = node GUID, interface = port number).

    ConfigError names the line that does not fit.
    """
    wanted = f"a CSV file with the header {','.join(COLUMNS)}"
    rows = csv.reader(io.StringIO(read_whole(path, wanted, 64)), strict=True)
    found: dict[tuple[str, str, str], Interface] = {}
    try:
        header = [cell.strip() for cell in next(rows)]
        if header not in (list(COLUMNS), list(COLUMNS[:-1])):
            raise ConfigError(f"{path}: line 1: not the header; give {wanted}")
        for row in rows:
            if row:
                _add_row(found, f"{path}: line {rows.line_num}", [cell.strip() for cell in row])
    except csv.Error as error:
        raise ConfigError(f"{path}: line {rows.line_num}: not CSV: {error}; give {wanted}") from None
    return found


def _add_row(found: dict[tuple[str, str, str], Interface], where: str, row: Sequence[str]) -> None:
    if not _SHORTEST <= len(row) <= _LONGEST:
        raise ConfigError(f"{where}: {len(row)} cells; a row has {', '.join(COLUMNS)}")
    switch, side, port, system, device, interface, neighbour = (*row, "")[:_LONGEST]
    infiniband = system == "infiniband"
    named = interface.isascii() and interface.isdigit() if infiniband else _WORD.fullmatch(interface)
    for what, value, fits in (
        ("side", side, side in ("A", "B")),
        ("system", system, system in SYSTEMS),
        ("device", device, (_GUID if infiniband else _DEVICE).fullmatch(device)),
        ("interface", interface, named),
        ("neighbour", neighbour, not neighbour or _WORD.fullmatch(neighbour)),
    ):
        if not fits:
            raise ConfigError(f"{where}: {what} is {short(value)}, which does not fit; see plan export --help")
    if (switch, side, port) in found:
        raise ConfigError(f"{where}: port {short(port)} of side {side} of {short(switch)} stands twice")
    found[switch, side, port] = Interface(system, device, interface, neighbour)


def ends(changes: Iterable[Change], names: Mapping[str, Names], interfaces: Interfaces, up: bool) -> list[Interface]:
    """The interfaces that cross-connects put up, or take down, reach; each once, sorted.

    ConfigError for a port whose interface the file does not have.
    """
    found = set()
    for change in changes:
        own = names[change.switch]
        for pair in change.add if up else change.delete:
            for side, port in zip("AA" if own.any_to_any else "AB", own.pair(pair), strict=True):
                at = interfaces.get((change.switch, side, port))
                if at is None:
                    raise ConfigError(f"no interface is given for port {port} of side {side} of {change.switch}")
                found.add(at)
    return sorted(found)


def packet_files(
    stage: Stage, before: LinkCounts, names: Mapping[str, Names], interfaces: Interfaces | None
) -> dict[str, str]:
    """Path -> text: commands that drain and undrain each switch of packets, and the links that routing shall count;
    `before` are those that are up when the stage begins."""
    files = {WEIGHTS: weights(stage, before)}
    if interfaces is None:
        return files
    taken, given = (ends(stage.changes, names, interfaces, up) for up in (False, True))
    for prefix, old, new in (("", taken, given), ("rollback-", given, taken)):
        for phase in PHASES:
            made = commands(old if phase in ("drain", "shut-down") else new, phase)
            files |= {f"{prefix}{phase}/{path}": text for path, text in made.items()}
    return files


def commands(found: Sequence[Interface], phase: Phase) -> dict[str, str]:
    """File -> commands of a phase: a SONiC switch has its own, InfiniBand's are sent from a host of the subnet.

    >>> commands([Interface("sonic", "leaf-1", "Ethernet8", "10.0.0.1")], "drain")
    {'leaf-1.sonic.txt': 'config bgp shutdown neighbor 10.0.0.1\\n'}
    >>> commands([Interface("infiniband", "0x7f", "12")], "shut-down")
    {'infiniband.txt': 'ibportstate -G 0x7f 12 disable\\n'}
    """
    files: dict[str, dict[str, None]] = {}  # lines once, in their order
    for at in found:
        if at.neighbour or phase not in _OF_SESSIONS:
            path = f"{at.device}.sonic.txt" if at.system == "sonic" else "infiniband.txt"
            for line in _LINES[at.system, phase]:
                files.setdefault(path, {})[line.format(at=at)] = None
    return {path: "\n".join(lines) + "\n" for path, lines in files.items()}


def weights(stage: Stage, before: LinkCounts) -> str:
    """CSV of pairs of blocks whose links change: how many traffic engineering counts before, during, after the stage.

    Weights in proportion to these links keep what is drained free of packets; backwards, the columns swap.

    >>> stage = Stage(id=1, reason="", drain=[Links("a", "b", 2)], changes=[], undrain=[Links("a", "c", 1)],
    ...               throughput=1.0, certificate={}, seconds={})
    >>> print(weights(stage, {("a", "b"): 5}), end="")
    block_a,block_b,links_before,links_during,links_after
    a,b,5,3,3
    a,c,0,0,1
    """
    off, on = link_counts(stage.drain), link_counts(stage.undrain)
    lines = ["block_a,block_b,links_before,links_during,links_after"]
    for pair in dict.fromkeys([*off, *on]):
        first = before.get(pair, 0)
        during = first - off.get(pair, 0)
        lines.append(f"{pair[0]},{pair[1]},{first},{during},{during + on.get(pair, 0)}")
    return "\n".join(lines) + "\n"


def link_counts(links: Sequence[Links]) -> dict[tuple[str, str], int]:
    """Links by pair of blocks; ConfigError for a block whose name would break a table."""
    found: dict[tuple[str, str], int] = {}
    for row in links:
        if any("," in name or not name.isprintable() for name in (row.a, row.b)):
            raise ConfigError(f"a block is called {short(row.a)} or {short(row.b)}; give names without commas")
        found[row.a, row.b] = found.get((row.a, row.b), 0) + row.number
    return found


def counts_before(plan: Plan) -> list[dict[tuple[str, str], int]]:
    """Links up when each stage begins: those of the target, less what each later stage brings back, and what it drains.

    ConfigError where that comes to fewer than none: the plan contradicts itself.
    """
    counts = link_counts(plan.target)
    found = []
    for stage in reversed(plan.stages):
        for rows, sign in ((link_counts(stage.undrain), -1), (link_counts(stage.drain), 1)):
            for pair, number in rows.items():
                counts[pair] = counts.get(pair, 0) + sign * number
                if counts[pair] < 0:
                    raise ConfigError(f"stage {stage.id} leaves {counts[pair]} links of {pair[0]} and {pair[1]}")
        found.append(dict(counts))
    return found[::-1]
