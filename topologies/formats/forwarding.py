"""The forwarding tables of an InfiniBand subnet: which port each switch sends a destination out of."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.errors import ConfigError
from topologies.formats.subnet import read_text
from topologies.graph import Topology

WANTED = "the output of dump_lfts.sh (ibroute of every switch)"
# ibroute(8), and what OpenSM dumps itself (opensm-lfts.dump), which has # for : and no count.
_HEADER = re.compile(r"Unicast lids \[0x[0-9a-fA-F]+-0x[0-9a-fA-F]+\] of switch .*?\bguid 0x([0-9a-fA-F]{1,16})\b")
_ROW = re.compile(r"0x([0-9a-fA-F]{1,4})\s+([0-9]{1,3})\s*[:#]\s*(.*)$")
_NAMED = re.compile(r"\(?(?:Channel Adapter|Switch|Router) portguid 0x([0-9a-fA-F]{1,16})\b")
_FOOTER = re.compile(r"([0-9]+) (valid )?lids dumped\s*$")
_SKIPPED = re.compile(r"\s*(Lid\s+Out\s+Destination|Port\s+Info|ibwarn: .*|#.*)?\s*$")


@dataclass(frozen=True, slots=True, eq=False)
class ForwardingTables:
    """`port` int16[V, n]: where node v (in the order of the topology) sends what is for rank r, -1 where it has no
    entry; an end point sends everything out of its first port."""

    port: NDArray[np.int16]


@dataclass(slots=True)
class _Table:
    """The table that is being read: whose, from which line on, how many rows so far."""

    node: int
    line: int
    rows: int = 0


def read_forwarding_tables(path: Path, topology: Topology) -> ForwardingTables:
    """The tables of every switch of a fabric that `ibnetdiscover` discovered, from what `dump_lfts.sh` printed.

    A destination is known by the GUID of its port, or by its LID where the row names none; further LIDs of a port
    (LMC above 0) and destinations that are no end points are passed over.

    ConfigError, with the line where there is one, for a fabric without GUIDs, a file that cannot be read or is cut
    off, a switch that is not in the fabric or has no table, an end point that no table knows, and a port that leads
    nowhere.

    >>> from topologies.registry import build
    >>> read_forwarding_tables(Path("lfts.txt"), build("switch:n=4"))
    Traceback (most recent call last):
    topologies.errors.ConfigError: switch:n=4: switch has no GUID; import the fabric from ibnetdiscover
    """
    port = np.full((len(topology.nodes), len(topology.accelerators)), -1, np.int16)
    switches = _switches(topology)
    rank_of = _ranks(topology)
    seen: dict[int, int] = {}
    table: _Table | None = None
    for number, raw in enumerate(read_text(path, WANTED).split("\n"), start=1):
        line, where = raw.rstrip(), f"{path}: line {number}"
        if header := _HEADER.match(line):
            _finished(table, where)
            table = _Table(_switch(header[1], switches, topology, where), number)
            if table.node in seen:
                raise ConfigError(f"{where}: the switch has a table in line {seen[table.node]} too")
            seen[table.node] = number
        elif row := _ROW.match(line):
            if table is None:
                raise ConfigError(f"{where}: an entry without a switch; give {WANTED}")
            table.rows += 1
            rank = _rank(int(row[1], 16), row[3], rank_of)
            if rank is not None:
                port[table.node, rank] = _port(int(row[2]), topology, table.node, where)
        elif footer := _FOOTER.match(line):
            if table is None or (footer[2] and table.rows != int(footer[1])):
                had = table.rows if table else 0
                raise ConfigError(f"{where}: {footer[1]} entries are counted, {had} stand there; dump the tables again")
            table = None
        elif not _SKIPPED.match(line):
            raise ConfigError(f"{where} cannot be read: {line[:60]!r}; give {WANTED}")
    _finished(table, str(path))
    _check_whole(port, seen, topology, path)
    return ForwardingTables(_with_end_points(port, topology))


def _switches(topology: Topology) -> dict[str, int]:
    """Switches by GUID; ConfigError unless every node knows where its ports lead."""
    found: dict[str, int] = {}
    for i, (node, attributes) in enumerate(topology.graph.nodes(data=True)):
        if attributes["kind"] == "switch" and "guid" not in attributes:
            raise ConfigError(f"{topology.name}: {node} has no GUID; import the fabric from ibnetdiscover")
        if attributes["kind"] == "switch":
            found[attributes["guid"].lower().zfill(16)] = i
        leads = attributes.get("ports") or {}
        numbered = all(number.isascii() and number.isdigit() and 0 < int(number) < 255 for number in leads)
        counts = {peer: edge["count"] for peer, edge in topology.graph[node].items()}
        if not numbered or Counter(leads.values()) != counts:
            raise ConfigError(f"{topology.name}: ports of {node} are not its links; import it from ibnetdiscover")
    return found


def _ranks(topology: Topology) -> dict[str | int, int]:
    """Ranks by the GUID of their port, and by their LID."""
    found: dict[str | int, int] = {}
    for rank, node in enumerate(topology.accelerators):
        attributes: Mapping[str, Any] = topology.graph.nodes[node]
        for key in ("guid", "lid"):
            if attributes.get(key) is not None:
                value = attributes[key]
                found[value.lower().zfill(16) if key == "guid" else value] = rank
    return found


def _switch(guid: str, switches: Mapping[str, int], topology: Topology, where: str) -> int:
    known = switches.get(guid.lower().zfill(16))
    if known is None:
        raise ConfigError(f"{where}: switch 0x{guid} is not in {topology.name}; dump both at the same time")
    return known


def _rank(lid: int, destination: str, rank_of: Mapping[str | int, int]) -> int | None:
    if named := _NAMED.match(destination):
        return rank_of.get(named[1].lower().zfill(16))
    further = destination.startswith("(path #") or "illegal port" in destination
    return None if further else rank_of.get(lid)


def _port(number: int, topology: Topology, node: int, where: str) -> int:
    switch: Hashable = topology.nodes[node]
    if str(number) not in topology.graph.nodes[switch]["ports"]:
        raise ConfigError(f"{where}: port {number} of {switch} leads nowhere in {topology.name}")
    return number


def _finished(table: _Table | None, where: str) -> None:
    if table is not None:
        raise ConfigError(f"{where}: the table of line {table.line} is cut off; dump the tables again")


def _check_whole(port: NDArray[np.int16], seen: Mapping[int, int], topology: Topology, path: Path) -> None:
    """Every switch has a table, and every end point an entry in one."""
    for i, (node, kind) in enumerate(topology.graph.nodes(data="kind")):
        if kind == "switch" and i not in seen:
            raise ConfigError(f"{path}: switch {node} has no table; is the file cut off?")
    unknown = np.flatnonzero((port < 0).all(axis=0))
    if len(unknown):
        node = topology.accelerators[unknown[0]]
        lid = topology.graph.nodes[node].get("lid")
        raise ConfigError(f"{path}: no table has an entry for {node} (LID {lid}); dump both at the same time")


def _with_end_points(port: NDArray[np.int16], topology: Topology) -> NDArray[np.int16]:
    for node in topology.accelerators:
        first = min(int(number) for number in topology.graph.nodes[node]["ports"])
        port[topology.index[node]] = first
    return port
