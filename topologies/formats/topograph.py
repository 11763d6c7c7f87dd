"""A cluster model of topograph: switches above switches, blocks of nodes below, their scale-up domains."""

from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.contents import name_of, short
from topologies.formats.draft import Cabling, Draft
from topologies.formats.hierarchy import Host, Uplinks, add_tree, expanded, unused
from topologies.formats.scaleup import ScaleUp, add_scaleup
from topologies.formats.yaml_documents import read_yaml, rows, table
from topologies.graph import Topology
from topologies.parts import Catalogue

WANTED = "a cluster model of topograph"
MAX_NODES = 2_000_000
DOMAIN = "domain"  # the last word of the annotation that names a scale-up domain


def read_topograph(
    path: Path,
    uplinks: Uplinks = Uplinks(),
    inside: ScaleUp = ScaleUp(),
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """A cluster model of topograph: `switches` (name: the switches below it) and `blocks` of nodes below a switch.

    Nodes are written as Slurm does (`node[1101-1118]`). A block's annotation or label `.../domain`, or its `nvlink`,
    is the scale-up domain of its nodes. Each node is one end point unless `gpus` says how many accelerators it has.

    ConfigError names the switch or block that is wrong.
    """
    document = table(read_yaml(path, WANTED), str(path), "the file")
    parents: dict[str, list[str]] = {}
    for name, row in table(document.get("switches"), str(path), "switches").items():
        where = f"{path}: switch {short(name)}"
        parents.setdefault(name_of(name, where, "name"), [])
        for below in rows(table(row or {}, where, "it").get("switches") or [], where, "switches"):
            parents.setdefault(name_of(below, where, "a switch below it"), []).append(name)
    blocks = document.get("blocks", document.get("capacity_blocks"))
    hosts: list[Host] = []
    for number, row in enumerate(rows(blocks, str(path), "blocks"), start=1):
        hosts += _hosts(row, f"{path}: block {number}", parents)
        if len(hosts) > MAX_NODES:
            raise ConfigError(f"{path}: more than {MAX_NODES:,} nodes")
    draft = Draft(path, "topograph", parts)
    notes = add_tree(draft, hosts, parents, uplinks, cabling, inside)
    notes += add_scaleup(draft, inside)
    ignored = unused(document, ("switches", "blocks", "capacity_blocks"))
    if ignored:
        notes.append(f"not read: {', '.join(short(key) for key in ignored[:10])}")
    return draft.topology(notes)


def _hosts(row: Any, where: str, parents: dict[str, list[str]]) -> list[Host]:
    """The nodes of a block."""
    block = table(row, where, "it")
    switch = name_of(block.get("switch"), where, "switch")
    if switch not in parents:
        raise ConfigError(f"{where}: switch '{switch[:60]}' is not among the switches")
    domain = _domain(block, where)
    names = []
    for item in rows(block.get("nodes"), where, "nodes"):
        names += expanded(name_of(item, where, "a node"), where, MAX_NODES)
    return [Host(name, switch, domain, where) for name in names]


def _domain(block: dict[str, Any], where: str) -> str | None:
    """The scale-up domain that a block names; None where it names none."""
    if block.get("nvlink") is not None:
        return name_of(block["nvlink"], where, "nvlink")
    for key in ("annotations", "labels"):
        for name, value in table(block.get(key) or {}, where, key).items():
            if name.rpartition("/")[2].rpartition(".")[2] == DOMAIN:
                return name_of(value, where, name)
    return None
