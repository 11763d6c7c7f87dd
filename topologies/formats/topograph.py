"""A cluster model of topograph: switches above switches, blocks of nodes below, their scale-up domains."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from topologies.errors import ConfigError
from topologies.formats.contents import name_of, short
from topologies.formats.devices import part_of_name
from topologies.formats.draft import Cabling, Draft
from topologies.formats.hierarchy import Host, Uplinks, add_tree, expanded, unused
from topologies.formats.scaleup import ScaleUp, add_scaleup
from topologies.formats.yaml_documents import read_yaml, rows, table
from topologies.graph import Topology
from topologies.parts import Accelerator, Catalogue

WANTED = "a cluster model of topograph"
MAX_NODES = 2_000_000
DOMAINS = ("domain", "accelerator")  # the last word of the annotation or label that names a scale-up domain


def read_topograph(
    path: Path,
    uplinks: Uplinks = Uplinks(),
    inside: ScaleUp = ScaleUp(),
    cabling: Cabling = Cabling(),
    *,
    parts: Catalogue,
) -> Topology:
    """A cluster model of topograph: switches, those below each, and blocks of nodes.

    All its spellings are read: `switches` as a table or a list, `blocks` that name their switch, `capacity_blocks` that
    switches name, `nodes` of switches. Nodes are written as Slurm does (`node[1101-1118]`). A block's `nvlink`, or its
    annotation or label `.../domain` or `.../accelerator`, is the scale-up domain of its nodes, `type` their
    accelerator. Each node is one end point unless `gpus` says how many accelerators it has.

    ConfigError names the switch or block that is wrong.
    """
    document = table(read_yaml(path, WANTED), str(path), "the file")
    parents: dict[str, list[str]] = {}
    block_on: dict[str, str] = {}
    node_on: dict[str, str] = {}
    for name, row, where in _named(document.get("switches"), str(path), "switches"):
        parents.setdefault(name, [])
        for below in _names(row, "switches", where):
            parents.setdefault(below, []).append(name)
        block_on |= dict.fromkeys(_names(row, "capacity_blocks", where), name)
        node_on |= dict.fromkeys(_nodes(row, where), name)
    hosts = _hosts(document, str(path), parents, block_on, node_on, parts)
    draft = Draft(path, "topograph", parts)
    notes = add_tree(draft, hosts, parents, uplinks, cabling, inside)
    notes += add_scaleup(draft, inside)
    ignored = unused(document, ("switches", "blocks", "capacity_blocks", "nodes"))
    if ignored:
        notes.append(f"not read: {', '.join(short(key) for key in ignored[:10])}")
    return draft.topology(notes)


def _named(value: Any, where: str, what: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Name, row and place of a table of rows, or of a list of rows that hold their name."""
    if isinstance(value, list):
        for number, row in enumerate(value, start=1):
            at = f"{where}: {what} {number}"
            held = table(row, at, "it")
            yield name_of(held.get("name", held.get("switch")), at, "name"), held, at
        return
    for name, row in table(value, where, what).items():
        at = f"{where}: {what} {short(name)}"
        yield name_of(name, at, "name"), table(row or {}, at, "it"), at


def _names(row: dict[str, Any], key: str, where: str) -> list[str]:
    return [name_of(item, where, key) for item in rows(row.get(key) or [], where, key)]


def _nodes(row: dict[str, Any], where: str) -> list[str]:
    """The nodes of a switch or a block, ranges written out."""
    found: list[str] = []
    for item in _names(row, "nodes", where):
        found += expanded(item, where, MAX_NODES)
        if len(found) > MAX_NODES:
            raise ConfigError(f"{where}: more than {MAX_NODES:,} nodes")
    return found


def _hosts(
    document: dict[str, Any],
    path: str,
    parents: Mapping[str, list[str]],
    block_on: Mapping[str, str],
    node_on: Mapping[str, str],
    parts: Catalogue,
) -> list[Host]:
    """The nodes of every block, and those that only a switch names."""
    blocks = "blocks" if "blocks" in document else "capacity_blocks"
    rest = dict(node_on)
    hosts: list[Host] = []
    for name, row, where in _named(document.get(blocks) or ([] if node_on else None), path, blocks):
        nodes = _nodes(row, where)
        switch = name_of(row["switch"], where, "switch") if "switch" in row else block_on.get(name)
        if switch is not None and switch not in parents:
            raise ConfigError(f"{where}: switch '{switch[:60]}' is not among the switches")
        part = part_of_name(str(row.get("type") or ""), Accelerator, parts)
        for node in nodes:
            rest.pop(node, None)
            below = switch or node_on.get(node)
            if below is None:
                raise ConfigError(f"{where}: no switch has it or its node '{node[:60]}' below")
            hosts.append(Host(node, below, _domain(row, where), where, part))
            if len(hosts) > MAX_NODES:
                raise ConfigError(f"{path}: more than {MAX_NODES:,} nodes")
    return [*hosts, *(Host(node, switch, None, f"{path}: switches") for node, switch in rest.items())]


def _domain(block: dict[str, Any], where: str) -> str | None:
    """The scale-up domain that a block names; None where it names none."""
    if block.get("nvlink") is not None:
        return name_of(block["nvlink"], where, "nvlink")
    for key in ("annotations", "labels"):
        for name, value in table(block.get(key) or {}, where, key).items():
            if name.rpartition("/")[2].rpartition(".")[2] in DOMAINS:
                return name_of(value, where, name)
    return None
