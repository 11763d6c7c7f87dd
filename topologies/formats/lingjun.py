"""The hosts of an Alibaba Lingjun cluster, as its data set lists them: access, pod and core switch of each."""

import csv
from collections.abc import Iterator
from pathlib import Path

from topologies.errors import ConfigError
from topologies.formats.contents import name_of, read_lines
from topologies.formats.draft import Cabling, Draft
from topologies.formats.hierarchy import Host, Uplinks, add_tree
from topologies.formats.scaleup import ScaleUp, add_scaleup
from topologies.graph import Topology
from topologies.invariants import MAX_NODES
from topologies.parts import Catalogue

WANTED = "a table with the columns ip, DSW, PSW, ASW (alibaba-lingjun-dataset-2023, topo.csv)"
COLUMNS = ("ip", "DSW", "PSW", "ASW")


def read_lingjun(
    path: Path,
    uplinks: Uplinks = Uplinks(),
    inside: ScaleUp = ScaleUp(),
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """A host table of the Lingjun data set: `ip`, `DSW`, `PSW`, `ASW`, one host a row; three tiers of switches.

    A switch goes by the names above it, as S7 of P8 and S7 of P10 are two: `G6/P8/S7`. Each host is one end point
    unless `gpus` says how many accelerators it has.

    ConfigError names the line that cannot be read.
    """
    draft = Draft(path, "lingjun", parts)
    hosts, parents, named = [], dict[str, list[str]](), set[str]()
    for line, (ip, dsw, psw, asw) in _rows(path):
        where = f"{path}: line {line}"
        if ip in named:
            raise ConfigError(f"{where}: host '{ip[:60]}' stands there twice")
        named.add(ip)
        core, pod, access = dsw, f"{dsw}/{psw}", f"{dsw}/{psw}/{asw}"
        hosts.append(Host(ip, access, None, where))
        parents |= {access: [pod], pod: [core], core: []}
    cores = [name for name, above in parents.items() if not above]
    if len(cores) > 1:
        raise ConfigError(f"{path}: {len(cores)} core switches ({', '.join(cores[:3])}) that nothing joins")
    notes = add_tree(draft, hosts, parents, uplinks, cabling, inside)
    tiers = [sum(name.count("/") == depth for name in parents) for depth in (2, 1, 0)]
    listed = f"{tiers[0]} access, {tiers[1]} pod, {tiers[2]} core switches"
    notes.insert(0, f"{listed}; the file names one of each for a host")
    notes += add_scaleup(draft, inside)
    return draft.topology(notes)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line and the four names of each host."""
    lines = read_lines(path, WANTED)
    head = [cell.strip() for cell in next(lines)[1].split(",")]
    if any(head.count(column) != 1 for column in COLUMNS):
        raise ConfigError(f"{path}: line 1: the columns are {', '.join(head)[:80]}; give {WANTED}")
    places = [head.index(column) for column in COLUMNS]
    try:
        for line, text in lines:
            cells = next(csv.reader([text], strict=True), [])
            if not cells:
                continue
            if line > MAX_NODES:
                raise ConfigError(f"{path}: more than {MAX_NODES:,} lines")
            if len(cells) != len(head):
                raise ConfigError(f"{path}: line {line}: {len(cells)} of {len(head)} columns; is it cut off?")
            where = f"{path}: line {line}"
            yield line, [name_of(cells[i], where, column) for i, column in zip(places, COLUMNS, strict=True)]
    except csv.Error as error:
        raise ConfigError(f"{path}: not a table: {error}; give {WANTED}") from None
